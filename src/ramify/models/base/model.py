"""The base class of ramify's models: ``protocols.Model`` and scikit-learn's interface, written once.

fit(X, Y)           = fit_training(Training(X, Y))     checks settings and data, then ``_learn``
predict_topk(X, k)  = answer(Request(X, k))            checks the request, then ``_rank``

A model writes ``_learn`` and ``_rank``; both get data in the form of the kernels, with threads, seed and k settled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ramify.checks import THRESHOLD, Checked, Real, Whole, thread_count
from ramify.errors import InputError
from ramify.evaluation import evaluate
from ramify.exchange import EXTRAS, CheckedRequest, CheckedTraining, Request, Single, Sizes, Training
from ramify.match import restriction
from ramify.models.base.adapter import as_model
from ramify.models.base.persistence import load_as, save
from ramify.values import CSR, Float32, Int32, StageProgress, TopK, as_csr, as_label_matrix
from ramify.wording import quoted

Self = TypeVar("Self", bound="RankingModel")

DEFAULT_K = 10

MOST_FEATURES = 2**28
"""Columns of X at most: training takes some bytes for each, used or not."""

HELD_OUT = Real(0, 0.9)
"""Share of the training instances that a choice is made by."""


class RankingModel(Checked, BaseEstimator):  # type: ignore[misc]
    """Base of the models.

    Attributes
    ----------
    n_features_in_, n_labels_ : int
        d and L.
    normalized_rows_ : int
        Training rows that were brought to length 1.
    """

    seed: int = 0
    threads: int | None = None
    decision_threshold: float
    n_features_in_: int
    n_labels_: int
    normalized_rows_: int = 0

    @property
    def needs(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return frozenset({"X"})

    @property
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``; none unless a model adds some."""
        return frozenset()

    def fit(self: Self, X: Any, Y: Any, *, progress: StageProgress | None = None) -> Self:
        """Learn from features and labels.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
            Features.
        Y : sparse or dense matrix, shape (n, L)
            Label assignments: what is above 0 is positive.
        progress : callable, optional
            Called with (stage, share done).

        Raises
        ------
        InputError
            Settings or data out of range; the sentence names which.
        """
        return self.fit_training(Training(X=X, Y=Y, progress=progress))

    def fit_training(self: Self, training: Training) -> Self:
        """Learn; see ``fit``, and ``Training`` for what else can be given."""
        self.check_settings()
        self._learn(self._checked_training(training))
        return self

    def _learn(self, training: CheckedTraining) -> None:
        """Learn from checked data."""
        raise NotImplementedError

    def _checked_training(self, training: Training) -> CheckedTraining:
        """X and Y in the form of the kernels; seed and threads settled.

        Raises
        ------
        InputError
            Data out of range, or a field that the model does not use.
        """
        name = type(self).__name__
        check_extras(name, self.abilities, training)
        check_needs(name, self.needs, training)
        X = None if training.X is None else self._training_rows(training.X)
        n = len(training.texts or ()) if X is None else X.shape[0]
        settled = {
            "X": X,
            "Y": assignments(training.Y, n, name),
            "seed": int(self.seed if training.seed is None else training.seed),
            "threads": self._threads(training.threads),
        }
        return CheckedTraining(**(vars(training) | settled))

    def _training_rows(self, X: Any) -> CSR:
        """X as the model trains on it."""
        return instances(X)

    def predict_topk(
        self,
        X: Any,
        k: int | None = None,
        *,
        beam: int | None = None,
        allowed: Any = None,
        forbidden: Any = None,
        progress: StageProgress | None = None,
    ) -> TopK:
        """The k best labels of each instance.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
            Features.
        k : int, optional
            Labels per instance, at most L; 10 by default, or L where it is less.
        beam : int, optional
            Another beam than the model's, for models that search by a beam.
        allowed : label ids, or matrix of shape (n, L), optional
            The only labels that may be predicted: for all instances, or per instance.
        forbidden : label ids, or matrix of shape (n, L), optional
            Labels that must not be predicted: for all instances, or per instance.
        progress : callable, optional
            Called with ("predict", share done).

        Returns
        -------
        TopK
            Labels and scores, best first. A row has -1 at its end where the model ranks fewer than k labels.

        Raises
        ------
        InputError
            k or beam out of range, X of another width, labels out of range.
        """
        return self.answer(Request(X=X, k=k, beam=beam, allowed=allowed, forbidden=forbidden, progress=progress))

    def answer(self, request: Request) -> TopK:
        """The k best labels of each instance; see ``predict_topk``, and ``Request`` for what else can be given."""
        check_is_fitted(self)
        return self._rank(self._checked_request(request))

    def _rank(self, request: CheckedRequest) -> TopK:
        """Answer a checked request."""
        raise NotImplementedError

    def _checked_request(self, request: Request) -> CheckedRequest:
        """X in the form of the kernels; k, threads and restrictions settled.

        Raises
        ------
        InputError
            A field out of range, or a beam for a model that does not search by one.
        """
        if request.beam is not None and "beam" not in self.abilities:
            raise InputError(
                f"beam is {quoted(request.beam)}, but {type(self).__name__} does not search by a beam: leave it out"
            )
        check_needs(type(self).__name__, self.needs - {"label_names"}, request)
        X = None if request.X is None else self._features(request.X)
        n = len(request.texts or ()) if X is None else X.shape[0]
        only, never = restriction(request.allowed, request.forbidden, n, self.n_labels_)
        settled = {
            "X": X,
            "k": self._labels_asked(request.k),
            "allowed": only,
            "forbidden": never,
            "threads": self._threads(request.threads),
        }
        return CheckedRequest(**(vars(request) | settled))

    def _threads(self, threads: int | None = None) -> int:
        """Threads of a call: those asked for, else the model's setting."""
        return thread_count(self.threads if threads is None else threads)

    def _labels_asked(self, k: Any) -> int:
        """The checked k; the default where it is None."""
        if k is None:
            return min(DEFAULT_K, self.n_labels_)
        if not Whole(1, self.n_labels_).fits(k):
            raise InputError(
                f"k is {quoted(k)}, but must be a whole number in 1..{self.n_labels_}, the number of labels"
            )
        return int(k)

    def _features(self, X: Any) -> CSR:
        features = instances(X)
        if features.shape[1] != self.n_features_in_:
            raise InputError(
                f"X has {features.shape[1]} features, but {type(self).__name__} "
                f"is expecting {self.n_features_in_} features as input"
            )
        return features

    def single(self, k: int) -> Single:
        """A function from one instance's (feature numbers, values) to its (labels, scores), shapes (1, k).

        It follows later changes of the model's settings.
        """
        check_is_fitted(self)
        k, width = self._labels_asked(k), self.n_features_in_

        def answer(indices: Int32, values: Float32) -> tuple[Int32, Float32]:
            one = sp.csr_matrix((values, indices, np.array([0, len(indices)])), shape=(1, width))
            top = self.answer(Request(X=one, k=k))
            return top.labels, top.scores

        return answer

    def _reachable(self) -> int:
        """Upper limit of the labels in the answer for one instance; all labels unless a model can state fewer."""
        return self.n_labels_

    def predict(self, X: Any) -> CSR:
        """0/1 matrix, shape (n, L): labels that the model ranks with a score of ``decision_threshold`` or more."""
        return self.decide(Request(X=X))

    def decide(self, request: Request) -> CSR:
        """As ``predict``, for a request; its k is not used."""
        check_is_fitted(self)
        return self.decided(request, THRESHOLD.check("decision_threshold", self.decision_threshold))

    def decided(self, request: Request, threshold: float) -> CSR:
        """0/1 matrix, shape (n, L): labels that the model ranks with at least this score."""
        top = self.answer(replace(request, k=self._reachable()))
        kept = (top.labels >= 0) & (top.scores >= threshold)
        return top.matrix(kept, np.ones_like(top.scores), self.n_labels_)

    def score(self, X: Any, Y: Any) -> float:
        """Precision of the first label, P@1, for model selection."""
        top = self.predict_topk(X, 1)
        truth = as_label_matrix(Y, len(top), n_labels=self.n_labels_)
        rows = np.flatnonzero(top.labels[:, 0] >= 0)
        return float(np.asarray(truth[rows, top.labels[rows, 0]]).sum() / max(1, len(top)))

    def inside(self) -> Mapping[str, Any]:
        """Fitted parts by name."""
        return {}

    def size(self) -> Sizes:
        """Sizes of the fitted model; weights and normalised rows are those of the parts inside."""
        check_is_fitted(self)
        inside = [as_model(part).size() for part in self.inside().values()]
        return Sizes(
            features=self.n_features_in_,
            labels=self.n_labels_,
            weights=sum(part.weights for part in inside),
            normalized_rows=max([self.normalized_rows_, *(part.normalized_rows for part in inside)]),
            reachable=self._reachable(),
        )

    def save(self, directory: str | Path) -> None:
        """Write a model directory; an older model there is replaced in one step (see ``store.save_model``)."""
        save(self, directory)

    @classmethod
    def load(
        cls: type[Self], directory: str | Path, *, verify: bool = True, mapped: bool = True, parts: Sequence[type] = ()
    ) -> Self:
        """Open a model directory (see ``models.load``)."""
        return load_as(cls, directory, verify=verify, mapped=mapped, parts=parts)

    def _plain_settings(self) -> dict[str, Any]:
        """Settings for a model directory: NumPy's scalars become Python's."""
        settings = self.get_params(deep=False)
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in settings.items()}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags


