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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from racing.matrices import Matrices, prepare
from racing.places import CACHE, DATA, HERE
from racing.quality import MEASURES, Answers, judged, paired_by_seed, read_answers
from racing.rows import Row, add_stamped, read_rows
from racing.senses import SPLITS, agreements, merged, merged_pairs, sides

RESULTS = HERE / "results" / "disentangle.jsonl"
SYSTEM = ("copies", "merge", "path_weight", "trees", "beam")
SETUP = ("dataset", "matrices", "settings", "folds", "positives", "warm_start", "costs", "threads")
BEAMS = (10, 20, 40, 80)
PATH_WEIGHTS = (0.25, 0.4)
"""The default of ``XRLinear``, and the best for two copies on held-out documents of gutenberg-lcsh."""
TURNS = 3
"""Number of timed predictions of each system; the fastest counts."""
SECOND = 1000
"""Difference of the seeds of the two trees of an ensemble."""


@dataclass(frozen=True, order=True)
class System:
    """A row of the study.

    Parameters
    ----------
    copies : int
        λ; 0: the plain tree.
    merge : str
        Score of a label with several leaves.
    path_weight : float
        Exponent of the score of the path above a leaf.
    trees : int
        Number of trees, each with its own seed.
    beam : int
        Beam of the prediction.
    """

    copies: int
    merge: str = "max"
    path_weight: float = 0.25
    trees: int = 1
    beam: int = BEAMS[0]


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
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=200, help="pairs of labels to merge")
    parser.add_argument("--settings", type=json.loads, default={}, help="of XRLinear, as a JSON object")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    for name in chosen.sets:
        matrices = prepare(name, chosen.data)
        for seed in range(chosen.seeds):
            for row in (copies if chosen.task == "copies" else senses)(chosen, matrices, seed):
                print(json.dumps(add_stamped(RESULTS, row))[:300], flush=True)
        for row in compared(chosen, matrices) if chosen.task == "copies" else ():
            print(json.dumps(add_stamped(RESULTS, row))[:300], flush=True)


def systems(chosen: argparse.Namespace) -> list[System]:
    """All rows of the study for one seed."""
    other = PATH_WEIGHTS[1]
    made = [System(count, beam=beam) for count in (0, 1) for beam in BEAMS]
    made += [System(1, path_weight=other, beam=beam) for beam in BEAMS[1:]]
    for count in chosen.copies:
        made += [System(count, merge) for merge in chosen.merge]
        made += [System(count, path_weight=other, beam=beam) for beam in BEAMS[:2]]
    return [*made, *(System(count, trees=2) for count in (0, 1))]


def copies(chosen: argparse.Namespace, matrices: Matrices, seed: int) -> Iterator[Row]:
    """Train, time and judge all systems of one seed, unless all their rows are there."""
    wanted = systems(chosen)
    keys = [_setup("copies", chosen, matrices) | asdict(one) | {"seed": seed} for one in wanted]
    if all(_known(key) for key in keys):
        return
    trees = Trees(chosen, matrices, seed)
    models = {one: trees.model(one) for one in wanted}
    k = min(10, matrices.Y.shape[1])
    spent = _cpu_us(models, matrices.X_test, k)
    for one, key in zip(wanted, keys, strict=True):
        top = models[one].predict_topk(matrices.X_test, k, beam=one.beam)
        path = _answers_path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, labels=top.labels, scores=top.scores)
        found = {"batch_cpu_us": spent[one], "measures": _measures(judged(matrices, top))}
        yield key | trees.costs(one) | found


