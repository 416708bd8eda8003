"""Settings of a part and of its inner parts, parsed from text or JSON and built to an object.

Names, rules and defaults are taken from the classes (``RULES``, ``__init__``, ``PARTS``), the help from docstrings.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ramify import catalogue
from ramify.checks import Instance, Own, Parsed, Rule
from ramify.errors import InputError
from ramify.wording import nearest_name, quoted

GENERAL = ("seed", "threads")
"""Options of the command, which are not settings of a part."""

INHERITED = (*GENERAL, "held_out", "normalize")
"""Settings that an outer estimator overrides in the estimators inside it."""

OUTER = {
    catalogue.MODEL: GENERAL,
    catalogue.VECTORIZER: GENERAL,
    catalogue.WRAPPER: (*GENERAL, "model", "models"),
    catalogue.MATCHER: INHERITED,
}
"""Settings that cannot be set for a part, by its role."""

KIND = "kind"
"""Key of the name of a part in JSON."""

NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting of a class.

    Parameters
    ----------
    name : str
        Name of the parameter.
    rule : Rule
        Valid values.
    default : object
        Default value; ``inspect.Parameter.empty`` without a default.
    help : str
        Description in the docstring.
    """

    name: str
    rule: Rule
    default: Any
    help: str

    @property
    def role(self) -> str | None:
        """Role of the classes whose objects are valid values; None for a plain value."""
        if isinstance(self.rule, Instance):
            return catalogue.MODEL
        return self.rule.role or None if isinstance(self.rule, Own) else None

    @property
    def kinds(self) -> dict[str, catalogue.Entry]:
        """Classes whose objects are valid values, by name."""
        if self.role is None:
            return {}
        kinds = catalogue.named(self.role)
        only = self.rule.kind.__name__ if isinstance(self.rule, Instance) else None
        return {name: entry for name, entry in kinds.items() if only in (None, entry.name)}

    @property
    def wanted(self) -> str:
        """Description of the valid values."""
        kinds = self.kinds
        wanted = f"one of {', '.join(kinds)}" if kinds else self.rule.spelled
        return self.rule.or_none(wanted, NONE)

    def from_text(self, text: str, where: str) -> Any:
        """Parse a value.

        Parameters
        ----------
        text : str
            Text of the value.
        where : str
            The flag or path, for errors.

        Raises
        ------
        InputError
            The text cannot be parsed, or the value breaks the rule.
        """
        if self.rule.optional and text.lower() == NONE:
            return None
        try:
            value = self.rule.from_text(text)
        except ValueError:
            raise self._wrong(text, where) from None
        return self.checked(value, where)

    def checked(self, value: Any, where: str) -> Any:
        """The value as a plain Python object; InputError if it breaks the rule."""
        if value is None and self.rule.optional:
            return None
        if isinstance(self.rule, Parsed):
            self.rule.check(self.name, value)
            return value
        if value is None or not self.rule.fits(value):
            raise self._wrong(value, where)
        return self.rule.plain(value)

    def _wrong(self, value: Any, where: str) -> InputError:
        return InputError(f"{where} is {quoted(value)}, but must be {self.wanted}{self.rule.hint(value)}")


