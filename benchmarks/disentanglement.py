"""Label disentanglement (docs/papers.md): labels in several clusters against one; do copies recover merged labels?

    python benchmarks/disentanglement.py copies --sets gutenberg-lcsh --seeds 8
    python benchmarks/disentanglement.py copies --sets bibtex --settings '{"branching": 8, "max_leaf": 8}'
    python benchmarks/disentanglement.py senses --sets gutenberg-lcsh --seeds 3

``copies`` trains a plain tree and, from its clusters, a tree whose labels are moved (λ = 1) and trees with up to λ
copies per label; the same for a second seed, which gives ensembles of two trees. All models of a seed predict the test
documents in turns with several beams, so that their costs are comparable. Then pairs of them are compared by a
bootstrap over documents and seeds. ``senses`` merges pairs of labels and compares the copies of the merged labels with
the labels that they were (``racing.senses``).
Rows are appended to ``results/disentangle.jsonl``; rows that are there are skipped, so an interrupted run continues.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from racing.copies_tables import PATH_WEIGHT, System, costs, shown_pairs
from racing.matrices import Matrices, prepare
from racing.places import CACHE, DATA, HERE
from racing.quality import MEASURES, Answers, judged, paired, read_answers
from racing.rows import Row, add_stamped, matching
from racing.senses import SPLITS, agreements, merged, merged_pairs, sides

RESULTS = HERE / "results" / "disentangle.jsonl"
BEAMS = (10, 20, 40, 80)
OTHER_WEIGHT = 0.4
"""``path_weight`` beside the default of 0.25: the best for two copies on held-out documents of gutenberg-lcsh."""
WEIGHTINGS = ("count", "rank")
TURNS = 2
"""Number of timed predictions of each system; the faster one counts."""
SECOND = 1000
"""Difference of the seeds of the two trees of an ensemble."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("copies", "senses"))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="+", required=True)
    parser.add_argument("--copies", nargs="+", type=int, default=[2], help="λ above 1")
    parser.add_argument("--merge", nargs="+", default=["max", "mean", "sum"], help="scores of the copies")
    parser.add_argument("--folds", type=int, default=3, help="parts of the instances for cross-fitting; 0: one model")
    parser.add_argument("--positives", choices=("all", "company"), default="all", help="that train a copy")
    parser.add_argument("--warm-start", action="store_true", help="leaves that stay in their cluster are kept")
    parser.add_argument("--documents", type=int, help="size of a random sample of the training documents")
    parser.add_argument("--tests", type=int, help="number of test documents, if --documents is given")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=200, help="pairs of labels to merge")
    parser.add_argument("--settings", type=json.loads, default={}, help="of XRLinear, as a JSON object")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    for name in chosen.sets:
        matrices = sampled(prepare(name, chosen.data), chosen.documents, chosen.tests)
        for seed in range(chosen.seeds):
            for row in (copies if chosen.task == "copies" else senses)(chosen, matrices, seed):
                print(json.dumps(add_stamped(RESULTS, row))[:300], flush=True)
        for row in compared(chosen, matrices) if chosen.task == "copies" else ():
            print(json.dumps(add_stamped(RESULTS, row))[:300], flush=True)


def sampled(matrices: Matrices, documents: int | None, tests: int | None) -> Matrices:
    """The data set with some of its training documents and the first test documents that have one of their labels."""
    if documents is None or documents >= matrices.X.shape[0]:
        return matrices
    rows = np.sort(np.random.default_rng(0).permutation(matrices.X.shape[0])[:documents])
    Y = sp.csr_matrix(matrices.Y[rows])
    seen = np.flatnonzero(np.bincount(Y.indices, minlength=Y.shape[1]))
    Y_test = sp.csr_matrix(matrices.Y_test[:, seen])
    kept = np.flatnonzero(np.diff(Y_test.indptr))[:tests]
    sample = replace(matrices, dataset=f"{matrices.dataset}, {documents:,} / {len(kept):,} documents")
    parts = {"X": matrices.X[rows], "Y": Y[:, seen], "X_test": matrices.X_test[kept], "Y_test": Y_test[kept]}
    vars(sample).update(parts)  # in place of the cached properties, which read files
    return sample


