// One customer: where they are, why, how they came there, what comes next, and what is known of them.

import { change, here, to } from "../address.js";
import { get } from "../api.js";
import { called, calledNow, catalogue, chosen, colours } from "../catalogue.js";
import { figure } from "../charts.js";
import { stays, timelineOptions } from "../charts/timeline.js";
import { h, put } from "../dom.js";
import { date, dateMinute, from, human, instant, number, value } from "../format.js";
import { card, changeLine, choice, empty, pick, region, segment, table } from "../ui.js";
import { reading } from "./why.js";

const PAGE = 20;
const HISTORY = 200;
/** So many of the changes to come are shown of each dimension: some have one every hour. */
const EACH = 2, NEXT = 7;
const REFRESH_MS = 10_000;
const SPANS = [["30", "30 days"], ["90", "90 days"], ["", "All"]];

export function customer(root, signal) {
  const input = h("input", { type: "search", id: "customer-id", "aria-label": "Customer id", placeholder: "such as c17, or anonymous:a9", autocomplete: "off", spellcheck: "false", autofocus: true });
  const search = h("form.search", {
    role: "search", "aria-label": "Customer",
    onsubmit: (event) => { event.preventDefault(); change({ id: input.value.trim(), dimension: null, cause: null }); },
  }, input, h("button.main", { type: "submit" }, "Look up"));
  const body = h("div");
  let stop = null, id = null, update = null;
  put(root, h("div.head", h("div", h("h1", "Customer")), search), body);
  signal.addEventListener("abort", () => stop?.abort());

  return (params) => {
    if (document.activeElement !== input) input.value = params.id ?? "";
    if (!params.id) {
      id = null;
      stop?.abort();
      put(body, empty("Whom do you want to see?", "Enter a customer's id: the user id of the events, or anonymous: and the anonymous id. Ids stand in the live feed and in the members of each segment."));
      return;
    }
    if (params.id !== id) {
      id = params.id;
      stop?.abort();
      stop = new AbortController();
      update = profile(body, id, stop.signal);
    }
    update(params);
  };
}

/** Who is not known may be spelt otherwise, or not be there yet. */
function unknown(error) {
  if (error.status === 404) error.todo = "Ids are exact, capitals too, and begin with anonymous: where there is no user id. A customer is here from their first event on, until they are forgotten.";
  throw error;
}

