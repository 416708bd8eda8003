"""Rankings of held-out documents by the members of a fusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.values import CSR, Bool, TopK, as_csr


@dataclass(frozen=True)
class Trial:
    """Rankings of held-out documents by each member, and their labels, shape (n, L)."""

    tops: list[TopK]
    truth: CSR

    def among(self, labels: Bool) -> Trial:
        """The same with some of the labels only, by a mask of shape (L,)."""
        tops = []
        for top in self.tops:
            known = (top.labels >= 0) & labels[np.maximum(top.labels, 0)]
            scores = np.where(known, top.scores, -np.inf).astype(np.float32)
            tops.append(TopK(np.where(known, top.labels, -1).astype(np.int32), scores))
        kept: Any = self.truth.multiply(labels[None].astype(np.float32))
        truth = as_csr(sp.csr_matrix(kept))
        truth.eliminate_zeros()
        return Trial(tops, truth)


def joined(trials: Sequence[Trial]) -> Trial:
    """The trials of several folds, one below the other."""
    tops = [
        TopK(*(np.vstack([getattr(trial.tops[member], name) for trial in trials]) for name in ("labels", "scores")))
        for member in range(len(trials[0].tops))
    ]
    return Trial(tops, as_csr(sp.vstack([trial.truth for trial in trials], format="csr")))
