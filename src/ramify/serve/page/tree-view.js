/**
 * The view of the label tree: a search, the tree, and the card of the chosen label.
 * @module
 */

import { element, name } from "./dom.js";
import { Combobox } from "./combobox.js";
import { labelCard } from "./label-card.js";
import { announce, showProblem } from "./notices.js";
import { count } from "./numbers.js";
import { Tree } from "./tree.js";

export class TreeView {
  #shown = null;

  /** @param {HTMLElement} root @param {import("./main.js").App} app */
  constructor(root, app) {
    this.root = root;
    this.app = app;
  }

  /** Build the view if it is that of another model. @returns {Promise<void>} when the top of the tree is loaded */
  show() {
    const model = this.app.models.current;
    if (model && this.#shown !== model) {
      this.#shown = model;
      this.ready = this.#start(model);
    }
    return this.ready ?? Promise.resolve();
  }

  /** @param {import("./api.js").Model} model */
  async #start(model) {
    this.#build();
    if (!model.tree) {
      this.left.append(
        element(
          "div",
          { class: "empty" },
          element("p", {}, "This model has no label tree. The search shows what it holds on a label."),
        ),
      );
      return;
    }
    const list = element("ul", { class: "tree", "aria-label": `Label tree of ${model.name}` });
    this.left.append(list);
    const load = (node) => this.app.api.tree(model.name, node);
    this.tree = new Tree(list, load, (label) => this.#card(label), showProblem);
    try {
      const top = await this.tree.start();
      const hint = "The labels of this model are not in clusters.";
      if (!top.children?.length) list.before(element("p", { class: "soft hint" }, hint));
    } catch (error) {
      this.#shown = null;
      showProblem(error);
    }
  }

  /** @param {import("./api.js").TreeNode[]} path @param {string} label */
  async reveal(path, label) {
    await this.show();
    await this.tree?.reveal(path, label);
  }

  #build() {
    this.tree = undefined;
    const input = element("input", {
      id: "find",
      type: "text",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: "Find a label",
    });
    const list = element("ul", {
      id: "find-options",
      class: "options",
      "aria-label": "Labels found",
      hidden: true,
    });
    const field = element(
      "div",
      { class: "adding" },
      element("label", { for: "find", class: "spoken" }, "Find a label"),
      input,
      list,
    );
    this.left = element("div", { class: "tree-side" }, field);
    this.card = element("section", { class: "panel tree-card", "aria-label": "Chosen label", tabindex: "0" });
    this.card.append(
      element(
        "p",
        { class: "soft hint" },
        "Open clusters, and choose a label to see its path, its senses and its neighbours.",
      ),
    );
    this.root.replaceChildren(this.left, this.card);
    const search = async (text, signal) => {
      const found = await this.app.api.labels(text, this.#shown.name, signal);
      return found.map(({ label, documents }) => ({
        label,
        detail: Number.isFinite(documents) ? count(documents) : "",
      }));
    };
    new Combobox({
      input,
      list,
      search,
      onChoose: ({ label }) => this.#found(label),
      onProblem: showProblem,
      announce,
    });
  }

  /** A label that was searched: its first place is opened in the tree. */
  async #found(label) {
    const known = await this.#card(label);
    const path = known?.senses?.[0]?.path;
    if (path && this.tree) await this.tree.reveal(path, label);
  }

  /** @param {string} label */
  async #card(label) {
    try {
      const known = await this.app.results.label(this.#shown, label);
      const onShowInTree = this.tree ? (path) => this.tree.reveal(path, label) : undefined;
      announce(label);
      this.card.scrollTop = 0;
      this.card.replaceChildren(element("h3", {}, name(label)), labelCard({ tag: null, known, onShowInTree }));
      return known;
    } catch (error) {
      showProblem(error);
      return null;
    }
  }
}