/** All there is to see of one customer. */
function profile(root, id, signal) {
  const path = `customers/${encodeURIComponent(id)}`;
  const now = region(signal), why = region(signal), past = region(signal), next = region(signal), known = region(signal);
  const title = h("h2.id", id), facts = h("p.muted");
  const dimensions = pick("Dimension", (dimension) => change({ dimension }));
  const spans = choice("Span", SPANS, (span) => change({ span }));
  const of = pick("Dimension of the history", (name) => change({ of: name }));
  const causes = pick("Cause", (cause) => change({ cause }));
  const line = figure(signal, { height: 200 });
  const list = h("ol.changes"), end = h("div.more");
  const filter = h("input", { type: "search", placeholder: "Filter features", "aria-label": "Filter features", oninput: () => drawFeatures() });
  const parts = [
    h("div.grid.main-side",
      h("div.stack", card("Why they are there", { tools: dimensions.node }, why.node)),
      h("div.stack", card("If nothing comes", { note: "What time alone will bring." }, next.node))),
    card("History", { cls: "history", tools: [of.node, causes.node, spans.node] }, past.node, list, end),
    h("div.gap", card("What is known", { tools: filter }, known.node)),
  ];
  const rest = h("div");
  put(root, h("div.who-head", title, facts), now.node, rest);
  let params = {}, all = null, described = null, changes = [], cursor = null, asked = "";

  function drawNow(answer) {
    described = answer;
    if (!rest.hasChildNodes()) put(rest, parts);
    const { as_of, partition } = answer;
    put(facts, ["as of ", instant(as_of ?? answer.at), partition === undefined ? "" : ` · partition ${partition}`].join(""));
    drawFeatures();
    ask(answer);
    const entries = Object.entries(answer.segments).sort(([a], [b]) => new Date(answer.since?.[b] ?? 0) - new Date(answer.since?.[a] ?? 0));
    return h("ul.tiles", entries.map(([dimension, name]) => h("li", h("a", {
      href: to("customer", { ...params, id, dimension }), "aria-current": dimension === selected() ? "true" : null,
    },
      h("span.dimension", human(dimension)),
      h("span.where", name === null ? h("span.muted", "None") : segment(name, colours(dimension)?.get(name), name && called(all.dimensions.find((one) => one.dimension === dimension), name))),
      h("span.since", answer.since?.[dimension] ? `since ${date(answer.since[dimension])}` : "")))));
  }

  const selected = () => (all ? chosen(all, params.dimension)?.dimension : params.dimension);

  /** Why and what next depend on the customer as they are; the history only on what was asked. */
  function ask(answer) {
    why.ask((stop) => get(`${path}/explain`, { signal: stop }), (told) => {
      next.ask(async () => told, drawNext);
      return reading(told.dimensions.find((one) => one.dimension === selected()), told.at, all);
    });
    const version = JSON.stringify([answer.segments, params.cause, params.span, params.of]);
    if (version !== asked) {
      asked = version;
      past.ask((stop) => get(`${path}/changes`, { params: { limit: HISTORY }, signal: stop }), drawPast, { lines: 6 });
    }
  }

  const place = ({ dimension }, name) => segment(name, colours(dimension)?.get(name), calledNow(dimension, name));

  function drawNext(told) {
    const coming = told.dimensions.flatMap((one) => one.next.map((step) => ({ ...step, dimension: one.dimension })));
    coming.sort((a, b) => new Date(a.at) - new Date(b.at));
    const few = coming.filter((step, k) => coming.slice(0, k).filter((one) => one.dimension === step.dimension).length < EACH);
    const items = few.slice(0, NEXT).map((step) => h("li",
      h("time", { datetime: step.at, title: instant(step.at) }, from(step.at, told.at), h("span", dateMinute(step.at))),
      h("div", h("span.dimension", human(step.dimension)),
        h("p.move", place(step, step.from), h("span.arrow", { "aria-label": "to" }, "→"), place(step, step.to)))));
    if (told.forgotten) items.push(h("li", h("time", { datetime: told.forgotten }, from(told.forgotten, told.at), h("span", dateMinute(told.forgotten))), h("p", "is forgotten: nothing is kept any more")));
    return items.length ? h("ol.coming", items) : empty("Nothing changes by itself.", `Looked ahead until ${date(told.foreseen)}.`);
  }

  function drawPast(answer) {
    [changes, cursor] = [answer.changes, answer.next];
    drawEnd(answer);
    return drawHistory();
  }

  const wanted = (list) => list.filter((one) => !params.of || one.dimension === params.of);

  /** What is so now, of the dimensions that the history is asked for. */
  function described_() {
    const entries = Object.entries(described.segments).filter(([dimension]) => !params.of || dimension === params.of);
    return { segments: Object.fromEntries(entries), since: described.since };
  }

  function drawHistory() {
    const shown = wanted(changes).filter((one) => !params.cause || one.cause === params.cause);
    put(list, shown.slice(0, list.dataset.all ? undefined : PAGE).map((one) => changeLine(one, { customer: false, colours })));
    if (!changes.length) return empty("No changes yet.", "None is in what is kept of the changes.");
    if (!shown.length) put(list, h("li", empty("No such change among those loaded.", "Choose any cause and all dimensions to see the others.")));
    const until = described.as_of ?? changes[0].time;
    const rows = stays(wanted(changes), described_(), until);
    const [options, tall, still] = timelineOptions(rows, until, params.span ? Number(params.span) : null, colours);
    line.show(`Segments of ${id} over time, one line for each dimension. The table and the list below have all of it.`,
      table("Stays in segments, newest first", ["Dimension", "Segment", "From", "Until"],
        rows.flatMap((row) => row.stays).sort((a, b) => b.from - a.from).slice(0, 100).map((stay) => [human(stay.dimension), calledNow(stay.dimension, stay.segment, stay.then) ?? human(stay.segment),
          instant(new Date(stay.from).toISOString()), stay.open ? "now" : instant(new Date(stay.until).toISOString())])), options, tall);
    return h("div", line.node, still ? h("p.muted.small", `${still} further dimensions did not change in this time.`) : null);
  }

  function drawEnd(answer) {
    const from_ = [answer.looked_back_to ? `All changes written since ${instant(answer.looked_back_to)} were looked through.` : "", answer.not_looked ?? ""].join(" ");
    const more = () => {
      if (!list.dataset.all) { list.dataset.all = "yes"; drawEnd(answer); drawHistory(); return; }
      get(`${path}/changes`, { params: { limit: HISTORY, before: cursor }, signal }).then((older) => {
        changes = [...changes, ...older.changes];
        cursor = older.next;
        drawEnd(older);
        drawHistory();
      }, (error) => put(end, h("p.muted", { role: "alert" }, `${error.message} ${error.todo ?? ""}`)));
    };
    const has = cursor || (!list.dataset.all && changes.length > PAGE);
    put(end, has ? h("button", { type: "button", onclick: more }, "Show older changes") : h("p.muted.small", from_));
  }

  function drawFeatures() {
    if (!described) return;
    const wanted = filter.value.trim().toLowerCase();
    const rows = Object.entries(described.features).filter(([name]) => name.toLowerCase().includes(wanted));
    const warming = described.warming ?? {};
    known.ask(async () => rows, () => rows.length
      ? h("dl.features", rows.map(([name, of]) => h("div", h("dt", name), h("dd", { title: of === null ? "no value yet" : String(of) }, value(of)),
        warming[name] ? h("dd.warning", `counts since ${date(warming[name].since)}`) : null)))
      : empty(`No feature has “${wanted}” in its name.`, `There are ${number(Object.keys(described.features).length)}.`));
  }

  return (given) => {
    params = given;
    causes.set([["", "Any cause"], ["event", "Event"], ["deadline", "Deadline"], ["definition", "Definition"], ["model", "Model"]], params.cause ?? "");
    spans.set(params.span ?? "");
    now.ask(async (stop) => {
      const [answer, found] = await Promise.all([get(path, { signal: stop }).catch(unknown), catalogue(stop).catch(() => null)]);
      all = found ?? { dimensions: Object.keys(answer.segments).map((dimension) => ({ dimension, segments: [] })) };
      dimensions.set(all.dimensions.map(({ dimension }) => [dimension, human(dimension)]), selected());
      of.set([["", "All dimensions"], ...all.dimensions.map(({ dimension }) => [dimension, human(dimension)])], params.of ?? "");
      return answer;
    }, (answer) => (here().params.id === id ? drawNow(answer) : null), { every: REFRESH_MS, lines: 6 });
  };
}
