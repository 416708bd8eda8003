"""Label trees compared on held-out parts of the training sets: does an indexer pay against balanced k-means?

    python benchmarks/indexers.py run --sets bibtex delicious --seeds 5
    python benchmarks/indexers.py run --sets gutenberg-lcsh --models xr-linear --seeds 3
    python benchmarks/indexers.py table

Run number s trains on four fifths of the training instances (split s, seed s) and ranks the rest. All indexers of one
run share the split and the PIFA label vectors, and each tree is used by every model: ``XRLinear``, ``Partitioned``
(whose clusters are the leaves' parents) and ``Disentangled`` with two copies per label. Differences are paired by run.
Test sets are not read. Rows are added to ``results/indexers.jsonl``; a row that exists is not measured again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from racing.indexer_tables import indexer_section
from racing.matrices import prepare
from racing.places import DATA, HERE
from racing.rows import Row, add_stamped, read_rows
from tuning import split

RESULTS = HERE / "results" / "indexers.jsonl"
KEY = ("dataset", "matrices", "instances", "model", "indexer", "branching", "max_leaf", "run", "threads")
MEASURES = ("P@1", "P@3", "P@5", "PSP@1", "PSP@3", "PSP@5")
SHAPES = {
    "balanced": ((64, 100), (64, 64), (16, 32), (16, 16), (256, 100)),
    "neighbours": ((64, 64), (16, 64), (16, 32), (256, 64)),
    "scikit-learn": ((64, 100), (16, 32)),
    "random": ((64, 100), (16, 32), (256, 100)),
}
"""Branching and labels per leaf cluster at most, per indexer; ``NeighbourIndexer`` takes powers of two. The rows
"lloyd" are of k-means without a balance constraint, which was removed after they were measured."""
CONTROLS = ("scikit-learn", "random")
"""Indexers that are measured with ``XRLinear`` only."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(dest="task", required=True)
    tasks.add_parser("table", help="print the table for RESULTS.md")
    run = tasks.add_parser("run", help="measure what is missing")
    run.add_argument("--data", type=Path, default=DATA)
    run.add_argument("--sets", nargs="+", required=True)
    run.add_argument("--models", nargs="+", choices=tuple(MODELS), default=list(MODELS))
    run.add_argument("--indexers", nargs="+", choices=tuple(INDEXERS), default=list(INDEXERS))
    run.add_argument("--instances", type=int, default=40_000, help="training instances at most, a random sample")
    run.add_argument("--seeds", type=int, default=3)
    run.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    if chosen.task == "table":
        print(indexer_section())
        return
    for name in chosen.sets:
        measure_set(name, chosen)


def measure_set(name: str, chosen: argparse.Namespace) -> None:
    """Add the missing rows of one data set."""
    matrices = prepare(name, chosen.data)
    n_rows = min(chosen.instances, matrices.shape["documents"])
    for run in range(chosen.seeds):
        data: tuple[Any, ...] | None = None
        for indexer, branching, max_leaf in contestants(chosen.indexers, matrices.shape["labels"]):
            key = {"dataset": name, "matrices": matrices.fingerprint, "instances": n_rows, "threads": chosen.threads}
            key |= {"indexer": indexer, "branching": branching, "max_leaf": max_leaf, "run": run}
            models = [model for model in chosen.models if model == "xr-linear" or indexer not in CONTROLS]
            due = [model for model in models if not known(key | {"model": model})]
            if not due:
                continue
            data = data or split(*sample(matrices.X, matrices.Y, n_rows, run), run)
            for row in measured(key, due, data):
                added = add_stamped(RESULTS, row)
                print(name, run, indexer, branching, max_leaf, added["model"], added["measures"], flush=True)


def contestants(indexers: list[str], n_labels: int) -> Iterator[tuple[str, int, int]]:
    """Name, branching and max_leaf of each tree that is to be built; no branching that the labels cannot fill."""
    for name in indexers:
        for branching, max_leaf in SHAPES[name]:
            if branching <= 64 or n_labels > 64 * 100:
                yield name, branching, max_leaf


def known(key: Row) -> bool:
    """Whether the row is in the file."""
    return any(all(row.get(name) == key.get(name) for name in KEY) for row in read_rows(RESULTS))


def sample(X: Any, Y: Any, n_rows: int, run: int) -> tuple[Any, Any]:
    """X, Y of a random sample of the instances, or all of them."""
    if n_rows == X.shape[0]:
        return X, Y
    rows = np.sort(np.random.default_rng([run, n_rows]).permutation(X.shape[0])[:n_rows])
    return X[rows], Y[rows]


