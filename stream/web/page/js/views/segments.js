// Each dimension in words: its segments with their conditions, sizes and churn, and who is in them.

import { change, to } from "../address.js";
import { get } from "../api.js";
import { catalogue, chosen, colours } from "../catalogue.js";
import { dot } from "../charts.js";
import { h, put } from "../dom.js";
import { capital, compact, human, instant, number, percent } from "../format.js";
import { card, empty, missing, pick, region, table, wide } from "../ui.js";

const REFRESH_MS = 15_000;
const PAGE = 60;

/** The next members; an answer without any is not the end where it says what comes next. */
async function page(path, after, signal) {
  for (;;) {
    const answer = await get(path, { params: { limit: PAGE, after }, signal });
    if (answer.customers.length || !answer.next) return answer;
    after = answer.next;
  }
}

export function segments(root, signal) {
  const list = region(signal, "list"), detail = region(signal);
  const filter = h("input", { type: "search", placeholder: "Filter dimensions", "aria-label": "Filter dimensions", oninput: () => change({ q: filter.value.trim() }, { replace: true }) });
  const picker = pick("Dimension", (dimension) => change({ dimension, segment: null }));
  const people = h("div");
  let params = {}, members = null, key = "";
  put(
    root,
    h("div.head", h("div", h("h1", "Segments"), h("p.lead", "Every way of dividing customers, what puts somebody into each segment, and who is there.")), h("div.tools.phone", picker.node)),
    h("div.grid.catalogue",
      h("nav.dimensions", { "aria-label": "Dimensions" }, filter, list.node),
      h("div.stack", detail.node, people)),
  );

  function drawList(all, selected) {
    const wanted = (params.q ?? "").toLowerCase();
    const found = all.dimensions.filter((one) => [one.dimension, human(one.dimension), one.description].some((text) => text?.toLowerCase().includes(wanted)));
    if (!found.length) return empty("No dimension like that.", "Empty the filter to see all.");
    return h("ul", found.map((one) => h("li", h("a", {
      href: to("segments", { q: params.q, dimension: one.dimension }), "aria-current": one === selected ? "true" : null,
    }, h("span", human(one.dimension)), warnings(one) ? h("span.badge", { title: "segments with a warning" }, warnings(one)) : null,
    h("span.count", one.segments.length)))));
  }

  const warnings = (dimension) => dimension.segments.filter((one) => one.warning).length;

  function drawDetail(dimension, missed) {
    const total = dimension.segments.reduce((sum, one) => sum + (one.size ?? 0), 0);
    const warned = dimension.segments.filter((one) => one.warning);
    return h("div.stack",
      missing(missed),
      h("section.card", { "aria-labelledby": "the-dimension" },
        h("header", h("div", h("h2.big", { id: "the-dimension" }, human(dimension.dimension)), h("p", dimension.description)),
          h("div.tools", h("a.button", { href: to("overview", { dimension: dimension.dimension }) }, "Sizes and moves"))),
        dimension.owner ? h("p.owner", h("b", "What to do "), dimension.owner) : null,
        wide(`Segments of ${human(dimension.dimension)}`, segmentTable(dimension, total)),
        warned.length ? h("ul.warnings", grouped(warned).map(([warning, names]) => h("li.warning", h("b", names.join(", ")), " ", warning))) : null,
        h("p.muted.small.foot", [`Definition ${dimension.definition}`, dimension.learned ? "learned from what customers do" : null,
          dimension.minimum_size ? `of use from ${number(dimension.minimum_size)} customers a segment on` : null].filter(Boolean).join(" · "))));
  }

  /** Each warning once, with the segments that it is about. */
  function grouped(warned) {
    const found = new Map();
    for (const one of warned) found.set(one.warning, [...(found.get(one.warning) ?? []), name(one)]);
    return [...found];
  }

  const name = (one) => (one.name && one.name !== one.segment ? capital(one.name) : human(one.segment));

  function segmentTable(dimension, total) {
    const heads = ["Segment", dimension.learned ? "What sets it apart" : "Who is in it", { name: "Size", number: true }, { name: "Share", number: true },
      { name: "Last hour", number: true }, { name: "Last day", number: true }, "Topic"];
    const colour = (one) => colours(dimension.dimension).get(one.segment);
    return table(`Segments of ${human(dimension.dimension)}, the first that holds is theirs`, heads, dimension.segments.map((one) => [
      h("a.segment", { href: to("segments", { ...params, dimension: dimension.dimension, segment: one.segment }), "aria-current": one.segment === params.segment ? "true" : null },
        dot(colour(one)), h("span", name(one), one.name && one.name !== one.segment ? h("span.muted.small", ` ${one.segment}`) : null)),
      dimension.learned ? h("span.words", one.words) : h("code.words", one.words),
      number(one.size),
      h("span.shared", percent(one.size, total), h("span.cellbar", { "aria-hidden": "true" }, h("i", { style: { width: `${total ? (100 * one.size) / total : 0}%`, background: `var(--${colour(one)})` } }))),
      moves(one.entered_hour, one.left_hour), moves(one.entered_day, one.left_day),
      one.topic ? h("code", one.topic) : h("span.muted", "–"),
    ]), { cls: "segment-table" });
  }

  const moves = (entered, left) => h("span.inout", h("span", { title: "entered" }, `+${compact(entered)}`), h("span.muted", { title: "left" }, `−${compact(left)}`));

  function drawPeople(dimension) {
    const one = dimension.segments.find(({ segment }) => segment === params.segment);
    const next = one ? `${dimension.dimension}/${one.segment}` : "";
    if (next === key) return;
    key = next;
    members?.abort();
    if (!one) { put(people); return; }
    members = new AbortController();
    signal.addEventListener("abort", () => members.abort());
    put(people, roster(dimension, one, members.signal));
  }

  function roster(dimension, one, stop) {
    const rows = region(stop), more = h("div.more"), body = h("ul.people");
    const command = `segstream members ${dimension.dimension} ${one.segment} --out ${one.segment}.csv`;
    const copy = h("button", { type: "button", onclick: async () => { await navigator.clipboard?.writeText(command); copy.textContent = "Copied"; } }, "Copy");
    const path = `segments/${encodeURIComponent(dimension.dimension)}/${encodeURIComponent(one.segment)}/customers`;
    const ask = (after, quietly) => {
      const draw = (answer) => {
        const lines = answer.customers.map(({ customer, since }) => h("li", h("a", { href: to("customer", { id: customer, dimension: dimension.dimension }) }, customer),
          h("span.muted.small", since ? instant(since) : "")));
        body.append(...lines);
        put(more, answer.next ? h("button", { type: "button", onclick: () => ask(answer.next, true) }, "Show more") : null);
        return body.hasChildNodes() ? h("div", missing(answer.missing), body) : empty("Nobody is in it now.", "Look at its condition above, or at the overview to see who left.");
      };
      rows.ask((end) => page(path, after, end), draw, { fresh: !quietly });
    };
    ask(null, false);
    return card(`Who is in “${name(one)}”`, { note: "With the time since which they have been there." }, rows.node, more,
      h("p.command", h("span.muted.small", "All of them, as a file"), h("code", command), copy));
  }

  return (given) => {
    params = given;
    if (document.activeElement !== filter) filter.value = params.q ?? "";
    list.ask((stop) => catalogue(stop), (all) => {
      if (!all.dimensions.length) return empty("There are no dimensions.", "Put definitions into config/segments, and see `segstream check`.");
      const dimension = chosen(all, params.dimension);
      picker.set(all.dimensions.map((one) => [one.dimension, human(one.dimension)]), dimension.dimension);
      detail.ask(async () => all, () => drawDetail(dimension, all.missing));
      drawPeople(dimension);
      return drawList(all, dimension);
    }, { every: REFRESH_MS, lines: 10 });
  };
}
