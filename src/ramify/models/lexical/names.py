"""Names of labels, and the entries under which the matcher looks them up.

names      = preferred names, alternative names, and names derived from these
derived    = without an addition in parentheses; without years; the heading before " -- "
entry      = a sequence of tokens (stems) with the labels that have a name of these tokens
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ramify.errors import InputError
from ramify.kernels.lexical import HARD_END, NameEntries, UInt8, UInt32, words_of
from ramify.kernels.stems import Stems
from ramify.strings import StringTable
from ramify.values import Int32, Int64
from ramify.wording import quoted

PREFERRED, ALTERNATIVE, DERIVED = 0, 1, 2
"""Kinds of names; the smallest has precedence where a label has several names of the same tokens."""

StemWords = Callable[[Sequence[str]], Sequence[str]]

_ADDITION = re.compile(r" ?\([^()]*\)")
_YEARS = re.compile(r",? ?(?:\b(?:approximately|active|born|died) )?\b\d{3,4}\b\?? ?-?(?: ?\d{3,4}\b\??)?")
_SUBDIVISION = " -- "


@dataclass(frozen=True, eq=False)
class LabelNames:
    """Names with the label and kind of each.

    Parameters
    ----------
    names : StringTable, length m
        The names.
    labels : int32 array, shape (m,)
        Label of each name.
    kinds : uint8 array, shape (m,)
        ``PREFERRED``, ``ALTERNATIVE`` or ``DERIVED``.
    """

    names: StringTable
    labels: Int32
    kinds: UInt8

    @classmethod
    def of(
        cls, preferred: Sequence[str], alternative: Sequence[Sequence[str]] | None = None, *, derive: bool = True
    ) -> LabelNames:
        """Collect the names of labels.

        Parameters
        ----------
        preferred : sequence of str, length L
            Preferred names.
        alternative : sequence of sequences of str, length L, optional
            Alternative names of each label.
        derive : bool, default True
            Whether derived names are added.
        """
        rows: list[tuple[str, int, int]] = []
        for label, name in enumerate(preferred):
            others = [] if alternative is None else list(alternative[label])
            rows += [(name, label, PREFERRED), *((other, label, ALTERNATIVE) for other in others)]
            if derive:
                rows += [(made, label, DERIVED) for made in derived_names([name, *others])]
        labels, kinds = ([row[at] for row in rows] for at in (1, 2))
        return cls(StringTable.of(row[0] for row in rows), np.array(labels, np.int32), np.array(kinds, np.uint8))


def derived_names(names: Iterable[str]) -> list[str]:
    """Shorter names: without additions in parentheses, without years, and the main heading; each once."""
    given, made = list(names), []
    for name in (" ".join(one.split()) for one in given):
        plain = _ADDITION.sub("", name) if "(" in name else name
        undated = _YEARS.sub("", plain)
        made += [plain, undated, undated.split(_SUBDIVISION)[0]]
    stripped = dict.fromkeys(one.strip(" ,.;-") for one in made)
    return [one for one in stripped if one and one not in given]


def checked_alternatives(value: Any) -> dict[str, list[str]]:
    """Alternative names by preferred name, checked.

    Raises
    ------
    InputError
        No mapping from names to lists of names.
    """
    if not isinstance(value, Mapping):
        raise InputError(
            f"alternative_names is {quoted(value)}, but must map names of labels to lists of names: on the command "
            "line, give a settings file by --config"
        )
    for name, others in value.items():
        listed = isinstance(others, Sequence) and not isinstance(others, str)
        if not isinstance(name, str) or not listed or not all(isinstance(other, str) for other in others):
            raise InputError(f"alternative_names[{quoted(name)}] is {quoted(others)}, but must be a list of names")
    return {name: list(others) for name, others in value.items()}


def checked_pairs(value: Any) -> list[tuple[str, str]]:
    """Pairs of names, checked.

    Raises
    ------
    InputError
        No list of pairs of names.
    """
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    pairs = (
        [tuple(one) if isinstance(one, Sequence) and not isinstance(one, str) else () for one in value]
        if listed
        else []
    )
    if not listed or not all(len(pair) == 2 and all(isinstance(name, str) for name in pair) for pair in pairs):
        raise InputError(f"broader and related must be lists of pairs of label names, not {quoted(value)}")
    return [(first, second) for first, second in pairs]


def entries_of(
    names: LabelNames, counts: Int64, *, stem_words: StemWords | None, most_labels: int, threads: int
) -> NameEntries:
    """The entries of names; names without a word of two or more characters are dropped.

    Parameters
    ----------
    names : LabelNames
        The names.
    counts : int64 array, shape (L,)
        Training documents of each label.
    stem_words : callable or None
        Function that stems words.
    most_labels : int
        Labels kept per entry: first by kind of the name, then those with most training documents.
    threads : int
        Number of threads.
    """
    stems = None if stem_words is None else Stems(stem_words)
    ptr, hashes, gaps = words_of(tuple(names.names), stems, threads)
    vocabulary, tokens = np.unique(hashes, return_inverse=True)
    tokens = tokens.astype(np.int32)
    numbers: dict[bytes, int] = {}
    spans = list(zip(ptr[:-1].tolist(), ptr[1:].tolist(), strict=True))
    entry_of = np.array(
        [numbers.setdefault(tokens[a:b].tobytes(), len(numbers)) if b > a else -1 for a, b in spans], np.int64
    )
    sequences = [np.frombuffer(one, np.int32) for one in numbers]
    entry_tokens = np.concatenate([np.zeros(0, np.int32), *sequences])
    entry_ptr = np.cumsum([0, *map(len, sequences)])
    key_places = _rarest(entry_tokens, entry_ptr, len(vocabulary))
    keys = entry_tokens[entry_ptr[:-1] + key_places]
    order = np.argsort(keys, kind="stable")
    moved = np.empty(len(order), np.int64)
    moved[order] = np.arange(len(order))
    known = entry_of >= 0
    labels = _labels_of(moved[entry_of[known]], names.labels[known], names.kinds[known], counts, most_labels)
    sizes = np.bincount(labels[0], minlength=len(order))
    return NameEntries(
        hashes=vocabulary,
        key_ptr=_pointers(np.bincount(keys, minlength=len(vocabulary))),
        entry_ptr=_pointers(np.diff(entry_ptr)[order]),
        entry_tokens=np.concatenate([np.zeros(0, np.int32), *(sequences[one] for one in order.tolist())]),
        key_places=key_places[order].astype(np.int32),
        gaps=_joined_gaps(_gaps(gaps, spans, entry_of), order.tolist(), list(map(len, sequences))),
        label_ptr=_pointers(sizes),
        labels=labels[1].astype(np.int32),
        kinds=labels[2].astype(np.uint8),
        n_labels=len(counts),
    )


def _gaps(gaps: UInt32, spans: Sequence[tuple[int, int]], entry_of: Int64) -> dict[int, UInt32]:
    """The gaps of the entries that have one, each from the first name of the entry with a gap at the place."""
    found: dict[int, UInt32] = {}
    gaps = np.where(gaps == HARD_END, 0, gaps)
    for name in np.unique(np.searchsorted([end for _, end in spans], np.flatnonzero(gaps), side="right")).tolist():
        begin, end = spans[name]
        known = found.setdefault(int(entry_of[name]), gaps[begin:end])
        found[int(entry_of[name])] = np.where(known == 0, gaps[begin:end], known)
    return found


def _joined_gaps(gaps: Mapping[int, UInt32], order: Sequence[int], lengths: Sequence[int]) -> UInt32:
    """The gaps of all tokens in the order of the entries; empty if no entry has one."""
    if not gaps:
        return np.zeros(0, np.uint32)
    return np.concatenate([gaps.get(one, np.zeros(lengths[one], np.uint32)) for one in order])


def _pointers(sizes: Any) -> Int64:
    pointers = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=pointers[1:])
    return pointers


def _rarest(entry_tokens: Int32, entry_ptr: Any, n_tokens: int) -> Int64:
    """Place of the token of each entry that the fewest entries have; the first of several."""
    entries = np.repeat(np.arange(len(entry_ptr) - 1), np.diff(entry_ptr))
    places = np.arange(len(entry_tokens)) - entry_ptr[entries]
    frequency = np.bincount(entry_tokens, minlength=n_tokens)[entry_tokens]
    order = np.lexsort((places, frequency, entries))
    rarest: Int64 = places[order[entry_ptr[:-1]]]
    return rarest


def _labels_of(entries: Int64, labels: Int32, kinds: UInt8, counts: Int64, most: int) -> tuple[Any, Any, Any]:
    """(entry, label, kind) in order of entries: pairs of entry and label, at most ``most`` labels per entry."""
    order = np.lexsort((kinds, labels, entries))
    entries, labels, kinds = entries[order], labels[order], kinds[order]
    new = np.ones(len(order), bool)
    new[1:] = (entries[1:] != entries[:-1]) | (labels[1:] != labels[:-1])
    entries, labels, kinds = entries[new], labels[new], kinds[new]
    order = np.lexsort((labels, -counts[labels], kinds, entries))
    entries, labels, kinds = entries[order], labels[order], kinds[order]
    rank = np.arange(len(entries)) - np.searchsorted(entries, entries)
    kept = rank < most
    return entries[kept], labels[kept], kinds[kept]
