"""One training of a label tree by threads, processes or Ray, whole or with a fault; or its plan. See scaling.py.

    run_scaling.py MATRICES WORK SPECIFICATION

The specification is a JSON object: ``system`` (threads, processes, ray, plan), ``workers``, ``documents`` (the first
ones; null: all) and ``fault`` (null, or a name of ``FAULTS``). The figures are in ``WORK/costs.json``.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import scipy.sparse as sp

FAULT_AFTER = 8
"""Finished tasks before the fault."""
FAULTS = ("worker-killed", "machine-removed", "driver-killed")
LOGGING = {"include_dashboard": False, "logging_level": "ERROR", "log_to_driver": False}


def main() -> None:
    folder, work, specification = sys.argv[1:]
    asked = json.loads(specification)
    X, Y = (sp.load_npz(Path(folder) / f"{name}.npz").tocsr()[: asked["documents"]] for name in ("X", "Y"))
    found = planned(X, Y, asked["workers"]) if asked["system"] == "plan" else trained(X, Y, asked, Path(work))
    (Path(work) / "costs.json").write_text(json.dumps(found))


def planned(X: Any, Y: Any, workers: int) -> dict[str, Any]:
    """The plan of ``ramify train --dry-run`` for worker processes, without its levels."""
    from ramify import XRLinear
    from ramify.scale import SerialExecutor
    from ramify.scale.planning import Planner, WholePlan

    executor = SerialExecutor()
    executor.slots = workers  # type: ignore[misc]
    planner = Planner(executor)
    XRLinear(threads=workers).fit(X, Y, compute=planner)
    if not planner.plans:
        return {"failed": "no label tree is trained"}
    return {key: value for key, value in WholePlan(tuple(planner.plans)).as_dict().items() if key != "levels"}


def trained(X: Any, Y: Any, asked: dict[str, Any], work: Path) -> dict[str, Any]:
    """Times, memory of a worker, and the hash of the arrays of the model."""
    from ramify import XRLinear
    from ramify.scale import Cluster
    from ramify.scale.checkpoint import content_of

    system, workers = asked["system"], asked["workers"]
    threads = workers if system == "threads" else 1
    begun = time.perf_counter()
    with ExitStack() as stack:
        executor, fault = stack.enter_context(opened(system, workers, asked["fault"]))
        cluster = None
        if executor is not None:
            parts = work / "parts" if asked["fault"] == "driver-killed" else None
            if asked["fault"] and not (parts and parts.exists()):
                executor = Faulty(executor, fault)
            cluster = stack.enter_context(Cluster(executor, checkpoint=parts))
        ready, cpu = time.perf_counter(), time.process_time()
        model = XRLinear(threads=threads).fit(X, Y, compute=cluster)
        found: dict[str, Any] = {"start_s": round(ready - begun, 3), "fit_s": round(time.perf_counter() - ready, 3)}
        found["driver_cpu_s"] = round(time.process_time() - cpu, 3)
        if cluster is not None:
            found |= {"tasks": cluster.tasks, "resumed": cluster.resumed, "worker_peak_mb": round(cluster.peak_mb, 1)}
    return found | {"model": content_of(model.to_state()[1])}


class Faulty:
    """An executor to which something happens after some tasks."""

    def __init__(self, executor: Any, fault: Callable[[Any], None]) -> None:
        self.executor, self.fault, self.done = executor, fault, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.executor, name)

    def as_completed(self, tasks: Any) -> Iterator[Any]:
        """The finished tasks."""
        for task in self.executor.as_completed(tasks):
            self.done += 1
            if self.done == FAULT_AFTER:
                self.fault(self.executor)
            yield task


@contextmanager
def opened(system: str, workers: int, fault: str | None) -> Iterator[tuple[Any, Callable[[Any], None]]]:
    """An executor (None: threads of this process), and what makes a fault of it."""
    from ramify.scale import ProcessExecutor, RayExecutor

    if system == "threads":
        yield None, kill_worker
    elif system == "processes":
        yield ProcessExecutor(workers), kill_worker if fault == "worker-killed" else kill_driver
    elif fault == "machine-removed":
        from ray.cluster_utils import Cluster as Machines

        machines = Machines(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        others = [machines.add_node(num_cpus=1) for _ in range(workers - 1)]
        machines.wait_for_nodes()
        try:
            yield RayExecutor(machines.address), lambda _: machines.remove_node(others.pop(), allow_graceful=False)
        finally:
            machines.shutdown()
    else:
        import ray

        ray.init(num_cpus=workers, **LOGGING)
        try:
            yield RayExecutor(), kill_worker
        finally:
            ray.shutdown()


def kill_worker(executor: Any) -> None:
    """End one worker, which others wait for or which runs the next task."""
    os.kill(executor.submit(own_number).result(), signal.SIGKILL)


def own_number() -> int:
    """The number of this process."""
    return os.getpid()  # a function of C is no task of Ray


def kill_driver(_: Any) -> None:
    """End this process."""
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
