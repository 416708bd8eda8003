"""Vocabularies in SKOS: rdflib parses the file, and a store keeps only what a ``Vocabulary`` has."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO
from xml.sax import SAXParseException

import numpy as np

from ramify.data.streams import opened, require_file
from ramify.errors import DataFileError, InputError, MissingExtraError
from ramify.values import Groups, Int32, StageProgress, Vocabulary
from ramify.values.vocabulary import ANY_LANGUAGE
from ramify.wording import one_line

FORMATS = {".ttl": "turtle", ".rdf": "xml", ".xml": "xml", ".nt": "turtle"}
"""Names of formats in rdflib by extension; N-Triples are a part of Turtle, whose parser names the lines of errors."""

SKOS = "http://www.w3.org/2004/02/skos/core#"
TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
RDFS_LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
DEPRECATED = "http://www.w3.org/2002/07/owl#deprecated"
KEPT = {
    TYPE,
    RDFS_LABEL,
    DEPRECATED,
    *(SKOS + name for name in ("prefLabel", "altLabel", "hiddenLabel", "notation", "broader", "narrower", "related")),
}
LINE = re.compile(r":(\d+):\d+: (.*)", re.DOTALL)
"""Place and problem in an error of rdflib's parser of RDF/XML."""
STEP = 1 << 20
"""Bytes between two reports of progress."""


def read_skos(path: Path, format_: str, progress: StageProgress | None = None) -> Vocabulary:
    """Read the concepts of an RDF file; see ``read_vocabulary``.

    Parameters
    ----------
    path : Path
        The file, also compressed.
    format_ : {"turtle", "xml"}
        Its format in rdflib.
    progress : callable, optional
        Called with ("vocabulary", share of bytes read); compressed files and Turtle are read at once.
    """
    require_file(path)
    triples = _parsed(path, format_, progress)
    uris = sorted(triples.concepts)
    if not uris:
        raise DataFileError("has no skos:Concept: give a vocabulary in SKOS", path)
    try:
        return triples.vocabulary(uris)
    except InputError as error:
        raise DataFileError(str(error), path) from None


def vocabulary_of_graph(graph: Any, uris: Sequence[str]) -> Vocabulary:
    """The names, alternative names and relations that a graph of rdflib has of given concepts, without notations.

    Parameters
    ----------
    graph : rdflib.Graph
    uris : sequence of str, length L
        The concepts, in the order of the result; those that are not in the graph have no names.
    """
    triples = Triples()
    kept = (triple for triple in graph if str(triple[1]) in KEPT)
    for subject, predicate, value in sorted(kept):  # the order of a graph is not stated
        triples.add(str(subject), str(predicate), value)
    triples.notations.clear()
    return triples.vocabulary(uris)


class Triples:
    """What an RDF file contains about concepts, by URI."""

    def __init__(self) -> None:
        self.concepts: set[str] = set()
        self.deprecated: set[str] = set()
        self.preferred: list[tuple[str, str, str]] = []  # URI, language, name
        self.labels: list[tuple[str, str, str]] = []
        self.others: list[tuple[str, str, str]] = []
        self.notations: list[tuple[str, str]] = []
        self.broader: set[tuple[str, str]] = set()
        self.related: set[tuple[str, str]] = set()

    def add(self, subject: str, predicate: str, value: Any) -> None:
        """Keep a triple whose predicate is one of ``KEPT``."""
        if predicate == TYPE:
            if str(value) == SKOS + "Concept" and ":" in subject:  # not a node without a URI
                self.concepts.add(subject)
        elif predicate == DEPRECATED:
            if str(value).lower() in ("true", "1"):
                self.deprecated.add(subject)
        elif predicate == SKOS + "notation":
            if str(value) != "None":  # of concepts without a notation, in files that Annif writes
                self.notations.append((subject, str(value).strip()))
        elif predicate == SKOS + "broader":
            self.broader.add((subject, str(value)))
        elif predicate == SKOS + "narrower":
            self.broader.add((str(value), subject))
        elif predicate == SKOS + "related":
            self.related.add((subject, str(value)))
        else:
            kept = self.preferred if predicate == SKOS + "prefLabel" else self.others
            kept = self.labels if predicate == RDFS_LABEL else kept
            language = getattr(value, "language", None) or ANY_LANGUAGE
            kept.append((subject, language, " ".join(str(value).split())))

    def vocabulary(self, uris: Sequence[str]) -> Vocabulary:
        """The vocabulary of some concepts, in the order of their URIs; InputError as in ``Vocabulary``."""
        numbers = {uri: number for number, uri in enumerate(uris)}
        return Vocabulary(
            uris=uris,
            names=_preferred(self, numbers),
            alternatives=_alternatives(self, numbers),
            notations=_notations(self, numbers),
            broader=_pairs(self.broader, numbers),
            related=_pairs(self.related, numbers),
            deprecated=np.array([uri in self.deprecated for uri in uris]),
        )


