"""Answers of the study of label generation: each model answers in a fresh process, and its answers are kept.

A problem is a set with all labels of its training and test files, a share of the training labels hidden, and a seed
(of the hidden labels, of the held-out documents and of the models). A fifth of the training documents is held out. A
model is trained once, on the other four fifths, and answers

held-out    the documents of the fifth: what settings, thresholds and weights are chosen on
test        the test documents
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from racing.decision_answers import AnswerError
from racing.held_out import fifth, sampled
from racing.matrices import Matrices
from racing.places import CACHE
from racing.rows import Row
from racing.runner import Limits, watch
from racing.systems import System
from racing.text_sets import names_of, texts_of
from racing.track import load_of, rounded, variables

HELD_OUT, TEST = "held-out", "test"
KEPT = "xlgen-base"
"""The system whose model is kept, of the first seed and all training labels, for the proposals."""


@dataclass(frozen=True)
class Answered:
    """Kept answers.

    Parameters
    ----------
    path : Path
        Their file: ``labels`` and ``scores``, and for generators ``own`` and ``upper`` (contestants/run_generation.py).
    n_labels : int
    """

    path: Path
    n_labels: int

    @cached_property
    def top(self) -> Any:
        """The ranking, a ``TopK``."""
        from ramify import TopK

        with np.load(self.path) as found:
            return TopK(found["labels"], found["scores"])

    def sets(self, name: str) -> Any:
        """The sets "own" or "upper" as a 0/1 matrix; None where there are none."""
        with np.load(self.path) as found:
            if name not in found:
                return None
            table = found[name]
        rows, places = np.nonzero(table >= 0)
        ones = np.ones(len(rows), np.float32)
        return sp.csr_matrix((ones, (rows, table[rows, places])), shape=(len(table), self.n_labels))

    @cached_property
    def costs(self) -> Row:
        """Costs of training and answering."""
        with np.load(self.path) as found:
            noted: Row = json.loads(str(found["costs"]))
        return noted


@dataclass(frozen=True, kw_only=True)
class Problem:
    """See the module.

    Parameters
    ----------
    matrices : Matrices
        Of ``prepare_texts`` with ``every_label``.
    share : float
        Of the training labels that is hidden.
    seed : int
    tests : int or None
        Test documents of the sample that is answered (``held_out.sampled``); None: all.
    threads : int
    limits : Limits
        Of one process.
    """

    matrices: Matrices
    share: float
    seed: int
    tests: int | None
    threads: int
    limits: Limits

    @property
    def key(self) -> Row:
        """What all rows of the problem share."""
        found = {"dataset": self.matrices.dataset, "matrices": self.fingerprint, "share": self.share}
        return found | {"seed": self.seed, "run": self.seed + 1, "threads": self.threads}

    @property
    def fingerprint(self) -> str:
        """Of the matrices and the sample of the test documents."""
        return self.matrices.fingerprint + ("" if self.tests is None else f"-{self.tests}")

    @cached_property
    def names(self) -> list[str]:
        """Label names."""
        return names_of(self.matrices)

    @cached_property
    def Y(self) -> Any:  # noqa: N802
        """Training labels, without the hidden ones."""
        from ramify.data import hide_labels
        from ramify.values import Dataset

        whole = Dataset(Y=self.matrices.Y, label_names=self.names, X=self.matrices.X)
        return hide_labels(whole, self.share, self.seed).Y

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        """Rows of the training documents that stay and that are held out."""
        return fifth(self.Y.shape[0], self.seed)

    @cached_property
    def test_rows(self) -> Any:
        """Rows of the test documents that are answered."""
        every = np.arange(self.matrices.Y_test.shape[0])
        return sampled(every, self.matrices.Y_test, self.tests)[0]

    @cached_property
    def Y_test(self) -> Any:  # noqa: N802
        """Their labels."""
        return sp.csr_matrix(self.matrices.Y_test[self.test_rows])

    @cached_property
    def trained(self) -> Any:
        """Labels of the documents that the models are trained on."""
        return sp.csr_matrix(self.Y[self.parts[0]])

    def truth(self, part: str) -> tuple[Any, Any]:
        """Labels of the documents that are answered, and of the training documents of the model."""
        return (self.Y_test if part == TEST else sp.csr_matrix(self.Y[self.parts[1]])), self.trained

    def answers(self, system: System, part: str) -> Answered:
        """The answers of a system, from the cache if they are there; else those of both parts are made.

        Raises
        ------
        AnswerError
            A process failed or reached a limit.
        """
        kept = self.home(system, part)
        if not kept.exists():
            print(f"{self.matrices.dataset}: {system.name}, {self.share:.0%} hidden, seed {self.seed}", flush=True)
            self._run(system)
        return Answered(kept, self.Y.shape[1])

    def home(self, system: System, part: str) -> Path:
        """Where answers are kept."""
        name = f"{system.name}-{system.identity()}-{self.fingerprint}-{self.share:g}-{self.seed}-{part}.npz"
        return CACHE / "generation" / name

    def model_home(self, system: System) -> Path:
        """Where the model is kept, if it is (``KEPT``)."""
        return self.home(system, TEST).with_suffix(".model")

    def _run(self, system: System) -> None:
        """Train and answer in processes of their own."""
        (CACHE / "generation").mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix="run-", dir=CACHE))
        try:
            self._write(work / "matrices")
            trained = self._process("train", system, work)
            for part in (HELD_OUT, TEST):
                answered = self._process(part, system, work)
                noted = load_of([trained[0], answered[0]]) | rounded(trained[1] | answered[1])
                with np.load(work / "top.npz") as found:
                    np.savez(work / f"{part}.npz", **found, costs=json.dumps(noted))
            if system.name.startswith(KEPT) and not self.share and not self.seed:
                shutil.rmtree(self.model_home(system), ignore_errors=True)
                shutil.move(work / "model", self.model_home(system))
            for part in (HELD_OUT, TEST):
                shutil.move(work / f"{part}.npz", self.home(system, part))
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _process(self, task: str, system: System, work: Path) -> tuple[Any, Row]:
        """The outcome of one process of a contestant, and the costs that it noted."""
        words = [task, work / "matrices", work, self.threads, self.seed, json.dumps(system.settings)]
        program = [str(system.python()), str(system.path()), *map(str, words)]
        outcome = watch(program, variables(system, self.threads), work / "log.txt", self.limits)
        if outcome.failed:
            raise AnswerError(f"{task}: {outcome.failed}")
        return outcome, json.loads((work / "costs.json").read_text())

    def _write(self, folder: Path) -> None:
        """What a contestant is given. The true test labels are for the upper bound of the clusters only."""
        folder.mkdir()
        train, test = (texts_of(self.matrices, part) for part in ("train", "test"))
        rest, held = self.parts
        given = {"train": [train[row] for row in rest], HELD_OUT: [train[row] for row in held]}
        given |= {TEST: [test[row] for row in self.test_rows], "labels": self.names}
        for name, values in given.items():
            (folder / f"{name}.json").write_text(json.dumps(values, ensure_ascii=False), "utf-8")
        sp.save_npz(folder / "Y.npz", self.trained, compressed=False)
        sp.save_npz(folder / "Y_test.npz", self.Y_test)
