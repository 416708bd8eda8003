"""In which order a chain learns to emit an instance's labels: each way is a key per entry of Y, ascending.

Four ways know nothing of the instance and are the baselines of the paper (PAPERS §6): frequent first, rare first, one
fixed arbitrary order, a fresh arbitrary order per instance and epoch. ``OwnOrder`` takes yours. ``Resequenced`` follows
the network itself, §6(a): what it emits is struck out where wrong, kept in its order where right, and what it missed
is appended in random order.
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
    """The label of most training instances first."""

    def keys(self, Y: CSR, counts: Int64, rng: np.random.Generator) -> Float64:
        """See ``Order``."""
        return np.asarray(-counts[Y.indices], np.float64)


class RareFirst:
    """The label of fewest training instances first."""

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
    """Another arbitrary order for every instance, in every epoch."""

    def keys(self, Y: CSR, counts: Int64, rng: np.random.Generator) -> Float64:
        """See ``Order``."""
        return np.asarray(rng.random(Y.nnz))


class OwnOrder(Checked):
    """Your order of all labels, such as one that a hierarchy gives.

    Parameters
    ----------
    labels : sequence of int
        Every label number once, the first to be emitted first.
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
    """The network's own order, refreshed batch by batch; until it emits right labels, a random one."""

    def keys(self, Y: CSR, counts: Int64, rng: np.random.Generator) -> Float64:
        """See ``Order``: without a network all labels are missing ones, hence in random order."""
        return np.asarray(rng.random(Y.nnz))

    def follow(self, Y: CSR, emitted: Int64, rng: np.random.Generator) -> Float64:
        """Keys after what the network emitted.

        Parameters
        ----------
        Y : csr_matrix, shape (n, L)
        emitted : int64 array, shape (n, steps)
            Labels as the network emitted them, -1 where it had stopped. Wrong ones have no entry in Y and so drop out.
        rng : Generator
            For the order of the labels that are missing.
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
    """The order behind a name, or the user's own object; ``ORDER`` has been checked."""
    if isinstance(order, str):
        return FixedOrder(seed) if order == "fixed" else ORDERS[order]()
    return order
