"""Python twins of the kernels for names in texts and for sums of trees: words as strings, one sentence at a time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from ramify.kernels.tree_sums import TreeSum
from ramify.values import Float32

_WORD = re.compile(r"\b\w\w+\b")
_EMPTY_LINE = re.compile(r"\n\s*\n")
_END = re.compile(r"[.!?;\u2026]\s|\u3002|\n\s*\n")
LONGEST_SENTENCE = 128

Found = tuple[int, int, int, bool]
"""Number of the name, first and last word of the text, and whether it is a phrase."""


def gaps_of(text: str) -> list[str]:
    """The characters between each word and the next one where they end a sentence, else "".

    The gap with an empty line is a line break.
    """
    words = list(_WORD.finditer(text))
    gaps = [text[word.end() : after.start()] for word, after in pairwise(words)]
    return [
        "\n" if _EMPTY_LINE.search(gap) else " ".join(re.split(r"\s+", gap)) if _END.search(gap) else "" for gap in gaps
    ]


def sentences_of(text: str) -> list[list[int]]:
    """Numbers of the words of each sentence."""
    found: list[list[int]] = [[]]
    for number, gap in enumerate([*gaps_of(text), ""][: len(_WORD.findall(text))]):
        found[-1].append(number)
        if gap or len(found[-1]) == LONGEST_SENTENCE:
            found.append([])
    return found


def find_names(
    text: str,
    names: Sequence[Sequence[str]],
    stem: Callable[[str], str] = str,
    gaps: Sequence[Sequence[str]] | None = None,
) -> list[Found]:
    """All occurrences of names, each a sequence of stems, in one text.

    Parameters
    ----------
    text : str
    names : sequence of sequence of str
    stem : callable, default str
        Stems a word.
    gaps : sequence of sequence of str, optional
        ``gaps_of`` of the names: a phrase goes across these ends of sentences.
    """
    text = text.lower()
    words = [stem(word) for word in _WORD.findall(text)]
    sentences = [one for one in sentences_of(text) if one]
    found: list[Found] = []
    for number, name in enumerate(names):
        phrases = list(_phrases(number, list(name), gaps[number] if gaps else (), words, text)) if name else []
        found += phrases
        for sentence in sentences:
            inside = [words[place] for place in sentence]
            taken = any(sentence[0] <= first and last <= sentence[-1] for _, first, last, _ in phrases)
            if name and not taken and not Counter(name) - Counter(inside):
                places = sorted(_places(name, inside))
                found.append((number, sentence[0] + places[0], sentence[0] + places[-1], False))
    return found


def _phrases(number: int, name: list[str], own: Sequence[str], words: list[str], text: str) -> Iterator[Found]:
    gaps = gaps_of(text)
    lasts = {sentence[-1] for sentence in sentences_of(text) if sentence}
    for at in range(len(words) - len(name) + 1):
        joined = all(
            place not in lasts or (own and gaps[place] == own[place - at] and gaps[place] not in ("", "\n"))
            for place in range(at, at + len(name) - 1)
        )
        if words[at : at + len(name)] == name and joined:
            yield number, at, at + len(name) - 1, True


def _places(name: Sequence[str], words: list[str]) -> Iterator[int]:
    """The first occurrence of each word; the second one of a word that is repeated, and so on."""
    for place, token in enumerate(name):
        every = [at for at, word in enumerate(words) if word == token]
        yield every[list(name[:place]).count(token)]


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
