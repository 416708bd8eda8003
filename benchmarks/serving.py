"""The HTTP service beside libpecos and omikuji behind FastAPI, under load, under faults, and under random requests.

    python benchmarks/serving.py load                       # requests/s, p50 and p99 of 1 to 256 connections (wrk)
    python benchmarks/serving.py latency                    # 500 requests/s at random times (open loop)
    python benchmarks/serving.py faults --minutes 10        # killed processes, replaced models, clients that leave
    python benchmarks/serving.py fuzz --cases 10000         # schemathesis
    python benchmarks/serving.py annif --annif ENV          # suggestions of a real Annif with backend=http
    python benchmarks/serving.py load --systems ramify --connections 8 --seconds 3

Each system serves its default model of the data set, trained once and kept in the cache: ramify by ``ramify train`` and
``ramify serve``, the peers by uvicorn with the same event loop, in environments of their own
(``contestants/serve_*.py``). ``load`` and ``latency`` run each with 1 and with 2 worker processes; the table has the
better one. P@k of the served answers to all test documents is measured beside the speed. The load generators share the
cores with the service, equally for all systems; ``load`` also measures ``wrk`` against a server that does nothing.

Rows go to ``results/serving.jsonl``; those that are there for the same sources, machine and options are skipped, unless
``--quiet-only`` measures again what was measured while other programs used the machine.
``python benchmarks/race.py table`` writes the section of ``RESULTS.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from racing.environments import InstallError
from racing.machine import machine
from racing.places import CACHE, DATA
from racing.rows import Row, add_stamped, read_rows
from racing.serving_annif import compare_with_annif, with_uris
from racing.serving_clients import OpenLoop, answers
from racing.serving_faults import FaultRun, Faults, fresh_place
from racing.serving_fuzz import fuzz_service
from racing.serving_load import Watched, bodies, closed_loop, trivial_server
from racing.serving_quality import Documents, precision
from racing.serving_systems import PROTOCOL, Served, Service, ServingError, served_systems
from racing.serving_tables import GENERATOR, SERVING, key_of
from racing.stopping import run_until_stopped

BATCHES = (1, 32)
CASES = 4000
"""Requests of ``load`` and ``latency``, of which each is chosen at random."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = list(served_systems())
    parser.add_argument("task", choices=list(TASKS))
    parser.add_argument("--set", default="gutenberg-lcsh", help="data set of texts")
    parser.add_argument("--systems", nargs="+", default=names, choices=names, metavar="SYSTEM", help=", ".join(names))
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2], help="processes of each system")
    parser.add_argument("--connections", nargs="+", type=int, default=[1, 8, 64, 256], help="for load")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement, for load and latency")
    parser.add_argument("--rate", type=float, default=500, help="requests per second, for latency")
    parser.add_argument("--minutes", type=float, default=10, help="for faults")
    parser.add_argument("--cases", type=int, default=10_000, help="for fuzz, at least")
    parser.add_argument("--annif", type=Path, help="environment with Annif, for annif")
    parser.add_argument("--quiet-only", action="store_true", help="measure again what other programs disturbed")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    return parser.parse_args()


def main() -> None:
    chosen = arguments()
    try:
        TASKS[chosen.task](chosen)
    except (ServingError, InstallError) as error:
        sys.exit(str(error))


class Measured:
    """The rows of one system and task: which are missing, and how they are added.

    Parameters
    ----------
    chosen : Namespace
    system : Served or str
        A system, or the name of what is no system.
    kind : str
        Task.
    """

    def __init__(self, chosen: argparse.Namespace, system: Served | str, kind: str) -> None:
        name, identity = (system, str(PROTOCOL)) if isinstance(system, str) else (system.name, system.identity())
        self._head: Row = {"kind": kind, "dataset": chosen.set, "system": name, "identity": identity}
        self._head["machine"], self._quiet_only = machine(), chosen.quiet_only

    def is_missing(self, **options: Any) -> bool:
        """Whether no row has these options."""
        wanted = key_of(self._head | options)
        found = [row for row in read_rows(SERVING) if key_of(row) == wanted]
        return not found or (self._quiet_only and all(row.get("busy") for row in found))

    def add(self, figures: Row, **options: Any) -> None:
        """Add a row, and print it."""
        row = add_stamped(SERVING, self._head | options | figures)
        hidden = ("machine", "identity", "memory_mb", "dataset", "commit", "date", "examples")
        print(json.dumps({name: value for name, value in row.items() if name not in hidden}), flush=True)


def systems_of(chosen: argparse.Namespace) -> list[Served]:
    return [served_systems()[name] for name in chosen.systems]


@contextmanager
def lazily(system: Served, model: Callable[[], Path], workers: int) -> Iterator[Callable[[], Service]]:
    """A function that gives the running service, which is started by its first call."""
    running: list[Any] = []

    def service() -> Service:
        if not running:
            context = system.serving(model(), workers)
            running.extend((context, context.__enter__()))
        found: Service = running[1]
        return found

    try:
        yield service
    finally:
        if running:
            running[0].__exit__(None, None, None)


