"""Prediction with a model whose weights exceed the memory: leaves are read part by part, for all documents of a call.

memory = all but the leaves + the largest part + documents and their answers

The weights of a saved model are a mapped file. A search of the whole tree reads them in the order of the documents, so
that a file larger than memory is read many times. Here each part is read once per call, and its pages are given back.
The answer is that of the whole tree, bit for bit (``scale.subtrees``).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ramify.errors import InputError
from ramify.kernels.predict import SearchConfig
from ramify.match import BeamSearch
from ramify.match.beam import Progress, RowSettings
from ramify.match.restrict import Allowed
from ramify.models.base.adapter import as_model
from ramify.scale.parts import peak_memory
from ramify.scale.subtrees import merged, shards_of, undivided_reason
from ramify.values import CSR, Features, TopK
from ramify.weights import PackedLevel

BATCH = 40_000_000
"""Bytes of 1,024 documents, their features and their answers; about 30 MB were measured."""


class DividedSearch(BeamSearch):
    """A beam search whose leaves are searched part by part.

    Parameters
    ----------
    whole : BeamSearch
        A tree with clusters, one leaf per label and no dense weights; the arrays are shared with it.
    count : int
        Number of parts, at most that of the clusters above the leaves.

    Raises
    ------
    InputError
        A tree that cannot be divided so.
    """

    def __init__(self, whole: BeamSearch, count: int) -> None:
        super().__init__(whole.tree, whole.levels, whole.log_bias)
        self.parts = len(shards_of(whole, count, SearchConfig(), normalize=False))

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
        """See ``BeamSearch.topk``. Labels that are given per instance are scored by the whole tree."""
        if allowed is not None and not isinstance(allowed, np.ndarray):
            return super().topk(X, k, config, allowed=allowed, forbidden=forbidden, threads=threads, progress=progress)
        found = []
        for shard in shards_of(self, self.parts, config, normalize=False):
            found.append(shard.rank(X, k, allowed=allowed, forbidden=forbidden, threads=threads))
            give_back(shard.levels[-1])
            if progress is not None:
                progress(len(found) / self.parts)
        return merged(found, k)

    def topk_row(self, X: CSR, settings: RowSettings, slack: float) -> TopK | None:
        """None: the caller uses ``topk``."""
        return None


def divide(model: Any, limit: int) -> int:
    """Make the trees of a model search their leaves in parts, where the weights would exceed a limit.

    Parameters
    ----------
    model : Model
        A fitted model, changed in place; its parts are changed as well.
    limit : int
        Memory of the process in bytes, with the pages of the mapped weights. One part of the leaves gets half of what
        is left; the rest is for batches that are larger than 1,024 documents.

    Returns
    -------
    int
        Number of parts of the tree that has most; 1 if no tree is divided.

    Raises
    ------
    InputError
        A model without label trees; or a limit that is too small for it, or for a tree that cannot be divided, with how
        much is needed.
    """
    most, trees = 1, list(_trees(model))
    if not trees:
        raise InputError("the model has no label tree, so its weights are not read in parts: leave the limit out")
    inner = sum(level.nbytes for tree in trees for level in tree.search_.levels[:-1])
    used = int(peak_memory() * 1e6) + inner + BATCH
    room = (limit - used) // 2
    for tree in trees:
        leaves = tree.search_.levels[-1]
        if leaves.nbytes <= room:
            continue
        reason = undivided_reason(tree.search_)
        least = leaves.nbytes if reason is not None else _largest_cluster(leaves)
        if least > room:
            why = "" if reason is None else f", because its tree {reason} and cannot be read in parts"
            raise InputError(
                f"the limit of memory is {limit / 1e6:,.0f} MB, but the model needs about "
                f"{(used + 2 * least) / 1e6:,.0f} MB{why}: raise the limit"
            )
        count = min(-(-leaves.nbytes // max(room, 1)), leaves.n_parents)
        tree.search_ = DividedSearch(tree.search_, count)
        most = max(most, count)
    return most


def _trees(model: Any) -> Iterator[Any]:
    """The model and its parts that are label trees."""
    if isinstance(getattr(model, "search_", None), BeamSearch):
        yield model
    for part in as_model(model).inside().values():
        yield from _trees(part)


def _largest_cluster(level: PackedLevel) -> int:
    """Estimated bytes of the weights below the parent that has most."""
    entries = np.diff(level.block_entries[level.parent_blocks])
    return int(level.nbytes * entries.max() / max(1, entries.sum()))


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
