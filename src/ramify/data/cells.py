"""Labels in one string: split at a separator, or printed as a list by pandas or as JSON.

A column is read as printed lists if no separator is given and every non-empty cell is in square brackets.
``['a', 'b']`` and ``["a", "b"]`` are parsed strictly; ``['a' 'b']``, as NumPy prints, is refused, because
Python would join the two strings.
"""

from __future__ import annotations

import re
from typing import Any

from ramify.data.streams import without_surrogates
from ramify.errors import InputError
from ramify.wording import quoted

DEFAULT_SEPARATOR = "|"
OTHER_SEPARATORS = (";", ",", "\t")
BRACKETS = {"(": ")", "{": "}"}
ITEM = re.compile(
    r"""\s*(?:'([^'\\]*(?:\\.[^'\\]*)*)'|"([^"\\]*(?:\\.[^"\\]*)*)"|([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|None|null))\s*""",
    re.DOTALL,
)
ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"} | {one: one for one in "\\/'\""}


class LabelCells:
    """Splits labels in one string, and detects strings that seem to have another separator.

    Parameters
    ----------
    separator : str, optional
        String between labels, "|" by default; only with the default `check` looks for other separators.
    """

    def __init__(self, separator: str | None) -> None:
        self.separator = separator or DEFAULT_SEPARATOR
        self._given = separator is not None
        self._suspicious = True
        self._filled = self._printed = 0
        self._holding = dict.fromkeys(OTHER_SEPARATORS, 0)

    def split(self, cell: str) -> list[str]:
        """The pieces between separators, unstripped.

        Raises
        ------
        InputError
            A printed set or tuple, where no separator was given.
        """
        if self._suspicious:
            self._watch(cell.strip())
        return cell.split(self.separator)

    def check(self) -> None:
        """Raise InputError for a column of mostly printed lists, or with another separator.

        Raises
        ------
        InputError
            Half of the cells or more (all of them, where a separator was given) are so.
        """
        if self._printed and self._given and self._suspicious:
            raise InputError(
                f"all labels are printed lists such as ['a', 'b'], not separated by {quoted(self.separator)}: "
                "leave the separator out"
            )
        if self._given or not self._suspicious:
            return
        if self._printed and 2 * self._printed >= self._filled:
            raise InputError(
                f"{self._printed} of {self._filled} cells of labels hold a printed list such as ['a', 'b'], but the "
                f"others do not: write lists in all of them, or separate labels by {quoted(self.separator)}"
            )
        for other, count in self._holding.items():
            if count and 2 * count >= self._filled:
                raise InputError(
                    f"no labels are separated by the default {self.separator!r}, but {count} of {self._filled} hold "
                    f"{other!r}: give the separator ({self.separator!r} if these are whole labels)"
                )

    def _watch(self, cell: str) -> None:
        self._filled += bool(cell)
        if is_printed_list(cell):
            self._printed += 1
            return
        if self._given:
            self._suspicious = not cell or cell == "[]"
            return
        if cell[:1] in BRACKETS:
            _refuse_set_or_tuple(cell)
        if self.separator in cell:
            self._suspicious = False
            return
        for other in OTHER_SEPARATORS:
            self._holding[other] += other in cell


def in_brackets(cell: str) -> bool:
    """Whether a stripped cell may be a printed list."""
    return cell.startswith("[") and cell.endswith("]")


def is_printed_list(cell: str) -> bool:
    """Whether a stripped cell is a printed list of strings, or NumPy's form of one."""
    if not in_brackets(cell) or cell[1:].lstrip()[:1] not in ("'", '"'):
        return False
    try:
        return printed_list(cell) is not None
    except InputError:
        return True


def printed_list(cell: str) -> list[Any] | None:
    """The strings, numbers and None's of a printed list; None if the stripped cell is not such a list.

    Raises
    ------
    InputError
        A printed NumPy array, which has no commas.
    """
    return _items(cell[1:-1]) if in_brackets(cell) else None


def _items(text: str) -> list[Any] | None:
    items: list[Any] = []
    text, position = text.rstrip(), 0
    while position < len(text):  # a comma may follow the last item
        match = ITEM.match(text, position)
        if match is None:
            return None
        try:
            items.append(_value(*match.groups()))
        except ValueError:  # an unknown escape, or a number of more digits than int takes
            return None
        position = match.end()
        if position < len(text) and text[position] != ",":
            apart = text[position - 1].isspace() or text[position] in "'\""
            if apart and ITEM.match(text, position):
                raise InputError(
                    f"the labels {quoted('[' + text[:80] + ']')} are a printed NumPy array, which has no commas: "
                    "write lists, as array.tolist() gives them"
                )
            return None
        position += 1
    return items


def _value(single: str | None, double: str | None, bare: str | None) -> Any:
    if bare is not None:
        if bare in ("None", "null"):
            return None
        return int(bare) if bare.lstrip("+-").isdecimal() else float(bare)
    text = single if single is not None else double or ""
    return without_surrogates(ESCAPE.sub(_unescaped, text)) if "\\" in text else text


def _unescaped(match: re.Match[str]) -> str:
    *codes, letter = match.groups()
    code = next((one for one in codes if one is not None), None)
    if code is not None:
        return chr(int(code, 16))  # a ValueError beyond 0x10FFFF
    if letter not in ESCAPED:
        raise ValueError(f"unknown escape {letter!r}")
    return ESCAPED[letter]


def _refuse_set_or_tuple(cell: str) -> None:
    if not cell.endswith(BRACKETS[cell[0]]) or cell[1:].lstrip()[:1] not in ("'", '"'):
        return
    if _items(cell[1:-1]) and (cell[0] == "{" or "," in cell):
        kind = "set" if cell[0] == "{" else "tuple"
        raise InputError(f"the labels {quoted(cell)} are a printed {kind}: write a list, as in ['a', 'b']")
