"""Which fields of a record hold what, and how a field's value becomes a text."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ramify.errors import InputError

SHOWN_NAMES = 12


@dataclass(frozen=True, kw_only=True)
class Fields:
    """The fields (JSON keys, columns) of a data file. Files of features (.txt, .npz) use the two paths only.

    Parameters
    ----------
    text : str, default "text"
        The field of the text; several, as in "title,abstract", are joined by a newline, empty ones left out.
    labels : str, default "labels"
        The field of the labels: a list, or one string that is split at ``separator``.
    id : str, default "id"
        The field of a document's identity, which ``read_texts`` passes on where it is present.
    separator : str, optional
        What separates labels that stand in one string. By default "|"; then a file whose label strings look
        separated by something else is refused rather than misread.
    labels_path : str, optional
        The second file of a pair of scipy ``.npz`` files: the label matrix.
    names_path : str, optional
        A text file with one label name per line, for files that hold only label numbers.

    Raises
    ------
    InputError
        An empty name or separator.
    """

    text: str = "text"
    labels: str = "labels"
    id: str = "id"
    separator: str | None = None
    labels_path: str | None = None
    names_path: str | None = None

    def __post_init__(self) -> None:
        for name in ("text", "labels", "id"):
            value = getattr(self, name)
            if not isinstance(value, str) or not all(part.strip() for part in value.split(",")):
                raise InputError(f"the {name} field is {value!r}, but must be a field's name")
        if self.separator is not None and (not isinstance(self.separator, str) or not self.separator):
            raise InputError(f"the label separator is {self.separator!r}, but must be one character or more")

    @property
    def text_names(self) -> tuple[str, ...]:
        """The fields that the text is joined from."""
        return tuple(part.strip() for part in self.text.split(","))

    @property
    def written_text(self) -> str:
        """The one field that a writer puts the text in.

        Raises
        ------
        InputError
            Several text fields, or the labels' one.
        """
        if self.text == self.labels:
            raise InputError(f"text and labels cannot both be written to the field {self.text!r}: give two names")
        if len(self.text_names) > 1:
            raise InputError(f"the text is written to one field, not to {self.text!r}: give one name")
        return self.text_names[0]


DEFAULT_FIELDS = Fields()


def joined_text(values: Sequence[Any]) -> str:
    """The text of a record from the values of its text fields; nulls count as empty.

    Raises
    ------
    InputError
        A value that is no string.
    """
    for value in values:
        if value is not None and not isinstance(value, str):
            raise InputError(f"the text is {reprlib.repr(value)}, but must be a string")
    return "\n".join(value for value in values if value)


def missing_field(name: str, present: Iterable[str]) -> str:
    """The sentence for a field that is not there: which ones are, and which was probably meant."""
    names = list(present)
    listing = ", ".join(repr(one) for one in names[:SHOWN_NAMES]) + (", ..." if len(names) > SHOWN_NAMES else "")
    close = difflib.get_close_matches(name, names, n=1)
    remedy = f"did you mean {close[0]!r}?" if close else "name the right one"
    return f"field {name!r} is missing among {listing or 'no fields at all'}: {remedy}"
