"""The settings of the training loop, validated where they are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ramify.checks import MAX_THREADS, SEED, CheckedWhenMade, OneOf, Real, Rules, Whole

DEVICES = ("cpu", "cuda", "auto")


@dataclass(frozen=True, kw_only=True)
class LoopConfig(CheckedWhenMade):
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

    RULES: ClassVar[Rules] = {
        "epochs": Whole(1, 100_000),
        "batch_size": Whole(1, 1_000_000),
        "learning_rate": Real(1e-8, 10),
        "weight_decay": Real(0, 10),
        "clip": Real(1e-6, 1e6),
        "patience": Whole(1, 100_000),
        "average": Real(0, 0.99999),
        "device": OneOf(DEVICES),
        "seed": SEED,
        "threads": Whole(1, MAX_THREADS),
    }
