"""The result of an evaluation: values by name, intervals, values per document, and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ramify.errors import InputError
from ramify.evaluation.document_measures import Ratio
from ramify.evaluation.grid import FAMILIES, Grid, in_table_order, percent, percent_range, plain_number
from ramify.evaluation.label_measures import scoped
from ramify.evaluation.measured import Measured
from ramify.evaluation.unseen import UnseenDocuments
from ramify.values import Float64
from ramify.wording import quoted

if TYPE_CHECKING:
    from rich.console import Group

ROUNDING = 1e-9
"""Rounding error of a share that a file may hold."""


@dataclass(frozen=True)
class BucketSize:
    """Numbers of labels and documents of a bucket.

    Parameters
    ----------
    labels : int
        Labels of the label space in the bucket.
    test_labels : int
        Labels with a true test document.
    documents : int
        Test documents with a true label of the bucket.
    """

    labels: int
    test_labels: int
    documents: int


@dataclass(frozen=True)
class Measures:
    """Base of the reports: measures by name, such as ``report["P@1"]``, or ``report["tail/R@5"]`` of a bucket.

    Values are in 0..1, tables show percent. The measures of an empty bucket are NaN.

    Parameters
    ----------
    values : dict of str to float
        All measures.
    intervals : dict of str to (float, float)
        95% intervals over resampled documents; empty without bootstrap.
    n_documents, n_counted : int
        Test documents, and those included in the measures.
    unseen : UnseenDocuments
        Documents none of whose labels occurs in training.
    n_labels : int
        Size of the label space.
    buckets : dict of str to BucketSize
        Empty without Y_train.
    measured : Measured or None
        The data of the values; None for a report made by ``from_dict``.
    """

    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    n_documents: int
    n_counted: int
    unseen: UnseenDocuments
    n_labels: int
    buckets: dict[str, BucketSize]
    measured: Measured | None = field(repr=False, compare=False)

    def __getitem__(self, name: str) -> float:
        if name not in self.values:
            raise InputError(f"the report has no measure {name!r}, but: {', '.join(self.values)}")
        return self.values[name]

    def source(self) -> Measured:
        """The data of the values; InputError for a report that was read from a file, which has none."""
        if self.measured is None:
            raise InputError("a report that was read from a file has no values per document: evaluate again")
        return self.measured


@dataclass(frozen=True)
class Report(Measures):
    """The measures of a ranking; see ``Measures``.

    Parameters
    ----------
    ks : tuple of int
        The cut-offs.
    """

    ks: tuple[int, ...]

    def bucket(self, name: str) -> dict[str, float]:
        """The measures of one bucket, under their short names; "" is all labels."""
        if name and name not in self.buckets:
            raise InputError(f"the report has no bucket {name!r}, but: {', '.join(self.buckets) or 'none'}")
        return {measure: self.values[scoped(name, measure)] for measure in self.values_of_all()}

    def values_of_all(self) -> dict[str, float]:
        """The measures of all labels, in the order of tables."""
        return {name: self.values[name] for name in in_table_order(self.values) if "/" not in name}

    def contributions(self, name: str) -> Ratio:
        """A measure's numerator and denominator per row of Y_test; the measure is the ratio of their sums.

        Returns
        -------
        (numerators, denominators) : float64 arrays, shape (n_documents,)
            0 for documents that are not included.

        Raises
        ------
        InputError
            An unknown measure, one that is a mean over labels (macro F1, coverage), or a report made by ``from_dict``.
        """
        self[name]
        group, _, short = name.rpartition("/")
        measured = self.source()
        part = measured.by_document[group]
        if short not in part.names:
            raise InputError(f"{name} is a mean over labels, so it has no value per document")
        rows = measured.counted[part.rows]
        spread = [np.zeros(self.n_documents), np.zeros(self.n_documents)]
        for whole, values in zip(spread, part.of(short), strict=True):
            whole[rows] = values
        return Ratio(*spread)

    def per_document(self, name: str) -> Float64:
        """A measure of each document alone, shape (n_documents,); NaN for documents that are not included.

        Raises
        ------
        InputError
            As :meth:`contributions`.
        """
        numerators, denominators = self.contributions(name)
        values = np.full(self.n_documents, np.nan)
        np.divide(numerators, denominators, out=values, where=denominators > 0)
        return values

    def as_dict(self) -> dict[str, Any]:
        """All values except those per document, in JSON types; NaN becomes None."""
        return {
            "n_documents": self.n_documents,
            "n_counted": self.n_counted,
            **self.unseen.as_dict(),
            "n_labels": self.n_labels,
            "ks": list(self.ks),
            "buckets": {name: asdict(size) for name, size in self.buckets.items()},
            "values": {name: plain_number(value) for name, value in self.values.items()},
            "intervals": {name: [*map(plain_number, bounds)] for name, bounds in self.intervals.items()},
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Report:
        """The report of the values of ``as_dict``, without values per document.

        Parameters
        ----------
        facts : mapping
            As ``as_dict`` returns them, and as ``ramify evaluate --json`` prints them; other keys are ignored.

        Raises
        ------
        InputError
            Missing or wrong values.
        """
        try:
            report = cls(
                values={name: _number(value) for name, value in facts["values"].items()},
                intervals={name: (_number(low), _number(high)) for name, (low, high) in facts["intervals"].items()},
                n_documents=_count(facts["n_documents"]),
                n_counted=_count(facts["n_counted"]),
                unseen=UnseenDocuments(_count(facts["n_unseen"]), counted=facts["unseen_counted"] is True),
                n_labels=_count(facts["n_labels"]),
                buckets={
                    name: BucketSize(*(_count(size[key]) for key in ("labels", "test_labels", "documents")))
                    for name, size in facts["buckets"].items()
                },
                measured=None,
                ks=tuple(_count(k) for k in facts["ks"]),
            )
            report.grids(), report.values_of_all()  # fail for a measure that is missing or has another name
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else error
            raise InputError(f"the values are no report of an evaluation ({reason}): evaluate again") from None
        return report

    def grids(self) -> tuple[Grid, ...]:
        """The tables: all labels at all cut-offs, then the buckets at the last one."""
        return (self._grid_of_all(), self._grid_of_buckets()) if self.buckets else (self._grid_of_all(),)

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.grids()))

    def table(self) -> Group:
        """The tables for ``rich.print``."""
        from rich.console import Group

        return Group(*(grid.rich() for grid in self.grids()))

    def _grid_of_all(self) -> Grid:
        families = [family for family in FAMILIES if f"{family}@{self.ks[0]}" in self.values]
        interval = ", 95% intervals" if self.intervals else ""
        return Grid(
            title=f"{self.n_counted:,} of {self.n_documents:,} documents, {self.n_labels:,} labels (percent{interval})"
            + self.unseen.remark(),
            header=("", *(f"@{k}" for k in self.ks)),
            rows=tuple((family, *(self._cell(f"{family}@{k}") for k in self.ks)) for family in families),
        )

    def _grid_of_buckets(self) -> Grid:
        rows = [
            (name, f"{size.labels:,}", f"{size.documents:,}", *map(percent, self._last_of(name)))
            for name, size in self.buckets.items()
        ]
        return Grid(
            title=f"by training frequency of the label, @{self.ks[-1]}",
            header=("bucket", "labels", "documents", *FAMILIES),
            rows=tuple(rows),
        )

    def _last_of(self, bucket: str) -> list[float]:
        return [self.values[scoped(bucket, f"{family}@{self.ks[-1]}")] for family in FAMILIES]

    def _cell(self, name: str) -> str:
        interval = f" {percent_range(self.intervals[name])}" if self.intervals else ""
        return percent(self.values[name]) + interval


def _number(value: Any) -> float:
    """A value of ``as_dict``: NaN for None; ValueError for another type, and outside of 0..1."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, float | int) or not 0 <= value <= 1 + ROUNDING:
        raise ValueError(f"the value {quoted(value)} is not in 0..1")
    return float(value)


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"the value {quoted(value)} is no count")
    return value
