"""``ramify settings``: the kinds of models and parts, and the settings of one kind."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Optional

from typer import Argument, Option

from ramify import catalogue
from ramify.errors import InputError
from ramify.wording import nearest_name, quoted

if TYPE_CHECKING:
    from ramify.cli.settings import Part, Setting

HELP = """List the models, wrappers, vectorizers and parts, or all settings of one.

Each setting is shown with its path for --set and settings files, its default and its values. Paths of the settings of
a wrapper or a vectorizer start with its name: --set ensemble.candidates=50, --set vectorizer.lowercase=no.

Examples:

  ramify settings
  ramify settings partitioned
  ramify settings ensemble --json
"""
ROLES = (
    catalogue.MODEL,
    catalogue.WRAPPER,
    catalogue.VECTORIZER,
    catalogue.MATCHER,
    catalogue.RANKER,
    catalogue.INDEXER,
    catalogue.REPRESENTATION,
)
PREFIXED = (catalogue.WRAPPER, catalogue.VECTORIZER)
WIDTH = 80


@dataclass(frozen=True, kw_only=True)
class SettingsOptions:
    """Options of ``ramify settings``."""

    kind: Annotated[
        Optional[str],  # noqa: UP045 - typer evaluates it
        Argument(metavar="KIND", help="Name of a model or part. (default: list the names)"),
    ] = None
    json: Annotated[bool, Option("--json", help="One JSON object on stdout.")] = False


def run(options: SettingsOptions) -> None:
    """Print the table of kinds, or the settings of one kind.

    Raises
    ------
    InputError
        An unknown name.
    """
    from ramify.cli.output import show, show_json

    if options.kind is None:
        found = [_summary(role, name, entry) for role in ROLES for name, entry in catalogue.named(role).items()]
        show_json({"kinds": found}) if options.json else show("\n".join(_table(found)))
        return
    parts = _parts(options.kind)
    if options.json:
        show_json({"kinds": [_as_dict(part) for part in parts]})
        return
    show("\n\n".join("\n".join(_lines(part)) for part in parts))


def _parts(kind: str) -> list[Part]:
    """The parts with a name: one for each class with this name in some role."""
    from ramify.cli.settings import Part

    roles: dict[str, str] = {}
    for role in ROLES:
        entry = catalogue.named(role).get(kind)
        if entry is not None:
            roles.setdefault(entry.name, role)
    if not roles:
        names = [name for role in ROLES for name in catalogue.named(role)]
        near = nearest_name(kind, names)
        hint = "ramify settings lists them" if near is None else f"did you mean {near!r}?"
        raise InputError(f"KIND is {quoted(kind)}, but must be the name of a model or part: {hint}")
    return [Part(role, kind) for role in roles.values()]


def _summary(role: str, name: str, entry: catalogue.Entry) -> dict[str, Any]:
    return {"role": role, "name": name, "class": entry.name, "summary": entry.summary, "extra": entry.extra}


def _table(found: list[dict[str, Any]]) -> Iterator[str]:
    """Lines of the table: one block per role, with name, summary and extra in each row."""
    for role in ROLES:
        yield f"{role}s"
        for one in found:
            if one["role"] == role:
                extra = f' (needs "ramify[{one["extra"]}]")' if one["extra"] else ""
                yield from _row(f"  {one['name']}", one["summary"] + extra, 22)
    yield ""
    yield "ramify settings NAME lists the settings of one."


def _as_dict(part: Part) -> dict[str, Any]:
    settings = [
        {
            "path": path,
            "default": _plain(owner, setting),
            "values": setting.wanted,
            "help": setting.help,
        }
        for path, (owner, setting) in _paths(part)
    ]
    return _summary(part.role, part.kind, part.entry) | {"settings": settings}


def _lines(part: Part) -> Iterator[str]:
    """Lines for the settings of a part; settings of inner parts are indented."""
    from ramify.cli.settings import first_sentence, shown

    yield from textwrap.wrap(f"{part.kind} ({part.role}): {part.entry.summary}", WIDTH)
    for path, (owner, setting) in _paths(part):
        indent = "  " * (path.count(".") + (part.role not in PREFIXED))
        value = shown(owner.values[setting.name])
        yield ""
        yield f"{indent}{path}={value}"
        text = f"{first_sentence(setting.help)}. Values: {setting.wanted}."
        yield from textwrap.wrap(text, WIDTH, initial_indent=indent + "    ", subsequent_indent=indent + "    ")


def _paths(part: Part) -> list[tuple[str, tuple[Part, Setting]]]:
    prefix = f"{part.kind if part.role == catalogue.WRAPPER else part.role}." if part.role in PREFIXED else ""
    return [(prefix + path, place) for path, place in part.paths().items()]


def _plain(owner: Part, setting: Setting) -> Any:
    """The default as a JSON value; for a part, its name."""
    from ramify.cli.settings import Part

    value = owner.values[setting.name]
    return value.kind if isinstance(value, Part) else None if isinstance(value, type) else value


def _row(left: str, right: str, column: int) -> list[str]:
    lines = textwrap.wrap(right, WIDTH - column)
    return [f"{left:<{column}}{lines[0]}", *(" " * column + line for line in lines[1:])]
