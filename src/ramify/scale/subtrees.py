"""Prediction with a label tree whose leaves are divided among machines, and with documents that are.

shard   = the inner levels of the tree, and the weights of the leaves below some consecutive clusters
answer  = the best leaves of each shard, merged by (score of the path, margin of the leaf, number of the leaf)

The beam prunes among all nodes of a level, so every shard has all inner levels, a few percent of the weights, and each
searches them in the same way. A cluster of the last beam is then scored by the shard that has its leaves. The order of
the merge is that of the search, so labels and scores are those of the whole tree, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ramify.checks import whole_number
from ramify.errors import InputError
from ramify.exchange import Request
from ramify.kernels.predict import SearchConfig, Searcher
from ramify.match import BeamSearch
from ramify.models.base.unit import unit_rows
from ramify.values import CSR, Float32, Int32, LabelTree, TopK, as_csr
from ramify.weights import ENTRY_BYTES, PackedLevel

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""Applies a function to each item: ``map``, or the method ``map`` of an executor of ``concurrent.futures``."""

MERGED_AT_ONCE = 1 << 16
"""Leaves of several shards that are sorted at a time, to limit the memory of the merge."""


@dataclass(frozen=True, eq=False)
class RankedLeaves:
    """The k best leaves of each instance, shapes (n, k); -1 and -inf fill the rows.

    Parameters
    ----------
    leaves, labels : int32 array
        Number of each leaf in the tree, and its label.
    logs, margins, scores : float32 array
        Log score of the path, margin of the leaf, and score as the model gives it.
    """

    leaves: Int32
    labels: Int32
    logs: Float32
    margins: Float32
    scores: Float32


@dataclass(frozen=True, eq=False)
class SubtreeShard:
    """The inner levels of a tree and the weights below some of its clusters; can be sent to another process.

    Parameters
    ----------
    tree : LabelTree
        The whole tree.
    levels : tuple of PackedLevel
        Weights; those of the last level are empty outside the shard.
    first_leaf, last_leaf : int
        Leaves of the shard: [first_leaf, last_leaf).
    config : SearchConfig
        Settings of the search.
    log_bias : float32 array, shape (L,), optional
        As in ``BeamSearch``.
    normalize : bool, default True
        Divide each row of X by its length.
    """

    tree: LabelTree
    levels: tuple[PackedLevel, ...]
    first_leaf: int
    last_leaf: int
    config: SearchConfig
    log_bias: Float32 | None = None
    normalize: bool = True

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return sum(level.nbytes for level in self.levels)

    def rank(
        self,
        X: Any,
        k: int,
        *,
        allowed: npt.NDArray[np.bool_] | None = None,
        forbidden: CSR | None = None,
        threads: int = 1,
    ) -> RankedLeaves:
        """The k best leaves of the shard for each instance.

        Parameters
        ----------
        X : csr_matrix, shape (n, d)
            Features.
        k : int
            Leaves per instance.
        allowed : bool array, shape (L,), optional
            The only labels that may be predicted.
        forbidden : csr_matrix, shape (n, L), optional
            Labels that are excluded for an instance.
        threads : int, default 1
            Number of threads.

        Raises
        ------
        InputError
            X of another width than in training, or k out of range.
        """
        X = as_csr(X, n_columns=self.levels[0].n_features)
        X = unit_rows(X)[0] if self.normalize else X
        k = whole_number("k", k, 1, self.tree.n_labels)
        mine = np.zeros(self.tree.n_leaves, bool)
        mine[self.first_leaf : self.last_leaf] = True
        searcher = Searcher(self.tree, self.levels, allowed, self.log_bias, allowed_leaves=mine)
        logs = replace(self.config, transform="log-" + self.config.transform.removeprefix("log-"))
        labels, _ = searcher.search(X, k, logs, forbidden=forbidden, threads=threads)
        leaf_of = np.full(self.tree.n_labels, -1, np.int32)
        leaf_of[self.tree.leaf_labels] = np.arange(self.tree.n_leaves, dtype=np.int32)
        kept = labels >= 0
        pointers = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64)
        leaves = np.ascontiguousarray(leaf_of[labels[kept]])
        alone = np.arange(len(leaves) + 1, dtype=np.int64)
        found = searcher.score_labels(X, pointers, leaves, alone, self.config, threads=threads)
        scores, logs_found, margins = (_filled(kept, values, -np.inf) for values in found)
        return RankedLeaves(_filled(kept, leaves, -1), labels, logs_found, margins, scores)


