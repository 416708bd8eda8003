"""A prefix trie over the token sequences of labels: which tokens may follow, so that only labels are generated.

Nodes are numbered level by level, so that the children of a node are contiguous: node v has the children
``first_child[v]`` to ``first_child[v + 1]``, in ascending order of their tokens. The labels are sorted by their tokens;
those below node v have the ranks ``low[v]`` to ``high[v]``, and a label that ends at v has the rank ``low[v]``.

Nicola De Cao, Gautier Izacard, Sebastian Riedel, Fabio Petroni: Autoregressive Entity Retrieval, ICLR 2021.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ramify.errors import InputError
from ramify.generate.label_tokens import LabelTokens
from ramify.values import CSR, Bool, Int32, Int64

ROOT = 0


@dataclass(frozen=True, eq=False)
class Trie:
    """The trie of some labels.

    Parameters
    ----------
    token : int32 array, shape (nodes,)
        The token that leads to each node; -1 for the root, node 0.
    first_child : int32 array, shape (nodes + 1,)
    low, high : int32 arrays, shape (nodes,)
    ends : bool array, shape (nodes,)
        Whether a label ends at the node.
    labels : int32 array, shape (ranks,)
        The label of each rank.
    """

    token: Int32
    first_child: Int32
    low: Int32
    high: Int32
    ends: Bool
    labels: Int32

    @classmethod
    def of(cls, tokens: LabelTokens, labels: Int64 | None = None) -> Trie:
        """The trie of all labels, or of some.

        Of labels with equal tokens, the first given one is kept.

        Raises
        ------
        InputError
            No labels.
        """
        chosen = np.arange(len(tokens)) if labels is None else np.asarray(labels, np.int64)
        if len(chosen) == 0:
            raise InputError("a trie needs at least one label: allow at least one label with a name")
        table = tokens.take(chosen).padded()
        order = np.lexsort(table.T[::-1])  # stable: the first given one of equal labels comes first
        table = table[order]
        kept = _run_starts(*table.T)
        return cls._of_sorted(table[kept], chosen[order[kept]].astype(np.int32))

    @classmethod
    def _of_sorted(cls, table: Int32, labels: Int32) -> Trie:
        """The trie of different token sequences in ascending order, padded with -1, one level after another."""
        levels = [(np.array([-1]), np.array([0]), np.array([len(table)]))]
        ends, first_child, first_node, count = [], [], 0, 1
        ranks, node = np.arange(len(table)), np.zeros(len(table), np.int64)  # of the labels that go on; node in level
        for column in [*table.T, np.full(len(table), -1, np.int32)]:
            following = column[ranks]
            ended = np.zeros(count, bool)
            ended[node[following < 0]] = True
            ends.append(ended)
            ranks, node, following = (values[following >= 0] for values in (ranks, node, following))
            starts = _run_starts(node, following)
            first_node += count
            first_child.append(first_node + np.searchsorted(node[starts], np.arange(count)))
            if len(starts) == 0:
                break
            last = np.append(starts[1:], len(ranks)) - 1
            levels.append((following[starts], ranks[starts], ranks[last] + 1))
            node = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(ranks))))
            count = len(starts)
        token, low, high = (np.concatenate(parts).astype(np.int32) for parts in zip(*levels, strict=True))
        children = np.concatenate([*first_child, [len(token)]]).astype(np.int32)
        return cls(token, children, low, high, np.concatenate(ends), labels)

    def __len__(self) -> int:
        return len(self.token)

    @property
    def nbytes(self) -> int:
        """Memory of the arrays in bytes."""
        return sum(array.nbytes for array in vars(self).values())

    def child(self, node: int, token: int) -> int:
        """The child of a node by its token; -1 where the node has no such child."""
        begin, end = int(self.first_child[node]), int(self.first_child[node + 1])
        place = begin + int(np.searchsorted(self.token[begin:end], token))
        return place if place < end and self.token[place] == token else -1

    def children(self, nodes: Int64) -> tuple[Int64, Int64]:
        """All children of nodes: for each child the position of its parent in ``nodes``, and the child."""
        begin = self.first_child[nodes].astype(np.int64)
        counts = self.first_child[np.asarray(nodes) + 1] - begin
        owner = np.repeat(np.arange(len(nodes)), counts)
        found = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts) + begin[owner]
        return owner, found


def _run_starts(*keys: Int64) -> Int64:
    """Where the values of any key differ from those before."""
    fresh = np.ones(len(keys[0]), bool)
    fresh[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return np.flatnonzero(fresh)


@dataclass(frozen=True, eq=False)
class RankSets:
    """Labels that some instances may have, or may not have, by their ranks in a trie.

    Parameters
    ----------
    keys : int64 array
        instance · n_ranks + rank, ascending.
    n_ranks : int
    forbidden : bool
        Whether the labels are those that an instance may not have.
    """

    keys: Int64
    n_ranks: int
    forbidden: bool

    @classmethod
    def of(cls, labels: CSR, trie: Trie, *, forbidden: bool) -> RankSets:
        """The non-zero entries of a matrix of shape (n, L)."""
        rank_of = np.full(labels.shape[1], -1, np.int64)
        rank_of[trie.labels] = np.arange(len(trie.labels))
        rows, columns = labels.nonzero()
        ranks = rank_of[columns]
        keys = rows[ranks >= 0] * np.int64(len(trie.labels)) + ranks[ranks >= 0]
        return cls(np.sort(keys), len(trie.labels), forbidden)

    def count(self, rows: Int64, low: Int64, high: Int64) -> Int64:
        """Number of labels with ranks from ``low`` to ``high`` - 1 that each instance may have."""
        first = np.asarray(rows, np.int64) * self.n_ranks
        found = np.searchsorted(self.keys, first + high) - np.searchsorted(self.keys, first + low)
        return np.asarray((high - low) - found if self.forbidden else found, np.int64)