def load(chosen: argparse.Namespace) -> None:
    """Closed loop, of each number of connections, with single texts and with batches."""
    documents = Documents.read(chosen.data / chosen.set)
    requests = {size: bodies(documents.texts, size, CASES) for size in BATCHES}
    generator(chosen, requests)
    for system in systems_of(chosen):
        quality(chosen, system, documents)
        for workers in chosen.workers:
            with lazily(system, lambda one=system: one.trained(chosen.data, chosen.set), workers) as service:
                measured = Measured(chosen, system, "load")
                for size in BATCHES:
                    for connections in chosen.connections:
                        options = {"workers": workers, "texts": size, "connections": connections}
                        if measured.is_missing(**options):
                            with Watched(service()) as watched:
                                figures = closed_loop(service().port, requests[size], connections, chosen.seconds)
                            measured.add(figures | watched.figures(), **options)


def generator(chosen: argparse.Namespace, requests: dict[int, list[bytes]]) -> None:
    """What ``wrk`` can do against a server that does nothing."""
    measured = Measured(chosen, GENERATOR, "load")
    for size in BATCHES:
        for connections in chosen.connections:
            options = {"workers": 1, "texts": size, "connections": connections}
            if measured.is_missing(**options):
                with trivial_server() as port:
                    measured.add(closed_loop(port, requests[size], connections, min(3, chosen.seconds)), **options)


def quality(chosen: argparse.Namespace, system: Served, documents: Documents) -> None:
    """P@k of the served answers, and whether a text alone gets the answer that it gets in a batch."""
    measured = Measured(chosen, system, "quality")
    if not measured.is_missing():
        return
    with system.serving(system.trained(chosen.data, chosen.set), 1) as service:
        parts = [documents.texts[place : place + 32] for place in range(0, len(documents.texts), 32)]
        batches = [json.dumps({"texts": part}).encode() for part in parts]
        replies = asyncio.run(answers(service.port, batches))
        alone = asyncio.run(answers(service.port, bodies(documents.texts, 1, min(320, len(documents.texts)))))
    found = [document for reply in replies for document in json.loads(reply.body)["documents"]]
    names = [[label["label"] for label in document["labels"]] for document in found]
    single = [[label["label"] for label in json.loads(reply.body)["documents"][0]["labels"]] for reply in alone]
    equal = sum(one == other for one, other in zip(single, names, strict=False))
    measured.add(precision(names, documents) | {"equal_alone": [equal, len(single)]})


def latency(chosen: argparse.Namespace) -> None:
    """Open loop of single texts."""
    documents = Documents.read(chosen.data / chosen.set)
    requests = bodies(documents.texts, 1, CASES)
    for system in systems_of(chosen):
        quality(chosen, system, documents)
        for workers in chosen.workers:
            measured, options = Measured(chosen, system, "latency"), {"workers": workers, "rate": chosen.rate}
            if measured.is_missing(**options):
                with system.serving(system.trained(chosen.data, chosen.set), workers) as service:
                    run_open_loop(service, requests, chosen.rate, 2)
                    with Watched(service) as watched:
                        figures = run_open_loop(service, requests, chosen.rate, chosen.seconds)
                measured.add(figures | watched.figures() | {"seconds": chosen.seconds}, **options)


def run_open_loop(service: Service, requests: list[bytes], rate: float, seconds: float) -> Row:
    import uvloop

    return uvloop.run(OpenLoop(service.port, requests, rate, seconds).run())


def faults(chosen: argparse.Namespace) -> None:
    """Of ramify, with the largest number of workers."""
    import uvloop

    system, options = served_systems()["ramify"], {"workers": max(chosen.workers), "minutes": chosen.minutes}
    measured = Measured(chosen, system, "faults")
    if not measured.is_missing(**options):
        return
    documents = Documents.read(chosen.data / chosen.set)
    models = [system.trained(chosen.data, chosen.set, seed) for seed in (0, 1)]
    place = fresh_place(models[0], CACHE / "serving" / "replaced")
    with system.serving(place, options["workers"]) as service:
        run = FaultRun(service, place, models, documents.texts, Faults(seconds=60 * chosen.minutes))
        with Watched(service) as watched:
            figures = uvloop.run(run.run())
        code = service.stop()
    # CPU of processes that ended is unknown, so that others cannot be told apart.
    measured.add(figures | {"exit_code": code, "left": service.left, "wall_s": round(watched.wall_s, 1)}, **options)


def fuzz(chosen: argparse.Namespace) -> None:
    """Random requests to ramify."""
    system, options = served_systems()["ramify"], {"cases": chosen.cases}
    measured = Measured(chosen, system, "fuzz")
    if measured.is_missing(**options):
        with system.serving(system.trained(chosen.data, chosen.set), 1) as service:
            measured.add(fuzz_service(service, chosen.cases, CACHE / "serving" / "fuzz"), **options)


def annif(chosen: argparse.Namespace) -> None:
    """Suggestions of Annif with backend=http beside those of the service."""
    if chosen.annif is None:
        raise ServingError("Annif needs an environment of its own: give --annif, a folder made by python -m venv")
    system = served_systems()["ramify"]
    measured = Measured(chosen, system, "annif")
    if measured.is_missing():
        documents = Documents.read(chosen.data / chosen.set)
        folder = CACHE / "serving" / "annif"
        with system.serving(with_uris(system.trained(chosen.data, chosen.set), folder), 1) as service:
            measured.add(compare_with_annif(chosen.annif, service, documents, folder))


TASKS = {"load": load, "latency": latency, "faults": faults, "fuzz": fuzz, "annif": annif}


if __name__ == "__main__":
    run_until_stopped(main, "rows")
