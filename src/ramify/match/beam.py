"""A label tree with its weights: beam search, exact scores of given labels, sub-trees (PECOS; docs/papers.md).

The search keeps the ``beam`` best nodes of each level and scores only their children. For a leaf with margin m_T and
the margins m_1 .. m_{T-1} of the nodes above it:

score = σ(m_T) · (Π_{t<T} σ(m_t)) ^ path_weight        σ(m) = exp(-max(0, 1 - m)³) by default

Predictions can be restricted to given labels: the search does not enter branches without an allowed label.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ramify.checks import thread_count, whole_number
from ramify.errors import InputError, damage_reported
from ramify.exchange import LevelSize
from ramify.kernels.pack import check_packed, pack, unpack
from ramify.kernels.predict import NativeOptions, SearchConfig, Searcher, nodes_reached
from ramify.match.restrict import Allowed
from ramify.spill import Empty
from ramify.store.trees import tree_from_arrays, tree_to_arrays
from ramify.values import CSR, Features, Float32, Int32, Int64, LabelTree, TopK
from ramify.weights import ENTRY_BYTES, PRECISIONS, Blocks, LevelWeights, PackedLevel
from ramify.wording import quoted

Progress = Callable[[float], None]
RowSettings: TypeAlias = tuple[int, int | None, int, str, float, str]
"""k, threads, beam, transform, path weight and rule for copies of a search for one row."""

MOST_ROW_OPTIONS = 64
"""Maximum number of ``RowSettings`` whose native options are kept."""


class BeamSearch:
    """Beam search over one tree.

    Parameters
    ----------
    tree : LabelTree
        The hierarchy.
    levels : sequence of PackedLevel
        Weights of each level, from the top.
    log_bias : float32 array, shape (L,), optional
        Value added to the log score of each label, at most 0.

    Attributes
    ----------
    by_row : bool
        Whether ``topk_one`` reads only the weights that ``topk`` reads; otherwise callers use ``topk``.
    """

    by_row = True

    def __init__(self, tree: LabelTree, levels: Sequence[PackedLevel], log_bias: Float32 | None = None) -> None:
        self.tree = tree
        self.levels = tuple(levels)
        self.log_bias = log_bias
        self._searcher = Searcher(tree, self.levels, log_bias=log_bias)
        self._row_options: dict[tuple[Any, ...], NativeOptions] = {}

    @classmethod
    def of(
        cls,
        tree: LabelTree,
        levels: Sequence[LevelWeights],
        precision: str,
        log_bias: Float32 | None = None,
        *,
        empty: Empty = np.empty,
    ) -> BeamSearch:
        """Pack trained weights; ``empty`` makes the large arrays, as ``numpy.empty`` does."""
        return cls(tree, [pack(level, precision, empty=empty) for level in levels], log_bias)

    @property
    def n_features(self) -> int:
        """Width d of X."""
        return self.levels[0].n_features

    @property
    def n_dense(self) -> int:
        """Columns of the dense block of X."""
        return self.levels[0].n_dense

    def level_sizes(self) -> tuple[LevelSize, ...]:
        """Nodes, weights and bytes of each level, from the top."""
        nodes = self.tree.level_sizes
        return tuple(
            LevelSize(nodes=count, children=count / above, weights=packed.n_weights, bytes=packed.nbytes)
            for count, above, packed in zip(nodes, (1, *nodes), self.levels, strict=False)
        )

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
        """The k best labels of each instance.

        Parameters
        ----------
        X : csr_matrix or Hybrid, shape (n, d)
            Features.
        k : int
            Labels per instance.
        config : SearchConfig
            Beam and transform.
        allowed : bool array, shape (L,), or csr_matrix, shape (n, L), optional
            The only labels that may be predicted, for all instances, or per instance (these are scored exactly,
            without a beam).
        forbidden : csr_matrix, shape (n, L), optional
            Labels that are excluded for an instance.
        """
        if allowed is not None and not isinstance(allowed, np.ndarray):
            if forbidden is not None:
                allowed = allowed - allowed.multiply(forbidden)
            return self._topk_of_given(X, k, config, sp.csr_matrix(allowed), threads)
        searcher = self._searcher if allowed is None else Searcher(self.tree, self.levels, allowed, self.log_bias)
        found = searcher.search(X, k, config, forbidden=forbidden, threads=threads, progress=progress)
        return TopK(*found)

    def topk_one(
        self,
        indices: Int32,
        values: Float32,
        k: int,
        options: NativeOptions,
        dense: Float32 | None = None,
        dense_scale: float = 1.0,
    ) -> tuple[Int32, Float32]:
        """Labels and scores, shapes (1, k), of one instance; arguments are not checked (``Searcher.search_one``)."""
        return self._searcher.search_one(indices, values, options, k, dense, dense_scale)

    def topk_row(self, X: CSR, settings: RowSettings, slack: float) -> TopK | None:
        """``topk`` for a matrix with one row, without conversions; None if it needs them (``Searcher.search_row``).

        Parameters
        ----------
        X : csr_matrix, shape (1, d)
            Features; not checked before.
        settings : RowSettings
            Checked on their first use.
        slack : float
            Maximum deviation of the squared length of the row from 1.
        """
        found = self._searcher.search_row(X, self.row_options(settings), settings[0], slack)
        return None if found is None else TopK(*found)

    def row_options(self, settings: RowSettings) -> NativeOptions:
        """Native options of a search for one row; checked and kept at the first use of the settings."""
        options = self._row_options.get(settings)
        if options is None:
            k, threads, beam, transform, path_weight, copies = settings
            config = SearchConfig(beam=beam, transform=transform, path_weight=path_weight, copies=copies)
            thread_count(threads)
            if len(self._row_options) >= MOST_ROW_OPTIONS:
                self._row_options.clear()
            options = self._row_options[settings] = config.native(k, 1)
        return options

    def scores(self, X: Features, pairs: CSR, config: SearchConfig, *, threads: int = 1) -> CSR:
        """Path scores of the given (instance, label) pairs, without a beam.

        Parameters
        ----------
        X : csr_matrix or Hybrid, shape (n, d)
            Features.
        pairs : csr_matrix, shape (n, L)
            Its stored entries are scored.

        Returns
        -------
        csr_matrix, shape (n, L)
            The same entries with scores. The leaves of a label are merged; the score of a label without a leaf is -inf.
        """
        leaves, per_pair, pointers = self._leaves_of(pairs)
        merged, _, _ = self._searcher.score_labels(X, pointers, leaves, per_pair, config, threads=threads)
        return sp.csr_matrix((merged, pairs.indices, pairs.indptr), shape=pairs.shape)

    def leaf_logs(self, X: Features, leaves: Int32, config: SearchConfig) -> tuple[float, Float32]:
        """Of one instance: the score of a label with these leaves, ascending, and the log score of each leaf.

        Parameters
        ----------
        X : csr_matrix or Hybrid, shape (1, d)
            Features.
        leaves : int32 array, shape (n,)
            Leaves of the label that are merged; at least one.
        """
        ends = np.array([0, len(leaves)])
        merged, logs, _ = self._searcher.score_labels(X, ends, leaves, ends, config)
        return float(merged[0]), logs

    def leaf_scores(self, X: Features, leaves: Int32, config: SearchConfig, *, threads: int = 1) -> Float32:
        """Scores of the same leaves for every instance, without a beam: shape (n, leaves given)."""
        n, width = X.shape[0], len(leaves)
        pointers = np.arange(n + 1, dtype=np.int64) * width
        scores, _ = self._searcher.score(X, pointers, np.tile(leaves, n).astype(np.int32), config, threads=threads)
        return scores.reshape(n, width)

    def clusters_reached(self, X: Features, config: SearchConfig, *, threads: int = 1) -> CSR:
        """Clusters of the level above the leaves that each instance reaches, shape (n, clusters), with path scores."""
        if self.tree.depth == 1:
            return sp.csr_matrix(np.ones((X.shape[0], 1), np.float32))
        return nodes_reached(self.tree.parents[:-1], self.levels[:-1], X, config, threads=threads)

    def _leaves_of(self, pairs: CSR) -> tuple[Int32, Int64, Int64]:
        """All leaves of the given labels, ascending within a label, and pointers per pair and per instance."""
        copies = sp.csr_matrix(self.tree.leaf_matrix())
        labels = pairs.indices
        n_leaves = np.diff(copies.indptr)[labels]
        per_pair = np.concatenate([[0], np.cumsum(n_leaves)]).astype(np.int64)
        within = np.arange(per_pair[-1]) - np.repeat(per_pair[:-1], n_leaves)
        leaves = copies.indices[np.repeat(copies.indptr[:-1][labels], n_leaves) + within].astype(np.int32)
        return leaves, per_pair, per_pair[pairs.indptr]

    def _topk_of_given(self, X: Features, k: int, config: SearchConfig, pairs: CSR, threads: int) -> TopK:
        """The best of the given labels, in the order of the beam search: score, then leaf margin, then leaf."""
        pairs.eliminate_zeros()
        leaves, per_pair, pointers = self._leaves_of(pairs)
        answers = self._searcher.score_labels(X, pointers, leaves, per_pair, config, threads=threads)
        merged, found, margin = answers
        pair = np.repeat(np.arange(pairs.nnz), np.diff(per_pair))
        order = np.lexsort((leaves, -margin, -found, pair))
        given, first = np.unique(pair[order], return_index=True)  # a label without a leaf is left out
        best, score = order[first], merged[given]
        row = np.repeat(np.arange(X.shape[0]), np.diff(pairs.indptr))[given]
        order = np.lexsort((leaves[best], -margin[best], -score, row))
        row, score, label = row[order], score[order], pairs.indices[given[order]]
        rank = np.arange(len(row)) - np.searchsorted(row, row)
        kept = rank < k
        place = (row[kept], rank[kept])
        top = TopK(np.full((X.shape[0], k), -1, np.int32), np.full((X.shape[0], k), -np.inf, np.float32))
        top.labels[place], top.scores[place] = label[kept], score[kept]
        return top

    def __reduce__(self) -> tuple[Any, ...]:
        return BeamSearch, (self.tree, self.levels, self.log_bias)  # the native object is made again

    def weights(self, level: int) -> LevelWeights:
        """The rounded weights of one level as ``LevelWeights``."""
        return unpack(self.levels[level])

    def subtree(self, level: int, node: int) -> BeamSearch:
        """The part below one inner node as a separate search with the same label space.

        Parameters
        ----------
        level : int
            Level of the node, from 0 at the top, above the level of the leaves.
        node : int
            Number of the node within its level.
        """
        if self.tree.depth == 1:
            raise InputError("the tree has no clusters, so there is no part below one: use a smaller max_leaf")
        level = whole_number("level", level, 0, self.tree.depth - 2)
        node = whole_number("node", node, 0, self.tree.level_sizes[level] - 1)
        parents, levels = [], []
        first, last = node, node + 1
        for below in range(level + 1, self.tree.depth):
            pointers = self.tree.first_children(below)
            parents.append((self.tree.parents[below][pointers[first] : pointers[last]] - first).astype(np.int32))
            levels.append(_cut(self.levels[below], first, last))
            first, last = int(pointers[first]), int(pointers[last])
        tree = LabelTree(tuple(parents), self.tree.leaf_labels[first:last], self.tree.n_labels)
        return BeamSearch(tree, levels, self.log_bias)

    def to_state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Settings and arrays for a model directory."""
        config, arrays = tree_to_arrays(self.tree)
        if self.log_bias is not None:
            arrays["log_bias"] = self.log_bias
        for number, level in enumerate(self.levels):
            arrays |= {f"level{number}/{name}": array for name, array in level.arrays().items()}
        config |= {"n_features": self.n_features, "precision": self.levels[0].precision}
        return config | ({"n_dense": self.n_dense} if self.n_dense else {}), arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> BeamSearch:
        """Restore from a model directory.

        Raises
        ------
        ModelFileError
            Arrays that are missing or do not fit.
        """
        with damage_reported("the model's tree is"):
            n_features, precision = whole_number("n_features", config["n_features"], 1, 2**31 - 1), config["precision"]
            if precision not in PRECISIONS:
                raise InputError(f"precision is {quoted(precision)}, but must be one of {', '.join(PRECISIONS)}")
            n_dense = whole_number("n_dense", config.get("n_dense", 0), 0, n_features)
            tree = tree_from_arrays(config, arrays)
            common = {"n_features": n_features, "precision": precision, "n_dense": n_dense}
            levels = [_stored_level(arrays, number, common) for number in range(tree.depth)]
            for number, level in enumerate(levels):
                check_packed(level, Blocks.of(tree, number))
            return cls(tree, levels, arrays.get("log_bias"))


