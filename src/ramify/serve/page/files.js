/**
 * Text files that are dropped or opened.
 * @module
 */

import { Problem } from "./api.js";

const MOST_BYTES = 4 * 1024 * 1024;
const MOST_FILES = 100;

/**
 * The texts of files.
 * @param {Iterable<File>} files
 * @returns {Promise<{name: string, text: string}[]>}
 * @throws {Problem} A file that is too large, is no UTF-8 text, or is empty.
 */
export async function textsOf(files) {
  const given = [...files];
  if (given.length > MOST_FILES)
    throw new Problem(`There are ${given.length} files: open at most ${MOST_FILES} at a time.`, 0);
  return Promise.all(given.map(async (file) => ({ name: file.name, text: await textOf(file) })));
}

/** @param {File} file */
async function textOf(file) {
  if (file.size > MOST_BYTES) throw new Problem(`${file.name} has over 4 MiB: give a shorter text.`, 0);
  const text = decoded(await file.arrayBuffer());
  if (text === null || text.includes("\0"))
    throw new Problem(`${file.name} is no UTF-8 text: save it as a .txt file in UTF-8.`, 0);
  if (!text.trim()) throw new Problem(`${file.name} is empty: choose a file with a text.`, 0);
  return text;
}

/** @param {ArrayBuffer} bytes @returns {?string} */
function decoded(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