def measured(key: Row, models: list[str], data: tuple[Any, ...]) -> Iterator[Row]:
    """Build one tree, then train and judge each model on it."""
    from ramify import evaluate
    from ramify.index import FixedTree
    from ramify.label_vectors import PIFA

    X, Y, X_held, Y_held = data
    seed, threads = key["run"], key["threads"]
    Z, pifa_cpu = timed(lambda: PIFA().represent(X, Y))
    indexer = INDEXERS[key["indexer"]](key["branching"], key["max_leaf"])
    tree, index_cpu = timed(lambda: indexer.build(Z, Y, seed=seed, threads=threads))
    leaf_sizes = np.bincount(tree.parents[-1])
    shape = {"depth": tree.depth, "clusters": len(leaf_sizes), "largest_cluster": int(leaf_sizes.max())}
    for name in models:
        model = MODELS[name](FixedTree(tree), seed, threads)
        _, fit_cpu = timed(lambda model=model: model.fit(X, Y))
        report = evaluate(Y_held, model.predict_topk(X_held, 10), Y_train=Y)
        yield (
            key
            | {"model": name}
            | shape
            | {
                "labels": Y.shape[1],
                "measures": {measure: round(100 * float(report[measure]), 3) for measure in MEASURES},
                "index_cpu_s": index_cpu,
                "train_cpu_s": round(pifa_cpu + index_cpu + fit_cpu, 3),
                "batch_cpu_us": round(1e6 * answering_seconds(model, X_held) / X_held.shape[0], 2),
            }
        )


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it returns, and the CPU seconds of all threads of this process."""
    before = time.process_time()
    made = work()
    return made, round(time.process_time() - before, 4)


def answering_seconds(model: Any, X: Any) -> float:
    """CPU seconds to rank all rows of X: the least of three measurements."""
    return min(timed(lambda: model.predict_topk(X, 10))[1] for _ in range(3))


@dataclass(frozen=True)
class RandomTree:
    """Control: a balanced tree over a random order of the labels."""

    branching: int
    max_leaf: int

    def build(self, Z: Any, Y: Any, *, seed: int = 0, threads: int | None = 1) -> Any:
        """Same shape as balanced k-means; Z is not read."""
        from ramify.index.kmeans import kept_labels
        from ramify.index.shape import balanced_shape

        kept = kept_labels(Y, keep_unused=False)
        shape = balanced_shape(len(kept), branching=self.branching, max_leaf=self.max_leaf)
        return shape.tree(np.random.default_rng(seed).permutation(kept), Y.shape[1])


@dataclass
class ScikitLearnTree:
    """Control: recursive ``sklearn.cluster.KMeans`` over the label vectors; clusters of any size.

    A cluster of more than ``max_leaf`` labels is split into as many parts as full leaf clusters would need, at most
    ``branching``. Clusters that are still too large after ``max_depth`` splits stay as they are.
    """

    branching: int
    max_leaf: int
    max_depth: int = 3
    paths: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def build(self, Z: Any, Y: Any, *, seed: int = 0, threads: int | None = 1) -> Any:
        """Group the labels that have an instance."""
        from threadpoolctl import threadpool_limits

        from ramify.index import tree_from_paths
        from ramify.index.kmeans import kept_labels

        kept = kept_labels(Y, keep_unused=False)
        with threadpool_limits(threads):
            self._split(sp.csr_matrix(Z), kept, (), seed)
        return tree_from_paths([self.paths[label] for label in kept.tolist()], labels=kept, n_labels=Y.shape[1])

    def _split(self, Z: Any, labels: Any, path: tuple[int, ...], seed: int) -> None:
        from sklearn.cluster import KMeans

        if len(labels) <= self.max_leaf or len(path) == self.max_depth:
            self.paths |= dict.fromkeys(labels.tolist(), path)
            return
        wanted = min(-(-len(labels) // self.max_leaf), self.branching)
        clusters = KMeans(wanted, n_init=1, max_iter=20, random_state=seed).fit_predict(Z[labels])
        for number in np.unique(clusters).tolist():
            self._split(Z, labels[clusters == number], (*path, number), seed)


def _balanced(branching: int, max_leaf: int) -> Any:
    from ramify.index import KMeansIndexer

    return KMeansIndexer(branching=branching, max_leaf=max_leaf)


def _neighbours(branching: int, max_leaf: int) -> Any:
    from ramify.index import NeighbourIndexer

    return NeighbourIndexer(branching=branching, max_leaf=max_leaf)


def _xr_linear(indexer: Any, seed: int, threads: int) -> Any:
    from ramify import XRLinear

    return XRLinear(indexer=indexer, seed=seed, threads=threads)


def _partitioned(indexer: Any, seed: int, threads: int) -> Any:
    from ramify import Partitioned

    return Partitioned(indexer=indexer, seed=seed, threads=threads)


def _disentangled(indexer: Any, seed: int, threads: int) -> Any:
    from ramify import Disentangled

    return Disentangled(_xr_linear(indexer, seed, threads), copies=2, seed=seed)


INDEXERS: dict[str, Callable[[int, int], Any]] = {
    "balanced": _balanced,
    "neighbours": _neighbours,
    "scikit-learn": ScikitLearnTree,
    "random": RandomTree,
}
MODELS: dict[str, Callable[[Any, int, int], Any]] = {
    "xr-linear": _xr_linear,
    "partitioned": _partitioned,
    "disentangled": _disentangled,
}

if __name__ == "__main__":
    main()
