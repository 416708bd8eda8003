/**
 * One label of a document: name, probability or score, accept, reject, and a card that opens below.
 * @module
 */

import { element, icon, name, spoken } from "./dom.js";
import { percent, score } from "./numbers.js";

/** @typedef {import("./api.js").Tag} Tag */
/** @typedef {import("./session.js").Decision} Decision */
/**
 * @typedef {object} RowActions
 * @property {(label: string, decision: Decision) => void} onDecide
 * @property {(label: string) => void} onOpen Toggle the card.
 * @property {(label: ?string) => void} onMark Highlight the words for a label; null: for the default one.
 */

export class LabelRow {
  /**
   * @param {string} label
   * @param {?Tag} tag Null for a label that the model did not suggest.
   * @param {RowActions} actions
   */
  constructor(label, tag, actions) {
    this.label = label;
    const id = `card-${(LabelRow.number += 1)}`;
    this.state = element("span", { class: "state soft" });
    this.open = element(
      "button",
      {
        type: "button",
        class: "label-name",
        "aria-expanded": "false",
        "aria-controls": id,
        on: { click: () => actions.onOpen(label) },
      },
      icon("chevron"),
      element("span", {}, name(label), this.state),
    );
    this.accept = decisionButton("check", "Accept", label, () =>
      actions.onDecide(label, this.added ? "added" : "accepted"),
    );
    this.reject = decisionButton("cross", "Reject", label, () => actions.onDecide(label, "rejected"));
    this.card = element("div", { id, class: "card", hidden: true });
    const head = element("div", { class: "label-head" }, this.open, valueOf(tag), this.accept, this.reject);
    this.root = element("li", { class: "label" }, head, ...(tag ? [bar(tag)] : []), this.card);
    this.root.addEventListener("mouseenter", () => actions.onMark(label));
    this.root.addEventListener("mouseleave", () => actions.onMark(null));
    head.addEventListener("focusin", () => actions.onMark(label));
    head.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {Decision | undefined} decision */
  update(decision) {
    this.added = decision === "added";
    const right = decision === "accepted" || decision === "added";
    this.accept.setAttribute("aria-pressed", String(right));
    this.reject.setAttribute("aria-pressed", String(decision === "rejected"));
    this.root.classList.toggle("right", right);
    this.root.classList.toggle("wrong", decision === "rejected");
    this.state.textContent = this.added ? " added by you" : "";
  }

  /** @param {boolean} marked Whether its words are highlighted. */
  mark(marked) {
    this.root.classList.toggle("marked", marked);
  }

  /** @param {?Node} content Of the card; null closes it. */
  show(content) {
    this.open.setAttribute("aria-expanded", String(content !== null));
    this.card.hidden = content === null;
    this.card.replaceChildren(...(content ? [content] : []));
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "a") this.accept.click();
    else if (event.key === "r") this.reject.click();
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const names = [...this.root.closest(".label-lists").querySelectorAll(".label-name")].filter((one) =>
        one.checkVisibility(),
      );
      const at = names.indexOf(this.open) + (event.key === "ArrowDown" ? 1 : -1);
      names[at]?.focus();
      event.preventDefault();
    }
  }
}
LabelRow.number = 0;

function decisionButton(symbol, verb, label, click) {
  const attributes = {
    type: "button",
    class: `icon-button ${symbol}`,
    "aria-pressed": "false",
    title: `${verb} (key ${verb[0].toLowerCase()})`,
    "aria-keyshortcuts": verb[0].toLowerCase(),
    on: { click },
  };
  return element("button", attributes, icon(symbol), spoken(`${verb} ${label}`));
}

/** @param {?Tag} tag */
function valueOf(tag) {
  if (!tag) return element("span", { class: "value soft" });
  const known = Number.isFinite(tag.probability);
  const value = known ? percent(tag.probability) : score(tag.score);
  return element("span", { class: "value" }, spoken(known ? "probability " : "score "), value);
}

/** @param {Tag} tag */
function bar(tag) {
  const share = Math.max(0, Math.min(1, tag.probability ?? tag.score));
  const fill = element("span", { class: Number.isFinite(tag.probability) ? "fill" : "fill score" });
  fill.style.setProperty("width", `${100 * share}%`);
  return element("span", { class: "bar", "aria-hidden": "true" }, fill);
}
