// The learned segments: what sets each apart, how large it is, and how all that moved from version to version.

import { change, to } from "../address.js";
import { get } from "../api.js";
import { catalogue } from "../catalogue.js";
import { clusterColour, dot, figure } from "../charts.js";
import { drift, mapOptions, sharesOptions } from "../charts/clusters.js";
import { h, put } from "../dom.js";
import { capital, human, instant, number, percent, rounded } from "../format.js";
import { card, empty, missing, pick, region, table, wide } from "../ui.js";

const REFRESH_MS = 20_000;
const KINDS = { born: "was born", died: "died", split: "split off from", merged: "merged into" };

/** Standard deviations with their sign: +1.2, −0.4, 0.0. */
function deviation(value) {
  const size = Math.abs(value).toFixed(1);
  return size === "0.0" ? size : `${value < 0 ? "−" : "+"}${size}`;
}

/** The versions of each dimension, oldest first. */
function byDimension(versions) {
  const found = new Map();
  for (const one of versions.toReversed()) found.set(one.dimension, [...(found.get(one.dimension) ?? []), one]);
  return [...found].map(([dimension, list]) => ({ dimension, versions: list }));
}

export function clusters(root, signal) {
  const dimensions = pick("Dimension", (dimension) => change({ dimension, version: null }));
  const versions = pick("Version", (version) => change({ version }), { shown: true });
  const lead = h("p.lead", "Segments that nobody defined: found in what customers do, and followed as it changes.");
  const body = region(signal);
  const map = figure(signal, { height: 380 }), shares = figure(signal, { height: 300 });
  put(root, h("div.head", h("div", h("h1", "Clusters"), lead), h("div.tools", dimensions.node, versions.node)), body.node);

  function draw(answer, params) {
    const all = byDimension(answer.versions);
    dimensions.node.hidden = all.length < 2;
    versions.node.hidden = all.length === 0;
    if (!all.length) {
      return empty("There are no clusters yet.", "The first version comes when enough vectors were learned (clusters.warm_up in config/stream.yaml). A dimension with `learn` asks for them.");
    }
    const found = all.find((one) => one.dimension === params.dimension) ?? all[0];
    const latest = found.versions.at(-1);
    const version = found.versions.find((one) => String(one.version) === params.version) ?? latest;
    dimensions.set(all.map((one) => [one.dimension, human(one.dimension)]), found.dimension);
    versions.set(found.versions.toReversed().map((one) => [String(one.version), one === latest ? `${one.version}, the latest` : String(one.version)]), String(version.version));
    const upto = found.versions.filter((one) => one.version <= version.version);
        const rows = version.clusters.toSorted((a, b) => (b.profile?.share ?? 0) - (a.profile?.share ?? 0));
    map.show(`Where the clusters lie, and how they moved up to version ${version.version}. The table has the distances between versions.`,
      driftTable(upto), mapOptions(version.features, upto));
    shares.show(`Share of the customers in each cluster, version by version.`, sharesTable(upto), sharesOptions(upto));
    const measured = upto.filter((one) => one.clusters.some(({ profile }) => profile)).length;
    return h("div.stack",
      missing(answer.missing),
      card("What sets them apart", { note: `Version ${version.version}, in force since ${instant(version.effective)}, learned from ${number(version.learned)} vectors. Each figure: how many standard deviations the middle of the cluster is from that of all customers.` },
        wide("Clusters and the parts of their vectors", heat(found, version, rows))),
      h("div.grid.two.even", card("Where they lie", { note: "Near one another: alike. The tails show where they came from.", cls: "flexed" }, map.node), card("How large they were", { note: "Version by version.", cls: "flexed" }, measured > 1 ? shares.node : empty("One version has figures so far.", "The line begins with the next version."))),
      card("What happened", {}, story(upto)));
  }

  function heat(found, version, rows) {
    const heads = ["Cluster", { name: "Share", number: true }, { name: "Alike", number: true }, ...version.features.map((name) => ({ name: human(name), number: true }))];
    return table("Clusters and the parts of their vectors", heads, rows.map((one) => [
      h("div.cluster", h("a.segment", { href: to("segments", { dimension: found.dimension, segment: one.segment }) }, dot(clusterColour(one.id)), h("span", label(one))),
        named(one) ? h("span.muted.small", one.segment) : null, one.profile?.warning ? h("p.warning", capital(one.profile.warning)) : null),
      percent(one.profile?.share), Number.isFinite(one.profile?.homogeneity) ? percent(Math.max(0, one.profile.homogeneity)) : "–",
      ...one.deviations.map((value) => h("span.cell", { style: { "--heat": `${Math.min(100, (Math.abs(value) / 2) * 100)}%`, "--to": value < 0 ? "var(--cold)" : "var(--hot)" } }, deviation(value))),
    ]), { cls: "heat" });
  }

  const named = (one) => one.name && one.name !== one.segment;
  const label = (one) => (named(one) ? capital(one.name) : human(one.segment));

  function sharesTable(list) {
    const ids = [...new Set(list.flatMap((one) => one.clusters.map(({ id }) => id)))].sort((a, b) => a - b);
    return table("Share of customers by version, newest first", ["Version", ...ids.map((id) => ({ name: `cluster-${id}`, number: true }))],
      list.toReversed().map((one) => [String(one.version), ...ids.map((id) => percent(one.clusters.find((row) => row.id === id)?.profile?.share ?? NaN))]));
  }

  function driftTable(list) {
    const ids = list.at(-1).clusters.map(({ id }) => id);
    const moved = drift(list);
    return table("How far each cluster moved since the version before, in standard deviations", ["Version", ...ids.map((id) => ({ name: `cluster-${id}`, number: true }))],
      list.toReversed().map((one) => [String(one.version), ...ids.map((id) => rounded(moved(one.version, id)))]));
  }

  function story(list) {
    const told = list.filter((one) => one.version > 1).toReversed().flatMap((one) => (one.story ?? []).map((event) => ({ ...event, version: one })));
    if (!told.length) return empty("Nothing yet.", "No cluster was born, died, split or merged in these versions.");
    const names = new Map(list.flatMap((one) => one.clusters.map((of) => [of.id, label(of)])));
    const name = (id) => h("span.segment", dot(clusterColour(id)), h("span", { title: `cluster-${id}` }, names.get(id) ?? `cluster-${id}`));
    return h("ol.story", told.map((event) => h("li",
      h("time", { datetime: event.version.effective }, instant(event.version.effective), h("span.muted", ` version ${event.version.version}`)),
      h("p", h("b", name(event.id)), ` ${KINDS[event.kind] ?? event.kind}`,
        event.others?.length ? [["born", "died"].includes(event.kind) ? h("span.muted", "beside") : null, event.others.map(name)] : null))));
  }

  /** The versions; where nothing was measured of the clusters, the latest has the shares that there are now. */
  async function ask(stop) {
    const [answer, now] = await Promise.all([get("clusters", { signal: stop }), catalogue(stop).catch(() => null)]);
    for (const { dimension, versions: list } of byDimension(answer.versions)) {
      const known = now?.dimensions.find((one) => one.dimension === dimension);
      const total = known?.segments.reduce((sum, one) => sum + one.size, 0);
      for (const one of total ? list.at(-1).clusters : []) {
        one.profile ??= { share: (known.segments.find(({ segment }) => segment === one.segment)?.size ?? 0) / total };
      }
    }
    return answer;
  }

  return (params) => {
    body.ask(ask, (answer) => draw(answer, params), { every: REFRESH_MS, lines: 8 });
  };
}
