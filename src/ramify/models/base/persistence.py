"""Saving and loading of any model: which classes a model directory may name, and nothing that it could run."""

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
    """Write a fitted model to a directory, in one step.

    Parameters
    ----------
    model : Saveable
        A fitted Tagger, XRLinear, NearestInstances or Ensemble, or a model of your own that has ``to_state`` and
        ``from_state``.
    directory : path-like
        Where.

    Raises
    ------
    InputError
        Something else than a model is in the way, or a part cannot be saved.
    ModelFileError
        No room or no permission; what was there is untouched.
    """
    state, arrays = part_to_state(model)
    save_model(directory, StoredModel(state["class"], state["config"], arrays, __version__))


def load(directory: str | Path, *, verify: bool = True, mapped: bool = True, parts: Sequence[type] = ()) -> Any:
    """Open a model directory that ramify saved.

    Parameters
    ----------
    directory : path-like
        The directory.
    verify : bool, default True
        Compare the arrays with their checksum, which reads them once, and decode the names in them. Without it opening
        takes milliseconds.
    mapped : bool, default True
        Map the arrays file, so that its pages are read when they are first used and shared with other processes. A
        process ends by a signal if another program truncates a file that it has mapped. Without it the arrays are read
        into memory, and later changes of the file have no effect.
    parts : sequence of classes, optional
        Your own classes that the model was built from; only they and ramify's own are ever made.

    Returns
    -------
    Tagger, XRLinear, NearestInstances or Ensemble
        What was saved.

    Raises
    ------
    ModelFileError
        Missing, foreign, truncated, tampered with, or of a newer format.
    """
    stored = open_model(directory, verify=verify, mapped=mapped)
    try:
        with damage_reported(f"{directory} is"):
            if verify:
                check_tables(stored.arrays)
            return part_from_state({"class": stored.kind, "config": stored.config}, stored.arrays, parts)
    except RecursionError:
        raise ModelFileError(f"{directory} nests its parts too deep: restore the model directory") from None


def load_as(
    kind: type[Model], directory: str | Path, *, verify: bool, mapped: bool, parts: Sequence[type] = ()
) -> Model:
    """``load``, refusing a model of another class."""
    model = load(directory, verify=verify, mapped=mapped, parts=parts)
    if not isinstance(model, kind):
        raise ModelFileError(f"{directory} holds a {type(model).__name__}, no {kind.__name__}: use ramify.load")
    return model


def part_to_state(part: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Class, settings and arrays of a part; scikit-learn's vectorizers are taken apart, too.

    Raises
    ------
    InputError
        A part that has no ``to_state``.
    """
    if not isinstance(part, Saveable):
        from ramify.features.sklearn_text import SklearnText

        if not SklearnText.takes(part):
            raise InputError(f"a {type(part).__name__} cannot be saved: give it to_state and from_state methods")
        part = SklearnText(part)
    config, arrays = part.to_state()
    return {"class": type(part).__name__, "config": config}, arrays


def part_from_state(state: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> Any:
    """The part that ``part_to_state`` took apart."""
    name, config = state["class"], state["config"]
    own = {part.__name__: part for part in parts}
    entry = catalogue.by_class(name)
    if name not in own and entry is None:
        raise ModelFileError(
            f"the model needs the class {quoted(name)}, which ramify lacks: pass it as load(..., parts=[...])"
        )
    kind: Any = own[name] if entry is None or name in own else entry.load()
    if entry is not None and name not in own:
        _check_settings_known(kind, config)
    if "parts" in signature(kind.from_state).parameters:  # it is made of parts itself
        return kind.from_state(config, arrays, parts)
    return kind.from_state(config, arrays)


def _check_settings_known(kind: Any, config: dict[str, Any]) -> None:
    """ModelFileError where a class of ramify's has no such setting, which is then from a newer version."""
    settings = config.get("settings")
    if not isinstance(settings, dict) or not hasattr(kind, "get_params"):
        return  # the class itself refuses what is damaged
    unknown = sorted(settings.keys() - signature(kind).parameters.keys())
    if unknown:
        raise ModelFileError(
            f"the model has the setting {quoted(unknown[0])} of {kind.__name__}, which ramify {__version__} lacks: "
            f"upgrade ramify if a newer version saved the model, or else restore the model directory"
        )


def parts_to_state(parts: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Class and settings of each part by its name, and the arrays of all, as "name/array"."""
    states: dict[str, Any] = {}
    arrays: dict[str, Any] = {}
    for name, part in parts.items():
        states[name], own = part_to_state(part)
        arrays |= {f"{name}/{key}": array for key, array in own.items()}
    return states, arrays


def stored_part(name: str, state: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> Any:
    """One part that ``parts_to_state`` took apart, from its own state and the arrays of all."""
    prefix = f"{name}/"
    own = {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
    return part_from_state(state, own, parts)
