"""Checked calls of the text kernels: texts → counted n-grams → a vocabulary → rows of X.

Texts are read in place, in the width in which Python stores them, with the GIL released.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import ramify._native as _native  # noqa: PLR0402 (mypy loses a skipped module that comes by "from")
from ramify.errors import InputError
from ramify.kernels.grams import MAX_TEXT_LENGTH, Grams, character_table
from ramify.kernels.stems import Stems, most_frequent, native_grams
from ramify.strings import StringTable
from ramify.values import CSR, Float32, Int32, Int64, csr_of

UInt64 = npt.NDArray[np.uint64]

_NO_LIMIT = np.iinfo(np.int64).max
_MAX_COLUMNS = np.iinfo(np.int32).max

MOST_KNOWN_WORDS = 8192
"""Words whose stems a fitted vectorizer keeps ready; they are most words of a text."""


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The n-grams that are columns: n-grams of words first, each kind in ascending order of its strings.

    Parameters
    ----------
    names : StringTable, length d
        The n-grams.
    hashes : uint64 array, shape (d,)
        Their hashes.
    slots : int32 array, shape (power of two above d,)
        Column by hash, found by linear probing; -1 is free.
    n_words : int
        Columns that are n-grams of words.
    """

    names: StringTable
    hashes: UInt64
    slots: Int32
    n_words: int

    def __post_init__(self) -> None:
        n_columns, n_slots = len(self.hashes), len(self.slots)
        if self.hashes.dtype != np.uint64 or self.hashes.ndim != 1 or self.slots.dtype != np.int32:
            raise InputError(
                f"a vocabulary has uint64 hashes, int32 slots, not {self.hashes.dtype}, {self.slots.dtype}"
            )
        if len(self.names) != n_columns or not 0 <= self.n_words <= n_columns:
            raise InputError(f"{n_columns} hashes do not go with {len(self.names)} names, {self.n_words} of words")
        if self.slots.ndim != 1 or n_slots <= n_columns or n_slots & (n_slots - 1):
            raise InputError(f"{n_slots} slots for {n_columns} columns: must be a power of two above it")
        if self.slots.min() < -1 or self.slots.max() >= n_columns:
            raise InputError(f"the slots of a vocabulary must lie in -1..{n_columns - 1}")

    @property
    def n_columns(self) -> int:
        """Number of columns d."""
        return len(self.hashes)

    def _native(self) -> _native.TextColumns:
        return _native.TextColumns(self.slots, self.hashes)


@dataclass(frozen=True, kw_only=True)
class HashedColumns:
    """Columns without a vocabulary: hash mod ``n_columns``.

    Parameters
    ----------
    n_columns : int
        Number of columns d, from 1 to 2**31 - 1.
    signed : bool
        Half of the n-grams have negative values.
    """

    n_columns: int
    signed: bool

    def __post_init__(self) -> None:
        if not 1 <= self.n_columns <= _MAX_COLUMNS:
            raise InputError(f"n_columns is {self.n_columns}, but must be from 1 to {_MAX_COLUMNS}")

    def _native(self) -> _native.TextColumns:
        return _native.TextColumns(self.n_columns, self.signed)


@dataclass(frozen=True, kw_only=True)
class Weighting:
    """Weighting of the counts.

    Parameters
    ----------
    idf : float32 array, shape (d,), optional
        Factor of each column.
    sublinear : bool
        1 + log(count) instead of the count.
    normalise : bool
        Rows are divided by their Euclidean length.
    """

    idf: Float32 | None
    sublinear: bool
    normalise: bool


def checked_texts(texts: Iterable[str]) -> tuple[str, ...]:
    """Check texts and convert them to a tuple.

    Raises
    ------
    InputError
        A single string, not a sequence, an item that is not a str (the error has its position), or a text of more than
        2**27 characters.
    """
    if isinstance(texts, str | bytes):
        raise InputError(f"texts is a single {type(texts).__name__}, but must be a list of str: wrap it as [text]")
    try:
        checked = tuple(texts)
    except TypeError:
        raise InputError(f"texts is a {type(texts).__name__}, but must be a list of str") from None
    position, _ = _native.survey_texts(checked)
    if position >= 0:
        raise InputError(f"texts[{position}] {_fault(checked[position])}")
    return checked


