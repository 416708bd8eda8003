/**
 * Answers of the service for documents, kept so that going back to a document or a label costs no request.
 * @module
 */

/** @typedef {import("./api.js").Tag} Tag */
/** @typedef {import("./api.js").Model} Model */
/** @typedef {import("./session.js").Doc} Doc */

/** Suggestions per document. */
const K = 50;

export class Results {
  /** @type {Map<string, Promise<any>>} */
  #kept = new Map();

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    this.api = api;
  }

  /** Suggestions in descending order. @param {Doc} doc @param {Model} model @returns {Promise<Tag[]>} */
  tags(doc, model) {
    return this.#once([model.name, doc.text], async () => {
      const k = model.labels ? Math.min(K, model.labels) : K;
      const answer = await this.api.tag({
        text: doc.text,
        model: model.name,
        k,
        probabilities: model.calibrated,
      });
      return ranked(answer.documents[0].labels);
    });
  }

  /**
   * One label with its reasons and its path.
   * @param {Doc} doc @param {Model} model @param {string} label
   * @returns {Promise<?Tag>} null if the model gives the label no score.
   */
  reasons(doc, model, label) {
    return this.#once([model.name, doc.text, label], async () => {
      /** @type {Record<string, any>} */
      const wanted = { allowed: [label], k: 1, why: model.explains, probabilities: model.calibrated };
      if (model.tree) wanted.path = true; // a service without paths refuses the field
      const answer = await this.api.tag({ text: doc.text, model: model.name, ...wanted });
      return answer.documents[0].labels[0] ?? null;
    });
  }

  /** What the model holds on a label. @param {Model} model @param {string} label */
  label(model, label) {
    return this.#once([model.name, label, "label"], () => this.api.label(label, model.name));
  }

  /** @param {Model} model @returns {Promise<any[]>} */
  operatingPoints(model) {
    return this.#once([model.name, "points"], () => this.api.operatingPoints(model.name));
  }

  #once(parts, ask) {
    const key = JSON.stringify(parts);
    const kept = this.#kept.get(key);
    if (kept) return kept;
    const asked = ask();
    this.#kept.set(key, asked);
    asked.catch(() => this.#kept.delete(key));
    return asked;
  }
}

/** By probability if there are any, otherwise by score. @param {Tag[]} tags @returns {Tag[]} */
function ranked(tags) {
  return [...tags].sort((one, other) => (other.probability ?? 0) - (one.probability ?? 0) || other.score - one.score);
}
