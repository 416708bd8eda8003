"""Vocabularies from files: CSV and TSV as in Annif, and SKOS (``skos.py``).

CSV has a header such as ``uri,notation,label_en,label_fi``, TSV lines without a header: ``<uri>``, name and notation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ramify.checks import given_path
from ramify.data.formats import extension_of
from ramify.data.streams import numbered_lines
from ramify.data.table import read_rows
from ramify.errors import DataFileError
from ramify.values import Groups, StageProgress, Vocabulary
from ramify.values.vocabulary import ANY_LANGUAGE
from ramify.wording import quoted

LABEL, ALTERNATIVE = "label_", "alternative_"
"""Beginnings of the names of columns with preferred and with alternative names; the rest is the language."""
SEPARATOR = "|"
"""Between the alternative names of a cell."""


@dataclass
class Concepts:
    """Collects the concepts of a file, and reports URIs and notations that are repeated, by line.

    Parameters
    ----------
    path : Path
        The file.
    """

    path: Path
    uris: list[str] = field(default_factory=list)
    notations: list[str] = field(default_factory=list)
    _lines_of: dict[str, dict[str, int]] = field(default_factory=lambda: {"URI": {}, "notation": {}})

    def add(self, uri: str, notation: str, line: int) -> None:
        """Add a concept.

        Raises
        ------
        DataFileError
            No URI, or a URI or notation of an earlier line.
        """
        if not uri:
            raise DataFileError("the concept has no URI: give each line one", self.path, line)
        for what, value in (("URI", uri), ("notation", notation)):
            first = self._lines_of[what].setdefault(value, line) if value else line
            if first != line:
                problem = f"the {what} {quoted(value)} is that of line {first}, too: give each concept its own"
                raise DataFileError(problem, self.path, line)
        self.uris.append(uri)
        self.notations.append(notation)

    def kept_notations(self) -> list[str] | None:
        """The notations; None if no concept has one."""
        return self.notations if any(self.notations) else None


def read_vocabulary(path: str | Path, *, progress: StageProgress | None = None) -> Vocabulary:
    """Read a vocabulary.

    Parameters
    ----------
    path : path-like
        - SKOS: ``.ttl`` (Turtle), ``.rdf`` or ``.xml`` (RDF/XML) or ``.nt`` (N-Triples);
        - ``.csv`` with the columns "uri", "label_LANGUAGE" for one or more languages and optionally "notation" and
          "alternative_LANGUAGE", whose alternative names are separated by "|";
        - ``.tsv`` without a header: ``<uri>``, name and optionally notation, in no stated language.

        Each may be compressed (``.gz``). Concepts of CSV and TSV without any name are deprecated, as in Annif.
    progress : callable, optional
        Called with ("vocabulary", share done) while SKOS is read.

    Returns
    -------
    Vocabulary
        Concepts in the order of the file; in SKOS, in the order of their URIs.

    Raises
    ------
    DataFileError
        Anything wrong with the file, by line; no concepts; repeated URIs or notations.
    MissingExtraError
        SKOS without rdflib.
    """
    path = given_path("the vocabulary", path)
    extension = extension_of(path)
    if extension in READERS:
        return READERS[extension](path)
    from ramify.data.skos import FORMATS, read_skos

    if extension in FORMATS:
        return read_skos(path, FORMATS[extension], progress)
    known = ", ".join([*READERS, *FORMATS])
    raise DataFileError(f"the extension {extension[:40]!r} is not that of a vocabulary: name it {known}", path)


def without_brackets(uri: str) -> str:
    """A URI without white space and angle brackets around it."""
    uri = uri.strip()
    return uri[1:-1] if uri.startswith("<") and uri.endswith(">") else uri


def _read_csv(path: Path) -> Vocabulary:
    seen: dict[str, None] = {}
    next(read_rows(path, ("uri",), seen=seen), None)
    labels = [name for name in map(str.strip, seen) if name.startswith(LABEL)]
    others = [name for name in map(str.strip, seen) if name.startswith(ALTERNATIVE)]
    if not labels and seen:
        raise DataFileError("the header has no column of names: add one such as label_en", path, 1)
    concepts = Concepts(path)
    rows: list[list[str]] = []
    for line, cells in read_rows(path, ("uri",), ("notation", *labels, *others)):
        uri, notation, *names = cells
        concepts.add(without_brackets(uri), (notation or "").strip(), line)
        rows.append(names)
    if not rows:
        raise DataFileError("holds no concepts: give at least one", path)
    columns = [[cell.strip() for cell in column] for column in zip(*rows, strict=True)]
    preferred = {name.removeprefix(LABEL): column for name, column in zip(labels, columns, strict=False)}
    alternatives = {
        name.removeprefix(ALTERNATIVE): Groups.of(map(_split, column))
        for name, column in zip(others, columns[len(labels) :], strict=True)
    }
    return Vocabulary(
        uris=concepts.uris,
        names=preferred,
        alternatives=alternatives,
        notations=concepts.kept_notations(),
        deprecated=np.array([not any(row[: len(labels)]) for row in rows]),
    )


def _split(cell: str) -> list[str]:
    return [name for name in map(str.strip, cell.split(SEPARATOR)) if name] if cell else []


def _read_tsv(path: Path) -> Vocabulary:
    concepts = Concepts(path)
    names: list[str] = []
    for line, text in numbered_lines(path):
        if not text.strip():
            continue
        uri, _, rest = text.strip().partition("\t")
        name, _, notation = rest.partition("\t")
        concepts.add(_bracketed(uri, path, line), notation.strip(), line)
        names.append(name.strip())
    if not names:
        raise DataFileError("holds no concepts: give at least one", path)
    return Vocabulary(
        uris=concepts.uris,
        names={ANY_LANGUAGE: names},
        notations=concepts.kept_notations(),
        deprecated=np.array([not name for name in names]),
    )


def _bracketed(uri: str, path: Path, line: int) -> str:
    """The URI of a line; an error for a header, which would become a concept, and for other text."""
    plain = without_brackets(uri)
    if plain == uri.strip() and ":" not in plain:
        raise DataFileError(
            f"{quoted(uri)} is no URI: begin each line with one, as in <URI>, a tab and the name", path, line
        )
    return plain


READERS: dict[str, Callable[[Path], Vocabulary]] = {".csv": _read_csv, ".tsv": _read_tsv}
