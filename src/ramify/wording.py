"""Names as people read them on a terminal or in a picture."""

from __future__ import annotations


def one_line(text: str) -> str:
    """A name without line breaks, tabs and other characters that cannot be printed: a space stands for each."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)
