"""What a training run tells while it goes, and what it leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class EpochEnd:
    """One pass over the data is over.

    Parameters
    ----------
    epoch : int
        Counted from 0.
    loss : float
        Mean over the epoch's targets.
    measure : float
        On held-out instances, larger is better; NaN where none are held out.
    best : bool
        Whether it is the best so far.
    """

    epoch: int
    loss: float
    measure: float
    best: bool


OnEvent: TypeAlias = Callable[[EpochEnd], None]


@dataclass(frozen=True)
class History:
    """All epochs of a run, and the one whose parameters were kept."""

    epochs: tuple[EpochEnd, ...]

    @property
    def best(self) -> int:
        """Number of the epoch that was kept."""
        return max((event.epoch for event in self.epochs if event.best), default=0)

    def to_json(self) -> list[list[Any]]:
        """Loss, measure and best of each epoch; NaN, which JSON lacks, as a string."""
        return [[event.loss, repr(event.measure), event.best] for event in self.epochs]

    @classmethod
    def from_json(cls, rows: list[list[Any]]) -> History:
        """What ``to_json`` gave; ValueError or TypeError where it is something else."""
        return cls(
            tuple(
                EpochEnd(number, float(loss), float(measure), bool(best))
                for number, (loss, measure, best) in enumerate(rows)
            )
        )