def systems(chosen: argparse.Namespace) -> list[System]:
    """All rows of the study for one seed."""
    made = [System(copies=0, beam=beam) for beam in BEAMS]
    made += [System(copies=1, weighting=weighting, beam=beam) for weighting in WEIGHTINGS for beam in BEAMS]
    made += [System(copies=1, path_weight=OTHER_WEIGHT, beam=beam) for beam in BEAMS[1:]]
    for count in chosen.copies:
        made += [System(copies=count, merge=merge) for merge in chosen.merge]
        made += [System(copies=count, weighting="rank")]
        wider = [System(copies=count, path_weight=weight, beam=BEAMS[1]) for weight in (PATH_WEIGHT, OTHER_WEIGHT)]
        made += [replace(one, weighting=weighting) for one in wider for weighting in WEIGHTINGS]
    return [*made, System(trees=2), *(System(trees=2, copies=1, weighting=weighting) for weighting in WEIGHTINGS)]


def copies(chosen: argparse.Namespace, matrices: Matrices, seed: int) -> Iterator[Row]:
    """Train, time and judge all systems of one seed, unless all their rows are there."""
    wanted = systems(chosen)
    keys = [_setup("copies", chosen, matrices) | asdict(one) | {"seed": seed} for one in wanted]
    if all(_known(key) for key in keys):
        return
    trees = Trees(chosen, matrices, seed)
    models = {one: trees.model(one) for one in wanted}
    tops, cpu_us = _predicted(models, matrices.X_test, min(10, matrices.Y.shape[1]))
    for one, key in zip(wanted, keys, strict=True):
        top, path = tops[one], _answers_path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, labels=top.labels, scores=top.scores)
        found = {"batch_cpu_us": cpu_us[one], "measures": _measures(judged(matrices, top))}
        yield key | trees.spent(one) | found


class Trees:
    """The trees of one seed, trained when they are first needed."""

    def __init__(self, chosen: argparse.Namespace, matrices: Matrices, seed: int) -> None:
        self.chosen, self.matrices, self.seed = chosen, matrices, seed
        self._made: dict[tuple[int, str, int], tuple[Any, Row]] = {}
        self._reached: dict[int, tuple[Any, float]] = {}

    def model(self, system: System) -> Any:
        """The model of a system, with its own setting ``merge_copies``."""
        from ramify import Ensemble

        if system.trees == 1:
            model = self._tree(system, self.seed)[0]
            settings = {"merge_copies": system.merge, "path_weight": system.path_weight}
            return model._with_search(model.search_).set_params(**settings)
        made = Ensemble.of([self._tree(system, seed)[0] for seed in self._seeds(system)])
        return made.set_params(threads=self.chosen.threads)

    def spent(self, system: System) -> Row:
        """CPU seconds of the training, summed over the trees; leaves and recall of the first tree."""
        rows = [self._tree(system, seed)[1] for seed in self._seeds(system)]
        spent = {name: round(sum(row[name] for row in rows), 3) for name in rows[0] if name.endswith("_s")}
        return rows[0] | spent

    def _seeds(self, system: System) -> list[int]:
        return [self.seed + number * SECOND for number in range(system.trees)]

    def _tree(self, system: System, seed: int) -> tuple[Any, Row]:
        key = (system.copies, system.weighting, seed)
        if key not in self._made:
            self._made[key] = self._again(system, seed) if system.copies else self._plain(seed)
        return self._made[key]

    def _plain(self, seed: int) -> tuple[Any, Row]:
        from ramify import XRLinear

        tree = XRLinear(**self.chosen.settings, seed=seed, threads=self.chosen.threads)
        model, cpu = timed(lambda: tree.fit(self.matrices.X, self.matrices.Y))
        return model, {"first_cpu_s": cpu, "leaves": model.tree_.n_leaves}

    def _again(self, system: System, seed: int) -> tuple[Any, Row]:
        """What ``Disentangled`` does after its first training, which all its settings share."""
        from ramify.exchange import CheckedTraining
        from ramify.index import FixedTree
        from ramify.models.trees.reassignment import Assignment, assigned, reached_clusters

        chosen, (first, costs) = self.chosen, self._tree(System(), seed)
        part = CheckedTraining(X=self.matrices.X, Y=self.matrices.Y, seed=seed, threads=chosen.threads)
        how = Assignment(copies=system.copies, folds=chosen.folds, weighting=system.weighting, seed=seed)
        if seed not in self._reached:
            self._reached[seed] = timed(lambda: reached_clusters(first, part, how))
        reached, reached_cpu = self._reached[seed]
        new, assign_cpu = timed(lambda: assigned(first.tree_, reached, part.Y, how))
        if chosen.warm_start:
            model, cpu = timed(lambda: first.regrown(new.tree, part.X, part.Y))
        else:
            again = clone(first).set_params(indexer=FixedTree(new.tree))
            company = chosen.positives == "company" and system.copies > 1
            options = {"visits": new.visits(part, chosen.threads)} if company else {}
            model, cpu = timed(lambda: again.fit(part.X, part.Y, **options))
        spent = {"reassign_cpu_s": round(reached_cpu + assign_cpu, 3), "again_cpu_s": cpu}
        recall = {"recall_before": new.round.before.recall, "recall_after": new.round.after.recall}
        return model, costs | spent | recall | {"leaves": model.tree_.n_leaves}


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """The result, and the CPU seconds."""
    before = os.times()
    made = work()
    after = os.times()
    return made, round(after.user + after.system - before.user - before.system, 3)


