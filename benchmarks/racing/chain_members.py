"""Networks of the study of chains: each is trained once per split and seed, and its scores are kept in the cache.

An ensemble is formed from the kept scores of its members, without training. A member is identified by its data, its
settings and the sources of ``ramify.chains`` and ``ramify.torchloop``: other changes do not train it again.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from racing.matrices import Matrices
from racing.places import CACHE
from racing.rows import Row
from racing.sources import module_hash

HELD_OUT = 0.1
FIXED = ("frequent-first", "rare-first", "fixed", "random")
NETWORKS: dict[str, Row] = {
    "label-wise": {},
    **{order: {"order": order} for order in FIXED},
    "random, remaining": {"order": "random", "targets": "remaining"},
    "resequenced, next": {"targets": "next"},
    "resequenced": {},
    "no warm-up": {"warmup": 0},
    "reinforced": {},
}
"""Settings of ``LabelChain`` of each network; "label-wise" is the network after its warm-up, without a chain."""

FREE = ("seed", "threads", "chain", "device", "checkpoint")
"""Settings that are given elsewhere, or that change neither training nor scores."""


CHAIN_MODULES = (
    *(f"ramify.chains.{name}" for name in ("answering", "decoding", "label_chain", "network", "order", "sequences")),
    *(f"ramify.chains.{name}" for name in ("stages", "stored", "supervised", "warmup")),
    *(f"ramify.torchloop.{name}" for name in ("batching", "config", "loop", "randomness", "state", "task")),
)
REINFORCED_MODULES = tuple(f"ramify.chains.{name}" for name in ("reinforced", "reinforced_chain", "rewards"))


@dataclass(frozen=True)
class Scores:
    """Scores of a network or an ensemble.

    Parameters
    ----------
    held, test : float32 array, shape (n, L)
        Of the held-out and of the test documents.
    minutes : float
        CPU time of training.
    note : dict
        Further columns of the row.
    """

    held: Any
    test: Any
    minutes: float
    note: Row


class Study:
    """A data set, a split of its training documents, and the settings of the networks.

    Parameters
    ----------
    matrices : Matrices
    split : int
        Seed of the split; member j has the seed split + j.
    settings, reinforced : dict
        Settings of ``LabelChain`` and ``ReinforcedChain`` that differ from the defaults.
    threads : int
    """

    def __init__(self, matrices: Matrices, split: int, settings: Row, reinforced: Row, threads: int) -> None:
        from ramify.exchange import CheckedTraining
        from ramify.label_vectors import unit_vectors

        self.matrices, self.split, self.threads = matrices, split, threads
        self.settings, self.reinforced = settings, reinforced
        whole = CheckedTraining(X=unit_vectors(matrices.X), Y=matrices.Y, seed=split, threads=threads)
        self.rest, self.held = whole.split(HELD_OUT, split)
        self.X_test = unit_vectors(matrices.X_test)
        (CACHE / "chains").mkdir(parents=True, exist_ok=True)

    def identity(self, system: str) -> Row:
        """Data, settings and sources that determine a network."""
        identity = {"dataset": self.matrices.dataset, "matrices": self.matrices.fingerprint, "seed": self.split}
        identity |= {"system": system, "settings": effective(self.chain(system, 0)), "sources": chain_sources(system)}
        return identity | ({"reinforced": effective(self._reinforced(0))} if system == "reinforced" else {})

    def scores(self, system: str, number: int) -> Scores:
        """Scores of a network, from the cache if they are there."""
        home = self._home(system, number)
        if not home.exists():
            self._train(system, number)
        with np.load(home) as kept:
            note = json.loads(str(kept["note"]))
            return Scores(kept["held"], kept["test"], note.pop("minutes"), note)

    def _train(self, system: str, number: int) -> None:
        if system == "label-wise":
            self._train_labelwise(number)
            return
        if system == "reinforced":
            model = self._reinforced(number)
            start, spent = self._fitted("resequenced", number)
        else:
            model = self.chain(system, number)
            start, spent = (None, 0.0) if model.warmup == 0 else self.warm_network(number)
        begun = time.process_time()
        model.fit_parts(replace(self.rest, seed=model.seed), self.held, start=start)
        minutes = spent + (time.process_time() - begun) / 60
        if system == "resequenced":
            self._home(system, number).with_suffix(".pickle").write_bytes(pickle.dumps(model))
        chain = model.chain_ if system == "reinforced" else model
        found = {"held": chain_scores(chain, self.held.X), "test": chain_scores(chain, self.X_test)}
        sets = set_quality(self.matrices.Y_test, model.predict_sets(self.X_test))
        self._keep(system, number, found, {"minutes": minutes, "epochs": model.history_.best, "own sets": sets})

    def _train_labelwise(self, number: int) -> None:
        """Train the network's warm-up, and keep its parameters and its scores."""
        from ramify.chains.stages import warmed_up
        from ramify.chains.stored import network_arrays
        from ramify.torchloop import Environment

        chain = self.chain("label-wise", number)
        data = chain.training_data(replace(self.rest, seed=chain.seed), self.held)
        begun = time.process_time()
        environment = Environment("cpu", self.threads)
        with environment.open():
            network = warmed_up(chain, data, environment, lambda done: None, None)
        minutes = (time.process_time() - begun) / 60
        np.savez(self._home("label-wise", number).with_suffix(".network.npz"), **network_arrays(network))
        found = {"held": labelwise_scores(network, self.held.X), "test": labelwise_scores(network, self.X_test)}
        for scores in found.values():
            scores[:, data.counts == 0] = -np.inf
        self._keep("label-wise", number, found, {"minutes": minutes})

    def warm_network(self, number: int) -> tuple[Any, float]:
        """A copy of the network after its warm-up, and the minutes of the warm-up."""
        from ramify.chains.stored import stored_network

        minutes = self.scores("label-wise", number).minutes
        with np.load(self._home("label-wise", number).with_suffix(".network.npz")) as arrays:
            return stored_network(dict(arrays), "cpu").float().train().requires_grad_(True), minutes

    def _fitted(self, system: str, number: int) -> tuple[Any, float]:
        """A fitted chain, and the minutes of its training."""
        minutes = self.scores(system, number).minutes
        return pickle.loads(self._home(system, number).with_suffix(".pickle").read_bytes()), minutes

    def chain(self, system: str, number: int) -> Any:
        """The unfitted chain of a member."""
        from ramify import LabelChain

        settings = self.settings | NETWORKS[system]
        return LabelChain(seed=self.split + number, threads=self.threads, **settings)

    def _reinforced(self, number: int) -> Any:
        from ramify import ReinforcedChain

        warm = self.chain("resequenced", number)
        return ReinforcedChain(warm, seed=self.split + number, threads=self.threads, **self.reinforced)

    def _home(self, system: str, number: int) -> Path:
        text = json.dumps(self.identity(system) | {"number": number}, sort_keys=True)
        return CACHE / "chains" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"

    def _keep(self, system: str, number: int, found: Row, note: Row) -> None:
        home = self._home(system, number)
        beside = home.with_suffix(".new.npz")  # an interrupted run must not leave a file that the next run opens
        np.savez(beside, **found, note=json.dumps(note))
        beside.replace(home)


