"""The shapes of the parts that users can replace: any object with these methods serves, no base class, no registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from ramify.values import CSR, LabelTree


@runtime_checkable
class Vectorizer(Protocol):
    """Texts → X. scikit-learn's vectorizers have this shape."""

    def fit_transform(self, texts: Sequence[str], /) -> Any:
        """Learn from the texts and return their features, shape (n, d)."""
        ...

    def transform(self, texts: Sequence[str], /) -> Any:
        """Features of new texts, shape (n, d)."""
        ...


@runtime_checkable
class Representation(Protocol):
    """(X, Y) → Z: one vector per label, which the indexer groups by."""

    def represent(self, X: CSR, Y: CSR, *, threads: int = 1) -> Any:
        """Label vectors Z, shape (L, anything), CSR or dense float32."""
        ...


@runtime_checkable
class Indexer(Protocol):
    """(label representation, Y) → LabelTree."""

    def build(self, Z: Any, Y: CSR, *, seed: int = 0, threads: int = 1) -> LabelTree:
        """Group the labels by their vectors Z, shape (L, d); Y, shape (n, L), tells how they are used."""
        ...


@runtime_checkable
class Saveable(Protocol):
    """A part that a model directory can hold: plain settings and arrays, never a pickle."""

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """(config, arrays): JSON-able settings, and NumPy arrays by name."""
        ...

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> Saveable:
        """The part again; arrays may be read-only and memory-mapped."""
        ...
