"""The models of a service, with what clients may know about them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ramify.answering import open_tagger
from ramify.errors import InputError
from ramify.models.base.reasons import reasons_of
from ramify.serve.jobs import Facts, Place
from ramify.serve.places import LabelPlaces, tree_of
from ramify.serve.search import LabelSearch
from ramify.store import MANIFEST
from ramify.tagger import Tagger
from ramify.tagger.decide.fitting import CHOSEN, FITTED
from ramify.wording import quoted

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
VERSION_DIGITS = 12
TRIES = 5
"""Openings of a model that is replaced again and again."""


@dataclass(frozen=True)
class Hosted:
    """A model of the service.

    Parameters
    ----------
    name : str
        Its name in requests.
    tagger : Tagger
        Takes texts.
    version : str
        The first 12 hexadecimal digits of the SHA-256 digest of the manifest.
    modified : float, default 0.0
        Time of the manifest, in seconds since 1970.
    """

    name: str
    tagger: Tagger
    version: str
    modified: float = 0.0

    @classmethod
    def open(cls, name: str, directory: str | Path) -> Hosted:
        """Open a model directory.

        Raises
        ------
        InputError
            An invalid name, or a model that takes features instead of texts.
        ModelFileError
            A missing or damaged model directory.
        """
        _check_name(name)
        for _ in range(TRIES):
            version, modified = _manifest(directory)
            tagger = open_tagger(directory, threads=1)  # batches run beside each other, each in one thread
            if version_of(directory) == version:  # else it was replaced meanwhile
                break
        if not tagger.takes_texts_:
            raise InputError(f"the model {name!r} takes features, but a service gets texts: train it on texts")
        return cls(name, tagger, version, modified)

    @property
    def kind(self) -> str:
        """Class name of the model."""
        return type(self.tagger.model_).__name__

    @property
    def calibrated(self) -> bool:
        """Whether the model gives probabilities."""
        return self.tagger.decisions_ is not None

    @property
    def rules(self) -> list[str]:
        """Rules for label sets without a number in their name; none of a model that is not calibrated."""
        return [*CHOSEN, *FITTED] if self.calibrated else []

    @cached_property
    def facts(self) -> Facts:
        """What clients may know of the model."""
        plan = getattr(self.tagger.vectorizer_, "plan_", None)
        return Facts(
            name=self.name,
            version=self.version,
            kind=self.kind,
            labels=len(self.tagger.label_names_),
            calibrated=self.calibrated,
            rules=tuple(self.rules),
            explains=reasons_of(self.tagger.model_) is not None,
            tree=tree_of(self.tagger) is not None,
            language=getattr(plan, "language", None),
            modified=self.modified,
        )

    @cached_property
    def places(self) -> LabelPlaces | None:
        """The places of labels in the label tree, made on first use; None of a model without a tree."""
        tree = tree_of(self.tagger)
        return None if tree is None else LabelPlaces(self.tagger, tree)

    @cached_property
    def search(self) -> LabelSearch:
        """Index of the label names, made on first use."""
        return LabelSearch(self.tagger.label_names_, self.tagger.label_counts_)


def _manifest(directory: str | Path) -> tuple[str, float]:
    """(version, time) of the manifest of a model directory; ("", 0) where there is none, which opening reports."""
    path = Path(directory) / MANIFEST
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:VERSION_DIGITS], path.stat().st_mtime
    except (OSError, ValueError):
        return "", 0.0


def version_of(directory: str | Path) -> str:
    """The version of a model directory; an empty string where there is none."""
    return _manifest(directory)[0]


def named_place(text: str) -> tuple[str, Path]:
    """(name, directory) of ``NAME=PATH``, or of a path, whose last part is the name then."""
    name, equals, path = text.partition("=")
    if equals and not Path(text).exists():
        if not path:
            raise InputError(f"{quoted(text)} has no path: give NAME=PATH")
        return name, Path(path)
    if not text:
        raise InputError("the path of a model is an empty string: give a model directory")
    return Path(text).absolute().name, Path(text)


def host(places: Sequence[tuple[str, str | Path]]) -> dict[str, Hosted]:
    """Open models by name, in their order; the first one is the default of requests.

    Raises
    ------
    InputError
        No model, a repeated name, or as in ``Hosted.open``.
    ModelFileError
        A missing or damaged model directory.
    """
    return {name: Hosted.open(name, directory) for name, directory in checked_places(places)}


def checked_places(places: Sequence[tuple[str, str | Path]]) -> list[Place]:
    """The names and absolute directories of models; InputError without a model, or for an invalid or repeated name."""
    if not places:
        raise InputError("no model is given: give at least one model directory")
    names = [name for name, _ in places]
    for number, name in enumerate(names):
        _check_name(name)
        if name in names[:number]:
            raise InputError(f"two models have the name {quoted(name)}: give one of them another with NAME=PATH")
    return [Place(name, str(Path(directory).absolute())) for name, directory in places]


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise InputError(
            f"the name of a model is {quoted(name)}, but must be at most 64 letters, digits, '.', '_' and '-', "
            "and begin with a letter or digit: give NAME=PATH"
        )
