/**
 * The list of documents, and the download of their corrections.
 * @module
 */

import { byId, element, name } from "./dom.js";
import { download, lines } from "./corrections.js";
import { counted } from "./numbers.js";
import { announce } from "./notices.js";
import { confirmed } from "./session.js";

/** @typedef {import("./session.js").Doc} Doc */
/** @typedef {import("./session.js").Session} Session */

/** Keep the list like the session. @param {Session} session @param {() => void} onNew */
export function connectDocuments(session, onNew) {
  byId("new-document").addEventListener("click", onNew);
  byId("export").addEventListener("click", () => {
    download(session.documents);
    session.saved();
    announce(`Downloaded the labels of ${counted(lines(session.documents).length, "document")}.`);
  });
  session.addEventListener("change", () => render(session));
  window.addEventListener("beforeunload", (event) => {
    if (session.unsaved && lines(session.documents).length) event.preventDefault();
  });
  render(session);
}

function render(session) {
  const list = byId("documents");
  const focused = list.querySelector(":focus")?.dataset.document;
  list.replaceChildren(...session.documents.map((doc) => entry(session, doc)));
  scrollToCurrent(list);
  if (focused) list.querySelector(`[data-document="${focused}"]`)?.focus();
  byId("no-documents").hidden = session.documents.length > 0;
  renderExport(session.documents);
}

/** Within the list only: the page stays where it is. */
function scrollToCurrent(list) {
  const entry = list.querySelector("[aria-current]")?.parentElement;
  if (!entry) return;
  if (entry.offsetTop + entry.offsetHeight > list.scrollTop + list.clientHeight || entry.offsetTop < list.scrollTop)
    list.scrollTop = entry.offsetTop;
  const right = entry.offsetLeft + entry.offsetWidth;
  if (right > list.scrollLeft + list.clientWidth || entry.offsetLeft < list.scrollLeft)
    list.scrollLeft = right - list.clientWidth;
}

/** @param {Session} session @param {Doc} doc */
function entry(session, doc) {
  const attributes = {
    type: "button",
    "aria-current": doc === session.current ? "true" : null,
    "data-document": doc.number,
    on: { click: () => session.select(doc) },
  };
  const title = element("span", { class: "document-title", dir: "auto" }, name(doc.title));
  return element("li", {}, element("button", attributes, title, element("span", { class: "soft" }, state(doc))));
}

/** @param {Doc} doc */
function state(doc) {
  const right = confirmed(doc).length;
  const wrong = doc.decisions.size - right;
  if (doc.decisions.size === 0) return "no decisions";
  return [right && `${right} right`, wrong && `${wrong} rejected`].filter(Boolean).join(" · ");
}

function renderExport(documents) {
  const ready = documents.filter((doc) => confirmed(doc).length);
  const labels = ready.reduce((sum, doc) => sum + confirmed(doc).length, 0);
  byId("export").disabled = ready.length === 0;
  byId("export-hint").hidden = ready.length === 0;
  byId("export-summary").textContent = ready.length
    ? `${counted(labels, "label")} of ${counted(ready.length, "document")}, accepted or added.`
    : "Accept or add labels to collect training data.";
}
