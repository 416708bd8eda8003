/**
 * The dialog that asks for an API key.
 * @module
 */

import { byId } from "./dom.js";

/** What a header can hold. */
const SENDABLE = /^[\x21-\x7e]+$/;

/**
 * Ask for a key; it is kept by the caller, in memory only.
 * @param {boolean} refused Whether a key was given and refused.
 * @returns {Promise<?string>} null if the user cancels.
 */
export function askForKey(refused) {
  const dialog = byId("key-dialog");
  const input = byId("key");
  byId("key-text").textContent = refused
    ? "The service refused this key. Check it and try again."
    : "This service asks for an API key. The page keeps it until the tab is closed.";
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((answer) => {
    const closed = () => {
      const key = dialog.returnValue;
      dialog.returnValue = input.value = ""; // nothing of the key stays in the document
      answer(key || null);
    };
    dialog.addEventListener("close", closed, { once: true });
  });
}

/** Connect the buttons of the dialog. */
export function connectKeyDialog() {
  const dialog = byId("key-dialog");
  byId("key-form").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const key = byId("key").value.trim();
    if (SENDABLE.test(key)) dialog.close(key);
    else byId("key-text").textContent = "A key consists of letters, digits and signs of ASCII, without spaces.";
  });
  byId("key-cancel").addEventListener("click", () => dialog.close(""));
}
