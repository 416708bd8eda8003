"""Texts of a folder that ``racing.text_sets`` made, for contestants that train on texts. Needs only numpy and scipy."""

import json
from typing import Any

import numpy as np
from contest import Setup

CANDIDATES = 20
"""Labels per document that a contestant keeps: an ensemble merges as many of each member."""


def texts(setup: Setup, part: str) -> list[str]:
    """Texts of "train" or "test"."""
    found: list[str] = json.loads((setup.matrices / f"{part}.json").read_text("utf-8"))
    return found


def candidates_of(answer: Any, n: int) -> tuple[Any, Any]:
    """Arrays (n, CANDIDATES) of labels and scores from a CSR matrix of scores: best first, then -1 and -inf."""
    labels = np.full((n, CANDIDATES), -1, np.int32)
    scores = np.full((n, CANDIDATES), -np.inf, np.float32)
    for row in range(n):
        found = slice(answer.indptr[row], answer.indptr[row + 1])
        best = np.argsort(-answer.data[found], kind="stable")[:CANDIDATES]
        labels[row, : len(best)] = answer.indices[found][best]
        scores[row, : len(best)] = answer.data[found][best]
    return labels, scores
