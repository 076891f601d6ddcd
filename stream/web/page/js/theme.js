// Light or dark, before anything is drawn: the system's choice, unless the reader made one (kept in this browser).
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const read = () => { try { return localStorage.getItem("segstream-theme"); } catch { return null; } };
  let chosen = read();
  const apply = () => {
    root.dataset.theme = chosen ?? (dark.matches ? "dark" : "light");
    window.dispatchEvent(new Event("themechange"));
  };
  dark.addEventListener("change", apply);
  window.switchTheme = () => {
    chosen = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("segstream-theme", chosen); } catch { /* private windows keep nothing */ }
    apply();
  };
  apply();
})();
