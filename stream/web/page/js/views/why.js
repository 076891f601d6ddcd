// Why a customer is in a segment of a dimension: each condition, part by part, with the values put in.

import { called, colours } from "../catalogue.js";
import { dot } from "../charts.js";
import { h } from "../dom.js";
import { from, human, instant, rounded, shorter, value } from "../format.js";
import { empty, segment } from "../ui.js";

const mark = (holds) => h("span", { class: `mark ${holds ? "yes" : "no"}`, role: "img", "aria-label": holds ? "holds" : "does not hold" }, holds ? "✓" : "✗");

/** One dimension of an explanation, told at the instant `at`. */
export function reading(told, at, all) {
  if (!told) return empty("This dimension is not explained.", "It may have been defined a moment ago: look again.");
  const of = all.dimensions.find((one) => one.dimension === told.dimension);
  const name = told.segment && (called(of, told.segment) ?? null);
  const since = told.since ? `since ${instant(told.since)}, ${from(told.since, at)}` : "";
  const parts = [
    h("p.answer", told.segment === null ? "In no segment" : segment(told.segment, colours(told.dimension)?.get(told.segment), name), h("span.muted.small", since)),
    h("p.muted.small", told.description),
  ];
  if (told.segments.length) parts.push(h("ol.rules", told.segments.map((one) => rule(one, told)), otherwise(told)));
  if (told.clusters.length) parts.push(distances(told, of));
  const used = Object.entries(told.features);
  if (used.length) parts.push(h("div.evidence", used.map(([key, given]) => h("span.pair", h("span", key), h("b", value(given))))));
  for (const cut of told.cuts ?? []) {
    parts.push(h("p.muted.small", `Cut: ${Math.round(cut.share * 100)}% of the customers have ${cut.of} up to ${value(cut.value)}.`));
  }
  return h("div.why", parts);
}

function rule(one, told) {
  const here = one.segment === told.segment;
  return h("li", { class: here ? "here" : "", "aria-current": here ? "true" : null },
    h("div.rule", mark(one.holds), h("span.name", human(one.segment)), here ? h("span.pill.good", "here") : null),
    condition(one.when),
    one.leave ? [h("p.muted.small", "leaves when"), condition(one.leave)] : null,
    one.hindrances.map((hindrance) => h("p.hindrance", hindrance.text, hindrance.until ? ` (until ${instant(hindrance.until)})` : "")),
    one.here && !here ? h("p.hindrance", "holds, and comes next") : null);
}

function otherwise(told) {
  if (!told.otherwise) return null;
  const here = told.segment === told.otherwise;
  return h("li", { class: here ? "here" : "", "aria-current": here ? "true" : null },
    h("div.rule", mark(here), h("span.name", human(told.otherwise)), here ? h("span.pill.good", "here") : null),
    h("p.muted.small", "whoever is in none of the above"));
}

function condition(part) {
  if (part.parts?.length) {
    return h("div.part", h("p.muted.small", part.all_of ? "all of these" : part.parts.length === 1 ? "not" : "any of these"),
      h("ul", part.parts.map((inner) => h("li", condition(inner)))));
  }
  const values = part.missing?.length ? `${part.missing.join(", ")} ${part.missing.length > 1 ? "have" : "has"} no value yet` : shorter(part.values ?? "");
  return h("p.part", mark(part.holds), h("code", part.text), values && values !== part.text ? h("span.values", values) : null,
    part.note ? h("span.muted.small", part.note) : null);
}

function distances(told, of) {
  const most = Math.max(...told.clusters.map((one) => one.distance));
  const sorted = [...told.clusters].sort((a, b) => a.distance - b.distance);
  return h("div", h("h3", "Distance to the middle of each cluster"), h("ul.distances", sorted.map((one) => h("li", { class: one.segment === told.segment ? "here" : "" },
    h("span", dot(colours(told.dimension)?.get(one.segment)), called(of, one.segment) ?? human(one.segment)),
    h("span.bar", { "aria-hidden": "true" }, h("i", { style: { width: `${(100 * one.distance) / most}%`, background: `var(--${colours(told.dimension)?.get(one.segment) ?? "rest"})` } })),
    h("span.number", rounded(one.distance))))));
}
