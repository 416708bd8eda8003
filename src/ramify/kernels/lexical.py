"""Checked calls of the kernel that finds names of labels in texts.

A name is a sequence of tokens: hashes of its words, or of their stems. Equal sequences are one entry, with the labels
that share it. Within a sentence an entry occurs as a phrase (its tokens in order, without words between) or as a set
(all of its tokens, each as often as the entry has it). A phrase goes across the end of a sentence only where the name
has the same characters between its words, as "St. Louis".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

import ramify._native as _native  # noqa: PLR0402 (mypy loses a skipped module that comes by "from")
from ramify.errors import InputError
from ramify.kernels.check import ascends
from ramify.kernels.grams import Grams, character_table
from ramify.kernels.stems import Stems, native_grams
from ramify.values import Float32, Int32, Int64

UInt8 = npt.NDArray[np.uint8]
UInt32 = npt.NDArray[np.uint32]
UInt64 = npt.NDArray[np.uint64]

MATCH_FEATURES = (
    "phrases", "sets", "free", "first", "last", "tokens", "kind", "ambiguity", "names", "density"
)  # fmt: skip
"""Columns of ``Matches.features``: phrases, sets, and phrases that are not inside a longer one; first and last place in
the text (0 to 1); tokens of the longest name; kind of the best name; labels that share the least ambiguous name;
distinct names; tokens divided by words of the densest occurrence."""

WORDS = Grams(words=(1, 1))

HARD_END = 1
"""Value of a gap that no name goes across."""


@dataclass(frozen=True, kw_only=True, eq=False)
class NameEntries:
    """Entries of names, grouped by their key: the token that the fewest entries have.

    Parameters
    ----------
    hashes : uint64 array, shape (tokens,)
        Hash of each token, all different.
    key_ptr : int64 array, shape (tokens + 1,)
        Entries ``key_ptr[t]`` to ``key_ptr[t + 1]`` have token t as key.
    entry_ptr : int64 array, shape (entries + 1,)
        Places of the tokens of each entry in ``entry_tokens``.
    entry_tokens : int32 array
        Tokens of the entries, in the order of the name; at least one each.
    key_places : int32 array, shape (entries,)
        Place of the key within the entry.
    gaps : uint32 array, shape of entry_tokens or (0,)
        Hash of the characters between a token and the next one where these would end a sentence, else 0; empty if all
        are 0.
    label_ptr : int64 array, shape (entries + 1,)
        Places of the labels of each entry in ``labels``.
    labels : int32 array
        Labels of the entries, each once per entry.
    kinds : uint8 array
        Kind of the name by which the label has the entry; smaller kinds have precedence.
    n_labels : int
        Number of labels L.

    Raises
    ------
    InputError
        Arrays of other types, or that do not fit each other.
    """

    hashes: UInt64
    key_ptr: Int64
    entry_ptr: Int64
    entry_tokens: Int32
    key_places: Int32
    gaps: UInt32
    label_ptr: Int64
    labels: Int32
    kinds: UInt8
    n_labels: int

    TYPES: ClassVar[Mapping[str, Any]] = {
        "hashes": np.uint64, "key_ptr": np.int64, "entry_ptr": np.int64, "entry_tokens": np.int32,
        "key_places": np.int32, "gaps": np.uint32, "label_ptr": np.int64, "labels": np.int32, "kinds": np.uint8,
    }  # fmt: skip

    def __post_init__(self) -> None:
        for name, dtype in self.TYPES.items():
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
                raise InputError(f"{name} of the names must be a vector of {np.dtype(dtype).name}")
        n_entries = len(self.key_places)
        ends = (("key_ptr", len(self.hashes), n_entries), ("entry_ptr", n_entries, len(self.entry_tokens)))
        for name, rows, last in (*ends, ("label_ptr", n_entries, len(self.labels))):
            if len(getattr(self, name)) != rows + 1 or not ascends(getattr(self, name), last):
                raise InputError(f"{name} of the names does not ascend from 0 to {last}")
        lengths = np.diff(self.entry_ptr)
        ranges = (("entry_tokens", len(self.hashes)), ("labels", self.n_labels), ("key_places", lengths))
        for name, limit in ranges:
            array = getattr(self, name)
            if len(array) and (array.min() < 0 or (array >= limit).any()):
                raise InputError(f"{name} of the names is out of range")
        if len(self.gaps) not in (0, len(self.entry_tokens)):
            raise InputError("there is not one gap per token of the names")
        if len(self.kinds) != len(self.labels) or len(np.unique(self.hashes)) != len(self.hashes):
            raise InputError("the kinds or hashes of the names do not fit the other arrays")
        keys = np.repeat(np.arange(len(self.hashes)), np.diff(self.key_ptr))
        if (self.entry_tokens[self.entry_ptr[:-1] + self.key_places] != keys).any():
            raise InputError("the entries of the names are not grouped by their keys")

    def arrays(self) -> dict[str, Any]:
        """The arrays by name."""
        return {name: getattr(self, name) for name in self.TYPES}


@dataclass(frozen=True, kw_only=True, eq=False)
class Matches:
    """Labels whose names occur in texts.

    Parameters
    ----------
    indptr : int64 array, shape (n + 1,)
        Places of the labels of each text.
    labels : int32 array
        Labels of each text, ascending.
    features : float32 array, shape (matches, 10)
        See ``MATCH_FEATURES``.
    n_words : int32 array, shape (n,)
        Words of each text.
    """

    indptr: Int64
    labels: Int32
    features: Float32
    n_words: Int32


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """An occurrence of an entry: ``text[begin:end]``, from the first to the last of its words."""

    entry: int
    begin: int
    end: int
    phrase: bool


def words_of(texts: tuple[str, ...], stems: Stems | None, threads: int) -> tuple[Int64, UInt64, UInt32]:
    """The words of texts as hashes.

    Parameters
    ----------
    texts : tuple of str
        From ``kernels.text.checked_texts``.
    stems : Stems or None
        Words are replaced by their stems.
    threads : int
        From ``thread_count``.

    Returns
    -------
    tuple of int64 array, shape (n + 1,), uint64 array and uint32 array
        Places of the words of each text; their hashes in order; hashes of what stands between each and the next one
        where this would end a sentence, 1 for an empty line, else 0.
    """
    found = _native.NameWords(texts, *_read_by(texts, stems, threads))
    indptr, hashes = np.empty(len(texts) + 1, np.int64), np.empty(found.size(), np.uint64)
    gaps = np.empty(found.size(), np.uint32)
    found.fill(indptr, hashes, gaps)
    return indptr, hashes, gaps


class NameSearcher:
    """Finds entries in texts; keeps references to the arrays without a copy.

    Parameters
    ----------
    entries : NameEntries
        The names.
    stem_words : callable, optional
        As for ``Stems``: the function that stemmed the names.
    """

    def __init__(self, entries: NameEntries, stem_words: Callable[[Sequence[str]], Sequence[str]] | None) -> None:
        self.entries = entries
        self._stems = None if stem_words is None else Stems(stem_words)
        arrays: Any = {name: np.ascontiguousarray(array) for name, array in entries.arrays().items()}
        self._native = _native.LexicalIndex(**arrays, n_labels=entries.n_labels)

    def match(self, texts: tuple[str, ...], threads: int) -> Matches:
        """Labels with their features; the result is the same for any number of threads."""
        workers = max(1, min(threads, len(texts)))
        found = _native.TextMatches(texts, *_read_by(texts, self._stems, workers), self._native, workers)
        indptr, n_words = np.empty(len(texts) + 1, np.int64), np.empty(len(texts), np.int32)
        labels, features = np.empty(found.size(), np.int32), np.empty((found.size(), len(MATCH_FEATURES)), np.float32)
        found.fill(indptr, labels, features, n_words)
        return Matches(indptr=indptr, labels=labels, features=features, n_words=n_words)

    def occurrences(self, text: str) -> list[Occurrence]:
        """All occurrences in one text, sentence by sentence."""
        found = _native.find_names(text, *_read_by((text,), self._stems, 1), self._native)
        return [Occurrence(entry=entry, begin=begin, end=end, phrase=phrase) for entry, begin, end, phrase in found]


def _read_by(texts: tuple[str, ...], stems: Stems | None, threads: int) -> tuple[Any, _native.GramSettings]:
    _, ascii_only = _native.survey_texts(texts)
    table = character_table(lowercase=True, ascii_only=ascii_only)
    return table, native_grams(WORDS) if stems is None else stems.settings_for(texts, table, WORDS, threads)