def _fault(item: Any) -> str:
    if not isinstance(item, str):
        return f"is a {type(item).__name__}, but must be a str: convert or drop it"
    return f"has {len(item)} characters, but at most {MAX_TEXT_LENGTH} fit: split it"


def _useful_threads(threads: int, texts: tuple[str, ...]) -> int:
    return max(1, min(threads, len(texts)))  # each thread has its own buffers


def _table_for(texts: tuple[str, ...], grams: Grams) -> npt.NDArray[np.uint32]:
    _, ascii_only = _native.survey_texts(texts)
    return character_table(lowercase=grams.lowercase, ascii_only=ascii_only, runs=grams.runs is not None)


class CountedTexts:
    """The n-grams of many texts, counted once for the vocabulary and the rows.

    Parameters
    ----------
    texts : tuple of str
        From ``checked_texts``.
    grams : Grams
        Settings of the n-grams.
    keep_rows : bool
        Whether ``rows`` will be called; if False, only the distinct n-grams are kept in memory.
    threads : int
        From ``thread_count``.
    stems : Stems, optional
        Words are replaced by their stems.
    keep_words : bool, default False
        Whether all words are kept in ``words``.

    Attributes
    ----------
    n_grams : int
        Distinct n-grams, before any limit.
    known_words : list of str
        With ``stems``: the ``MOST_KNOWN_WORDS`` most frequent words of the texts, sorted; else empty.
    words : (list of str, int64 array) or None
        With ``stems`` and ``keep_words``: the words of the texts, in no particular order, and how often they occur.
    occurrences : int64 array, shape (d,)
        After ``choose``: the number of occurrences of each column's n-gram in all texts.
    """

    def __init__(
        self,
        texts: tuple[str, ...],
        grams: Grams,
        *,
        keep_rows: bool,
        threads: int,
        stems: Stems | None = None,
        keep_words: bool = False,
    ) -> None:
        table, settings = _table_for(texts, grams), native_grams(grams)
        self.known_words: list[str] = []
        self.words: tuple[list[str], Int64] | None = None
        if stems is not None:
            workers = _useful_threads(threads, texts)
            settings, words, counts = stems.learn(texts, table, grams, workers)
            self.known_words = most_frequent(words, counts, MOST_KNOWN_WORDS)
            self.words = (words, counts) if keep_words else None
        self._corpus = _native.TextCorpus(texts, table, settings)
        self._n_texts = len(texts)
        self._n_columns = 0
        self._threads = threads
        self.n_grams: int = self._corpus.count(keep_rows, _useful_threads(threads, texts))

    def choose(
        self, *, min_documents: int = 1, max_documents: int | None = None, max_terms: int | None = None
    ) -> tuple[Vocabulary, Int64]:
        """The vocabulary and its document frequencies; may be called once.

        n-grams that occur in fewer or more texts than the limits are left out. Of the n-grams of words and of those of
        characters the ``max_terms`` most frequent are kept; ties are broken by name.

        Raises
        ------
        InputError
            More than 2**31 - 1 columns.
        """
        most, largest = (_NO_LIMIT if limit is None else min(limit, _NO_LIMIT) for limit in (max_documents, max_terms))
        n_columns, n_words, n_bytes = self._corpus.choose(min(min_documents, _NO_LIMIT), most, largest, self._threads)
        if n_columns > _MAX_COLUMNS:
            raise InputError(f"{n_columns} n-grams are too many: set max_features to {_MAX_COLUMNS} at most")
        blob, offsets = np.empty(n_bytes, np.uint8), np.empty(n_columns + 1, np.int64)
        hashes, documents = np.empty(n_columns, np.uint64), np.empty(n_columns, np.int64)
        self.occurrences = np.empty(n_columns, np.int64)
        self._corpus.fill_vocabulary(blob, offsets, hashes, documents, self.occurrences)
        self._n_columns = n_columns
        names = StringTable(blob, offsets)
        return Vocabulary(names=names, hashes=hashes, slots=hash_slots(hashes), n_words=n_words), documents

    def rows(self, weighting: Weighting) -> CSR:
        """X, shape (n, d), for the chosen vocabulary; equal to ``TextWeigher.weigh`` of the same texts."""
        indptr = np.empty(self._n_texts + 1, np.int64)
        self._corpus.fill_indptr(indptr, self._threads)
        indices, data = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
        native = _native.TextWeighting(weighting.idf, weighting.sublinear, weighting.normalise)
        self._corpus.fill_rows(native, indptr, indices, data, self._threads)
        return csr_of(data, indices, indptr, self._n_columns)


