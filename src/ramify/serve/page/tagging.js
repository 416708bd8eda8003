/**
 * Reading one document: its text with highlighted words, its labels, and what the user decides about them.
 * @module
 */

import { byId, element, name } from "./dom.js";
import { Combobox } from "./combobox.js";
import { labelCard } from "./label-card.js";
import { LabelList } from "./label-list.js";
import { announce, clearProblem, showProblem } from "./notices.js";
import { count, counted } from "./numbers.js";
import { ordered } from "./operating-points.js";
import { Slider } from "./slider.js";
import { pieces } from "./spans.js";

/** @typedef {import("./session.js").Doc} Doc */
/** @typedef {import("./api.js").Tag} Tag */

export class Tagging {
  /** @type {?Doc} */
  #doc = null;
  text = "";
  #model = null;
  #opened = null;
  #marked = null;

  /** @param {import("./main.js").App} app */
  constructor(app) {
    this.app = app;
    byId("retry").addEventListener("click", () => {
      byId("edit").focus(); // the button goes away
      app.render();
    });
    this.slider = new Slider(byId("operating"), () => this.#update());
    this.list = new LabelList(byId("labels"), {
      onDecide: (label, decision) => this.#decide(label, decision),
      onOpen: (label) => this.#open(label === this.#opened ? null : label),
      onMark: (label) => this.#mark(label ?? this.#default()),
      onAcceptAll: (labels) => announce(`Accepted ${counted(app.session.acceptAll(this.#doc, labels), "label")}.`),
    });
    this.combobox = new Combobox({
      input: byId("add"),
      list: byId("add-options"),
      search: (text, signal) => this.#search(text, signal),
      onChoose: (option) => this.#add(option),
      onProblem: showProblem,
      announce,
    });
  }

  /** @param {Doc} doc @param {import("./api.js").Model} model */
  async show(doc, model) {
    if (this.#doc === doc && this.#model === model && this.text === doc.text) return this.#update();
    [this.#doc, this.#model, this.text, this.#opened, this.#marked] = [doc, model, doc.text, null, null];
    byId("document-heading").textContent = `Document ${doc.number}`;
    this.#renderText([]);
    clearProblem(); // now, because a problem that is shown meanwhile is not of this document
    wait(true);
    try {
      const [tags, points] = await Promise.all([this.app.results.tags(doc, model), this.#points(model)]);
      if (!this.#isCurrent(doc, model)) return undefined;
      this.slider.set(model, points);
      this.list.set(doc, tags);
      this.#update();
      this.#mark(this.#default());
      announce(`${counted(this.list.shown.length, "label")} for document ${doc.number}.`);
    } catch (error) {
      if (this.#isCurrent(doc, model)) {
        this.#doc = null; // the next visit tries again
        showProblem(error);
      }
    } finally {
      if (this.#doc === null || this.#isCurrent(doc, model)) wait(false, this.#doc === null);
    }
    return undefined;
  }

  #isCurrent(doc, model) {
    return this.#doc === doc && this.#model === model && this.text === doc.text;
  }

  /** Without them, as from a model that is not calibrated, the slider sets the number of labels. */
  async #points(model) {
    if (!model.calibrated) return [];
    try {
      return ordered(await this.app.results.operatingPoints(model));
    } catch (error) {
      if (error?.status === 404) return [];
      throw error;
    }
  }

  #update() {
    if (this.list.doc) this.list.update(this.slider.setting);
    if (this.#marked === null || !this.list.row(this.#marked)) this.#mark(this.#default());
  }

  #default() {
    return this.#opened ?? this.list.shown[0] ?? null;
  }

  #decide(label, decision) {
    const { session } = this.app;
    const kept = this.#doc.decisions.get(label) === "added" ? "added" : decision;
    const set = session.toggle(this.#doc, label, kept);
    if (!set && kept === "added") {
      announce(`Removed ${label}.`);
      if (!this.list.row(label)?.root.isConnected) byId("add").focus();
    } else announce(set ? `${label}: ${decision}.` : `${label}: no decision.`);
  }

  /** @param {import("./combobox.js").Option} option */
  #add({ label, isNew }) {
    const { session } = this.app;
    if (isNew) session.newLabels.add(label);
    const suggested = this.list.tags.some((tag) => tag.label === label);
    const decision = suggested ? "accepted" : "added";
    if (this.#doc.decisions.get(label) !== decision) session.toggle(this.#doc, label, decision);
    announce(`Added ${label}.`);
  }

  async #search(text, signal) {
    const found = await this.app.api.labels(text, this.#model.name, signal);
    const options = found.map(({ label, documents }) => ({
      label,
      detail: Number.isFinite(documents) ? count(documents) : "",
    }));
    const known = options.some(({ label }) => label.toLowerCase() === text.toLowerCase());
    return known ? options : [...options, { label: text, isNew: true }];
  }

  /** Highlight the words of a label. @param {?string} label */
  async #mark(label) {
    this.#marked = label;
    this.list.mark(label);
    const [doc, model] = [this.#doc, this.#model];
    const explained = label !== null && this.app.results.explains(doc, model);
    const tag = explained ? await this.#reasons(label).catch(() => null) : null;
    if (this.#marked !== label || !this.#isCurrent(doc, model)) return;
    this.#renderText(tag?.why?.spans ?? [], label);
  }

  async #open(label) {
    if (this.#opened !== null) this.list.row(this.#opened)?.show(null);
    this.#opened = label;
    if (label === null) return;
    const row = this.list.row(label);
    row.show(element("p", { class: "soft hint" }, "Loading …"));
    this.#mark(label);
    try {
      const isNew = this.app.session.newLabels.has(label);
      const known = isNew ? null : this.app.results.label(this.#model, label).catch(() => null);
      const parts = { tag: await this.#reasons(label), known: await known };
      if (this.#opened !== label) return;
      const onShowInTree = this.#model.tree ? this.app.showInTree : undefined;
      row.show(labelCard({ ...parts, onShowInTree, note: this.#noReasons() }));
      if (isNew)
        row.show(
          element(
            "p",
            { class: "soft hint" },
            "A new label: the model learns it when it is trained on the corrections.",
          ),
        );
    } catch (error) {
      row.show(null);
      showProblem(error);
    }
  }

  /** @param {string} label @returns {Promise<?Tag>} */
  async #reasons(label) {
    if (this.app.session.newLabels.has(label)) return null;
    return this.app.results.reasons(this.#doc, this.#model, label);
  }

  /** Why no words are highlighted; null if they can be. */
  #noReasons() {
    if (this.app.results.explains(this.#doc, this.#model)) return null;
    return this.#model.explains ? "The text is too long for reasons." : "This model gives no reasons for its labels.";
  }

  #renderText(spans, label = null) {
    const parts = pieces(this.text, spans).map(({ text, shade }) =>
      shade === 0 ? text : element("mark", { class: shadeClass(shade) }, text),
    );
    const place = byId("document-text");
    const isPlain = !place.children.length && place.textContent === this.text;
    if (spans.length || !isPlain) place.replaceChildren(...parts); // a long text takes long to lay out
    const against = spans.some(([, , weight]) => weight < 0);
    const samples = [
      element("mark", { class: "for s3" }, "for"),
      ...(against ? [" and ", element("mark", { class: "against s3" }, "against")] : []),
    ];
    const none = label === null ? null : this.#noReasons();
    byId("legend").replaceChildren(
      ...(spans.length ? ["Words ", ...samples, " ", element("strong", {}, name(label))] : [none ?? ""]),
    );
  }
}

function shadeClass(shade) {
  return `${shade > 0 ? "for" : "against"} s${Math.abs(shade)}`;
}

/** The labels of another text are out of sight until those of this one are there. */
function wait(waiting, failed = false) {
  byId("reading").classList.toggle("waiting", waiting || failed);
  byId("reading").setAttribute("aria-busy", String(waiting));
  byId("add").disabled = waiting || failed;
  byId("retry").hidden = !failed;
}