def check_extras(name: str, abilities: frozenset[str], training: Training) -> None:
    """InputError where an optional field is given that a model does not use."""
    for extra in EXTRAS:
        if getattr(training, extra) is not None and extra not in abilities:
            raise InputError(f"{extra} is given, but {name} does not use it: leave it out")


def check_needs(name: str, needs: frozenset[str], given: Training | Request) -> None:
    """InputError where a field that a model needs is missing."""
    for field in sorted(needs):
        if getattr(given, field) is None:
            how = "vectorize the texts, or use a Tagger" if field == "X" else f"give {field}, or use a Tagger"
            raise InputError(f"{name} needs {field}, but gets none: {how}")


def has(ability: str) -> Callable[[Any], bool]:
    """For scikit-learn's ``available_if``: whether a model has an ability."""
    return lambda model: ability in model.abilities


def mean_precision(Y: CSR, top: TopK, Y_train: CSR) -> float:
    """Mean of P@1, P@3 and P@5, as far as there are labels: the measure by which settings are chosen."""
    ranks = [k for k in (1, 3, 5) if k <= Y.shape[1]]
    best = TopK(top.labels[:, : ranks[-1]], top.scores[:, : ranks[-1]])
    report = evaluate(Y, best, Y_train=Y_train, ks=ranks)
    return float(np.mean([float(report[f"P@{k}"]) for k in ranks]))


