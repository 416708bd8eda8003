"""Entry point of the command line: converts every error to one sentence and an exit code.

0: success; 1: bug, or out of memory; 2: bad input; 130: interrupted; 141: closed pipe; 143: terminated.
``RAMIFY_DEBUG=1`` shows tracebacks.
"""

from __future__ import annotations

import atexit
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ramify.errors import RamifyError

BUG, BAD_INPUT, INTERRUPTED, TERMINATED = 1, 2, 130, 143
DEBUG = "RAMIFY_DEBUG"
QUOTED = 60
LONG_WORD = re.compile(rf"\S{{{QUOTED},}}")
"""Words of the parser's messages that are shortened to ``QUOTED`` characters."""


def main() -> None:
    """The ``ramify`` command."""
    interrupts: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        interrupts.append(number)
        raise KeyboardInterrupt

    with suppress(ValueError, AttributeError):  # not the main thread, or the system has no such signal
        signal.signal(signal.SIGTERM, _terminated)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # otherwise it is ignored, as after nohup
            signal.signal(signal.SIGINT, interrupt)
    _open_missing_streams()
    _write_utf8()
    _leave(run(sys.argv[1:], was_interrupted=lambda: bool(interrupts)))


def _leave(code: int) -> None:
    """End the process with an exit code.

    A process of several that were connected by torch ends without the destructors of C++, in which torch may abort it
    while another process is still at work.
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or os.environ.get("WORLD_SIZE", "1").strip() in ("", "0", "1"):
        sys.exit(code)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # closed
            stream.flush()
    os._exit(code)


def run(arguments: Sequence[str], *, was_interrupted: Callable[[], bool] = lambda: False) -> int:
    """Run one command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str
        Arguments without the program name.
    was_interrupted : callable, optional
        Returns whether Ctrl-C was pressed; an interrupt during the import of an extension raises other exceptions.
    """
    try:
        return _invoke(list(arguments))
    except KeyboardInterrupt:
        return _interrupted(arguments)
    except RamifyError as error:
        return _fail(str(error), BAD_INPUT, error)
    except MemoryError as error:
        return _fail(
            "the memory is full: use fewer documents, labels or features, or a machine with more memory", BUG, error
        )
    except OSError as error:
        return _fail(f"{_named(error)}: check the path, its permissions and the space on the disk", BAD_INPUT, error)
    except Exception as error:
        stopped = was_interrupted() or type(error).__name__ == "Abort"  # a class of typer
        return _interrupted(arguments) if stopped else _fail_unexpectedly(error)


def _open_missing_streams() -> None:
    """Replace standard streams that the caller closed by the null device."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - open to the end


def _write_utf8() -> None:
    """Set stdout to UTF-8; stderr keeps the encoding of the locale, with escapes for other characters."""
    with suppress(AttributeError, OSError):  # closed, or not a text stream of Python
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    with suppress(AttributeError, OSError):
        sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _invoke(arguments: list[str]) -> int:
    from ramify.cli.app import build
    from ramify.cli.output import flush

    code = build(arguments)(args=arguments, prog_name="ramify", standalone_mode=False)
    flush()
    if code == INTERRUPTED:
        return _interrupted(arguments)
    return code if isinstance(code, int) else 0


def _fail_unexpectedly(error: Exception) -> int:
    if hasattr(error, "format_message"):  # errors of the parser; their class depends on the version of typer
        return _fail(_usage(error), BAD_INPUT, error)
    kind = type(error).__name__
    hint = f"run with {DEBUG}=1 for the traceback, and please report it"
    return _fail(f"this is a bug in ramify: {kind}: {_one_line(str(error))}; {hint}", BUG, error)


def _fail(sentence: str, code: int, error: BaseException) -> int:
    if os.environ.get(DEBUG, "0") not in ("", "0"):
        raise error
    _print_error(sentence)
    return code


def _usage(error: Any) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "ramify"
    message = _one_line(error.format_message()).replace("Value error, ", "")  # a prefix of pydantic's
    message = LONG_WORD.sub(lambda word: f"{word[0][:QUOTED]}...", message)
    return f"{message.rstrip('.')}; see {command} --help"


def _interrupted(arguments: Sequence[str]) -> int:
    kept = _kept_tasks(arguments)
    if kept is None:
        _print_error("interrupted; no partial output is left")
    else:
        _print_error(f"interrupted; finished tasks are kept in {kept}: run the same command again to continue")
    return INTERRUPTED


def _kept_tasks(arguments: Sequence[str]) -> str | None:
    """The folder of ``--resume`` in the arguments if it has finished tasks."""
    for number, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        folder = value if equals else "".join(arguments[number + 1 : number + 2])
        with suppress(OSError, ValueError):
            if name == "--resume" and next(Path(folder).glob("*.safetensors"), None) is not None:
                return folder
    return None


def _terminated(number: int, frame: object) -> None:
    raise SystemExit(TERMINATED)  # unwinds the stack, so that temporary files are removed


def _named(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _print_error(sentence: str) -> None:
    with suppress(OSError, ValueError):  # stderr may be closed
        print(f"ramify: {sentence}", file=sys.stderr, flush=True)
