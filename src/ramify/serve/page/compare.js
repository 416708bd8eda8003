/**
 * Two models side by side on the current document: labels of both, and of one only.
 * @module
 */

import { element, name, spoken } from "./dom.js";
import { announce, showProblem } from "./notices.js";
import { counted, percent, score } from "./numbers.js";

/** @typedef {import("./api.js").Tag} Tag */
/** @typedef {{label: string, tags: [?Tag, ?Tag]}} Row */

const SIZES = [5, 10, 20];
const EXCERPT = 400;

export class Compare {
  /** @param {HTMLElement} root @param {import("./main.js").App} app */
  constructor(root, app) {
    this.root = root;
    this.app = app;
    this.labels = 10;
    this.names = [];
  }

  async show() {
    const { session, models } = this.app;
    if (models.all.length < 2)
      return this.#say("This service has one model. To compare two, start it with both:", "ramify serve FIRST SECOND");
    if (!session.current) return this.#say("There is no document yet. Give a text in the view “Tag” first.");
    const known = this.names.filter((one) => models.named(one));
    if (known.length < 2)
      this.names = [models.current, models.all.find((one) => one !== models.current)].map((one) => one.name);
    const doc = session.current;
    const pair = this.names.map((one) => models.named(one));
    if (!this.root.querySelector("form"))
      this.root.replaceChildren(this.#form(), element("div", { class: "compared" }));
    const place = this.root.querySelector(".compared");
    const token = (this.token = {});
    try {
      const found = await Promise.all(pair.map((model) => this.app.results.tags(doc, model)));
      if (this.token !== token) return undefined;
      const groups = grouped(found.map((tags) => tags.slice(0, this.labels)));
      place.replaceChildren(excerpt(doc), summary(groups, this.names), table(groups, this.names, pair));
      announce(place.querySelector(".summary").textContent);
    } catch (error) {
      showProblem(error);
    }
    return undefined;
  }

  #say(text, command) {
    const code = command ? [element("pre", {}, element("code", {}, command))] : [];
    this.root.replaceChildren(element("div", { class: "empty" }, element("p", {}, text), ...code));
    return undefined;
  }

  #form() {
    const change = (set) => (event) => {
      set(event.target.value);
      this.show();
    };
    const choice = (title, values, chosen, set) => {
      const options = values.map((value) => element("option", { value, selected: value === chosen }, String(value)));
      return element("label", {}, title, " ", element("select", { on: { change: change(set) } }, ...options));
    };
    const models = this.app.models.all.map((model) => model.name);
    const submit = (event) => event.preventDefault();
    return element(
      "form",
      { class: "choices", on: { submit } },
      choice("First model", models, this.names[0], (value) => (this.names[0] = value)),
      choice("Second model", models, this.names[1], (value) => (this.names[1] = value)),
      choice("Labels of each", SIZES, this.labels, (value) => (this.labels = Number(value))),
    );
  }
}

/** Labels of both, of the first only, of the second only. @param {Tag[][]} found @returns {Row[][]} */
export function grouped([first, second]) {
  const own = new Map(second.map((tag) => [tag.label, tag]));
  const seen = new Set(first.map((tag) => tag.label));
  /** @returns {Row} */
  const row = (/** @type {string} */ label, /** @type {?Tag} */ one, /** @type {?Tag} */ other) => ({
    label,
    tags: [one, other],
  });
  return [
    first.filter((tag) => own.has(tag.label)).map((tag) => row(tag.label, tag, own.get(tag.label))),
    first.filter((tag) => !own.has(tag.label)).map((tag) => row(tag.label, tag, null)),
    second.filter((tag) => !seen.has(tag.label)).map((tag) => row(tag.label, null, tag)),
  ];
}

function excerpt(doc) {
  const characters = [...doc.text.slice(0, 2 * EXCERPT)];
  const text = characters.slice(0, EXCERPT).join("") + (characters.length > EXCERPT ? " …" : "");
  return element("blockquote", { dir: "auto" }, text);
}

function summary(groups, names) {
  const [both, first, second] = groups.map((group) => group.length);
  const share = both / Math.max(1, both + first + second);
  return element(
    "p",
    { class: "summary" },
    `${counted(both, "label")} of both, ${first} only of `,
    strong(names[0]),
    `, ${second} only of `,
    strong(names[1]),
    `. Agreement: ${percent(share)} of the labels of either.`,
  );
}

function strong(text) {
  return element("strong", {}, name(text));
}

function table(groups, names, models) {
  const titles = ["Labels of both", `Only ${names[0]}`, `Only ${names[1]}`];
  const head = models.map((model) =>
    element(
      "th",
      { scope: "col" },
      name(model.name),
      " ",
      element("small", { class: "soft" }, model.calibrated ? "probability" : "score"),
    ),
  );
  const bodies = groups.map((group, at) => {
    const title = element(
      "tr",
      { class: "group" },
      element(
        "th",
        { scope: "rowgroup", colspan: 3 },
        titles[at],
        " ",
        element("small", { class: "soft" }, String(group.length)),
      ),
    );
    return element("tbody", {}, title, ...group.map(tableRow));
  });
  const columns = element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Label"), ...head));
  return element("table", { class: "comparison" }, columns, ...bodies);
}

/** @param {Row} row */
function tableRow({ label, tags }) {
  return element("tr", {}, element("th", { scope: "row" }, name(label)), ...tags.map(cell));
}

/** @param {?Tag} tag */
function cell(tag) {
  if (!tag)
    return element(
      "td",
      { class: "soft" },
      element("span", { "aria-hidden": "true" }, "–"),
      spoken("not among its labels"),
    );
  const known = Number.isFinite(tag.probability);
  const fill = element("span", { class: known ? "fill" : "fill score" });
  fill.style.setProperty("width", `${100 * Math.max(0, Math.min(1, tag.probability ?? tag.score))}%`);
  return element(
    "td",
    {},
    known ? percent(tag.probability) : score(tag.score),
    element("span", { class: "bar", "aria-hidden": "true" }, fill),
  );
}
