"""A look inside a chain: the order it took for a document, how sure it was of each step, how its mind moved.

view = look(chain, X[0], label_names=names)
print(view)                      # the steps, and what came next to being emitted
view.picture("chain.svg")        # probability of the leading labels before each step
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
from ramify.models.base.ranking_model import instances
from ramify.values import CSR, Float64, Int64
from ramify.wording import one_line

STOP = "STOP"


@dataclass(frozen=True)
class ChainView:
    """What a chain did for one instance.

    Parameters
    ----------
    names : tuple of str
        What was emitted, in order; the last is STOP.
    probabilities : float64 array, shape (steps,)
        Of each step, given the steps before it.
    leading : tuple of str
        The labels that were likely at any step, and STOP.
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
        """Draw how the distribution moved, one column per step; the file's ending says which format.

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
        Numbers are shown without.
    leading : int, default 8
        Labels to show at most, STOP among them.

    Raises
    ------
    InputError
        Several instances, or names of another number of labels.
    """
    chain = _inner(chain)
    leading = whole_number("leading", leading, 1, 1000)
    X = instances(x)
    if X.shape[0] != 1:
        raise InputError(f"x has {X.shape[0]} rows, but must have 1: look at one instance at a time")
    emitted = chain.chains(X)[0]
    told = chain.step_probabilities(X, emitted)  # (steps, L + 1)
    names = [*_names(label_names, chain.n_labels_), STOP]
    taken = [*emitted, chain.n_labels_][: len(told)]
    likely = np.argsort(-told.max(axis=0), kind="stable")[:leading]
    return ChainView(
        names=tuple(names[label] for label in taken),
        probabilities=told[np.arange(len(taken)), taken],
        leading=tuple(names[label] for label in likely),
        moved=told[:, likely],
    )


def _letters(name: str) -> str:
    """A name for matplotlib, which would read formulas between dollar signs."""
    return one_line(name).replace("$", r"\$")


@dataclass(frozen=True)
class OrderStatistics:
    """Which labels come early, and how far the order depends on the document.

    Parameters
    ----------
    names : sequence of str
    emitted : int64 array, shape (L,)
        Documents that each label was emitted for.
    mean_place : float64 array, shape (L,)
        Its place among the labels of these documents on average: 0 always first, 1 always last; NaN for none.
    n_pairs : int
        Pairs of labels that at least two documents have both of.
    changing_pairs : float
        Share of these pairs that come in both orders.
    minority : float
        Share of a pair's documents that have it in the rarer order, on average; 0.5 would be a coin's toss.
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
            f"of {self.n_pairs:,} pairs of labels that occur together, {self.changing_pairs:.0%} come in both orders; "
            f"a document disagrees with most others on {self.minority:.0%} of its pairs"
        )


def order_statistics(
    chain: LabelChain | ReinforcedChain, X: Any, *, label_names: Sequence[str] | None = None
) -> OrderStatistics:
    """Orders that a chain takes over many instances.

    Parameters
    ----------
    chain : LabelChain or ReinforcedChain
        Fitted.
    X : matrix, shape (n, d)
    label_names : sequence of str, length L, optional
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


def _pairs(rows: list[list[int]], n_labels: int) -> CSR:
    """How many documents have label i before label j, shape (L, L)."""
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
        raise InputError(f"{len(label_names)} label names are given, but the chain knows {n_labels} labels")
    return label_names
