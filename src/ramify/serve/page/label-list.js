/**
 * The labels of a document: those at the operating point, those that the user decided on, and the less probable rest.
 * @module
 */

import { element, icon } from "./dom.js";
import { counted } from "./numbers.js";
import { LabelRow } from "./label-row.js";
import { isShown } from "./operating-points.js";

/** @typedef {import("./api.js").Tag} Tag */
/** @typedef {import("./session.js").Doc} Doc */

export class LabelList {
  /** @type {Map<string, LabelRow>} */
  #rows = new Map();
  /** Labels in view, the first ones first. @type {string[]} */
  shown = [];
  /** Whether the suggestions are of a document that was just chosen. */
  isNew = true;

  /**
   * @param {HTMLElement} root
   * @param {import("./label-row.js").RowActions & {onAcceptAll: (labels: string[]) => void}} actions
   */
  constructor(root, actions) {
    this.actions = actions;
    this.heading = element("h3", {});
    this.all = element("button", { type: "button", class: "quiet" }, icon("check"), "Accept all");
    this.all.addEventListener("click", () => actions.onAcceptAll(this.shown));
    this.main = element("ul", { class: "labels" });
    this.empty = element("p", { class: "soft hint" });
    this.restName = element("summary", {});
    this.rest = element("ul", { class: "labels" });
    this.more = element("details", { class: "more" }, this.restName, this.rest);
    this.lists = element("div", { class: "label-lists" }, this.main, this.empty, this.more);
    root.replaceChildren(element("div", { class: "labels-head" }, this.heading, this.all), this.lists);
  }

  /** @param {Doc} doc @param {Tag[]} tags New suggestions. */
  set(doc, tags) {
    this.doc = doc;
    this.tags = tags;
    this.#rows.clear();
    this.isNew = true;
  }

  /** @param {{threshold: number} | {labels: number}} setting The operating point. */
  update(setting) {
    const { decisions } = this.doc;
    const extra = [...decisions.keys()].filter((label) => !this.tags.some((tag) => tag.label === label));
    const above = this.tags.filter((tag, rank) => isShown(tag, rank, setting) || decisions.has(tag.label));
    const below = this.tags.filter((tag) => !above.includes(tag));
    this.shown = this.tags.filter((tag, rank) => isShown(tag, rank, setting)).map((tag) => tag.label);
    const focused = this.lists.contains(document.activeElement) ? document.activeElement : null;
    place(this.main, [
      ...extra.map((label) => this.#row(label, null)),
      ...above.map((tag) => this.#row(tag.label, tag)),
    ]);
    place(
      this.rest,
      below.map((tag) => this.#row(tag.label, tag)),
    );
    for (const [label, row] of this.#rows) row.update(decisions.get(label));
    if (focused && document.activeElement !== focused) this.#focusAgain(focused);
    this.#describe(extra.length + above.length, below.length);
  }

  /** @param {?string} label */
  mark(label) {
    for (const [own, row] of this.#rows) row.mark(own === label);
  }

  /** @param {string} label */
  row(label) {
    return this.#rows.get(label);
  }

  /** A row that moves into the closed list would lose the focus; moved rows lose it in any case. */
  #focusAgain(focused) {
    if (focused.isConnected && focused.checkVisibility()) focused.focus();
    else this.restName.focus();
  }

  #describe(shown, below) {
    const open = this.shown.filter((label) => !this.doc.decisions.has(label));
    this.heading.textContent = counted(shown, "label");
    this.all.disabled = open.length === 0;
    this.all.hidden = shown === 0;
    this.empty.hidden = shown > 0;
    this.empty.textContent = this.tags.length
      ? "No suggestion reaches this point: move the slider to the right, or add a label."
      : "The model suggests no label, because it knows none of the words: add labels by hand.";
    this.more.hidden = below === 0;
    if (this.isNew) this.more.open = shown === 0; // there is nothing else to read
    this.isNew = false;
    this.restName.textContent = `${counted(below, "suggestion")} below this point`;
  }

  #row(label, tag) {
    const kept = this.#rows.get(label);
    if (kept) return kept;
    const row = new LabelRow(label, tag, this.actions);
    this.#rows.set(label, row);
    return row;
  }
}

/** Make rows the children of a list, and move only what is elsewhere. @param {Element} list @param {LabelRow[]} rows */
function place(list, rows) {
  const wanted = new Set(rows.map((row) => row.root));
  for (const child of [...list.children]) if (!wanted.has(child)) child.remove();
  rows.forEach((row, at) => {
    if (list.children[at] !== row.root) list.insertBefore(row.root, list.children[at] ?? null);
  });
}
