/**
 * What is known of a label: the words for and against it in a text, its path through the label tree, its senses.
 * @module
 */

import { element, name } from "./dom.js";
import { count, counted, signed } from "./numbers.js";

/** @typedef {import("./api.js").Tag} Tag */
/** @typedef {import("./api.js").TreeNode} TreeNode */
/** @typedef {{path: TreeNode[]}} Sense */
/** @typedef {{label: string, key: ?string, documents: ?number, senses: Sense[], siblings: string[]}} Known */

const WORDS = 8;
const NAMES = 3;
const SIBLINGS = 8;

/**
 * @param {object} parts
 * @param {?Tag} parts.tag With reasons and path; null without a text.
 * @param {?Known} parts.known Null if the service holds nothing on the label.
 * @param {(path: TreeNode[], label: string) => void} [parts.onShowInTree]
 * @param {?string} [parts.note] Why there are no words.
 */
export function labelCard({ tag, known, onShowInTree, note = null }) {
  const path = tag?.path ?? [];
  // A tree without clusters has paths of one node, the label itself.
  const senses = (known?.senses ?? []).filter((sense) => sense.path.length > 1);
  const label = known?.label ?? tag?.label ?? "";
  return element(
    "div",
    { class: "card-body" },
    ...(tag?.why
      ? [words("Words for it", tag.why.for, "for"), words("Words against it", tag.why.against, "against")]
      : [note && element("p", { class: "soft" }, note)]),
    ...(path.length > 1 && senses.length < 2
      ? [pathSection("Path through the label tree", path, label, onShowInTree)]
      : []),
    ...(senses.length > 1 || (senses.length && !path.length) ? [sensesSection(senses, path, label, onShowInTree)] : []),
    ...facts(known, senses.length > 0),
  );
}

function words(title, found, kind) {
  const shown = found.slice(0, WORDS);
  if (!shown.length) return null;
  const chips = shown.map(([word, weight]) =>
    element("li", { class: kind }, name(word), " ", element("small", {}, signed(weight))),
  );
  return section(title, element("ul", { class: "chips" }, ...chips));
}

function pathSection(title, path, label, onShowInTree) {
  return section(title, pathList(path, label), ...showButton(path, label, onShowInTree));
}

/** Clusters from the top; the leaf is the label itself. @param {TreeNode[]} path @param {string} label */
function pathList(path, label) {
  const clusters = path.filter((node, at) => at < path.length - 1 || node.size > 1);
  const steps = clusters.map((node) =>
    element("li", {}, element("span", { class: "size" }, counted(node.size, "label")), " ", names(node.labels)),
  );
  return element(
    "ol",
    { class: "path" },
    ...steps,
    element("li", { class: "end" }, element("strong", {}, name(label))),
  );
}

/** @param {string[]} labels */
export function names(labels) {
  const parts = labels.slice(0, NAMES).flatMap((label, at) => (at ? [", ", name(label)] : [name(label)]));
  return element("span", {}, ...parts, labels.length > NAMES ? ", …" : "");
}

function sensesSection(senses, path, label, onShowInTree) {
  const several = senses.length > 1;
  const items = senses.map((sense) => {
    const used =
      several && samePlace(sense.path, path) ? element("p", { class: "used" }, "Reached by this text") : null;
    return element("li", {}, used, pathList(sense.path, label), ...showButton(sense.path, label, onShowInTree));
  });
  const title = several ? `${count(senses.length)} senses: places in the label tree` : "Path through the label tree";
  return section(title, element("ol", { class: several ? "senses several" : "senses" }, ...items));
}

function showButton(path, label, onShowInTree) {
  if (!onShowInTree) return [];
  const click = () => onShowInTree(path, label);
  return [element("button", { type: "button", class: "quiet small", on: { click } }, "Show in the label tree")];
}

/** @param {TreeNode[]} one @param {TreeNode[]} other */
function samePlace(one, other) {
  const [last, otherLast] = [one.at(-1), other.at(-1)];
  return (
    last !== undefined && otherLast !== undefined && last.level === otherLast.level && last.node === otherLast.node
  );
}

/** @param {?Known} known @param {boolean} inCluster */
function facts(known, inCluster) {
  if (!known) return [];
  const found = [];
  if (inCluster && known.siblings?.length) {
    const shown = known.siblings.slice(0, SIBLINGS).map((label) => element("li", {}, name(label)));
    found.push(section("In the same cluster", element("ul", { class: "chips" }, ...shown)));
  }
  const parts = [];
  if (Number.isFinite(known.documents)) parts.push(counted(known.documents, "training document"));
  if (known.key) parts.push(`identifier ${known.key}`);
  if (parts.length) found.push(element("p", { class: "soft" }, parts.join(" · ")));
  return found;
}

function section(title, ...content) {
  return element("section", {}, element("h4", {}, title), ...content);
}
