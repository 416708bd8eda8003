"""Flags from estimators: names and defaults from the signature, help from the docstring. No copy kept by hand.

What an estimator's ``__init__`` takes as plain scalars (or pairs of whole numbers) becomes a flag and a key of the
settings file. An estimator that says what is inside it (``parts_inside``) lends it its flags, as in ``--chain-hidden``.
Other objects can only be given in Python.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ramify import catalogue
from ramify.errors import InputError
from ramify.wording import nearest_name, quoted

GENERAL = ("seed", "threads")
"""Flags of every command, not of a part."""

OUTERMOST = ("decision_threshold", "held_out", "normalize")
"""Settings that an estimator has the say of for what is inside it, too."""

KINDS = {
    "bool": "yes or no",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "tuple[int, int]": "two whole numbers, as in 1,2",
}
METAVARS = {"bool": "yes|no", "int": "N", "float": "X", "str": "TEXT", "tuple[int, int]": "N,N"}
NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One scalar that an estimator takes.

    Parameters
    ----------
    name : str
        Its name in Python.
    kind : str
        A key of ``KINDS``.
    optional : bool
        Whether None is a value.
    default : object
        Its default.
    choices : tuple of str
        All values, where the docstring lists them.
    help : str
        Its docstring.
    """

    name: str
    kind: str
    optional: bool
    default: Any
    choices: tuple[str, ...]
    help: str

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return "--" + self.name.replace("__", "_").replace("_", "-")

    def parse(self, text: str) -> Any:
        """The value that a flag's text means.

        Raises
        ------
        InputError
            Text of another kind.
        """
        if self.optional and text.lower() == NONE:
            return None
        if self.choices and text not in self.choices:
            raise InputError(unknown(text, self.choices, self.flag))
        try:
            return _PARSERS[self.kind](text)
        except ValueError:
            also = f" or {NONE}" if self.optional else ""
            raise InputError(f"{self.flag} is {quoted(text)}, but must be {KINDS[self.kind]}{also}") from None

    def check(self, value: Any) -> Any:
        """A value from a settings file.

        Raises
        ------
        InputError
            A value of another kind.
        """
        if value is None and self.optional:
            return None
        if self.choices and value not in self.choices:
            raise InputError(unknown(str(value), self.choices, self.name))
        if self.kind == "tuple[int, int]" and isinstance(value, list | tuple) and len(value) == 2:
            return tuple(value)
        fits = {"bool": bool, "int": int, "float": int | float, "str": str}.get(self.kind)
        if fits is None or not isinstance(value, fits) or (isinstance(value, bool) and self.kind != "bool"):
            raise InputError(f"{self.name} is {quoted(value)}, but must be {KINDS[self.kind]}")
        return value


def part(kind: str, name: str) -> type:
    """The class behind a name, e.g. ``part("model", "xr-linear")``.

    Raises
    ------
    InputError
        An unknown name; the sentence suggests near ones.
    """
    role = kind if kind in (catalogue.MODEL, catalogue.VECTORIZER) else catalogue.WRAPPER
    found: type = catalogue.find(role, name, f"--{kind}").load()
    return found


def unknown(name: str, known: Iterable[str], where: str) -> str:
    """The sentence for a name that is none of the known ones."""
    names = list(known)
    near = nearest_name(name, names)
    hint = "choose one of these" if near is None else f"did you mean {near!r}?"
    return f"{where} is {quoted(name)}, but must be one of {', '.join(names)}: {hint}"


def settings_of(estimator: type) -> dict[str, Setting]:
    """The settings of an estimator by name, in the order of its signature."""
    described = described_parameters(estimator)
    found = {}
    for name, parameter in inspect.signature(estimator).parameters.items():
        setting = _setting(name, parameter, described.get(name, ("", "")))
        if setting is not None and name not in GENERAL:
            found[name] = setting
    for inside, inner in parts_inside(estimator).items():
        defaults = inner.get_params(deep=False)
        for name, setting in settings_of(type(inner)).items():
            last = name.rpartition("__")[2]
            if last not in OUTERMOST or last not in found:
                default = defaults.get(name, setting.default)
                found[f"{inside}__{name}"] = replace(setting, name=f"{inside}__{name}", default=default)
    return found


