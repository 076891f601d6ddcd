// Pieces that several views are made of.

import { to } from "./address.js";
import { calledNow } from "./catalogue.js";
import { colourOf, dot } from "./charts.js";
import { h, put } from "./dom.js";
import { human, instant, shorter, timeOfDay, value } from "./format.js";

/** A part of a page with a heading; `tools` stand at the right of it. */
export function card(title, { note, tools, cls = "" } = {}, ...children) {
  const id = `h-${title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`;
  return h(
    "section.card", { "aria-labelledby": id, class: `card ${cls}` },
    h("header", h("div", h("h2", { id }, title), note ? h("p.muted.small", note) : null), tools ? h("div.tools", tools) : null),
    ...children,
  );
}

/** Nothing to show: why, and what to do about it. */
export const empty = (title, todo) => h("div.empty", h("p", h("b", title)), todo ? h("p.muted", todo) : null);

/** What failed, in a sentence, with what to do, and a way to try again. */
export function failure(error, again) {
  const [said, todo] = error?.status === undefined ? ["This part of the page failed.", String(error?.message ?? error)] : [error.message, error.todo];
  return h("div.empty.failed", { role: "alert" }, h("p", h("b", said)), todo ? h("p.muted", todo) : null,
    again ? h("button", { type: "button", onclick: again }, "Try again") : null);
}

/** Grey where something will be. */
export const waiting = (lines = 4) => h("div.waiting", { "aria-hidden": "true" }, Array.from({ length: lines }, () => h("i")));

/**
 * A place that is filled by asking.  While it asks again what it has stays; a failure is told in it and tried again
 * by itself.  `load(signal)` gives data, `draw(data)` what to show; a later `ask` forgets the one before.
 */
export function region(signal, cls = "") {
  const node = h("div", { class: `region ${cls}` });
  let running = null, timer = null;
  signal.addEventListener("abort", () => { running?.abort(); clearTimeout(timer); });

  async function ask(load, draw, { every = 0, fresh = false, lines = 4 } = {}) {
    running?.abort();
    clearTimeout(timer);
    const mine = (running = new AbortController());
    const again = () => ask(load, draw, { every, lines });
    if (fresh || !node.hasChildNodes()) put(node, waiting(lines));
    node.setAttribute("aria-busy", "true");
    let next = every;
    try {
      const data = await load(mine.signal);
      if (mine.signal.aborted || signal.aborted) return;
      const made = draw(data);
      if (made) put(node, made);
    } catch (error) {
      if (mine.signal.aborted || signal.aborted) return;
      if (error?.status === undefined) console.error(error);
      put(node, failure(error, again));
      next = error?.status === 404 || error?.status === 400 ? 0 : 5000;
    }
    node.removeAttribute("aria-busy");
    if (next) timer = setTimeout(again, document.hidden ? next * 6 : next);
  }
  return { node, ask };
}

/** A choice of few, all to be seen: [[value, name], ...]; `set(value)` shows which one it is. */
export function choice(label, options, onchange) {
  const buttons = options.map(([key, name]) => h("button", { type: "button", onclick: () => onchange(key) }, name));
  const node = h("div.choice", { role: "group", "aria-label": label }, buttons);
  const set = (chosen) => buttons.forEach((button, k) => button.setAttribute("aria-pressed", String(options[k][0] === chosen)));
  return { node, set };
}

/** A choice of many: label, and options [[value, name], ...] that may change. */
export function pick(label, onchange, { shown = false } = {}) {
  const select = h("select", { "aria-label": shown ? null : label, onchange: () => onchange(select.value) });
  const node = shown ? h("label.field", h("span", label), select) : select;
  return {
    node,
    set(options, chosen) {
      const known = options.some(([key]) => key === chosen) || !chosen;
      put(select, options.map(([key, name]) => h("option", { value: key }, name)), known ? null : h("option", { value: chosen }, human(chosen)));
      select.value = chosen ?? "";
    },
  };
}

/** A segment by its colour and name; `name` is what a cluster is called. */
export function segment(name, colour, called) {
  return h("span.segment", colour === undefined ? null : dot(colour), h("span", { title: name ?? "none" }, called || human(name)));
}

const CAUSES = {
  event: "something happened", deadline: "time passed", definition: "a rule changed", model: "the clusters were redrawn",
};

/** Why a change came, as people say it. */
export const cause = (name) => h("span.cause", { class: `cause cause-${name}`, title: CAUSES[name] ?? "" }, name);

/** The evidence of a change, as pairs. */
export function evidence(given) {
  const { event, clusters, ...features } = given ?? {};
  const pairs = Object.entries(features).map(([name, of]) => h("span.pair", h("span", name), h("b", value(of))));
  if (event?.name) pairs.unshift(h("span.pair.event", h("b", event.name)));
  if (clusters?.to) {
    const moved = (clusters.moved_by ?? []).map(({ part }) => human(part).toLowerCase());
    if (moved.length) pairs.unshift(h("span.pair", h("span", "moved by"), h("b", moved.join(", "))));
  }
  return h("div.evidence", pairs);
}

/** One change as a line of a list; `colours` of its dimension where known. */
export function changeLine(change, { customer = true, dimension = true, colours, when = instant } = {}) {
  const end = (side) => {
    const name = change[side];
    const colour = name === null ? "rest" : colourOf(colours?.(change.dimension), name);
    return segment(name, colour, calledNow(change.dimension, name, change.evidence?.clusters?.[side]));
  };
  return h(
    "li.change",
    h("time", { datetime: change.time, title: instant(change.time) }, when(change.time)),
    h(
      "div.what",
      h("p",
        customer ? h("a.who", { href: to("customer", { id: change.customer }) }, change.customer) : null,
        dimension ? h("span.dimension", human(change.dimension)) : null,
        h("span.move", change.from === null ? h("span.muted", "first placed in") : end("from"),
          change.from === null ? null : h("span.arrow", { "aria-label": "to" }, "→"), end("to"))),
      evidence(change.evidence),
    ),
    cause(change.cause),
  );
}

export { shorter, timeOfDay };

/** A table from heads and rows of cells; a cell is a node or text, numbers go to the right. */
export function table(caption, heads, rows, { shown = false, cls = "" } = {}) {
  const cell = (made, k) => {
    const tag = k === 0 ? "th" : "td";
    const right = heads[k]?.number ? ".number" : "";
    return h(`${tag}${right}`, k === 0 ? { scope: "row" } : {}, made);
  };
  return h(
    "table", { class: cls },
    h(shown ? "caption" : "caption.hidden", caption),
    h("thead", h("tr", heads.map((head) => h(head.number ? "th.number" : "th", { scope: "col" }, head.name ?? head)))),
    h("tbody", rows.map((row) => h("tr", row.map(cell)))),
  );
}

/** A place for a wide table, which scrolls for itself, also by keyboard. */
export const wide = (label, node) => h("div.scroll.tall", { role: "region", tabindex: "0", "aria-label": label }, node);

/** What could not be asked: partitions that nobody answered for. */
export function missing(parts) {
  if (!parts?.length) return null;
  return h("p.notice", { role: "status" }, `Partitions ${parts.join(", ")} did not answer, so these figures lack their customers. `,
    h("a", { href: to("health") }, "See Health"));
}