def _filled(kept: npt.NDArray[np.bool_], values: npt.NDArray[Any], fill: float) -> npt.NDArray[Any]:
    whole = np.full(kept.shape, fill, values.dtype)
    whole[kept] = values
    return whole


def subtree_shards(model: Any, count: int) -> list[SubtreeShard]:
    """Divide the clusters above the leaves into consecutive ranges with about equal weights.

    Parameters
    ----------
    model : XRLinear
        A fitted model.
    count : int
        Number of shards, at most that of the clusters.

    Raises
    ------
    InputError
        A model that is no fitted label tree, or a tree without clusters, with fewer than ``count``, with several leaves
        per label, or with dense weights.
    """
    search: BeamSearch | None = getattr(model, "search_", None)
    if search is None:
        raise InputError(f"the {type(model).__name__} has no label tree that can be divided: give a fitted XRLinear")
    return list(shards_of(search, count, model._search_config(), normalize=model.normalize))


def undivided_reason(search: BeamSearch) -> str | None:
    """Why the leaves of a tree cannot be divided, as in "the tree has no clusters"; None if they can."""
    if search.tree.depth == 1:
        return "has no clusters"
    return (
        "has several leaves per label" if search.tree.overlapping else "has dense weights" if search.n_dense else None
    )


def shard_bounds(search: BeamSearch, count: int) -> list[int]:
    """Ends of consecutive ranges of the clusters above the leaves with about equal weights, count + 1 numbers from 0.

    Parameters
    ----------
    search, count
        See ``shards_of``.

    Raises
    ------
    InputError
        See ``subtree_shards``.
    """
    last, reason = search.levels[-1], undivided_reason(search)
    if reason is not None:
        raise InputError(f"the tree {reason}, so it cannot be divided: use it as a whole")
    count = whole_number("count", count, 1, last.n_parents)
    entries = np.diff(last.block_entries[last.parent_blocks])
    total = np.cumsum(entries + 1.0)
    cuts = np.searchsorted(total, total[-1] * np.arange(1, count) / count)
    least, most = np.arange(1, count), last.n_parents - np.arange(count - 1, 0, -1)
    cuts = np.maximum.accumulate(np.clip(cuts, least, most) - least) + least
    return [0, *cuts.tolist(), last.n_parents]


def shards_of(search: BeamSearch, count: int, config: SearchConfig, *, normalize: bool) -> Iterator[SubtreeShard]:
    """``subtree_shards`` of a search, one at a time: each has its own pointers to the weights of all blocks.

    Parameters
    ----------
    search : BeamSearch
        The whole tree with its weights; the shards are views of these.
    count, config, normalize
        See ``subtree_shards`` and ``SubtreeShard``.
    """
    tree, last = search.tree, search.levels[-1]
    pointers = tree.first_children(tree.depth - 1)
    for first, end in pairwise(shard_bounds(search, count)):
        levels = (*search.levels[:-1], _emptied(last, first, end))
        yield SubtreeShard(tree, levels, int(pointers[first]), int(pointers[end]), config, search.log_bias, normalize)


