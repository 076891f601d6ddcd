// What an operator asks first: is everything running, how far behind, and what was rejected and why.

import { get } from "../api.js";
import { h, put } from "../dom.js";
import { compact, instant, number, span } from "../format.js";
import { card, empty, missing, region, table, wide } from "../ui.js";

const REFRESH_MS = 5_000;
const SAMPLES = 10;
/** A shard often waits a moment for what the other topics have; it is held back where its clock stands for longer. */
const HELD_MS = 10_000;
const REJECTED = "rejected_";
const WORDS = { ready: "good", restoring: "warn", opening: "warn", waiting: "warn", closed: "bad", failed: "bad" };
const TODO = {
  "not-json": "The producer does not send JSON.",
  empty: "The record has no value.",
  mistyped: "A field has another type than the definitions read it as.",
  "bad-time": "Send times as RFC 3339, or as seconds, ms or us.",
  future: "The producer's clock is ahead: see time.future_tolerance.",
  "too-long": "Ids have at most 1,000 characters.",
  misplaced: "The producer uses another key or partitioner.",
  poison: "A row could not be read; its customer began anew.",
};

const behind = (part) => Object.values(part.lag ?? {}).reduce((sum, count) => sum + count, 0);
const rejected = (name) => name.startsWith(REJECTED);
const words = (name) => (rejected(name) ? `rejected: ${name.slice(REJECTED.length)}` : name.replaceAll("_", " "));

/** What a shard is at, or waits for: `(part) => words`, asked with each answer in turn. */
function doings() {
  const seen = new Map();
  return (part) => {
    if (part.doing) return part.doing;
    if (part.blocked_by === "definitions") return "compiles new definitions";
    const { blocked_by: topic, clock, partition } = part;
    const before = seen.get(partition);
    const same = before && before.topic === topic && before.clock === clock;
    if (!same) seen.set(partition, { topic, clock, since: Date.now() });
    const held = same ? Date.now() - before.since : 0;
    return topic && held >= HELD_MS ? `waits for more of ${topic}, for ${span(held / 1000)} by now` : "";
  };
}

/** What became of all records of these shards, the rejected last; what never happened is left out. */
function totals(shards) {
  const found = new Map();
  for (const { books } of shards) {
    for (const [name, count] of Object.entries(books ?? {})) found.set(name, (found.get(name) ?? 0) + count);
  }
  return [...found].filter(([, count]) => count > 0).sort(([a], [b]) => rejected(a) - rejected(b));
}

export function health(root, signal) {
  const figures = h("div.figures"), workers = region(signal), letters = region(signal), lead = h("p.lead");
  const doing = doings();
  put(
    root,
    h("div.head", h("div", h("h1", "Health"), lead)),
    figures,
    h("div.stack", workers.node, card("Rejected records", { note: "What could not be read lies in the dead-letter topic, with all its bytes." }, letters.node)),
  );

  function draw(answer) {
    const parts = answer.workers.flatMap((one) => one.shards);
    const ready = parts.filter((part) => part.state === "ready").length;
    const lost = answer.missing ?? [];
    const lag = parts.reduce((sum, part) => sum + behind(part), 0);
    const age = Math.max(...parts.map((part) => part.clock_age_seconds ?? Number.NEGATIVE_INFINITY));
    const rejected = Object.values(answer.rejects ?? {}).reduce((a, b) => a + b, 0);
    const well = lost.length === 0 && ready === parts.length && answer.workers.every((one) => one.ready !== false);
    put(lead, h("span", { class: `pill ${well ? "good" : "bad"}` }, well ? "All is well" : "Needs a look"),
      " ", well ? `${answer.workers.length} ${answer.workers.length === 1 ? "worker" : "workers"}, all partitions ready.` : "The reasons stand beside the workers.");
    const tell = (label, value, note) => h("div", h("dt", label), h("dd", value, note ? h("span", note) : null));
    put(figures, h("dl",
      tell("Partitions ready", number(ready), `of ${parts.length + lost.length}`),
      tell("Records behind", compact(lag)),
      tell("Oldest clock", Number.isFinite(age) ? span(Math.max(0, age)) : "–", Number.isFinite(age) ? "before now" : ""),
      tell("Rejected", compact(rejected), "of all records ever read")));
    return h("div.stack", missing(lost), answer.workers.map(worker));
  }

  function worker(one) {
    const title = String(one.url).replace(/^https?:\/\//, "").replace(/\/$/, "");
    const held = one.shards.length;
    const books = totals(one.shards);
    return card(`Worker ${title}`, {
      tools: h("span", { class: `pill ${one.ready ? "good" : "warn"}` }, one.ready ? "ready" : "not ready"),
      note: `${held} ${held === 1 ? "partition" : "partitions"}`,
    },
    one.why?.length ? h("ul.warnings", one.why.map((why) => h("li.warning", why))) : null,
    held ? wide(`Partitions of ${title}`, table(`Partitions of ${title}`, ["Partition", "State", { name: "Customers", number: true }, { name: "Behind", number: true }, { name: "Clock", number: true }, { name: "Before now", number: true }],
      one.shards.map((part) => [String(part.partition), state(part),
        number(part.customers), number(behind(part)), part.clock ? instant(part.clock) : "–", Number.isFinite(part.clock_age_seconds) ? span(Math.max(0, part.clock_age_seconds)) : "–"])))
      : empty("It has no partitions.", "There may be more workers than partitions, or the group is sharing them out anew."),
    books.length ? h("dl.books", books.map(([name, count]) => h("div", h("dt", words(name)), h(rejected(name) && count ? "dd.warning" : "dd", number(count))))) : null);
  }

  function state(part) {
    const words = doing(part);
    return h("span", h("span", { class: `pill ${WORDS[part.state] ?? ""}` }, part.state), words ? h("span.muted.small", ` ${words}`) : null);
  }

  function drawLetters(answer) {
    const reasons = answer.reasons ?? [];
    if (!reasons.length) return empty("Nothing was rejected.", "Every record that came in could be read.");
    return h("div.stack.reasons", missing(answer.missing), reasons.map((one) => h("details", { open: reasons.length < 4 },
      h("summary", h("b", one.reason), " ", h("span.pill.warn", number(one.count)), " ", h("span.muted.small", TODO[one.reason] ?? "")),
      wide(`Samples of ${one.reason}`, table(`Samples of ${one.reason}`, ["Why", "Where", { name: "Time", number: true }],
        (one.samples ?? []).map((sample) => [sample.detail || "–", h("code", `${sample.topic}/${sample.partition}/${sample.offset}`), instant(sample.time)]))))),
    answer.complete === false ? h("p.muted.small", "Only the latest of each partition were looked through.") : null,
    h("p.muted.small", h("code", "segstream deadletters --list"), " shows them with their bytes, ", h("code", "--resend"), " sends them again after a fix."));
  }

  return () => {
    workers.ask((stop) => get("workers", { signal: stop }), draw, { every: REFRESH_MS, lines: 8 });
    letters.ask((stop) => get("deadletters", { params: { limit: SAMPLES }, signal: stop }), drawLetters, { every: REFRESH_MS * 4 });
  };
}
