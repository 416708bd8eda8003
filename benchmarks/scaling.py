"""Training on 1, 2 and 4 worker processes of one machine, and on Ray: wall time, memory of a worker, equal bits.

    python benchmarks/scaling.py run --sets gutenberg-lcsh --workers 1 2 4     one row per run in results/scale.jsonl
    python benchmarks/scaling.py run --sets gutenberg-lcsh:20000 --dry         a sample; the rows are only printed
    python benchmarks/scaling.py rate --sets gutenberg-lcsh                    the constants of ramify.scale.planning

Every run is a process of its own. "threads" trains without a cluster, on as many threads as the others have workers; a
model counts as equal if all its arrays are. The time is that of ``fit``: features are made before, and worker processes
are started in it. A sample needs about 20,000 documents, because fewer get no label tree.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from racing.machine import machine
from racing.places import DATA, HERE
from racing.rows import add_stamped

RESULTS = HERE / "results" / "scale.jsonl"
SYSTEMS = ("threads", "processes", "ray")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "rate", "one"))
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    parser.add_argument("--sets", nargs="+", default=["gutenberg-lcsh"], metavar="NAME[:DOCUMENTS]")
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument("--dry", action="store_true", help="print the rows, and add none")
    chosen = parser.parse_args()
    if chosen.what == "one":
        print(json.dumps(measured(chosen.data, chosen.sets[0], chosen.systems[0], chosen.workers[0])))
        return
    for dataset in chosen.sets:
        if chosen.what == "rate":
            print(json.dumps({"dataset": dataset} | rate(chosen.data, dataset)))
        else:
            compare(chosen, dataset)


def compare(chosen: argparse.Namespace, dataset: str) -> None:
    """All runs of one data set, each beside the model of the first."""
    first = None
    for system in chosen.systems:
        for workers in chosen.workers:
            words = [
                "one",
                "--data",
                str(chosen.data),
                "--sets",
                dataset,
                "--systems",
                system,
                "--workers",
                str(workers),
            ]
            done = subprocess.run([sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE, text=True)
            row = json.loads(done.stdout.splitlines()[-1])
            first = first or row["model"]
            row["equal"] = row["model"] == first
            row |= {"command": f"python benchmarks/scaling.py run --sets {dataset}", "machine": machine()}
            print(json.dumps(row if chosen.dry else add_stamped(RESULTS, row)))


def measured(data: Path, dataset: str, system: str, workers: int) -> dict[str, Any]:
    """One training."""
    import ramify

    X, Y = matrices(data, dataset)
    row: dict[str, Any] = {
        "kind": "scale",
        "dataset": dataset,
        "system": system,
        "workers": workers,
        "rows": X.shape[0],
    }
    begun, begun_cpu = time.perf_counter(), os.times()
    with cluster_of(system, workers) as cluster:
        ready = time.perf_counter()
        model = ramify.XRLinear(threads=workers if system == "threads" else 1).fit(X, Y, compute=cluster)
        row |= {"fit_s": round(time.perf_counter() - ready, 3), "start_s": round(ready - begun, 3)}
        if cluster is not None:
            row |= {"tasks": cluster.tasks, "worker_peak_mb": round(cluster.peak_mb, 1)}
    spent = os.times()
    row["driver_cpu_s"] = round(spent.user + spent.system - begun_cpu.user - begun_cpu.system, 3)
    return row | {"model": bits_of(model)}


@contextmanager
def cluster_of(system: str, workers: int) -> Iterator[Any]:
    from ramify.scale import Cluster, ProcessExecutor, RayExecutor

    if system == "threads":
        yield None
        return
    if system == "ray":
        import ray

        ray.init(num_cpus=workers, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    try:
        with Cluster(ProcessExecutor(workers) if system == "processes" else RayExecutor()) as cluster:
            yield cluster
    finally:
        if system == "ray":
            ray.shutdown()


def matrices(data: Path, dataset: str) -> tuple[Any, Any]:
    """tf-idf and labels of the training documents, or of the first ones."""
    import ramify

    name, _, count = dataset.partition(":")
    training = ramify.read(data / name / "train.jsonl.gz")
    texts, Y = list(training.texts or ()), training.Y
    if count:
        texts, Y = texts[: int(count)], Y[: int(count)]
    return ramify.Tfidf().fit(texts).transform(texts), Y


def bits_of(model: Any) -> str:
    """A hash of all arrays of a model."""
    state = hashlib.sha256()
    for name, array in sorted(model.to_state()[1].items()):
        state.update(name.encode() + array.tobytes())
    return state.hexdigest()[:16]


def rate(data: Path, dataset: str) -> dict[str, float]:
    """Cost that a thread trains per second, and bytes of weights per value of the positives, of levels that are cut."""
    import ramify
    from ramify.scale import Cluster, SerialExecutor
    from ramify.scale.parts import row_sizes

    X, Y = matrices(data, dataset)
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
    main()
