// Where the reader is: view and filters in the fragment of the address, so that any view can be sent to somebody.
// The fragment is never sent to a server, so customer ids stay out of its logs.

/** {view, params} of the address. */
export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { view: path || "overview", params: Object.fromEntries(new URLSearchParams(query)) };
}

/** The address of a view with these filters; empty ones are left out. */
export function to(view, params = {}) {
  const kept = Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(kept).toString();
  return `#/${view}${query ? `?${query}` : ""}`;
}

/** Change some filters of the present view. */
export function change(params, { replace = false } = {}) {
  const { view, params: now } = here();
  const next = to(view, { ...now, ...params });
  if (next === location.hash) return;
  if (replace) {
    history.replaceState(null, "", next);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  } else location.hash = next;
}
