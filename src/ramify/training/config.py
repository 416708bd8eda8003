"""The settings of the training loop, validated where they are made."""

from __future__ import annotations

from dataclasses import dataclass

from ramify.errors import InputError
from ramify.kernels.check import MAX_THREADS, real_number, whole_number

DEVICES = ("cpu", "cuda", "auto")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How long, how fast, and where.

    Parameters
    ----------
    epochs : int, default 40
        Passes over the training instances at most.
    batch_size : int, default 64
        Instances per step.
    learning_rate : float, default 1e-3
        Of AdamW, after a warm-up of one epoch; it falls in a straight line to a twentieth.
    weight_decay : float, default 0
        Of AdamW.
    clip : float, default 1
        Largest norm of a step's gradient.
    patience : int, default 10
        Epochs without a better held-out measure before the training stops; the best epoch's parameters are kept.
    average : float, default 0
        Decay per step of a running average of the parameters, which is what is measured and kept; 0 for none.
    device : {"cpu", "cuda", "auto"}
        Where; "auto" takes a GPU where there is one. Mixed precision (bfloat16) only there.
    seed : int, default 0
    threads : int, default 1
        Same seed, same result on a CPU for any number of threads.

    Raises
    ------
    InputError
        A value out of range.
    """

    epochs: int = 40
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    clip: float = 1.0
    patience: int = 10
    average: float = 0.0
    device: str = "cpu"
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        whole_number("epochs", self.epochs, 1, 100_000)
        whole_number("batch_size", self.batch_size, 1, 1_000_000)
        real_number("learning_rate", self.learning_rate, 1e-8, 10)
        real_number("weight_decay", self.weight_decay, 0, 10)
        real_number("clip", self.clip, 1e-6, 1e6)
        whole_number("patience", self.patience, 1, 100_000)
        real_number("average", self.average, 0, 0.99999)
        whole_number("seed", self.seed, 0, 2**32 - 1)
        whole_number("threads", self.threads, 1, MAX_THREADS)
        if self.device not in DEVICES:
            raise InputError(f"device is {self.device!r}, but must be one of {', '.join(DEVICES)}")
