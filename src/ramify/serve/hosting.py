"""The models of a service: opened once, with the facts that requests return."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ramify.answering import open_tagger
from ramify.errors import InputError
from ramify.serve.search import LabelSearch
from ramify.store import MANIFEST
from ramify.tagger import Tagger
from ramify.tagger.decide.fitting import CHOSEN, FITTED
from ramify.wording import quoted

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
VERSION_DIGITS = 12


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
    """

    name: str
    tagger: Tagger
    version: str

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
        if not NAME.fullmatch(name):
            raise InputError(
                f"the name of a model is {quoted(name)}, but must be at most 64 letters, digits, '.', '_' and '-', "
                "and begin with a letter or digit: give NAME=PATH"
            )
        tagger = open_tagger(directory, threads=1)  # requests run beside each other, each in one thread
        if not tagger.takes_texts_:
            raise InputError(f"the model {name!r} takes features, but a service gets texts: train it on texts")
        manifest = (Path(directory) / MANIFEST).read_bytes()
        return cls(name, tagger, hashlib.sha256(manifest).hexdigest()[:VERSION_DIGITS])

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
    def search(self) -> LabelSearch:
        """Index of the label names, made on first use."""
        return LabelSearch(self.tagger.label_names_)


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
    if not places:
        raise InputError("no model is given: give at least one model directory")
    hosted: dict[str, Hosted] = {}
    for name, directory in places:
        if name in hosted:
            raise InputError(f"two models have the name {quoted(name)}: give one of them another with NAME=PATH")
        hosted[name] = Hosted.open(name, directory)
    return hosted
