"""Model directories opened as taggers."""

from __future__ import annotations

import json
from pathlib import Path

from ramify.models import load
from ramify.models.base.adapter import as_model, set_known
from ramify.store import MANIFEST
from ramify.tagger import Tagger


def open_tagger(directory: str | Path, *, threads: int | None = None) -> Tagger:
    """Open a model directory as a tagger; the label names of a bare model are its label ids.

    Parameters
    ----------
    directory : path-like
        The directory.
    threads : int, optional
        Threads of the vectorizer.

    Raises
    ------
    ModelFileError
        As ``models.load``.
    """
    model = load(directory)
    if not isinstance(model, Tagger):
        return Tagger.of(model, [str(number) for number in range(as_model(model).size().labels)])
    if model.vectorizer_ is not None:
        set_known(model.vectorizer_, threads=threads)
    return model


def model_format(directory: str | Path) -> tuple[int, str]:
    """(number of the format, version of the library that wrote it) of a directory that opens."""
    body = json.loads((Path(directory) / MANIFEST).read_text("utf-8"))
    return int(body["format"]), str(body["ramify"])
