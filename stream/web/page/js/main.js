// The shell: which view is shown, the way to a customer, the theme.

import { here, to } from "./address.js";
import { h, put, say } from "./dom.js";
import { clusters } from "./views/clusters.js";
import { customer } from "./views/customer.js";
import { health } from "./views/health.js";
import { overview } from "./views/overview.js";
import { segments } from "./views/segments.js";

const VIEWS = { overview, customer, segments, clusters, health };
const TITLES = { overview: "Overview", customer: "Customer", segments: "Segments", clusters: "Clusters", health: "Health" };
const MOON = "M16.5 12.5A7 7 0 0 1 7.5 3.5a7 7 0 1 0 9 9z";
const SUN = "M10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1 1M14.7 14.7l1 1M4.3 15.7l1-1M14.7 5.3l1-1M13.5 10a3.5 3.5 0 1 1-7 0 3.5 3.5 0 0 1 7 0z";

const main = document.getElementById("main");
let shown = null;

/** Show what the address says: the same view hears of new filters, another one begins. */
function show() {
  const { view, params } = here();
  const name = Object.hasOwn(VIEWS, view) ? view : "overview";
  document.title = `${TITLES[name]} – segstream`;
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (shown?.name === name) {
    shown.update(params);
    return;
  }
  const first = shown === null;
  shown?.stop.abort();
  const stop = new AbortController();
  put(main);
  window.scrollTo(0, 0);
  shown = { name, stop, update: VIEWS[name](main, stop.signal) };
  shown.update(params);
  if (!first) {
    main.focus({ preventScroll: true });
    say(TITLES[name]);
  }
}

function drawTheme() {
  const dark = document.documentElement.dataset.theme === "dark";
  const button = document.getElementById("theme");
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("viewBox", "0 0 20 20");
  icon.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", dark ? SUN : MOON);
  icon.append(path);
  put(button, icon, h("span.hidden", dark ? "Use light colours" : "Use dark colours"));
}

window.addEventListener("hashchange", show);
window.addEventListener("themechange", drawTheme);
document.getElementById("theme").addEventListener("click", () => window.switchTheme());
document.getElementById("find").addEventListener("submit", (event) => {
  event.preventDefault();
  const id = document.getElementById("find-id").value.trim();
  if (id) location.hash = to("customer", { id });
});
// A link into the page itself (#main) is not an address of a view.
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
drawTheme();
show();