def _predicted(models: dict[System, Any], X: Any, k: int) -> tuple[dict[System, Any], dict[System, float]]:
    """Predictions, and CPU µs per document of the faster of ``TURNS`` calls; the systems take turns."""
    tops, spent = {}, dict.fromkeys(models, float("inf"))
    for _ in range(TURNS):
        for one, model in models.items():
            before = time.process_time()
            tops[one] = model.predict_topk(X, k, beam=one.beam)
            spent[one] = min(spent[one], time.process_time() - before)
    return tops, {one: round(1e6 * seconds / X.shape[0], 2) for one, seconds in spent.items()}


def _measures(answers: Answers) -> dict[str, float]:
    """Measures in percent; intervals are only computed for differences."""
    values = answers.under(np.ones((1, len(answers.numerators))))[0]
    return {name: round(100 * float(value), 3) for name, value in zip(MEASURES, values, strict=True)}


def _answers_path(key: Row) -> Path:
    name = hashlib.sha256(json.dumps([key[name] for name in sorted(key)]).encode()).hexdigest()[:16]
    return CACHE / "disentangle" / f"{name}.npz"


def compared(chosen: argparse.Namespace, matrices: Matrices) -> Iterator[Row]:
    """Differences of the pairs that the tables show, over all seeds for which both have predictions here."""
    setup = _setup("copies", chosen, matrices)
    rows = matching(RESULTS, setup)

    @cache
    def answers(system: System) -> dict[int, Answers]:
        paths = {seed: _answers_path(setup | asdict(system) | {"seed": seed}) for seed in range(chosen.seeds)}
        return {seed: read_answers(matrices, path) for seed, path in paths.items() if path.exists()}

    for own, peer in shown_pairs(costs(rows)):
        seeds = sorted(answers(own).keys() & answers(peer).keys())
        key = setup | {"kind": "compared"} | asdict(own) | {"peer": asdict(peer), "seeds": seeds}
        if seeds and not _known(key):
            runs = [[answers(one)[seed] for seed in seeds] for one in (peer, own)]
            yield key | {"differences": paired(*runs, runs_in_pairs=True)}


def senses(chosen: argparse.Namespace, matrices: Matrices, seed: int) -> Iterator[Row]:
    """Two copies of labels that were two labels: one row for each seed, with the figures of each pair."""
    key = _setup("senses", chosen, matrices) | {"pairs": chosen.pairs, "seed": seed}
    if _known(key):
        return
    from ramify import Disentangled, XRLinear

    tree = XRLinear(**chosen.settings, seed=seed, threads=chosen.threads)
    plain = clone(tree).fit(matrices.X, matrices.Y)
    pairs = merged_pairs(plain.tree_, matrices.Y, chosen.pairs, seed)
    Y = merged(matrices.Y, pairs)
    model = Disentangled(tree, copies=2, folds=chosen.folds, positives=chosen.positives, seed=seed).fit(matrices.X, Y)
    rng = np.random.default_rng(seed)
    found: dict[str, list[Any]] = {name: [] for name in ("smaller", *SPLITS)}
    for first, second in pairs:
        truth, rows = sides(matrices.Y, first, second)
        scores = model.leaf_scores(matrices.X[rows], first)
        if scores.shape[1] < 2:
            continue
        found["smaller"].append(int(np.bincount(truth, minlength=2).min()))
        for name, values in agreements(truth, scores.argmax(axis=1), rng).items():
            found[name].append([round(value, 4) for value in values])
    yield key | found


def _setup(kind: str, chosen: argparse.Namespace, matrices: Matrices) -> Row:
    fixed = {"kind": kind, "dataset": matrices.dataset, "matrices": matrices.fingerprint}
    ways = {name: getattr(chosen, name) for name in ("settings", "folds", "positives", "warm_start", "threads")}
    return fixed | ways | {"costs": tree_costs(chosen.settings)}


def tree_costs(settings: dict[str, Any]) -> list[float]:
    """Costs of the trees, defaults included: rows with other costs are not compared."""
    from ramify import XRLinear

    tree = XRLinear(**settings)
    return [tree.cost_positive, tree.cost_negative, tree.tail_cost]


def _known(key: Row) -> bool:
    return bool(matching(RESULTS, key))


if __name__ == "__main__":
    main()
