r"""Checks the token pattern of a stored vectorizer for exponential backtracking.

A pattern is accepted if its parsed form has

- only literals, character classes, boundaries, groups, alternatives and repeats;
- in a repeat of more than one round nothing but a fixed sequence of characters;
- between two unbounded repeats a literal that is not part of the first one;
- at most 1,000 combinations of alternatives and of rounds of bounded repeats.

``re`` then takes time of the order of the text's length times its longest run of characters that the pattern accepts.
The rule also rejects some harmless patterns, such as ``(?:-\w+)*``.
"""

from __future__ import annotations

import re
from importlib import import_module
from math import prod
from typing import Any

from ramify.errors import InputError
from ramify.wording import quoted

MAX_PATTERN_LENGTH = 200
MAX_CHOICES = 1000
"""Maximum number of combinations of alternatives and bounded repeats."""

FEW = 32
"""A repeat of more rounds counts as unbounded."""

_PARSER: Any = import_module("re._parser" if hasattr(re, "_parser") else "sre_parse")
_COMPILER: Any = import_module("re._compiler" if hasattr(re, "_compiler") else "sre_compile")
_CHARACTERS = ("LITERAL", "NOT_LITERAL", "ANY", "IN")
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT")


def check_token_pattern(pattern: Any) -> None:
    """Raise InputError for an invalid pattern, or one that may take exponential time.

    Raises
    ------
    InputError
        Not a string of at most 200 characters, not a regular expression, several groups, or rejected by the rule above.
    """
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN_LENGTH:
        raise InputError(
            f"token_pattern is {quoted(pattern)}, but must be a regular expression of at most "
            f"{MAX_PATTERN_LENGTH} characters"
        )
    try:
        parsed = _PARSER.parse(pattern)
        groups = re.compile(pattern).groups
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        raise InputError(f"token_pattern is {quoted(pattern)}, which is no regular expression ({error})") from None
    walk = _Walk(parsed.state)
    if groups > 1 or parsed.state.flags & ~re.UNICODE or not walk.accepts(parsed):
        raise InputError(
            f"token_pattern is {quoted(pattern)}, but repeats within repeats, many alternatives, references, flags and "
            r"look-around are refused, as they can take endless time: use a plain one like r'\b\w\w+\b'"
        )


class _Walk:
    """Walks through a parsed pattern with its open ends: bodies of unbounded repeats that may still grow."""

    def __init__(self, state: Any) -> None:
        self.state = state
        self.choices: list[int] = []

    def accepts(self, parsed: Any) -> bool:
        return self._after(parsed, []) is not None and prod(self.choices) <= MAX_CHOICES

    def _after(self, sequence: Any, ends: list[Any]) -> list[Any] | None:
        """The open ends after a sequence that begins with these; None if it is rejected."""
        for operation, argument in sequence:
            found = self._step(str(operation), argument, ends)
            if found is None:
                return None
            ends = found
        return ends

    def _step(self, name: str, argument: Any, ends: list[Any]) -> list[Any] | None:
        if name == "AT":
            return ends
        if name in _CHARACTERS:
            return [body for body in ends if name != "LITERAL" or self._matches(body, chr(argument))]
        if name == "SUBPATTERN":
            _, added, removed, inner = argument
            return None if added or removed else self._after(inner, ends)
        if name == "BRANCH":
            self.choices.append(len(argument[1]))
            return self._joined([self._after(inner, ends) for inner in argument[1]])
        return self._repeat(argument, ends) if name in _REPEATS else None

    def _repeat(self, argument: tuple[int, int, Any], ends: list[Any]) -> list[Any] | None:
        least, most, body = argument
        if most == 1:
            if least == 0:
                self.choices.append(2)
            inside = self._after(body, ends)
            return self._joined([ends, inside]) if least == 0 else inside
        if not _is_fixed(body):
            return None
        if most <= FEW or least == most:
            self.choices.append(int(most) - int(least) + 1)
            return ends
        return None if ends else [body]

    @staticmethod
    def _joined(found: list[list[Any] | None]) -> list[Any] | None:
        return None if None in found else [body for ends in found if ends for body in ends]

    def _matches(self, body: Any, character: str) -> bool:
        """Whether a character may occur in the body of the repeat."""
        for item in body:
            if item[0].name == "SUBPATTERN":
                if self._matches(item[1][3], character):
                    return True
                continue
            alone = _PARSER.SubPattern(self.state, [item])
            if _COMPILER.compile(alone, 0).fullmatch(character):
                return True
        return False


def _is_fixed(body: Any) -> bool:
    """Whether it is one or more characters, without any choice of length."""
    plain = all(
        str(name) in _CHARACTERS or (str(name) == "SUBPATTERN" and not any(rest[1:3]) and _is_fixed(rest[3]))
        for name, rest in body
    )
    return plain and len(body) > 0
