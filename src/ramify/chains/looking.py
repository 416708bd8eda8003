"""Inspection of a chain: the order of a document's labels, and how the label probabilities changed from step to step.

view = look(chain, X[0], label_names=names)
print(view)                      # the steps and their most probable alternatives
view.picture("chain.svg")        # probabilities of the leading labels before each step
print(order_statistics(chain, X_test, label_names=names))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.chains.label_chain import LabelChain
from ramify.chains.reinforced_chain import ReinforcedChain
from ramify.checks import whole_number
from ramify.errors import InputError, MissingExtraError
from ramify.models.base.model import instances
from ramify.values import Float64, Int64
from ramify.wording import one_line

STOP = "STOP"


@dataclass(frozen=True)
class ChainView:
    """The steps of a chain for one instance.

    Parameters
    ----------
    names : tuple of str
        Emitted labels in order; the last is STOP.
    probabilities : float64 array, shape (steps,)
        Probability of each step, given the steps before it.
    leading : tuple of str
        Labels, and STOP, with the largest probability at any step.
    moved : float64 array, shape (steps, leading)
        Their probability before each step; 0 once emitted.
    """

    names: tuple[str, ...]
    probabilities: Float64
    leading: tuple[str, ...]
    moved: Float64

    def __str__(self) -> str:
        width = max(len(name) for name in self.names)
        lines = []
        for step, (name, probability) in enumerate(zip(self.names, self.probabilities, strict=True)):
            order = [i for i in np.argsort(-self.moved[step], kind="stable") if self.leading[i] != name][:3]
            rivals = [f"{one_line(self.leading[i])} {self.moved[step, i]:.2f}" for i in order]
            lines.append(
                f"{step + 1:>3}  {one_line(name):<{width}}  {probability:.2f}   rather than {', '.join(rivals)}"
            )
        return "\n".join(lines)

    def picture(self, path: str | Path) -> None:
        """Draw the probabilities before each step, one column per step; the file name's suffix is the format.

        Raises
        ------
        MissingExtraError
            matplotlib is not installed.
        """
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError:
            raise MissingExtraError("pictures of chains", "plot") from None
        steps, shown = self.moved.shape
        figure = Figure(figsize=(2.5 + 0.9 * steps, 1.5 + 0.3 * shown), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        image = axes.imshow(self.moved.T, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_yticks(range(shown), [_letters(name) for name in self.leading])
        axes.set_xticks(
            range(steps), [f"{step}. {_letters(name)}" for step, name in enumerate(self.names, 1)], rotation=30
        )
        for step, name in enumerate(self.names):
            if name in self.leading:
                axes.plot(step, self.leading.index(name), "o", color="tab:orange")
        figure.colorbar(image, label="probability before the step")
        figure.savefig(path)


def look(
    chain: LabelChain | ReinforcedChain, x: Any, *, label_names: Sequence[str] | None = None, leading: int = 8
) -> ChainView:
    """Follow a chain through one instance.

    Parameters
    ----------
    chain : LabelChain or ReinforcedChain
        Fitted.
    x : matrix, shape (1, d)
        Features of the instance.
    label_names : sequence of str, length L, optional
        Label names; label numbers when None.
    leading : int, default 8
        Largest number of labels to show, STOP included.

    Raises
    ------
    InputError
        More than one instance, or a wrong number of label names.
    """
    chain = _inner(chain)
    leading = whole_number("leading", leading, 1, 1000)
    X = instances(x)
    if X.shape[0] != 1:
        raise InputError(f"x has {X.shape[0]} rows, but must have 1: look at one instance at a time")
    emitted = chain.chains(X)[0]
    probabilities = chain.step_probabilities(X, emitted)  # (steps, L + 1)
    names = [*_names(label_names, chain.n_labels_), STOP]
    taken = [*emitted, chain.n_labels_][: len(probabilities)]
    likely = np.argsort(-probabilities.max(axis=0), kind="stable")[:leading]
    return ChainView(
        names=tuple(names[label] for label in taken),
        probabilities=probabilities[np.arange(len(taken)), taken],
        leading=tuple(names[label] for label in likely),
        moved=probabilities[:, likely],
    )


def _letters(name: str) -> str:
    """A name with escaped dollar signs, which matplotlib would interpret as formulas."""
    return one_line(name).replace("$", r"\$")


@dataclass(frozen=True)
class OrderStatistics:
    """Which labels are emitted early, and how much the order depends on the document.

    Parameters
    ----------
    names : sequence of str, length L
        Label names.
    emitted : int64 array, shape (L,)
        Number of documents for which each label was emitted.
    mean_place : float64 array, shape (L,)
        Mean place of the label in these documents, from 0 (always first) to 1 (always last); NaN without documents.
    n_pairs : int
        Number of pairs of labels that occur together in at least two documents.
    changing_pairs : float
        Share of these pairs that occur in both orders.
    minority : float
        Mean share of a pair's documents with the rarer order; 0.5: both orders are equally frequent.
    """

    names: Sequence[str]
    emitted: Int64
    mean_place: Float64
    n_pairs: int
    changing_pairs: float
    minority: float

    def __str__(self) -> str:
        seen = np.flatnonzero(self.emitted >= max(2, np.quantile(self.emitted, 0.5)))
        order = seen[np.argsort(self.mean_place[seen], kind="stable")]

        def listed(labels: Int64) -> str:
            return ", ".join(f"{one_line(self.names[label])} {self.mean_place[label]:.2f}" for label in labels)

        return (
            f"early: {listed(order[:5])}\nlate:  {listed(order[::-1][:5])}\n"
            f"of {self.n_pairs:,} pairs of labels that occur together, {self.changing_pairs:.0%} occur in both orders; "
            f"on average, {self.minority:.0%} of a pair's documents have the rarer order"
        )


def order_statistics(
    chain: LabelChain | ReinforcedChain, X: Any, *, label_names: Sequence[str] | None = None
) -> OrderStatistics:
    """Statistics of the label orders of many instances.

    Parameters
    ----------
    chain : LabelChain or ReinforcedChain
        Fitted.
    X : matrix, shape (n, d)
        Features of the instances.
    label_names : sequence of str, length L, optional
        Label names; label numbers when None.

    Raises
    ------
    InputError
        Not a chain, or a wrong number of label names.
    """
    chain = _inner(chain)
    rows = chain.chains(X)
    n_labels = chain.n_labels_
    labels = np.array([label for row in rows for label in row], np.int64)
    places = np.array([place / max(1, len(row) - 1) for row in rows for place in range(len(row))])
    emitted = np.bincount(labels, minlength=n_labels)
    with np.errstate(invalid="ignore"):
        mean_place = np.bincount(labels, places, minlength=n_labels) / emitted
    forward = _pairs(rows, n_labels)
    both = sp.coo_matrix(sp.triu(forward + forward.T, 1))
    together, first = both.data, np.asarray(forward[both.row, both.col]).ravel()
    common = together >= 2
    rarer = np.minimum(first, together - first)[common]
    n_pairs, total = int(common.sum()), float(together[common].sum())
    return OrderStatistics(
        names=_names(label_names, n_labels),
        emitted=emitted,
        mean_place=mean_place,
        n_pairs=n_pairs,
        changing_pairs=float((rarer > 0).mean()) if n_pairs else 0.0,
        minority=float(rarer.sum() / total) if n_pairs else 0.0,
    )


def _pairs(rows: list[list[int]], n_labels: int) -> sp.csr_matrix[np.float64]:
    """Number of documents with label i before label j, shape (L, L)."""
    before = [np.array(row)[np.triu_indices(len(row), 1)[0]] for row in rows if len(row) > 1]
    after = [np.array(row)[np.triu_indices(len(row), 1)[1]] for row in rows if len(row) > 1]
    if not before:
        return sp.csr_matrix((n_labels, n_labels))
    i, j = np.concatenate(before), np.concatenate(after)
    return sp.coo_matrix((np.ones(len(i)), (i, j)), shape=(n_labels, n_labels)).tocsr()


def _inner(chain: LabelChain | ReinforcedChain) -> LabelChain:
    inner = chain.chain_ if isinstance(chain, ReinforcedChain) else chain
    if not isinstance(inner, LabelChain):
        raise InputError(f"chain is a {type(chain).__name__}, but must be a LabelChain or a ReinforcedChain")
    return inner


def _names(label_names: Sequence[str] | None, n_labels: int) -> Sequence[str]:
    if label_names is None:
        return [str(label) for label in range(n_labels)]
    if len(label_names) != n_labels:
        raise InputError(f"{len(label_names)} label names are given, but the chain has {n_labels} labels")
    return label_names
