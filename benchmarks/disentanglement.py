"""Label disentanglement (docs/papers.md): labels in several clusters against one; do copies recover merged labels?

    python benchmarks/disentanglement.py copies --sets gutenberg-lcsh --copies 1 2 3 4 5 6 --seeds 3
    python benchmarks/disentanglement.py copies --sets bibtex --settings '{"branching": 8, "max_leaf": 8}'
    python benchmarks/disentanglement.py senses --sets gutenberg-lcsh --seeds 3

``copies`` trains the plain tree (copies 0), then, from its clusters, trees with up to so many copies per label, the
same seeds for all; then compares each with copies 1, which only moves labels, by a paired bootstrap over documents.
``senses`` merges random pairs of labels of one cluster into labels of two senses and looks whether the two copies of
such a label part its instances as the two labels did: by the variation of information, beside a random split.
Rows go to ``results/disentangle.jsonl``; what is there already is passed over, so that a cut run goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from racing.matrices import Matrices, prepare
from racing.places import CACHE, DATA, HERE
from racing.quality import judged, measures, paired, read_answers
from racing.rows import Row, add_stamped, read_rows

RESULTS = HERE / "results" / "disentangle.jsonl"
KEY = (
    "kind",
    "dataset",
    "matrices",
    "settings",
    "merge",
    "copies",
    "folds",
    "positives",
    "warm_start",
    "costs",
    "seed",
    "threads",
)
LEAST = 10
"""Instances that each of two labels must have to become a sense."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("copies", "senses"))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="+", required=True)
    parser.add_argument("--copies", nargs="+", type=int, default=[1, 2, 3, 4, 5, 6])
    parser.add_argument("--merge", nargs="+", default=["max"], help="max, mean or sum of the copies")
    parser.add_argument("--folds", type=int, default=3, help="parts of the instances for cross-fitting; 0: one model")
    parser.add_argument("--positives", choices=("all", "company"), default="all", help="that train a copy")
    parser.add_argument("--warm-start", action="store_true", help="leaves that stay in their cluster are kept")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=200, help="pairs of labels to merge")
    parser.add_argument("--settings", type=json.loads, default={}, help="of XRLinear, as a JSON object")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    for name in chosen.sets:
        matrices = prepare(name, chosen.data)
        for seed in range(chosen.seeds):
            for row in (copies if chosen.task == "copies" else senses)(chosen, matrices, seed):
                print(json.dumps(add_stamped(RESULTS, row)), flush=True)
        for row in compared(chosen, matrices) if chosen.task == "copies" else ():
            print(json.dumps(add_stamped(RESULTS, row)), flush=True)


def copies(chosen: argparse.Namespace, matrices: Matrices, seed: int) -> Iterator[Row]:
    """The plain tree and every number of copies, under every way to merge them."""
    known = {}
    for count in (0, *chosen.copies):
        wanted = chosen.merge if count > 1 else ["max"]
        keys = {merge: _key("copies", chosen, matrices, merge=merge, copies=count, seed=seed) for merge in wanted}
        due = [merge for merge in wanted if not _known(keys[merge])]
        if due and not known:
            known = _first(chosen, matrices, seed)
        if due:
            model, costs = (known["model"], known["costs"]) if count == 0 else _again(chosen, matrices, known, count)
        for merge in due:
            model.set_params(merge_copies=merge)
            yield keys[merge] | costs | _answers(matrices, model, keys[merge])


def _first(chosen: argparse.Namespace, matrices: Matrices, seed: int) -> dict[str, Any]:
    from ramify import XRLinear

    tree = XRLinear(**chosen.settings, seed=seed, threads=chosen.threads)
    model, cpu = timed(lambda: tree.fit(matrices.X, matrices.Y))
    return {"model": model, "costs": {"first_cpu_s": cpu}}


