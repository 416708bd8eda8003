/**
 * The client of the HTTP service. Addresses are relative to the page, so that a proxy may serve it below a prefix.
 * @module
 */

/** @typedef {{level: number, node: number, size: number, labels: string[]}} TreeNode */
/** @typedef {{for: [string, number][], against: [string, number][], spans: [number, number, number][]}} Why */
/**
 * @typedef {object} Tag
 * @property {string} label
 * @property {?string} key
 * @property {number} score
 * @property {?number} probability
 * @property {Why} [why]
 * @property {TreeNode[]} [path]
 */
/**
 * @typedef {object} Model
 * @property {string} name
 * @property {string} version
 * @property {string} kind
 * @property {number} labels
 * @property {boolean} calibrated
 * @property {boolean} explains
 * @property {boolean} tree
 * @property {string[]} needs
 */

const BUSY = new Set([429, 503]);
const TRIES = 3;
const LONGEST_WAIT = 5; // seconds
const LONGEST_QUERY = 200; // characters

/** What went wrong, as one sentence. */
export class Problem extends Error {
  /** @param {string} detail @param {number} status HTTP status; 0 if there is no answer. */
  constructor(detail, status) {
    super(detail);
    this.status = status;
  }
}

export class Api {
  /** @type {?string} */
  #key = null;
  /** @type {?Promise<?string>} */
  #asking = null;

  /** @param {(refused: boolean) => Promise<?string>} askForKey Asks the user; null if they cancel. */
  constructor(askForKey) {
    this.askForKey = askForKey;
  }

  /** @returns {Promise<{models: Model[], most_k: number}>} */
  models() {
    return this.#get("v1/models", {});
  }

  /**
   * @param {Record<string, any>} body See POST /v1/tag.
   * @param {AbortSignal} [signal]
   */
  tag(body, signal) {
    const init = {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal,
    };
    return this.#send("v1/tag", init);
  }

  /** None for a long query, which the service refuses. @param {string} q @param {string} model @param {AbortSignal} [signal] */
  async labels(q, model, signal) {
    if (q.length > LONGEST_QUERY) return [];
    return (await this.#get("v1/labels", { q, model, limit: 12 }, signal)).labels;
  }

  /** @param {string} label @param {string} model */
  label(label, model) {
    return this.#get("v1/label", { label, model });
  }

  /** The root without a node. @param {string} model @param {TreeNode} [node] */
  tree(model, node) {
    return this.#get("v1/tree", node ? { model, level: node.level, node: node.node } : { model });
  }

  /** @param {string} model */
  async operatingPoints(model) {
    return (await this.#get("v1/operating-points", { model })).points;
  }

  #get(path, query, signal) {
    return this.#send(`${path}?${new URLSearchParams(query)}`, { signal });
  }

  async #send(path, init, tries = TRIES) {
    const key = this.#key;
    const headers = { Accept: "application/json", ...init.headers };
    if (key !== null) headers.Authorization = `Bearer ${key}`;
    const answer = await this.#fetched(path, { ...init, headers });
    if (answer.ok) return answer.json();
    if (answer.status === 401 && (key !== this.#key || (await this.#newKey()))) return this.#send(path, init, tries);
    const wait = Number(answer.headers.get("Retry-After") ?? 1);
    if (BUSY.has(answer.status) && tries > 1 && wait <= LONGEST_WAIT) {
      await new Promise((done) => setTimeout(done, 1000 * wait));
      return this.#send(path, init, tries - 1);
    }
    throw await problemOf(answer);
  }

  async #fetched(path, init) {
    try {
      return await fetch(path, init);
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new Problem("The service does not answer: check that ramify serve is running.", 0);
    }
  }

  /** Ask once for all requests that wait for a key. */
  async #newKey() {
    this.#asking ??= this.askForKey(this.#key !== null);
    const key = await this.#asking;
    this.#asking = null;
    if (key !== null) this.#key = key;
    return key !== null;
  }
}

/** @param {Response} answer @returns {Promise<Problem>} */
async function problemOf(answer) {
  try {
    const { detail, title } = await answer.json();
    const text = typeof detail === "string" && detail ? detail : title;
    if (typeof text === "string" && text) return new Problem(sentence(text), answer.status);
  } catch {
    // not JSON: an answer of a proxy
  }
  return new Problem(`The service answered with status ${answer.status}.`, answer.status);
}

/** With a capital letter and a full stop. @param {string} text */
function sentence(text) {
  return text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}
