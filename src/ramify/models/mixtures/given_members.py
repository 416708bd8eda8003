"""Members of a fusion as they are given: names with settings, directories of saved models, and estimators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ramify import catalogue
from ramify.errors import InputError
from ramify.models.base.adapter import set_known
from ramify.models.mixtures.members import check_model
from ramify.models.presets import PRESETS, TFIDF
from ramify.store import MANIFEST
from ramify.wording import nearest_name, quoted

SAVED, TRAINED = "SavedMember", "TrainedMember"
"""Classes of saved models, and of models with a vectorizer; they are in a higher layer, and found by the catalogue."""

SINGLE = [name for name, one in PRESETS.items() if one.model != "fusion"]
"""Presets that are one model."""


@dataclass(frozen=True)
class NamedMember:
    """A member given as text.

    Parameters
    ----------
    name : str
        Name of a model, a matcher or a preset; the last part of the path of a saved model.
    settings : dict
        Settings that follow the name.
    directory : Path, optional
        Directory of a saved model.
    """

    name: str
    settings: Mapping[str, Any]
    directory: Path | None = None

    @classmethod
    def of(cls, text: str) -> NamedMember:
        """From a text such as "xr-linear", "nearest-texts:label_share=1" or "models/tree".

        Raises
        ------
        InputError
            An unknown name, a setting without a value, or one that the model does not have.
        """
        name, *pairs = text.split(":")
        known = [*SINGLE, *_kinds()]
        if name not in known and _is_directory(text):
            if not (Path(text) / MANIFEST).is_file():
                raise InputError(f"the member {quoted(text)} is a directory without a model: give one that has a model")
            return cls(Path(text).resolve().name, {}, Path(text))
        if name not in known:
            raise InputError(_unknown(name, known))
        settings: dict[str, Any] = {}
        for pair in pairs:
            setting, value = _setting(name, pair)
            if setting in settings:
                raise InputError(f"the member {quoted(text)} has the setting {setting} twice: give it once")
            settings[setting] = value
        return cls(name, settings)

    def made(self, *, seed: int, threads: int | None) -> Any:
        """The unfitted model, or the saved one as a member that is not trained."""
        if self.directory is not None:
            return _class_of(SAVED).opened(self.directory, threads=threads)
        if self._vectorizer() != TFIDF:
            return _class_of(TRAINED).of_preset(self.name, self.settings, seed=seed, threads=threads)
        if self.name in PRESETS:
            model = PRESETS[self.name].build(seed=seed, threads=threads)
        else:
            entry = _kinds()[self.name]
            entry.check_installed()
            model = set_known(entry.load()(), seed=seed, threads=threads)
        return model.set_params(**self.settings) if self.settings else model

    def is_same(self, other: NamedMember) -> bool:
        """Whether both give the same model."""
        if self.directory is None or other.directory is None:
            return self.directory is other.directory and self._same_settings(other)
        return self.directory.resolve() == other.directory.resolve()

    def _same_settings(self, other: NamedMember) -> bool:
        if self._vectorizer() != other._vectorizer():
            return False
        return self._entry() == other._entry() and self._all_settings() == other._all_settings()

    def _vectorizer(self) -> str:
        return PRESETS[self.name].vectorizer if self.name in PRESETS else TFIDF

    def _entry(self) -> catalogue.Entry:
        return _kinds()[PRESETS[self.name].model if self.name in PRESETS else self.name]

    def _all_settings(self) -> dict[str, Any]:
        return {**(PRESETS[self.name].settings if self.name in PRESETS else {}), **self.settings}


def listed_members(given: Any) -> list[Any]:
    """The members of a fusion as a list of texts and of estimators.

    Raises
    ------
    InputError
        No member, an empty, unknown or repeated name, a wrong setting, or an object that is not a model.
    """
    if isinstance(given, str):
        members: list[Any] = [member.strip() for member in given.split(",")]
    else:
        members = list(given) if isinstance(given, list | tuple) else [given]
    if not members:
        raise InputError("members is empty, but a fusion needs at least one: give names or estimators")
    if any(isinstance(member, str) and not member.strip(" :") for member in members):
        raise InputError(
            f"members is {quoted(given)}, which has an empty name: write names with one comma between them, as in "
            "xr-linear,nearest-instances"
        )
    found: list[Any] = []
    for member in members:
        if isinstance(member, str):
            one = NamedMember.of(member)
            _check_new(member, one, found)
            found.append((member, one))
        else:
            check_model(member)
            if any(member is other for other in found):
                raise InputError(f"members contains one {type(member).__name__} object twice: leave one out")
            found.append(member)
    return members


def _check_new(text: str, one: NamedMember, found: Sequence[Any]) -> None:
    """Raise InputError if an earlier member is the same model."""
    for other in found:
        if isinstance(other, tuple) and one.is_same(other[1]):
            both = quoted(text) if text == other[0] else f"{quoted(other[0])} and {quoted(text)}"
            what = "twice" if text == other[0] else "which are the same model"
            raise InputError(
                f"members contains {both}, {what}: leave one out, or give it other settings, as in xr-linear:seed=1"
            )


def member_names(members: Sequence[Any]) -> list[str]:
    """A different name for each member: the given one without settings, or that of its class."""
    found: list[str] = []
    for one in members:
        if isinstance(one, str):
            name = NamedMember.of(one).name
        else:
            name = str(getattr(one, "name", None) or type(one).__name__)
        alike = sum(other == name or other.startswith(f"{name} ") for other in found)
        found.append(name if alike == 0 else f"{name} {alike + 1}")
    return found


def made_member(text: str, *, seed: int = 0, threads: int | None = None) -> Any:
    """The unfitted model of a text such as "nearest-texts:label_share=1"; see ``NamedMember``."""
    return NamedMember.of(text).made(seed=seed, threads=threads)


def _is_directory(text: str) -> bool:
    try:
        return Path(text).is_dir()
    except (OSError, ValueError):  # a NUL, or a name that is too long
        return False


def _class_of(name: str) -> Any:
    entry: Any = catalogue.by_class(name)
    return entry.load()


def _kinds() -> dict[str, catalogue.Entry]:
    """Models and matchers by name."""
    return catalogue.named(catalogue.MATCHER) | catalogue.named(catalogue.MODEL)


def _setting(name: str, pair: str) -> tuple[str, Any]:
    """A setting of a member and its value, from a text such as "label_share=1"."""
    entry = _kinds()[PRESETS[name].model if name in PRESETS else name]
    rules = entry.load().RULES
    setting, equals, value = pair.partition("=")
    setting = setting.strip().replace("-", "_")
    if setting not in rules:
        near = nearest_name(setting, rules)
        model = entry.roles.get(catalogue.MODEL, name)
        hint = f"ramify settings {model} lists them" if near is None else f"did you mean {near!r}?"
        raise InputError(f"the member {name} has no setting {quoted(setting)}: {hint}")
    if not equals:
        raise InputError(
            f"the member {name} has the setting {setting} without a value: write {name}:{setting}=VALUE, or leave it "
            "out"
        )
    rule = rules[setting]
    try:
        found = None if rule.optional and value == "none" else rule.from_text(value)
    except ValueError:
        raise InputError(f"{setting} of the member {name} is {quoted(value)}, but must be {rule.spelled}") from None
    return setting, rule.check(f"{setting} of the member {name}", found)


def _unknown(name: str, known: Sequence[str]) -> str:
    """The error for an unknown name."""
    if name in PRESETS:
        return f"the member {name} is a preset that is a fusion itself: name its members instead"
    if "/" in name or "\\" in name:
        return f"the member {quoted(name)} is no directory: give the directory of a saved model, or the name of a model"
    near = nearest_name(name, known)
    hint = "ramify settings lists the models" if near is None else f"did you mean {near!r}?"
    return (
        f"the member {quoted(name)} is no model, no preset ({', '.join(SINGLE)}), and no directory of a saved model: "
        f"{hint}"
    )
