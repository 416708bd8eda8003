"""Labels with two known senses: pairs of labels are merged, and the copies of the merged labels are compared with them.

truth = which of the two labels an instance has        parts = which copy has the highest score for the instance

Each split of an instance set into two parts is compared with the truth by three measures (``Agreement``). Two baselines
put them in proportion: no split at all, and a random split with the same sizes as the copies' split.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

LEAST = 10
"""Minimum number of instances of each label of a pair."""
SPLITS = ("copies", "random", "none")
Parts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Agreement:
    """Agreement of a split into two parts with the true one.

    Parameters
    ----------
    variation : float
        Variation of information H(truth | parts) + H(parts | truth), in bits; 0 for equal splits. No split has
        H(truth), so a split has to be informative to be better.
    information : float
        Mutual information of both splits, in bits; 0 without a split.
    accuracy : float
        Share of the instances in the right part under the better of the two ways to name the parts; without a split,
        the share of the larger label.
    """

    variation: float
    information: float
    accuracy: float

    @classmethod
    def of(cls, truth: Parts, parts: Parts) -> Agreement:
        """Compare two arrays of 0 and 1."""
        joint = np.histogram2d(truth, parts, bins=(2, 2), range=((-0.5, 1.5), (-0.5, 1.5)))[0] / len(truth)
        of_truth, of_parts, of_both = (_entropy(shares) for shares in (joint.sum(axis=1), joint.sum(axis=0), joint))
        same = joint[0, 0] + joint[1, 1]
        larger = max(same, 1 - same)
        return cls(2 * of_both - of_truth - of_parts, of_truth + of_parts - of_both, float(larger))


def _entropy(shares: Any) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log2(positive)).sum())


def agreements(truth: Parts, parts: Parts, rng: np.random.Generator) -> dict[str, tuple[float, float, float]]:
    """The agreement of each of ``SPLITS`` with the truth: variation, information, accuracy."""
    splits = {"copies": parts, "random": rng.permutation(parts), "none": np.zeros_like(parts)}
    return {name: astuple(Agreement.of(truth, split)) for name, split in splits.items()}


def merged_pairs(tree: Any, Y: Any, count: int, seed: int) -> list[tuple[int, int]]:
    """Random disjoint pairs of labels below one child of the root, each with at least ``LEAST`` instances."""
    top = np.arange(tree.n_leaves)
    for level in range(tree.depth - 1, 0, -1):
        top = tree.parents[level][top]
    frequent = np.bincount(Y.indices, minlength=Y.shape[1]) >= LEAST
    rng = np.random.default_rng(seed)
    pairs = []
    for node in rng.permutation(np.unique(top)):
        labels = rng.permutation(tree.leaf_labels[top == node])
        labels = labels[frequent[labels]]
        pairs += [(int(a), int(b)) for a, b in zip(labels[::2], labels[1::2], strict=False)]
    return [pairs[place] for place in rng.permutation(len(pairs))[:count]]


def merged(Y: Any, pairs: list[tuple[int, int]]) -> Any:
    """Y with the second label of each pair replaced by the first; the column of the second is empty."""
    target = np.arange(Y.shape[1])
    for first, second in pairs:
        target[second] = first
    moved = sp.csr_matrix((np.ones(len(target), np.float32), (np.arange(len(target)), target)), shape=[Y.shape[1]] * 2)
    made = sp.csr_matrix(Y @ moved)
    made.data[:] = 1
    return made


def sides(Y: Any, first: int, second: int) -> tuple[Parts, Parts]:
    """For the instances with exactly one of two labels: which one (0 or 1), and the rows of these instances."""
    has = np.asarray(Y[:, [first, second]].todense()) > 0
    rows = np.flatnonzero(has.sum(axis=1) == 1)
    return has[rows, 1].astype(int), rows
