"""Output of the commands: results on stdout, notes on stderr."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from ramify.errors import DataFileError, RamifyWarning
from ramify.wording import one_line

PIPE_CLOSED = 141  # the exit code of a program ended by SIGPIPE


def show(text: str) -> None:
    """Print a result."""
    with _stdout() as stream:
        stream.write(text + "\n")


def flush() -> None:
    """Flush stdout."""
    with _stdout() as stream:
        stream.flush()


def show_json(value: Any) -> None:
    """Print one JSON object, indented."""
    show(json.dumps(value, indent=2, ensure_ascii=False))


def note(text: str, *, quiet: bool = False) -> None:
    """Print a note to stderr."""
    if not quiet:
        with suppress(OSError, ValueError):
            print(text, file=sys.stderr, flush=True)


@contextmanager
def warnings_as_notes(*, quiet: bool) -> Iterator[None]:
    """Context in which the library's warnings are printed as notes."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", RamifyWarning)
        show_warning = warnings.showwarning

        def show_note(message: Warning | str, category: type[Warning], *place: Any, **where: Any) -> None:
            if issubclass(category, RamifyWarning):
                note(f"note: {message}", quiet=quiet)
            else:
                show_warning(message, category, *place, **where)

        warnings.showwarning = show_note
        yield


@contextmanager
def _stdout() -> Iterator[TextIO]:
    """Context of stdout: a closed pipe ends the program without a message, a full disk raises DataFileError."""
    try:
        yield sys.stdout
    except OSError as error:
        # The remaining buffer must not raise again at the exit of Python.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise SystemExit(PIPE_CLOSED) from None
        raise DataFileError(f"cannot be written ({error.strerror}): check the space on the disk", "stdout") from None


def columns(rows: Sequence[tuple[str, str]], *, indent: int = 0) -> str:
    """Pairs as two aligned columns."""
    rows = [(one_line(name), one_line(value)) for name, value in rows]
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{' ' * indent}{name.ljust(width)}  {value}".rstrip() for name, value in rows)


def bytes_text(count: float) -> str:
    """1234567 → "1.2 MB"."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"


def seconds_text(seconds: float) -> str:
    """12.345 → "12.3 s"."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
