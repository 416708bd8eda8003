"""Base class of ramify's models: implements ``protocols.Model`` and scikit-learn's estimator interface.

fit(X, Y)           = fit_training(Training(X, Y))     checks settings and data, then ``_learn``
predict_topk(X, k)  = answer(Request(X, k))            checks the request, then ``_rank``

A model implements ``_learn`` and ``_rank``; both receive checked data, with threads, seed and k set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePath
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
from ramify.models.base.adapter import DEFAULT_K, SURE_SCORE, as_model, labels_above
from ramify.models.base.persistence import load_as, save
from ramify.values import CSR, Float32, Hybrid, Int32, StageProgress, TopK, as_features, as_label_matrix
from ramify.wording import quoted

Self = TypeVar("Self", bound="RankingModel")

MOST_FEATURES = 2**28
"""Maximum number of columns of X: training allocates some bytes per column, used or not."""

HELD_OUT = Real(0, 0.9)
"""Share of the training instances that are held out to choose settings."""


class RankingModel(Checked, BaseEstimator):  # type: ignore[misc]
    """Base of the models.

    Attributes
    ----------
    n_features_in_, n_labels_ : int
        d and L.
    normalized_rows_ : int
        Number of training rows that were scaled to length 1.
    """

    seed: int = 0
    threads: int | None = None
    n_features_in_: int
    n_labels_: int
    normalized_rows_: int = 0

    @property
    def needs(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return frozenset({"X"})

    @property
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``; empty in the base class."""
        return frozenset()

    def fit(self: Self, X: Any, Y: Any, *, progress: StageProgress | None = None) -> Self:
        """Train on features and labels.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
            Features.
        Y : sparse or dense matrix, shape (n, L)
            Label assignments; entries above 0 are positive.
        progress : callable, optional
            Called with (stage, share done).

        Raises
        ------
        InputError
            Settings or data out of range; the message names them.
        """
        return self.fit_training(Training(X=X, Y=Y, progress=progress))

    def fit_training(self: Self, training: Training) -> Self:
        """Train; see ``fit``, and ``Training`` for the other fields. The model is unchanged if an error is raised."""
        self.check_settings()
        with self._restored_after_errors():
            self._learn(self._checked_training(training))
        return self

    @contextmanager
    def _restored_after_errors(self) -> Iterator[None]:
        """Restore all attributes if the block raises, also for Ctrl-C: the results of an earlier fit stay valid."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            for name in self.__dict__.keys() - before.keys():
                delattr(self, name)
            self.__dict__.update(before)
            raise

    def _learn(self, training: CheckedTraining) -> None:
        """Train on checked data."""
        raise NotImplementedError

    def _checked_training(self, training: Training) -> CheckedTraining:
        """Check X and Y, and set seed and threads.

        Raises
        ------
        InputError
            Data out of range, or a field that the model does not use.
        """
        name = type(self).__name__
        unfitted = type(self)(**self.get_params(deep=False))  # a fitted model may have had other parts
        check_extras(name, unfitted.abilities, training)
        check_needs(name, unfitted.needs, training)
        X = None if training.X is None or "X" not in unfitted.needs else self._training_rows(training.X)
        n = len(training.texts or ()) if X is None else X.shape[0]
        settled = {
            "X": X,
            "Y": assignments(training.Y, n, name),
            "seed": int(self.seed if training.seed is None else training.seed),
            "threads": self._threads(training.threads),
        }
        return CheckedTraining(**(vars(training) | settled))

    def _training_rows(self, X: Any) -> Any:
        """Checked and preprocessed X of the training."""
        return self._instances(X)

    def _instances(self, X: Any) -> Any:
        """X for the kernels; InputError if it has a dense block that the model does not use."""
        if isinstance(X, Hybrid) and "hybrid" not in self.abilities:
            raise InputError(
                f"X has a dense block of {X.dense.shape[1]} columns, but {type(self).__name__} uses sparse features "
                "only: give X.sparse, or use XRLinear"
            )
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
            Labels per instance, at most L; min(10, L) when None.
        beam : int, optional
            Nodes kept per level, for models with beam search; the model's setting when None.
        allowed : label ids, or matrix of shape (n, L), optional
            The only labels that may be predicted: for all instances, or per instance.
        forbidden : label ids, or matrix of shape (n, L), optional
            Labels that must not be predicted: for all instances, or per instance.
        progress : callable, optional
            Called with ("predict", share done).

        Returns
        -------
        TopK
            Labels and scores, best first. Rows with fewer than k ranked labels are filled with label -1, score -inf.

        Raises
        ------
        InputError
            k or beam out of range, a wrong number of columns in X, or labels out of range.
        """
        if beam is None and allowed is None and forbidden is None and progress is None:
            top = self._row_topk(X, k)
            if top is not None:
                return top
        return self.answer(Request(X=X, k=k, beam=beam, allowed=allowed, forbidden=forbidden, progress=progress))

    def _row_topk(self, X: Any, k: Any) -> TopK | None:
        """The k best labels of a matrix with one row, faster than ``answer``; None if ``answer`` must be used."""
        return None

    def answer(self, request: Request) -> TopK:
        """The k best labels of each instance; see ``predict_topk``, and ``Request`` for the other fields."""
        check_is_fitted(self)
        return self._rank(self._checked_request(request))

    def _rank(self, request: CheckedRequest) -> TopK:
        """The k best labels of each instance of a checked request."""
        raise NotImplementedError

    def _checked_request(self, request: Request) -> CheckedRequest:
        """Check X and the restrictions, and set k and threads.

        Raises
        ------
        InputError
            A field out of range, or a beam for a model without beam search.
        """
        if request.beam is not None and "beam" not in self.abilities:
            raise InputError(
                f"beam is {quoted(request.beam)}, but {type(self).__name__} has no beam search: leave it out"
            )
        check_needs(type(self).__name__, self.needs - {"label_names"}, request)
        X = None if request.X is None or "X" not in self.needs else self._features(request.X)
        n = len(request.texts or ()) if X is None else X.shape[0]
        only, never = restriction(request.allowed, request.forbidden, n, self.n_labels_)
        settled = {
            "X": X,
            "k": self._checked_k(request.k),
            "allowed": only,
            "forbidden": never,
            "threads": self._threads(request.threads),
        }
        return CheckedRequest(**(vars(request) | settled))

    def _threads(self, threads: int | None = None) -> int:
        """Number of threads of a call: the argument, else the model's setting."""
        return thread_count(self.threads if threads is None else threads)

    def _checked_k(self, k: Any) -> int:
        """The checked k; min(10, L) when None."""
        if k is None:
            return min(DEFAULT_K, self.n_labels_)
        if not Whole(1, self.n_labels_).fits(k):
            raise InputError(
                f"k is {quoted(k)}, but must be a whole number in 1..{self.n_labels_}, the number of labels"
            )
        return int(k)

    def _features(self, X: Any) -> Any:
        features = self._instances(X)
        if features.shape[1] != self.n_features_in_:
            raise InputError(
                f"X has {features.shape[1]} features, but {type(self).__name__} "
                f"is expecting {self.n_features_in_} features as input"
            )
        return features

    def single(self, k: int) -> Single:
        """A function from one instance to its (labels, scores), shapes (1, k): see ``exchange.Single``.

        The function uses the model's settings at the time of each call.
        """
        check_is_fitted(self)
        k, width = self._checked_k(k), self.n_features_in_

        def answer(indices: Int32, values: Float32, dense: Float32 | None = None) -> tuple[Int32, Float32]:
            n_sparse = width if dense is None else width - len(dense)
            one = sp.csr_matrix((values, indices, np.array([0, len(indices)])), shape=(1, n_sparse))
            top = self.answer(Request(X=one if dense is None else Hybrid(one, dense[None]), k=k))
            return top.labels, top.scores

        return answer

    def _reachable(self) -> int:
        """Maximum number of labels ranked for one instance; L unless a model overrides it."""
        return self.n_labels_

    def predict(self, X: Any, *, threshold: float = SURE_SCORE) -> CSR:
        """0/1 matrix, shape (n, L): ranked labels with a score of at least ``threshold`` (see ``Tagger.decide``)."""
        return self.decided(Request(X=X), THRESHOLD.check("threshold", threshold))

    def decide(self, request: Request) -> CSR:
        """Like ``predict``, for a request; its k is ignored."""
        return self.decided(request, SURE_SCORE)

    def decided(self, request: Request, threshold: float) -> CSR:
        """0/1 matrix, shape (n, L): ranked labels with a score of at least ``threshold``."""
        check_is_fitted(self)
        top = self.answer(replace(request, k=self._reachable()))
        return labels_above(top, threshold, self.n_labels_)

    def score(self, X: Any, Y: Any) -> float:
        """Precision of the best label (P@1), for model selection."""
        top = self.predict_topk(X, 1)
        truth = as_label_matrix(Y, len(top), n_labels=self.n_labels_)
        rows = np.flatnonzero(top.labels[:, 0] >= 0)
        return float(np.asarray(truth[rows, top.labels[rows, 0]]).sum() / max(1, len(top)))

    def inside(self) -> Mapping[str, Any]:
        """Fitted parts by name."""
        return {}

    def size(self) -> Sizes:
        """Sizes of the fitted model, including those of the parts inside."""
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
        """Write a model directory; an existing model is replaced atomically (see ``store.save_model``)."""
        save(self, directory)

    @classmethod
    def load(
        cls: type[Self], directory: str | Path, *, verify: bool = True, mapped: bool = True, parts: Sequence[type] = ()
    ) -> Self:
        """Load a model directory (see ``models.load``)."""
        return load_as(cls, directory, verify=verify, mapped=mapped, parts=parts)

    def _plain_settings(self) -> dict[str, Any]:
        """Settings for a model directory: NumPy scalars become Python scalars, and paths become text."""
        return {name: _plain(value) for name, value in self.get_params(deep=False).items()}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags


def _plain(setting: Any) -> Any:
    if isinstance(setting, np.generic):
        return setting.item()
    return str(setting) if isinstance(setting, PurePath) else setting


def check_extras(name: str, abilities: frozenset[str], training: Training) -> None:
    """Raise InputError if an optional field is given that the model does not use."""
    for extra in EXTRAS:
        if getattr(training, extra) is not None and extra not in abilities:
            raise InputError(f"{extra} is given, but {name} does not use it: leave it out")


def check_needs(name: str, needs: frozenset[str], given: Training | Request) -> None:
    """Raise InputError if a required field is missing."""
    for field in sorted(needs):
        if getattr(given, field) is None:
            how = "vectorize the texts, or use a Tagger" if field == "X" else f"give {field}, or use a Tagger"
            raise InputError(f"{name} requires {field}, but none is given: {how}")


def has(ability: str) -> Callable[[Any], bool]:
    """A condition for scikit-learn's ``available_if``: whether a model has an ability."""
    return lambda model: ability in model.abilities


def mean_precision(Y: CSR, top: TopK, Y_train: CSR) -> float:
    """Mean of P@1, P@3 and P@5, for cut-offs of at most L: the criterion for choosing settings."""
    ranks = [k for k in (1, 3, 5) if k <= Y.shape[1]]
    best = TopK(top.labels[:, : ranks[-1]], top.scores[:, : ranks[-1]])
    report = evaluate(Y, best, Y_train=Y_train, ks=ranks)
    return float(np.mean([float(report[f"P@{k}"]) for k in ranks]))


