// Clusters as pictures: where they lie beside one another, and how large they were.

import { clusterColour, text, tip, tooltip } from "../charts.js";
import { capital, cut, human, percent } from "../format.js";

const ROUNDS = 60;

/**
 * Centres of a version as deviations in the terms of another, so that two versions can be compared: the mean and the
 * scale of the other follow from any two of its own clusters that differ.
 */
function rescaled(version, into) {
  const terms = into.features.map((_, k) => {
    const sorted = into.clusters.toSorted((a, b) => a.deviations[k] - b.deviations[k]);
    const [low, high] = [sorted[0], sorted.at(-1)];
    const apart = high.deviations[k] - low.deviations[k];
    const scale = apart > 1e-9 ? (high.centre[k] - low.centre[k]) / apart : 1;
    return { scale: scale || 1, mean: low.centre[k] - scale * low.deviations[k] };
  });
  return new Map(version.clusters.map((one) => [one.id, one.centre.map((value, k) => (value - terms[k].mean) / terms[k].scale)]));
}

/** The distance of a cluster from where it was in the version before: (version, id) -> standard deviations. */
export function drift(versions) {
  const latest = versions.at(-1), found = new Map();
  versions.forEach((one, k) => {
    const before = versions[k - 1];
    if (!before || one.features.join() !== latest.features.join() || before.features.join() !== latest.features.join()) return;
    const [now, then] = [rescaled(one, latest), rescaled(before, latest)];
    for (const [id, row] of now) {
      if (then.has(id)) found.set(`${one.version}/${id}`, Math.hypot(...row.map((value, at) => value - then.get(id)[at])));
    }
  });
  return (version, id) => found.get(`${version}/${id}`) ?? NaN;
}

/** The two directions in which the clusters of the latest version differ most (principal components, by power iteration). */
function plane(rows) {
  const width = rows[0].length;
  const middle = Array.from({ length: width }, (_, k) => rows.reduce((sum, row) => sum + row[k], 0) / rows.length);
  let rest = rows.map((row) => row.map((value, k) => value - middle[k]));
  const axes = [0, 1].map((turn) => {
    let axis = Array.from({ length: width }, (_, k) => 1 / (1 + k + turn));
    for (let round = 0; round < ROUNDS; round += 1) {
      const next = Array(width).fill(0);
      for (const row of rest) {
        const along = dotted(row, axis);
        row.forEach((value, k) => { next[k] += along * value; });
      }
      const length = Math.hypot(...next);
      if (length < 1e-12) break;
      axis = next.map((value) => value / length);
    }
    const strongest = axis.reduce((best, value, k) => (Math.abs(value) > Math.abs(axis[best]) ? k : best), 0);
    if (axis[strongest] < 0) axis = axis.map((value) => -value);
    rest = rest.map((row) => { const along = dotted(row, axis); return row.map((value, k) => value - along * axis[k]); });
    return axis;
  });
  return { axes, middle };
}

const dotted = (a, b) => a.reduce((sum, value, k) => sum + value * b[k], 0);

/** What an axis means: the parts of the vector that weigh most in it. */
function meaning(axis, features) {
  const heavy = axis.map((value, k) => [Math.abs(value), value, features[k]]).sort((a, b) => b[0] - a[0]).slice(0, 2).filter(([weight]) => weight > 0.3);
  return heavy.map(([, value, name]) => `${value > 0 ? "more" : "less"} ${name}`).join(", ");
}

