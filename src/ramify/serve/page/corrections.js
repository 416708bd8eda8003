/**
 * Corrections as JSON lines that `ramify train` reads: {"text": "...", "labels": ["...", "..."]}.
 * @module
 */

import { element } from "./dom.js";
import { confirmed } from "./session.js";

/** @typedef {import("./session.js").Doc} Doc */

/** One line per document with an accepted or added label. @param {Doc[]} documents @returns {string[]} */
export function lines(documents) {
  return documents
    .map((doc) => ({ text: doc.text, labels: confirmed(doc) }))
    .filter(({ labels }) => labels.length > 0)
    .map((record) => JSON.stringify(record));
}

/** @param {Doc[]} documents @param {Date} [now] */
export function download(documents, now = new Date()) {
  const content = lines(documents).map((line) => `${line}\n`);
  const address = URL.createObjectURL(new Blob(content, { type: "application/jsonl" }));
  const day = [now.getFullYear(), now.getMonth() + 1, now.getDate()].map((part) => String(part).padStart(2, "0"));
  const link = element("a", { href: address, download: `corrections-${day.join("-")}.jsonl` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