def _again(chosen: argparse.Namespace, matrices: Matrices, known: dict[str, Any], count: int) -> tuple[Any, Row]:
    """What ``Disentangled(copies=count)`` does after its first training, which all counts share."""
    from ramify.exchange import CheckedTraining
    from ramify.index import FixedTree
    from ramify.models.trees.reassignment import Assignment, reassigned

    part = CheckedTraining(X=matrices.X, Y=matrices.Y, seed=known["model"].seed, threads=chosen.threads)
    how = Assignment(copies=count, folds=chosen.folds, seed=known["model"].seed)
    new, reassign_cpu = timed(lambda: reassigned(known["model"], part, how))
    if chosen.warm_start:
        model, cpu = timed(lambda: known["model"].regrown(new.tree, part.X, part.Y))
    else:
        again = clone(known["model"]).set_params(indexer=FixedTree(new.tree))
        options = {"visits": new.visits(part, chosen.threads)} if chosen.positives == "company" and count > 1 else {}
        model, cpu = timed(lambda: again.fit(part.X, part.Y, **options))
    recall = {"recall_before": new.round.before.recall, "recall_after": new.round.after.recall}
    return model, known["costs"] | {"reassign_cpu_s": reassign_cpu, "again_cpu_s": cpu} | recall


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and its CPU seconds."""
    before = os.times()
    made = work()
    after = os.times()
    return made, round(after.user + after.system - before.user - before.system, 3)


def _answers(matrices: Matrices, model: Any, key: Row) -> Row:
    k = min(10, matrices.Y.shape[1])
    model.predict_topk(matrices.X_test[:100], k)
    top, cpu = timed(lambda: model.predict_topk(matrices.X_test, k))
    path = _answers_path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, labels=top.labels, scores=top.scores)
    return {
        "batch_cpu_us": round(1e6 * cpu / len(top), 2),
        "leaves": model.tree_.n_leaves,
        "measures": measures(judged(matrices, top)),
    }


def _answers_path(key: Row) -> Path:
    name = hashlib.sha256(json.dumps([key[name] for name in KEY]).encode()).hexdigest()[:16]
    return CACHE / "disentangle" / f"{name}.npz"


def compared(chosen: argparse.Namespace, matrices: Matrices) -> Iterator[Row]:
    """Each number of copies beside copies 1, over all seeds."""

    def answers(merge: str, count: int) -> list[Any]:
        seeds = range(chosen.seeds)
        paths = [
            _answers_path(_key("copies", chosen, matrices, merge=merge, copies=count, seed=seed)) for seed in seeds
        ]
        return [read_answers(matrices, path) for path in paths if path.exists()]

    plain = answers("max", 1)
    for count in (count for count in chosen.copies if count > 1):
        for merge in chosen.merge:
            own = answers(merge, count)
            key = _key("copies against 1", chosen, matrices, merge=merge, copies=count, seed=len(own))
            if own and plain and not _known(key):
                yield key | {"differences": paired(plain, own)}


def senses(chosen: argparse.Namespace, matrices: Matrices, seed: int) -> Iterator[Row]:
    """Two copies for labels that were two."""
    key = _key("senses", chosen, matrices, merge="mean", copies=2, seed=seed)
    if _known(key):
        return
    from ramify import Disentangled, XRLinear

    tree = XRLinear(**chosen.settings, seed=seed, threads=chosen.threads)
    plain = clone(tree).fit(matrices.X, matrices.Y)
    pairs = merged_pairs(plain.tree_, matrices.Y, chosen.pairs, seed)
    Y = merged(matrices.Y, pairs)
    model = Disentangled(tree, copies=2, folds=chosen.folds, positives=chosen.positives, seed=seed).fit(matrices.X, Y)
    found, random = [], []
    rng = np.random.default_rng(seed)
    for first, second in pairs:
        truth, rows = _sides(matrices.Y, first, second)
        scores = model.model_.leaf_scores(matrices.X[rows], first)
        if scores.shape[1] == 2:
            found.append(variation_of_information(truth, scores.argmax(axis=1)))
            random.append(variation_of_information(truth, rng.permutation(truth)))
    spread = np.std(np.subtract(found, random)) / np.sqrt(len(found))
    yield key | {
        "pairs": len(found),
        "variation_of_information": round(float(np.mean(found)), 4),
        "random_split": round(float(np.mean(random)), 4),
        "standard_error": round(float(spread), 4),
    }


def merged_pairs(tree: Any, Y: Any, count: int, seed: int) -> list[tuple[int, int]]:
    """Random disjoint pairs of labels below one child of the root, each with enough instances."""
    top = np.arange(tree.n_leaves)
    for level in range(tree.depth - 1, 0, -1):
        top = tree.parents[level][top]
    frequent = np.bincount(Y.indices, minlength=Y.shape[1]) >= LEAST
    rng = np.random.default_rng(seed)
    pairs = []
    for node in rng.permutation(np.unique(top)):
        labels = rng.permutation(tree.leaf_labels[top == node])
        labels = labels[frequent[labels]]
        pairs += [(int(a), int(b)) for a, b in zip(labels[::2], labels[1::2], strict=False)]
    return [pairs[place] for place in rng.permutation(len(pairs))[:count]]


def merged(Y: Any, pairs: list[tuple[int, int]]) -> Any:
    """Y with the second label of each pair counted as the first; its own column stays empty."""
    target = np.arange(Y.shape[1])
    for first, second in pairs:
        target[second] = first
    moved = sp.csr_matrix((np.ones(len(target), np.float32), (np.arange(len(target)), target)), shape=[Y.shape[1]] * 2)
    made = sp.csr_matrix(Y @ moved)
    made.data[:] = 1
    return made


def _sides(Y: Any, first: int, second: int) -> tuple[Any, Any]:
    """Which of two labels the instances with exactly one of them have, and these instances."""
    has = np.asarray(Y[:, [first, second]].todense()) > 0
    rows = np.flatnonzero(has.sum(axis=1) == 1)
    return has[rows, 1].astype(int), rows


def variation_of_information(one: Any, other: Any) -> float:
    """H(one | other) + H(other | one) of two partitions into two, in bits: 0 where they are the same."""
    joint = np.histogram2d(one, other, bins=(2, 2), range=((-0.5, 1.5), (-0.5, 1.5)))[0] / len(one)
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    return 2 * _entropy(joint.ravel()) - _entropy(rows) - _entropy(columns)


def _entropy(shares: Any) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log2(positive)).sum())


def _key(kind: str, chosen: argparse.Namespace, matrices: Matrices, **rest: Any) -> Row:
    fixed = {"kind": kind, "dataset": matrices.dataset, "matrices": matrices.fingerprint}
    ways = {name: getattr(chosen, name) for name in ("settings", "folds", "positives", "warm_start", "threads")}
    return fixed | ways | {"costs": tree_costs(chosen.settings)} | rest


def tree_costs(settings: dict[str, Any]) -> list[float]:
    """Of the trees, defaults included: rows stay apart where these change."""
    from ramify import XRLinear

    tree = XRLinear(**settings)
    return [tree.cost_positive, tree.cost_negative, tree.tail_cost]


def _known(key: Row) -> bool:
    return any(all(row.get(name) == key.get(name) for name in KEY) for row in read_rows(RESULTS))


if __name__ == "__main__":
    main()
