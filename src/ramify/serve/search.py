"""Search in label names by prefix of the name or of a word in it, without regard to case and accents."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice

from ramify.wording import without_accents

MOST_WORDS = 32
"""Words of a name that can be found."""

WORD = re.compile(r"\w+")


def folded(text: str) -> str:
    """A text without case and accents, with single spaces."""
    return " ".join(without_accents(text.casefold()).casefold().split())


class LabelSearch:
    """An index of label names.

    Parameters
    ----------
    names : sequence of str, length L
        Names by label id.
    """

    def __init__(self, names: Sequence[str]) -> None:
        plain = [folded(name) for name in names]
        self._names = sorted((name, number) for number, name in enumerate(plain))
        self._inner = sorted(
            (name[start:], number) for number, name in enumerate(plain) for start in _starts(name) if start > 0
        )

    def find(self, query: str, limit: int) -> list[int]:
        """Ids of at most ``limit`` labels: names with the prefix first, then names with such a word, each sorted."""
        prefix = folded(query)
        found = dict.fromkeys(islice(_with_prefix(self._names, prefix), limit))
        for number in _with_prefix(self._inner, prefix) if prefix else ():
            if len(found) == limit:
                break
            found[number] = None
        return list(found)


def _starts(name: str) -> Iterator[int]:
    return (word.start() for word in islice(WORD.finditer(name), MOST_WORDS))


def _with_prefix(entries: list[tuple[str, int]], prefix: str) -> Iterator[int]:
    for at in range(bisect_left(entries, (prefix,)), len(entries)):
        name, number = entries[at]
        if not name.startswith(prefix):
            return
        yield number
