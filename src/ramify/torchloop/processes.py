"""Several processes, on one or several machines, that train one network; each has its own GPU, or its own threads.

    batch of a step = count · batch_size instances      every process computes some of its shards
    gradient        = Σ over processes, by all-reduce   then every process makes the same update

The processes are started by ``torchrun`` or ``accelerate launch``, which set the environment variables RANK,
LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT. Without them there is one process. All processes read the same data
and have the same seed. Process 0 writes checkpoints, in a directory that every process can read.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ramify.checks import whole_number
from ramify.errors import InputError

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")

BUCKET = 1 << 24
"""Number of gradient values per all-reduce: gradients are sent in few messages, which need a copy of this size."""


@dataclass(frozen=True)
class Processes:
    """The processes of a run, as this process finds them; by default this process alone.

    Attributes
    ----------
    rank, count : int
        Number of this process, from 0, and number of processes.
    local_rank : int
        Number of this process on its machine, which is the number of its GPU.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @classmethod
    def started(cls) -> Processes:
        """The processes that the environment variables describe; InputError for inconsistent values."""
        found = cls(_variable("RANK", 0, 0), _variable("WORLD_SIZE", 1, 1), _variable("LOCAL_RANK", 0, 0))
        if found.rank >= found.count:
            raise InputError(
                f"RANK is {found.rank}, but WORLD_SIZE is {found.count}: start the processes with torchrun"
            )
        return found

    @contextmanager
    def open(self, device: torch.device) -> Iterator[None]:
        """Within, the processes are connected. The connection stays open until the process ends.

        At the end, the processes wait for each other, so that none closes its connections while another one is still
        in its last exchange. A second connection through the same server of torchrun would not be established, and a
        process that continues after the others have ended, to predict, needs none.
        """
        if self.count == 1:
            yield
            return
        from torch import distributed

        if not distributed.is_initialized():
            self._connect(device)
        yield
        self.wait()

    def _connect(self, device: torch.device) -> None:
        from torch import distributed

        try:
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        except (ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"the {self.count} processes cannot be connected ({reason}): use torchrun") from None
        atexit.register(distributed.destroy_process_group)

    def own(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items of this process: every ``count``-th one."""
        return items[self.rank :: self.count]

    def sum(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace each tensor by its sum over the processes, in place; all have one dtype and device."""
        if self.count == 1:
            return
        import torch

        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
            torch.distributed.all_reduce(flat)
            parts = flat.split([tensor.numel() for tensor in bucket])  # type: ignore[no-untyped-call]
            for tensor, part in zip(bucket, parts, strict=True):
                tensor.copy_(part.view_as(tensor))

    def total(self, values: Sequence[float], device: torch.device) -> list[float]:
        """Sums of some numbers over the processes."""
        if self.count == 1:
            return list(values)
        import torch

        sums = torch.tensor(values, dtype=torch.float64, device=device)
        torch.distributed.all_reduce(sums)
        return [float(value) for value in sums.tolist()]

    def of_first(self, value: float, device: torch.device) -> float:
        """The value of process 0, so that all processes decide alike."""
        return self.total([value if self.rank == 0 else 0.0], device)[0]

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.count > 1:
            import torch

            torch.distributed.barrier()


def _variable(name: str, default: int, least: int) -> int:
    """A whole number from an environment variable."""
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    return whole_number(name, int(text) if text.isdecimal() else text, least, 2**20)


def _buckets(tensors: Sequence[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """The tensors in groups of about ``BUCKET`` values."""
    bucket: list[torch.Tensor] = []
    size = 0
    for tensor in tensors:
        bucket.append(tensor)
        size += tensor.numel()
        if size >= BUCKET:
            yield bucket
            bucket, size = [], 0
    if bucket:
        yield bucket
