/**
 * Giving a text: by typing, pasting anywhere on the page, dropping files, or opening them.
 * @module
 */

import { Problem } from "./api.js";
import { byId } from "./dom.js";
import { textsOf } from "./files.js";
import { showProblem } from "./notices.js";

/** @typedef {import("./session.js").Doc} Doc */
/** @typedef {{text: string, name?: string}} Given */

export class Editor {
  /** The document that is edited; null for a new one. @type {?Doc} */
  #doc = null;

  /** @param {(given: Given[], doc: ?Doc) => void} onText @param {() => void} onCancel */
  constructor(onText, onCancel) {
    this.form = byId("editor");
    this.input = byId("text");
    this.onText = onText;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#submit();
    });
    byId("cancel").addEventListener("click", onCancel);
    byId("open-files").addEventListener("click", () => byId("files").click());
    byId("files").addEventListener("change", () => this.#open(byId("files")));
    document.addEventListener("paste", (event) => this.#pasted(event));
    connectDrop(
      (files) => this.#read(files),
      (text) => this.onText([{ text }], null),
    );
  }

  /**
   * Show the form, empty or with the text of a document.
   * @param {?Doc} doc
   * @param {boolean} canCancel
   * @param {boolean} first Whether the session has no document, so that the steps are explained.
   */
  open(doc, canCancel, first) {
    const wasOpen = !this.form.hidden && this.#doc === doc;
    this.#doc = doc;
    this.form.hidden = false;
    if (!wasOpen) this.input.value = doc ? doc.text : "";
    byId("cancel").hidden = !canCancel;
    byId("steps").hidden = !first;
    byId("editor-heading").firstElementChild.textContent = doc
      ? `Edit the text of document ${doc.number}`
      : "Find the labels of a text";
  }

  close() {
    this.form.hidden = true;
    this.#doc = null;
  }

  #submit() {
    const text = this.input.value;
    if (!text.trim()) {
      showProblem(new Problem("There is no text: paste or type one.", 0));
      this.input.focus();
      return;
    }
    this.onText([{ text }], this.#doc);
  }

  #pasted(event) {
    const inField = event.target instanceof Element && event.target.closest("input, textarea, select, dialog");
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (inField || !text.trim()) return;
    event.preventDefault();
    this.onText([{ text }], null);
  }

  async #open(input) {
    const files = [...input.files];
    input.value = ""; // the same file may be opened again
    await this.#read(files);
  }

  async #read(files) {
    try {
      const given = await textsOf(files);
      if (given.length) this.onText(given, null);
    } catch (error) {
      showProblem(error);
    }
  }
}

/** Take files and texts that are dropped anywhere. */
function connectDrop(onFiles, onText) {
  const over = (shown) => document.documentElement.classList.toggle("dropping", shown);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) over(false);
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    const { files } = event.dataTransfer;
    const text = event.dataTransfer.getData("text/plain");
    if (files.length) onFiles([...files]);
    else if (text.trim()) onText(text);
  });
}
