"""The executor of a Ray cluster (extra ``ray``). Values of ``put`` are in the object store, once per machine.

Ray resolves handles among the arguments of a task: its arrays are then read-only views of the object store.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ramify import __version__
from ramify.checks import whole_number
from ramify.errors import ClusterError, InputError, MissingExtraError
from ramify.kernels.train import vector_instructions
from ramify.scale.executors import Task, WorkerLostError
from ramify.wording import counted, quoted

SECONDS_TO_CONNECT = 5.0
"""Ray itself tries for minutes."""

SECONDS_TO_ANSWER = 120.0
"""Time in which every machine must start a worker."""


@dataclass(frozen=True, eq=False)
class _RayTask:
    ray: Any
    reference: Any

    def result(self) -> Any:
        errors = self.ray.exceptions
        try:
            value = self.ray.get(self.reference)
        except errors.RayTaskError as error:
            cause = getattr(error, "cause", None)
            raise (cause if isinstance(cause, Exception) else ClusterError(str(error))) from error
        except (errors.ObjectStoreFullError, errors.OutOfDiskError) as error:
            raise ClusterError(_full(error)) from error
        except errors.RayError as error:
            raise WorkerLostError(f"Ray has lost the worker or the result: {_short(error)}") from error
        # a view would keep its place in the object store
        return {name: np.array(array) for name, array in value.items()} if isinstance(value, dict) else value


class RayExecutor:
    """Runs tasks on a Ray cluster.

    Parameters
    ----------
    address : str
        "HOST:PORT" of a cluster, "auto" for the cluster of this machine, or "local" to start one on this machine that
        ends with ``close``.
    threads : int, default 1
        Number of threads and of reserved CPUs of a task.

    Raises
    ------
    MissingExtraError
        Ray is not installed.
    InputError
        An address that does not answer, or more threads than CPUs of every machine.
    ClusterError
        A machine without ramify, with another version of it or of Ray, or with other vector instructions.
    """

    def __init__(self, address: str = "auto", *, threads: int = 1) -> None:
        try:
            import ray
        except ImportError:
            raise MissingExtraError("Ray clusters", "ray") from None
        self.threads = whole_number("threads", threads, 1, 4096)
        self._ray: Any = ray
        self._mine = not ray.is_initialized()
        if self._mine:
            self._connect(address)
        try:
            nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
            cpus = [int(node["Resources"]["CPU"]) for node in nodes]
            self.slots = sum(count // self.threads for count in cpus)
            if self.slots == 0:
                raise InputError(
                    f"a task has {counted(self.threads, 'thread')}, but the largest machine of the cluster has "
                    f"{counted(max(cpus, default=0), 'CPU')}: use fewer threads"
                )
            self._check_machines(nodes)
        except BaseException:
            self.close()
            raise

    def _connect(self, address: str) -> None:
        _check_reachable(address)
        own = {"include_dashboard": False} if address == "local" else {}
        try:
            self._ray.init(address=address, logging_level="ERROR", log_to_driver=False, **own)
        except (ConnectionError, RuntimeError, ValueError, AssertionError) as error:
            if "mismatch" in str(error).lower():
                raise ClusterError(
                    f"the cluster {quoted(address)} has another version of Ray or Python than this process "
                    f"({_short(error)}): install the same versions"
                ) from None
            raise InputError(
                f"the Ray cluster {quoted(address)} cannot be used ({_short(error)}): check the address and the "
                "authentication of Ray, or start one with ray start --head"
            ) from None

    def _check_machines(self, nodes: Sequence[dict[str, Any]]) -> None:
        """Raise ClusterError for a machine that would give other weights, or none."""
        strategy = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        here = (__version__, vector_instructions())
        probe = self._ray.remote(num_cpus=0, max_retries=1)(_probe())
        asked = {
            node["NodeManagerAddress"]: probe.options(
                scheduling_strategy=strategy(node_id=node["NodeID"], soft=False)
            ).remote()
            for node in nodes
        }
        for machine, reference in asked.items():
            try:
                found = self._ray.get(reference, timeout=SECONDS_TO_ANSWER)
            except self._ray.exceptions.RayError as error:
                raise ClusterError(
                    f"the machine {machine} of the cluster runs no task ({_short(error)}): remove it"
                ) from None
            check_facts(machine, found, here)

    def put(self, value: Any) -> Any:
        """See ``Executor.put``.

        Raises
        ------
        ClusterError
            The object store cannot hold the value.
        """
        errors = self._ray.exceptions
        try:
            return self._ray.put(value)
        except (errors.ObjectStoreFullError, errors.OutOfDiskError) as error:
            raise ClusterError(_full(error)) from None

    def drop(self, handle: Any) -> None:
        """See ``Executor.drop``; Ray frees a value without references by itself."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Task:
        """See ``Executor.submit``."""
        remote = self._ray.remote(num_cpus=self.threads, max_retries=0)(function)
        return _RayTask(self._ray, remote.remote(*arguments))

    def as_completed(self, tasks: Sequence[Any]) -> Iterator[Task]:
        """See ``Executor.as_completed``."""
        left = {task.reference: task for task in tasks}
        while left:
            done, _ = self._ray.wait(list(left), num_returns=1)
            yield from [left.pop(reference) for reference in done]

    def close(self) -> None:
        """Disconnect, unless the program was connected before; a cluster started by "local" ends."""
        if self._mine:
            self._ray.shutdown()


def _probe() -> Callable[[], tuple[str, str] | str]:
    def facts() -> tuple[str, str] | str:  # Ray sends a nested function by value, so a worker without ramify can run it
        try:
            import ramify
            from ramify.kernels.train import vector_instructions
        except ImportError as error:
            return str(error)
        return ramify.__version__, vector_instructions()

    return facts


def check_facts(machine: str, found: tuple[str, str] | str, here: tuple[str, str]) -> None:
    """Raise ClusterError if a machine cannot give the weights of this one.

    Parameters
    ----------
    machine : str
        Its address.
    found : tuple of (str, str), or str
        Its version of ramify and its vector instructions, or the error of the import.
    here : tuple of (str, str)
        Those of this process.
    """
    if isinstance(found, str):
        raise ClusterError(
            f"the machine {machine} of the cluster has no ramify ({found}): install ramify {here[0]} there"
        )
    if found[0] != here[0]:
        raise ClusterError(
            f"the machine {machine} of the cluster has ramify {found[0]}, but this process has {here[0]}: "
            "install the same"
        )
    if found[1] != here[1]:
        raise ClusterError(
            f"the machine {machine} of the cluster has {found[1]} instructions, but this one has {here[1]}, and the "
            "weights depend on them: use machines of one kind, or set RAMIFY_ISA=baseline or avx2 everywhere"
        )


def _check_reachable(address: str) -> None:
    """Raise InputError if nothing listens at HOST:PORT."""
    if address in ("auto", "local"):
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InputError(f"the address of the cluster is {quoted(address)}, but must be HOST:PORT, auto or local")
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_CONNECT).close()
    except OSError as error:
        raise InputError(
            f"the Ray cluster {quoted(address)} does not answer ({error.strerror or error}): check the address and the "
            "firewall, or start one with ray start --head"
        ) from None


def _full(error: Exception) -> str:
    return (
        f"the object store of Ray is full ({_short(error)}): start Ray with a larger --object-store-memory, and on "
        "Linux with a /dev/shm of that size"
    )


def _short(error: Exception) -> str:
    words = " ".join(str(error).split())
    return words if len(words) <= 160 else f"{words[:160]}..."
