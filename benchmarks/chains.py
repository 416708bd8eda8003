"""Classifier chains: fixed orders, re-sequencing, reinforcement, and ensembles of two networks (docs/chains.md).

    python benchmarks/chains.py --sets bibtex delicious crs-bills-mini --seeds 3
    python benchmarks/chains.py --sets bibtex --systems rare-first resequenced --seeds 1

All networks of a seed are trained on the same nine tenths of the training documents and validated on the same tenth.
An ensemble has two networks, with the seeds s and s + 1; the weight of the second is the one that ranks the tenth best.
Label sets are cut by one threshold per system, which gives the best micro F1 on the tenth; those that a single chain
ends with STOP are a second figure. Pairs of systems are compared by a paired bootstrap over documents and seeds.

Rows go to ``results/chains.jsonl``; rows that are there are skipped, so that an interrupted run continues. Scores of
the networks are kept in the cache. With ``--compare`` only the comparisons are computed, from the kept scores.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from racing.chain_members import Scores, Study, effective, set_quality
from racing.chain_tables import CHAINS, COMPARED, ENSEMBLES, MEASURES, SYSTEMS
from racing.matrices import Matrices, prepare
from racing.places import DATA
from racing.quality import judged, paired
from racing.rows import Row, add_stamped, read_rows
from racing.sources import source_hash

SETTINGS: dict[str, dict[str, Any]] = {
    "bibtex": {},
    "delicious": {"epochs": 4},
    "crs-bills-mini": {"warmup": 12, "epochs": 5, "sampled": 1_000},
}
"""Settings of the networks, the same for all systems of a set; others are defaults. With 19 labels per document a few
epochs are enough; with thousands of labels a sampled softmax takes two thirds of the time."""

REINFORCED: dict[str, dict[str, Any]] = {"delicious": {"epochs": 2}, "crs-bills-mini": {"epochs": 2}}
"""Settings of the policy gradient."""

WATCHED = 50
"""First labels per document that a threshold is fitted on."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="+", default=list(SETTINGS))
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compare", action="store_true", help="only compare systems that have rows")
    chosen = parser.parse_args()
    command = {"command": shlex.join(["python", *sys.argv])}
    for name in chosen.sets:
        matrices = prepare(name, chosen.data)
        for seed in chosen.seeds if not chosen.compare else ():
            run = Run(matrices, seed, chosen.threads)
            for system in chosen.systems:
                if not run.is_known(system):
                    print(json.dumps(add_stamped(CHAINS, run.row(system) | command)), flush=True)
        for row in comparisons(matrices, chosen.seeds, chosen.threads):
            print(json.dumps(add_stamped(CHAINS, row | command)), flush=True)


