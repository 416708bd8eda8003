"""Prediction with a model whose weights exceed the memory: leaves are read part by part, for all documents of a call.

memory = all but the leaves + the largest part + a batch of documents with its answers

The weights of a saved model are a mapped file. A search of the whole tree reads them in the order of the documents, so
that a file larger than memory is read many times. Here each part is read once per call, and its pages are given back;
a tree that cannot be divided gives back its pages after each call, so that the next tree has room.
The answer is that of the whole tree, bit for bit (``scale.subtrees``).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ramify.errors import InputError
from ramify.kernels.predict import SearchConfig, Searcher
from ramify.match import BeamSearch
from ramify.match.beam import Progress, RowSettings
from ramify.match.restrict import Allowed
from ramify.models.base.adapter import as_model
from ramify.scale.memory import used_memory
from ramify.scale.subtrees import RankedLeaves, best_leaves, merged, shard_bounds, shards_of, undivided_reason
from ramify.tagger.fusing.members import SavedMember
from ramify.values import CSR, Features, Float32, Int32, Int64, TopK
from ramify.weights import PackedLevel

BUFFERS = 30_000_000
"""Bytes of buffers that do not depend on the documents, and of libraries that are loaded with the first batch."""

DOCUMENT_BYTES = 20_000
"""Bytes of a document of a batch: text, features and a line of output."""

ANSWER_BYTES = 500
"""Bytes of a label of a document: its place in the rankings that are merged, and the objects of the answer."""

REASON_BYTES = 300_000
"""Bytes of the reasons of a label of a document; with 250 words, 260,000 were measured."""


class DividedSearch(BeamSearch):
    """A beam search whose leaves are searched part by part; the pages of the leaves are given back after each call.

    Parameters
    ----------
    whole : BeamSearch
        A tree; the arrays are shared with it. With more than one part, it has clusters, one leaf per label and no dense
        weights.
    count : int
        Number of parts, at most that of the clusters above the leaves.
    room : int, default 0
        Bytes of the leaves that may be in memory. A call that reads fewer in any case is not divided.

    Raises
    ------
    InputError
        A tree that cannot be divided so.
    """

    by_row = False

    def __init__(self, whole: BeamSearch, count: int, room: int = 0) -> None:
        super().__init__(whole.tree, whole.levels, whole.log_bias)
        bounds = [0, self.levels[-1].n_parents] if count == 1 else shard_bounds(whole, count)
        self.parts, self.room = len(bounds) - 1, room
        self._largest = _largest_cluster(self.levels[-1])
        ends = self.tree.first_children(self.tree.depth - 1)[bounds]
        self._searcher = _PartSearcher(self, ends, max(1, room // self._largest))

    def topk(
        self,
        X: Features,
        k: int,
        config: SearchConfig,
        *,
        allowed: Allowed = None,
        forbidden: CSR | None = None,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> TopK:
        """See ``BeamSearch.topk``."""
        mask = allowed if isinstance(allowed, np.ndarray) else None
        clusters = X.shape[0] * min(config.beam, self.levels[-1].n_parents)
        if allowed is not mask or self.parts == 1 or clusters * self._largest <= self.room:
            top = super().topk(X, k, config, allowed=allowed, forbidden=forbidden, threads=threads, progress=progress)
            give_back(self.levels[-1])
            return top
        best: list[RankedLeaves] = []
        for number, shard in enumerate(shards_of(self, self.parts, config, normalize=False), start=1):
            found = shard.rank(X, k, allowed=mask, forbidden=forbidden, threads=threads)
            give_back(shard.levels[-1])
            best = [best_leaves([*best, found], k)]  # no more than two rankings are in memory
            if progress is not None:
                progress(number / self.parts)
        return merged(best, k)

    def topk_one(self, *args: Any, **options: Any) -> tuple[Int32, Float32]:
        """See ``BeamSearch.topk_one``; the weights of the clusters that are reached are in memory together."""
        found = super().topk_one(*args, **options)
        give_back(self.levels[-1])
        return found

    def topk_row(self, X: CSR, settings: RowSettings, slack: float) -> TopK | None:
        """None: the caller uses ``topk``."""
        return None


class _PartSearcher(Searcher):
    """Scores given leaves part by part.

    Parameters
    ----------
    search : BeamSearch
        The tree.
    ends : int64 array, shape (parts + 1,)
        Leaves of part i are [ends[i], ends[i + 1]).
    few : int
        Number of leaves that are scored without parts: so many clusters fit in memory.
    """

    def __init__(self, search: BeamSearch, ends: Int64, few: int) -> None:
        super().__init__(search.tree, search.levels, log_bias=search.log_bias)
        self._leaves, self._ends, self._few = search.levels[-1], ends, few

    def score(
        self, X: Features, pointers: Int64, leaves: Int32, config: SearchConfig, *, threads: int = 1
    ) -> tuple[Float32, Float32]:
        """See ``Searcher.score``; the score of a leaf does not depend on the others."""
        give_back(self._leaves)  # callers may have read weights after the call before
        if len(leaves) <= self._few or len(self._ends) == 2:
            found = super().score(X, pointers, leaves, config, threads=threads)
            give_back(self._leaves)
            return found
        scores, margins = np.empty(len(leaves), np.float32), np.empty(len(leaves), np.float32)
        for first, end in pairwise(self._ends.tolist()):
            mine = np.flatnonzero((leaves >= first) & (leaves < end))
            own = np.searchsorted(mine, pointers).astype(np.int64)
            scores[mine], margins[mine] = super().score(X, own, leaves[mine], config, threads=threads)
            give_back(self._leaves)
        return scores, margins


def batch_bytes(documents: int, k: int, *, why: bool = False) -> int:
    """Estimated bytes of a batch of documents with k labels each, and of the buffers of a prediction.

    Parameters
    ----------
    documents, k : int
        Documents of the batch, and labels of each.
    why : bool, default False
        Whether the labels have reasons (``Tagger.explain``).
    """
    return BUFFERS + documents * (DOCUMENT_BYTES + k * (ANSWER_BYTES + REASON_BYTES * why))


def divide(model: Any, limit: int, *, batch: int = 0, stored: int = 0) -> int:
    """Make the trees of a model search their leaves in parts, where the weights would exceed a limit.

    Parameters
    ----------
    model : Model
        A fitted model, changed in place; its parts are changed as well, and the models of the members of a fusion.
    limit : int
        Memory of the process in bytes, with the pages of the mapped weights. The leaves get half of what is left; the
        rest is for documents that are longer than usual.
    batch : int, default 0
        Bytes of a batch of documents and its answers (``batch_bytes``).
    stored : int, default 0
        Bytes of the mapped files of the model. All but the leaves of its trees may be in memory.

    Returns
    -------
    int
        Number of parts of the tree that has most; 1 if no tree is divided.

    Raises
    ------
    InputError
        A limit that is too small for the model, or for a tree that cannot be divided, with how much is needed.
    """
    trees = list({id(tree): tree for tree in _trees(model)}.values())
    for tree in trees:
        for level in tree.search_.levels:
            give_back(level)  # they are counted below
    leaves = sum(tree.search_.levels[-1].nbytes for tree in trees)
    inner = sum(level.nbytes for tree in trees for level in tree.search_.levels[:-1])
    used = used_memory() + max(inner, stored - leaves) + batch
    room = (limit - used) // 2
    if leaves <= room or (not trees and used <= limit):
        return 1
    largest = max(trees, key=lambda tree: _least(tree.search_), default=None)
    reason = "has no label tree" if largest is None else _reason(largest.search_)
    least = 0 if largest is None else _least(largest.search_)
    if largest is None or least > room:
        raise InputError(_too_small(limit, used + 2 * least, batch, reason))
    for tree in trees:
        level = tree.search_.levels[-1]
        count = 1 if _reason(tree.search_) else min(-(-level.nbytes // room), level.n_parents)
        tree.search_ = DividedSearch(tree.search_, count, room)
    return max(int(tree.search_.parts) for tree in trees)


def _too_small(limit: int, needed: int, batch: int, reason: str | None) -> str:
    """The sentence for a limit below what is needed."""
    why = "" if reason is None else f", because it {reason} and cannot be read in parts"
    smaller = f" ({batch / 1e6:,.0f} MB for a batch), or use a smaller --batch or -k" if batch > 2 * BUFFERS else ""
    return (
        f"the limit of memory (--memory) is {limit / 1e6:,.0f} MB, but the model needs about "
        f"{needed / 1e6:,.0f} MB{why}: raise the limit{smaller}"
    )


def _trees(model: Any) -> Iterator[Any]:
    """The model and its parts that are label trees, with those of the taggers that are members of a fusion."""
    if isinstance(model, SavedMember):
        yield from _trees(model.tagger.model_)
        return
    if isinstance(getattr(model, "search_", None), BeamSearch):
        yield model
    for part in as_model(model).inside().values():
        yield from _trees(part)


def _reason(search: BeamSearch) -> str | None:
    """Why a tree cannot be divided, as in "has a tree that has no clusters"; None if it can."""
    reason = undivided_reason(search)
    return None if reason is None else f"has a tree that {reason}"


def _least(search: BeamSearch) -> int:
    """Bytes of the leaves that are in memory at the same time, at least."""
    level = search.levels[-1]
    return level.nbytes if undivided_reason(search) else _largest_cluster(level)


def _largest_cluster(level: PackedLevel) -> int:
    """Estimated bytes of the weights below the parent that has most; at least 1."""
    entries = np.diff(level.block_entries[level.parent_blocks])
    return max(1, int(level.nbytes * entries.max() / max(1, entries.sum())))


def give_back(level: PackedLevel) -> None:
    """Give the pages of mapped arrays back to the system, which reads them from the file when they are used again."""
    if not hasattr(mmap, "MADV_DONTNEED"):  # Windows
        return
    for array in level.arrays().values():
        mapped = _mapped(array)
        if mapped is not None and array.nbytes:
            start = array.ctypes.data - np.frombuffer(mapped, np.uint8).ctypes.data
            first = start // mmap.PAGESIZE * mmap.PAGESIZE
            mapped.madvise(mmap.MADV_DONTNEED, first, start + array.nbytes - first)


def _mapped(array: npt.NDArray[Any]) -> mmap.mmap | None:
    """The mapped file of an array that cannot be written; None for another array."""
    if array.flags.writeable:  # pages that were written must not be dropped
        return None
    owner: Any = array
    while isinstance(owner, np.ndarray | memoryview):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    return owner if isinstance(owner, mmap.mmap) else None