def _emptied(level: PackedLevel, first: int, last: int) -> PackedLevel:
    """The level without the weights of blocks of other parents than [first, last); their nodes stay."""
    a, b = int(level.parent_blocks[first]), int(level.parent_blocks[last])

    def piece(array: npt.NDArray[Any], pointer: npt.NDArray[np.int64], width: int = 1) -> npt.NDArray[Any]:
        return array[int(pointer[a]) * width : int(pointer[b]) * width]

    def within(pointer: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return np.asarray(np.clip(pointer, pointer[a], pointer[b]) - pointer[a])

    return replace(
        level,
        block_words=within(level.block_words),
        block_rows=within(level.block_rows),
        block_entries=within(level.block_entries),
        words=piece(level.words, level.block_words, 2),
        keys=piece(level.keys, level.block_rows),
        counts=piece(level.counts, level.block_rows),
        entries=piece(level.entries, level.block_entries, ENTRY_BYTES[level.precision]),
    )


def merged(parts: Sequence[RankedLeaves], k: int) -> TopK:
    """The k best labels of each instance from the best leaves of each shard.

    Parameters
    ----------
    parts : sequence of RankedLeaves
        One per shard, for the same instances and with at least min(k, leaves of the shard) columns.
    k : int
        Labels per instance.

    Raises
    ------
    InputError
        No part.
    """
    best = best_leaves(parts, k)
    return TopK(best.labels, best.scores)


def best_leaves(parts: Sequence[RankedLeaves], k: int) -> RankedLeaves:
    """The k best leaves of each instance among those of some shards; parameters and errors are those of ``merged``."""
    if not parts:
        raise InputError("there is no shard of a tree: give all those of subtree_shards")
    n, width = len(parts[0].labels), sum(part.labels.shape[1] for part in parts)
    names = [field.name for field in fields(RankedLeaves)]
    best = {name: np.empty((n, min(k, width)), getattr(parts[0], name).dtype) for name in names}
    step = max(1, MERGED_AT_ONCE // max(1, width))
    for first in range(0, n, step):
        rows = slice(first, first + step)
        all_ = {name: np.concatenate([getattr(part, name)[rows] for part in parts], axis=1) for name in names}
        order = np.lexsort((all_["leaves"], -all_["margins"], -all_["logs"], all_["labels"] < 0), axis=-1)[:, :k]
        for name in names:
            best[name][rows] = np.take_along_axis(all_[name], order, axis=1)
    return RankedLeaves(**best)


def predict_by_subtrees(shards: Sequence[SubtreeShard], X: Any, k: int, *, mapped: Map = map, threads: int = 1) -> TopK:
    """The answer of the whole tree from its shards, bit for bit.

    Parameters
    ----------
    shards : sequence of SubtreeShard
        All shards of a tree.
    X : csr_matrix, shape (n, d)
        Features.
    k : int
        Labels per instance.
    mapped : callable, default map
        Applies a function to each shard.
    threads : int, default 1
        Number of threads per shard.
    """
    return merged(list(mapped(_Ranking(X, k, threads), shards)), k)


@dataclass(frozen=True, eq=False)
class _Ranking:
    """A function of a shard that can be sent to another process."""

    X: Any
    k: int
    threads: int

    def __call__(self, shard: SubtreeShard) -> RankedLeaves:
        return shard.rank(self.X, self.k, threads=self.threads)


def predict_by_documents(model: Any, X: CSR, k: int | None = None, *, rows: int = 65_536, mapped: Map = map) -> TopK:
    """The answer of a model for documents in blocks; the same as for all documents.

    Parameters
    ----------
    model : Model
        A fitted model.
    X : csr_matrix, shape (n, d)
        Features; may be in mapped files.
    k : int, optional
        As in ``predict_topk``.
    rows : int, default 65536
        Documents per block.
    mapped : callable, default map
        Applies a function to each block.
    """
    rows = whole_number("rows", rows, 1, 2**31 - 1)
    starts = range(0, max(X.shape[0], 1), rows)
    answers = list(mapped(_Answer(model, k), (X[first : first + rows] for first in starts)))
    return TopK(np.concatenate([one.labels for one in answers]), np.concatenate([one.scores for one in answers]))


@dataclass(frozen=True, eq=False)
class _Answer:
    """A function of a block of documents that can be sent to another process."""

    model: Any
    k: int | None

    def __call__(self, X: CSR) -> TopK:
        top: TopK = self.model.answer(Request(X=X, k=self.k))
        return top
