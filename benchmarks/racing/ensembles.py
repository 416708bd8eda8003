"""Ensembles made of the kept answers of their members, without training them again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def merged(members: Sequence[Path], combine: str) -> Any:
    """The first ten labels of an ensemble with equal weights, as ``Ensemble`` merges the rankings: a ``TopK``.

    Parameters
    ----------
    members : sequence of Path
        Answers: labels and scores, shape (n, candidates), best first.
    combine : str
        As in ``Ensemble``.
    """
    from ramify.models.mixtures.merging import Merger

    answers = [np.load(path) for path in members]
    candidates = min(answer["labels"].shape[1] for answer in answers)
    labels, scores = (
        np.stack([answer[name][:, :candidates] for answer in answers], axis=1) for name in ("labels", "scores")
    )
    merger = Merger(combine=combine, weights=np.ones(len(answers)), candidates=candidates)
    return merger.merge(labels, scores, min(10, candidates))
