/**
 * The models of the service and the one that is used.
 * @module
 */

import { byId, element } from "./dom.js";
import { counted } from "./numbers.js";

/** @typedef {import("./api.js").Model} Model */

/** Fires "change" events when another model is chosen. */
export class Models extends EventTarget {
  /** @type {Model[]} */
  all = [];
  /** @type {?Model} */
  current = null;

  /** Labels per text that a request may ask for. */
  mostLabels = Infinity;

  /** @param {import("./api.js").Api} api */
  async load(api) {
    const { models, most_k: mostLabels } = await api.models();
    this.all = models.map((model) => ({ calibrated: false, explains: true, tree: false, ...model }));
    this.mostLabels = mostLabels ?? Infinity;
    const select = byId("model");
    select.replaceChildren(...this.all.map((model) => element("option", { value: model.name }, model.name)));
    select.disabled = false;
    select.hidden = this.all.length < 2;
    byId("model-label").hidden = select.hidden;
    select.addEventListener("change", () => this.choose(select.value));
    this.choose(this.all[0]?.name);
  }

  /** @param {string} name */
  choose(name) {
    this.current = this.named(name) ?? null;
    byId("model-facts").textContent = this.current ? facts(this.current, this.all.length) : "";
    this.dispatchEvent(new Event("change"));
  }

  /** @param {string} name */
  named(name) {
    return this.all.find((model) => model.name === name);
  }
}

/** @param {Model} model @param {number} models */
function facts(model, models) {
  const own = models === 1 ? [model.name] : [];
  return [...own, counted(model.labels, "label"), model.calibrated ? "calibrated" : "not calibrated"].join(" · ");
}
