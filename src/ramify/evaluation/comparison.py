"""Paired comparison of two predictions on the same documents."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ramify.errors import InputError
from ramify.evaluation.grid import Grid, in_table_order, percent, percent_range, plain_number
from ramify.evaluation.unseen import UnseenDocuments

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Difference:
    """One measure of two predictions.

    Parameters
    ----------
    a, b : float
        The two values.
    difference : float
        b - a: above 0 where b is better.
    low, high : float
        95% interval of the difference.
    p : float
        Two-sided p value of the paired bootstrap.
    significant : bool
        p below 0.05. One of twenty equal measures is expected to be below: choose the deciding measure
        beforehand.
    """

    a: float
    b: float
    difference: float
    low: float
    high: float
    p: float
    significant: bool


@dataclass(frozen=True)
class Comparison:
    """The measures of two predictions on the same documents; ``comparison["P@1"]`` is a Difference.

    Parameters
    ----------
    differences : dict of str to Difference
        All measures, those of buckets as "tail/R@5".
    n_counted : int
        Documents included in the measures.
    bootstrap : int
        Resamples.
    unseen : UnseenDocuments
        Documents none of whose labels occurs in training.
    """

    differences: dict[str, Difference]
    n_counted: int
    bootstrap: int
    unseen: UnseenDocuments

    def __getitem__(self, name: str) -> Difference:
        if name not in self.differences:
            raise InputError(f"the comparison has no measure {name!r}, but: {', '.join(self.differences)}")
        return self.differences[name]

    @property
    def significant(self) -> dict[str, bool]:
        """Names of the measures that differ significantly."""
        return {name: one.significant for name, one in self.differences.items()}

    def as_dict(self) -> dict[str, Any]:
        """All values in JSON types; NaN becomes None."""
        return {
            "n_counted": self.n_counted,
            "bootstrap": self.bootstrap,
            **self.unseen.as_dict(),
            "differences": {name: _plain(one) for name, one in self.differences.items()},
        }

    def grid(self) -> Grid:
        """The table: the measures of all labels, then recall and macro F1 of each bucket that has a value."""
        valued = [name for name in in_table_order(self.differences) if not math.isnan(self[name].difference)]
        shown = [name for name in valued if "/" not in name or name.split("/")[1].split("@")[0] in ("R", "macroF1")]
        return Grid(
            title=f"b against a on {self.n_counted:,} documents, {self.bootstrap:,} paired resamples (percent)"
            + self.unseen.remark(),
            header=("", "a", "b", "b - a", "95% interval", "p", ""),
            rows=tuple((name, *_cells(self.differences[name])) for name in shown),
        )

    def __str__(self) -> str:
        return str(self.grid())

    def table(self) -> Table:
        """The table for ``rich.print``."""
        return self.grid().rich()


def _plain(one: Difference) -> dict[str, float | bool | None]:
    numbers = {name: plain_number(value) for name, value in asdict(one).items() if name != "significant"}
    return {**numbers, "significant": one.significant}


def _cells(one: Difference) -> tuple[str, ...]:
    interval = percent_range((one.low, one.high))
    p = "-" if math.isnan(one.p) else f"{one.p:.3f}"
    return percent(one.a), percent(one.b), percent(one.difference), interval, p, "*" if one.significant else ""
