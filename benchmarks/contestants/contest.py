"""What every contestant does and how it is measured: train in one process, open and predict in a fresh one.

A contestant is a class with the five methods of ``Contestant``; ``main`` reads the command line, measures, and leaves
``costs.json`` (and ``top.npz`` after prediction) in the work folder. Needs numpy and scipy alone.
"""

import gc
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp

PROTOCOL = 1  # raise it where a figure changes its meaning: rows of another protocol are measured again
K = int(os.environ.get("ANSWERS", "10"))  # labels per document; the race has 10
BEAM = 10
LOADS = 5
SINGLES = 1000
LEAST_S = 1.0  # of batches, unless one takes long
PATIENCE_S = 60.0  # no single figure takes much longer than this to measure


@dataclass(frozen=True)
class Setup:
    """What a contestant is told: where the matrices lie, where it may write, and how it is to be set."""

    matrices: Path
    work: Path
    threads: int
    seed: int
    settings: dict[str, Any]

    @property
    def model(self) -> Path:
        """Where the model is saved."""
        return self.work / "model"

    def matrix(self, name: str) -> Any:
        """X, Y, or X_test."""
        return sp.load_npz(self.matrices / f"{name}.npz").tocsr()


class Contestant(Protocol):
    """One system."""

    def data(self, setup: Setup) -> Any:
        """Bring the training data into memory in the system's own form, outside the clock."""

    def train(self, data: Any, setup: Setup) -> Any:
        """Make a model: clustering, all levels, and whatever layout it predicts with."""

    def save(self, model: Any, setup: Setup) -> None:
        """Write it to ``setup.model``."""

    def load(self, setup: Setup) -> Any:
        """Open what was saved, ready to predict."""

    def batch(self, model: Any, X: Any, setup: Setup) -> Callable[[], Any]:
        """A call that answers all rows of X, in the system's own form; preparing the input is outside the clock."""

    def top(self, answer: Any, n: int) -> tuple[Any, Any]:
        """The answer as arrays of labels and scores, both (n, K)."""

    def singles(self, model: Any, X: Any, setup: Setup) -> dict[str, Callable[[int], Any]]:
        """Name of a public way to ask for one row -> function of the row number; one is called ``single``."""


def main(
    contestant: Contestant,
    *,
    other_openings: dict[str, Callable[[Setup], Any]] | None = None,
    set_scoring: Callable[[Setup], None] | None = None,
) -> None:
    """Run the task of the command line: ``train``, ``predict``, or ``answer``.

    Parameters
    ----------
    contestant : Contestant
        The system.
    other_openings : dict, optional
        Name of a figure -> another public way to open the saved model. Measured like ``load``.
    set_scoring : callable, optional
        Applies the settings of prediction to a model that was saved under other ones, for ``answer``.
    """
    task, matrices, work, threads, seed, settings = sys.argv[1:]
    setup = Setup(Path(matrices), Path(work), int(threads), int(seed), json.loads(settings))
    if task == "train":
        costs = measure_training(contestant, setup)
    elif task == "predict":
        costs = measure_prediction(contestant, setup, other_openings or {})
    else:
        costs = answer_once(contestant, setup, set_scoring)
    (setup.work / "costs.json").write_text(json.dumps(costs))


def measure_training(contestant: Contestant, setup: Setup) -> dict[str, float]:
    data = contestant.data(setup)
    gc.collect()
    forget_peak()
    baseline, cpu, wall = memory("VmRSS"), cpu_seconds(), time.perf_counter()
    model = contestant.train(data, setup)
    cpu, wall = cpu_seconds() - cpu, time.perf_counter() - wall
    peak = memory("VmHWM")
    contestant.save(model, setup)
    return {
        "train_cpu_s": cpu,
        "train_wall_s": wall,
        "baseline_bytes": baseline,
        "peak_bytes": peak,
        "peak_above_bytes": peak - baseline,
        "model_bytes": sum(file.stat().st_size for file in setup.model.rglob("*") if file.is_file()),
    }


def answer_once(contestant: Contestant, setup: Setup, set_scoring: Callable[[Setup], None] | None) -> dict[str, float]:
    """Answers of the saved model under the given settings, without the clock: a trial needs its quality only."""
    if set_scoring is not None:
        set_scoring(setup)
    X = setup.matrix("X_test")
    ask = contestant.batch(contestant.load(setup), X, setup)
    save_answer(contestant, ask(), X.shape[0], setup)
    return {}


