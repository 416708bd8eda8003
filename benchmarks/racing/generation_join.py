"""Ensembles of a linear tree and a label generator, from kept answers; the weight is chosen on held-out documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from racing.ensembles import merged
from racing.generation_answers import HELD_OUT, TEST, Answered, Problem
from racing.held_out import CRITERION, quality
from racing.systems import System
from racing.text_systems import COMBINED

FIRST, CONTROL = "best", "best, second"
"""The member of all ensembles, and the second member of the control: the same preset with another seed."""
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Weights of the second member that are tried; the first has the rest."""


@dataclass(frozen=True)
class Joined:
    """An ensemble's rankings of the held-out and of the test documents, and the chosen rule.

    The rankings have as many labels per document as those of the members.
    """

    held: Any
    test: Any
    combine: str
    share: float


def ensemble_name(second: str) -> str:
    """Name of the ensemble in rows and tables."""
    return f"{FIRST} + {second}"


def joined(problem: Problem, first: System, second: System) -> Joined:
    """The ensemble with the rule and the weight that rank the held-out documents best.

    Raises
    ------
    AnswerError
        A member that has no kept answers failed.
    """
    members = (first, second)
    held, test = ([problem.answers(one, part) for one in members] for part in (HELD_OUT, TEST))
    tried = [(combine, share) for combine in COMBINED for share in SHARES]

    def held_out_quality(rule: tuple[str, float]) -> float:
        return _quality(problem, _merged(held, *rule))

    best = max(tried, key=held_out_quality)
    return Joined(_merged(held, *best), _merged(test, *best), *best)


def _merged(answers: list[Answered], combine: str, share: float) -> Any:
    kept = min(one.top.k for one in answers)
    return merged([one.path for one in answers], combine, (1 - share, share), kept)


def _quality(problem: Problem, top: Any) -> float:
    from ramify import evaluate

    truth, trained = problem.truth(HELD_OUT)
    report = evaluate(truth, top, Y_train=trained)
    return quality({name: report[name] for name in CRITERION})
