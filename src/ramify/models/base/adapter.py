"""Adapter from a user's object to ``protocols.Model``; it supplies the methods that the object lacks.

``fit(X, Y)`` and ``predict_topk(X, k)``, which returns a TopK, are sufficient. Instead, an object may have
``fit_training(training)`` and ``answer(request)``, which also receive texts, label names, threads and restrictions. All
other methods of ``Model``, and ``predict(X)``, are used if the object has them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import clone

from ramify.checks import Whole, check_inside
from ramify.errors import InputError
from ramify.exchange import Request, Single, Sizes, Training
from ramify.match import restriction
from ramify.protocols import Model
from ramify.values import CSR, Float32, Int32, TopK, as_csr
from ramify.wording import quoted

DEFAULT_K = 10

SURE_SCORE, SURE_LABELS = 0.5, 20
"""``decide`` for an object without ``predict``: labels with at least this score, among this number of best labels."""

MODEL_METHODS = ("needs", "abilities", "fit_training", "answer", "decide", "single", "inside", "size")


def as_model(model: Any, known: Sizes | None = None) -> Model:
    """The object itself if it is a ``Model``; otherwise a ``PlainModel`` around it.

    Parameters
    ----------
    model : object
        An object that ``is_model`` accepts.
    known : Sizes, optional
        Number of features and labels, for an object without ``size``.
    """
    kind = type(model)  # hasattr on the object would compute its properties
    return model if all(hasattr(kind, name) for name in MODEL_METHODS) else PlainModel(model, known)


def is_model(model: Any) -> bool:
    """Whether an object has the methods of a model; False for a class."""
    if isinstance(model, type):
        return False
    pairs = (("fit", "fit_training"), ("predict_topk", "answer"))
    return all(any(callable(getattr(model, name, None)) for name in pair) for pair in pairs)


def settings_of(part: Any) -> dict[str, Any]:
    """The settings of an estimator; empty for an object without ``get_params``."""
    settings: dict[str, Any] = part.get_params(deep=False) if hasattr(part, "get_params") else {}
    return settings


def set_known(part: Any, **settings: Any) -> Any:
    """Set those settings that the part has and that are not None; returns the part."""
    known = settings_of(part)
    fitting = {name: value for name, value in settings.items() if name in known and value is not None}
    return part.set_params(**fitting) if fitting else part


def unfitted(part: Any) -> Any:
    """An unfitted copy: a clone of an estimator, or a deep copy of an object without ``get_params``."""
    fresh = clone(part) if hasattr(part, "get_params") else copy.deepcopy(part)
    check_inside(fresh)
    return fresh


@dataclass(frozen=True)
class PlainModel:
    """An object with at least ``fit(X, Y)`` and ``predict_topk(X, k)`` as a ``Model``.

    Parameters
    ----------
    model : object
        The user's object.
    known : Sizes, optional
        Number of features and labels, if the caller has them.
    """

    model: Any
    known: Sizes | None = None

    def _own(self, name: str) -> Any:
        return getattr(self.model, name, None)

    @property
    def name(self) -> str:
        """Class name."""
        return type(self.model).__name__

    @property
    def needs(self) -> frozenset[str]:
        """The object's ``needs``; {"X"} without that attribute."""
        return frozenset(self._own("needs") or ("X",))

    @property
    def abilities(self) -> frozenset[str]:
        """The object's ``abilities``; empty without that attribute."""
        return frozenset(self._own("abilities") or ())

    def fit_training(self, training: Training) -> Any:
        """Call ``fit_training(training)`` or ``fit(X, Y)``."""
        if self._own("fit_training"):
            self.model.fit_training(training)
            return self.model
        training.report("train", 0.0)
        self.model.fit(training.X, training.Y)
        training.report("train", 1.0)
        return self.model

    def answer(self, request: Request) -> TopK:
        """Call ``answer(request)`` or ``predict_topk(X, k)``.

        With restrictions, ``predict_topk`` is called for all labels, and excluded labels are dropped from its ranking.

        Raises
        ------
        InputError
            A beam is given, k is out of range, or the result is not a TopK with one row per instance.
        """
        n = len(request)
        if self._own("answer"):
            return self._checked(self.model.answer(request), n)
        if request.beam is not None:
            raise InputError(f"beam is {quoted(request.beam)}, but {self.name} has no beam search: leave it out")
        n_labels = self.size().labels
        k = min(DEFAULT_K, n_labels or DEFAULT_K) if request.k is None else request.k
        if n_labels and not Whole(1, n_labels).fits(k):
            raise InputError(f"k is {quoted(k)}, but must be a whole number in 1..{n_labels}, the number of labels")
        if request.allowed is None and request.forbidden is None:
            top = self._checked(self.model.predict_topk(request.X, k), n)
        else:
            top = self._checked(self.model.predict_topk(request.X, self._n_labels()), n)
            top = restricted(top, k, *restriction(request.allowed, request.forbidden, n, self._n_labels()))
        request.report(1.0)
        return top

    def _checked(self, top: Any, n: int) -> TopK:
        if not isinstance(top, TopK) or len(top) != n:
            raise InputError(f"{self.name} returned {quoted(top)}, but must return a ramify.TopK of {n} rows")
        return top

    def _n_labels(self) -> int:
        n_labels = self.size().labels
        if not n_labels:
            raise InputError(f"the number of labels of {self.name} is unknown: add an attribute n_labels_")
        return n_labels

    def decide(self, request: Request) -> CSR:
        """Call ``decide(request)`` or ``predict(X)``; without both, labels with scores from 0.5 among the best 20."""
        if self._own("decide"):
            return as_csr(self.model.decide(request))
        if self._own("predict") and request.X is not None:
            return as_csr(self.model.predict(request.X))
        n_labels = self._n_labels()
        top = self.answer(replace(request, k=min(SURE_LABELS, n_labels)))
        kept = (top.labels >= 0) & (top.scores >= SURE_SCORE)
        return top.matrix(kept, np.ones_like(top.scores), n_labels)

    def single(self, k: int) -> Single:
        """The object's ``single(k)``; without that method, ``answer`` for one row."""
        if self._own("single"):
            own: Single = self.model.single(k)
            return own
        width = self.size().features

        def answer(indices: Int32, values: Float32) -> tuple[Int32, Float32]:
            shape = (1, width or (int(indices[-1]) + 1 if len(indices) else 1))
            one = sp.csr_matrix((values, indices, np.array([0, len(indices)])), shape=shape)
            top = self.answer(Request(X=one, k=k))
            return top.labels, top.scores

        return answer

    def inside(self) -> Mapping[str, Any]:
        """The object's ``inside()``; empty without that method."""
        return self.model.inside() if self._own("inside") else {}

    def size(self) -> Sizes:
        """The object's ``size()``; else ``known``, or its ``n_features_in_`` and ``n_labels_``."""
        if self._own("size"):
            own: Sizes = self.model.size()
            return own
        if self.known is not None:
            return self.known
        features = self._own("n_features_in_")
        return Sizes(features=None if features is None else int(features), labels=int(self._own("n_labels_") or 0))


