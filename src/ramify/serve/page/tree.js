/**
 * The label tree as a tree view of the WAI-ARIA practices; the children of a node are loaded when it is opened. Arrow
 * keys move, open and close; Home and End go to the ends; letters go to the next item that begins with them; Enter
 * chooses a label. One item is in the tab order.
 * @module
 */

import { element, icon, name, paused } from "./dom.js";
import { names } from "./label-card.js";
import { counted } from "./numbers.js";

/** @typedef {import("./api.js").TreeNode} TreeNode */

const AT_ONCE = 100; // labels of a cluster
const TYPING = 600; // milliseconds between letters of one search

export class Tree {
  #typed = "";
  #pause = paused(TYPING);

  /**
   * @param {any} root An element with a label.
   * @param {(node?: TreeNode) => Promise<any>} load
   * @param {(label: string) => void} onChoose
   * @param {(error: unknown) => void} onProblem
   */
  constructor(root, load, onChoose, onProblem) {
    this.root = root;
    this.load = load;
    this.onChoose = onChoose;
    this.onProblem = onProblem;
    root.setAttribute("role", "tree");
    root.addEventListener("keydown", (event) => this.#key(event));
    root.addEventListener("click", (event) => this.#click(event));
  }

  /** Load the top level. @returns {Promise<any>} the root */
  async start() {
    const top = await this.load();
    this.root.replaceChildren(...this.#children(top, 1));
    this.#items()[0]?.setAttribute("tabindex", "0");
    return top;
  }

  /** Open the clusters of a path, and go to the label. @param {TreeNode[]} path @param {string} label */
  async reveal(path, label) {
    let place = this.root;
    for (const node of path) {
      const item = [...place.children].find((one) => one.dataset.place === `${node.level}/${node.node}`);
      if (!item) break;
      await this.#open(item);
      place = item.querySelector("[role=group]");
    }
    const find = () => [...place.children].find((one) => one.dataset.label === label);
    while (!find() && place.lastElementChild?.classList.contains("rest")) place.lastElementChild.click();
    const found = find() ?? place.parentElement.closest("[role=treeitem]");
    if (!found) return;
    this.#go(found);
    found.scrollIntoView({ block: "center" });
    this.#choose(found);
  }

  /** Items of a loaded node: clusters, or the labels of the last cluster. */
  #children(node, level) {
    if (node.children?.length)
      return node.children.map((child, at) => this.#cluster(child, level, at, node.children.length));
    return this.#labels(node.labels ?? [], level, 0);
  }

  #cluster(node, level, at, n) {
    const place = `${node.level}/${node.node}`;
    const size = element("span", { class: "size" }, counted(node.size, "label"));
    const row = element("div", { class: "row" }, icon("chevron"), size, " ", names(node.labels));
    const item = treeItem({ level, at, n, label: null }, row, element("ul", { role: "group", hidden: true }));
    item.setAttribute("aria-expanded", "false");
    item.dataset.place = place;
    item.node = node;
    return item;
  }

  #labels(labels, level, from) {
    const shown = labels.slice(from, from + AT_ONCE);
    const n = labels.length;
    const items = shown.map((label, at) =>
      treeItem({ level, at: from + at, n, label }, element("div", { class: "row" }, name(label))),
    );
    const left = n - from - shown.length;
    if (left > 0) {
      const more = treeItem(
        { level, at: from + AT_ONCE, n, label: null },
        element("div", { class: "row" }, `${counted(left, "more label")} …`),
      );
      more.classList.add("rest");
      more.more = () => this.#labels(labels, level, from + AT_ONCE);
      items.push(more);
    }
    return items;
  }

  async #open(item) {
    const group = item.querySelector("[role=group]");
    if (item.getAttribute("aria-expanded") !== "false") return;
    if (!group.children.length) {
      item.setAttribute("aria-busy", "true");
      try {
        group.replaceChildren(
          ...this.#children(await this.load(item.node), Number(item.getAttribute("aria-level")) + 1),
        );
      } catch (error) {
        this.onProblem(error);
        return;
      } finally {
        item.removeAttribute("aria-busy");
      }
    }
    item.setAttribute("aria-expanded", "true");
    group.hidden = false;
  }

  #close(item) {
    item.setAttribute("aria-expanded", "false");
    item.querySelector("[role=group]").hidden = true;
  }

  #act(item) {
    if (item.more) {
      const items = item.more();
      item.replaceWith(...items);
      this.#go(items[0]);
    } else if (item.dataset.label !== undefined) this.#choose(item);
    else if (item.getAttribute("aria-expanded") === "true") this.#close(item);
    else this.#open(item);
  }

  #choose(item) {
    if (item.dataset.label === undefined) return;
    this.root.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
    item.setAttribute("aria-selected", "true");
    this.onChoose(item.dataset.label);
  }

  #click(event) {
    const item = event.target.closest("[role=treeitem]");
    if (!item) return;
    this.#go(item);
    this.#act(item);
  }

  #key(event) {
    const item = event.target.closest("[role=treeitem]");
    if (!item || event.ctrlKey || event.altKey || event.metaKey) return;
    const items = this.#items();
    const at = items.indexOf(item);
    const moves = { ArrowDown: items[at + 1], ArrowUp: items[at - 1], Home: items[0], End: items.at(-1) };
    if (event.key in moves) this.#go(moves[event.key]);
    else if (event.key === "ArrowRight") this.#right(item);
    else if (event.key === "ArrowLeft") this.#left(item);
    else if (event.key === "Enter" || event.key === " ") this.#act(item);
    else if (event.key.length === 1) this.#type(event.key, items, at);
    else return;
    event.preventDefault();
  }

  #right(item) {
    if (item.getAttribute("aria-expanded") === "false") this.#open(item);
    else this.#go(item.querySelector("[role=treeitem]"));
  }

  #left(item) {
    if (item.getAttribute("aria-expanded") === "true") this.#close(item);
    else this.#go(item.parentElement.closest("[role=treeitem]"));
  }

  #type(letter, items, at) {
    this.#typed += letter.toLowerCase();
    this.#pause(() => (this.#typed = ""));
    const from = this.#typed.length > 1 ? at : at + 1;
    const turned = [...items.slice(from), ...items.slice(0, from)];
    this.#go(turned.find((item) => nameOf(item).toLowerCase().startsWith(this.#typed)));
  }

  #go(item) {
    if (!item) return;
    for (const one of this.root.querySelectorAll("[tabindex='0']")) one.setAttribute("tabindex", "-1");
    item.setAttribute("tabindex", "0");
    item.focus();
  }

  /** Those in view, from the top. @returns {any[]} */
  #items() {
    return [...this.root.querySelectorAll("[role=treeitem]")].filter((item) => !item.parentElement.closest("[hidden]"));
  }
}

function treeItem({ level, at, n, label }, ...content) {
  const attributes = {
    role: "treeitem",
    tabindex: "-1",
    "aria-level": level,
    "aria-posinset": at + 1,
    "aria-setsize": n,
  };
  const chosen = label === null ? {} : { "data-label": label, "aria-selected": "false" };
  return element("li", { ...attributes, ...chosen }, ...content);
}

/** The label, or the first label of a cluster. */
function nameOf(item) {
  return item.dataset.label ?? item.node?.labels?.[0] ?? "";
}
