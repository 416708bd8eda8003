"""Training on worker processes and on Ray beside threads: wall time, memory of a worker, equal bits, faults, the plan.

    python benchmarks/scaling.py run --sets gutenberg-lcsh generated-100k      whole trainings
    python benchmarks/scaling.py run --sets yso-finna-en --systems threads ray --workers 2
    python benchmarks/scaling.py faults --sets gutenberg-lcsh                  a worker, a machine or the driver is lost
    python benchmarks/scaling.py plan --sets gutenberg-lcsh generated-1m       what --dry-run expects, for one worker
    python benchmarks/scaling.py rate --sets gutenberg-lcsh                    the constants of ramify.scale.planning

Every training is a process of its own with features that are made before; its time is that of ``fit``, in which the
worker processes are started. "threads" trains without a cluster, on as many threads as the others have workers.
"SET:20000" are the first documents of a set; fewer get no label tree. Rows go to ``results/scale.jsonl``; those that
are there are skipped, with ``--quiet-only`` unless the machine was busy. ``python benchmarks/race.py table`` writes the
section of ``RESULTS.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from racing.machine import machine
from racing.matrices import Matrices, MissingDataError, prepare
from racing.places import CACHE, DATA, HERE
from racing.rows import Row, add_stamped, matching
from racing.runner import Limits, Outcome, watch
from racing.scale_tables import SCALE
from racing.stopping import run_until_stopped
from racing.track import load_of

SYSTEMS = ("threads", "processes", "ray")
FAULTS = {"processes": ("worker-killed", "driver-killed"), "ray": ("worker-killed", "machine-removed")}
SCRIPT = HERE / "contestants" / "run_scaling.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "faults", "plan", "rate"))
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    parser.add_argument("--sets", nargs="+", default=["gutenberg-lcsh"], metavar="NAME[:DOCUMENTS]")
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument("--quiet-only", action="store_true", help="measure again what was measured on a busy machine")
    parser.add_argument("--limit", type=float, default=7200, help="seconds of one training")
    parser.add_argument("--memory", type=float, default=20, help="GB of one training")
    chosen = parser.parse_args()
    for dataset in chosen.sets:
        name, _, count = dataset.partition(":")
        try:
            matrices = prepare(name, chosen.data)
        except MissingDataError as missing:
            print(missing)
            continue
        documents = int(count) if count else None
        if chosen.what == "rate":
            print(json.dumps({"dataset": dataset} | rate(matrices.X[:documents], matrices.Y[:documents])))
            continue
        for asked in wanted(chosen):
            measure(chosen, matrices, dataset, {"documents": documents} | asked)


def wanted(chosen: argparse.Namespace) -> Iterator[Row]:
    """The trainings of a data set."""
    if chosen.what == "plan":
        yield {"kind": "plan", "system": "plan", "workers": 1, "fault": None}
        return
    for system in chosen.systems:
        if chosen.what == "faults":
            for fault in FAULTS.get(system, ()):
                yield {"kind": "scale-fault", "system": system, "workers": 2, "fault": fault}
        else:
            for workers in chosen.workers:
                yield {"kind": "scale", "system": system, "workers": workers, "fault": None}


def measure(chosen: argparse.Namespace, matrices: Matrices, dataset: str, asked: Row) -> None:
    """Add the row of a training, if it is due."""
    key = {"kind": asked["kind"], "dataset": dataset, "matrices": matrices.fingerprint, "system": asked["system"]}
    key |= {"workers": asked["workers"], "fault": asked["fault"], "machine": machine()}
    if any(not (row.get("failed") or (chosen.quiet_only and row["busy"])) for row in matching(SCALE, key)):
        return
    print(f"{dataset}: {asked['system']}, {asked['workers']} workers, fault: {asked['fault']}", flush=True)
    limits = Limits(chosen.limit, int(chosen.memory * 1e9))
    row = key | {"command": f"python benchmarks/scaling.py {chosen.what} --sets {dataset}"}
    print(json.dumps(add_stamped(SCALE, row | _figures(matrices, asked, limits))), flush=True)


def _figures(matrices: Matrices, asked: Row, limits: Limits) -> Row:
    CACHE.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="run-", dir=CACHE))
    try:
        outcomes = [_process(matrices, work, asked, limits)]
        if asked["fault"] == "driver-killed":  # the first process has ended itself
            outcomes.append(_process(matrices, work, asked, limits))
        if outcomes[-1].failed:
            return load_of(outcomes[-1:]) | {"failed": outcomes[-1].failed}
        return load_of(outcomes) | {"shape": matrices.shape} | json.loads((work / "costs.json").read_text())
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _process(matrices: Matrices, work: Path, asked: Row, limits: Limits) -> Outcome:
    specification = {name: asked[name] for name in ("system", "workers", "documents", "fault")}
    program = [sys.executable, str(SCRIPT), str(matrices.folder), str(work), json.dumps(specification)]
    return watch(program, dict(os.environ), work / "log.txt", limits)


def rate(X: Any, Y: Any) -> dict[str, float]:
    """Cost that a thread trains per second, and bytes of weights per value of the positives, of levels that are cut."""
    import ramify
    from ramify.scale import Cluster, SerialExecutor
    from ramify.scale.parts import row_sizes

    values, found = row_sizes(X), {"cost": 0.0, "s": 0.0, "weights": 0, "positives": 0.0}

    class Timed(SerialExecutor):
        def submit(self, function: Any, *arguments: Any) -> Any:
            task = super().submit(function, *arguments)
            if function.__name__ == "train_part":
                task.call = timed(function, arguments)
            return task

    def timed(function: Any, arguments: tuple[Any, ...]) -> Any:
        def call() -> Any:
            begun = time.thread_time()
            arrays = function(*arguments)
            found["s"] += time.thread_time() - begun
            found["weights"] += sum(array.nbytes for array in arrays.values())
            found["positives"] += float(values[arguments[2].positives.indices].sum())
            return arrays

        return call

    with Cluster(Timed()) as cluster:
        run = cluster.runner.run
        cluster.runner.run = lambda jobs, progress=None: add_cost(found, jobs) or run(jobs, progress)
        ramify.XRLinear(threads=1).fit(X, Y, compute=cluster)
    return {"cost_per_second": found["cost"] / found["s"], "weight_bytes": found["weights"] / found["positives"]}


def add_cost(found: dict[str, float], jobs: Any) -> None:
    found["cost"] += sum(job.cost for job in jobs if job.function.__name__ == "train_part")


if __name__ == "__main__":
    run_until_stopped(main, "rows")
