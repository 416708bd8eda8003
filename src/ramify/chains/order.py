"""Label orders for the training of a chain: each order gives a key per entry of Y; labels are sorted by ascending keys.

Four orders do not depend on the instance and are the baselines of the paper: frequent first, rare first, one fixed
arbitrary order, and a new arbitrary order per instance and epoch. ``OwnOrder`` takes an order from the user.
``Resequenced`` is the model-based order of the paper: the network emits labels for the training instance; wrong labels
are removed, correct labels keep their order, and missing labels are appended in random order. By default, its
targets are all labels not yet emitted (``supervised``), and this order determines the input labels only.

Jinseok Nam, Young-Bum Kim, Eneldo Loza Mencía, Sunghyun Park, Ruhi Sarikaya and Johannes Fürnkranz: Learning
Context-dependent Label Permutations for Multi-label Classification. ICML 2019, PMLR 97:4733-4742.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from ramify.checks import SEED, Checked, Own, Rules, Several, Whole
from ramify.errors import InputError
from ramify.values import CSR, Float64, Int64


class Order(Protocol):
    """Keys by which the labels of each instance are sorted."""

    def keys(self, Y: CSR, counts: Int64, rng: np.random.Generator) -> Float64:
        """One number per entry of Y, in its order; smaller ones are emitted first, equals by label number.

        Parameters
        ----------
        Y : csr_matrix, shape (n, L)
        counts : int64 array, shape (L,)
            Training instances of each label.
        rng : Generator
            Of this epoch.
        """
        ...


class FrequentFirst:
    """Labels with the most training instances first."""

    def keys(self, Y: CSR, counts: Int64, rng: np.random.Generator) -> Float64:
        """See ``Order``."""
        return np.asarray(-counts[Y.indices], np.float64)


class RareFirst:
    """Labels with the fewest training instances first."""

    def keys(self, Y: CSR, counts: Int64, rng: np.random.Generator) -> Float64:
        """See ``Order``."""
        return np.asarray(counts[Y.indices], np.float64)


class FixedOrder(Checked):
    """One arbitrary order of all labels, drawn once.

    Parameters
    ----------
    seed : int, default 0
    """

    RULES: ClassVar[Rules] = {"seed": SEED}

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def keys(self, Y: CSR, counts: Int64, rng: np.random.Generator) -> Float64:
        """See ``Order``."""
        places = np.random.default_rng(self.seed).permutation(Y.shape[1])
        return np.asarray(places[Y.indices], np.float64)


class FreshOrder:
    """A new arbitrary order for every instance in every epoch."""

    def keys(self, Y: CSR, counts: Int64, rng: np.random.Generator) -> Float64:
        """See ``Order``."""
        return np.asarray(rng.random(Y.nnz))


class OwnOrder(Checked):
    """A given order of all labels, for instance from a hierarchy.

    Parameters
    ----------
    labels : sequence of int
        A permutation of all label numbers; the first is emitted first.
    """

    RULES: ClassVar[Rules] = {"labels": Several(Whole(0, 2**31 - 1))}

    def __init__(self, labels: Sequence[int]) -> None:
        self.labels = labels

    def keys(self, Y: CSR, counts: Int64, rng: np.random.Generator) -> Float64:
        """See ``Order``.

        Raises
        ------
        InputError
            Not every label number once.
        """
        self.check_settings()
        labels = np.asarray(self.labels)
        if labels.shape != (Y.shape[1],) or not np.array_equal(np.sort(labels), np.arange(Y.shape[1])):
            raise InputError(f"the order must name each of the {Y.shape[1]} labels once: give a permutation of them")
        return np.asarray(np.argsort(labels)[Y.indices], np.float64)


class Resequenced:
    """The network's own order, recomputed for every batch; random while the network emits no correct label."""

    def keys(self, Y: CSR, counts: Int64, rng: np.random.Generator) -> Float64:
        """See ``Order``: a random order, because no emitted labels are given."""
        return np.asarray(rng.random(Y.nnz))

    def follow(self, Y: CSR, emitted: Int64, rng: np.random.Generator) -> Float64:
        """Keys by the labels that the network emitted.

        Parameters
        ----------
        Y : csr_matrix, shape (n, L)
        emitted : int64 array, shape (n, steps)
            Labels in the order of emission, -1 after STOP. Wrong labels have no entry in Y and are ignored.
        rng : Generator
            Source of the order of missing labels.
        """
        steps = emitted.shape[1]
        rows = np.repeat(np.arange(Y.shape[0], dtype=np.int64), np.diff(Y.indptr))
        wanted = rows * Y.shape[1] + Y.indices
        places = np.full(Y.nnz, steps, np.float64)
        at_rows, at_steps = np.nonzero(emitted >= 0)
        given = at_rows * np.int64(Y.shape[1]) + emitted[at_rows, at_steps]
        found = np.searchsorted(wanted, given)
        right = (found < Y.nnz) & (wanted[np.minimum(found, Y.nnz - 1)] == given) if Y.nnz else np.zeros(0, bool)
        places[found[right]] = at_steps[right]
        missing = places == steps
        places[missing] += rng.random(int(missing.sum()))
        return places


ORDERS = {
    "resequenced": Resequenced,
    "frequent-first": FrequentFirst,
    "rare-first": RareFirst,
    "random": FreshOrder,
    "fixed": FixedOrder,
}


ORDER = Own(("keys",), lambda: ORDERS)


def order_of(order: Any, seed: int) -> Any:
    """The order of a name, or the user's object itself; ``ORDER`` has checked the value."""
    if isinstance(order, str):
        return FixedOrder(seed) if order == "fixed" else ORDERS[order]()
    return order
