/**
 * Messages: problems are shown at the top of the page until they are dismissed; news are read by screen readers only.
 * @module
 */

import { byId, element, icon } from "./dom.js";
import { Problem } from "./api.js";

/** Show a problem as its one sentence. @param {unknown} error */
export function showProblem(error) {
  if (error instanceof DOMException && error.name === "AbortError") return;
  const text =
    error instanceof Problem ? error.message : `The page failed: ${error instanceof Error ? error.message : error}`;
  const close = element("button", { type: "button", class: "icon-button", "aria-label": "Dismiss" }, icon("cross"));
  const notice = element("div", { class: "notice" }, element("p", {}, text), close);
  close.addEventListener("click", () => notice.remove());
  byId("notices").replaceChildren(notice);
}

/** Take the last problem away. */
export function clearProblem() {
  byId("notices").replaceChildren();
}

/** Let screen readers read a sentence when they are free. @param {string} text */
export function announce(text) {
  byId("status").textContent = text;
}
