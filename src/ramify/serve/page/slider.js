/**
 * The slider of the operating point, with the curves of expected precision and recall above it.
 * @module
 */

import { drawn, element } from "./dom.js";
import { percent } from "./numbers.js";
import { balanced, DEFAULT_LABELS, described, labelsPerDocument, MOST_LABELS } from "./operating-points.js";

/** @typedef {import("./operating-points.js").Point} Point */
/** @typedef {{threshold: number} | {labels: number}} Setting */

const WIDTH = 200;
const HEIGHT = 44;

export class Slider {
  /** @type {Setting} */
  setting = { labels: DEFAULT_LABELS };
  /** Position chosen by the user, by model. @type {Map<string, number>} */
  #positions = new Map();

  /** @param {HTMLElement} root @param {() => void} onChange */
  constructor(root, onChange) {
    this.root = root;
    this.onChange = onChange;
  }

  /**
   * Build the slider for a model.
   * @param {import("./api.js").Model} model
   * @param {Point[]} points Ordered; empty for a model without calibration.
   */
  set(model, points) {
    const start = points.length ? balanced(points) : DEFAULT_LABELS;
    const input = rangeInput(points, this.#positions.get(model.name) ?? start);
    const facts = element("dl", { class: "operating-facts" });
    const chart = points.length > 1 ? curves(points) : null;
    this.root.replaceChildren(
      ...[heading(points), chart?.root, input, ends(points), facts, note(model)].filter(Boolean),
    );
    const update = () => {
      const at = Number(input.value);
      const point = points[at];
      this.setting = point ? { threshold: point.threshold } : { labels: at };
      input.setAttribute("aria-valuetext", point ? described(point) : `${at} labels`);
      facts.replaceChildren(...(point ? pointFacts(point) : [fact("labels shown", String(at))]));
      chart?.move(at);
    };
    input.addEventListener("input", () => {
      this.#positions.set(model.name, Number(input.value));
      update();
      this.onChange();
    });
    update();
  }
}

function heading(points) {
  const title = element("label", { for: "operating-point" }, points.length ? "Operating point" : "Number of labels");
  const expected = points.length ? element("span", { class: "soft" }, "expected for new texts") : null;
  return element("div", { class: "operating-head" }, title, expected);
}

function rangeInput(points, value) {
  const [min, max] = points.length ? [0, points.length - 1] : [1, MOST_LABELS];
  return element("input", { type: "range", id: "operating-point", min, max, step: 1, value });
}

function ends(points) {
  const names = points.length ? ["precise", "complete"] : ["few", "many"];
  const parts = names.map((end) => element("span", {}, end));
  return element("div", { class: "ends soft", "aria-hidden": "true" }, ...parts);
}

function note(model) {
  if (model.calibrated) return null;
  const text = "The model is not calibrated: labels have scores, not probabilities.";
  return element("p", { class: "soft hint" }, text);
}

/** @param {Point} point */
function pointFacts(point) {
  return [
    fact("precision", percent(point.precision), "precision"),
    fact("recall", percent(point.recall), "recall"),
    fact("labels per text", labelsPerDocument(point)),
    fact("probability", `≥ ${percent(point.threshold)}`),
  ];
}

function fact(title, value, kind = "") {
  return element("div", { class: kind }, element("dt", {}, title), element("dd", {}, value));
}

/** Precision and recall over the positions of the slider. @param {Point[]} points */
function curves(points) {
  const x = (at) => (WIDTH * at) / (points.length - 1);
  const y = (share) => 2 + (HEIGHT - 4) * (1 - share);
  const line = (key) =>
    drawn("polyline", {
      class: key,
      points: points.map((point, at) => `${x(at).toFixed(1)},${y(point[key]).toFixed(1)}`).join(" "),
    });
  const cursor = drawn("line", { class: "cursor", y1: 0, y2: HEIGHT });
  const attributes = {
    class: "curves",
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  };
  const base = drawn("line", { class: "base", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT });
  const root = drawn("svg", attributes, base, cursor, line("precision"), line("recall"));
  const move = (at) => ["x1", "x2"].forEach((name) => cursor.setAttribute(name, x(at).toFixed(1)));
  return { root, move };
}
