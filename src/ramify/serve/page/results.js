/**
 * Answers of the service for documents, kept so that going back to a document or a label costs no request.
 * @module
 */

/** @typedef {import("./api.js").Tag} Tag */
/** @typedef {import("./api.js").Model} Model */
/** @typedef {import("./session.js").Doc} Doc */

/** Suggestions per document. */
const K = 50;
/** Status of a request for reasons of a text that is longer than the limit of the service. */
const TOO_LONG = 422;

export class Results {
  /** @type {Map<string, Promise<any>>} */
  #kept = new Map();
  /** Numbers of texts, as parts of keys. @type {Map<string, number>} */
  #numbers = new Map();
  /** Models and texts that have no reasons, because the text is too long for them. @type {Set<string>} */
  #unexplained = new Set();

  /** Model -> the version whose answers are kept. @type {Map<string, string>} */
  #versions = new Map();

  /** @param {import("./api.js").Api} api @param {import("./models.js").Models} models */
  constructor(api, models) {
    this.api = api;
    this.models = models;
  }

  /** Suggestions in descending order. @param {Doc} doc @param {Model} model @returns {Promise<Tag[]>} */
  tags(doc, model) {
    return this.#once([model.name, this.#number(doc)], async () => {
      const k = Math.min(K, model.labels || K, this.models.mostLabels);
      const answer = await this.#tag({ text: doc.text, model: model.name, k, probabilities: model.calibrated });
      return ranked(answer.documents[0].labels);
    });
  }

  /** Whether the labels of a document have reasons. @param {Doc} doc @param {Model} model */
  explains(doc, model) {
    return model.explains && !this.#unexplained.has(this.#place(doc, model));
  }

  /**
   * One label with its path, and with its reasons where there are any.
   * @param {Doc} doc @param {Model} model @param {string} label
   * @returns {Promise<?Tag>} null if the model gives the label no score.
   */
  async reasons(doc, model, label) {
    if (!this.explains(doc, model)) return model.tree ? this.#one(doc, model, label, false) : null;
    try {
      return await this.#one(doc, model, label, true);
    } catch (error) {
      if (error?.status !== TOO_LONG) throw error;
      this.#unexplained.add(this.#place(doc, model));
      return this.reasons(doc, model, label);
    }
  }

  /** @param {Doc} doc @param {Model} model @param {string} label @param {boolean} why @returns {Promise<?Tag>} */
  #one(doc, model, label, why) {
    return this.#once([model.name, this.#number(doc), label, why], async () => {
      const wanted = { allowed: [label], k: 1, why, probabilities: model.calibrated, path: model.tree };
      const answer = await this.#tag({ text: doc.text, model: model.name, ...wanted });
      return answer.documents[0].labels[0] ?? null;
    });
  }

  /** An answer. Those of an earlier version of the model are dropped. @param {Record<string, any>} body */
  async #tag(body) {
    const answer = await this.api.tag(body);
    const earlier = this.#versions.get(body.model);
    this.#versions.set(body.model, answer.version);
    if (earlier && earlier !== answer.version) this.#drop(body.model);
    return answer;
  }

  /** @param {string} name */
  #drop(name) {
    for (const kept of [this.#kept, this.#unexplained])
      for (const key of [...kept.keys()]) if (JSON.parse(key)[0] === name) kept.delete(key);
  }

  /** What the model holds on a label. @param {Model} model @param {string} label */
  label(model, label) {
    return this.#once([model.name, label, "label"], () => this.api.label(label, model.name));
  }

  /** @param {Model} model @returns {Promise<any[]>} */
  operatingPoints(model) {
    return this.#once([model.name, "points"], () => this.api.operatingPoints(model.name));
  }

  /** @param {Doc} doc */
  #number({ text }) {
    const number = this.#numbers.get(text) ?? this.#numbers.size;
    this.#numbers.set(text, number);
    return number;
  }

  #place(doc, model) {
    return JSON.stringify([model.name, this.#number(doc)]);
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
