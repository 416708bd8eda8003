"""Settings of the training loop: budget, learning rate, evaluation and checkpoints."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ramify.checks import SEED, CheckedWhenMade, OneOf, Real, Rules, Whole
from ramify.errors import InputError

DECAYS = ("constant", "linear", "cosine")


@dataclass(frozen=True, kw_only=True)
class LoopConfig(CheckedWhenMade):
    """How a network is trained. Exactly one of ``epochs`` and ``steps`` must be given.

    A step from t to t' (in the unit of the budget T: steps or epochs) has the learning rate::

        learning_rate · min(1, t' / warmup) · (1 - (1 - final_rate) · fall((t - s) / (T - s)))      s = decay_start

    fall(x) = 0 for x ≤ 0; else it is x ("linear"), (1 - cos πx) / 2 ("cosine") or 0 ("constant").

    Parameters
    ----------
    epochs : int, optional
        Largest number of passes over the training instances.
    steps : int, optional
        Largest number of steps, that is, updates of the parameters.
    batch_size : int, default 32
        Instances per step and process.
    micro_batch : int, optional
        Largest number of instances per forward and backward pass. The gradients of a batch are accumulated; the update
        is that of the whole batch. None: no limit.
    learning_rate : float, default 1e-3
        Of AdamW, after the warm-up, for parameter groups without their own.
    weight_decay : float, default 0
        Of AdamW, for parameter groups without their own.
    warmup : float, default 0
        Length of the linear warm-up, in the unit of the budget: steps or epochs.
    decay : {"linear", "cosine", "constant"}
        Course of the learning rate after the warm-up.
    final_rate : float, default 0
        Learning rate at the end, as a share of ``learning_rate``; not used by "constant".
    decay_start : float, optional
        Where the decay begins, in the unit of the budget. None: at the end of the warm-up.
    clip : float, default 1
        Largest Euclidean norm of the gradient over all parameters.
    evaluate_every : int, optional
        Steps between evaluations. None: after each epoch. The last step is always evaluated.
    checkpoint_every : int, optional
        Steps between checkpoints, in addition to one after each evaluation. None: only these.
    patience : int, default 10
        Evaluations without a better measure before training stops. The parameters of the best evaluation are kept.
    average : float, default 0
        Decay per step of a running average of the parameters, which is evaluated and kept in their place; 0: none.
    seed : int, default 0
        The same seed gives the same parameters for any number of threads on a CPU.

    Raises
    ------
    InputError
        A value out of range, or not exactly one budget.
    """

    epochs: int | None = None
    steps: int | None = None
    batch_size: int = 32
    micro_batch: int | None = None
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    warmup: float = 0.0
    decay: str = "linear"
    final_rate: float = 0.0
    decay_start: float | None = None
    clip: float = 1.0
    evaluate_every: int | None = None
    checkpoint_every: int | None = None
    patience: int = 10
    average: float = 0.0
    seed: int = 0

    RULES: ClassVar[Rules] = {
        "epochs": Whole(1, 100_000, optional=True),
        "steps": Whole(1, 10**9, optional=True),
        "batch_size": Whole(1, 1_000_000),
        "micro_batch": Whole(1, 1_000_000, optional=True),
        "learning_rate": Real(1e-8, 10),
        "weight_decay": Real(0, 10),
        "warmup": Real(0, 1e9),
        "decay": OneOf(DECAYS),
        "final_rate": Real(0, 1),
        "decay_start": Real(0, 1e9, optional=True),
        "clip": Real(1e-6, 1e6),
        "evaluate_every": Whole(1, 10**9, optional=True),
        "checkpoint_every": Whole(1, 10**9, optional=True),
        "patience": Whole(1, 100_000),
        "average": Real(0, 0.99999),
        "seed": SEED,
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.epochs is None) == (self.steps is None):
            raise InputError(f"epochs is {self.epochs} and steps is {self.steps}, but exactly one must be given")
        if self.warmup > self.budget:
            unit = "steps" if self.epochs is None else "epochs"
            raise InputError(f"warmup is {self.warmup:g} {unit}, but the budget is {self.budget}: lower it")

    @property
    def budget(self) -> int:
        """``epochs`` or ``steps``, whichever is given."""
        return self.steps or self.epochs or 0

    def rate(self, full: float, before: float, after: float) -> float:
        """Learning rate of the step from ``before`` to ``after``; ``full`` is the rate after the warm-up."""
        warm = min(1.0, after / self.warmup) if self.warmup else 1.0
        start = self.warmup if self.decay_start is None else self.decay_start
        share = max(0.0, before - start) / max(1e-9, self.budget - start)
        fall = {"constant": 0.0, "linear": share, "cosine": (1 - math.cos(math.pi * share)) / 2}[self.decay]
        return full * warm * (1 - (1 - self.final_rate) * fall)