class Part:
    """A class of the catalogue and the values of its settings; values that are objects are again a ``Part``.

    Parameters
    ----------
    role, kind : str
        Role in the catalogue and name in it.
    outer : sequence of str, optional
        Settings that are overridden by the outer estimator; those of ``OUTER`` when None.
    defaults : mapping of str, optional
        Defaults that differ from those of the class.
    """

    def __init__(
        self, role: str, kind: str, outer: Sequence[str] | None = None, defaults: Mapping[str, Any] | None = None
    ) -> None:
        self.role, self.kind = role, kind
        self.entry = catalogue.find(role, kind, f"--{role}")
        self.outer = OUTER.get(role, ()) if outer is None else outer
        self.values = {name: self._default(one, defaults or {}) for name, one in self.settings.items()}

    @cached_property
    def made_of(self) -> Any:
        """The class."""
        return self.entry.load()

    @cached_property
    def settings(self) -> dict[str, Setting]:
        """Settings by name, without those of ``outer``."""
        return {name: one for name, one in settings_of(self.made_of).items() if name not in self.outer}

    def put(self, path: Sequence[str], value: Any, where: str, *, is_text: bool) -> None:
        """Set a value.

        Parameters
        ----------
        path : sequence of str
            Names from this part down to the setting.
        value : str, or any value of JSON
            For a setting whose value is an object: the name of its kind, or a JSON object with "kind" and settings.
        where : str
            The flag, path or key, for errors.
        is_text : bool
            Whether the value is text to be parsed.

        Raises
        ------
        InputError
            An unknown setting, or a value that breaks its rule.
        """
        name, *rest = path
        if name not in self.settings:
            raise InputError(f"{where}: {self._unknown(name)}")
        setting = self.settings[name]
        if rest:
            self._inside(setting, where).put(rest, value, where, is_text=is_text)
        elif setting.role is not None:
            self._put_part(setting, value, where)
        elif is_text:
            self.values[name] = setting.from_text(value, where)
        else:
            self.values[name] = setting.checked(value, where)

    def put_all(self, values: Mapping[str, Any], where: str) -> None:
        """Set the values of a settings file; keys may be paths such as "chain.hidden" or "chain__hidden"."""
        for name, value in values.items():
            self.put(name.replace("__", ".").split("."), value, f"{where}.{name}", is_text=False)

    def as_dict(self) -> dict[str, Any]:
        """All values, in the form that ``put_all`` accepts."""
        return {
            name: {KIND: value.kind} | value.as_dict() if isinstance(value, Part) else value
            for name, value in self.values.items()
        }

    def build(self, *around: Any, **general: Any) -> Any:
        """Create the unfitted object.

        Parameters
        ----------
        *around : object
            The inner model of a wrapper.
        **general
            Values of ``GENERAL``; passed to the class if it has these settings.

        Raises
        ------
        MissingExtraError
            The class needs an extra that is not installed.
        InputError
            A setting without a value that has no default.
        """
        self.entry.check_installed()
        taken = {name: value for name, value in general.items() if name in self.made_of.RULES}
        for name, value in self.values.items():
            if value is inspect.Parameter.empty:
                raise InputError(f"{name} of the {self.role} {self.kind} has no value: add --set with its path")
            taken[name] = value.build() if isinstance(value, Part) else value
        return self.made_of(*around, **taken)

    def paths(self) -> dict[str, tuple[Part, Setting]]:
        """All settings of this part and of inner parts by path, each with its part."""
        found = {}
        for name, setting in self.settings.items():
            found[name] = (self, setting)
            inner = self.values[name]
            if isinstance(inner, Part):
                found |= {f"{name}.{path}": place for path, place in inner.paths().items()}
        return found

    def _default(self, setting: Setting, defaults: Mapping[str, Any]) -> Any:
        value = defaults.get(setting.name, setting.default)
        if setting.role is not None and isinstance(value, str):
            return self._inner(setting, value)
        if value is None and setting.name in self.made_of.PARTS:
            usual = self.made_of.PARTS[setting.name]()
            return self._inner(setting, _kind_of(setting, usual), vars(usual))
        return value

    def _inside(self, setting: Setting, where: str) -> Part:
        value = self.values[setting.name]
        if isinstance(value, Part):
            return value
        if setting.role is None:
            raise InputError(f"{where}: {setting.name} has no settings: use --set {setting.name}=VALUE")
        kinds = "|".join(setting.kinds)
        raise InputError(f"{where}: {setting.name} has no kind yet: add --set {setting.name}={kinds}")

    def _put_part(self, setting: Setting, value: Any, where: str) -> None:
        if value is None or value == NONE:
            if not setting.rule.optional:
                raise setting._wrong(value, where)
            self.values[setting.name] = self._default(setting, {})
            return
        settings = dict(value) if isinstance(value, Mapping) else {KIND: value}
        now = self.values[setting.name]
        kind = settings.pop(KIND, now.kind if isinstance(now, Part) else None)
        if kind not in setting.kinds:
            near = nearest_name(kind, setting.kinds) if isinstance(kind, str) else None
            hint = "" if near is None else f": did you mean {near!r}?"
            raise InputError(f"{where} is {quoted(kind)}, but must be {setting.wanted}{hint}")
        if not isinstance(now, Part) or now.kind != kind:
            self.values[setting.name] = self._inner(setting, kind)
        self.values[setting.name].put_all(settings, where)

    def _inner(self, setting: Setting, kind: str, defaults: Mapping[str, Any] | None = None) -> Part:
        role = str(setting.role)
        own = [name for name in INHERITED if name in self.made_of.RULES or name in self.outer]
        outer = own if role in OUTER else ()
        return Part(role, kind, outer, defaults)

    def _unknown(self, name: str) -> str:
        if name in GENERAL:
            return f"use --{name}"
        near = nearest_name(name, self.settings)
        hint = f"see ramify settings {self.kind}" if near is None else f"did you mean {near!r}?"
        return f"the {self.role} {self.kind} has no setting {quoted(name)}: {hint}"


def settings_of(kind: Any) -> dict[str, Setting]:
    """The settings of a class by name, in the order of its signature."""
    described = _described(kind)
    return {
        name: Setting(name=name, rule=kind.RULES[name], default=parameter.default, help=described.get(name, ""))
        for name, parameter in inspect.signature(kind).parameters.items()
        if name in kind.RULES and _can_be_given(kind.RULES[name])
    }


def shown(value: Any) -> str:
    """A value as text, in the form that ``Setting.from_text`` parses."""
    if isinstance(value, Part):
        return value.kind
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ",".join(map(shown, value))
    return NONE if value is None else "" if value is inspect.Parameter.empty else str(value)


def first_sentence(text: str) -> str:
    """The first sentence or clause of a description, without the full stop or semicolon."""
    return re.split(r"\.(?:\s|$)|;", text, maxsplit=1)[0]


def _can_be_given(rule: Rule) -> bool:
    """Whether values can be given as text: False for objects of classes outside the catalogue."""
    if isinstance(rule, Own):
        return bool(rule.role or rule.choices)
    return not isinstance(rule, Instance) or catalogue.by_class(rule.kind.__name__) is not None


def _kind_of(setting: Setting, part: Any) -> str:
    return next(name for name, entry in setting.kinds.items() if entry.name == type(part).__name__)


def _described(kind: Any) -> dict[str, str]:
    """Descriptions in the Parameters section of a numpydoc docstring, by parameter."""
    text = inspect.cleandoc(kind.__doc__ or "")
    section = re.search(r"^Parameters\n-+\n(.*?)(?=\n\n?\S[^\n]*\n-+\n|\Z)", text, re.S | re.M)
    found: dict[str, str] = {}
    for names, body in re.findall(
        r"^(\S[^\n:]*?)(?: :[^\n]*)?\n((?:    [^\n]*\n?|\n)*)", section[1] if section else "", re.M
    ):
        help = " ".join(body.split()).replace("``", "")
        found |= {name.strip(" *"): help for name in names.split(",")}
    return found
