"""What is to be trained: parts and settings, from defaults, a settings file and flags, in ascending order of say."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from ramify.cli.settings import GENERAL, METAVARS, Setting, build, effective, part, settings_of, unknown
from ramify.errors import DataFileError, InputError
from ramify.wording import quoted

if TYPE_CHECKING:
    from ramify.cli.train import TrainOptions
    from ramify.models.presets import Preset
    from ramify.tagger import Tagger

PARTS = {"model": "xr-linear", "vectorizer": "tfidf"}
SWITCHES = {"disentangled": "copies", "ensemble": "trees"}
"""What is put around the model, from the inside, and the setting that says so where it is not 1."""

KINDS = ("model", *SWITCHES, "vectorizer")
FILE_KEYS = ("model", "vectorizer", *GENERAL, *(f"{kind}_settings" for kind in KINDS))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A model to be.

    Parameters
    ----------
    model, vectorizer : str
        Names of the parts.
    seed : int
    threads : int or None
    model_settings, disentangled_settings, ensemble_settings, vectorizer_settings : dict
        Every scalar of the parts. With several copies the model's labels live in several clusters; with several trees
        it becomes an ensemble of them.
    """

    model: str
    vectorizer: str
    seed: int
    threads: int | None
    model_settings: dict[str, Any]
    disentangled_settings: dict[str, Any]
    ensemble_settings: dict[str, Any]
    vectorizer_settings: dict[str, Any]

    @classmethod
    def of(cls, options: TrainOptions, flags: dict[str, str]) -> Plan:
        """Settle all settings.

        Parameters
        ----------
        options : TrainOptions
            From the command line; a default gives way to the settings file.
        flags : dict
            Text of the flags that are settings of the parts.

        Raises
        ------
        InputError
            An unknown name, or a value of another kind.
        """
        given, start = _file(options), _preset(options.preset or "default")
        chosen: dict[str, Any] = {
            name: getattr(options, name) if getattr(options, name) != default else given.get(name, default)
            for name, default in (("vectorizer", PARTS["vectorizer"]), ("seed", 0), ("threads", None))
        }
        chosen["model"] = options.model or given.get("model", start.model)
        if options.preset is not None and chosen["model"] != start.model:
            raise InputError(
                f"--preset {options.preset} sets up the model {start.model}, but the model is "
                f"{quoted(chosen['model'])}: leave one of them out"
            )
        settled: dict[str, Any] = {}
        for kind in KINDS:
            name = chosen.get(kind, kind)
            estimator = part(kind, name)
            known = settings_of(estimator)
            own = {flag: known[flag].parse(text) for flag, text in flags.items() if flag in known}
            first = start.settings if kind == "model" and name == start.model else {}
            if kind in SWITCHES:
                first = {SWITCHES[kind]: 1}
            settled[f"{kind}_settings"] = effective(estimator, first | given.get(f"{kind}_settings", {}) | own, name)
        for kind in SWITCHES:
            _check_switched_on(kind, chosen["model"], settled, flags)
        return cls(**chosen, **settled)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, and for ``--config``."""
        return {name: getattr(self, name) for name in FILE_KEYS}

    def tagger(self) -> Tagger:
        """The unfitted tagger."""
        from ramify.tagger import Tagger

        vectorizer = part("vectorizer", self.vectorizer)(threads=self.threads, **self.vectorizer_settings)
        return Tagger(self._model(), vectorizer=vectorizer)

    def rehearse(self) -> None:
        """Train the model on two documents: settings out of range show before hours of reading and training.

        Raises
        ------
        InputError
            What the estimator objects to.
        """
        import numpy as np

        model = self._model()
        # a checkpoint of two documents would stand in the way of the training itself
        model.set_params(**{name: None for name in model.get_params() if name.rpartition("__")[2] == "checkpoint"})
        model.fit(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32))

    def _model(self) -> Any:
        general = {"seed": self.seed, "threads": self.threads}
        model = build(part("model", self.model), self.model_settings, general)
        if self.disentangled_settings["copies"] != 1:
            model = part("disentangled", "disentangled")(model, **general, **self.disentangled_settings)
        if self.ensemble_settings["trees"] != 1:
            model = part("ensemble", "ensemble")(model, threads=self.threads, **self.ensemble_settings)
        return model


def _check_switched_on(kind: str, model: str, settled: dict[str, Any], flags: dict[str, str]) -> None:
    """InputError for a flag of something around the model that is not there."""
    settings, switch = settled[f"{kind}_settings"], SWITCHES[kind]
    if settings[switch] != 1:
        return
    elsewhere = {switch}.union(*(settled[f"{other}_settings"] for other in KINDS if other != kind))
    for name in flags:
        if name in settings and name not in elsewhere:
            flag = "--" + name.replace("_", "-")
            if kind == "disentangled" and "indexer" not in inspect.signature(part("model", model)).parameters:
                raise InputError(f"{flag} is given, but the model {model} has no such setting: leave it out")
            raise InputError(
                f"{flag} is given, but does nothing where {switch} is 1: add --{switch} 2, or leave it out"
            )


def flags_of(arguments: Sequence[str]) -> list[inspect.Parameter]:
    """The flags of the parts that a command line names; of the default ones where it names unknown ones."""
    flags: dict[str, inspect.Parameter] = {}
    for kind in KINDS:
        default = PARTS.get(kind, kind)
        name = (_named(arguments, f"--{kind}") if kind in PARTS else None) or default
        if kind == "model" and _named(arguments, "--model") is None:
            name = _started(arguments, default)
        try:
            estimator = part(kind, name)
        except InputError:  # said when the plan is made
            estimator = part(kind, default)
        for setting in settings_of(estimator).values():  # one that two parts have is for both
            flags.setdefault(setting.name, _flag(setting, f"Settings of {name}"))
    return list(flags.values())


def _preset(name: str) -> Preset:
    from ramify.models.presets import named

    return named(name)


def _started(arguments: Sequence[str], default: str) -> str:
    """The model that the preset names; the default where the preset is unknown, which is said when the plan is made."""
    try:
        return _preset(_named(arguments, "--preset") or "default").model
    except InputError:
        return default


def _named(arguments: Sequence[str], flag: str) -> str | None:
    for place, argument in enumerate(arguments):
        if argument.startswith(f"{flag}="):
            return argument.removeprefix(f"{flag}=")
        if argument == flag and place + 1 < len(arguments):
            return arguments[place + 1]
    return None


def _flag(setting: Setting, panel: str) -> inspect.Parameter:
    text = setting.help.replace("[", "\\[")  # rich takes square brackets for markup
    if setting.choices:
        text = f"{text.rstrip('.')}: {', '.join(setting.choices)}."
    option = typer.Option(
        setting.flag,
        help=f"{text} (default: {_shown(setting)})",
        metavar="NAME" if setting.choices else METAVARS[setting.kind],
        rich_help_panel=panel,
    )
    annotation = Annotated[Optional[str], option]  # noqa: UP045
    return inspect.Parameter(setting.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _shown(setting: Setting) -> str:
    value = setting.default
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "none" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _file(options: TrainOptions) -> dict[str, Any]:
    if options.config is None:
        return {}
    found = _read_json(options.config)
    for key in found:
        if key not in FILE_KEYS:
            raise DataFileError(unknown(key, FILE_KEYS, "a key"), options.config)
    for kind in KINDS:
        if not isinstance(found.get(f"{kind}_settings", {}), dict):
            raise DataFileError(f"{kind}_settings must be an object: use what --show-config prints", options.config)
    for kind in PARTS:
        if not isinstance(found.get(kind, ""), str):
            raise DataFileError(f"{kind} must be a name: use what --show-config prints", options.config)
    return found


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DataFileError(f"cannot be read ({error.strerror}): check the path", path) from None
    except (ValueError, RecursionError) as error:
        raise DataFileError(f"is no JSON ({error}): use what --show-config prints", path) from None
    if not isinstance(found, dict):
        raise DataFileError("holds no JSON object: use what --show-config prints", path)
    return found