class Run:
    """The systems on one set with one seed.

    Parameters
    ----------
    matrices : Matrices
    seed : int
    threads : int
    """

    def __init__(self, matrices: Matrices, seed: int, threads: int) -> None:
        name = matrices.dataset
        self.matrices, self.seed, self.threads = matrices, seed, threads
        self.study = Study(matrices, seed, SETTINGS.get(name, {}), REINFORCED.get(name, {}), threads)

    def key(self, system: str) -> Row:
        """What makes two rows the same measurement: data, seed, settings and sources of all members."""
        key = {"kind": "system", "dataset": self.matrices.dataset, "matrices": self.matrices.fingerprint}
        key |= {"system": system, "seed": self.seed}
        if system == "xr-linear":
            from ramify import XRLinear

            return key | {"settings": effective(XRLinear()), "sources": source_hash("ramify.models.trees.xr_linear")}
        names = [name for name, _ in ENSEMBLES.get(system, [(system, 0)])]
        identities = [self.study.identity(name) for name in names]
        key |= {"settings": {name: one["settings"] for name, one in zip(names, identities, strict=True)}}
        key |= {"sources": identities[-1]["sources"]}
        return key | ({"reinforced": identities[-1]["reinforced"]} if "reinforced" in names else {})

    def is_known(self, system: str) -> bool:
        """Whether the row is there."""
        key = self.key(system)
        return any(all(row.get(name) == value for name, value in key.items()) for row in read_rows(CHAINS))

    def row(self, system: str) -> Row:
        """Train the members that have no scores yet, and measure."""
        found = self.scores(system)
        Y_test = self.matrices.Y_test
        row = self.key(system) | measures_of(Y_test, found.test)
        threshold = best_threshold(found.held, self.study.held.Y)
        sets = set_quality(Y_test, sp.csr_matrix(found.test >= threshold)) | {"threshold": threshold}
        return row | {"minutes": round(found.minutes, 3), "sets": sets, "threads": self.threads} | found.note

    def scores(self, system: str) -> Scores:
        """Scores of a network, an ensemble or XR-Linear."""
        if system == "xr-linear":
            return self._linear()
        if system not in ENSEMBLES:
            return self.study.scores(system, 0)
        from ramify.chains.composite import best_weight, combined

        first, second = (self.study.scores(name, number) for name, number in ENSEMBLES[system])
        weight = best_weight(first.held, second.held, self.study.held.Y)
        held, test = (combined(*part, weight) for part in ((first.held, second.held), (first.test, second.test)))
        return Scores(held, test, first.minutes + second.minutes, {"weight": weight})

    def _linear(self) -> Scores:
        """Scores of XR-Linear trained on all training documents; the held-out ones are of a tree without these."""
        from ramify import XRLinear

        settings = {"seed": self.seed, "threads": self.threads}
        begun = time.process_time()
        model = XRLinear(**settings).fit(self.matrices.X, self.matrices.Y)
        minutes = (time.process_time() - begun) / 60
        watched = XRLinear(**settings).fit(self.study.rest.X, self.study.rest.Y)
        held, test = _all_scores(watched, self.study.held.X), _all_scores(model, self.matrices.X_test)
        return Scores(held, test, minutes, {})


def _all_scores(model: Any, X: Any) -> Any:
    """Scores of the first labels as a float32 array, shape (n, L); -inf for others."""
    top = model.predict_topk(X, min(WATCHED, model.n_labels_))
    scores = np.full((X.shape[0], model.n_labels_ + 1), -np.inf, np.float32)  # a last column for label -1
    np.put_along_axis(scores, top.labels, top.scores, axis=1)
    return scores[:, :-1]


def measures_of(Y: Any, scores: Any) -> Row:
    """The measures of some scores, in percent."""
    from ramify import evaluate
    from ramify.evaluation import top_k

    report = evaluate(Y, top_k(scores, 5))
    return {name: round(100 * float(report[name]), 3) for name in MEASURES}


def best_threshold(scores: Any, Y: Any) -> float:
    """The threshold with the largest micro F1 on held-out instances."""
    from ramify.evaluation import top_k

    top = top_k(scores, min(WATCHED, Y.shape[1]))
    truth = Y.toarray() > 0
    hits = np.take_along_axis(truth, np.maximum(top.labels, 0), axis=1) & (top.labels >= 0)
    found, hits = top.scores[top.labels >= 0], hits[top.labels >= 0]
    order = np.argsort(-found, kind="stable")
    f1 = 2 * np.cumsum(hits[order]) / (np.arange(len(order)) + 1 + truth.sum())
    return float(found[order][int(np.argmax(f1))])


def comparisons(matrices: Matrices, seeds: Sequence[int], threads: int) -> list[Row]:
    """Paired bootstrap of pairs of systems, over documents and the seeds that both have rows for."""
    from ramify.evaluation import top_k

    runs = [Run(matrices, seed, threads) for seed in seeds]
    parts: dict[tuple[str, int], Any] = {}

    def part(system: str, run: Run) -> Any:
        if (system, run.seed) not in parts:
            parts[system, run.seed] = judged(matrices, top_k(run.scores(system).test, 5))
        return parts[system, run.seed]

    rows = []
    for first, second in COMPARED:
        both = [run for run in runs if run.is_known(first) and run.is_known(second)]
        if both:
            key = {"kind": "comparison", "dataset": matrices.dataset, "matrices": matrices.fingerprint}
            own, others = ([part(name, run) for run in both] for name in (first, second))
            found = paired(others, own, runs_in_pairs=True)
            row = key | {"a": first, "b": second, "seeds": [run.seed for run in both], "differences": found}
            rows.append(row | {"sources": both[0].key(first)["sources"]})
    return rows


if __name__ == "__main__":
    main()
