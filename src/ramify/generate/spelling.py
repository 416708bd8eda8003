"""Written strings in the spelling of the label names: capitals, accents, and blanks around punctuation.

Tokenizers such as MiniLM's lose them: "Art -- Italy" is decoded as "art - - italy". A string is split into words and
the separators between them. Each receives its most frequent form in the label names:

word         by (separator before it, word); else by word, with a capital where most first words of a part have one
separator    by (word before it, separator, word after it); else by separator; else as it is
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator

from ramify.wording import without_accents

WORD = re.compile(r"[^\W_]+")

WITHIN = (False, "")
"""Before a word: another word and a blank."""

Place = Hashable


class Spelling:
    """The forms of words and separators in label names.

    Parameters
    ----------
    names : iterable of str
    """

    def __init__(self, names: Iterable[str]) -> None:
        counts: dict[Place, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        capitals: dict[Place, int] = defaultdict(int)  # words with a capital less those without, by the separator
        for name in names:
            for form, (near, anywhere), before in _forms(name):
                counts[near][form] += 1
                counts[anywhere][form] += 1
                if before is not None:
                    capitals[before] += 1 if form != form.lower() else -1
        self._best = {place: min(seen, key=lambda form: (-seen[form], form)) for place, seen in counts.items()}
        self._capital = {before for before, more in capitals.items() if more > 0}

    def of(self, text: str) -> str:
        """A string in the spelling of the names; one with a capital is of a tokenizer that keeps them, and returned."""
        if text != text.lower():
            return text
        return "".join(self._form(*one) for one in _forms(text))

    def _form(self, form: str, places: tuple[Place, Place], before: Place) -> str:
        near, anywhere = places
        if near in self._best:
            return self._best[near]
        found = self._best.get(anywhere, form)
        small = found == form and (before != WITHIN or anywhere not in self._best)
        return found.capitalize() if small and before in self._capital else found


def _forms(name: str) -> Iterator[tuple[str, tuple[Place, Place], Place]]:
    """The separators and words of a name, in order: form, its place between its neighbours and without these.

    A separator at an end of the name has no blanks. The third entry is the separator before a word; None for a
    separator.
    """
    words = [(found.start(), found.end(), found[0]) for found in WORD.finditer(name)]
    keys = [None, *(_plain(word) for _, _, word in words), None]
    ends = [0, *(end for _, end, _ in words)]
    starts = [*(start for start, _, _ in words), len(name)]
    for number, (end, start) in enumerate(zip(ends, starts, strict=True)):
        mark = "".join(name[end:start].split())
        is_edge = keys[number] is None or keys[number + 1] is None
        yield (mark if is_edge else name[end:start]), ((keys[number], mark, keys[number + 1]), (is_edge, mark)), None
        if number < len(words):
            key, before = keys[number + 1], (number == 0, mark)
            yield words[number][2], ((before, key), key), before


def _plain(word: str) -> str:
    """A word in lower case without accents."""
    return without_accents(word.lower())
