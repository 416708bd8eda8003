"""Where torch computes, with how many threads, and where its random numbers come from. No global state is left changed.

Randomness is counted, not kept: a step's generator is seeded by (seed, epoch, step, shard), so that a run that goes on
from a checkpoint draws what the whole run would have drawn, and threads cannot change what is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ramify.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    import torch

Given = TypeVar("Given")
Made = TypeVar("Made")


def require_torch(what: str) -> None:
    """Raise MissingExtraError, naming who needs it, where torch is not installed."""
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingExtraError(what, "torch") from None


def generator(*counters: int) -> torch.Generator:
    """A CPU generator of its own for these counters, such as (seed, epoch, step)."""
    import torch

    seed = int(np.random.SeedSequence(counters).generate_state(1, np.uint64)[0] >> np.uint64(1))
    return torch.Generator().manual_seed(seed)


class Environment:
    """A device, and threads that each compute alone.

    One operation is never split over threads: sums would then depend on how many there are. Instead whole shards of a
    batch go to threads.

    Parameters
    ----------
    device : {"cpu", "cuda", "auto"}
    threads : int, default 1

    Raises
    ------
    InputError
        "cuda" where there is none.
    """

    def __init__(self, device: str = "cpu", threads: int = 1) -> None:
        import torch

        has_gpu = torch.cuda.is_available()
        if device == "cuda" and not has_gpu:
            raise InputError("device is 'cuda', but torch finds no GPU: use 'cpu' or 'auto'")
        self.device = torch.device("cuda" if has_gpu and device != "cpu" else "cpu")
        self.threads = threads
        self._pool: ThreadPoolExecutor | None = None

    @contextmanager
    def open(self) -> Iterator[Environment]:
        """Within, operations run on one thread each; afterwards torch's own number is restored."""
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            if self.threads == 1 or self.device.type != "cpu":
                yield self
                return
            with ThreadPoolExecutor(self.threads) as pool:
                self._pool = pool
                yield self
        finally:
            self._pool = None
            torch.set_num_threads(before)

    def map(self, call: Callable[[Given], Made], items: Sequence[Given]) -> list[Made]:
        """The answers to all items, in their order, computed side by side where there are threads for it."""
        if self._pool is None or len(items) < 2:
            return [call(item) for item in items]
        return list(self._pool.map(call, items))

    def mixed_precision(self) -> Any:
        """A context for the forward pass: bfloat16 where a GPU has it, else as it is."""
        import torch

        enabled = self.device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)
