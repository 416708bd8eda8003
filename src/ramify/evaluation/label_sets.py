"""``evaluate_sets`` measures label sets; ``compare_sets`` compares two; both with the truth, buckets and intervals of
``evaluate``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ramify.errors import InputError
from ramify.evaluation.bootstrap import replicates
from ramify.evaluation.comparison import Comparison
from ramify.evaluation.config import EvaluationConfig
from ramify.evaluation.evaluator import check_resamples, compared, measures
from ramify.evaluation.grid import SET_MEASURES, Grid, in_table_order, percent, percent_range, plain_number
from ramify.evaluation.judgement import check_predictions
from ramify.evaluation.label_measures import scoped
from ramify.evaluation.measured import measure_sets, truth_of
from ramify.evaluation.report import Measures
from ramify.values import CSR, TopK, as_label_matrix

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class SetReport(Measures):
    """The measures of label sets, such as ``report["F1"]``; see ``Measures``.

    Formulas: ``ramify.evaluation.set_measures``.

    Parameters
    ----------
    mean_size, mean_true : float
        Labels per set, and true labels per document, over the documents included.
    """

    mean_size: float
    mean_true: float

    def as_dict(self) -> dict[str, Any]:
        """All values, in JSON types; NaN becomes None."""
        return {
            "n_documents": self.n_documents,
            "n_counted": self.n_counted,
            **self.unseen.as_dict(),
            "n_labels": self.n_labels,
            "mean_size": self.mean_size,
            "mean_true": self.mean_true,
            "buckets": {name: asdict(size) for name, size in self.buckets.items()},
            "values": {name: plain_number(self.values[name]) for name in in_table_order(self.values)},
            "intervals": {name: [*map(plain_number, bounds)] for name, bounds in self.intervals.items()},
        }

    def grid(self) -> Grid:
        """A row per measure, a column for all labels and for each bucket."""
        size = f"{self.mean_size:.2f} labels per set, {self.mean_true:.2f} true labels per document"
        interval = ", 95% intervals" if self.intervals else ""
        return Grid(
            title=f"label sets of {self.n_counted:,} of {self.n_documents:,} documents, {size} (percent{interval})"
            + self.unseen.remark(),
            header=("", "all", *self.buckets),
            rows=tuple((name, *(self._cell(group, name) for group in ("", *self.buckets))) for name in SET_MEASURES),
        )

    def __str__(self) -> str:
        return str(self.grid())

    def table(self) -> Table:
        """The table for ``rich.print``."""
        return self.grid().rich()

    def _cell(self, group: str, name: str) -> str:
        interval = f" {percent_range(self.intervals[name])}" if self.intervals and not group else ""
        return percent(self.values[scoped(group, name)]) + interval


def evaluate_sets(Y_test: Any, sets: Any, *, Y_train: Any = None, bootstrap: int = 0, seed: int = 0) -> SetReport:
    """Measure label sets: example-based, micro and macro precision, recall and F1, and exact match.

    Parameters
    ----------
    Y_test : array-like or sparse, shape (n, L)
        True labels, 0/1.
    sets : array-like or sparse, shape (n, L)
        Predicted sets, 0/1, as ``predict`` returns them.
    Y_train : array-like or sparse, shape (m, L), or TrainingCounts, optional
        Training labels or their counts, for the buckets by training frequency ("head", ..., "1-shot", "0-shot").
    bootstrap : int, default 0
        Resamples of the documents for 95% intervals; 0 for none.
    seed : int, default 0
        Seed of the resampling.

    Returns
    -------
    SetReport

    Raises
    ------
    InputError
        Matrices that do not fit together, no true label at all, or a setting out of range.

    Notes
    -----
    Documents without a true label are left out; :func:`evaluate_sets_with` can count them. A bucket has only its labels
    in the predicted and true sets.
    """
    return evaluate_sets_with(EvaluationConfig(bootstrap=bootstrap, seed=seed), Y_test, sets, Y_train)


def evaluate_sets_with(config: EvaluationConfig, Y_test: Any, sets: Any, Y_train: Any = None) -> SetReport:
    """As :func:`evaluate_sets`, with an ``EvaluationConfig``; its cut-offs and propensities have no effect."""
    truth = truth_of(Y_test, Y_train, config)
    found = _checked(sets, truth.Y.shape)
    measured = measure_sets(truth, found, config)
    sizes, true = np.diff(found.indptr)[measured.counted], np.diff(truth.Y.indptr)[measured.counted]
    samples = replicates([measured], config.bootstrap, config.seed)[0] if config.bootstrap else None
    shared = measures(truth, measured, samples)
    return SetReport(**shared, mean_size=float(sizes.mean()), mean_true=float(true.mean()))


def compare_sets(
    Y_test: Any, sets_a: Any, sets_b: Any, *, Y_train: Any = None, bootstrap: int = 1000, seed: int = 0
) -> Comparison:
    """Compare label sets of the same documents by a paired bootstrap; arguments as :func:`evaluate_sets`.

    Returns
    -------
    Comparison
        Per measure both values, b - a with its 95% interval, and a two-sided p value.
    """
    config = EvaluationConfig(bootstrap=bootstrap, seed=seed)
    check_resamples(config)
    truth = truth_of(Y_test, Y_train, config)
    a, b = (measure_sets(truth, _checked(sets, truth.Y.shape), config) for sets in (sets_a, sets_b))
    return compared(a, b, config, truth, replicates([a, b], config.bootstrap, config.seed))


def sets_of_true_size(Y_test: Any, top: TopK) -> CSR:
    """The first t labels of each ranking, where t is the number of true labels of the document.

    The size of such a set is known only from the truth: its measures are a reference, not those of a method that
    predicts sets.

    Parameters
    ----------
    Y_test : array-like or sparse, shape (n, L)
        True labels, 0/1.
    top : TopK, shape (n, k)
        Predictions, in descending order; k limits the size.

    Returns
    -------
    csr_matrix, shape (n, L)
    """
    Y = as_label_matrix(Y_test)
    check_predictions(top, n_rows=Y.shape[0], n_labels=Y.shape[1], least_k=1)
    kept = (np.arange(top.k) < np.diff(Y.indptr)[:, None]) & (top.labels >= 0)
    return top.matrix(kept, np.ones(top.labels.shape, np.float32), Y.shape[1])


def _checked(sets: Any, shape: tuple[int, int]) -> CSR:
    found = as_label_matrix(sets)
    if found.shape[0] != shape[0]:
        raise InputError(f"the sets have {found.shape[0]} rows, but Y_test has {shape[0]}: give one row per document")
    if found.shape[1] > shape[1]:
        raise InputError(
            f"the sets have {found.shape[1]} labels, but Y_test and Y_train have {shape[1]}: "
            "give them in the label space of the predictions"
        )
    return found
