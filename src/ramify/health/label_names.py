"""Label names that differ only in case, in spacing, or in number (singular and plural).

Plurals of English are reduced by the S-stemmer (Donna Harman: How effective is suffixing? JASIS 1991), which changes
plural endings only; -es is removed after ch, sh, ss, x and o as well. In other languages, two words are singular and
plural if they have one Snowball stem and differ by a plural ending alone. Both rules are conservative: they find
regular plurals, and few words that are something else.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ramify.features.languages import STEMMERS, detect, snowball
from ramify.values import Int64

CASE, SPACING, PLURAL = "case", "spacing", "plural"

ENDINGS = frozenset({"s", "es", "x", "n", "en", "e", "er", "t", "ar", "or"})
"""Plural endings of languages other than English."""
SEPARATORS = re.compile(r"(?<=[^\W\d_])[ \-_\u2010-\u2013](?=[^\W\d_])")
"""One blank, hyphen or underscore between two letters."""
LETTERS = re.compile(r"[^\W\d_]+")
MOST_COMPARED = 50
"""Names of one stem that are compared with one another."""


@dataclass(frozen=True)
class Variants:
    """Label names that probably mean one label.

    Parameters
    ----------
    kind : {"case", "spacing", "plural"}
        The largest difference among the names. Spacing includes hyphens and forms of Unicode.
    names : tuple of (str, int)
        Each name with its number of documents, the most frequent first.
    """

    kind: str
    names: tuple[tuple[str, int], ...]


def similar_names(names: Sequence[str], counts: Int64) -> tuple[Variants, ...]:
    """Find label names that differ only in case, spacing or number.

    Parameters
    ----------
    names : sequence of str, length L
        All different.
    counts : int64 array, shape (L,)
        Documents of each label.

    Returns
    -------
    tuple of Variants
        In descending order of the documents of the second most frequent name.
    """
    language = detect(names).language
    english = language is None or language == "en" or language not in STEMMERS
    reduce = _singular if english else _stems_in(language or "", names)
    found = []
    for group in _equal(range(len(names)), lambda label: _key(names[label], reduce)):
        parts = [group] if english else _plurals_only(group, names)
        found += [_variants(part, names, counts) for part in parts]
    found.sort(key=lambda one: (-one.names[1][1], one.names))
    return tuple(found)


def singular(word: str) -> str:
    """The singular of a regular English plural, by the extended S-stemmer; other words are unchanged.

    Parameters
    ----------
    word : str
        In lower case.
    """
    if len(word) < 4 or not word.endswith("s"):
        return word
    if word.endswith("ies"):
        return word if word.endswith(("eies", "aies")) else word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes", "oes")):
        return word[:-2]
    if word.endswith("es"):
        return word if word.endswith(("aes", "ees")) else word[:-1]
    return word if word.endswith(("us", "ss")) else word[:-1]


def _singular(text: str) -> str:
    return LETTERS.sub(lambda word: singular(word[0]), text)


def _stems_in(language: str, names: Sequence[str]) -> Callable[[str], str]:
    """A function that replaces the words of a name by their stems, computed once per distinct word."""
    words = sorted({word for name in names for word in LETTERS.findall(_folded(name))})
    stems = dict(zip(words, snowball(language)(words), strict=True))
    return lambda text: LETTERS.sub(lambda word: stems[word[0]], text)


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _key(name: str, reduce: Callable[[str], str]) -> str:
    return SEPARATORS.sub("", reduce(_folded(name)))


def _equal(labels: Iterable[int], key: Callable[[int], str]) -> list[list[int]]:
    """Groups of at least two labels with one key. Hashes come first, so that most keys are not kept."""
    hashes = np.fromiter((hash(key(label)) for label in labels), np.int64)
    if len(hashes) < 2:
        return []
    order = np.argsort(hashes, kind="stable")
    same = hashes[order][1:] == hashes[order][:-1]
    groups: dict[str, list[int]] = defaultdict(list)
    for label in np.sort(order[np.append(same, False) | np.append(False, same)]).tolist():
        groups[key(label)].append(label)
    return [group for group in groups.values() if len(group) > 1]


def _plurals_only(group: list[int], names: Sequence[str]) -> list[list[int]]:
    """The labels of one stem that differ from another one by plural endings."""
    compared = group[:MOST_COMPARED]
    folded = {label: _folded(names[label]) for label in compared}
    related = [
        one for one in compared if any(one != other and _alike(folded[one], folded[other]) for other in compared)
    ]
    return [related] if related else []


def _alike(one: str, other: str) -> bool:
    """Whether two names have the same letters, or are singular and plural."""
    same = SEPARATORS.sub("", one) == SEPARATORS.sub("", other)
    return same or _is_plural(LETTERS.findall(one), LETTERS.findall(other))


def _is_plural(one: list[str], other: list[str]) -> bool:
    if len(one) != len(other):
        return False
    pairs = [sorted(pair, key=len) for pair in zip(one, other, strict=True)]
    return all(long.startswith(short) and long[len(short) :] in {"", *ENDINGS} for short, long in pairs)


def _variants(group: list[int], names: Sequence[str], counts: Int64) -> Variants:
    own = [names[label] for label in group]
    if len({name.casefold() for name in own}) == 1:
        kind = CASE
    elif len({SEPARATORS.sub("", _folded(name)) for name in own}) == 1:
        kind = SPACING
    else:
        kind = PLURAL
    pairs = sorted(((names[label], int(counts[label])) for label in group), key=lambda pair: (-pair[1], pair[0]))
    return Variants(kind, tuple(pairs))
