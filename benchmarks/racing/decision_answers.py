"""Answers of a system for held-out and for test documents, from which label sets are made; kept in the cache.

Held-out documents are the folds of ``ramify.tagger.decide.cross_fit``: a system is trained on the other documents and
answers for the fold, with as many labels per document as ramify would use. ramify itself is calibrated by
``Tagger.cross_calibrate_dataset``, on the same folds.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from racing.held_out import sampled
from racing.matrices import Matrices
from racing.places import CACHE
from racing.runner import Limits, watch
from racing.systems import System
from racing.track import variables

LIMITS = Limits(3600, 20_000_000_000)


class AnswerError(Exception):
    """A system gave no answers; the message has the reason."""


@dataclass(frozen=True)
class Problem:
    """A data set with its held-out folds.

    Parameters
    ----------
    name : str
        As given, with the number of training documents after a colon if they are a sample.
    matrices : Matrices
    amount : float or None
        Of the training documents; None for all.
    threads : int
    least_k : int
        Least number of labels per answer.
    """

    name: str
    matrices: Matrices
    amount: float | None
    threads: int
    least_k: int = 0

    @cached_property
    def training(self) -> tuple[Any, Any]:
        """X and Y."""
        X, Y = sampled(self.matrices.X, self.matrices.Y, self.amount)
        return sp.csr_matrix(X), sp.csr_matrix(Y)

    @cached_property
    def dataset(self) -> Any:
        """The training documents, with numbers as label names."""
        from ramify.values import Dataset

        X, Y = self.training
        return Dataset(X=X, Y=Y, label_names=[str(number) for number in range(Y.shape[1])])

    @cached_property
    def folds(self) -> list[Any]:
        """Rows of the held-out parts."""
        from ramify.data.equal import equal_instances
        from ramify.tagger.decide.cross_fit import folds

        return folds(equal_instances(self.dataset), 0)

    @property
    def k(self) -> int:
        """Labels per answer."""
        from ramify.tagger.decide.held_out import usual_k

        Y = self.training[1]
        return min(max(usual_k(Y.nnz / Y.shape[0]), self.least_k), Y.shape[1])

    def calibrated(self, system: System) -> Any:
        """A tagger with a model of ramify, trained on all training documents and calibrated."""
        from contestants.estimators import ESTIMATORS
        from ramify import Tagger

        print(f"{self.name}: {system.name}", flush=True)
        tagger = Tagger(ESTIMATORS[system.settings["estimator"]](0, self.threads)).fit_dataset(self.dataset)
        return tagger.cross_calibrate_dataset(self.dataset, k=self.k, threads=self.threads)

    def held_out(self, system: System) -> Any:
        """Evidence of all held-out documents."""
        from ramify import TopK
        from ramify.tagger.decide import Evidence

        Y = self.training[1]
        tops = [self._answers(system, number) for number in range(len(self.folds))]
        joined = TopK(*(np.vstack([getattr(top, name) for top in tops]) for name in ("labels", "scores")))
        return Evidence.of(sp.csr_matrix(sp.vstack([Y[rows] for rows in self.folds])), joined, Y)

    def test(self, system: System) -> Any:
        """TopK of the test documents, of the system trained on all training documents."""
        return self._answers(system, None)

    def _answers(self, system: System, fold: int | None) -> Any:
        from ramify import TopK

        part = "test" if fold is None else f"fold-{zlib.crc32(self.folds[fold].tobytes())}"
        size = f"{self.training[0].shape[0]}-{self.k}"
        name = f"{system.name}-{system.identity()}-{self.matrices.fingerprint}-{size}-{part}.npz"
        kept = CACHE / "decisions" / name
        if not kept.exists():
            print(f"{self.name}: {system.name}, {part}", flush=True)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(self._run(system, fold), kept)
        found = np.load(kept)
        return TopK(found["labels"], found["scores"])

    def _run(self, system: System, fold: int | None) -> Path:
        """Train and answer in processes of their own; the file of the answers."""
        work = Path(tempfile.mkdtemp(prefix="run-", dir=CACHE))
        folder = work / "matrices"
        folder.mkdir()
        for name, matrix in zip(("X", "Y", "X_test"), self._parts(fold), strict=True):
            sp.save_npz(folder / f"{name}.npz", matrix, compressed=False)
        environment = variables(system, self.threads) | {"ANSWERS": str(self.k)}
        try:
            for task in ("train", "answer"):
                words = [task, folder, work, self.threads, 0, json.dumps(system.settings)]
                program = [str(system.python()), str(system.path()), *map(str, words)]
                outcome = watch(program, environment, work / "log.txt", LIMITS)
                if outcome.failed:
                    raise AnswerError(f"{self.name}: {system.name} failed to {task}: {outcome.failed}")
            answers = work.with_suffix(".npz")
            shutil.move(work / "top.npz", answers)
        finally:
            shutil.rmtree(work)
        return answers

    def _parts(self, fold: int | None) -> tuple[Any, Any, Any]:
        """X and Y to train on, and X to answer for."""
        X, Y = self.training
        if fold is None:
            return X, Y, self.matrices.X_test
        rest = np.setdiff1d(np.arange(X.shape[0]), self.folds[fold])
        return X[rest], Y[rest], X[self.folds[fold]]
