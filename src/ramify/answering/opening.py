"""Opening model directories as taggers."""

from __future__ import annotations

import json
from pathlib import Path

from ramify.models import load
from ramify.models.base.adapter import as_model, set_known
from ramify.store import MANIFEST
from ramify.tagger import Tagger


def open_tagger(directory: str | Path, *, threads: int | None = None) -> Tagger:
    """Open a model directory as a tagger; a model without a tagger gets its label ids as label names.

    Parameters
    ----------
    directory : path-like
        The model directory.
    threads : int, optional
        Number of threads of the vectorizer; the stored setting when None.

    Raises
    ------
    ModelFileError
        See ``models.load``.
    """
    model = load(directory)
    if not isinstance(model, Tagger):
        return Tagger.of(model, [str(number) for number in range(as_model(model).size().labels)])
    if model.vectorizer_ is not None:
        set_known(model.vectorizer_, threads=threads)
    return model


def model_format(directory: str | Path) -> tuple[int, str]:
    """(format number, ramify version that wrote it) of a valid model directory."""
    body = json.loads((Path(directory) / MANIFEST).read_text("utf-8"))
    return int(body["format"]), str(body["ramify"])
