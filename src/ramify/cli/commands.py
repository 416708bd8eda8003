"""A command is a frozen dataclass of options and a function of it: typer reads flags and help off the fields."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, get_args, get_type_hints

Options = TypeVar("Options")


def as_command(
    options: type[Options], body: Callable[..., None], more: Sequence[inspect.Parameter] = ()
) -> Callable[..., None]:
    """What typer takes as a command.

    Parameters
    ----------
    options : dataclass
        Its fields are annotated with ``typer.Argument`` and ``typer.Option``.
    body : callable
        Does the work, given the options.
    more : sequence of Parameter
        Keyword parameters that are not fields; ``body`` gets their values as keyword arguments.
    """
    parameters = [*parameters_of(options), *more]

    # Callers see the signature that is set below, and typer enforces it: no misspelt name is accepted here.
    def command(**values: Any) -> None:
        others = {parameter.name: values.pop(parameter.name) for parameter in more}
        body(options(**values), **others)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def parameters_of(options: type) -> list[inspect.Parameter]:
    """The fields of a dataclass as keyword parameters."""
    hints = get_type_hints(options, include_extras=True)
    # The command's own options stand before those that it shares with others.
    fields = sorted(dataclasses.fields(options), key=lambda field: field.name not in options.__annotations__)
    return [_parameter(field, hints[field.name]) for field in fields]


def paragraphs(text: str) -> str:
    """Help whose paragraphs are joined into single lines, so that any width can wrap them; indented lines stay."""
    return re.sub(r"(?<=\S)\n(?=\S)", " ", inspect.cleandoc(text))


def _parameter(field: dataclasses.Field[Any], annotation: Any) -> inspect.Parameter:
    if get_args(annotation)[0] is bool:
        get_args(annotation)[1].metavar = ""  # a flag takes no value
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    if default is dataclasses.MISSING:
        default = inspect.Parameter.empty
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