def save_answer(contestant: Contestant, answer: Any, n: int, setup: Setup) -> None:
    labels, scores = contestant.top(answer, n)
    np.savez(setup.work / "top.npz", labels=labels, scores=scores)


def measure_prediction(
    contestant: Contestant, setup: Setup, other_openings: dict[str, Callable[[Setup], Any]]
) -> dict[str, float]:
    X = setup.matrix("X_test")
    costs: dict[str, float] = {}
    for name, load in other_openings.items():
        costs |= measure_loading(load, setup, name)[1]
    model, loading = measure_loading(contestant.load, setup, "load")
    costs |= loading
    answer, batch_s = measure_batch(contestant, model, X, setup)
    save_answer(contestant, answer, X.shape[0], setup)
    costs["batch_cpu_us"] = 1e6 * batch_s / X.shape[0]
    rows = X[:SINGLES]
    for name, ask in contestant.singles(model, rows, setup).items():
        p50, p99 = latencies(ask, rows.shape[0])
        costs |= {f"{name}_p50_us": p50, f"{name}_p99_us": p99}
    return costs


def measure_loading(load: Callable[[Setup], Any], setup: Setup, name: str) -> tuple[Any, dict[str, float]]:
    """Median over several loads of this fresh process; the first one is told apart: it pays imports and page cache."""
    taken: list[float] = []
    model = None
    while len(taken) < LOADS and sum(taken) < PATIENCE_S / 4:
        model = None
        gc.collect()
        start = time.perf_counter()
        model = load(setup)
        taken.append(time.perf_counter() - start)
    return model, {f"{name}_ms": 1e3 * statistics.median(taken), f"{name}_first_ms": 1e3 * taken[0]}


def measure_batch(contestant: Contestant, model: Any, X: Any, setup: Setup) -> tuple[Any, float]:
    """The answer, and the median CPU seconds of at least three calls and one second, after one that warms up.

    A call that takes long is not repeated: its own seconds count.
    """
    ask = contestant.batch(model, X, setup)
    cpu, start = cpu_seconds(), time.perf_counter()
    answer = ask()
    if time.perf_counter() - start > PATIENCE_S / 4:
        return answer, cpu_seconds() - cpu
    taken: list[float] = []
    began = time.perf_counter()
    while len(taken) < 3 or time.perf_counter() - began < LEAST_S:
        cpu = cpu_seconds()
        ask()
        taken.append(cpu_seconds() - cpu)
    return answer, statistics.median(taken)


def latencies(ask: Any, n: int) -> tuple[float, float]:
    """p50 and p99 of one call, in µs, over up to n rows."""
    for row in range(min(n, 20)):
        ask(row)
    taken: list[float] = []
    began = time.perf_counter()
    for row in range(n):
        start = time.perf_counter()
        ask(row)
        end = time.perf_counter()
        taken.append(end - start)
        if end - began > PATIENCE_S and len(taken) >= 20:
            break
    p50, p99 = np.percentile(taken, [50, 99])
    return 1e6 * float(p50), 1e6 * float(p99)


def cpu_seconds() -> float:
    """CPU of this process and of those it has waited for."""
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in spent)


def memory(name: str) -> int:
    """Bytes of a line in /proc/self/status: VmRSS is what is resident now, VmHWM the most there was."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {name}")


def forget_peak() -> None:
    """Count the peak from here on: ru_maxrss would keep that of loading, and even of the process that forked us."""
    descriptor = os.open("/proc/self/clear_refs", os.O_WRONLY)
    os.write(descriptor, b"5")
    os.close(descriptor)


def ranked(pairs_of_rows: Any, n: int) -> tuple[Any, Any]:
    """Arrays (n, K) from one iterable of (label, score) pairs per row: best first, -1 and -inf where there are none."""
    labels = np.full((n, K), -1, np.int32)
    scores = np.full((n, K), -np.inf, np.float32)
    for row, pairs in enumerate(pairs_of_rows):
        best = sorted(pairs, key=lambda pair: -pair[1])[:K]
        for place, (label, score) in enumerate(best):
            labels[row, place], scores[row, place] = label, score
    return labels, scores
