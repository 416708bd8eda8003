"""Rules for single values: numbers, names, lists, and values that a function parses."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ramify.errors import InputError
from ramify.wording import nearest_name, quoted

MAX_THREADS = 4096
AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Rule of a setting.

    Parameters
    ----------
    optional : bool, default False
        Whether None is accepted.
    """

    optional: bool = False

    @property
    def wanted(self) -> str:
        """The requirement, as the end of the message "... but must be ..."."""
        raise NotImplementedError

    @property
    def spelled(self) -> str:
        """``wanted`` for values that are given as text."""
        return self.wanted

    def or_none(self, wanted: str, none: str = "None") -> str:
        """The requirement together with None, where None is accepted."""
        return f"{wanted} or {none}" if self.optional else wanted

    @property
    def choices(self) -> Sequence[str]:
        """All values, where they are names; else empty."""
        return ()

    def from_text(self, text: str) -> Any:
        """The value that a text stands for; whether it fits is left to ``fits``.

        Raises
        ------
        ValueError
            The text has another form.
        """
        return text

    def hint(self, value: Any) -> str:
        """The end of an error about a value: the name that is nearest to it, if there is one."""
        near = nearest_name(value, self.choices) if isinstance(value, str) else None
        return "" if near is None else f": did you mean {near!r}?"

    def fits(self, value: Any) -> bool:
        """Whether the value, which is not None, is accepted."""
        raise NotImplementedError

    def plain(self, value: Any) -> Any:
        """An accepted value as a plain Python object."""
        return value

    def check(self, name: str, value: Any) -> Any:
        """The value, NumPy's scalars as Python's.

        Raises
        ------
        InputError
            A value that is not accepted.
        """
        if value is None and self.optional:
            return None
        if value is None or not self.fits(value):
            wanted = self.or_none(self.wanted)
            raise InputError(f"{name} is {quoted(value)}, but must be {wanted}{self.hint(value)}")
        return self.plain(value)


@dataclass(frozen=True)
class Whole(Rule):
    """A whole number in low..high; no bool."""

    low: int
    high: float = 2**63 - 1

    @property
    def wanted(self) -> str:
        """See ``Rule``."""
        limit = "" if math.isinf(self.high) else f" and at most {self.high}"
        return f"a whole number of at least {self.low}{limit}"

    def fits(self, value: Any) -> bool:
        """See ``Rule``."""
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        return whole and bool(self.low <= value <= self.high)

    def from_text(self, text: str) -> int:
        """See ``Rule``."""
        return int(text)

    def plain(self, value: Any) -> int:
        """See ``Rule``."""
        return int(value)


@dataclass(frozen=True)
class Real(Rule):
    """A number in low..high; no bool, no NaN."""

    low: float
    high: float

    @property
    def wanted(self) -> str:
        """See ``Rule``."""
        return f"a number of at least {self.low:g} and at most {self.high:g}"

    def fits(self, value: Any) -> bool:
        """See ``Rule``."""
        number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
        return number and bool(self.low <= value <= self.high)

    def from_text(self, text: str) -> float:
        """See ``Rule``."""
        return float(text)

    def plain(self, value: Any) -> float:
        """See ``Rule``."""
        return float(value)


@dataclass(frozen=True)
class YesNo(Rule):
    """True or False."""

    @property
    def wanted(self) -> str:
        """See ``Rule``."""
        return "True or False"

    @property
    def spelled(self) -> str:
        """See ``Rule``."""
        return "yes or no"

    def from_text(self, text: str) -> bool:
        """See ``Rule``."""
        value = {"yes": True, "true": True, "no": False, "false": False}.get(text.lower())
        if value is None:
            raise ValueError
        return value

    def fits(self, value: Any) -> bool:
        """See ``Rule``."""
        return isinstance(value, bool | np.bool_)

    def plain(self, value: Any) -> bool:
        """See ``Rule``."""
        return bool(value)


