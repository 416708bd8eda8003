"""Label names as sequences of output tokens, and the output vocabulary of a generator.

A sequence of labels is   l₁ SEPARATOR l₂ SEPARATOR … END   where each label is the tokens of its name. The separator is
a token of its own, which no name contains: names may have spaces, commas or any other character.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ramify.errors import InputError, RamifyWarning
from ramify.kernels.subwords import subword_ids
from ramify.transformers.tokens import places_of
from ramify.values import Bool, Int32, Int64
from ramify.wording import quoted

if TYPE_CHECKING:
    from ramify.transformers.tokens import TextTokenizer

LONGEST_NAME = 4096
"""Tokens per label name that are read; a longer name is longer than any target."""


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Output tokens of a generator: those of its tokenizer, or some of them, then the separator and the clusters.

    Parameters
    ----------
    pieces : int32 array, or None
        Ascending ids of the tokenizer that are output tokens, numbered from ``N_SPECIAL`` on; None: all ids of the
        tokenizer, with their own numbers.
    n_tokenizer : int
        Number of ids of the tokenizer.
    start, end : int
        Tokens before the first and after the last label; ``start`` also fills the rows of a batch.
    n_clusters : int, default 0
    """

    pieces: Int32 | None
    n_tokenizer: int
    start: int
    end: int
    n_clusters: int = 0

    @property
    def separator(self) -> int:
        """The token between two labels."""
        return self.n_tokenizer if self.pieces is None else N_SPECIAL + len(self.pieces)

    @property
    def first_cluster(self) -> int:
        """The token of cluster 0; the other clusters follow."""
        return self.separator + 1

    @property
    def size(self) -> int:
        """Number of output tokens."""
        return self.first_cluster + self.n_clusters

    def of_pieces(self, ids: Int32) -> Int32:
        """Output tokens of ids of the tokenizer; -1 for an id that is no output token."""
        if self.pieces is None:
            return np.asarray(ids, np.int32)
        places = np.searchsorted(self.pieces, ids)
        found = self.pieces[np.minimum(places, len(self.pieces) - 1)] == ids
        return np.where(found, places + N_SPECIAL, -1).astype(np.int32)

    def to_pieces(self, tokens: Sequence[int]) -> list[int]:
        """Ids of the tokenizer of output tokens; other tokens than pieces are left out."""
        if self.pieces is None:
            return [token for token in tokens if token < self.n_tokenizer and token not in (self.start, self.end)]
        last = len(self.pieces) + N_SPECIAL
        return [int(self.pieces[token - N_SPECIAL]) for token in tokens if N_SPECIAL <= token < last]


N_SPECIAL = 2
"""Tokens before the pieces of a restricted vocabulary: start (0) and end (1)."""


@dataclass(frozen=True, eq=False)
class LabelTokens:
    """Output tokens of the names of L labels.

    Parameters
    ----------
    ids : int32 array, shape (total,)
        Tokens of all names, one after another.
    indptr : int64 array, shape (L + 1,)
        Label l has the tokens ``indptr[l]`` to ``indptr[l + 1]``.
    """

    ids: Int32
    indptr: Int64

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def take(self, labels: Int64) -> LabelTokens:
        """The tokens of some labels, in the given order."""
        places, indptr = places_of(self.indptr, labels)
        return LabelTokens(self.ids[places], indptr)

    @property
    def lengths(self) -> Int64:
        """Tokens per label, int64, shape (L,)."""
        lengths: Int64 = np.diff(self.indptr)
        return lengths

    @property
    def longest(self) -> int:
        """Tokens of the longest name."""
        return int(self.lengths.max(initial=0))

    def padded(self) -> Int32:
        """Shape (L, longest); -1 after the end of a name."""
        table = np.full((len(self), max(1, self.longest)), -1, np.int32)
        table[np.arange(table.shape[1]) < self.lengths[:, None]] = self.ids
        return table

    @classmethod
    def single(cls, first: int, count: int) -> LabelTokens:
        """Labels of one token each: the tokens from ``first`` on, as those of clusters."""
        return cls(np.arange(first, first + count, dtype=np.int32), np.arange(count + 1, dtype=np.int64))


