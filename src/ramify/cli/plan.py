"""Parts and settings of a training, from defaults, preset, settings file and flags; later sources override."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ramify import catalogue
from ramify.checks import SEED, THREADS, Rule
from ramify.cli.settings import GENERAL, Part
from ramify.errors import DataFileError, InputError
from ramify.models.presets import Preset, named
from ramify.wording import nearest_name, quoted

if TYPE_CHECKING:
    from ramify.tagger import Tagger

NAMES = ("model", "vectorizer")
"""Parts that are chosen by name in a settings file and on the command line."""

CONCATENATED = "concatenated"
"""Vectorizer of names with "+" between them, such as tfidf+static."""

SWITCHES = {"disentangled": ("copies", "indexer"), "ensemble": ("trees", "seed")}
"""Wrappers, innermost first: the setting that adds it if it is not 1, and a setting that its model must have."""

KINDS = ("model", *SWITCHES, "vectorizer")
ABOUT = "about"
"""Key of a settings file for remarks, which training ignores; ``ramify tune`` writes it."""

FILE_KEYS = (ABOUT, *NAMES, *GENERAL, *(f"{kind}_settings" for kind in KINDS))
RULES: dict[str, Rule] = {"seed": SEED, "threads": THREADS}


@dataclass(frozen=True)
class Start:
    """The model and vectorizer to train, before their settings are applied.

    Parameters
    ----------
    model, vectorizer : str
        Names in the catalogue.
    preset : Preset
        Preset that the settings start from.
    config : Path or None
        The settings file.
    content : dict
        Content of the settings file.
    """

    model: str
    vectorizer: str
    preset: Preset
    config: Path | None
    content: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        *,
        model: str | None = None,
        vectorizer: str | None = None,
        preset: str | None = None,
        config: str | Path | None = None,
    ) -> Start:
        """Determine the names from flags and settings file.

        Raises
        ------
        InputError
            An unknown name, a preset of another model, or an invalid settings file.
        """
        path = None if config is None else Path(config)
        content = {} if path is None else _read(path)
        chosen = named(preset or "default")
        name = model or content.get("model", chosen.model)
        if preset is not None and name != chosen.model:
            raise InputError(
                f"--preset {preset} is for the model {chosen.model}, but the model is {quoted(name)}: "
                "leave one of them out"
            )
        return cls(name, vectorizer or content.get("vectorizer", chosen.vectorizer), chosen, path, content)

    def parts(self) -> dict[str, Part]:
        """The parts, by ``KINDS``, with the preset; without wrappers that the model does not support."""
        model = Part(catalogue.MODEL, self.model)
        if self.model == self.preset.model:
            model.put_all(self.preset.settings, "preset")
        parts = {"model": model}
        for kind, (switch, needed) in SWITCHES.items():
            if needed in model.made_of.RULES:
                parts[kind] = Part(catalogue.WRAPPER, kind)
                parts[kind].values[switch] = 1
        return parts | {"vectorizer": _vectorizer(self.vectorizer)}


def _vectorizer(name: str) -> Part:
    """A vectorizer by its name in the catalogue, or by several names with "+" between them."""
    first, plus, second = name.rpartition("+")
    if not plus:
        return Part(catalogue.VECTORIZER, name)
    if not all(name.split("+")):
        raise InputError(f"--vectorizer is {quoted(name)}, but must have a name on both sides of +, as in tfidf+static")
    part = Part(catalogue.VECTORIZER, CONCATENATED)
    part.values |= {"first": _vectorizer(first), "second": _vectorizer(second)}
    return part


def own_flags(parts: Mapping[str, Part]) -> dict[str, tuple[Part, str]]:
    """The part and the ``--set`` path of each flag, by name.

    A wrapper has flags only if the model has no setting with the name of the wrapper's switch.
    """
    found: dict[str, tuple[Part, str]] = {}
    for kind, part in parts.items():
        if kind in SWITCHES and SWITCHES[kind][0] in parts["model"].settings:
            continue
        prefix = "" if kind == "model" else f"{kind}."
        found |= {name: place for name, place in _flags_inside(part, prefix).items() if name not in found}
    return found


def _flags_inside(part: Part, prefix: str) -> dict[str, tuple[Part, str]]:
    """Flags of a part, and of the vectorizers that it concatenates; those of the first have precedence."""
    found = {name: (part, prefix + name) for name in part.made_of.FLAGS}
    if part.kind == CONCATENATED:
        for setting, inner in part.values.items():
            inside = _flags_inside(inner, f"{prefix}{setting}.")
            found |= {name: place for name, place in inside.items() if name not in found}
    return found


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A model with all its settings.

    Parameters
    ----------
    parts : dict of str to Part
        The parts, by ``KINDS``.
    seed : int
        Random seed.
    threads : int or None
        Number of threads; None for every CPU.
    """

    parts: dict[str, Part]
    seed: int
    threads: int | None

    @classmethod
    def of(
        cls,
        start: Start,
        flags: Mapping[str, str],
        sets: Sequence[str] = (),
        *,
        seed: int | None = None,
        threads: int | None = None,
    ) -> Plan:
        """Determine all settings.

        Parameters
        ----------
        start : Start
            The model, the vectorizer and the settings file.
        flags : mapping of str
            Text of each given flag, by the names of ``own_flags``.
        sets : sequence of str
            Values of ``--set``: "path=value".
        seed, threads : int, optional
            Values of the command line; those of the settings file when None.

        Raises
        ------
        InputError
            An unknown setting, a setting given twice, or a value that breaks its rule.
        """
        parts = start.parts()
        _apply_file(parts, start)
        given = _assignments(parts, flags, sets)
        for path, (where, text) in sorted(given.items(), key=lambda one: one[0].count(".")):
            kind, *rest = path.split(".")
            parts[kind].put(rest, text, where, is_text=True)
        _check_indexer(parts["model"], given)
        for kind in SWITCHES.keys() & parts.keys():
            _check_switched_on(kind, parts[kind], given)
        general = {"seed": seed, "threads": threads}
        return cls(parts=parts, **{name: _general(name, value, start) for name, value in general.items()})

    def as_dict(self) -> dict[str, Any]:
        """Values for JSON, in the format of ``--config``."""
        names = {kind: self.parts[kind].kind for kind in NAMES}
        settings = {f"{kind}_settings": part.as_dict() for kind, part in self.parts.items()}
        return names | {"seed": self.seed, "threads": self.threads} | settings

    def tagger(self) -> Tagger:
        """The unfitted tagger, with checked settings.

        Raises
        ------
        InputError
            Inconsistent settings.
        """
        from ramify.tagger import Tagger

        vectorizer = self.parts["vectorizer"].build(threads=self.threads)
        vectorizer.check_settings()
        model = self.parts["model"].build(seed=self.seed, threads=self.threads)
        model.check_settings()
        for kind, (switch, _) in SWITCHES.items():
            if kind in self.parts and self.parts[kind].values[switch] != 1:
                model = self.parts[kind].build(model, seed=self.seed, threads=self.threads)
                model.check_settings()
        return Tagger(model, vectorizer=vectorizer)


