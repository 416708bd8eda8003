"""Labels that no training document has, found by their names: in the tree against left out.

    python benchmarks/zero_shot.py held-out --sets gutenberg-lcsh
    python benchmarks/zero_shot.py test --sets gutenberg-lcsh

``held-out`` keeps a fifth of the training documents back: labels that only they have become labels without instances,
and every way is tried under every beam and share. ``test`` then measures each way on the test documents, all of them,
under the settings that held-out documents chose: the most 0-shot labels found among those that cost no precision.
Rows go to ``results/zero-shot.jsonl``; what is there already is passed over, so that a cut run goes on.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from racing.matrices import PLAIN_TFIDF
from racing.places import DATA, HERE
from racing.rows import Row, add_stamped, read_rows

RESULTS = HERE / "results" / "zero-shot.jsonl"
KEY = ("kind", "dataset", "way", "beam", "share", "seed")
ALL = tuple(f"{family}@{k}" for family in ("P", "PSP") for k in (1, 3, 5))
MEASURES = (*ALL, "0-shot/R@5", "0-shot/R@10", "0-shot/P@5", "1-shot/R@5")
HELD_OUT = 0.2
MOST_ASKED = 4_000
"""Held-out documents that settings are chosen by."""

BEAMS = (10, 20)

SHARES = (0.05, 0.1, 0.2, 0.3)
RESAMPLES = 1_000


@dataclass(frozen=True, kw_only=True)
class Way:
    """What is done with the names.

    Parameters
    ----------
    in_tree : bool, default True
        Labels without instances are in the tree, grouped by the mean of PIFA and name.
    ranker : {"linear", "cosine", "mixed"}
        The cosine is that of document and name.
    instances : {"none", "unused", "all"}
        The labels whose names are training documents, too.
    nearest : bool, default False
        Nearest instances have an equal say in the matching.
    """

    in_tree: bool = True
    ranker: str = "mixed"
    instances: str = "none"
    nearest: bool = False


WAYS = {
    "without": Way(in_tree=False, ranker="linear"),
    "without, nearest match": Way(in_tree=False, ranker="linear", nearest=True),
    "cosine": Way(ranker="cosine"),
    "mixed": Way(),
    "unused names are instances": Way(instances="unused"),
    "names are instances": Way(instances="all"),
    "names are instances, nearest match": Way(instances="all", nearest=True),
}


@dataclass(frozen=True)
class Problem:
    """Documents to learn from and to ask, with labels of one space; Y may have labels without an instance."""

    dataset: str
    texts: list[str]
    Y: Any
    queries: list[str]
    truth: Any
    names: list[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("held-out", "test"))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="+", default=["gutenberg-lcsh"])
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    for name in chosen.sets:
        problem = (held_out if chosen.task == "held-out" else whole)(name, chosen.data, chosen.seed)
        for way in chosen.ways:
            for row in rows(chosen, problem, way):
                print(json.dumps(add_stamped(RESULTS, row)), flush=True)


def whole(name: str, data: Path, seed: int) -> Problem:
    """Training and test documents, the labels of both."""
    from ramify import read
    from ramify.data import align

    train = read(data / name / "train.jsonl.gz")
    test = align(read(data / name / "test.jsonl.gz"), list(train.label_names))
    missing = test.Y.shape[1] - train.Y.shape[1]
    Y = sp.csr_matrix(sp.hstack([train.Y, sp.csr_matrix((len(train), missing), dtype=np.float32)]))
    return Problem(name, list(train.texts), Y, list(test.texts), test.Y, list(test.label_names))


def held_out(name: str, data: Path, seed: int) -> Problem:
    """The training documents in two parts, over the labels of all of them."""
    from ramify import read

    train = read(data / name / "train.jsonl.gz")
    order = np.random.default_rng(seed).permutation(len(train))
    n_held = int(HELD_OUT * len(train))
    held, rest = np.sort(order[: min(n_held, MOST_ASKED)]), np.sort(order[n_held:])
    texts, queries = ([train.texts[at] for at in part] for part in (rest, held))
    return Problem(name, texts, train.Y[rest], queries, train.Y[held], list(train.label_names))


def rows(chosen: argparse.Namespace, problem: Problem, way: str) -> Iterator[Row]:
    """Measure every given setting that has no row yet."""
    fixed = {"kind": chosen.task, "dataset": problem.dataset, "way": way, "seed": chosen.seed}
    every = [(beam, share) for beam in BEAMS for share in (SHARES if WAYS[way].ranker == "mixed" else (None,))]
    settings = every if chosen.task == "held-out" else [best(problem.dataset, way, chosen.seed)]
    keys = [fixed | {"beam": beam, "share": share} for beam, share in settings]
    due = [key for key in keys if not _known(key)]
    if not due:
        return
    before = os.times()
    model, vectorizer = trained(problem, WAYS[way], chosen)
    cost = {"train_cpu_s": round(_cpu(before), 1), "threads": chosen.threads}
    X = vectorizer.transform(problem.queries)
    for key in due:
        model.beam = key["beam"]
        if key["share"] is not None:
            model.ranker_.share = key["share"]
        before = os.times()
        top = model.predict_topk(X, 10)
        microseconds = round(1e6 * _cpu(before) / len(problem.queries), 1)
        sizes = {"zero_shot_labels": int((np.bincount(problem.Y.indices, minlength=len(problem.names)) == 0).sum())}
        yield key | cost | {"batch_cpu_us": microseconds} | sizes | {"measures": measured(problem, top)}


def trained(problem: Problem, way: Way, chosen: argparse.Namespace) -> tuple[Any, Any]:
    """The model, and what makes features for it; names are only looked at where the way has them."""
    from ramify import Ensemble, NearestInstances, Partitioned, Tfidf, XRLinear
    from ramify.label_vectors import names_as_instances

    vectorizer, Y = Tfidf(**PLAIN_TFIDF, threads=chosen.threads), problem.Y
    known = problem.names if way.in_tree else []
    X = vectorizer.fit_transform([*problem.texts, *known])[: len(problem.texts)]
    names = vectorizer.transform(problem.names)
    if way.instances != "none":
        unused = np.flatnonzero(np.bincount(Y.indices, minlength=Y.shape[1]) == 0)
        X, Y = names_as_instances(X, Y, names, unused if way.instances == "unused" else None)
    matcher = Ensemble([XRLinear(seed=chosen.seed), NearestInstances()]) if way.nearest else "linear"
    parts = {"matcher": matcher, "ranker": _ranker(way, names), **_index(way, names)}
    return Partitioned(**parts, seed=chosen.seed, threads=chosen.threads).fit(X, Y), vectorizer


def _ranker(way: Way, names: Any) -> Any:
    from ramify.label_vectors import Given
    from ramify.models import CosineRanker, LinearRanker, MixedRanker

    cosine = CosineRanker(Given(names))
    return {"linear": LinearRanker(), "cosine": cosine, "mixed": MixedRanker(LinearRanker(), cosine)}[way.ranker]


def _index(way: Way, names: Any) -> dict[str, Any]:
    from ramify.index import KMeansIndexer
    from ramify.label_vectors import PIFA, Given, Mixture

    if not way.in_tree or way.instances != "none":
        return {}
    return {
        "representation": Mixture(PIFA(), Given(names)),
        "indexer": KMeansIndexer(keep_unused=True),
    }


def measured(problem: Problem, top: Any) -> dict[str, list[float]]:
    """Measure -> [value, low, high] in percent, 95% over resampled documents."""
    from ramify import evaluate
    from ramify.evaluation.bootstrap import intervals, resamples

    report = evaluate(problem.truth, top, Y_train=problem.Y, ks=(1, 3, 5, 10))
    numerators, denominators = (
        np.column_stack(part) for part in zip(*(report.contributions(name) for name in MEASURES), strict=True)
    )
    n = len(numerators)
    samples = np.vstack([(drawn @ numerators) / (drawn @ denominators) for drawn in resamples(n, RESAMPLES, seed=0)])
    found = zip(MEASURES, intervals(samples), strict=True)
    return {name: [round(100 * float(value), 2) for value in (report[name], *edges)] for name, edges in found}


def best(dataset: str, way: str, seed: int) -> tuple[int, float | None]:
    """The beam and share that held-out documents choose: most 0-shot labels at no less precision than without."""
    tried = [row for row in read_rows(RESULTS) if row["kind"] == "held-out" and row["dataset"] == dataset]
    tried = [row for row in tried if row["seed"] == seed]
    least = max((_precision(row) for row in tried if row["way"] == "without"), default=0.0)
    own = [row for row in tried if row["way"] == way]
    if not own:
        raise SystemExit(f"{way}: no held-out rows of {dataset}; run the task held-out first")
    free = [row for row in own if _precision(row) >= least]
    first = max(free, key=lambda row: row["measures"]["0-shot/R@5"][0]) if free else max(own, key=_precision)
    return first["beam"], first["share"]


def _precision(row: Row) -> float:
    return float(np.mean([row["measures"][f"P@{k}"][0] for k in (1, 3, 5)]))


def _cpu(before: os.times_result) -> float:
    after = os.times()
    return after.user + after.system - before.user - before.system


def _known(key: Row) -> bool:
    return any(all(row.get(name) == key.get(name) for name in KEY) for row in read_rows(RESULTS))


if __name__ == "__main__":
    main()
