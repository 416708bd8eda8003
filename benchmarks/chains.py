"""Classifier chains: four fixed orders, re-sequencing, reinforcement and the composite of the two (docs/papers.md).

    python benchmarks/chains.py --sets bibtex delicious crs-bills-mini --seeds 3
    python benchmarks/chains.py --sets bibtex --systems frequent-first resequenced --seeds 1

Every system trains on the same nine tenths of the training set and is watched by the same tenth, drawn by the seed. The
composite combines the re-sequenced and the reinforced chain of its seed, with the weight that ranks this tenth best;
its minutes are those of both. Beside the ranking each row has F1 and exact matches of label sets: of the chain's own
STOP, of the composite and of XR-Linear cut by one threshold for all labels that is best on the tenth.

Rows go to ``results/chains.jsonl``; what is there already is passed over, so that a cut run goes on. What both chains
say waits in the cache for the composite.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from racing.chain_tables import CHAINS, MEASURES, SYSTEMS
from racing.matrices import Matrices, prepare
from racing.places import CACHE, DATA
from racing.rows import Row, add_stamped, read_rows

HELD_OUT = 0.1
SETTINGS: dict[str, dict[str, Any]] = {
    "bibtex": {},
    "delicious": {"epochs": 4},
    "crs-bills-mini": {"warmup": 12, "epochs": 5, "sampled": 1_000},
}
"""Of the networks, the same for all systems of a set; the rest are defaults. With 19 labels per document a few epochs
are enough; with thousands of labels a sampled softmax takes two thirds of the time."""

REINFORCED: dict[str, dict[str, Any]] = {"delicious": {"reward": "dcg", "epochs": 2}}
"""Of the policy gradient: with 19 labels per document the gain in DCG ranks held-out documents better than the gain in
the set's F1."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="+", default=list(SETTINGS))
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--settings", type=json.loads, default={}, help="of LabelChain, over those of the set")
    parser.add_argument("--reinforced", type=json.loads, default={}, help="of ReinforcedChain")
    chosen = parser.parse_args()
    for name in chosen.sets:
        matrices = prepare(name, chosen.data)
        for seed in range(chosen.seeds):
            for system in chosen.systems:
                run = Run(chosen, matrices, system, seed)
                if not run.is_known():
                    print(json.dumps(add_stamped(CHAINS, run.row())), flush=True)