def effective(model: Any) -> Row:
    """The settings that determine the scores, defaults included: a row under other defaults is another measurement."""
    settings = {name: value for name, value in model.get_params(deep=False).items() if name not in FREE}
    plain: Row = json.loads(json.dumps(settings, default=repr))
    return plain


def chain_sources(system: str) -> str:
    """Fingerprint of the modules that determine the scores of a network; other changes do not train it again."""
    return module_hash(*CHAIN_MODULES, *(REINFORCED_MODULES if system == "reinforced" else ()))


def chain_scores(chain: Any, X: Any) -> Any:
    """``chain.decision_function(X)`` in float32: it takes half as long as in float64, and measures do not change."""
    import torch

    from ramify.chains.answering import PredictionNetwork, scores_by_block
    from ramify.torchloop import Environment

    environment = Environment("cpu", chain.threads)
    network = chain.network().eval().requires_grad_(False)
    inside = PredictionNetwork(network, torch.from_numpy(chain.label_counts_ == 0), chain.longest_)
    return np.concatenate([scores for _, scores in scores_by_block(inside, X, chain.draws, environment)])


def labelwise_scores(network: Any, X: Any) -> Any:
    """Probabilities of the independent labels, float32, shape (n, L)."""
    import torch

    from ramify.chains.sequences import features

    with torch.no_grad():
        return torch.sigmoid(network.logits(network.encode(features(X, network.output)))[:, :-1]).numpy()


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
