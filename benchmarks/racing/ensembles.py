"""Ensembles made of the kept answers of their members, without training them again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def merged(members: Sequence[Path], combine: str, weights: Sequence[float] | None = None, k: int = 10) -> Any:
    """The first k labels of an ensemble, as ``Ensemble`` merges the rankings: a ``TopK``.

    Parameters
    ----------
    members : sequence of Path
        Answers: labels and scores, shape (n, candidates), best first.
    combine : str
        As in ``Ensemble``.
    weights : sequence of float, optional
        One per member; equal ones when None.
    k : int, default 10
        At most the candidates of each member.
    """
    from ramify.models.mixtures.merging import Merger

    answers = [np.load(path) for path in members]
    candidates = min(answer["labels"].shape[1] for answer in answers)
    labels, scores = (
        np.stack([answer[name][:, :candidates] for answer in answers], axis=1) for name in ("labels", "scores")
    )
    given = np.ones(len(answers)) if weights is None else np.asarray(weights, np.float64)
    merger = Merger(combine=combine, weights=given, candidates=candidates)
    return merger.merge(labels, scores, min(k, candidates))
