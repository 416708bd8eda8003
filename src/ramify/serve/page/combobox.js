/**
 * A text field with a list of suggestions: the editable combobox with list autocomplete of the WAI-ARIA practices. The
 * focus stays in the field; the arrow keys move over the list, Enter chooses, Escape closes.
 * @module
 */

import { element, name, paused } from "./dom.js";

/** @typedef {{label: string, detail?: string, isNew?: boolean}} Option */

const PAUSE = 120; // milliseconds after the last key

export class Combobox {
  /** @type {Option[]} */
  #options = [];
  #active = -1;
  /** @type {?AbortController} */
  #running = null;
  #wait = paused(PAUSE);

  /**
   * @param {object} parts
   * @param {any} parts.input
   * @param {any} parts.list Element of the list, with an id.
   * @param {(text: string, signal: AbortSignal) => Promise<Option[]>} parts.search
   * @param {(option: Option) => void} parts.onChoose
   * @param {(error: unknown) => void} parts.onProblem
   * @param {(text: string) => void} parts.announce
   */
  constructor(parts) {
    this.input = parts.input;
    this.list = parts.list;
    this.search = parts.search;
    this.onChoose = parts.onChoose;
    this.onProblem = parts.onProblem;
    this.announce = parts.announce;
    const fixed = {
      role: "combobox",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": this.list.id,
    };
    for (const [key, value] of Object.entries(fixed)) this.input.setAttribute(key, value);
    this.list.setAttribute("role", "listbox");
    this.input.addEventListener("input", () => this.#typed());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.input.addEventListener("blur", () => this.close());
    this.list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
  }

  close() {
    this.#running?.abort();
    this.#wait(() => undefined);
    this.#active = -1;
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  #typed() {
    if (this.input.value.trim()) this.#wait(() => this.#search());
    else this.close();
  }

  async #search() {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    try {
      const options = await this.search(this.input.value.trim(), running.signal);
      if (!running.signal.aborted) this.#show(options);
    } catch (error) {
      if (!running.signal.aborted) this.onProblem(error);
    }
  }

  /** @param {Option[]} options */
  #show(options) {
    this.#options = options;
    this.#active = -1;
    this.input.removeAttribute("aria-activedescendant");
    const rows = options.map((option, at) => this.#row(option, at));
    this.list.replaceChildren(
      ...(rows.length
        ? rows
        : [element("li", { class: "none soft", role: "option", "aria-disabled": "true" }, "No label found")]),
    );
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.announce(options.length === 1 ? "1 suggestion" : `${options.length} suggestions`);
  }

  #row(option, at) {
    const text = option.isNew ? element("span", {}, "New label: ", name(option.label)) : name(option.label);
    const detail = option.detail ? element("small", { class: "soft" }, option.detail) : null;
    const click = () => this.#choose(at);
    return element(
      "li",
      { role: "option", id: `${this.list.id}-${at}`, "aria-selected": "false", on: { click } },
      text,
      detail,
    );
  }

  #key(event) {
    const open = !this.list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (open) this.#move(event.key === "ArrowDown" ? 1 : -1);
      else if (this.input.value.trim()) this.#search();
    } else if (event.key === "Enter" && open && this.#options.length) {
      event.preventDefault();
      this.#choose(Math.max(this.#active, 0));
    } else if (event.key === "Escape") {
      if (!open) this.input.value = "";
      this.close();
    }
  }

  #move(step) {
    const n = this.#options.length;
    if (!n) return;
    this.list.children[this.#active]?.setAttribute("aria-selected", "false");
    this.#active = this.#active < 0 ? (step > 0 ? 0 : n - 1) : (this.#active + step + n) % n;
    const row = this.list.children[this.#active];
    row.setAttribute("aria-selected", "true");
    row.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", row.id);
  }

  #choose(at) {
    const option = this.#options[at];
    this.input.value = "";
    this.close();
    this.onChoose(option);
  }
}
