"""Duplicates within the training and the test part, and across both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ramify.data.duplicates import Duplicates
from ramify.values import Bool, Dataset, Int64

SHOWN_GROUPS, SHOWN_DOCUMENTS, SHOWN_CHARACTERS = 5, 3, 160


@dataclass(frozen=True)
class Repeats:
    """Duplicates of one kind.

    Parameters
    ----------
    groups, largest : int
        Groups of at least two documents, and documents of the largest one, over both parts.
    train, test : int
        Documents that have an earlier duplicate in the same part.
    across : int
        Test documents with a duplicate in the training part.
    """

    groups: int
    largest: int
    train: int
    test: int
    across: int


@dataclass(frozen=True)
class Example:
    """Some documents of a group of near duplicates.

    Parameters
    ----------
    train, test : int
        Documents of the group in each part.
    similarity : float
        Least Jaccard similarity of the pairs that join the group; 1 for equal documents.
    documents : tuple of (str, int, str)
        Part ("train" or "test"), number of the document in it, counted from 1, and the beginning of its text.
    """

    train: int
    test: int
    similarity: float
    documents: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True)
class Overlap:
    """Duplicates of the data.

    Parameters
    ----------
    similarity : float
        Least Jaccard similarity of near duplicates.
    recall : float
        Probability that a pair of this similarity is found.
    exact, near : Repeats
        Equal documents, and near duplicates, which include the equal ones. Documents without content are not counted.
    contradictory : int
        Groups of equal documents whose label sets differ.
    examples : tuple of Example
        Groups across both parts first, then the largest ones.
    """

    similarity: float
    recall: float
    exact: Repeats
    near: Repeats
    contradictory: int
    examples: tuple[Example, ...]


def overlap_of(whole: Dataset, n_train: int, found: Duplicates, similarity: float, recall: float) -> Overlap:
    """Count the duplicates of the parts.

    Parameters
    ----------
    whole : Dataset
        The training documents, then the test documents.
    n_train : int
    found : Duplicates
        Of ``whole``.
    similarity, recall : float
        Least similarity of near duplicates, and its recall.
    """
    in_test = np.arange(len(whole)) >= n_train
    return Overlap(
        similarity=similarity,
        recall=recall,
        exact=_repeats(found.exact, in_test),
        near=_repeats(found.near, in_test),
        contradictory=_contradictory(found.exact, whole),
        examples=_examples(whole, n_train, found),
    )


def _repeats(groups: Int64, in_test: Bool) -> Repeats:
    sizes = np.bincount(groups)
    of_train = np.bincount(groups[~in_test], minlength=len(sizes))
    of_test = sizes - of_train
    return Repeats(
        groups=int((sizes > 1).sum()),
        largest=int(sizes.max(initial=0)) if (sizes > 1).any() else 0,
        train=int(np.maximum(of_train - 1, 0).sum()),
        test=int(np.maximum(of_test - 1, 0).sum()),
        across=int(of_test[of_train > 0].sum()),
    )


def _contradictory(groups: Int64, whole: Dataset) -> int:
    """Number of groups with at least two different label sets."""
    sizes = np.bincount(groups)
    rows = np.flatnonzero(sizes[groups] > 1)
    sets: dict[int, set[bytes]] = {}
    for row in rows.tolist():
        labels = whole.Y.indices[whole.Y.indptr[row] : whole.Y.indptr[row + 1]]
        sets.setdefault(int(groups[row]), set()).add(np.sort(labels).tobytes())
    return sum(len(different) > 1 for different in sets.values())


def _examples(whole: Dataset, n_train: int, found: Duplicates) -> tuple[Example, ...]:
    sizes = np.bincount(found.near)
    of_train = np.bincount(found.near[:n_train], minlength=len(sizes))
    across = (of_train > 0) & (of_train < sizes)
    chosen = np.lexsort((-sizes, ~across))[:SHOWN_GROUPS]
    least = np.ones(len(sizes))
    np.minimum.at(least, found.near[found.pairs[:, 0]], found.similarity)
    shown = []
    for group in chosen[sizes[chosen] > 1].tolist():
        rows = np.flatnonzero(found.near == group)
        mixed = np.concatenate([rows[rows >= n_train][:1], rows[rows < n_train], rows[rows >= n_train][1:]])
        documents = tuple(_document(whole, n_train, row) for row in mixed[:SHOWN_DOCUMENTS].tolist())
        train = int(of_train[group])
        shown.append(Example(train, int(sizes[group]) - train, float(least[group]), documents))
    return tuple(shown)


def _document(whole: Dataset, n_train: int, row: int) -> tuple[str, int, str]:
    text = "" if whole.texts is None else " ".join(whole.texts[row][: 4 * SHOWN_CHARACTERS].split())
    if len(text) > SHOWN_CHARACTERS:
        text = text[: SHOWN_CHARACTERS - 1] + "…"
    return ("train", row + 1, text) if row < n_train else ("test", row - n_train + 1, text)
