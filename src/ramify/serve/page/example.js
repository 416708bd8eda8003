/**
 * An example text for a first visit, made of label names of the model: names are the only words that are sure to fit.
 * @module
 */

const NAMES = 3;

/**
 * @param {import("./api.js").Api} api
 * @param {import("./api.js").Model} model
 * @returns {Promise<?string>} null if there are no names.
 */
export async function exampleText(api, model) {
  const names = await (model.tree ? treeNames(api, model) : firstNames(api, model));
  if (names.length < 2) return null;
  return `A text on ${names.slice(0, -1).join(", ")} and ${names.at(-1)}.`;
}

/** The most frequent labels of different clusters. */
async function treeNames(api, model) {
  const root = await api.tree(model.name);
  const lists = root.children?.length ? root.children.map((node) => node.labels) : [root.labels ?? []];
  const names = lists.length > 1 ? lists.map((labels) => labels[0]).concat(...lists) : lists[0];
  return [...new Set(names.filter(Boolean))].slice(0, NAMES);
}

async function firstNames(api, model) {
  return (await api.labels("", model.name)).slice(0, NAMES).map(({ label }) => label);
}
