"""Answers of the study of label generation: each model answers in a fresh process, and its answers are kept.

A problem is a set with all labels of its training and test files, a share of the training labels hidden, and a seed
(of the hidden labels, of the held-out documents and of the models). A fifth of the training documents is held out.

held-out    trained on the other four fifths, answers for the fifth: what thresholds and weights are fitted on
test        trained on all training documents, answers for the test documents
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

    def truth(self, part: str) -> tuple[Any, Any]:
        """Labels of the documents that are answered, and of the training documents of the model."""
        rest, held = self.parts
        return (self.Y_test, self.Y) if part == TEST else (sp.csr_matrix(self.Y[held]), sp.csr_matrix(self.Y[rest]))

    def answers(self, system: System, part: str) -> Answered:
        """The answers of a system, from the cache if they are there.

        Raises
        ------
        AnswerError
            A process failed or reached a limit.
        """
        kept = self.home(system, part)
        if not kept.exists():
            print(
                f"{self.matrices.dataset}: {system.name}, {self.share:.0%} hidden, seed {self.seed}, {part}", flush=True
            )
            self._run(system, part, kept)
        return Answered(kept, self.Y.shape[1])

    def home(self, system: System, part: str) -> Path:
        """Where answers are kept."""
        matrices = self.fingerprint if part == TEST else self.matrices.fingerprint
        name = f"{system.name}-{system.identity()}-{matrices}-{self.share:g}-{self.seed}-{part}.npz"
        return CACHE / "generation" / name

    def model_home(self, system: System) -> Path:
        """Where the model of the test part is kept, if it is (``KEPT``)."""
        return self.home(system, TEST).with_suffix(".model")

    def _run(self, system: System, part: str, kept: Path) -> None:
        """Train and answer in processes of their own."""
        kept.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix="run-", dir=CACHE))
        folder = work / "matrices"
        folder.mkdir()
        self._write(folder, part)
        try:
            outcomes, costs = [], {}
            for task in ("train", part):
                words = [task, folder, work, self.threads, self.seed, json.dumps(system.settings)]
                program = [str(system.python()), str(system.path()), *map(str, words)]
                outcomes.append(watch(program, variables(system, self.threads), work / "log.txt", self.limits))
                if outcomes[-1].failed:
                    raise AnswerError(f"{task}: {outcomes[-1].failed}")
                costs |= json.loads((work / "costs.json").read_text())
            noted = load_of(outcomes) | rounded(costs)
            with np.load(work / "top.npz") as found:
                np.savez(work / "answers.npz", **found, costs=json.dumps(noted))
            if part == TEST and system.name.startswith(KEPT) and not self.share and not self.seed:
                shutil.rmtree(self.model_home(system), ignore_errors=True)
                shutil.move(work / "model", self.model_home(system))
            shutil.move(work / "answers.npz", kept)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _write(self, folder: Path, part: str) -> None:
        """What a contestant is given. The true test labels are for the upper bound of the clusters only."""
        train = texts_of(self.matrices, "train")
        rest, held = self.parts
        if part == TEST:
            asked, every = texts_of(self.matrices, "test"), self.Y
            sp.save_npz(folder / "Y_test.npz", self.Y_test)
            given = {"train": train, "test": [asked[row] for row in self.test_rows]}
        else:
            every = sp.csr_matrix(self.Y[rest])
            given = {"train": [train[row] for row in rest], "test": [train[row] for row in held]}
        sp.save_npz(folder / "Y.npz", every, compressed=False)
        for name, values in (given | {"labels": self.names}).items():
            (folder / f"{name}.json").write_text(json.dumps(values, ensure_ascii=False), "utf-8")
