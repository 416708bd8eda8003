/**
 * The session: documents, and what the user decided about their labels. It holds no elements; views listen to it.
 * @module
 */

/** @typedef {"accepted" | "rejected" | "added"} Decision */
/**
 * @typedef {object} Doc
 * @property {number} number From 1; never used twice.
 * @property {string} text
 * @property {string} title First words of the text, or the name of its file.
 * @property {Map<string, Decision>} decisions By label.
 */

const TITLE = 80;

/** Fires "change" events. */
export class Session extends EventTarget {
  /** @type {Doc[]} */
  documents = [];
  /** @type {?Doc} */
  current = null;
  /** Labels that no model has; users named them. @type {Set<string>} */
  newLabels = new Set();
  /** Whether there are decisions that were not downloaded. */
  unsaved = false;
  #last = 0;

  /** @param {string} text @param {string} [fileName] @returns {Doc} */
  add(text, fileName) {
    this.#last += 1;
    const doc = { number: this.#last, text: clean(text), title: fileName ?? titleOf(text), decisions: new Map() };
    this.documents.push(doc);
    return doc;
  }

  /** @param {?Doc} doc Null: no document, so that a new text can be given. */
  select(doc) {
    this.current = doc;
    this.#changed();
  }

  /** Accepted and added labels stay; rejections of the old text do not. @param {Doc} doc @param {string} text */
  setText(doc, text) {
    doc.text = clean(text);
    doc.title = titleOf(text);
    this.current = doc;
    for (const [label, decision] of [...doc.decisions]) if (decision === "rejected") doc.decisions.delete(label);
    this.#changed();
  }

  /** @param {Doc} doc */
  remove(doc) {
    const at = this.documents.indexOf(doc);
    this.documents.splice(at, 1);
    if (this.current === doc) this.current = this.documents[Math.min(at, this.documents.length - 1)] ?? null;
    this.#changed();
  }

  /** A second click takes a decision back. @param {Doc} doc @param {string} label @param {Decision} decision */
  toggle(doc, label, decision) {
    const same = doc.decisions.get(label) === decision;
    if (same) doc.decisions.delete(label);
    else doc.decisions.set(label, decision);
    this.unsaved = true;
    this.#changed();
    return !same;
  }

  /** Accept those without a decision. @param {Doc} doc @param {string[]} labels @returns {number} how many */
  acceptAll(doc, labels) {
    const open = labels.filter((label) => !doc.decisions.has(label));
    for (const label of open) doc.decisions.set(label, "accepted");
    this.unsaved ||= open.length > 0;
    this.#changed();
    return open.length;
  }

  /** The decisions were downloaded. */
  saved() {
    this.unsaved = false;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** Labels of a document that are right, by the user. @param {Doc} doc @returns {string[]} */
export function confirmed(doc) {
  return [...doc.decisions].filter(([, decision]) => decision !== "rejected").map(([label]) => label);
}

/** With the line ends of a text area, and without halves of surrogate pairs. @param {string} text */
function clean(text) {
  return text
    .replace(/\r\n?/g, "\n")
    .replace(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, "\uFFFD");
}

/** @param {string} text */
function titleOf(text) {
  const words = clean(text.slice(0, 4 * TITLE))
    .trim()
    .replace(/\s+/g, " ");
  return words.length > TITLE ? `${[...words].slice(0, TITLE).join("")}…` : words;
}