def _entries(matrix: Any, rows: npt.NDArray[Any], columns: npt.NDArray[Any]) -> Float32:
    """``matrix[rows, columns]`` as an array; SciPy's type stubs lack a sparse result for 2-d indices."""
    return np.asarray(matrix[rows, columns].todense())


def restricted(top: TopK, k: int, allowed: Any, forbidden: CSR | None) -> TopK:
    """The k best labels of a ranking that satisfy the restrictions.

    Parameters
    ----------
    top : TopK, shape (n, c)
        The ranking.
    k : int
        Labels per instance.
    allowed : bool array of shape (L,), csr_matrix of shape (n, L), or None
        The only labels that may be predicted.
    forbidden : csr_matrix of shape (n, L), or None
        Labels that must not be predicted.
    """
    may = top.labels >= 0
    places = np.where(may, top.labels, 0)
    rows = np.arange(len(top))[:, None]
    if sp.issparse(allowed):
        may &= _entries(allowed, rows, places) > 0
    elif allowed is not None:
        may &= allowed[places]
    if forbidden is not None:
        may &= _entries(forbidden, rows, places) == 0
    order = np.argsort(~may, axis=1, kind="stable")[:, :k]
    kept = np.take_along_axis(may, order, axis=1)
    labels = np.where(kept, np.take_along_axis(top.labels, order, axis=1), -1).astype(np.int32)
    scores = np.where(kept, np.take_along_axis(top.scores, order, axis=1), -np.inf).astype(np.float32)
    missing = ((0, 0), (0, max(0, k - labels.shape[1])))
    return TopK(np.pad(labels, missing, constant_values=-1), np.pad(scores, missing, constant_values=-np.inf))
