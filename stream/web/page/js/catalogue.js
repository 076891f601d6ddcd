// The dimensions with their segments, asked for once in a while and shared by the views.

import { get } from "./api.js";
import { palette } from "./charts.js";
import { capital } from "./format.js";

const FRESH_MS = 8_000;
let kept = null, asked = 0, palettes = new Map();

/** {dimensions, missing}; not older than a few seconds. */
export async function catalogue(signal) {
  if (kept && Date.now() - asked < FRESH_MS) return kept;
  const answer = await get("segments", { signal });
  kept = Array.isArray(answer) ? { dimensions: answer, missing: [] } : { missing: [], ...answer };
  asked = Date.now();
  palettes = new Map(kept.dimensions.map((dimension) => [dimension.dimension, palette(dimension)]));
  return kept;
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
  const found = dimension?.segments.find((one) => one.segment === segment);
  return found?.name && found.name !== segment ? capital(found.name) : null;
}

/**
 * The same by the name of the dimension.  A cluster that is no more goes by the name that it had in the change that is
 * told, `then`: its side of the evidence.
 */
export function calledNow(dimension, segment, then) {
  const name = called(kept?.dimensions.find((one) => one.dimension === dimension), segment);
  return name ?? (then?.name && then.name !== segment ? capital(then.name) : null);
}
