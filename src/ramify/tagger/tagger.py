"""Texts in, ranked label names out: a vectorizer, a model over its features, and the names of the labels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ramify.checks import whole_number
from ramify.errors import InputError, RamifyWarning
from ramify.features import Tfidf
from ramify.features.columns import Columns
from ramify.features.scripts import advice_on_scripts
from ramify.models.base.members import required, taken, unfitted
from ramify.models.base.persistence import load_as, save
from ramify.models.trees.xr_linear import XRLinear
from ramify.strings import StringTable
from ramify.tagger import state as tagger_state
from ramify.tagger.given_labels import given_labels, is_matrix, label_sets, name_lists, of_used_labels
from ramify.values import CSR, Dataset, Float32, Int32, Int64, StageProgress, TopK, as_csr
from ramify.wording import nearest_name, quoted

if TYPE_CHECKING:
    from ramify.evaluation import EvaluationConfig, Report

Tags = list[tuple[str, float]]

DEFAULT_PARTS = {"model": XRLinear, "vectorizer": Tfidf}
"""Parts that are made where none are given."""

SURE_SCORE, SURE_LABELS = 0.5, 20
"""What ``predict`` keeps of a model without a ``predict`` of its own: this score, among so many labels."""


class Tagger(BaseEstimator):  # type: ignore[misc]
    """Gives texts their labels, by name.

    Parameters
    ----------
    model : estimator, optional
        Anything with ``fit(X, Y)`` and ``predict_topk(X, k)``; ``XRLinear()`` when None.
    vectorizer : Vectorizer, optional
        Texts to features: ``Tfidf()`` when None, ``Hashing``, or any of scikit-learn's. Not used where the tagger is
        fitted on features.

    Attributes
    ----------
    model_, vectorizer_ : fitted copies
        ``vectorizer_`` is None where the tagger was fitted on features.
    label_names_ : sequence of str, length L
        Names by label id.
    label_keys_ : sequence of str, length L, or None
        Identifiers of the labels in the training file, where names replaced them.
    label_counts_ : int64 array, shape (L,), or None
        Training documents per label; None for a tagger made of parts.
    n_documents_ : int
        Training documents in all; 0 for a tagger made of parts.
    columns_ : Columns
        The columns of the features that the model was trained on.
    fields_ : dict of str to str
        Names of the fields that the command line read the training file by; empty otherwise.
    label_form_ : {"names", "matrix"}
        The form of the labels in ``fit``, which is that of the result of ``predict``.
    """

    model_: Any
    vectorizer_: Any
    label_names_: Sequence[str]
    label_keys_: Sequence[str] | None
    label_counts_: Int64 | None
    n_documents_: int
    columns_: Columns
    fields_: dict[str, str]
    label_form_: str
    _singles: dict[int, Callable[[Int32, Float32], tuple[Int32, Float32]]]  # made when needed, by k
    _ids: dict[str, int] | None  # made when needed

    def __init__(self, model: Any = None, *, vectorizer: Any = None) -> None:
        self.model = model
        self.vectorizer = vectorizer

    def set_params(self, **params: Any) -> Tagger:
        """Set parameters, also of the default parts: ``set_params(vectorizer__min_df=1)``."""
        for name, default in DEFAULT_PARTS.items():
            inner = any(key.startswith(f"{name}__") for key in params)
            if inner and getattr(self, name) is None and params.get(name) is None:
                params[name] = default()
        own = {name: params.pop(name) for name in DEFAULT_PARTS if name in params}
        super().set_params(**own)  # first, so that the others find the new parts
        super().set_params(**params)
        return self

    def fit(
        self,
        texts: Any,
        labels: Any,
        *,
        label_names: Sequence[str] | None = None,
        progress: StageProgress | None = None,
    ) -> Tagger:
        """Learn from texts and their labels.

        Parameters
        ----------
        texts : sequence of str, length n, or matrix of shape (n, d)
            Empty texts are allowed; they contribute to the frequencies of their labels only. A sparse matrix or 2-d
            array of numbers is taken as features.
        labels : sequence of iterables of str, length n, or 0/1 matrix of shape (n, L)
            Names per text; whole numbers count as their digits, white space around names is stripped, repeated and
            empty names are dropped, a text may have none. Or a matrix as ``MultiLabelBinarizer`` makes it.
        label_names : sequence of str, length L, optional
            Names of the columns where the labels are a matrix; "0", "1", ... when None.
        progress : callable, optional
            Called with (stage, share done).

        Raises
        ------
        InputError
            Lengths that differ, a string where a list belongs, no labels at all. A fitted tagger then stays as it was.
        """
        features = is_matrix(texts)
        instances: Any = as_csr(texts) if features else _listed(texts)
        names, Y = given_labels(labels, label_names)
        n = instances.shape[0] if features else len(instances)
        if n != Y.shape[0]:
            raise InputError(f"there are {n} texts, but {Y.shape[0]} label lists: give one list per text")
        dataset = Dataset(Y=Y, label_names=names, **{"X" if features else "texts": instances})
        return self._fit(dataset, progress, "matrix" if is_matrix(labels) else "names")

    def fit_dataset(self, dataset: Dataset, *, progress: StageProgress | None = None) -> Tagger:
        """Learn from a Dataset: of its texts, or of its features where it has no texts.

        Of a label space of over a million labels that most documents do not use, only the used labels are kept.
        """
        return self._fit(of_used_labels(dataset), progress, "names")

    def _fit(self, dataset: Dataset, progress: StageProgress | None, label_form: str) -> Tagger:
        if dataset.Y.nnz == 0:
            raise InputError("no instance has a label, so there is nothing to learn: check the labels field")
        report_progress = progress or (lambda stage, done: None)
        model, vectorizer = (unfitted(name, getattr(self, name), kind) for name, kind in DEFAULT_PARTS.items())
        if dataset.texts is None:
            vectorizer, X = None, dataset.X
        else:
            report_progress("features", 0.0)
            X = as_csr(vectorizer.fit_transform(dataset.texts))
            report_progress("features", 1.0)
            advice = advice_on_scripts(dataset.texts, vectorizer)
            if advice is not None:
                warnings.warn(advice, RamifyWarning, stacklevel=3)
        columns = Columns.of(X)
        model.fit(columns.select(X), dataset.Y, **taken(model.fit, {"progress": progress}))
        self._set_fitted(
            model_=model,
            vectorizer_=vectorizer,
            label_names_=StringTable.of(dataset.label_names),
            label_keys_=None if dataset.label_keys is None else StringTable.of(dataset.label_keys),
            label_counts_=np.bincount(dataset.Y.indices, minlength=dataset.n_labels).astype(np.int64),
            n_documents_=len(dataset),
            columns_=columns,
            label_form_=label_form,
        )
        return self

    def _set_fitted(self, **fitted: Any) -> None:
        """All results of a fit at once: a fit that fails leaves the tagger as it was."""
        fresh: dict[str, Any] = {"label_keys_": None, "fields_": {}, "label_form_": "names"}
        self.__dict__.update(fresh | fitted | {"_singles": {}, "_ids": None})

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "_singles" in state:
            state |= {"_singles": {}, "_ids": None}  # made again when needed
        return state

    @classmethod
    def of(cls, model: Any, label_names: Sequence[str], *, vectorizer: Any = None) -> Tagger:
        """A tagger of fitted parts.

        Parameters
        ----------
        model : estimator
            Fitted.
        label_names : sequence of str, length L
            Names of its labels.
        vectorizer : Vectorizer, optional
            Fitted; None where the model takes features.

        Raises
        ------
        InputError
            Another number of names than labels.
        """
        if len(label_names) != model.n_labels_:
            raise InputError(f"there are {len(label_names)} label names for {model.n_labels_} labels: give one each")
        tagger = cls(model, vectorizer=vectorizer)
        tagger._set_fitted(
            model_=model,
            vectorizer_=vectorizer,
            label_names_=label_names,
            label_counts_=None,
            n_documents_=0,
            columns_=Columns(int(model.n_features_in_)),
        )
        return tagger

    def tag(
        self,
        texts: Sequence[str],
        k: int = 5,
        *,
        allowed: Iterable[str] | None = None,
        forbidden: Iterable[str] | None = None,
    ) -> list[Tags]:
        """The k best labels of each text.

        Parameters
        ----------
        texts : sequence of str, length n
            Texts (or features, where the tagger was fitted on features). A text without any known feature gets no
            label: there is nothing to go by.
        k : int, default 5
            Labels per text at most; of a smaller label space all.
        allowed, forbidden : names of labels, optional
            The only labels to choose from, or labels to leave out.

        Returns
        -------
        list of list of (name, score)
            Best first. The same for a text alone or among others.

        Raises
        ------
        InputError
            A single string instead of a list, an unknown label name, k out of range.
        """
        check_is_fitted(self)
        k = self._labels_asked(k)
        if self.vectorizer_ is not None:
            texts = _listed(texts)
            if not texts:
                return []
            fast = hasattr(self.vectorizer_, "transform_one") and hasattr(self.model_, "single")
            if fast and len(texts) == 1 and allowed is None and forbidden is None:
                return [self._tag_one(texts[0], k)]
        top = self.predict_topk(texts, k, allowed=allowed, forbidden=forbidden)
        names = self.label_names_
        return [[(names[label], score) for label, score in row] for row in top.rows()]

    def _tag_one(self, text: str, k: int) -> Tags:
        vectorizer: Any = self.vectorizer_
        indices, values = self.columns_.select_one(*vectorizer.transform_one(text))
        if k not in self._singles:
            self._singles[k] = self.model_.single(k)
        if len(indices) == 0:
            return []
        labels, scores = self._singles[k](indices, values)
        names = self.label_names_
        return [(names[i], s) for i, s in zip(labels[0].tolist(), scores[0].tolist(), strict=True) if i >= 0]

    def predict(self, texts: Any) -> Any:
        """The labels of each text that the model is sure of, in the form that ``fit`` was given labels in.

        Parameters
        ----------
        texts : sequence of str, length n
            Texts, or features where the tagger was fitted on features.

        Returns
        -------
        object array of shape (n,), or csr_matrix of shape (n, L)
            Lists of names, or a 0/1 matrix: labels whose score reaches the model's ``decision_threshold``, or 0.5 among
            the 20 best labels for a model without ``predict``.
        """
        check_is_fitted(self)
        X = self.features(texts)
        if X.shape[0] == 0:
            found = as_csr(np.zeros((0, len(self.label_names_)), np.float32))
        elif hasattr(self.model_, "predict"):
            found = as_csr(self.model_.predict(X))
        else:
            top = self.model_.predict_topk(X, min(SURE_LABELS, len(self.label_names_)))
            kept = (top.labels >= 0) & (top.scores >= SURE_SCORE)
            found = top.matrix(kept, np.ones_like(top.scores), len(self.label_names_))
        Y = as_csr(found.multiply((np.diff(X.indptr) > 0)[:, None]))  # nothing known: no label
        return Y if self.label_form_ == "matrix" else name_lists(Y, self.label_names_)

    def predict_topk(
        self,
        texts: Any,
        k: int | None = None,
        *,
        allowed: Iterable[str] | None = None,
        forbidden: Iterable[str] | None = None,
        progress: StageProgress | None = None,
    ) -> TopK:
        """As ``tag``, in label ids: a TopK of shape (n, at most k), for evaluation."""
        check_is_fitted(self)
        X = self.features(texts)
        ask = self.model_.predict_topk
        wishes = {"allowed": allowed, "forbidden": forbidden}
        ids = {name: self.label_ids(names) for name, names in wishes.items() if names is not None}
        options = required(ask, ids) | taken(ask, {} if progress is None else {"progress": progress})
        top = ask(X, k if k is None else self._labels_asked(k), **options)
        nothing_known = np.diff(X.indptr) == 0
        if nothing_known.any():
            top.labels[nothing_known] = -1
            top.scores[nothing_known] = -np.inf
        return TopK(top.labels, top.scores)

    def _labels_asked(self, k: Any) -> int:
        return min(whole_number("k", k, 1, 2**31 - 1), len(self.label_names_))

    def features(self, texts: Any) -> CSR:
        """X of texts, shape (n, d), as the model takes it; of features where the tagger was fitted on features."""
        check_is_fitted(self)
        if self.vectorizer_ is None:
            return self.columns_.select(as_csr(texts))
        return self.columns_.select(as_csr(self.vectorizer_.transform(_listed(texts))))

    def label_ids(self, names: Iterable[str]) -> list[int]:
        """Ids of labels, given by their names or by their identifiers in the training file.

        Raises
        ------
        InputError
            An unknown name; the sentence suggests the nearest.
        """
        if isinstance(names, str | bytes) or not isinstance(names, Iterable):
            raise InputError(f"label names are given as {quoted(names)}: give them as a list")
        if self._ids is None:
            keys = {key: number for number, key in enumerate(self.label_keys_ or ())}
            self._ids = keys | {name: number for number, name in enumerate(self.label_names_)}
        return [self._label_id(name, self._ids) for name in names]

    @staticmethod
    def _label_id(name: str, ids: dict[str, int]) -> int:
        if not isinstance(name, str) or name not in ids:
            near = nearest_name(str(name), ids)
            hint = f"did you mean {quoted(near)}?" if near else f"its labels are like {quoted(next(iter(ids)))}"
            raise InputError(f"the model has no label {quoted(name)}: {hint}")
        return ids[name]

    def score(self, texts: Any, labels: Any) -> float:
        """Share of texts whose first label is right, P@1; labels in either form that ``fit`` takes."""
        tags, truths = self.tag(texts, 1), label_sets(labels, self.label_names_)
        if len(tags) != len(truths):
            raise InputError(f"there are {len(tags)} texts, but {len(truths)} label lists: give one list per text")
        hits = [bool(row) and row[0][0] in truth for row, truth in zip(tags, truths, strict=True)]
        return float(np.mean(hits))

    def evaluate(
        self, dataset: Dataset, config: EvaluationConfig | None = None, *, training: Dataset | None = None
    ) -> Report:
        """How good the tags of a Dataset are, with the long tail in view (see ``assessment.evaluate_tagger``)."""
        from ramify.tagger.assessment import evaluate_tagger

        return evaluate_tagger(self, dataset, config, training=training)

    def save(self, directory: str | Path) -> None:
        """Write a model directory; an older model there is replaced in one step (see ``store.save_model``)."""
        save(self, directory)

    @classmethod
    def load(
        cls, directory: str | Path, *, verify: bool = True, mapped: bool = True, parts: Sequence[type] = ()
    ) -> Tagger:
        """Open a model directory (see ``models.load``)."""
        return load_as(cls, directory, verify=verify, mapped=mapped, parts=parts)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        return tagger_state.to_state(self)

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> Tagger:
        """The tagger of a model directory.

        Raises
        ------
        ModelFileError
            Parts that are missing or do not fit each other.
        """
        return tagger_state.from_state(cls, config, arrays, parts)


def _listed(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str | bytes):
        raise InputError("texts is a single string: wrap it in a list, as in [text]")
    if not isinstance(texts, Iterable):
        raise InputError(f"texts is {quoted(texts)}, but must be a list of str")
    return list(texts)
