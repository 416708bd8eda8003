"""Names and values for output on a terminal, in a picture or in an error message."""

from __future__ import annotations

import reprlib
import unicodedata
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Any

ALIKE = 0.75
"""Minimum similarity of a suggested name: about one wrong letter in four."""

BEGIN, END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"
ISOLATES = "\N{LEFT-TO-RIGHT ISOLATE}\N{RIGHT-TO-LEFT ISOLATE}" + BEGIN
RIGHT_TO_LEFT = ("R", "AL", "RLE", "RLO", "RLI", "LRO", "LRE", "LRI", "FSI", "PDF", "PDI")
"""Bidirectional classes of letters and control characters that change the order of the text beside them."""
CONTROLS = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - set(map(ord, "\n\t")), "?")
"""Control characters, which HTML cannot hold."""

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 60
_REPR.maxlevel, _REPR.maxlist, _REPR.maxdict, _REPR.maxtuple = 3, 4, 3, 4


def one_line(text: str) -> str:
    """A name without line breaks, tabs and other characters that cannot be printed: each is replaced by a space."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def without_controls(text: str) -> str:
    """A text for HTML: each control character, except line breaks and tabs, becomes "?"."""
    return text.translate(CONTROLS)


def without_accents(text: str) -> str:
    """The text in compatibility decomposition (NFKD) without combining characters: "é" → "e"."""
    letters = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def closed(text: str) -> str:
    """A text whose isolates all begin and end in it, so that it neither ends nor extends an isolate around it."""
    if text.isascii() or not set(text) & {*ISOLATES, END}:
        return text
    kept, depth = [], 0
    for letter in text:
        depth += letter in ISOLATES
        if letter == END and depth == 0:
            continue
        depth -= letter == END
        kept.append(letter)
    return "".join(kept) + END * depth


def isolated(name: str) -> str:
    """A name for the middle of a sentence: one from right to left does not reorder the words and numbers beside it."""
    if not any(unicodedata.bidirectional(letter) in RIGHT_TO_LEFT for letter in name):
        return name
    return BEGIN + closed(name) + END


def shortened(text: str, letters: int) -> str:
    """A text of at most ``letters`` characters; "…" stands for the rest."""
    return text if len(text) <= letters else text[: letters - 1] + "…"


def counted(number: int, what: str) -> str:
    """A number with its unit, such as "1 label" and "1,200 labels"; the plural has an s."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


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
