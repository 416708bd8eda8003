/**
 * Elements made in code. Texts become text nodes, never HTML, so that no text or label can change the page.
 * @module
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Create an element.
 * @param {string} tag Name of the element.
 * @param {Record<string, any>} [attributes] Attributes; `on` is an object of event listeners; null, undefined and
 *   false leave an attribute out, true sets it without a value.
 * @param {...(Node | string | number | null | undefined)} children Strings become text nodes.
 * @returns {any}
 */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/**
 * Create an element of SVG.
 * @param {string} tag Name of the element.
 * @param {Record<string, any>} [attributes] As in {@link element}.
 * @param {...Node} children Children.
 * @returns {any}
 */
export function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/**
 * An icon of the page, hidden from screen readers.
 * @param {string} name Id of a symbol in index.html.
 */
export function icon(name) {
  return drawn("svg", { class: "icon", "aria-hidden": "true" }, drawn("use", { href: `#${name}` }));
}

/**
 * A name in an element that keeps letters from right to left from changing the order of what stands beside it.
 * @param {string} text
 */
export function name(text) {
  return element("bdi", {}, text);
}

/**
 * Text for screen readers only.
 * @param {string} text
 */
export function spoken(text) {
  return element("span", { class: "spoken" }, text);
}

/**
 * The element of an id in index.html.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no element ${id}`);
  return found;
}

/**
 * All elements of a selector.
 * @param {string} selector
 * @returns {any[]}
 */
export function all(selector) {
  return [...document.querySelectorAll(selector)];
}

/** A function that calls the last function it was given after a pause: for input of a person. */
export function paused(milliseconds) {
  let timer = 0;
  return (/** @type {() => void} */ action) => {
    clearTimeout(timer);
    timer = setTimeout(action, milliseconds);
  };
}

function filled(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(key, value === true ? "" : String(value));
    }
  }
  made.append(...children.filter((child) => child !== null && child !== undefined).map(asNode));
  return made;
}

function asNode(child) {
  return child instanceof Node ? child : document.createTextNode(String(child));
}