@dataclass(frozen=True)
class OneOf(Rule):
    """One of some names; with ``prefix`` also a name behind it."""

    names: Sequence[str]
    prefix: str = ""

    @property
    def choices(self) -> Sequence[str]:
        """See ``Rule``."""
        return [*self.names, *(self.prefix + name for name in self.names if self.prefix)]

    @property
    def wanted(self) -> str:
        """See ``Rule``."""
        also = f", or one with {self.prefix} before it" if self.prefix else ""
        return f"one of {', '.join(self.names)}{also}" if len(self.names) > 1 else repr(self.names[0])

    def fits(self, value: Any) -> bool:
        """See ``Rule``."""
        return isinstance(value, str) and (value.removeprefix(self.prefix) in self.names)


@dataclass(frozen=True)
class Pair(Rule):
    """Two whole numbers in low..high, the second at least the first."""

    low: int
    high: int

    @property
    def wanted(self) -> str:
        """See ``Rule``."""
        return f"two whole numbers (shortest, longest) from {self.low} to {self.high}"

    @property
    def spelled(self) -> str:
        """See ``Rule``."""
        return f"two whole numbers from {self.low} to {self.high}, as in 1,2"

    def from_text(self, text: str) -> tuple[int, ...]:
        """See ``Rule``."""
        return tuple(int(number) for number in text.split(","))

    def fits(self, value: Any) -> bool:
        """See ``Rule``."""
        number = Whole(self.low, self.high)
        sized = isinstance(value, tuple | list) and len(value) == 2 and all(number.fits(one) for one in value)
        return sized and bool(value[0] <= value[1])

    def plain(self, value: Any) -> tuple[int, int]:
        """See ``Rule``."""
        return int(value[0]), int(value[1])


@dataclass(frozen=True)
class Several(Rule):
    """A non-empty list, tuple or array of values with one rule."""

    each: Rule

    @property
    def wanted(self) -> str:
        """See ``Rule``."""
        return f"a list, not empty, and each entry {self.each.wanted}"

    @property
    def spelled(self) -> str:
        """See ``Rule``."""
        return f"a list such as a,b, and each entry {self.each.spelled}"

    def from_text(self, text: str) -> list[Any]:
        """See ``Rule``."""
        return [self.each.from_text(one) for one in text.split(",")]

    def fits(self, value: Any) -> bool:
        """See ``Rule``."""
        listed = isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1)
        return listed and len(value) > 0 and all(one is not None and self.each.fits(one) for one in value)

    def plain(self, value: Any) -> list[Any]:
        """See ``Rule``."""
        return [self.each.plain(one) for one in value]


@dataclass(frozen=True)
class OrAuto(Rule):
    """The values of another rule, or "auto": the value is chosen in ``fit``."""

    rule: Rule

    @property
    def wanted(self) -> str:
        """See ``Rule``."""
        return f"'{AUTO}' or {self.rule.wanted}"

    @property
    def spelled(self) -> str:
        """See ``Rule``."""
        return f"{AUTO} or {self.rule.spelled}"

    def fits(self, value: Any) -> bool:
        """See ``Rule``."""
        return (isinstance(value, str) and value == AUTO) or self.rule.fits(value)

    def from_text(self, text: str) -> Any:
        """See ``Rule``."""
        return text if text == AUTO else self.rule.from_text(text)

    def plain(self, value: Any) -> Any:
        """See ``Rule``."""
        return value if isinstance(value, str) else self.rule.plain(value)


@dataclass(frozen=True)
class Parsed(Rule):
    """Values that a function accepts; it returns the value or raises InputError.

    Parameters
    ----------
    parse : callable
        The function.
    wanted_text : str, default "text"
        The form of texts, for help and errors.
    """

    parse: Callable[[Any], Any]
    wanted_text: str = "text"

    @property
    def spelled(self) -> str:
        """See ``Rule``."""
        return self.wanted_text

    def check(self, name: str, value: Any) -> Any:
        """See ``Rule``; the function's own sentence."""
        return None if value is None and self.optional else self.parse(value)

    def plain(self, value: Any) -> Any:
        """See ``Rule``."""
        return self.parse(value)


SEED = Whole(0, 2**32 - 1)
THREADS = Whole(1, MAX_THREADS, optional=True)
THRESHOLD = Real(-1e30, 1e30)
COUNT = Whole(1, 2**31 - 1)