def hash_slots(hashes: UInt64) -> Int32:
    """The hash table of a vocabulary: at most half full, so that a miss needs few probes."""
    slots = np.empty(1 << (2 * len(hashes)).bit_length(), np.int32)
    _native.fill_text_slots(hashes, slots)
    return slots


class TextWeigher:
    """Texts → rows of X, by a vocabulary or by hashing.

    Parameters
    ----------
    grams : Grams
        Settings of the n-grams.
    columns : Vocabulary or HashedColumns
        Vocabulary or hash function that assigns columns.
    weighting : Weighting
        Weighting of the counts.
    stems : Stems, optional
        Words are replaced by their stems.
    """

    def __init__(
        self,
        grams: Grams,
        columns: Vocabulary | HashedColumns,
        weighting: Weighting,
        stems: Stems | None = None,
    ) -> None:
        self._columns = columns._native()
        self._n_columns = columns.n_columns
        idf = weighting.idf
        if idf is not None and (idf.shape != (self._n_columns,) or idf.dtype != np.float32):
            raise InputError(f"idf is {idf.dtype} {idf.shape}, but must be float32 ({self._n_columns},)")
        self._weighting = _native.TextWeighting(idf, weighting.sublinear, weighting.normalise)
        self._grams = grams
        self._stems = stems
        self._native_grams = native_grams(grams)
        ranges = (grams.words, grams.characters, grams.runs)
        self._orders = sum(high - low + 1 for low, high in (given or (1, 0) for given in ranges))

    def weigh(self, texts: tuple[str, ...], threads: int) -> CSR:
        """X, shape (n, d)."""
        table, workers = _table_for(texts, self._grams), _useful_threads(threads, texts)
        native = _native.TextRows(texts, table, self._settings_for(texts, table, workers))
        nnz = native.weigh(self._columns, self._weighting, workers)
        indptr, indices, data = np.empty(len(texts) + 1, np.int64), np.empty(nnz, np.int32), np.empty(nnz, np.float32)
        native.fill(indptr, indices, data)
        return csr_of(data, indices, indptr, self._n_columns)

    def weigh_one(self, text: str) -> tuple[Int32, Float32]:
        """One row of X: its ascending columns and its values, bit-identical to ``weigh``.

        Raises
        ------
        InputError
            Not a str, or more than 2**27 characters.
        """
        if not isinstance(text, str) or len(text) > MAX_TEXT_LENGTH:
            raise InputError(f"text {_fault(text)}")
        grams = self._grams
        table = character_table(lowercase=grams.lowercase, ascii_only=text.isascii(), runs=grams.runs is not None)
        settings = self._settings_for((text,), table, 1)
        # Capacity for every n-gram: a word with its two margins has fewer than 2 (length + 1) windows of any one size.
        # Lower-casing İ makes a text longer, because it becomes two code points.
        room = min(self._orders * 4 * (len(text) + 1), self._n_columns)
        indices, data = np.empty(room, np.int32), np.empty(room, np.float32)
        used = _native.weigh_text(text, table, settings, self._columns, self._weighting, indices, data)
        return indices[:used], data[:used]

    def _settings_for(
        self, texts: tuple[str, ...], table: npt.NDArray[np.uint32], threads: int
    ) -> _native.GramSettings:
        stems = self._stems
        return self._native_grams if stems is None else stems.settings_for(texts, table, self._grams, threads)

    def document_frequencies(self, texts: Sequence[str], frequencies: Int64, threads: int) -> None:
        """Add the number of texts that contain each column to ``frequencies``, shape (d,), in place."""
        if frequencies.shape != (self._n_columns,) or frequencies.dtype != np.int64:
            raise InputError(f"frequencies must be int64 ({self._n_columns},)")
        held = tuple(texts)
        table = _table_for(held, self._grams)
        workers = _useful_threads(threads, held)
        _native.count_hashed_columns(held, table, self._native_grams, self._columns, frequencies, workers)