def _assignments(
    parts: Mapping[str, Part], flags: Mapping[str, str], sets: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """The flag or path as given, for errors, and the text of the value, by full path with the kind of the part."""
    own = own_flags(parts)
    found = {}
    for name, text in flags.items():
        part, path = own[name]
        full = f"model.{path}" if part is parts["model"] else path
        found[full] = ("--" + name.replace("_", "-"), text)
    for one in sets:
        path, equals, text = one.partition("=")
        if not equals or not path:
            raise InputError(f"--set is {quoted(one)}, but must be PATH=VALUE, as in max_leaf=50")
        where = f"--set {path}" if len(path) <= 60 and path.isprintable() else f"--set {quoted(path)}"
        full = _full_path(parts, path, where)
        if full in found:
            raise InputError(f"{found[full][0]} and {where} set the same setting: leave one of them out")
        found[full] = (where, text)
    return found


def _full_path(parts: Mapping[str, Part], path: str, where: str) -> str:
    """The path, prefixed with the kind of the part."""
    path = path.replace("-", "_")
    first = path.partition(".")[0]
    if first in (*NAMES, *GENERAL) and first == path:
        raise InputError(f"{where} is not a setting: use --{first}")
    if first in parts and first != path:
        return path
    if first in SWITCHES and first not in parts:
        raise InputError(f"{where}: the model {parts['model'].kind} does not support {first}: leave it out")
    if first not in parts["model"].settings:
        for kind, part in parts.items():
            if path in part.settings:
                raise InputError(f"{where}: the setting belongs to the {kind}: use --set {kind}.{path}=VALUE")
    return f"model.{path}"


def _check_indexer(model: Part, given: Mapping[str, tuple[str, str]]) -> None:
    """Raise InputError for a setting of the default indexer if another indexer is given."""
    indexer = model.values.get("indexer")
    for path, (where, _) in given.items():
        name = path.removeprefix("model.")
        if isinstance(indexer, Part) and (name in indexer.settings or name == "cluster_iterations"):
            raise InputError(f"{where} has no effect if indexer is given: use --set indexer.NAME=VALUE")


def _check_switched_on(kind: str, part: Part, given: Mapping[str, tuple[str, str]]) -> None:
    """Raise InputError for a setting of a wrapper that is not added."""
    switch = SWITCHES[kind][0]
    if part.values[switch] != 1:
        return
    for path, (where, _) in given.items():
        if path.startswith(f"{kind}.") and path != f"{kind}.{switch}":
            add = f"--{switch} 2" if switch in part.made_of.FLAGS else f"--set {kind}.{switch}=2"
            raise InputError(f"{where} is given, but has no effect if {switch} is 1: add {add}, or leave it out")


def _general(name: str, value: Any, start: Start) -> Any:
    if value is None and name in start.content:
        try:
            return RULES[name].check(name, start.content[name])
        except InputError as error:
            raise DataFileError(str(error), start.config) from None
    return 0 if name == "seed" and value is None else value


def _apply_file(parts: Mapping[str, Part], start: Start) -> None:
    for kind in SWITCHES.keys() - parts.keys():
        if start.content.get(f"{kind}_settings", {}).get(SWITCHES[kind][0], 1) != 1:
            raise DataFileError(
                f"{kind}_settings are given, but the model {start.model} does not support {kind}: leave them out",
                start.config,
            )
    for kind, part in parts.items():
        try:
            part.put_all(start.content.get(f"{kind}_settings", {}), f"{kind}_settings")
        except InputError as error:
            raise DataFileError(str(error), start.config) from None


def _read(path: Path) -> dict[str, Any]:
    found = _read_json(path)
    for key, value in found.items():
        if key not in FILE_KEYS:
            near = nearest_name(key, FILE_KEYS)
            hint = "choose one of these" if near is None else f"did you mean {near!r}?"
            raise DataFileError(f"a key is {quoted(key)}, but must be one of {', '.join(FILE_KEYS)}: {hint}", path)
        if key.endswith("_settings") and not isinstance(value, dict):
            raise DataFileError(f"{key} must be an object: use the output of --show-config", path)
        if key in NAMES and not isinstance(value, str):
            raise DataFileError(f"{key} must be a name: use the output of --show-config", path)
    return found


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DataFileError(f"cannot be read ({error.strerror}): check the path", path) from None
    except (ValueError, RecursionError) as error:
        raise DataFileError(f"is not valid JSON ({error}): use the output of --show-config", path) from None
    if not isinstance(found, dict):
        raise DataFileError("does not contain a JSON object: use the output of --show-config", path)
    return found