def instances(X: Any) -> CSR:
    """X as the kernels take it; InputError where it has no row, no column, or more columns than a model is made for."""
    features = as_csr(X)
    n, width = features.shape
    if n == 0:
        raise InputError(f"X has 0 sample(s) (shape={n, width}) while a minimum of 1 is required: give instances")
    if width == 0:
        raise InputError(f"X has 0 feature(s) (shape={n, width}) while a minimum of 1 is required: give features")
    if width > MOST_FEATURES:
        raise InputError(
            f"X has {width:,} features, but a model holds at most {MOST_FEATURES:,}: fit a Tagger, which selects "
            "the used columns, or hash into fewer"
        )
    return features


def assignments(Y: Any, n: int, model: str) -> CSR:
    """Y of n instances as 0/1; InputError where there is none, or nothing to learn from it."""
    if Y is None:
        raise InputError(f"{model} requires y to be passed, but the target y is None: give label assignments Y")
    labels = as_label_matrix(Y, n)
    if labels.nnz == 0:
        raise InputError("Y has no positive entry, so there is nothing to learn: give labelled instances")
    return labels


def best_labels(scores: CSR, k: int) -> TopK:
    """The k largest entries of each row, ties to the smaller label."""
    rows = np.repeat(np.arange(scores.shape[0]), np.diff(scores.indptr))
    order = np.lexsort((scores.indices, -scores.data, rows))
    rank = np.arange(len(rows)) - scores.indptr[rows]
    kept = rank < k
    top = TopK(np.full((scores.shape[0], k), -1, np.int32), np.full((scores.shape[0], k), -np.inf, np.float32))
    place = (rows[kept], rank[kept])
    top.labels[place], top.scores[place] = scores.indices[order[kept]], scores.data[order[kept]]
    return top
