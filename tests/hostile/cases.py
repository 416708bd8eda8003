"""One hostile case at a time, and what came of it; run as a process it takes a range of them.

    python cases.py KIND SEED FIRST COUNT FOLDER

writes a line of JSON before each case and one after it, so that whoever reads the lines sees which case ended the
process or never ended. Memory is limited to what the imports take and 1 GB, a case to 10 seconds.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

SPARE_BYTES = 1 << 30
SECONDS = 10
LONGEST_SENTENCE = 400

Outcome = tuple[str, str]
"""("works", "refused" or a surprise's kind, what happened)."""


def refusal(error: BaseException) -> Outcome:
    """Whether an error is the one sentence that it should be."""
    from ramify.errors import RamifyError

    text = f"{type(error).__name__}: {error}"
    if not isinstance(error, RamifyError):
        return "exception", text
    if "\n" in str(error) or len(str(error)) >= LONGEST_SENTENCE:
        return "long sentence", text
    return "refused", text


def directories(seed: int, first: int, count: int, folder: Path) -> Iterator[tuple[str, Callable[[], Outcome]]]:
    """Mutated model directories: loaded and used."""
    from model_mutations import mutated
    from stored_models import build_models, use

    import ramify
    from ramify.errors import ModelFileError

    models = build_models(folder.parent / "models")

    def case(number: int) -> Callable[[], Outcome]:
        def run() -> Outcome:
            done = mutated(models[number % len(models)], folder / "model", seed * 1_000_003 + number)
            what = f"{models[number % len(models)].name}: {done}"
            try:
                model = ramify.load(folder / "model")
            except ModelFileError as error:
                return refusal(error)
            except Exception as error:
                return "exception at loading", f"{what}: {type(error).__name__}: {error}"
            try:
                use(model, folder / "again")
            except Exception as error:
                return "exception after loading", f"{what}: {type(error).__name__}: {error}"
            return "works", what

        return run

    for number in range(first, first + count):
        yield models[number % len(models)].name, case(number)


def files(seed: int, first: int, count: int, folder: Path) -> Iterator[tuple[str, Callable[[], Outcome]]]:
    """Mutated data files: read."""
    from data_mutations import mutated_files

    import ramify

    def case(path: Path) -> Callable[[], Outcome]:
        def run() -> Outcome:
            try:
                ramify.read(path)
            except Exception as error:
                return refusal(error)
            return "works", path.name

        return run

    place = folder / f"from{first}"  # each worker makes the files before its own again
    place.mkdir()
    made = mutated_files(seed, first + count, place)
    for path in islice(made, first, None):
        yield str(path), case(path)


def calls(seed: int, first: int, count: int, folder: Path) -> Iterator[tuple[str, Callable[[], Outcome]]]:
    """Wrong settings: made by ``wrong_settings`` as (name, call)."""
    from test_settings import wrong_settings

    def case(call: Callable[[], Any]) -> Callable[[], Outcome]:
        def run() -> Outcome:
            try:
                call()
            except Exception as error:
                return refusal(error)
            return "works", ""

        return run

    for name, call in islice(wrong_settings(seed, first + count), first, None):
        yield str(name), case(call)


def commands(seed: int, first: int, count: int, folder: Path) -> Iterator[tuple[str, Callable[[], Outcome]]]:
    """Random argument vectors of the ``ramify`` command."""
    from command_lines import command_line, put_files

    from ramify.cli.entry import run as run_command

    def case(arguments: list[str]) -> Callable[[], Outcome]:
        def run() -> Outcome:
            place = folder / "commands"
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            put_files(place)
            os.chdir(place)
            out, err = _Captured(), _Captured()
            sys.stdin = io.TextIOWrapper(io.BytesIO(b"water\n"), "utf-8")
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run_command(arguments)
            return _judged(code, err.text())

        return run

    for number in range(first, first + count):
        arguments = command_line(seed * 1_000_003 + number)
        yield json.dumps(arguments), case(arguments)


class _Captured(io.TextIOWrapper):
    def __init__(self) -> None:
        super().__init__(io.BytesIO(), "utf-8", errors="backslashreplace", write_through=True)

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]


def _judged(code: int, said: str) -> Outcome:
    if code == 0 and "Traceback" not in said:
        return "works", ""
    sentences = [line for line in said.splitlines() if line.startswith("ramify: ")]
    if code == 2 and len(sentences) == 1 and said.rstrip().endswith(sentences[0]):
        return ("refused", said) if len(sentences[0]) < LONGEST_SENTENCE else ("long sentence", said)
    return f"exit code {code}", said


KINDS = {"directories": directories, "files": files, "calls": calls, "commands": commands}


class _TooLong(BaseException):
    pass


def _ring(number: int, frame: object) -> None:
    raise _TooLong


def outcome_of(run: Callable[[], Outcome]) -> Outcome:
    """What comes of a case; one that takes too long, or leaves as SystemExit, is a surprise."""
    signal.signal(signal.SIGALRM, _ring)
    signal.alarm(SECONDS)
    try:
        return run()
    except _TooLong:
        return "too long", f"over {SECONDS} seconds"
    except BaseException as error:
        return "exception", f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)


def limit_memory() -> None:
    """Refuse memory beyond what is mapped now and 1 GB."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + SPARE_BYTES, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(kind: str, seed: int, first: int, count: int, folder: Path) -> None:
    """Run cases [first, first + count) in a folder and write what came of each."""
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    os.chdir(folder)  # a case may name a relative path, such as a checkpoint called "x"
    sink = sys.stdout
    warnings.simplefilter("ignore")
    limited = False
    for number, (name, run) in enumerate(KINDS[kind](seed, first, count, folder), first):
        if not limited:
            for module in ("numpy", "sklearn.feature_extraction.text", "ramify.chains", "ramify.models"):
                __import__(module)
            with contextlib.suppress(ImportError):
                import torch  # noqa: F401
            limit_memory()
            limited = True
        print(json.dumps({"case": number, "name": name}), file=sink, flush=True)
        begin = time.monotonic()
        kind_of, what = outcome_of(run)
        line = {"case": number, "name": name, "outcome": kind_of, "what": what[:2000]}
        print(json.dumps(line | {"seconds": round(time.monotonic() - begin, 2)}), file=sink, flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
