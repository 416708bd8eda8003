"""The executor of a Ray cluster (extra ``ray``). Values of ``put`` are in the object store, once per machine.

Ray resolves handles among the arguments of a task: its arrays are then read-only views of the object store.
"""

from __future__ import annotations

import os
import socket
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import numpy as np

from ramify import __version__
from ramify.checks import whole_number
from ramify.errors import ClusterError, InputError, MissingExtraError
from ramify.kernels.train import vector_instructions
from ramify.scale.executors import CLOSED, Task, WorkerLostError
from ramify.wording import counted, quoted

SECONDS_TO_CONNECT = 5.0
"""Ray itself tries for minutes."""

NAMES = ("auto", "local")
"""Addresses that are not HOST:PORT."""

HTTP2_HEADER, HTTP2_SETTINGS = 9, 4
"""Bytes of the header of a frame, and the type of the first frame of each side."""

HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, HTTP2_SETTINGS, 0, 0, 0, 0, 0])
"""Beginning of a connection by a client, with empty settings."""

CANCELLED_AT_MOST, SECONDS_TO_CANCEL = 10, 1.0
"""Times that a task is cancelled, and the time in which it must end."""

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
        "HOST:PORT" of a cluster, "auto" for that of this machine or the one that this process is connected to, or
        "local" to start one on this machine that ends with ``close``.
    threads : int, default 1
        Number of threads and of reserved CPUs of a task.

    Raises
    ------
    MissingExtraError
        Ray is not installed.
    InputError
        An address where Ray does not answer, another one than that of the cluster that this process is connected to,
        or more threads than CPUs of every machine.
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
        self._tasks: weakref.WeakSet[_RayTask] = weakref.WeakSet()
        self._closed = False
        self._mine = not ray.is_initialized()
        if self._mine:
            self._connect(address)
        else:
            self._check_connected(address)
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
        if address not in NAMES:
            _check_ray_answers(address)
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

    def _check_connected(self, address: str) -> None:
        """Raise InputError if this process is connected to another cluster than that of the address."""
        known, own = str(self._ray.get_runtime_context().gcs_address), str(self._ray.util.get_node_ip_address())
        if address == "auto" or (address != "local" and _same_place(address, known, own)):
            return
        raise InputError(
            f"the address of the cluster is {quoted(address)}, but this process is connected to the Ray cluster "
            f"{known}: give auto to use that one, or call ray.shutdown() first"
        )

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
        self._check_open()
        errors = self._ray.exceptions
        try:
            return self._ray.put(value)
        except (errors.ObjectStoreFullError, errors.OutOfDiskError) as error:
            raise ClusterError(_full(error)) from None

    def drop(self, handle: Any) -> None:
        """See ``Executor.drop``; Ray frees a value without references by itself."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Task:
        """See ``Executor.submit``."""
        self._check_open()
        remote = self._ray.remote(num_cpus=self.threads, max_retries=0)(function)
        task = _RayTask(self._ray, remote.remote(*arguments))
        self._tasks.add(task)
        return task

    def _check_open(self) -> None:
        if self._closed:
            raise InputError(CLOSED)

    def as_completed(self, tasks: Sequence[Any]) -> Iterator[Task]:
        """See ``Executor.as_completed``."""
        left = {task.reference: task for task in tasks}
        while left:
            done, _ = self._ray.wait(list(left), num_returns=1)
            yield from [left.pop(reference) for reference in done]

    def close(self) -> None:
        """Cancel the tasks, and disconnect unless the program was connected before; a cluster of "local" ends."""
        self._closed = True
        if self._mine:
            self._ray.shutdown()
        else:
            self._cancel([task.reference for task in self._tasks])
        self._tasks.clear()

    def _cancel(self, references: list[Any]) -> None:
        """Cancel tasks until they have ended: Ray may lose the cancelling of a task that a worker is about to begin."""
        for _ in range(CANCELLED_AT_MOST):
            for reference in references:  # those that have ended are not affected
                self._ray.cancel(reference, force=True)
            if references:
                _, references = self._ray.wait(references, num_returns=len(references), timeout=SECONDS_TO_CANCEL)
            if not references:
                return


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


def _parts(address: str) -> tuple[str, int]:
    """Host and port of an address.

    Raises
    ------
    InputError
        Another form than HOST:PORT.
    """
    if "://" in address:
        raise InputError(
            f"the address of the cluster is {quoted(address)}, but clients of Ray (ray://) have no shared memory with "
            "the workers: give HOST:PORT of the head, as ray start --head prints it, and run the command on a machine "
            "of the cluster"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not port.isascii() or not 0 < int(port) < 65536:
        raise InputError(f"the address of the cluster is {quoted(address)}, but must be HOST:PORT, auto or local")
    return host.strip("[]"), int(port)


def _check_ray_answers(address: str) -> None:
    """Raise InputError if no program listens at HOST:PORT, or one that does not use HTTP/2, as Ray does."""
    place = _parts(address)
    try:
        with socket.create_connection(place, SECONDS_TO_CONNECT) as connection:
            answers = os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true") or _is_http2(connection)
    except UnicodeError:  # of the codec for names of hosts: an empty part, or a long one
        raise InputError(f"{quoted(place[0])} cannot be the name of a machine: give HOST:PORT of the cluster") from None
    except OSError as error:
        raise InputError(
            f"the Ray cluster {quoted(address)} does not answer ({error.strerror or error}): check the address and the "
            "firewall, or start one with ray start --head"
        ) from None
    if not answers:
        raise InputError(
            f"another program than Ray listens at {quoted(address)}: give the address that ray start --head prints"
        )


def _is_http2(connection: socket.socket) -> bool:
    """Whether the other side begins with settings of HTTP/2 (RFC 9113, 3.4), within ``SECONDS_TO_CONNECT``."""
    seen = b""
    try:
        connection.sendall(HTTP2_GREETING)
        while len(seen) < HTTP2_HEADER:
            piece = connection.recv(HTTP2_HEADER - len(seen))
            if not piece:
                return False
            seen += piece
    except OSError:
        return False
    return seen[3] == HTTP2_SETTINGS and seen[5:] == bytes(4)


def _same_place(address: str, known: str, own: str) -> bool:
    """Whether an address HOST:PORT is that of a known program.

    Parameters
    ----------
    address, known : str
        The address, and that of the program.
    own : str
        IP address of this machine in the cluster, which Ray uses in place of a loopback address.
    """
    (host, port), (other, other_port) = _parts(address), _parts(known)
    try:
        found, wanted = ({str(one[4][0]) for one in socket.getaddrinfo(name, port)} for name in (host, other))
    except (OSError, UnicodeError):
        return address == known
    found |= {own} if any(ip_address(one.partition("%")[0]).is_loopback for one in found) else set()
    return port == other_port and bool(found & wanted)


def _full(error: Exception) -> str:
    return (
        f"the object store of Ray is full ({_short(error)}): start Ray with a larger --object-store-memory, and on "
        "Linux with a /dev/shm of that size"
    )


def _short(error: Exception) -> str:
    words = " ".join(str(error).split())
    return words if len(words) <= 160 else f"{words[:160]}..."
