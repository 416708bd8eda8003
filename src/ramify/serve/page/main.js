/**
 * The page at `/` of `ramify serve`: connects the views to the session and to the service.
 * @module
 */

import { Api } from "./api.js";
import { Compare } from "./compare.js";
import { all, byId } from "./dom.js";
import { connectDocuments } from "./documents.js";
import { Editor } from "./editor.js";
import { exampleText } from "./example.js";
import { askForKey, connectKeyDialog } from "./key-dialog.js";
import { Models } from "./models.js";
import { announce, clearProblem, showProblem } from "./notices.js";
import { Results } from "./results.js";
import { Session } from "./session.js";
import { Tagging } from "./tagging.js";
import { TreeView } from "./tree-view.js";

const VIEWS = ["tag", "compare", "tree"];
const TITLES = { tag: "Tag", compare: "Compare", tree: "Label tree" };

/** What the views share. */
export class App {
  api = new Api(askForKey);
  models = new Models();
  results = new Results(this.api, this.models);
  session = new Session();
  /** The document whose text is edited. @type {?import("./session.js").Doc} */
  editing = null;

  /** @param {import("./api.js").TreeNode[]} path @param {string} label */
  showInTree = (path, label) => {
    location.hash = "tree";
    this.showView();
    this.tree.reveal(path, label);
  };

  async start() {
    connectKeyDialog();
    this.editor = new Editor(
      (given, doc) => this.take(given, doc),
      () => this.edit(false),
    );
    this.tagging = new Tagging(this);
    this.compare = new Compare(byId("compare"), this);
    this.tree = new TreeView(byId("tree-view"), this);
    connectDocuments(this.session, () => this.startNew());
    byId("edit").addEventListener("click", () => this.edit(true));
    byId("remove").addEventListener("click", () => this.remove());
    byId("example").addEventListener("click", () => this.useExample());
    this.session.addEventListener("change", () => this.render());
    this.models.addEventListener("change", () => this.render());
    window.addEventListener("hashchange", () => {
      clearProblem(); // it was of the other view
      this.showView();
    });
    this.showView();
    performance.mark("connected"); // from here on nothing that a user does is lost
    try {
      await this.models.load(this.api);
      performance.mark("ready"); // from here on a text can be sent
      await this.#offerExample();
    } catch (error) {
      showProblem(error);
    }
  }

  get view() {
    const wanted = location.hash.slice(1);
    return VIEWS.includes(wanted) ? wanted : "tag";
  }

  showView() {
    for (const part of all("[data-views]")) part.hidden = !part.dataset.views.split(" ").includes(this.view);
    for (const link of all("[data-view]")) {
      if (link.dataset.view === this.view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.title = `${TITLES[this.view]} · ramify`;
    this.render();
  }

  render() {
    const { current, documents } = this.session;
    const model = this.models.current;
    if (this.editing !== current) this.editing = null;
    const reading = current !== null && this.editing === null;
    byId("reading").hidden = !reading;
    if (reading) this.editor.close();
    else this.editor.open(this.editing, documents.length > 0, documents.length === 0);
    if (this.view === "compare" && model) this.compare.show();
    if (this.view === "tree" && model) this.tree.show();
    if (this.view === "tag" && reading && model) this.tagging.show(current, model);
  }

  /** New texts, or the new text of a document. */
  take(given, doc) {
    this.editing = null;
    if (location.hash === "#tree") location.hash = "tag";
    if (doc) this.session.setText(doc, given[0].text);
    else {
      const added = given.map(({ text, name }) => this.session.add(text, name));
      if (added.length > 1) announce(`${added.length} documents.`);
      this.session.select(added[0]);
    }
    byId("edit").focus({ preventScroll: true });
  }

  startNew() {
    this.last = this.session.current;
    location.hash = "tag";
    this.session.select(null);
    byId("text").focus();
  }

  /** @param {boolean} editing Whether the text of the current document is edited, or the form is left. */
  edit(editing) {
    this.editing = editing ? this.session.current : null;
    if (!editing && this.session.current === null)
      this.session.select(this.last ?? this.session.documents.at(-1) ?? null);
    else this.render();
    byId(this.editing ? "text" : "edit").focus();
  }

  remove() {
    const doc = this.session.current;
    this.session.remove(doc);
    announce(`Removed document ${doc.number}.`);
    byId(this.session.current ? "edit" : "text").focus();
  }

  async useExample() {
    const text = await exampleText(this.api, this.models.current).catch(() => null);
    if (text) this.take([{ text }], null);
  }

  async #offerExample() {
    const model = this.models.current;
    byId("example").hidden = !model || (await exampleText(this.api, model).catch(() => null)) === null;
  }
}

new App().start();
