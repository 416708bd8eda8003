"""Parts of a model as class name, settings and arrays; a model directory contains no code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

from ramify import __version__, catalogue
from ramify.errors import InputError, ModelFileError
from ramify.wording import quoted


def part_to_state(part: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Class, settings and arrays of a part or of a scikit-learn vectorizer.

    Raises
    ------
    InputError
        A part without ``to_state``.
    """
    if not all(callable(getattr(part, method, None)) for method in ("to_state", "from_state")):
        adapter: Any = catalogue.ADAPTER.load()
        if not adapter.takes(part):
            raise InputError(f"a {type(part).__name__} cannot be saved: implement to_state and from_state")
        part = adapter(part)
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