class Trees:
    """The trees of one seed, trained when they are first needed."""

    def __init__(self, chosen: argparse.Namespace, matrices: Matrices, seed: int) -> None:
        self.chosen, self.matrices, self.seed = chosen, matrices, seed
        self._made: dict[tuple[int, int], tuple[Any, Row]] = {}

    def model(self, system: System) -> Any:
        """The model of a system, with its own setting ``merge_copies``."""
        from ramify import Ensemble

        if system.trees == 1:
            model = self._tree(system.copies, self.seed)[0]
            settings = {"merge_copies": system.merge, "path_weight": system.path_weight}
            return model._with_search(model.search_).set_params(**settings)
        return Ensemble.of([self._tree(system.copies, seed)[0] for seed in self._seeds(system)], threads=1)

    def costs(self, system: System) -> Row:
        """CPU seconds of the training, summed over the trees; leaves and recall of the first tree."""
        rows = [self._tree(system.copies, seed)[1] for seed in self._seeds(system)]
        spent = {name: round(sum(row[name] for row in rows), 3) for name in rows[0] if name.endswith("_s")}
        return rows[0] | spent

    def _seeds(self, system: System) -> list[int]:
        return [self.seed + number * SECOND for number in range(system.trees)]

    def _tree(self, count: int, seed: int) -> tuple[Any, Row]:
        if (count, seed) not in self._made:
            self._made[count, seed] = self._plain(seed) if count == 0 else self._again(count, seed)
        return self._made[count, seed]

    def _plain(self, seed: int) -> tuple[Any, Row]:
        from ramify import XRLinear

        tree = XRLinear(**self.chosen.settings, seed=seed, threads=self.chosen.threads)
        model, cpu = timed(lambda: tree.fit(self.matrices.X, self.matrices.Y))
        return model, {"first_cpu_s": cpu, "leaves": model.tree_.n_leaves}

    def _again(self, count: int, seed: int) -> tuple[Any, Row]:
        """What ``Disentangled(copies=count)`` does after its first training, which all counts share."""
        from ramify.exchange import CheckedTraining
        from ramify.index import FixedTree
        from ramify.models.trees.reassignment import Assignment, reassigned

        chosen, (first, costs) = self.chosen, self._tree(0, seed)
        part = CheckedTraining(X=self.matrices.X, Y=self.matrices.Y, seed=seed, threads=chosen.threads)
        how = Assignment(copies=count, folds=chosen.folds, seed=seed)
        new, reassign_cpu = timed(lambda: reassigned(first, part, how))
        if chosen.warm_start:
            model, cpu = timed(lambda: first.regrown(new.tree, part.X, part.Y))
        else:
            again = clone(first).set_params(indexer=FixedTree(new.tree))
            company = chosen.positives == "company" and count > 1
            options = {"visits": new.visits(part, chosen.threads)} if company else {}
            model, cpu = timed(lambda: again.fit(part.X, part.Y, **options))
        recall = {"recall_before": new.round.before.recall, "recall_after": new.round.after.recall}
        sizes = {"leaves": model.tree_.n_leaves}
        return model, costs | {"reassign_cpu_s": reassign_cpu, "again_cpu_s": cpu} | recall | sizes


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """The result, and the CPU seconds."""
    before = os.times()
    made = work()
    after = os.times()
    return made, round(after.user + after.system - before.user - before.system, 3)


def _cpu_us(models: dict[System, Any], X: Any, k: int) -> dict[System, float]:
    """CPU µs per document of the fastest of ``TURNS`` predictions; the systems take turns."""
    spent = dict.fromkeys(models, float("inf"))
    for _ in range(TURNS):
        for one, model in models.items():
            before = time.process_time()
            model.predict_topk(X, k, beam=one.beam)
            spent[one] = min(spent[one], time.process_time() - before)
    return {one: round(1e6 * seconds / X.shape[0], 2) for one, seconds in spent.items()}


def _measures(answers: Answers) -> dict[str, float]:
    """Measures in percent; intervals are only computed for differences."""
    values = answers.under(np.ones((1, len(answers.numerators))))[0]
    return {name: round(100 * float(value), 3) for name, value in zip(MEASURES, values, strict=True)}


def _answers_path(key: Row) -> Path:
    name = hashlib.sha256(json.dumps([key[name] for name in (*SETUP, *SYSTEM, "seed")]).encode()).hexdigest()[:16]
    return CACHE / "disentangle" / f"{name}.npz"


def compared(chosen: argparse.Namespace, matrices: Matrices) -> Iterator[Row]:
    """Differences of each system from the others, over all seeds for which both have predictions here."""
    setup = _setup("compared", chosen, matrices)

    def answers(system: System) -> dict[int, Any]:
        paths = {seed: _answers_path(setup | asdict(system) | {"seed": seed}) for seed in range(chosen.seeds)}
        return {seed: read_answers(matrices, path) for seed, path in paths.items() if path.exists()}

    wanted = systems(chosen)
    found = {one: answers(one) for one in wanted}
    for number, peer in enumerate(wanted):
        for own in wanted[number + 1 :]:
            seeds = sorted(found[peer].keys() & found[own].keys())
            key = setup | asdict(own) | {"peer": asdict(peer), "seeds": seeds}
            if seeds and not _known(key):
                runs = [[found[one][seed] for seed in seeds] for one in (peer, own)]
                yield key | {"differences": paired_by_seed(*runs)}


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
    return any(all(row.get(name) == value for name, value in key.items()) for row in read_rows(RESULTS))


if __name__ == "__main__":
    main()
