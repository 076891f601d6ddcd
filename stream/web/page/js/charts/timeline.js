// A customer's segments over time: one line for each dimension, one bar for each stay.

import { calledNow } from "../catalogue.js";
import { text, tip, tooltip } from "../charts.js";
import { human, instant, span } from "../format.js";

const ROW = 26;
const MOST = 20;
const DAY_MS = 86_400_000;

/**
 * Stays by dimension from changes, newest first: [{dimension, stays: [{dimension, segment, from, until, open, cause, then}]}].
 * Where the changes do not reach back to the present stay of a dimension, `segments` and `since` tell of it.
 */
export function stays(changes, { segments, since = {} }, until) {
  const ends = new Map(), rows = new Map();
  for (const change of changes) {
    const from = new Date(change.time).getTime();
    const row = rows.get(change.dimension) ?? [];
    rows.set(change.dimension, row);
    const end = ends.get(change.dimension);
    if (change.to !== null) {
      row.push({ dimension: change.dimension, segment: change.to, from, until: end ?? Math.max(from, new Date(until).getTime()), open: end === undefined, cause: change.cause, then: change.evidence?.clusters?.to });
    }
    ends.set(change.dimension, from);
  }
  for (const [dimension, segment] of Object.entries(segments)) {
    if (rows.has(dimension) || segment === null || !since[dimension]) continue;
    rows.set(dimension, [{ dimension, segment, from: new Date(since[dimension]).getTime(), until: new Date(until).getTime(), open: true, cause: "–" }]);
  }
  return [...rows].map(([dimension, list]) => ({ dimension, stays: list })).sort((a, b) => (b.stays[0]?.from ?? 0) - (a.stays[0]?.from ?? 0));
}

/** What draws it, how tall it wants to be, and how many dimensions are left out: those that did not change. */
export function timelineOptions(rows, until, days, colours) {
  const end = new Date(until).getTime();
  const first = Math.min(end - 1, ...rows.flatMap((row) => row.stays.map((stay) => stay.from)));
  const begin = days === null ? first : Math.max(first, end - days * DAY_MS);
  const within = rows.filter((row) => row.stays.some((stay) => stay.until > begin));
  const moving = within.filter((row) => row.stays.some((stay) => stay.from > begin));
  const shown = (moving.length ? moving : within).slice(0, MOST);
  const data = shown.flatMap((row, k) => row.stays.filter((stay) => stay.until > begin).map((stay) => ({ value: [k, Math.max(begin, stay.from), stay.until], stay })));
  const options = (t, width) => {
    const room = width < 520 ? 96 : 150;
    return {
      grid: { left: room, right: 10, top: 4, bottom: 26 },
      xAxis: { type: "time", min: begin, max: end, splitNumber: width < 520 ? 3 : 6, axisLine: { show: false }, axisTick: { show: false },
        splitLine: { show: true, lineStyle: { color: t.line } },
        axisLabel: { ...text(t), hideOverlap: true, formatter: { year: "{yyyy}", month: "{d} {MMM}", day: "{d} {MMM}", hour: "{HH}:{mm}", minute: "{HH}:{mm}" } } },
      yAxis: { type: "category", inverse: true, data: shown.map((row) => human(row.dimension)), axisLine: { show: false }, axisTick: { show: false },
        axisLabel: { ...text(t, 12.5), color: t.soft, width: room - 14, overflow: "truncate", interval: 0, align: "left", margin: room - 4 } },
      tooltip: tooltip(t, "item", ({ data: { stay } }) => tip(calledNow(stay.dimension, stay.segment, stay.then) ?? human(stay.segment), [
        [null, human(stay.dimension), ""], [null, "from", instant(new Date(stay.from).toISOString())],
        [null, stay.open ? "still there" : "until", stay.open ? "" : instant(new Date(stay.until).toISOString())],
        [null, "for", span((stay.until - stay.from) / 1000)], [null, "cause", stay.cause]])),
      series: [{
        type: "custom", data, encode: { x: [1, 2], y: 0 }, clip: true,
        renderItem: ({ dataIndex }, api) => bar(api, t, data[dataIndex].stay, colours),
      }],
    };
  };
  return [options, Math.max(120, shown.length * ROW + 34), within.length - shown.length];
}

function bar(api, t, stay, colours) {
  const [x, y] = api.coord([api.value(1), api.value(0)]);
  const [right] = api.coord([api.value(2), api.value(0)]);
  const wide = Math.max(2, right - x - 1);
  return {
    type: "rect", shape: { x, y: y - 8, width: wide, height: 16, r: Math.min(3, wide / 2) },
    style: { fill: t.colour(colours(stay.dimension)?.get(stay.segment) ?? "rest") },
  };
}
