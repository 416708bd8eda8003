"""Tries damaged models, data files, settings and command lines by the thousand, outside CI.

    python tests/hostile/long_run.py --directories 10000 --files 1000 --calls 2000 --commands 1000 --seed 0

A case works, or is refused with one sentence; anything else is a surprise: another exception, a crash, more than 10
seconds, more than 1 GB. The exit code is 1 where there is any. Cases run in worker processes, so that a crash of one
is recorded and the rest goes on.
"""

from __future__ import annotations

import argparse
import json
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

HERE = Path(__file__).parent
BATCH = 500
"""Cases per worker process."""

SILENCE = 60
"""Seconds without a line after which a worker hangs, building its models included."""

KINDS = ("directories", "files", "calls", "commands")


@dataclass
class Tally:
    """What came of the cases of one kind."""

    tried: int = 0
    works: int = 0
    refused: int = 0
    surprises: list[dict[str, object]] = field(default_factory=list)

    def add(self, line: dict[str, object]) -> None:
        """Count one outcome."""
        self.tried += 1
        if line["outcome"] == "works":
            self.works += 1
        elif line["outcome"] == "refused":
            self.refused += 1
        else:
            self.surprises.append(line)


Step = Callable[[dict[str, object]], object]


def run_cases(kind: str, seed: int, count: int, folder: Path, step: Step = lambda line: None) -> Tally:
    """Run cases [0, count) of a kind in worker processes.

    Parameters
    ----------
    kind : {"directories", "files", "calls", "commands"}
    seed, count : int
    folder : Path
        For the files of the workers.
    step : callable
        Called after each case with what came of it.
    """
    tally = Tally()
    while tally.tried < count:
        number = min(BATCH, count - tally.tried)
        before = tally.tried
        ended = _run_worker(kind, seed, tally, number, folder, step)
        if tally.tried == before:
            tally.surprises.append({"case": before, "name": "", "outcome": "no case is run", "what": ended})
            break
    return tally


def _run_worker(kind: str, seed: int, tally: Tally, count: int, folder: Path, step: Step) -> str:
    """Add the outcomes of one worker to the tally; returns what it wrote to stderr where it ended early."""
    command = [
        sys.executable,
        str(HERE / "cases.py"),
        kind,
        str(seed),
        str(tally.tried),
        str(count),
        str(folder / kind),
    ]
    started: dict[str, object] | None = None
    with (folder / "stderr").open("w+") as errors, _process(command, errors) as worker:
        assert worker.stdout is not None
        while select.select([worker.stdout], [], [], SILENCE)[0]:
            raw = worker.stdout.readline()
            if not raw:
                break
            line = json.loads(raw)
            started = None if "outcome" in line else line
            if started is None:
                tally.add(line)
                step(line)
        else:
            worker.kill()
        code = worker.wait()
        errors.seek(0)
        said = errors.read()[-2000:]
    if started is not None:
        outcome = "hang" if code == -9 else f"the process ends with {code}"
        line = started | {"outcome": outcome, "what": said}
        tally.add(line)
        step(line)
    return said if code else ""


def _process(command: list[str], errors: object) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, bufsize=1)  # type: ignore[call-overload, no-any-return]


def main() -> int:
    """Run what the command line asks for and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind in KINDS:
        parser.add_argument(f"--{kind}", type=int, default=0, help="number of cases")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    console = Console(stderr=True)
    tallies = {}

    def step(bar: TaskID, kind: str, line: dict[str, object]) -> None:
        progress.advance(bar)
        if line["outcome"] not in ("works", "refused"):
            console.print(_sentence(kind, options.seed, line), markup=False)

    with tempfile.TemporaryDirectory() as name, Progress(console=console) as progress:
        for kind in KINDS:
            count = getattr(options, kind)
            if count:
                bar = progress.add_task(kind, total=count)
                tallies[kind] = run_cases(kind, options.seed, count, Path(name), partial(step, bar, kind))
    _report(tallies, options.seed)
    return int(any(tally.surprises for tally in tallies.values()))


def _report(tallies: dict[str, Tally], seed: int) -> None:
    console = Console()
    table = Table("cases", "tried", "works", "refused", "surprises")
    for kind, tally in tallies.items():
        table.add_row(kind, *map(str, (tally.tried, tally.works, tally.refused, len(tally.surprises))))
    console.print(table)
    for kind, tally in tallies.items():
        for line in tally.surprises:
            print(_sentence(kind, seed, line))


def _sentence(kind: str, seed: int, line: dict[str, object]) -> str:
    again = f"python tests/hostile/cases.py {kind} {seed} {line['case']} 1 FOLDER/{kind}"
    return f"{kind} {line['case']}: {line['outcome']}: {line['name']}: {line['what']}; again: {again}"


if __name__ == "__main__":
    sys.exit(main())
