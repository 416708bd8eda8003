"""Documents of one part of the data (training or test): numbers, labels per document, lengths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ramify.values import Bool, Dataset, Int64

BINS = ((0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 10), (11, 20), (21, 50), (51, 100), (101, None))
"""Bins of the number of labels per document, (first, last)."""
STARTS = np.array([low for low, _ in BINS])


@dataclass(frozen=True)
class Spread:
    """Distribution of whole numbers; all values are 0 without numbers.

    Parameters
    ----------
    mean, median, p95 : float
        Mean, median and 95th percentile.
    largest : int
    """

    mean: float
    median: float
    p95: float
    largest: int

    @classmethod
    def of(cls, values: Int64) -> Spread:
        """The distribution of an int array."""
        if len(values) == 0:
            return cls(0.0, 0.0, 0.0, 0)
        median, p95 = np.percentile(values, (50, 95))
        return cls(float(values.mean()), float(median), float(p95), int(values.max()))


@dataclass(frozen=True)
class PartFacts:
    """One part of the data.

    Parameters
    ----------
    documents : int
        Number of documents.
    labels : int
        Labels with at least one document of the part.
    unlabelled : int
        Documents without a label.
    empty : int
        Documents whose text is empty or white space, or whose row has no feature.
    per_document : Spread
        Labels per document.
    histogram : tuple of int
        Documents by number of labels, one number per entry of ``BINS``.
    length : Spread
        Characters per text, or features per row.
    """

    documents: int
    labels: int
    unlabelled: int
    empty: int
    per_document: Spread
    histogram: tuple[int, ...]
    length: Spread

    @classmethod
    def of(cls, part: Dataset, empty: Bool) -> PartFacts:
        """The facts of a part.

        Parameters
        ----------
        part : Dataset
        empty : bool array, shape (n,)
            Documents without content.
        """
        counts = np.diff(part.Y.indptr).astype(np.int64)
        if part.texts is not None:
            lengths = np.fromiter(map(len, part.texts), np.int64, len(part))
        elif part.X is not None:
            lengths = np.diff(part.X.indptr).astype(np.int64)
        return cls(
            documents=len(part),
            labels=len(np.unique(part.Y.indices)),
            unlabelled=int((counts == 0).sum()),
            empty=int(empty.sum()),
            per_document=Spread.of(counts),
            histogram=tuple(np.bincount(np.searchsorted(STARTS, counts, "right") - 1, minlength=len(BINS)).tolist()),
            length=Spread.of(lengths),
        )


def range_name(low: int, high: int | None) -> str:
    """The name of a range of whole numbers in tables, such as "6–10"."""
    return f"over {low - 1}" if high is None else str(low) if low == high else f"{low}–{high}"


def used_bins(*parts: PartFacts) -> range:
    """Numbers of the bins from the first to the last one with a document."""
    filled = [number for part in parts for number, count in enumerate(part.histogram) if count]
    return range(min(filled, default=0), 1 + max(filled, default=0))