def instances(X: Any) -> Any:
    """X for the kernels; InputError if it has no rows, no columns, or more than ``MOST_FEATURES`` columns."""
    features = as_features(X)
    n, width = features.shape
    if n == 0:
        raise InputError(f"X has 0 sample(s) (shape={n, width}) while a minimum of 1 is required: give instances")
    if width == 0:
        raise InputError(f"X has 0 feature(s) (shape={n, width}) while a minimum of 1 is required: give features")
    if width > MOST_FEATURES:
        raise InputError(
            f"X has {width:,} features, but at most {MOST_FEATURES:,} are supported: fit a Tagger, which selects "
            "the used columns, or hash the features into fewer columns"
        )
    return features


def assignments(Y: Any, n: int, model: str) -> CSR:
    """Y of n instances as 0/1; InputError if it is None or has no positive entry."""
    if Y is None:
        raise InputError(f"{model} requires y to be passed, but the target y is None: give label assignments Y")
    labels = as_label_matrix(Y, n)
    if labels.nnz == 0:
        raise InputError("Y has no positive entry, so there is nothing to learn: give labelled instances")
    return labels


def best_labels(scores: CSR, k: int) -> TopK:
    """The k largest entries of each row; ties are broken by the smaller label id."""
    rows = np.repeat(np.arange(scores.shape[0]), np.diff(scores.indptr))
    order = np.lexsort((scores.indices, -scores.data, rows))
    rank = np.arange(len(rows)) - scores.indptr[rows]
    kept = rank < k
    top = TopK(np.full((scores.shape[0], k), -1, np.int32), np.full((scores.shape[0], k), -np.inf, np.float32))
    place = (rows[kept], rank[kept])
    top.labels[place], top.scores[place] = scores.indices[order[kept]], scores.data[order[kept]]
    return top