def _stored_level(arrays: dict[str, Any], number: int, common: dict[str, Any]) -> PackedLevel:
    prefix = f"level{number}/"
    own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    return PackedLevel(**common, **own)


def _cut(level: PackedLevel, first: int, last: int) -> PackedLevel:
    """The blocks of the parents [first, last); the nodes below a node are contiguous."""
    a, b = int(level.parent_blocks[first]), int(level.parent_blocks[last])
    per_entry = ENTRY_BYTES[level.precision]

    def piece(array: npt.NDArray[Any], pointer: npt.NDArray[np.int64], width: int = 1) -> npt.NDArray[Any]:
        return np.ascontiguousarray(array[int(pointer[a]) * width : int(pointer[b]) * width])

    def rebased(pointer: npt.NDArray[np.int64], begin: int, end: int) -> npt.NDArray[np.int64]:
        return np.ascontiguousarray(pointer[begin : end + 1] - pointer[begin])

    return PackedLevel(
        n_features=level.n_features,
        precision=level.precision,
        parent_blocks=rebased(level.parent_blocks, first, last),
        block_begin=rebased(level.block_begin, a, b),
        block_words=rebased(level.block_words, a, b),
        block_rows=rebased(level.block_rows, a, b),
        block_entries=rebased(level.block_entries, a, b),
        words=piece(level.words, level.block_words, 2),
        keys=piece(level.keys, level.block_rows),
        counts=piece(level.counts, level.block_rows),
        entries=piece(level.entries, level.block_entries, per_entry),
        scale=piece(level.scale, level.block_begin),
        bias=piece(level.bias, level.block_begin),
        n_dense=level.n_dense,
        dense=None if level.dense is None else piece(level.dense, level.block_dense),
        dense_scale=None if level.dense_scale is None else piece(level.dense_scale, level.block_begin),
    )
