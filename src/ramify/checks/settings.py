"""Classes with settings: one rule per parameter, and rules for objects that have settings themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from ramify.checks.rules import Rule

Rules: TypeAlias = Mapping[str, Rule]


class Checked:
    """Base of classes with settings."""

    RULES: ClassVar[Rules] = {}
    """One rule for each parameter of ``__init__``."""

    FLAGS: ClassVar[tuple[str, ...]] = ()
    """Settings that are flags of ``ramify train``, at most 10; the others are set by ``--set`` and settings files."""

    PARTS: ClassVar[Mapping[str, Callable[[], Any]]] = {}
    """Makes the object that is used where the setting of this name is None."""

    def check_settings(self) -> None:
        """Raise InputError if a setting is not accepted by its rule."""
        for name, rule in self.RULES.items():
            rule.check(name, getattr(self, name))


class CheckedWhenMade(Checked):
    """Base of frozen dataclasses with settings; NumPy's scalars become Python's."""

    def __post_init__(self) -> None:
        self.check_settings()
        for name, rule in self.RULES.items():
            object.__setattr__(self, name, rule.check(name, getattr(self, name)))


def check_inside(part: Any) -> None:
    """Raise InputError for a wrong setting of an object with rules; other objects are not checked."""
    if isinstance(part, Checked):
        part.check_settings()


def rules_of(owner: type[Checked], *names: str, **renamed: str) -> dict[str, Rule]:
    """Rules of another class, for settings that are passed on to it; ``setting="its name there"`` where it differs."""
    return {name: owner.RULES[there] for name, there in ({name: name for name in names} | renamed).items()}


@dataclass(frozen=True)
class Own(Rule):
    """An object with given methods, or one of the names of built-in ones; its own settings are checked as well.

    Parameters
    ----------
    methods : sequence of str
        Methods that the object has; "one|other" where either will do, and the first is named in errors.
    names : callable, default tuple
        Returns the names; called at each check, so that classes need not be imported to state the rule.
    role : str, default ""
        Role of the catalogue whose classes fit; "" where none do.
    """

    methods: Sequence[str]
    names: Callable[[], Iterable[str]] = tuple
    role: str = ""

    @property
    def wanted(self) -> str:
        """See ``Rule``."""
        names = f"one of {', '.join(self.choices)}, or " if self.choices else ""
        return f"{names}an object with {' and '.join(method.partition('|')[0] for method in self.methods)}"

    @property
    def spelled(self) -> str:
        """See ``Rule``."""
        return f"one of {', '.join(self.choices)}" if self.choices else self.wanted

    @property
    def choices(self) -> Sequence[str]:
        """See ``Rule``."""
        return tuple(self.names())

    def fits(self, value: Any) -> bool:
        """See ``Rule``."""
        if isinstance(value, str):
            return value in self.choices
        if isinstance(value, type | Mapping):  # a Mapping has keys, as an order has
            return False
        return all(any(callable(getattr(value, name, None)) for name in method.split("|")) for method in self.methods)

    def plain(self, value: Any) -> Any:
        """See ``Rule``."""
        check_inside(value)
        return value


@dataclass(frozen=True)
class Instance(Rule):
    """An object of a class; its own settings are checked as well."""

    kind: type
    called: str

    @property
    def wanted(self) -> str:
        """See ``Rule``."""
        return self.called

    def fits(self, value: Any) -> bool:
        """See ``Rule``."""
        return isinstance(value, self.kind)

    def plain(self, value: Any) -> Any:
        """See ``Rule``."""
        check_inside(value)
        return value


REPRESENTATION = Own(("represent",), role="representation", optional=True)
INDEXER = Own(("build",), role="indexer", optional=True)
