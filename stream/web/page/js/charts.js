// A picture with the table behind it.  The picture is one image to a screen reader, named by what it shows; the table has
// every figure in it.  Colours come from the style sheet, so both themes draw alike.

import { init } from "../vendor/echarts.js";
import { h, put } from "./dom.js";

const COLOURS = 12;

/** The colours and type of the present theme, for whoever draws on a canvas. */
export function theme() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: of("ink"), soft: of("soft"), muted: of("muted"), line: of("line"), surface: of("surface"), accent: of("accent"),
    ground: of("ground"), font: of("text"), colour: (name) => of(name),
  };
}

/**
 * A colour for each segment of a dimension, by its place there, so that it is the same in every picture: the name of a
 * variable of the style sheet.  Who is in none of the others is grey.
 */
export function palette(dimension) {
  const found = new Map();
  dimension.segments.forEach(({ segment }, place) => {
    const rest = !dimension.learned && dimension.segments.length > 2 && place === dimension.segments.length - 1;
    const number = dimension.learned ? Number(/\d+$/.exec(segment)?.[0] ?? place) : place;
    found.set(segment, rest ? "rest" : `c${number % COLOURS}`);
  });
  return found;
}

/** The colour of a cluster, by its number. */
export const clusterColour = (id) => `c${id % COLOURS}`;

/** The colour of a segment, among those of its dimension; a cluster that is no more has the one that it had. */
export function colourOf(colours, name) {
  const number = /^cluster-(\d+)$/.exec(name)?.[1];
  return colours?.get(name) ?? (number === undefined ? undefined : clusterColour(Number(number)));
}

/** A small round of a segment's colour. */
export const dot = (colour) => h("i.dot", { style: { background: `var(--${colour ?? "rest"})` }, "aria-hidden": "true" });

/** A figure that is drawn again when the theme, the width or the data change; it ends with the view's signal. */
export function figure(signal, { height = 280, events = {} } = {}) {
  const canvas = h("div.canvas", { role: "img", style: { "min-height": `${height}px` } });
  const scroll = h("div.scroll", { role: "region", tabindex: "0", "aria-label": "Table behind the picture" });
  const details = h("details.behind", h("summary", "Show as a table"), scroll);
  const node = h("figure", canvas, details);
  let chart = null, make = null;

  function draw() {
    if (!make || !canvas.clientWidth) return;
    if (!chart) {
      chart = init(canvas);
      for (const [name, act] of Object.entries(events)) chart.on(name, act);
    }
    chart.resize();
    chart.setOption({ animation: false, ...make(theme(), canvas.clientWidth) }, { notMerge: true });
  }

  const watch = new ResizeObserver(draw);
  watch.observe(canvas);
  window.addEventListener("themechange", draw, { signal });
  document.fonts.ready.then(() => { if (!signal.aborted) draw(); });
  signal.addEventListener("abort", () => { watch.disconnect(); chart?.dispose(); chart = null; make = null; });

  return {
    node,
    /** What it shows, in words; the table with the figures; and what draws it: (theme, width) -> options. */
    show(label, table, options, tall = height) {
      canvas.setAttribute("aria-label", label);
      canvas.style.minHeight = `${tall}px`;
      put(scroll, table);
      make = options;
      draw();
    },
  };
}

/** What all pictures with axes have in common. */
export const text = (t, size = 12) => ({ color: t.muted, fontFamily: t.font, fontSize: size });

/** A tooltip that is made of elements: strings would be read as HTML. */
export function tooltip(t, trigger, describe) {
  return {
    trigger, confine: true, transitionDuration: 0, backgroundColor: t.colour("raised"), borderColor: t.line, borderWidth: 1,
    padding: [9, 12], textStyle: { color: t.ink, fontFamily: t.font, fontSize: 13 }, extraCssText: "border-radius:10px",
    formatter: (given) => describe(given) ?? "",
  };
}

/** Lines of a tooltip: a heading, then [colour, name, figure]. */
export function tip(heading, rows = []) {
  return h(
    "div.tip",
    h("b", heading),
    rows.map(([colour, name, figure]) => h("div", colour ? dot(colour) : null, h("span", name), h("span.number", figure))),
  );
}
