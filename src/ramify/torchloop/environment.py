"""Where torch computes: device, threads and precision.

Outside ``Environment.open``, torch's global state is unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ramify.checks import MAX_THREADS, OneOf, Whole
from ramify.errors import InputError, MissingExtraError
from ramify.torchloop.processes import Processes

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

DEVICE = OneOf(("cpu", "cuda", "auto"))
PRECISION = OneOf(("auto", "native", "float32", "bfloat16"))


def loaded_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings from a model directory; the device "cuda" becomes "auto", so that a machine without a GPU predicts."""
    found = {**settings}
    if found.get("device") == "cuda":
        found["device"] = "auto"
    return found


def require_torch(what: str) -> None:
    """Raise MissingExtraError, which names ``what`` needs torch, if torch is not installed."""
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingExtraError(what, "torch") from None


class Environment:
    """A device, and threads that each compute one shard of a batch.

    A single operation is never split over threads, because its sums would then depend on their number. One process uses
    one device; several processes share a training run.

    Parameters
    ----------
    device : {"cpu", "cuda", "auto"}
        "auto": a GPU if there is one, else the CPU.
    threads : int, default 1
        Used on the CPU only.
    precision : {"auto", "native", "float32", "bfloat16"}
        "bfloat16": forward passes run under ``torch.autocast``; parameters and optimizer stay in float32. "auto":
        bfloat16 on a GPU that supports it, else float32. "native": like "auto", and bfloat16 on a CPU with instructions
        for it (AVX-512 BF16, AMX), where large matrix products take less than half of the time; small ones do not.

    Raises
    ------
    InputError
        A value out of range, or "cuda" without a GPU.

    Attributes
    ----------
    processes : Processes
        Within ``open(shared=True)`` the processes that were started together; otherwise this process alone.
    """

    def __init__(self, device: str = "cpu", threads: int = 1, precision: str = "auto") -> None:
        import torch

        DEVICE.check("device", device)
        PRECISION.check("precision", precision)
        has_gpu = torch.cuda.is_available()
        if device == "cuda" and not has_gpu:
            raise InputError("device is 'cuda', but torch finds no GPU: use 'cpu' or 'auto'")
        self.processes, self._started = Processes(), Processes.started()
        self.device = _gpu(self._started) if has_gpu and device != "cpu" else torch.device("cpu")
        self.threads = int(Whole(1, MAX_THREADS).check("threads", threads))
        on_gpu = self.device.type == "cuda"
        supported = torch.cuda.is_bf16_supported() if on_gpu else precision == "native" and _cpu_has_bfloat16()
        self.bfloat16 = precision == "bfloat16" or (precision != "float32" and supported)
        self._pool: ThreadPoolExecutor | None = None

    @contextmanager
    def open(self, *, shared: bool = False) -> Iterator[Environment]:
        """Within, each operation runs on one thread; afterwards torch's number of threads is restored.

        Parameters
        ----------
        shared : bool, default False
            Connect the processes that were started together, for training. Predictions need no other process.
        """
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with self._processes_open(shared), self._threads_open():
                yield self
        finally:
            torch.set_num_threads(before)

    @contextmanager
    def _processes_open(self, shared: bool) -> Iterator[None]:
        if not shared:
            yield
            return
        with self._started.open(self.device):
            self.processes = self._started
            try:
                yield
            finally:
                self.processes = Processes()

    @contextmanager
    def _threads_open(self) -> Iterator[None]:
        if self.threads == 1 or self.device.type != "cpu":
            yield
            return
        with ThreadPoolExecutor(self.threads) as pool:
            self._pool = pool
            try:
                yield
            finally:
                self._pool = None

    def map(self, call: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Results of all items in their order; on a CPU with several threads, items are computed in parallel."""
        if self._pool is None or len(items) < 2:
            return [call(item) for item in items]
        return list(self._pool.map(call, items))

    def autocast(self) -> Any:
        """A context for forward passes, with the precision of this environment."""
        import torch

        # The cache of cast parameters is shared by all threads and emptied by whichever leaves first.
        return torch.autocast(
            self.device.type,
            dtype=torch.bfloat16,
            enabled=self.bfloat16,
            cache_enabled=self.device.type != "cpu",
        )


def _gpu(processes: Processes) -> torch.device:
    """The GPU of this process; InputError if the machine has fewer GPUs than processes."""
    import torch

    count = torch.cuda.device_count()
    if processes.count > 1 and processes.local_rank >= count:
        raise InputError(
            f"process {processes.local_rank} finds {count} GPUs: start one process per GPU, or use the CPU"
        )
    if processes.count > 1:
        torch.cuda.set_device(processes.local_rank)
    return torch.device("cuda", torch.cuda.current_device())


def _cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 matrices in hardware; False if torch cannot determine it."""
    import torch

    checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(check is not None and bool(check()) for check in checks)
