"""Names of the fields of a record, and the conversion of values to text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from ramify.errors import InputError
from ramify.wording import nearest_name, quoted

SHOWN_NAMES = 12
NOT_CELLS = '"\r\n\0'
"""Characters that cannot delimit cells, because they quote or end them."""


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
        The field of a document's identity, kept in ``Dataset.ids`` and ``Document.id`` where it is present.
    separator : str, optional
        String between labels in one cell. By default "|"; then a file whose label strings seem to have another
        separator raises an error.
    labels_path : path-like, optional
        The second file of a pair of scipy ``.npz`` files: the label matrix.
    names_path : path-like, optional
        A file with the names of label identifiers: ``.jsonl``, ``.csv``, ``.tsv`` (also ``.gz``) or
        ``.parquet`` with the fields "id" and "name"; any other file has one name per line, for the label numbers
        "0", "1", ...
    delimiter : str, optional
        The character between the cells of CSV and TSV files. By default "," in ``.csv`` and a tab in ``.tsv``; a
        file whose header lacks a wanted column then is read with ";", tab, "|" or "," if exactly one of them
        gives a header with all wanted columns.
    group : str, optional
        For files with a row per document and label: the field whose value rows of one document share. The rows
        become one document with the text of the first row and the labels of all rows.
    vocabulary_path : path-like, optional
        A vocabulary (``data.read_vocabulary``), whose concepts become the labels (``data.with_vocabulary``).
    language : str, optional
        Language code of the names of its concepts; its only language when None.
    drop_unknown : bool, default False
        Whether labels that the vocabulary lacks are left out; False: they raise an error.
    annif : bool, default False
        Whether ``.tsv``, ``.csv`` and ``.jsonl`` files are written as corpora of Annif, which are recognized when read.

    Raises
    ------
    InputError
        An empty name, path or separator, or a delimiter that is not one character.
    """

    text: str = "text"
    labels: str = "labels"
    id: str = "id"
    separator: str | None = None
    labels_path: str | Path | None = None
    names_path: str | Path | None = None
    delimiter: str | None = None
    group: str | None = None
    vocabulary_path: str | Path | None = None
    language: str | None = None
    drop_unknown: bool = False
    annif: bool = False

    def __post_init__(self) -> None:
        for name in ("text", "labels", "id", *(("group",) if self.group is not None else ())):
            value = getattr(self, name)
            if not isinstance(value, str) or not all(part.strip() for part in value.split(",")):
                raise InputError(f"the {name} field is {quoted(value)}, but must be a field's name")
        for name in ("labels_path", "names_path", "vocabulary_path"):
            value = getattr(self, name)
            if not isinstance(value, str | Path | None) or value == "":
                raise InputError(f"{name} is {quoted(value)}, but must be the path of a file or None")
        if self.vocabulary_path is None and (self.language is not None or self.drop_unknown):
            raise InputError("language and drop_unknown need a vocabulary: give vocabulary_path, or leave them out")
        if self.vocabulary_path is not None and self.names_path is not None:
            raise InputError("names_path and vocabulary_path are both given: choose one, as both name the labels")
        if self.separator is not None and (not isinstance(self.separator, str) or not self.separator):
            raise InputError(f"the label separator is {quoted(self.separator)}, but must be one character or more")
        delimiter = self.delimiter
        if delimiter is not None and (not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in NOT_CELLS):
            raise InputError(
                f"the delimiter is {quoted(delimiter)}, but must be one character between cells, such as ';' or a tab"
            )

    @property
    def text_names(self) -> tuple[str, ...]:
        """The fields that the text is joined from."""
        return tuple(part.strip() for part in self.text.split(","))

    def written(self, *, with_ids: bool) -> tuple[str, ...]:
        """The fields that a writer makes: id (if there are ids), text, labels.

        Raises
        ------
        InputError
            Several text fields, or one name for two of them.
        """
        if len(self.text_names) > 1:
            raise InputError(f"the text is written to one field, not to {quoted(self.text)}: give one name")
        names = {"id": self.id} if with_ids else {}
        names |= {"text": self.text_names[0], "labels": self.labels}
        for (one, name), (other, same) in combinations(names.items(), 2):
            if name == same:
                raise InputError(
                    f"{one} and {other} cannot both be written to the field {quoted(name)}: give two names"
                )
        return tuple(names.values())


DEFAULT_FIELDS = Fields()


def joined_text(values: Sequence[Any]) -> str:
    """The text of a record from the values of its text fields; nulls count as empty.

    Raises
    ------
    InputError
        A value that is not a string.
    """
    for value in values:
        if value is not None and not isinstance(value, str):
            raise InputError(f"the text is {quoted(value)}, but must be a string")
    return "\n".join(value for value in values if value)


def missing_field(name: str, present: Iterable[str], how: str = "") -> str:
    """The error for a missing field: available fields, how they were read, and the most similar one."""
    names = list(present)
    listing = ", ".join(quoted(one, 40) for one in names[:SHOWN_NAMES]) + (", ..." if len(names) > SHOWN_NAMES else "")
    near = nearest_name(name, names)
    remedy = f"did you mean {quoted(near)}?" if near else "name the right one"
    return f"field {quoted(name)} is missing among {listing or 'no fields at all'}{how}: {remedy}"
