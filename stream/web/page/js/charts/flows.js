// Who moved where: segments left at the left, segments entered at the right.

import { called, everySegment } from "../catalogue.js";
import { colourOf, text, tip, tooltip } from "../charts.js";
import { cut, human, number, percent } from "../format.js";
import { table } from "../ui.js";

const MOST = 24;
const ROW = 42;
/** How wide a letter and a figure of a label are, and what stands between name and number. */
const LETTER = 0.49, GAP = 26;

/** What draws it, and how tall it wants to be. */
export function flowsOptions(dimension, flows, colours) {
  const shown = [...flows].sort((a, b) => b.changes - a.changes).slice(0, MOST);
  const order = [...everySegment(dimension, shown.flatMap((flow) => [flow.from, flow.to])), null];
  const side = (key) => order.filter((segment) => shown.some((flow) => flow[key] === segment));
  const [left, right] = [side("from"), side("to")];
  const name = (segment, from) => (segment === null ? (from ? "New here" : "None") : called(dimension, segment) ?? human(segment));
  const total = (key, segment) => shown.reduce((sum, flow) => sum + (flow[key] === segment ? flow.changes : 0), 0);
  const options = (t, width) => {
    const narrow = width < 520, size = narrow ? 11.5 : 13, room = narrow ? Math.max(106, width * 0.34) : Math.max(150, width * 0.3);
    const label = (segment, from) => {
      const count = number(total(from ? "from" : "to", segment));
      return `${cut(name(segment, from), Math.floor((room - GAP) / (LETTER * size)) - count.length)}  {n|${count}}`;
    };
    const node = (segment, from) => ({
      name: `${from ? "<" : ">"}${segment}`, depth: from ? 0 : 1, itemStyle: { color: t.colour(colourOf(colours, segment) ?? "rest"), borderWidth: 0 },
      label: { position: from ? "left" : "right", formatter: label(segment, from) },
    });
    return {
      tooltip: tooltip(t, "item", ({ dataType, data, value }) => dataType === "edge"
        ? tip(`${name(data.from, true)} → ${name(data.to, false)}`, [[null, "changes", number(value)], [null, "of all", percent(value, sum(shown))]])
        : null),
      series: [{
        type: "sankey", left: room, right: room, top: 6, bottom: 6, nodeWidth: 9, nodeGap: 12, layoutIterations: 0, draggable: false,
        emphasis: { focus: "adjacency" }, data: [...left.map((s) => node(s, true)), ...right.map((s) => node(s, false))],
        links: shown.map((flow) => ({ source: `<${flow.from}`, target: `>${flow.to}`, value: flow.changes, from: flow.from, to: flow.to })),
        lineStyle: { color: "gradient", opacity: 0.32, curveness: 0.5 },
        label: { ...text(t, size), color: t.ink, rich: { n: { color: t.muted, fontFamily: t.font, fontSize: 12 } } },
      }],
    };
  };
  return [options, Math.min(620, Math.max(240, ROW * Math.max(left.length, right.length) + 40))];
}

const sum = (flows) => flows.reduce((all, flow) => all + flow.changes, 0);

/** The same as a table, the most frequent first. */
export function flowsTable(dimension, flows) {
  const name = (segment, none) => (segment === null ? none : called(dimension, segment) ?? human(segment));
  return table("Moves between segments", ["From", "To", { name: "Changes", number: true }],
    [...flows].sort((a, b) => b.changes - a.changes).map((flow) => [name(flow.from, "New here"), name(flow.to, "None"), number(flow.changes)]));
}
