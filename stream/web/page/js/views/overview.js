// How many are where, how that went, who moved where, and every change as it comes.

import { change, to } from "../address.js";
import { get } from "../api.js";
import { called, catalogue, chosen, colours, learnNames } from "../catalogue.js";
import { dot, figure } from "../charts.js";
import { flowsOptions, flowsTable } from "../charts/flows.js";
import { sizesOptions, sizesTable } from "../charts/sizes.js";
import { h, put } from "../dom.js";
import { feed } from "../feed.js";
import { compact, human, instant, number, percent, signed } from "../format.js";
import { card, choice, empty, missing, pick, region } from "../ui.js";

const REFRESH_MS = 15_000;
const PERIODS = [["1h", "1 hour"], ["24h", "24 hours"], ["7d", "7 days"], ["30d", "30 days"]];
const SAID = { "1h": "in the last hour", "24h": "in 24 hours", "7d": "in 7 days", "30d": "in 30 days" };
const LENGTH_S = { "1h": 3600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000 };

/** How many entered and left a segment, and in all. */
function moving(flows) {
  const found = new Map();
  const count = (segment, key, changes) => {
    const one = found.get(segment) ?? { entered: 0, left: 0 };
    one[key] += changes;
    found.set(segment, one);
  };
  for (const flow of flows) {
    count(flow.to, "entered", flow.changes);
    count(flow.from, "left", flow.changes);
  }
  return Object.assign((segment) => found.get(segment) ?? { entered: 0, left: 0 }, { all: flows.reduce((sum, flow) => sum + flow.changes, 0) });
}

