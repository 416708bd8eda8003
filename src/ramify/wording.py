"""Names and values for output on a terminal, in a picture or in an error message."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Any

ALIKE = 0.75
"""Minimum similarity of a suggested name: about one wrong letter in four."""

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 60
_REPR.maxlevel, _REPR.maxlist, _REPR.maxdict, _REPR.maxtuple = 3, 4, 3, 4


def one_line(text: str) -> str:
    """A name without line breaks, tabs and other characters that cannot be printed: each is replaced by a space."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def quoted(value: Any, characters: int = 60) -> str:
    """The ``repr`` of a value in an error message, in one line and shortened to about ``characters``."""
    try:
        shown = one_line(_REPR.repr(value))
    except Exception:  # a repr that fails, as of a very long integer, must not hide the error
        shown = f"<{type(value).__name__}>"
    return shown if len(shown) <= characters + 2 else shown[: characters - 3] + "..."


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """The known name most similar to a mistyped one, ignoring case; None if none is similar enough."""
    matcher = SequenceMatcher()
    matcher.set_seq2(name.lower())
    best, found = ALIKE, None
    for one in known:
        matcher.set_seq1(one.lower())
        if matcher.real_quick_ratio() < best or matcher.quick_ratio() < best:
            continue
        ratio = matcher.ratio()
        if ratio > best or (found is None and ratio == best):
            best, found = ratio, one
    return found
