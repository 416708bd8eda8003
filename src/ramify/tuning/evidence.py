"""Measures of held-out documents, and the gain of one choice of settings over another on the same documents.

measure = Σ numerator / Σ denominator over documents (``evaluation.document_measures``)
gain    = Σ (numerator_b - numerator_a) / Σ denominator     the denominators depend on the documents only
d_i     = n · (numerator_b - numerator_a - gain · denominator)_i / Σ denominator        error = std(d) / sqrt(n)

The standard error is that of a ratio by linearization (Cochran: Sampling Techniques, 1977, chapter 6), over documents.
Each document is held out once, so that the documents of several folds are one sample.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ramify.errors import InputError
from ramify.evaluation import evaluate
from ramify.values import CSR, Float32, Float64, TopK
from ramify.wording import nearest_name, quoted

MEAN = "mean"
FIVE = ("P@1", "P@3", "P@5", "nDCG@5", "PSP@5")
"""Measures whose mean is "mean", and that are always reported."""

FAMILIES = ("P", "nDCG", "PSP", "PSnDCG", "R", "Hit")
LARGEST_CUT = 100
Z95 = 1.96


@dataclass(frozen=True)
class Objective:
    """What a search maximizes.

    Parameters
    ----------
    name : str
        "mean": the mean of ``FIVE``, none of which may become lower; or one measure, such as "P@5".
    """

    name: str

    @classmethod
    def of(cls, name: Any) -> Objective:
        """The checked objective.

        Raises
        ------
        InputError
            No measure that is known.
        """
        match = re.fullmatch(rf"({'|'.join(FAMILIES)})@([1-9]\d{{0,2}})", name) if isinstance(name, str) else None
        if name != MEAN and (match is None or int(match[2]) > LARGEST_CUT):
            usual = (MEAN, *(f"{family}@{k}" for family in FAMILIES for k in (1, 3, 5)))
            near = nearest_name(name, usual) if isinstance(name, str) else None
            hint = "" if near is None else f": did you mean {near!r}?"
            families = ", ".join(FAMILIES)
            raise InputError(
                f"measure is {quoted(name)}, but must be {MEAN}, or one of {families} with a cut-off from 1 to "
                f"{LARGEST_CUT}, as in P@5{hint}"
            )
        return cls(name)

    @property
    def title(self) -> str:
        """The objective in a sentence."""
        return f"the mean of {', '.join(FIVE[:-1])} and {FIVE[-1]}" if self.name == MEAN else self.name

    @cached_property
    def measures(self) -> tuple[str, ...]:
        """Names of the measures that are computed: ``FIVE``, and the objective if it is another one."""
        return tuple(dict.fromkeys([*FIVE, *([] if self.name == MEAN else [self.name])]))

    @cached_property
    def ks(self) -> tuple[int, ...]:
        """Cut-offs of the measures, ascending."""
        return tuple(sorted({int(name.partition("@")[2]) for name in self.measures}))

    @cached_property
    def weights(self) -> Float64:
        """Weight of each measure in the objective."""
        if self.name == MEAN:
            return np.full(len(FIVE), 1 / len(FIVE))
        return np.array([float(name == self.name) for name in self.measures])


@dataclass(frozen=True)
class Judged:
    """Contributions of held-out documents to the measures.

    Parameters
    ----------
    numerators, denominators : float32 arrays, shape (n, measures)
    """

    numerators: Float32
    denominators: Float32

    @classmethod
    def of(cls, objective: Objective, Y: CSR, top: TopK, Y_train: CSR) -> Judged:
        """The rankings of documents with labels Y, for a model that was trained on Y_train."""
        report = evaluate(Y, top, Y_train=Y_train, ks=objective.ks)
        pairs = [report.contributions(name) for name in objective.measures]
        counted = report.source().counted
        columns = (np.column_stack([pair[side] for pair in pairs])[counted] for side in (0, 1))
        return cls(*(part.astype(np.float32) for part in columns))


@dataclass(frozen=True)
class Estimate:
    """Values of the measures and of the objective, with their standard errors, in percent.

    Parameters
    ----------
    values, errors : float64 arrays, shape (measures,)
    objective, objective_error : float
        The weighted mean of the measures.
    weights : float64 array, shape (measures,)
        Weights of the measures in the objective.
    n : int
        Number of documents.
    """

    values: Float64
    errors: Float64
    objective: float
    objective_error: float
    weights: Float64
    n: int

    @property
    def score(self) -> float:
        """The objective of a gain, reduced by the largest loss of a measure in it."""
        return self.objective + min(0.0, self.lowest)

    @property
    def lowest(self) -> float:
        """The smallest value of the measures that the objective contains."""
        return float(self.values[self.weights > 0].min())

    def interval(self, number: int) -> tuple[float, float, float]:
        """(value, low, high) of a measure: its 95% interval."""
        value, error = float(self.values[number]), float(self.errors[number])
        return value, value - Z95 * error, value + Z95 * error


def estimated(objective: Objective, judged: Sequence[Judged], base: Sequence[Judged] = ()) -> Estimate:
    """The measures of some folds, or the gain over ``base``: the measures of other settings on the same folds."""
    numerators = np.vstack([part.numerators for part in judged]).astype(np.float64)
    denominators = np.vstack([part.denominators for part in judged]).astype(np.float64)
    if base:
        numerators -= np.vstack([part.numerators for part in base])
    totals = denominators.sum(axis=0)
    values = numerators.sum(axis=0) / totals
    n = len(numerators)
    shares = n * (numerators - values * denominators) / totals  # (n, measures), with mean 0
    of_objective = shares @ objective.weights
    spread = np.sqrt(max(n - 1, 1) * n)
    return Estimate(
        values=100 * values,
        errors=100 * np.sqrt(np.square(shares).sum(axis=0)) / spread,
        objective=100 * float(values @ objective.weights),
        objective_error=100 * float(np.sqrt(np.square(of_objective).sum()) / spread),
        weights=objective.weights,
        n=n,
    )
