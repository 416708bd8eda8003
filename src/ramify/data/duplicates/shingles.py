"""Documents as sets of hashed shingles, and as one hash of the whole document.

A shingle of a text is a sequence of 5 characters (code points). A shingle of a row of features is the number of a
column with a value. Shingles are hashed to 32 bits.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ramify.values import CSR, Bool, Int64

UInt32 = npt.NDArray[np.uint32]
UInt64 = npt.NDArray[np.uint64]

WIDTH = 5
"""Characters of a shingle; a shorter text is one shingle."""
MOST_CHARACTERS = 100_000
"""Near duplicates are compared by this many characters from the beginning."""
BLOCK_SHINGLES = 1 << 20
"""Shingles in memory at a time."""

PUNCTUATION = re.compile("[!-/:-@\\[-`{-~¡-©«¬®-±´¶-¸»¿\u2010-\u2027\u2030-\u205e\u3001-\u3003\u3008-\u3020]+")
"""Punctuation and symbols of ASCII, Latin-1, and the blocks of general and CJK punctuation."""
BASE = np.uint32(0x01000193)


class Sets(Protocol):
    """Documents as sets of 32-bit hashes."""

    def __len__(self) -> int:
        """Number of documents."""
        ...

    def empty(self) -> Bool:
        """Whether each document has no content, shape (n,)."""
        ...

    def digests(self) -> UInt64:
        """A 64-bit hash of each whole document, shape (n,)."""
        ...

    def hashes(self, rows: Int64) -> tuple[UInt32, Int64]:
        """The shingles of some documents.

        Returns
        -------
        tuple
            (values, ends): document i has ``values[ends[i]:ends[i + 1]]``, in any order and with repetitions.
        """
        ...

    def sizes(self, rows: Int64) -> Int64:
        """Approximate numbers of shingles, for the size of blocks."""
        ...


def plain_text(text: str) -> str:
    """A text in which only letters count: NFKC, case folded, white space collapsed."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


class TextSets:
    """Texts as sets of character 5-grams, punctuation left out.

    Parameters
    ----------
    texts : sequence of str
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def __len__(self) -> int:
        return len(self._texts)

    def empty(self) -> Bool:
        """See ``Sets``."""
        return np.fromiter((not text or text.isspace() for text in self._texts), np.bool_, len(self))

    def digests(self) -> UInt64:
        """See ``Sets``."""
        return np.fromiter((digest(plain_text(text)) for text in self._texts), np.uint64, len(self))

    def hashes(self, rows: Int64) -> tuple[UInt32, Int64]:
        """See ``Sets``."""
        texts = [_shingled(self._texts[row]) for row in rows.tolist()]
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        counts = np.maximum(lengths - WIDTH + 1, 1)
        ends = np.concatenate([[0], np.cumsum(counts)])
        # Each text is followed by WIDTH - 1 zeros, so that every position of the sequence begins a window.
        codes = np.frombuffer(("\0" * (WIDTH - 1)).join([*texts, ""]).encode("utf-32-le", "surrogatepass"), np.uint32)
        starts = np.concatenate([[0], np.cumsum(lengths + WIDTH - 1)])[:-1]
        windows = len(codes) - WIDTH + 1
        values = np.zeros(max(windows, 0), np.uint32)
        for place in range(WIDTH):
            values *= BASE
            values += codes[place : place + windows]
        kept = np.repeat(starts - ends[:-1], counts) + np.arange(ends[-1])
        return mixed(values[kept]), ends

    def sizes(self, rows: Int64) -> Int64:
        """See ``Sets``."""
        lengths = np.fromiter((len(self._texts[row]) for row in rows.tolist()), np.int64, len(rows))
        return np.minimum(lengths, MOST_CHARACTERS)


class RowSets:
    """Rows of a feature matrix as sets of columns.

    Parameters
    ----------
    X : csr_matrix, shape (n, d)
    """

    def __init__(self, X: CSR) -> None:
        self._X = X

    def __len__(self) -> int:
        return int(self._X.shape[0])

    def empty(self) -> Bool:
        """See ``Sets``."""
        return np.asarray(np.diff(self._X.indptr) == 0)

    def digests(self) -> UInt64:
        """See ``Sets``; the values count as well."""
        ends = self._X.indptr.tolist()
        columns, values = self._X.indices, self._X.data
        pieces = (
            digest(columns[first:last].tobytes() + values[first:last].tobytes()) for first, last in pairwise(ends)
        )
        return np.fromiter(pieces, np.uint64, len(self))

    def hashes(self, rows: Int64) -> tuple[UInt32, Int64]:
        """See ``Sets``."""
        part = self._X[rows]
        return mixed(part.indices.astype(np.uint32)), part.indptr.astype(np.int64)

    def sizes(self, rows: Int64) -> Int64:
        """See ``Sets``."""
        return np.asarray(np.diff(self._X.indptr)[rows], np.int64)


def digest(content: str | bytes) -> int:
    """A 64-bit hash that is the same in every process."""
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "little")


def mixed(values: UInt32) -> UInt32:
    """Spread the bits of each value: the finalizer of MurmurHash3, a bijection of 32-bit numbers."""
    values = values ^ (values >> np.uint32(16))
    values *= np.uint32(0x85EBCA6B)
    values ^= values >> np.uint32(13)
    values *= np.uint32(0xC2B2AE35)
    values ^= values >> np.uint32(16)
    return values


def _shingled(text: str) -> str:
    """The text that shingles are taken from: without punctuation, unless it has nothing else."""
    plain = plain_text(text[:MOST_CHARACTERS])
    letters = " ".join(PUNCTUATION.sub(" ", plain).split())
    return letters or plain


def runs(sizes: Int64, limit: int) -> list[tuple[int, int]]:
    """Consecutive runs (first, last) of items whose sizes add up to about ``limit`` each; none is empty."""
    if len(sizes) == 0:
        return []
    number = (np.cumsum(sizes) - sizes) // limit
    borders = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(sizes)]
    return list(pairwise(borders))