def name_pieces(
    tokenizer: TextTokenizer, names: Sequence[str], forbidden: Sequence[int], *, most: int, threads: int
) -> LabelTokens:
    """Ids of the tokenizer of each name, without special tokens.

    Parameters
    ----------
    tokenizer : TextTokenizer
    names : sequence of str, length L
    forbidden : sequence of int
        Ids that mark the start or end of a sequence, which no name may contain.
    most : int
        Largest number of tokens per name.
    threads : int

    Raises
    ------
    InputError
        No names, a name without tokens, with more than ``most`` tokens, or with a forbidden token.
    """
    if len(names) == 0:
        raise InputError("there are no label names, so there is nothing to generate: give at least one label")
    ids, counts = _plain_ids(tokenizer, names, threads)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    found = LabelTokens(ids, indptr)
    empty = np.flatnonzero((counts == 0) | np.array([not name.strip() for name in names]))
    if len(empty):
        raise InputError(
            f"the name of label {empty[0]}, {quoted(names[int(empty[0])])}, has no tokens (such labels: {len(empty)}): "
            "give every label a name of letters or digits"
        )
    long = np.flatnonzero(counts > most)
    if len(long):
        raise InputError(
            f"the label {quoted(names[int(long[0])])} has {counts[long[0]]} tokens, but a target has at most {most} "
            f"(such labels: {len(long)}): raise max_target"
        )
    bad = np.flatnonzero(np.isin(ids, np.asarray(forbidden)))
    if len(bad):
        label = int(np.searchsorted(indptr, bad[0], side="right")) - 1
        raise InputError(f"the label {quoted(names[label])} contains a token that ends a sequence: rename it")
    return found


def _plain_ids(tokenizer: TextTokenizer, names: Sequence[str], threads: int) -> tuple[Int32, Int64]:
    """Ids of all names and their numbers per name; the special tokens around each name are removed."""
    backend = tokenizer.backend
    encoded = [
        (ids, counts) for ids, counts, _ in subword_ids(backend, names, threads=threads, max_tokens=LONGEST_NAME)
    ]
    ids = np.concatenate([np.zeros(0, np.int32), *(part for part, _ in encoded)])
    counts = np.concatenate([np.zeros(0, np.int64), *(part for _, part in encoded)])
    around = backend.encode("").ids
    special = backend.encode("a").ids
    before = _common(around, special)
    after = len(around) - before
    place = np.arange(len(ids)) - np.repeat(np.cumsum(counts) - counts, counts)
    inner = (place >= before) & (place < np.repeat(counts - after, counts))
    return ids[inner].astype(np.int32), np.maximum(counts - len(around), 0)


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """Number of equal ids at the start of two sequences."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count


def as_output(pieces: LabelTokens, vocabulary: Vocabulary) -> LabelTokens:
    """The names in output tokens."""
    return LabelTokens(vocabulary.of_pieces(pieces.ids), pieces.indptr)


def first_of_equal(tokens: LabelTokens, counts: Int64) -> Int64:
    """For each label the label that stands for it: the most frequent one of the labels with equal tokens.

    Parameters
    ----------
    tokens : LabelTokens
    counts : int64 array, shape (L,)
        Training instances of each label.

    Returns
    -------
    int64 array, shape (L,)
    """
    _, group = np.unique(tokens.padded(), axis=0, return_inverse=True)
    group = np.ravel(group)
    order = np.lexsort((np.arange(len(tokens)), -counts, group))
    leads = np.ones(len(order), bool)
    leads[1:] = group[order][1:] != group[order][:-1]
    chosen = np.empty(int(group.max(initial=-1)) + 1, np.int64)
    chosen[group[order[leads]]] = order[leads]
    return np.asarray(chosen[group], np.int64)


def warn_of_equal(stands_for: Int64, names: Sequence[str]) -> None:
    """Report by one RamifyWarning how many labels the tokenizer does not distinguish from another one, if any."""
    equal: Bool = stands_for != np.arange(len(stands_for))
    if equal.any():
        label = int(np.argmax(equal))
        warnings.warn(
            f"{int(equal.sum()):,} labels have the same tokens as another label, as {quoted(names[label])} and "
            f"{quoted(names[int(stands_for[label])])}: the more frequent one is generated for both; rename one to "
            "distinguish them",
            RamifyWarning,
            stacklevel=3,
        )
