"""Commands as a frozen dataclass of options and a function; typer derives flags and help from the fields."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import typer

from ramify.wording import quoted

Options = TypeVar("Options")
Number = TypeVar("Number", int, float)


def as_command(
    options: type[Options], body: Callable[..., None], more: Sequence[inspect.Parameter] = ()
) -> Callable[..., None]:
    """Convert a dataclass of options and a function to a typer command.

    Parameters
    ----------
    options : dataclass
        A dataclass whose fields are annotated with ``typer.Argument`` and ``typer.Option``.
    body : callable
        Called with the options.
    more : sequence of Parameter
        Additional keyword parameters; their values are passed to ``body`` as keyword arguments.
    """
    parameters = [*parameters_of(options), *more]

    # typer enforces the signature that is set below, so that **values accepts no misspelt name.
    def command(**values: Any) -> None:
        others = {parameter.name: values.pop(parameter.name) for parameter in more}
        body(options(**values), **others)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def parameters_of(options: type) -> list[inspect.Parameter]:
    """The fields of a dataclass as keyword parameters."""
    hints = get_type_hints(options, include_extras=True)
    # Options of the command precede the options shared with other commands.
    fields = sorted(dataclasses.fields(options), key=lambda field: field.name not in options.__annotations__)
    return [_parameter(field, hints[field.name]) for field in fields]


def paragraphs(text: str) -> str:
    """Help text with each paragraph joined to one line for wrapping at any width; indented lines are unchanged."""
    return re.sub(r"(?<=\S)\n(?=\S)", " ", inspect.cleandoc(text))


def path(text: str) -> Path:
    """A path on the command line; an empty one would be the current directory."""
    if not str(text):
        raise typer.BadParameter("the path is an empty string")
    return Path(text)


def whole_number(text: str) -> int:
    """A whole number on the command line."""
    return _number(text, int, "a whole number")


def number(text: str) -> float:
    """A number on the command line."""
    return _number(text, float, "a number")


PARSERS: dict[type, Callable[[str], Any]] = {Path: path, int: whole_number, float: number}
"""The parsers of single values. Those of typer give messages that differ by its version and do not name the value."""


def _number(text: str, kind: Callable[[str], Number], what: str) -> Number:
    try:
        return kind(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{quoted(text)} is not {what}") from None


def _kinds(kind: Any) -> set[Any]:
    """A type with the types inside it, such as Path in ``Optional[list[Path]]``."""
    return {kind}.union(*map(_kinds, get_args(kind)))


def _parameter(field: dataclasses.Field[Any], annotation: Any) -> inspect.Parameter:
    kind, option = get_args(annotation)[:2]
    if kind is bool:
        option.metavar = ""  # a flag has no value
    for plain, parser in PARSERS.items():
        if plain in _kinds(kind):
            option.parser = parser
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    if default is dataclasses.MISSING:
        default = inspect.Parameter.empty
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
