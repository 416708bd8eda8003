"""NumPy twins of the text kernels: n-grams as strings, counted in dictionaries, weighted one by one."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

from ramify.kernels.grams import RUN_SCRIPTS, Grams

_WORD_SEED = 0x2545F4914F6CDD1D
_CHARACTER_SEED = 0xD6E8FEB86659FD93
_MASK = (1 << 64) - 1

Row = list[tuple[int, float]]


def split_runs(text: str, grams: Grams) -> tuple[str, list[str]]:
    """The text with a blank in place of each character of a run, and the runs."""
    if grams.runs is None:
        return text, []
    in_run = [_in_run(character) for character in text]
    marked = "".join(character if inside else "\0" for character, inside in zip(text, in_run, strict=True))
    rest = "".join(" " if inside else character for character, inside in zip(text, in_run, strict=True))
    return rest, [run for run in marked.split("\0") if run]


def _in_run(character: str) -> bool:
    within = any(first <= ord(character) <= last for first, last in RUN_SCRIPTS)
    return within and unicodedata.category(character)[0] in "LMN"


def word_grams(text: str, grams: Grams, stem: Callable[[str], str] | None = None) -> list[tuple[str, ...]]:
    """n-grams of words or of their stems, each as a tuple of its words."""
    if grams.words is None:
        return []
    rest, _ = split_runs(text.lower() if grams.lowercase else text, grams)
    words = re.findall(r"(?u)\b\w\w+\b", rest)
    words = words if stem is None else [stem(word) for word in words]
    shortest, longest = grams.words
    return [
        tuple(words[i : i + n]) for n in range(shortest, longest + 1) for i in range(len(words) - n + 1)
    ]  # fmt: skip


def character_grams(text: str, grams: Grams) -> list[str]:
    """n-grams of characters; a padded word that is shorter than the shortest n counts whole."""
    if grams.characters is None:
        return []
    text = re.sub(r"\s\s+", " ", text.lower() if grams.lowercase else text)
    pieces = [f" {word} " for word in text.split()] if grams.within_words else [text]
    shortest, longest = grams.characters
    found = [
        piece[i : i + n] for piece in pieces for n in range(shortest, longest + 1) for i in range(len(piece) - n + 1)
    ]
    return found + [piece for piece in pieces if grams.within_words and len(piece) < shortest]


def run_grams(text: str, grams: Grams) -> list[str]:
    """n-grams of characters in runs."""
    _, runs = split_runs(text.lower() if grams.lowercase else text, grams)
    shortest, longest = grams.runs or (1, 0)
    return [run[i : i + n] for run in runs for n in range(shortest, longest + 1) for i in range(len(run) - n + 1)]


def count_grams(text: str, grams: Grams, stem: Callable[[str], str] | None = None) -> Counter[tuple[int, str]]:
    """Occurrences by (kind, name): kind 0 are words, 1 characters."""
    counts = Counter((0, " ".join(words)) for words in word_grams(text, grams, stem))
    counts.update((1, name) for name in character_grams(text, grams))
    counts.update((1, name) for name in run_grams(text, grams))
    return counts


def choose_vocabulary(
    counts: Sequence[Counter[tuple[int, str]]], *, min_documents: int, max_documents: int, max_terms: int | None
) -> list[tuple[int, str]]:
    """Columns in their order: by kind, then by name; the most frequent ``max_terms`` of each kind, ties by name."""
    documents: Counter[tuple[int, str]] = Counter()
    frequency: Counter[tuple[int, str]] = Counter()
    for of_text in counts:
        documents.update(of_text.keys())
        frequency.update(of_text)
    kept = [term for term in documents if min_documents <= documents[term] <= max_documents]
    kept.sort(key=lambda term: (-frequency[term], term))
    return sorted(term for kind in (0, 1) for term in [t for t in kept if t[0] == kind][:max_terms])


def weigh(counts: dict[int, int], idf: Callable[[int], float], *, sublinear: bool, normalise: bool) -> Row:
    """A row of X, in ascending order of columns: tf · idf, length 1."""
    row = [
        (column, math.copysign(1 + math.log(abs(count)) if sublinear else abs(count), count) * idf(column))
        for column, count in sorted(counts.items())
        if count != 0
    ]
    norm = math.sqrt(sum(value * value for _, value in row)) if normalise else 1.0
    return [(column, value / norm) for column, value in row]


def hash_gram(gram: tuple[str, ...] | str) -> int:
    """The kernels' 64-bit hash of an n-gram of words (a tuple) or of characters (a str)."""
    if isinstance(gram, str):
        return _hash_string(gram, _CHARACTER_SEED)
    joined = _hash_string(gram[0], _WORD_SEED)
    for word in gram[1:]:
        rotated = ((joined << 23) | (joined >> 41)) & _MASK
        joined = _finish(rotated ^ _hash_string(word, _WORD_SEED))
    return joined


def hash_counts(text: str, grams: Grams, *, n_features: int, signed: bool) -> dict[int, int]:
    """Occurrences by column: the hash mod ``n_features``; its highest bit is the sign."""
    counts: Counter[int] = Counter()
    both: list[tuple[str, ...] | str] = [*word_grams(text, grams), *character_grams(text, grams)]
    for hashed in map(hash_gram, both):
        counts[hashed % n_features] += -1 if signed and hashed >> 63 else 1
    return dict(counts)


def _hash_string(string: str, seed: int) -> int:
    hashed = seed
    for character in string:
        hashed = ((hashed ^ ord(character)) * 0x9E3779B97F4A7C15) & _MASK
    return _finish(hashed)


def _finish(hashed: int) -> int:
    hashed = ((hashed ^ (hashed >> 29)) * 0xBF58476D1CE4E5B9) & _MASK
    return hashed ^ (hashed >> 32)
