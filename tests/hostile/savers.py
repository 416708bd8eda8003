"""Kills savers and lets savers race with readers: ``python tests/hostile/savers.py --kills 100 --seconds 10 --seed 0``.

Prints counts as JSON and ends with 1 if a model was lost, mixed or refused, or if anything was left behind.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import ramify
from ramify.errors import ModelFileError
from ramify.store import StoredModel, open_model, save_model

TOPICS = {"water": "river lake rain flood", "fire": "flame smoke heat burn", "earth": "soil stone clay sand"}
SAVERS, READERS = 4, 2
LONGEST_LIFE = 0.05
"""Seconds within which a saver is killed after it begins its first save."""


def numbered(number: int) -> StoredModel:
    """A model that differs from every other one and from any mixture; every third has the same shapes."""
    size = 1000 * (1 + number % 3)
    arrays = {"a": np.full(size, number, np.int64), "b": np.full((3, size), number, np.float32)}
    return StoredModel("Numbered", {"number": number}, arrays, "0")


def number_of(model: StoredModel) -> int:
    """The number of a model, or ValueError for a mixture."""
    number = model.config["number"]
    wanted = numbered(number).arrays
    if any(not np.array_equal(model.arrays[name], array) for name, array in wanted.items()):
        raise ValueError(f"number {number} has the arrays of another model")
    return int(number)


def litter(directory: Path) -> list[str]:
    """Names that neither a complete model nor the directory itself accounts for."""
    inside = {path.name for path in directory.iterdir()}
    listed = {"model.json", *json.loads((directory / "model.json").read_text("utf-8"))["files"]}
    beside = {path.name for path in directory.parent.iterdir() if path.name.startswith(".")}
    return sorted(inside ^ listed | beside)


def kill_saves(kills: int, seed: int) -> Counter[str]:
    """Kill a loop of saves, half of the time in a directory that does not exist yet."""
    rng, counts = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as place:
        for kill in range(kills):
            directory = Path(place) / f"model {kill}" if kill % 2 else Path(place) / "model"
            fresh = not directory.exists()
            with _child("save", directory, rng.randrange(1000)) as process:
                process.stdout.readline()
                time.sleep(rng.uniform(0, LONGEST_LIFE))
                process.send_signal(signal.SIGKILL)
                process.wait()
            try:
                number_of(open_model(directory))
                counts["loaded"] += 1
            except ModelFileError as error:
                first = fresh and any(words in str(error) for words in ("unfinished", "does not exist", "holds no"))
                counts["first save was killed" if first else f"lost: {error}"] += 1
            except ValueError as error:
                counts[f"mixed: {error}"] += 1
            counts["killed within a save"] += bool(directory.exists() and len(list(directory.iterdir())) != 2)
            save_model(directory, numbered(kill))
            counts["left behind"] += len(litter(directory))
            counts["killed"] += 1
    return counts


def kill_trainings(kills: int, seed: int) -> Counter[str]:
    """Kill ``ramify train`` over an old model: at any time, near its end, and as soon as it saves, in turn."""
    rng, counts = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as place:
        data, directory = _documents(Path(place) / "data.jsonl"), Path(place) / "old"
        command = [sys.executable, "-m", "ramify", "train", data, "--out", directory, "--threads", "1", "-q"]
        began = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - began
        old = ramify.load(directory, mapped=False)
        answers = old.tag(["river smoke"], k=2)
        for kill in range(kills):
            before = (directory / "model.json").stat().st_ino
            process = subprocess.Popen([*command, "--seed", str(kill)], stdout=subprocess.DEVNULL)
            if kill % 3 == 2:
                _wait_for_a_save(process, directory)
            else:
                time.sleep(seconds * rng.uniform(0.8 * (kill % 3), 1.05))
            process.send_signal(signal.SIGKILL)
            process.wait()
            try:
                found = ramify.load(directory, mapped=False).tag(["river smoke"], k=2)
                replaced = (directory / "model.json").stat().st_ino != before
                counts["new model" if replaced else "old model" if found == answers else "mixed"] += 1
            except ModelFileError as error:
                counts[f"lost: {error}"] += 1
            counts["killed within a save"] += len(list(directory.iterdir())) != 2
            old.save(directory)
            counts["left behind"] += len(litter(directory))
            counts["killed"] += 1
    return counts


def _wait_for_a_save(process: subprocess.Popen[bytes], directory: Path) -> None:
    before = set(directory.iterdir())
    while process.poll() is None and set(directory.iterdir()) == before:
        time.sleep(0.0005)


def race(seconds: float, seed: int) -> Counter[str]:
    """Let savers and readers work on one directory at the same time."""
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place) / "model"
        save_model(directory, numbered(0))
        work = [("save", seed * SAVERS + number) for number in range(SAVERS)]
        work += [("load", number) for number in range(READERS)]
        processes = [
            subprocess.Popen(_command(task, directory, number, seconds), stdout=subprocess.PIPE, text=True)
            for task, number in work
        ]
        counts = Counter[str]()
        for process in processes:
            out, _ = process.communicate()
            counts += Counter(json.loads(out.splitlines()[-1]))
            counts["failed processes"] += process.returncode != 0
        number_of(open_model(directory))
        counts["left behind"] += len(litter(directory))
    return counts


def work(task: str, directory: Path, number: int, seconds: float) -> Counter[str]:
    """Print an empty line, then save or load until the time is over."""
    print(flush=True)
    counts, end = Counter[str](), time.monotonic() + seconds
    while time.monotonic() < end:
        number += SAVERS
        try:
            if task == "save":
                save_model(directory, numbered(number))
            else:
                number_of(open_model(directory, verify=number % 8 < SAVERS, mapped=number % 16 < 2 * SAVERS))
            counts[f"{task}s"] += 1
        except (ModelFileError, ValueError) as error:
            counts[f"{task} failed: {error}"] += 1
    return counts


def failures(counts: Counter[str]) -> dict[str, int]:
    """Counts that must be 0."""
    bad = ("lost", "mixed", "save failed", "load failed", "left behind", "failed processes")
    return {name: count for name, count in counts.items() if count and name.startswith(bad)}


def _documents(path: Path) -> Path:
    topics = list(TOPICS.items())
    rows = [(topics[n % 3], topics[(n // 3) % 3]) for n in range(60)]
    lines = [
        json.dumps({"text": f"{words} {more.split()[n % 4]}", "labels": [name, f"{name} {other}"]})
        for n, ((name, words), (other, more)) in enumerate(rows)
    ]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def _command(task: str, directory: Path, number: int, seconds: float) -> list[str]:
    return [sys.executable, __file__, "--task", task, "--directory", str(directory), "--seed", str(number),
            "--seconds", str(seconds)]  # fmt: skip


@contextmanager
def _child(task: str, directory: Path, number: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(_command(task, directory, number, 600), stdout=subprocess.PIPE, text=True)
    with process:
        yield process


def main() -> int:
    """Run everything, or what one process of it does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--task", choices=["save", "load"], help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        print(json.dumps(work(options.task, options.directory, options.seed, options.seconds)), flush=True)
        return 0
    found = {
        "killed saves": kill_saves(options.kills, options.seed),
        "killed trainings": kill_trainings(options.kills, options.seed),
        "race": race(options.seconds, options.seed),
    }
    print(json.dumps(found, indent=1))
    return 1 if any(failures(counts) for counts in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
