"""Saving and loading of models. A model directory contains class names, settings and arrays, never code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from ramify import __version__
from ramify.errors import ModelFileError, damage_reported
from ramify.store import StoredModel, open_model, save_model
from ramify.store.parts import part_from_state, part_to_state
from ramify.strings import check_tables

Model = TypeVar("Model")


def save(model: Any, directory: str | Path) -> None:
    """Write a fitted model to a directory, atomically.

    Parameters
    ----------
    model : Saveable
        A fitted Tagger or model of ramify, or a user's model with ``to_state`` and ``from_state``.
    directory : path-like
        Target directory; an existing model is replaced.

    Raises
    ------
    InputError
        The target exists and is not a model directory, or a part cannot be saved.
    ModelFileError
        No space or no permission; an existing model is unchanged.
    """
    state, arrays = part_to_state(model)
    save_model(directory, StoredModel(state["class"], state["config"], arrays, __version__))


def load(directory: str | Path, *, verify: bool = True, mapped: bool = True, parts: Sequence[type] = ()) -> Any:
    """Load a model directory.

    Parameters
    ----------
    directory : path-like
        The directory.
    verify : bool, default True
        Compare the arrays with their checksum and validate the stored names; this reads all arrays once. With False,
        loading takes milliseconds.
    mapped : bool, default True
        Memory-map the arrays: pages are read on first use and shared between processes. If another program truncates a
        mapped file, the process is terminated by a signal. With False, the arrays are read into memory, and later
        changes of the file have no effect.
    parts : sequence of classes, optional
        User classes that the model contains; only these and ramify's classes are instantiated.

    Returns
    -------
    Tagger or model
        An object of the saved class.

    Raises
    ------
    ModelFileError
        The directory is missing, not a model, truncated, modified, or of a newer format.
    """
    stored = open_model(directory, verify=verify, mapped=mapped)
    try:
        with damage_reported(f"{directory} is"):
            if verify:
                check_tables(stored.arrays)
            return part_from_state({"class": stored.kind, "config": stored.config}, stored.arrays, parts)
    except RecursionError:
        raise ModelFileError(f"the parts in {directory} are nested too deeply: restore the model directory") from None


def load_as(
    kind: type[Model], directory: str | Path, *, verify: bool, mapped: bool, parts: Sequence[type] = ()
) -> Model:
    """Like ``load``; raises ModelFileError for a model of another class."""
    model = load(directory, verify=verify, mapped=mapped, parts=parts)
    if not isinstance(model, kind):
        raise ModelFileError(f"{directory} contains a {type(model).__name__}, not a {kind.__name__}: use ramify.load")
    return model
