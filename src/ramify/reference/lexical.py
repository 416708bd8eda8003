"""Python twins of the kernels for names in texts and for sums of trees: words as strings, one sentence at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from ramify.kernels.tree_sums import TreeSum
from ramify.values import Float32

_WORD = re.compile(r"\b\w\w+\b")
_END = re.compile(r"[.!?;\u2026]\s|\u3002|\n\s*\n")
LONGEST_SENTENCE = 128

Found = tuple[int, int, int, bool]
"""Number of the name, first and last word of the text, and whether it is a phrase."""


def sentences_of(text: str) -> list[list[int]]:
    """Numbers of the words of each sentence."""
    words = list(_WORD.finditer(text))
    found: list[list[int]] = [[]]
    for number, word in enumerate(words):
        found[-1].append(number)
        gap = text[word.end() : words[number + 1].start()] if number + 1 < len(words) else ". "
        if _END.search(gap) or len(found[-1]) == LONGEST_SENTENCE:
            found.append([])
    return found


def find_names(text: str, names: Sequence[Sequence[str]], stem: Callable[[str], str] = str) -> list[Found]:
    """All occurrences of names, each a sequence of stems, in one text."""
    text = text.lower()
    words = [stem(word) for word in _WORD.findall(text)]
    found: list[Found] = []
    for sentence in sentences_of(text):
        inside = [words[number] for number in sentence]
        for number, name in enumerate(names):
            if name and set(name) <= set(inside):
                found += _occurrences(number, list(name), inside, sentence[0])
    return found


def _occurrences(number: int, name: list[str], words: list[str], offset: int) -> Iterator[Found]:
    starts = [at for at in range(len(words) - len(name) + 1) if words[at : at + len(name)] == name]
    for at in starts:
        yield number, offset + at, offset + at + len(name) - 1, True
    if not starts:
        places = [words.index(token) for token in name]
        yield number, offset + min(places), offset + max(places), False


def match_features(
    found: Sequence[Found], names: Sequence[Sequence[str]], labels: Sequence[dict[int, int]], n_words: int
) -> dict[int, list[float]]:
    """Features (``kernels.lexical.MATCH_FEATURES``) of each label.

    Parameters
    ----------
    found : sequence of tuple
        Occurrences in one text.
    names : sequence of sequence of str
        The names.
    labels : sequence of dict of int to int
        Labels of each name, with the kind of the name.
    n_words : int
        Words of the text.
    """
    phrases = [(first, last) for _, first, last, phrase in found if phrase]
    cover = [max([b - a + 1 for a, b in phrases if a <= word <= b], default=0) for word in range(n_words)]
    scale, out = max(n_words, 2) - 1, {}
    for label in sorted({label for number, *_ in found for label in labels[number]}):
        own = [one for one in found if label in labels[one[0]]]
        lengths = {one: one[2] - one[1] + 1 for one in own}
        free = [one for one in own if one[3] and min(cover[one[1]], cover[one[2]]) <= lengths[one]]
        out[label] = [
            sum(one[3] for one in own),
            sum(not one[3] for one in own),
            len(free),
            min(one[1] for one in own) / scale,
            max(one[2] for one in own) / scale,
            max(len(names[one[0]]) for one in own),
            min(labels[one[0]][label] for one in own),
            min(len(labels[one[0]]) for one in own),
            len({one[0] for one in own}),
            max(min(1.0, len(names[one[0]]) / lengths[one]) for one in own),
        ]
    return out


def sum_trees(trees: TreeSum, rows: Float32) -> list[float]:
    """The sum for each row."""
    return [trees.baseline + sum(_leaf(trees, int(root), row) for root in trees.roots) for row in rows]


def _leaf(trees: TreeSum, node: int, row: Float32) -> float:
    while trees.features[node] >= 0:
        goes_left = float(row[trees.features[node]]) <= trees.thresholds[node]
        node = int(trees.left[node] if goes_left else trees.right[node])
    return float(trees.values[node])