class Counted:
    """A binary stream that reports the share of its bytes that is read.

    Parameters
    ----------
    stream : binary stream
    name : str
        Its file, for rdflib.
    size : int
        Bytes in all; 0 for an unknown number.
    progress : callable, optional
        Called with ("vocabulary", share).
    """

    def __init__(self, stream: BinaryIO, name: str, size: int, progress: StageProgress | None) -> None:
        self.name = name
        self._stream, self._size, self._progress = stream, size, progress
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        piece = self._stream.read(size)
        steps, self._read = self._read // STEP, self._read + len(piece)
        if self._progress is not None and self._size and self._read // STEP > steps:
            self._progress("vocabulary", min(1.0, self._read / self._size))
        return piece

    def close(self) -> None:
        """The opener closes the stream."""


def _parsed(path: Path, format_: str, progress: StageProgress | None) -> Triples:
    try:
        import rdflib
        from rdflib.exceptions import ParserError
        from rdflib.parser import FileInputSource
        from rdflib.plugins.parsers.notation3 import BadSyntax
    except ImportError:
        raise MissingExtraError("vocabularies in SKOS", "annif") from None
    triples = Triples()
    graph = rdflib.Graph(store=_collector(triples), bind_namespaces="none")
    size = 0 if path.suffix.lower() == ".gz" else path.stat().st_size
    try:
        with opened(path) as stream:
            counted: Any = Counted(stream, str(path), size, progress)
            graph.parse(FileInputSource(counted), format=format_)
    except BadSyntax as error:
        problem = f"is not valid Turtle ({one_line(str(error._why))}): correct it"
        raise DataFileError(problem, path, error.lines + 1) from None
    except SAXParseException as error:
        problem = f"is not valid XML ({error.getMessage()}): correct it"
        raise DataFileError(problem, path, error.getLineNumber()) from None
    except ParserError as error:
        found = LINE.search(str(error))
        line, problem = (int(found[1]), found[2]) if found else (None, str(error))
        raise DataFileError(f"is not valid RDF/XML ({one_line(problem)}): correct it", path, line) from None
    except UnicodeDecodeError:
        raise DataFileError("is not UTF-8: save the file as UTF-8", path) from None
    except (EOFError, OSError, zlib.error) as error:
        raise DataFileError(f"cannot be read ({error}): check the file", path) from None
    return triples


def _collector(triples: Triples) -> Any:
    """A store of rdflib that passes triples on, instead of building its three indices in memory."""
    from rdflib.store import Store

    class Collector(Store):  # type: ignore[misc]
        def add(self, triple: Any, context: Any = None, quoted: bool = False) -> None:
            predicate = str(triple[1])
            if predicate in KEPT:
                triples.add(str(triple[0]), predicate, triple[2])

        def bind(self, *args: Any, **kwargs: Any) -> None:
            """Prefixes of names are not needed."""

    return Collector()


def _preferred(triples: Triples, numbers: dict[str, int]) -> dict[str, list[str]]:
    """The first preferred name of each concept by language, or else the first ``rdfs:label``."""
    names: dict[str, list[str]] = {}
    for uri, language, name in (*triples.preferred, *triples.labels):
        number = numbers.get(uri)
        if number is not None and name:
            column = names.get(language)
            if column is None:
                column = names[language] = [""] * len(numbers)
            column[number] = column[number] or name
    return names


def _alternatives(triples: Triples, numbers: dict[str, int]) -> dict[str, Groups]:
    """Alternative and hidden names of each concept by language, without repetitions."""
    found: dict[str, dict[int, dict[str, None]]] = {}
    for uri, language, name in triples.others:
        number = numbers.get(uri)
        if number is not None and name:
            found.setdefault(language, {}).setdefault(number, {})[name] = None
    return {
        language: Groups.of(by_number.get(number, ()) for number in range(len(numbers)))
        for language, by_number in found.items()
    }


def _notations(triples: Triples, numbers: dict[str, int]) -> list[str] | None:
    """The first notation of each concept; None if there is none."""
    notations = [""] * len(numbers)
    for uri, notation in triples.notations:
        if uri in numbers:
            notations[numbers[uri]] = notations[numbers[uri]] or notation
    return notations if any(notations) else None


def _pairs(relations: Iterable[tuple[str, str]], numbers: dict[str, int]) -> Int32:
    """Relations between concepts of the file, in order, without those of a concept to itself."""
    pairs = sorted(
        (numbers[one], numbers[other])
        for one, other in relations
        if one != other and one in numbers and other in numbers
    )
    return np.array(pairs, np.int32).reshape(-1, 2)