class Run:
    """One system on one set with one seed."""

    def __init__(self, chosen: argparse.Namespace, matrices: Matrices, system: str, seed: int) -> None:
        from ramify import LabelChain, ReinforcedChain
        from ramify.exchange import CheckedTraining
        from ramify.label_vectors import unit_vectors

        self.chosen, self.matrices, self.system, self.seed = chosen, matrices, system, seed
        self.settings = SETTINGS.get(matrices.dataset, {}) | chosen.settings
        self.reinforced = REINFORCED.get(matrices.dataset, {}) | chosen.reinforced
        self.effective = {
            "settings": {} if system == "xr-linear" else effective(LabelChain(**self.settings)),
            "reinforced": effective(ReinforcedChain(**self.reinforced)),
        }
        whole = CheckedTraining(X=unit_vectors(matrices.X), Y=matrices.Y, seed=seed, threads=chosen.threads)
        self.rest, self.held = whole.split(HELD_OUT, seed)

    def key(self, system: str) -> Row:
        """What makes two rows the same measurement."""
        key = {"dataset": self.matrices.dataset, "matrices": self.matrices.fingerprint, "system": system}
        key |= {"seed": self.seed, "settings": self.effective["settings"]}
        if system in ("reinforced", "composite"):
            key |= {"reinforced": self.effective["reinforced"]}
        return key

    def is_known(self) -> bool:
        """Whether the row is there."""
        key = self.key(self.system)
        return any(all(row.get(name) == value for name, value in key.items()) for row in read_rows(CHAINS))

    def row(self) -> Row:
        """Train, ask, measure."""
        from ramify import evaluate
        from ramify.evaluation import top_k

        if self.system == "xr-linear":
            return self._closed(*self.linear())
        minutes, found = self.composite() if self.system == "composite" else self.answers(self.system)
        report = evaluate(self.matrices.Y_test, top_k(found["test"], 5))
        if self.system == "composite":
            threshold = best_threshold(top_k(found["held"], self._watched()), self.held.Y)
            sets = set_quality(self.matrices.Y_test, sp.csr_matrix(found["test"] >= threshold)) | {"cut": threshold}
        else:
            sets = found["sets"] | {"cut": "own"}
        more = {name: found[name] for name in ("weight", "epochs") if name in found}
        return self._closed(report, minutes, sets) | more

    def _closed(self, report: Any, minutes: float, sets: Row) -> Row:
        row = self.key(self.system) | {name: round(100 * float(report[name]), 3) for name in MEASURES}
        row |= {"minutes": round(minutes, 2), "sets": sets, "threads": self.chosen.threads}
        return row | {"command": shlex.join(["python", *sys.argv])}

    def _watched(self) -> int:
        return min(50, self.matrices.Y.shape[1])

    def linear(self) -> tuple[Any, float, Row]:
        """XR-Linear: its report, minutes and sets, cut by a threshold that was not fitted on what it learnt from."""
        from ramify import XRLinear, evaluate

        begun = time.perf_counter()
        model = XRLinear(seed=self.seed, threads=self.chosen.threads).fit(self.matrices.X, self.matrices.Y)
        minutes = (time.perf_counter() - begun) / 60
        watched = XRLinear(seed=self.seed, threads=self.chosen.threads).fit(self.rest.X, self.rest.Y)
        threshold = best_threshold(watched.predict_topk(self.held.X, self._watched()), self.held.Y)
        found = model.set_params(decision_threshold=threshold).predict(self.matrices.X_test)
        report = evaluate(self.matrices.Y_test, model.predict_topk(self.matrices.X_test, 5))
        return report, minutes, set_quality(self.matrices.Y_test, found) | {"cut": threshold}

    def answers(self, system: str) -> tuple[float, Row]:
        """Minutes of a chain's training, and all that it says; from the cache where it is there."""
        home = CACHE / "chains" / f"{_digest(self.key(system))}.npz"
        if home.exists():
            with np.load(home) as kept:
                note = json.loads(str(kept["note"]))
                return note.pop("minutes"), {"held": kept["held"], "test": kept["test"]} | note
        begun = time.perf_counter()
        model = self.unfitted(system)
        model.fit_parts(replace(self.rest, seed=model.seed), self.held)
        minutes = (time.perf_counter() - begun) / 60
        X_test, Y_test = self.matrices.X_test, self.matrices.Y_test
        found = {"test": model.decision_function(X_test)}
        note = {"sets": set_quality(Y_test, model.predict_sets(X_test)), "epochs": epochs_of(model)}
        if system in ("resequenced", "reinforced"):
            found["held"] = model.decision_function(self.held.X)
            home.parent.mkdir(parents=True, exist_ok=True)
            beside = home.with_suffix(".new.npz")  # a cut leaves nothing half-written that the next run would open
            np.savez(beside, **found, note=json.dumps(note | {"minutes": minutes}))
            beside.replace(home)
        return minutes, found | note

    def unfitted(self, system: str) -> Any:
        """A chain with the settings of the set."""
        from ramify import LabelChain, ReinforcedChain

        if system != "reinforced":
            return LabelChain(order=system, seed=self.seed, threads=self.chosen.threads, **self.settings)
        warm = LabelChain(order="random", **self.settings)
        # another first network than the re-sequenced chain's: what two alike networks say need not be combined
        return ReinforcedChain(warm, seed=self.seed + 1, threads=self.chosen.threads, **self.reinforced)

    def composite(self) -> tuple[float, Row]:
        """Minutes of both chains of the seed, and what they say together, as ``CompositeChain`` does."""
        from ramify.chains.composite import best_weight, combined

        (minutes, first), (more, second) = (self.answers(system) for system in ("resequenced", "reinforced"))
        weight = best_weight(first["held"], second["held"], self.held.Y)
        found = {part: combined(first[part], second[part], weight) for part in ("held", "test")}
        return minutes + more, found | {"weight": weight}


def effective(model: Any) -> Row:
    """Settings that make a difference, defaults included: a row under other defaults is another measurement."""
    free = ("order", "seed", "threads", "chain", "device", "checkpoint")
    return {name: value for name, value in model.get_params(deep=False).items() if name not in free}


def best_threshold(top: Any, Y: Any) -> float:
    """The one under which micro F1 of held-out instances is largest."""
    truth = Y.toarray() > 0
    hits = np.take_along_axis(truth, np.maximum(top.labels, 0), axis=1) & (top.labels >= 0)
    scores, hits = top.scores[top.labels >= 0], hits[top.labels >= 0]
    order = np.argsort(-scores, kind="stable")
    f1 = 2 * np.cumsum(hits[order]) / (np.arange(len(order)) + 1 + truth.sum())
    return float(scores[order][int(np.argmax(f1))])


def set_quality(Y: Any, found: Any) -> Row:
    """Micro F1, macro F1 over labels that the test set has, and exact matches, in percent."""
    hits = found.multiply(Y).tocsr()
    per_label = [np.asarray(matrix.sum(axis=0)).ravel() for matrix in (hits, found, Y)]
    macro = (2 * per_label[0] / np.maximum(1, per_label[1] + per_label[2]))[per_label[2] > 0]
    rows = [np.asarray(matrix.sum(axis=1)).ravel() for matrix in (hits, found, Y)]
    values = {
        "micro F1": 2 * per_label[0].sum() / (per_label[1].sum() + per_label[2].sum()),
        "macro F1": macro.mean(),
        "exact match": ((rows[0] == rows[1]) & (rows[0] == rows[2])).mean(),
    }
    return {name: round(100 * float(value), 3) for name, value in values.items()}


def epochs_of(model: Any) -> list[int]:
    """Epoch that was kept, of each stage of training."""
    warm = [model.chain_.history_.best] if hasattr(model, "chain_") else []
    return [*warm, model.history_.best]


def _digest(key: Row) -> str:
    import hashlib

    from racing.systems import source_hash

    text = json.dumps(key | {"sources": source_hash()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()
