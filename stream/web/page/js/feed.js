// Every change as it comes, newest first, with filters that live in the address.

import { change } from "./address.js";
import { listen } from "./api.js";
import { colours } from "./catalogue.js";
import { h, put } from "./dom.js";
import { capital, human, number, otherDay, timeOfDay } from "./format.js";
import { card, changeLine, empty, pick } from "./ui.js";

const KEPT = 60;
const RECENT = 30;
const PER_SECOND = 20;
const DRAW_MS = 400;
/** So many new ones at a time are marked; where there are more, all moves anyway. */
const FEW = 3;
const CAUSES = [["", "Any cause"], ["event", "Event"], ["deadline", "Deadline"], ["definition", "Definition"], ["model", "Model"]];

/** The time of a change, under its day where that is not today. */
const when = (time) => { const day = otherDay(time); return [day ? h("span.day", day) : null, timeOfDay(time)]; };

/** The card with the live feed; `update(params)` follows the filters, `know(catalogue, dimension)` names the segments. */
export function feed(signal) {
  const list = h("ol");
  const log = h("div.changes", { role: "log", "aria-live": "off", "aria-label": "Changes, newest first", tabindex: "0" }, list);
  const state = h("span.state", { role: "status" });
  const pause = h("button", { type: "button", onclick: () => hold(!held) }, "Pause");
  const scope = pick("Dimensions of the feed", (feedOf) => change({ feed: feedOf }));
  const segments = pick("Segment", (segment) => change({ segment }));
  const causes = pick("Cause", (cause) => change({ cause }));
  const customer = h("input", {
    type: "search", placeholder: "Any customer", "aria-label": "Customer of the feed", autocomplete: "off",
    onchange: () => change({ customer: customer.value.trim() }),
  });
  const node = card("Live", { cls: "feed", tools: [state, pause] },
    h("div.filters", { role: "group", "aria-label": "Filters of the feed" }, scope.node, segments.node, causes.node, customer), log);

  let now = {}, dimension = null, key = null, running = null;
  let kept = [], fresh = false, held = false, timer = null;
  signal.addEventListener("abort", () => { running?.abort(); clearInterval(timer); });

  function hold(on) {
    held = on;
    pause.textContent = held ? "Go on" : "Pause";
    tell(held ? "paused" : running?.told ?? "lost");
    if (!held) { fresh = true; draw(); }
  }

  function tell(what, error, skipped = 0) {
    const words = { live: skipped ? `Live, ${number(skipped)} more` : "Live", lost: "Connecting", paused: "Paused" };
    put(state, h("i", { class: `pulse ${what}`, "aria-hidden": "true" }), words[what]);
    state.title = skipped ? `${number(skipped)} further changes came in a second: use a filter to see all of them` : "";
    if (what === "lost" && error && !kept.length) put(list, h("li", empty(error.message, error.todo)));
  }

  function draw() {
    if (!fresh || held) return;
    fresh = false;
    const top = log.scrollTop;
    const had = new Set([...list.children].map((line) => line.dataset.id));
    const some = had.size > 0 && kept.filter(({ id }) => !had.has(id)).length <= FEW;
    put(list, kept.map((one) => {
      const line = changeLine(one, { colours, when, dimension: now.feed === "all" });
      line.dataset.id = one.id;
      if (some && !had.has(one.id)) line.classList.add("new");
      return line;
    }));
    log.scrollTop = top;
  }

  function begin() {
    const all = now.feed === "all";
    const params = { recent: RECENT, per_second: PER_SECOND, dimension: all ? null : dimension, segment: all ? null : now.segment, cause: now.cause, customer: now.customer };
    const next = JSON.stringify(params);
    if (next === key) return;
    key = next;
    running?.abort();
    const mine = (running = new AbortController());
    kept = [];
    put(list, h("li", empty("Waiting for the next change.", "It appears here the moment it becomes true.")));
    tell("lost");
    listen("changes", {
      params, signal: mine.signal,
      onEvent: (one, type) => {
        if (type === "skipped") { tell("live", null, Number(one)); return; }
        if (type !== "change" || kept.some(({ id }) => id === one.id)) return;
        kept = [one, ...kept].slice(0, KEPT);
        fresh = true;
      },
      onState: (what, error) => { mine.told = what; if (!held) tell(what, error); },
    });
  }

  timer = setInterval(draw, DRAW_MS);
  return {
    node,
    update(params) {
      now = params;
      causes.set(CAUSES, params.cause ?? "");
      if (document.activeElement !== customer) customer.value = params.customer ?? "";
      if (dimension) begin();
    },
    know({ dimensions }, chosen) {
      dimension = chosen;
      const found = dimensions.find((one) => one.dimension === chosen);
      scope.set([["", human(chosen)], ["all", "All dimensions"]], now.feed ?? "");
      const names = found.segments.map((one) => [one.segment, one.name && one.name !== one.segment ? capital(one.name) : human(one.segment)]);
      segments.set([["", "Any segment"], ...names], now.feed === "all" ? "" : (now.segment ?? ""));
      segments.node.disabled = now.feed === "all";
      begin();
    },
  };
}
