"""Saving and loading of models. A model directory contains class names, settings and arrays, never code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

from ramify import __version__, catalogue
from ramify.errors import InputError, ModelFileError, damage_reported
from ramify.protocols import Saveable
from ramify.store import StoredModel, open_model, save_model
from ramify.strings import check_tables
from ramify.wording import quoted

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


def part_to_state(part: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Class, settings and arrays of a part or of a scikit-learn vectorizer.

    Raises
    ------
    InputError
        A part without ``to_state``.
    """
    if not isinstance(part, Saveable):
        from ramify.features.sklearn_text import SklearnText

        if not SklearnText.takes(part):
            raise InputError(f"a {type(part).__name__} cannot be saved: implement to_state and from_state")
        part = SklearnText(part)
    config, arrays = part.to_state()
    return {"class": type(part).__name__, "config": config}, arrays


def part_from_state(state: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> Any:
    """Restore a part from the result of ``part_to_state``."""
    name, config = state["class"], state["config"]
    own = {part.__name__: part for part in parts}
    entry = catalogue.by_class(name)
    if name not in own and entry is None:
        raise ModelFileError(
            f"the model needs the class {quoted(name)}, which ramify does not define: pass it as load(..., parts=[...])"
        )
    kind: Any = own[name] if entry is None or name in own else entry.load()
    if entry is not None and name not in own:
        _check_settings_known(kind, config)
    if "parts" in signature(kind.from_state).parameters:  # the class has parts itself
        return kind.from_state(config, arrays, parts)
    return kind.from_state(config, arrays)


def _check_settings_known(kind: Any, config: dict[str, Any]) -> None:
    """Raise ModelFileError for a setting that the class does not have, as from a newer version."""
    settings = config.get("settings")
    if not isinstance(settings, dict) or not hasattr(kind, "get_params"):
        return  # from_state of the class reports the damage
    unknown = sorted(settings.keys() - signature(kind).parameters.keys())
    if unknown:
        raise ModelFileError(
            f"{kind.__name__} of ramify {__version__} has no setting {quoted(unknown[0])}: upgrade ramify if a newer "
            "version saved the model, otherwise restore the model directory"
        )


def parts_to_state(parts: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Class and settings of each part by name, and all arrays, named "part/array"."""
    states: dict[str, Any] = {}
    arrays: dict[str, Any] = {}
    for name, part in parts.items():
        states[name], own = part_to_state(part)
        arrays |= {f"{name}/{key}": array for key, array in own.items()}
    return states, arrays


def stored_part(name: str, state: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> Any:
    """Restore one part from its state and from the arrays of ``parts_to_state``."""
    prefix = f"{name}/"
    own = {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
    return part_from_state(state, own, parts)