export function overview(root, signal) {
  const title = h("h1", "Overview"), lead = h("p.lead");
  const dimensions = pick("Dimension", (dimension) => change({ dimension, segment: null }));
  const within = choice("Period", PERIODS, (period) => change({ within: period }));
  const notice = h("div"), now = region(signal), figures = h("div.figures");
  const sizes = figure(signal, { height: 300 }), flows = figure(signal, { height: 320 });
  const over = region(signal, "fill"), moved = region(signal, "fill");
  const live = feed(signal);
  put(
    root,
    h("div.head", h("div", title, lead), h("div.tools", dimensions.node, within.node)),
    notice, figures,
    h("div.grid.two",
      card("Where customers are now", { cls: "now" }, now.node),
      card("Over time", {}, over.node)),
    h("div.grid.two.wide",
      card("Who moved where", {}, moved.node),
      live.node),
  );

  function drawNow(dimension, period, missed, moves) {
    const total = dimension.segments.reduce((sum, one) => sum + (one.size ?? 0), 0);
    title.textContent = human(dimension.dimension);
    lead.textContent = dimension.description;
    put(notice, missing(missed));
    drawFigures(dimension, period, total, moves);
    if (!total) return empty("Nobody is here yet.", "Customers appear with their first event. `segstream simulate` sends some.");
    const most = Math.max(...dimension.segments.map((one) => one.size ?? 0));
    return h("ul.bars", dimension.segments.map((one) => bar(dimension, one, period, total, most, moves)));
  }

  function bar(dimension, one, period, total, most, moves) {
    const { entered, left } = moves(one.segment);
    const colour = colours(dimension.dimension).get(one.segment);
    const href = to("segments", { dimension: dimension.dimension, segment: one.segment });
    return h("li", h("a", { href, title: one.warning || one.words || one.segment },
      h("span.name", dot(colour), called(dimension, one.segment) ?? human(one.segment)),
      h("span.size", number(one.size)),
      h("span.share", percent(one.size, total)),
      h("span.bar", { "aria-hidden": "true" }, h("i", { style: { width: `${(100 * one.size) / most}%`, background: `var(--${colour})` } })),
      h("span.moves", { title: `entered and left ${SAID[period]}` },
        h("span", { "aria-label": `${number(entered)} entered` }, `+${compact(entered)}`),
        h("span", { "aria-label": `${number(left)} left` }, `−${compact(left)}`))));
  }

  function drawFigures(dimension, period, total, moves) {
    const net = ({ segment }) => moves(segment).entered - moves(segment).left;
    const by = dimension.segments.map((one) => [one, net(one)]).sort((a, b) => b[1] - a[1]);
    const tell = (label, value, note) => h("div", h("dt", label), h("dd", value, note ? h("span", note) : null));
    const name = (one) => called(dimension, one.segment) ?? human(one.segment);
    const grows = by[0]?.[1] > 0 ? by[0] : null, shrinks = by.at(-1)?.[1] < 0 ? by.at(-1) : null;
    put(figures, h("dl",
      tell("Customers", number(total)),
      tell(`Changes ${SAID[period]}`, number(moves.all), total ? `${(moves.all / total).toFixed(moves.all / total < 10 ? 2 : 0)} a customer` : ""),
      tell("Grew most", grows ? name(grows[0]) : "–", grows ? signed(grows[1]) : ""),
      tell("Shrank most", shrinks ? name(shrinks[0]) : "–", shrinks ? signed(shrinks[1]) : "")));
  }

  function drawSizes(dimension, answer) {
    const some = Object.values(answer.sizes).some((line) => line.some(Number.isFinite));
    if (answer.times.length < 2 || !some) {
      return empty("No history yet.", "A worker notes the sizes every few minutes from its start on.");
    }
    sizes.show(`Sizes of the segments of ${human(dimension.dimension)} over time, stacked. The table has the figures.`,
      sizesTable(dimension, answer), sizesOptions(dimension, answer, colours(dimension.dimension)));
    return sizes.node;
  }

  function drawFlows(dimension, answer, period) {
    if (!answer.flows.length) {
      return empty(`Nobody moved ${SAID[period]}.`, period === "30d" ? "Look at another dimension." : "Look further back, or at another dimension.");
    }
    const [options, tall] = flowsOptions(dimension, answer.flows, colours(dimension.dimension));
    flows.show(`Moves from segment to segment of ${human(dimension.dimension)} ${SAID[period]}. The table has the figures.`,
      flowsTable(dimension, answer.flows), options, tall);
    const counted = answer.since && answer.as_of ? (new Date(answer.as_of) - new Date(answer.since)) / 1000 : Number.POSITIVE_INFINITY;
    return h("div.fill", flows.node, counted < LENGTH_S[period] ? h("p.muted.small", `Counted since ${instant(answer.since)}.`) : null);
  }

  return (params) => {
    const period = Object.hasOwn(SAID, params.within ?? "") ? params.within : "24h";
    within.set(period);
    live.update(params);
    let before = null;
    now.ask(async (stop) => {
      const all = await catalogue(stop);
      const dimension = chosen(all, params.dimension);
      if (!dimension) return [all, null];
      const flowing = await get("flows", { params: { dimension: dimension.dimension, within: period }, signal: stop });
      await learnNames(dimension, flowing.flows.flatMap(({ from, to: into }) => [from, into]), stop);
      return [all, flowing];
    }, ([all, flowing]) => {
      if (!all.dimensions.length) return empty("There are no dimensions.", "Put definitions into config/segments, and see `segstream check`.");
      const dimension = chosen(all, params.dimension);
      dimensions.set(all.dimensions.map((one) => [one.dimension, human(one.dimension)]), dimension.dimension);
      live.know(all, dimension.dimension);
      const made = drawNow(dimension, period, all.missing, moving(flowing.flows));
      moved.ask(async () => flowing, (answer) => drawFlows(dimension, answer, period));
      if (before !== dimension.dimension) {
        before = dimension.dimension;
        const asked = { dimension: before, within: period };
        over.ask(async (stop) => {
          const answer = await get("sizes", { params: asked, signal: stop });
          await learnNames(dimension, Object.keys(answer.sizes), stop);
          return answer;
        }, (answer) => drawSizes(dimension, answer), { every: REFRESH_MS * 2, lines: 7 });
      }
      return made;
    }, { every: REFRESH_MS, lines: 6 });
  };
}
