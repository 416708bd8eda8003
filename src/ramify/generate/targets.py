"""Target sequences of training instances: the tokens of their labels in an order, and separators between labels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from ramify.chains.order import OwnOrder, order_of
from ramify.errors import RamifyWarning
from ramify.generate.label_tokens import LabelTokens, Vocabulary
from ramify.values import CSR, Bool, Float64, Int64

ALPHABETICAL = "alphabetical"
ORDER_NAMES = ("frequent-first", "rare-first", ALPHABETICAL, "random", "resequenced", "fixed")
"""Orders of ``chains.order``, where they are defined, and the order of the names."""

FILL = -1
"""Fills a target after its end."""


def target_order(name: str, names: Any, seed: int) -> Any:
    """The order of a name (see ``chains.order``)."""
    if name == ALPHABETICAL:
        return OwnOrder(np.argsort(np.asarray(names, object), kind="stable").tolist())
    return order_of(name, seed)


@dataclass(frozen=True)
class Targets:
    """How labels become target sequences.

    Parameters
    ----------
    tokens : LabelTokens
        Of all labels.
    vocabulary : Vocabulary
    most : int
        Largest number of tokens per target, the end included.
    """

    tokens: LabelTokens
    vocabulary: Vocabulary
    most: int

    def sequences(self, Y: CSR, keys: Float64) -> Int64:
        """Target sequences.

        Parameters
        ----------
        Y : csr_matrix, shape (n, L)
        keys : float64 array, one number per entry of Y
            Labels are sorted by ascending keys; equals by label number.

        Returns
        -------
        int64 array, shape (n, longest)
            ``FILL`` after the end. Labels that would exceed ``most`` tokens are left out, together with all after them.
        """
        rows, labels, last = self._kept(Y, keys)
        lengths = self.tokens.lengths[labels] + 1  # with the separator or the end
        totals = np.bincount(rows, lengths, minlength=Y.shape[0]).astype(np.int64)
        table = np.full((Y.shape[0], max(1, int(totals.max(initial=1)))), FILL, np.int64)
        offset = np.cumsum(lengths) - lengths
        place = np.arange(int(lengths.sum())) - np.repeat(offset, lengths)
        start = np.repeat(self.tokens.indptr[labels], lengths)
        inner = place < np.repeat(lengths - 1, lengths)
        closing = np.where(np.repeat(last, lengths), self.vocabulary.end, self.vocabulary.separator)
        flat = np.where(inner, self.tokens.ids[np.where(inner, start + place, 0)], closing)
        table[np.arange(table.shape[1]) < totals[:, None]] = flat
        table[totals == 0, 0] = self.vocabulary.end
        return table

    def _kept(self, Y: CSR, keys: Float64) -> tuple[Int64, Int64, Bool]:
        """Row and label of the labels that fit, in the order of the targets, and which are the last of a row."""
        rows = np.repeat(np.arange(Y.shape[0]), np.diff(Y.indptr))
        order = np.lexsort((Y.indices, keys, rows))
        rows, labels = rows[order], Y.indices[order].astype(np.int64)
        lengths = self.tokens.lengths[labels] + 1
        totals = np.cumsum(lengths)
        before = np.concatenate([[0], totals])[Y.indptr[rows]]
        fits = totals - before <= self.most
        rows, labels = rows[fits], labels[fits]
        last = np.ones(len(rows), bool)
        last[:-1] = rows[1:] != rows[:-1]
        return rows, labels, last

    def warn_of_cut(self, Y: CSR, keys: Float64) -> None:
        """Report by one RamifyWarning how many labels do not fit into the targets, if any."""
        kept = len(self._kept(Y, keys)[0])
        if kept < Y.nnz:
            warnings.warn(
                f"{Y.nnz - kept:,} of {Y.nnz:,} labels of the training documents are not used, because their targets "
                f"have more than {self.most} tokens: raise max_target",
                RamifyWarning,
                stacklevel=3,
            )
