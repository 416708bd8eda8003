/**
 * Numbers as the page shows them.
 * @module
 */

const counts = new Intl.NumberFormat("en");

/** 4063 → "4,063". @param {number} value */
export function count(value) {
  return counts.format(value);
}

/** 1, "label" → "1 label"; 2, "label" → "2 labels". @param {number} value @param {string} noun */
export function counted(value, noun) {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** 0.876 → "88%"; below half a percent "<1%". @param {number} share */
export function percent(share) {
  if (share > 0 && share < 0.005) return "<1%";
  if (share < 1 && share > 0.995) return ">99%";
  return `${Math.round(100 * share)}%`;
}

/** A score with three significant digits. @param {number} value */
export function score(value) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))).replace("-", "−") : "–";
}

/** A strength with its sign. @param {number} value */
export function signed(value) {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}
