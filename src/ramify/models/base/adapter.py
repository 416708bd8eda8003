"""Adapter from a user's object to ``protocols.Model``; it supplies the methods that the object lacks.

Two documented methods are enough: ``fit(X, Y)`` and ``predict_topk(X, k)``, the latter giving a TopK. In their place an
object may have ``fit_training(training)`` and ``answer(request)``, which also get texts, label names, threads and
restrictions. All other methods of ``Model``, and ``predict(X)``, are used where the object has them.

A subclass of a model may override one of the documented methods: ``fit(X, Y)``, ``predict_topk(X, k)`` or
``predict(X)``. Its method is then called in place of the inherited method of ``Model`` (``REPLACED``).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import clone

from ramify.checks import Whole, check_inside
from ramify.errors import InputError
from ramify.exchange import ABILITIES, EXTRAS, Request, Single, Sizes, Training
from ramify.match import restriction
from ramify.protocols import Model
from ramify.values import CSR, Float32, Int32, TopK, as_csr
from ramify.wording import quoted

DEFAULT_K = 10

FIELDS = frozenset({"X", "texts", "label_names"})
"""Names in ``Model.needs``."""

SURE_SCORE, SURE_LABELS = 0.5, 20
"""``decide`` for an object without ``predict``: labels with at least this score, among this number of best labels."""

MODEL_METHODS = ("needs", "abilities", "fit_training", "answer", "decide", "single", "inside", "size")

REPLACED = {
    "fit_training": (("fit",), ("fit_training", "_learn")),
    "answer": (("predict_topk",), ("answer", "_rank")),
    "decide": (("predict",), ("decide",)),
    "single": (("predict_topk", "answer", "_rank"), ("single",)),
    "reasons": (("predict_topk", "answer", "_rank"), ("reasons",)),
}
"""Methods of ``Model`` that are not called where a subclass overrides the first names, and none of the second ones."""


def as_model(model: Any, known: Sizes | None = None) -> Model:
    """The object itself if it is a ``Model``; otherwise a ``PlainModel`` around it.

    Parameters
    ----------
    model : object
        An object that ``is_model`` accepts.
    known : Sizes, optional
        Number of features and labels, for an object without ``size``.
    """
    kind: Any = type(model)
    return model if _is_whole(kind) else PlainModel(model, known)


@lru_cache(maxsize=1024)
def _is_whole(kind: type) -> bool:
    """Whether objects of a class are a ``Model`` as they are; properties of the object itself would be computed."""
    return all(hasattr(kind, name) for name in MODEL_METHODS) and not any(_replaced(kind, name) for name in REPLACED)


@lru_cache(maxsize=4096)
def _replaced(kind: type, name: str) -> bool:
    """Whether a subclass overrides what an inherited method of ``Model`` would bypass (see ``REPLACED``)."""
    if name not in REPLACED:
        return False
    by, full = REPLACED[name]
    if name == "single" and not _replaced(kind, "answer") and "answer" in vars(_definer(kind, full)):
        return False  # the class that defines both: its ``single`` calls ``answer``
    place = kind.__mro__.index
    return hasattr(kind, name) and place(_definer(kind, by)) < place(_definer(kind, full))


def _definer(kind: type, names: tuple[str, ...]) -> type:
    """The first class, from the subclass up, that defines one of the names; ``object`` where none does."""
    return next((base for base in kind.__mro__ if any(name in vars(base) for name in names)), object)


def is_model(model: Any) -> bool:
    """Whether an object has the methods of a model; False for a class."""
    if isinstance(model, type):
        return False
    pairs = (("fit", "fit_training"), ("predict_topk", "answer"))
    return all(any(callable(getattr(model, name, None)) for name in pair) for pair in pairs)


def own_method(model: Any, name: str) -> Any:
    """A method of a model; None without it, or where a subclass overrides what it would bypass (``REPLACED``)."""
    return PlainModel(model)._own(name)


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
        """The object's own method; None without it, or where it would bypass another (``REPLACED``)."""
        method, kind = getattr(self.model, name, None), self.model.__class__
        return method if callable(method) and not _replaced(kind, name) else None

    def _fields(self, name: str, known: frozenset[str], default: frozenset[str]) -> frozenset[str]:
        """``needs`` or ``abilities`` of the object, checked."""
        given = getattr(self.model, name, None)
        if given is None:
            return default
        if isinstance(given, str) or not isinstance(given, Iterable) or not known.issuperset(given):
            some = ", ".join(sorted(known))
            raise InputError(f"{name} of {self.name} is {quoted(given)}, but must be a set of some of {some}")
        return frozenset(given)

    @property
    def name(self) -> str:
        """Class name."""
        return type(self.model).__name__

    @property
    def needs(self) -> frozenset[str]:
        """The object's own ``needs``; features when it has none."""
        return self._fields("needs", FIELDS, frozenset({"X"})) or frozenset({"X"})

    @property
    def abilities(self) -> frozenset[str]:
        """The object's own ``abilities``; none when it has none."""
        return self._fields("abilities", frozenset(ABILITIES), frozenset())

    def fit_training(self, training: Training) -> Any:
        """Call ``fit_training(training)`` or ``fit(X, Y)``."""
        if self._own("fit_training"):
            self.model.fit_training(training)
            return self.model
        training.report("train", 0.0)
        given = {name: getattr(training, name) for name in EXTRAS if getattr(training, name) is not None}
        self.model.fit(training.X, training.Y, **given)
        training.report("train", 1.0)
        return self.model

    def answer(self, request: Request) -> TopK:
        """Call ``answer(request)`` or ``predict_topk(X, k)``.

        With restrictions, ``predict_topk`` is called for all labels, and excluded labels are dropped from its ranking.

        Raises
        ------
        InputError
            A beam for an object that uses none, k out of range, or a result that does not fit the request.
        """
        n_labels, own = self.size().labels, self._own("answer")
        if request.beam is not None and "beam" not in self.abilities and own is None:
            raise InputError(f"beam is {quoted(request.beam)}, but {self.name} has no beam search: leave it out")
        k = min(DEFAULT_K, n_labels or DEFAULT_K) if request.k is None else request.k
        if n_labels and not Whole(1, n_labels).fits(k):
            raise InputError(f"k is {quoted(k)}, but must be a whole number in 1..{n_labels}, the number of labels")
        if own is not None:
            return self._checked(own(replace(request, k=k)), request, k)
        beam = {} if request.beam is None else {"beam": request.beam}
        if request.allowed is None and request.forbidden is None:
            top = self._checked(self.model.predict_topk(request.X, k, **beam), request, k)
        else:
            every = self._n_labels()
            top = self._checked(self.model.predict_topk(request.X, every, **beam), request, every)
            top = restricted(top, k, *restriction(request.allowed, request.forbidden, len(request), every))
        request.report(1.0)
        return top

    def _checked(self, top: Any, request: Request, k: int) -> TopK:
        """A result of k columns.

        Raises
        ------
        InputError
            No TopK of one row per instance, or labels that the model does not have.
        """
        n, n_labels = len(request), self.size().labels
        if not isinstance(top, TopK) or len(top) != n:
            raise InputError(f"{self.name} returned {quoted(top)}, but must return a ramify.TopK of {n} rows")
        if n_labels and top.labels.size and top.labels.max() >= n_labels:
            raise InputError(f"{self.name} ranks label {top.labels.max()}, but must rank labels of 0..{n_labels - 1}")
        return top if top.k == k else restricted(top, k, None, None)

    def _n_labels(self) -> int:
        n_labels = self.size().labels
        if not n_labels:
            raise InputError(f"the number of labels of {self.name} is unknown: add an attribute n_labels_")
        return n_labels

    def decide(self, request: Request) -> CSR:
        """Call ``decide(request)`` or ``predict(X)``; without both, labels of a score of 0.5 among the best 20."""
        if own := self._own("decide"):
            return as_csr(own(request))
        if (own := self._own("predict")) and request.X is not None:
            return as_csr(own(request.X))
        n_labels = self._n_labels()
        top = self.answer(replace(request, k=min(SURE_LABELS, n_labels)))
        return labels_above(top, SURE_SCORE, n_labels)

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


def labels_above(top: TopK, threshold: float, n_labels: int) -> CSR:
    """0/1 matrix, shape (n, n_labels): ranked labels with scores of at least the threshold."""
    kept = (top.labels >= 0) & (top.scores >= threshold)
    return top.matrix(kept, np.ones_like(top.scores), n_labels)


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