/** Each cluster where it lies now, with a tail of where it was. */
export function mapOptions(features, versions) {
  const latest = versions.at(-1);
  const { axes, middle } = plane(latest.clusters.map((one) => one.deviations));
  const place = (row) => axes.map((axis) => dotted(row.map((value, k) => value - middle[k]), axis));
  const tails = new Map(latest.clusters.map(({ id }) => [id, []]));
  for (const one of versions) {
    if (one.features.join() !== latest.features.join()) continue;
    for (const [id, row] of rescaled(one, latest)) tails.get(id)?.push(place(row));
  }
  const heads = latest.clusters.map((one) => ({ id: one.id, name: one.name === one.segment ? human(one.name) : capital(one.name), share: one.profile?.share ?? 1 / latest.clusters.length, at: place(one.deviations) }));
  const edges = [0, 1].map((k) => {
    const all = [...tails.values()].flat().map((at) => at[k]);
    const [low, high] = [Math.min(...all), Math.max(...all)], room = 0.14 * (high - low || 1);
    return [low - room, high + room];
  });
  /** Names at the rim stand beside their clusters, towards the middle: below them they would be cut off. */
  const beside = ([x]) => {
    const along = (x - edges[0][0]) / (edges[0][1] - edges[0][0]);
    return along > 0.75 ? { position: "left" } : along < 0.2 ? { position: "right" } : {};
  };
  return (t, width) => {
    const axis = (k) => ({
      type: "value", name: meaning(axes[k], features) + (k ? " ↑" : " →"), nameLocation: "middle", nameGap: k ? 14 : 12,
      nameTextStyle: text(t), axisLabel: { show: false }, axisTick: { show: false }, axisLine: { show: false }, splitLine: { lineStyle: { color: t.line } },
      min: edges[k][0], max: edges[k][1], splitNumber: 4,
    });
    return {
      grid: { left: 28, right: 12, top: 12, bottom: 30 }, xAxis: axis(0), yAxis: axis(1),
      tooltip: tooltip(t, "item", ({ seriesType, data }) => seriesType === "scatter" ? tip(data.one.name, [[clusterColour(data.one.id), `cluster-${data.one.id}`, percent(data.one.share)]]) : null),
      series: [
        ...[...tails].map(([id, data]) => ({ type: "line", data, symbol: "none", silent: true, smooth: 0.3, lineStyle: { color: t.colour(clusterColour(id)), width: 2, opacity: 0.5 } })),
        {
          type: "scatter", data: heads.map((one) => ({ value: one.at, one, label: beside(one.at), itemStyle: { color: t.colour(clusterColour(one.id)), opacity: 0.92, borderColor: t.surface, borderWidth: 2 } })),
          symbolSize: (_, { data }) => 14 + 62 * Math.sqrt(data.one.share),
          label: { show: true, position: "bottom", distance: 5, formatter: ({ data }) => cut(data.one.name, width < 480 ? 16 : 26), color: t.ink, fontFamily: t.font, fontSize: 12, textBorderColor: t.surface, textBorderWidth: 3 },
          labelLayout: { hideOverlap: true, moveOverlap: "shiftY" },
        },
      ],
    };
  };
}

/** The share of each cluster in each version, as lines. */
export function sharesOptions(versions) {
  const ids = [...new Set(versions.flatMap((one) => one.clusters.map(({ id }) => id)))];
  const names = new Map(versions.flatMap((one) => one.clusters.map(({ id, name }) => [id, capital(name)])));
  return (t) => ({
    grid: { left: 4, right: 12, top: 14, bottom: 22, containLabel: true },
    xAxis: { type: "category", data: versions.map((one) => String(one.version)), boundaryGap: versions.length === 1, name: "version", nameLocation: "middle", nameGap: 24, nameTextStyle: text(t), axisTick: { show: false }, axisLine: { lineStyle: { color: t.line } }, axisLabel: text(t) },
    yAxis: { type: "value", min: 0, axisLabel: { ...text(t), formatter: (value) => percent(value) }, splitLine: { lineStyle: { color: t.line } }, splitNumber: 4 },
    tooltip: { ...tooltip(t, "axis", (points) => tip(`Version ${points[0].axisValue}`, points.filter((one) => one.value !== null).sort((a, b) => b.value - a.value).map((one) => [clusterColour(Number(one.seriesId)), names.get(Number(one.seriesId)), percent(one.value)]))), axisPointer: { lineStyle: { color: t.muted, type: "solid" } } },
    series: ids.map((id) => ({
      id: String(id), type: "line", symbol: "circle", symbolSize: 5, connectNulls: false, emphasis: { disabled: true },
      lineStyle: { color: t.colour(clusterColour(id)), width: 2.2 }, itemStyle: { color: t.colour(clusterColour(id)) },
      data: versions.map((one) => one.clusters.find((cluster) => cluster.id === id)?.profile?.share ?? null),
    })),
  });
}
