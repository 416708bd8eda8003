"""What the front of the service and the processes with the models exchange."""

from __future__ import annotations

from typing import Any, NamedTuple

LEFT = 499
"""Status of a request whose client has left before it was computed; nobody receives it, but it is counted."""


class Options(NamedTuple):
    """Options of a request for labels, by which requests are predicted together (``answering.Predictor``).

    ``probabilities`` None gives them where the model is calibrated. ``path`` is whether labels have their path through
    the label tree, ``notation`` whether they have their notation in the vocabulary.
    """

    k: int
    threshold: float | None = None
    rule: str | None = None
    allowed: tuple[str, ...] | None = None
    forbidden: tuple[str, ...] | None = None
    why: bool = False
    probabilities: bool | None = None
    path: bool = False
    notation: bool = False


class Texts(NamedTuple):
    """A request for the labels of texts."""

    options: Options
    texts: list[str]


class Call(NamedTuple):
    """A request for facts of a model: name and arguments of a function of ``lookups``."""

    name: str
    arguments: tuple[Any, ...] = ()


class Refusal(NamedTuple):
    """Why a request gets no answer: HTTP status and one sentence."""

    status: int
    detail: str


class Facts(NamedTuple):
    """What clients may know of a model.

    ``language`` is the code of the language of its texts, None if it is unknown; ``modified`` the time of its manifest
    in seconds since 1970.
    """

    name: str
    version: str
    kind: str
    labels: int
    calibrated: bool
    rules: tuple[str, ...]
    explains: bool
    tree: bool
    language: str | None
    modified: float


class Place(NamedTuple):
    """Name and directory of a model."""

    name: str
    directory: str


Job = Texts | Call
Answer = bytes | Refusal
"""Bytes of JSON, or a refusal."""
