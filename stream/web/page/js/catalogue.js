// The dimensions with their segments, asked for once in a while and shared by the views.

import { get } from "./api.js";
import { palette } from "./charts.js";
import { capital } from "./format.js";

const FRESH_MS = 8_000, FORMER_MS = 60_000;
/** Versions that are looked through for the names of clusters that are no more. */
const VERSIONS = 100;
let kept = null, asked = 0, palettes = new Map(), former = new Map(), formerAsked = 0;

/** {dimensions, missing}; not older than a few seconds. */
export async function catalogue(signal) {
  if (kept && Date.now() - asked < FRESH_MS) return kept;
  const answer = await get("segments", { signal });
  kept = Array.isArray(answer) ? { dimensions: answer, missing: [] } : { missing: [], ...answer };
  asked = Date.now();
  palettes = new Map(kept.dimensions.map((dimension) => [dimension.dimension, palette(dimension)]));
  return kept;
}

/** All that is told of: the segments that there are, and those that are no more. */
export function everySegment(dimension, told) {
  return [...new Set([...dimension.segments.map(({ segment }) => segment), ...told.filter((segment) => segment !== null)])];
}

/** Ask what those of these clusters were called that are no more. */
export async function learnNames(dimension, told, signal) {
  const unknown = (segment) => !inForce(dimension, segment) && !former.has(`${dimension.dimension} ${segment}`);
  if (!dimension.learned || !everySegment(dimension, told).some(unknown) || Date.now() - formerAsked < FORMER_MS) return;
  formerAsked = Date.now();
  // Without an answer they go by their numbers: no reason to show nothing.
  const { versions } = await get("clusters", { params: { limit: VERSIONS }, signal }).catch(() => ({ versions: [] }));
  for (const version of versions.toReversed()) {
    for (const { segment, name } of version.clusters) former.set(`${version.dimension} ${segment}`, name);
  }
}

/** The colours of a dimension's segments, where it is known. */
export const colours = (dimension) => palettes.get(dimension);

/** The dimension of that name; where there is none, the one that most people ask for first. */
export function chosen({ dimensions }, name) {
  const by = (wanted) => dimensions.find(({ dimension }) => dimension === wanted);
  return by(name) ?? by("lifecycle") ?? dimensions[0];
}

/** What a cluster is called by people, where it has a name. */
export function called(dimension, segment) {
  return inForce(dimension, segment) ?? (was(dimension, segment) ? `${was(dimension, segment)} (former)` : null);
}

function inForce(dimension, segment) {
  const found = dimension?.segments.find((one) => one.segment === segment);
  return found?.name && found.name !== segment ? capital(found.name) : null;
}

function was(dimension, segment) {
  const found = former.get(`${dimension?.dimension} ${segment}`);
  return found && found !== segment ? capital(found) : null;
}

/**
 * The same by the name of the dimension.  A cluster that is no more goes by the name that it had in the change that is
 * told, `then`: its side of the evidence.
 */
export function calledNow(dimension, segment, then) {
  const found = kept?.dimensions.find((one) => one.dimension === dimension);
  return inForce(found, segment) ?? (then?.name && then.name !== segment ? capital(then.name) : called(found, segment));
}
