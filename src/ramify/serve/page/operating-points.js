/**
 * The operating point: which of the suggestions are shown as labels. A calibrated model has thresholds of the
 * probability with the precision and recall that they are expected to give; other models have a number of labels.
 * @module
 */

import { percent } from "./numbers.js";

/** @typedef {import("./api.js").Tag} Tag */
/** @typedef {{threshold: number, precision: number, recall: number, labels: number}} Point */

export const MOST_LABELS = 20;
export const DEFAULT_LABELS = 5;

/** From the most precise to the most complete. @param {Point[]} points @returns {Point[]} */
export function ordered(points) {
  return points
    .filter((point) => [point.threshold, point.precision, point.recall].every(Number.isFinite))
    .sort((one, other) => other.threshold - one.threshold);
}

/** Number of the point with the largest F1. @param {Point[]} points */
export function balanced(points) {
  const f1 = points.map(({ precision, recall }) => (2 * precision * recall) / Math.max(precision + recall, 1e-12));
  return f1.indexOf(Math.max(...f1));
}

/** One sentence for screen readers. @param {Point} point */
export function described(point) {
  const { threshold, precision, recall } = point;
  const shares = `${percent(precision)} precision, ${percent(recall)} recall`;
  return `${shares}, ${labelsPerDocument(point)} labels per text, probability ${percent(threshold)} or more`;
}

/** @param {Point} point */
export function labelsPerDocument({ labels }) {
  return Number.isFinite(labels) ? labels.toFixed(1) : "–";
}

/**
 * Whether a suggestion is shown as a label.
 * @param {Tag} tag
 * @param {number} rank From 0.
 * @param {{threshold: number} | {labels: number}} setting
 */
export function isShown(tag, rank, setting) {
  return "threshold" in setting ? (tag.probability ?? 0) >= setting.threshold : rank < setting.labels;
}
