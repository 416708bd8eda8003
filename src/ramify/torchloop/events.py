"""Evaluations of a training run, and their history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Evaluation:
    """An evaluation during training.

    Parameters
    ----------
    epoch : int
        Epoch of the last step, counted from 0.
    step : int
        Steps done; 0 if a model directory of an older version does not hold it.
    loss : float
        Mean training loss per target since the previous evaluation.
    measure : float
        On held-out instances, larger is better; NaN without held-out instances.
    best : bool
        Whether the measure is the best so far.
    """

    epoch: int
    step: int
    loss: float
    measure: float
    best: bool


OnEvent: TypeAlias = Callable[[Evaluation], None]


@dataclass(frozen=True)
class History:
    """All evaluations of a run.

    Parameters
    ----------
    evaluations : tuple of Evaluation
    """

    evaluations: tuple[Evaluation, ...]

    @property
    def best(self) -> int:
        """Number of the evaluation whose parameters were kept, counted from 0."""
        return max((number for number, event in enumerate(self.evaluations) if event.best), default=0)

    def to_json(self) -> list[list[Any]]:
        """Loss, measure, best, epoch and step of each evaluation; the measure as a string, as JSON has no NaN."""
        return [[event.loss, repr(event.measure), event.best, event.epoch, event.step] for event in self.evaluations]

    @classmethod
    def from_json(cls, rows: list[list[Any]]) -> History:
        """The history that ``to_json`` wrote, also that of older versions, which evaluated epochs and wrote no step.

        Raises
        ------
        ValueError, TypeError
            Something else.
        """
        return cls(tuple(_evaluation(number, *row) for number, row in enumerate(rows)))


def _evaluation(
    number: int, loss: float, measure: str, best: bool, epoch: int | None = None, step: int = 0
) -> Evaluation:
    return Evaluation(number if epoch is None else int(epoch), int(step), float(loss), float(measure), bool(best))
