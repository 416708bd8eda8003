"""Random numbers of a training step, which depend on (seed, epoch, batch, shard) only.

A resumed run therefore draws what an uninterrupted run draws, and the number of threads has no effect. Code of this
library passes a ``generator`` explicitly. Modules of other libraries, such as ``nn.Dropout`` in an encoder, draw from
torch's global generator, which is replaced (``forward_draws``) or seeded (``seeded_draws``) for each shard:

CPU                     random operations of the thread are given a generator of their own; shards run in parallel
GPU, or gradient        the global generators are seeded and restored afterwards; shards run one after another. torch
checkpointing           saves and restores the state of the global generators for recomputations in backward passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ramify.errors import RamifyError
from ramify.torchloop.task import Shard, Task


def seed_of(*counters: int) -> int:
    """A 63-bit seed from counters such as (seed, epoch, batch, shard)."""
    return int(np.random.SeedSequence(counters).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator(*counters: int) -> torch.Generator:
    """A new CPU generator, seeded by counters such as (seed, epoch, batch, shard)."""
    return torch.Generator().manual_seed(seed_of(*counters))


@contextmanager
def seeded_draws(task: Task, shard: Shard, device: torch.device) -> Iterator[None]:
    """Within, the global generators are seeded by the shard's counters, if the network draws from them.

    Nothing changes where the draws of the forward pass are intercepted instead.
    """
    if not task.draws_globally or _intercepted(task, device):
        yield
        return
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if on_gpu else []):
        torch.default_generator.manual_seed(seed_of(*shard.counters))
        if on_gpu:
            torch.cuda.manual_seed(seed_of(*shard.counters))
        yield


def forward_draws(task: Task, shard: Shard, device: torch.device) -> AbstractContextManager[Any]:
    """A context in which operations of this thread draw from a generator that is seeded by the shard's counters."""
    return OwnGenerator(generator(*shard.counters)) if _intercepted(task, device) else nullcontext()


def no_backward_draws(task: Task, shard: Shard, device: torch.device) -> AbstractContextManager[Any]:
    """A context in which draws are errors, unless a recomputation would repeat the draws of the forward pass.

    Whether backward passes draw depends on the network, so those of the first batch of each epoch are enough: the
    interception of all operations takes a share of the time of a step.
    """
    _, _, batch, _ = shard.counters
    return OwnGenerator(None) if batch == 0 and _intercepted(task, device) else nullcontext()


def _intercepted(task: Task, device: torch.device) -> bool:
    """Whether the draws of a forward pass are intercepted; otherwise the global generators are seeded, if it draws."""
    return task.draws_globally and device.type == "cpu" and not task.recomputes


class OwnGenerator(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within, random operations of this thread draw from a given generator instead of torch's global one.

    Operations are intercepted below autograd, where functions such as ``scaled_dot_product_attention`` have been
    decomposed. Torch marks random ones by a tag, and most have a variant with a generator.

    Parameters
    ----------
    generator : torch.Generator or None
        None: a random operation is an error.
    """

    def __init__(self, generator: torch.Generator | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.generator = generator

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See ``TorchDispatchMode``."""
        kwargs = dict(kwargs or {})
        is_random = torch.Tag.nondeterministic_seeded in func.tags and func not in NEVER_RANDOM
        if not is_random or kwargs.get("generator") is not None:
            return func(*args, **kwargs)
        if self.generator is None:
            raise RamifyError(
                "the network draws random numbers in its backward pass, as gradient checkpointing does: "
                "set recomputes = True in its task"
            )
        if func is torch.ops.aten.native_dropout.default:
            return _dropout(*args, generator=self.generator)
        return _with_generator(func)(*args, **kwargs | {"generator": self.generator})


NEVER_RANDOM = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default}
"""Tagged as random, but refuse dropout."""


def _with_generator(func: Any) -> Any:
    """The variant of a random operation that takes a generator."""
    if any(argument.name == "generator" for argument in func._schema.arguments):
        return func
    overload = func._overloadname.replace("default", "")
    for name in (f"{overload}_generator".lstrip("_"), overload.replace("_dtype", "_generator_dtype")):
        if name in func.overloadpacket.overloads():
            return getattr(func.overloadpacket, name)
    raise RamifyError(f"{func} draws random numbers but takes no generator: use another operation in the network")


def _dropout(values: torch.Tensor, p: float, train: bool | None, *, generator: torch.Generator) -> Any:
    """``native_dropout``, which has no variant with a generator: result and mask."""
    if train is False or p == 0:
        return values.clone(), torch.ones_like(values, dtype=torch.bool)
    mask = torch.rand(values.shape, generator=generator) >= p
    return values * mask * (0.0 if p == 1 else 1 / (1 - p)), mask
