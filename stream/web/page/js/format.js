// Numbers, instants and names as people read them.

const whole = new Intl.NumberFormat("en-GB");
const short = new Intl.NumberFormat("en-GB", { notation: "compact", maximumFractionDigits: 1 });
const three = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 3 });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const minute = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const shortDay = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

const UNITS = [["year", 31_557_600], ["month", 2_629_800], ["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];
const ACRONYMS = new Set(["rfm", "nps", "aida"]);

export const number = (value) => (Number.isFinite(value) ? whole.format(value) : "–");
export const compact = (value) => (Number.isFinite(value) ? (Math.abs(value) < 10_000 ? whole : short).format(value) : "–");
export const rounded = (value) => (Number.isFinite(value) ? three.format(value) : "–");
export const signed = (value) => (value > 0 ? `+${whole.format(value)}` : value < 0 ? `−${whole.format(-value)}` : "0");

/** A part of a whole: "24%", "<1%"; a dash where there is nothing to be a part of. */
export function percent(part, of = 1) {
  if (!Number.isFinite(part) || !(of > 0)) return "–";
  const share = (100 * part) / of;
  return share > 0 && share < 1 ? "<1%" : `${Math.round(share)}%`;
}

const at = (format) => (iso) => {
  const date = new Date(iso ?? NaN);
  return Number.isNaN(date.getTime()) ? "–" : format.format(date);
};
export const date = at(day);
export const dateMinute = at(minute);
export const instant = at(full);
export const timeOfDay = at(clock);

/** The day of an instant where that is not today, with the year where that is another; else nothing. */
export function otherDay(iso) {
  const then = new Date(iso), now = new Date();
  if (Number.isNaN(then.getTime()) || then.toDateString() === now.toDateString()) return "";
  return (then.getFullYear() === now.getFullYear() ? shortDay : day).format(then);
}

/** A span of seconds in its largest unit: "3 days". */
export function span(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const size = Math.abs(seconds);
  if (size < 1) return "under a second";
  const [unit, length] = UNITS.find(([, least]) => size >= least * (least > 1 ? 1.5 : 1)) ?? UNITS.at(-1);
  const count = Math.round(size / length);
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** From one instant to another: "in 3 days", "3 days ago". */
export function from(iso, now) {
  const seconds = (new Date(iso) - new Date(now)) / 1000;
  return Number.isNaN(seconds) ? "–" : seconds >= 0 ? `in ${span(seconds)}` : `${span(-seconds)} ago`;
}

/** Text that is too long for its place, cut. */
export const cut = (text, most) => (text.length > most ? `${text.slice(0, Math.max(1, most - 1)).trimEnd()}…` : text);

/** A name of the definitions for people: "at-risk" -> "At risk". */
export function human(name) {
  if (name === null || name === undefined) return "None";
  if (ACRONYMS.has(name)) return name.toUpperCase();
  return capital(name.replaceAll("-", " ").replaceAll("_", " ").replace(/\bcant\b/, "can’t"));
}

/** A sentence or a name that was given, with its first letter large. */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** A value of a feature or of the evidence. Durations such as 18d15h7m30s205ms lose what nobody reads. */
export function value(given) {
  if (given === null || given === undefined) return "–";
  if (typeof given === "number") return Number.isInteger(given) ? whole.format(given) : three.format(given);
  if (Array.isArray(given)) return given.length ? given.map(value).join(", ") : "–";
  if (typeof given === "object") return Object.entries(given).map(([key, of]) => `${key} ${value(of)}`).join(", ");
  return shorter(String(given));
}

const DURATION = /(?<![\w.#-])(-?)((?:\d+d)?(?:\d+h)?(?:\d+m(?!s))?(?:\d+s)?(?:\d+ms)?)(?![\w.-])/g;

/** Text with the durations in it cut to their two largest units. */
export function shorter(text) {
  return text.replace(DURATION, (all, sign, parts) => {
    const found = parts.match(/\d+(?:ms|[dhms])/g);
    return found && found.length > 2 ? sign + found.slice(0, 2).join(" ") : found ? sign + found.join(" ") : all;
  });
}