def parts_inside(estimator: type) -> dict[str, Any]:
    """Parameter -> the unfitted estimator that is taken where it is None, of those that are built around others."""
    tell: Callable[[], dict[str, Any]] = getattr(estimator, "parts_inside", dict)
    return tell()


def build(estimator: type, settings: Mapping[str, Any], general: Mapping[str, Any]) -> Any:
    """The unfitted estimator, and those inside it.

    Parameters
    ----------
    estimator : type
    settings : mapping of str
        As ``effective`` gives them.
    general : mapping of str
        Of ``GENERAL``; what the estimator does not take is left out.
    """
    taken = {name: value for name, value in general.items() if name in inspect.signature(estimator).parameters}
    taken |= {name: value for name, value in settings.items() if "__" not in name}
    for inside, inner in parts_inside(estimator).items():
        start = f"{inside}__"
        own = {name.removeprefix(start): value for name, value in settings.items() if name.startswith(start)}
        taken[inside] = build(type(inner), own, {})
    return estimator(**taken)


def described_parameters(estimator: type) -> dict[str, tuple[str, str]]:
    """Name → (type, description) of the section Parameters of a numpydoc docstring."""
    lines = inspect.cleandoc(estimator.__doc__ or "").splitlines()
    if "Parameters" not in lines:
        return {}
    found: dict[str, tuple[str, list[str]]] = {}
    names: list[str] = []
    for number, line in enumerate(lines[lines.index("Parameters") + 2 :], lines.index("Parameters") + 2):
        if number + 1 < len(lines) and re.fullmatch("-+", lines[number + 1]):
            break
        if line and not line.startswith(" "):
            left, _, kind = line.partition(" : ")
            names = [name.strip() for name in left.split(",")]
            found |= {name: (kind, []) for name in names}
        elif line:
            for name in names:
                found[name][1].append(line.strip())
    return {name: (kind, " ".join(words)) for name, (kind, words) in found.items()}


def effective(estimator: type, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """All settings of an estimator: the given ones over the defaults.

    Parameters
    ----------
    estimator : type
    given : mapping of str
        Values from a settings file and flags.
    where : str
        How errors call the part.

    Raises
    ------
    InputError
        An unknown name or a value of another kind.
    """
    known = settings_of(estimator)
    for name in given:
        if name not in known:
            raise InputError(f"{where}: " + unknown(name, known, "a setting"))
    return {name: setting.check(given[name]) if name in given else setting.default for name, setting in known.items()}


def _setting(name: str, parameter: inspect.Parameter, described: tuple[str, str]) -> Setting | None:
    annotation = str(parameter.annotation).replace(" | None", "")
    default = parameter.default
    kind = annotation if annotation in KINDS else "str" if annotation == "Any" and isinstance(default, str) else None
    if kind is None:
        return None
    choices = re.match(r"\{(.*?)\}", described[0])
    return Setting(
        name=name,
        kind=kind,
        optional="None" in str(parameter.annotation) or "None" in described[0],
        default=default,
        choices=tuple(re.findall(r'"(.*?)"', choices[1])) if choices else (),
        help=described[1].replace("``", ""),
    )


def _number(text: str) -> float:
    """Whole numbers stay whole: for some settings 1 is a count and 1.0 a share."""
    try:
        return int(text)
    except ValueError:
        return float(text)


def _pair(text: str) -> tuple[int, int]:
    first, second = text.split(",")
    return int(first), int(second)


def _boolean(text: str) -> bool:
    value = {"yes": True, "true": True, "no": False, "false": False}.get(text.lower())
    if value is None:
        raise ValueError
    return value


_PARSERS: dict[str, Callable[[str], Any]] = {
    "bool": _boolean,
    "int": int,
    "float": _number,
    "str": str,
    "tuple[int, int]": _pair,
}
