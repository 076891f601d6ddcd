// Sizes of the segments of a dimension over time, stacked.

import { called, everySegment } from "../catalogue.js";
import { colourOf, text, tip, tooltip } from "../charts.js";
import { compact, dateMinute, human, instant, number } from "../format.js";
import { table } from "../ui.js";

const LINES = 24;

/** What draws it. */
export function sizesOptions(dimension, { times, sizes }, colours) {
  const instants = times.map((time) => new Date(time).getTime());
  const named = everySegment(dimension, Object.keys(sizes)).filter((segment) => sizes[segment]?.some(Number.isFinite));
  return (t) => ({
    grid: { left: 4, right: 14, top: 14, bottom: 4, containLabel: true },
    xAxis: {
      type: "time", axisLine: { lineStyle: { color: t.line } }, axisTick: { show: false }, splitNumber: 5,
      axisLabel: { ...text(t), hideOverlap: true, formatter: { day: "{d} {MMM}", hour: "{HH}:{mm}", minute: "{HH}:{mm}", month: "{d} {MMM}", year: "{yyyy}" } },
      min: instants[0], max: instants.at(-1),
    },
    yAxis: {
      type: "value", splitNumber: 4, axisLabel: { ...text(t), formatter: compact }, splitLine: { lineStyle: { color: t.line } },
    },
    tooltip: {
      ...tooltip(t, "axis", (points) => tip(instant(new Date(points[0].axisValue).toISOString()),
        points.filter((one) => one.value[1] !== null).reverse().map((one) => [colourOf(colours, one.seriesId), one.seriesName, number(one.value[1])]))),
      axisPointer: { type: "line", lineStyle: { color: t.muted, type: "solid", width: 1 } },
    },
    series: named.toReversed().map((segment) => ({
      id: segment, name: called(dimension, segment) ?? human(segment), type: "line", stack: "all", symbol: "none", connectNulls: false,
      emphasis: { disabled: true },
      lineStyle: { width: 1, color: t.surface }, itemStyle: { color: t.colour(colourOf(colours, segment) ?? "rest") }, areaStyle: { opacity: 0.88 },
      data: instants.map((time, k) => [time, sizes[segment][k]]),
    })),
  });
}

/** The same as a table: at most a score of instants. */
export function sizesTable(dimension, { times, sizes }) {
  const step = Math.max(1, Math.ceil(times.length / LINES));
  const rows = times.map((time, k) => [time, k]).filter(([, k]) => (times.length - 1 - k) % step === 0).reverse();
  const named = everySegment(dimension, Object.keys(sizes));
  const heads = ["Time", ...named.map((segment) => ({ name: called(dimension, segment) ?? human(segment), number: true }))];
  return table("Sizes over time, newest first", heads,
    rows.map(([time, k]) => [dateMinute(time), ...named.map((segment) => number(sizes[segment]?.[k] ?? NaN))]));
}
