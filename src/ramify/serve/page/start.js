/**
 * Loads the other modules after the first paint: fetching and running them beside it would delay it.
 * @module
 */

/** All of them, so that none is found only when another one that imports it has arrived. */
const MODULES = [
  "main.js", "api.js", "combobox.js", "compare.js", "corrections.js", "documents.js", "dom.js", "editor.js",
  "example.js", "files.js", "key-dialog.js", "label-card.js", "label-list.js", "label-row.js", "models.js",
  "notices.js", "numbers.js", "operating-points.js", "results.js", "session.js", "slider.js", "spans.js",
  "tagging.js", "tree.js", "tree-view.js",
];
/** Milliseconds after which the page starts without a paint, which never comes in a hidden tab. */
const PATIENCE = 300;

const painted = new Promise((done) => new PerformanceObserver(done).observe({ type: "paint", buffered: true }));
await Promise.race([painted, new Promise((done) => setTimeout(done, PATIENCE))]);
for (const name of MODULES) {
  const link = document.createElement("link");
  link.rel = "modulepreload";
  link.href = `page/${name}`;
  document.head.append(link);
}
await import("./main.js");
