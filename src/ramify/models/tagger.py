"""Texts in, ranked label names out: a vectorizer, a model over its features, and the names of the labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from ramify.errors import InputError
from ramify.features import Tfidf
from ramify.kernels.check import whole_number
from ramify.models.loading import load_as, parts_to_state, save, stored_part
from ramify.models.stored import damage_told
from ramify.models.xr_linear import XRLinear
from ramify.strings import StringTable
from ramify.values import CSR, Dataset, Float32, Int32, Int64, StageProgress, TopK, as_csr

if TYPE_CHECKING:
    from ramify.evaluation import EvaluationConfig, Report

Tags = list[tuple[str, float]]


class Tagger(BaseEstimator):  # type: ignore[misc]
    """Gives texts their labels, by name.

    Parameters
    ----------
    model : estimator, optional
        Anything with ``fit(X, Y)`` and ``predict_topk(X, k)``; ``XRLinear()`` when None.
    vectorizer : Vectorizer, optional
        Texts to features: ``Tfidf()`` when None, ``Hashing``, or any of scikit-learn's. Not used where the tagger is
        fitted on a Dataset that brings its own features.

    Attributes
    ----------
    model_, vectorizer_ : fitted clones
        ``vectorizer_`` is None where the Dataset brought its own features.
    label_names_ : sequence of str, length L
        Names by label id.
    label_counts_ : int64 array, shape (L,), or None
        Training documents per label, and
    n_documents_ : int
        in all: evaluation weighs and groups labels by them. None and 0 for a tagger made of parts.
    """

    def __init__(self, model: Any = None, *, vectorizer: Any = None) -> None:
        self.model = model
        self.vectorizer = vectorizer

    def fit(
        self, texts: Sequence[str], labels: Sequence[Iterable[str]], *, progress: StageProgress | None = None
    ) -> Tagger:
        """Learn from texts and the names of their labels.

        Parameters
        ----------
        texts : sequence of str, length n
            Empty ones are allowed; they teach nothing but how frequent their labels are.
        labels : sequence of iterables of str, length n
            Names per text. Repeated and empty ones are dropped; a text may have none.
        progress : callable, optional
            Told (stage, share done).

        Raises
        ------
        InputError
            Lengths that differ, a string where a list belongs, no labels at all.
        """
        for name, given in (("texts", texts), ("labels", labels)):
            if isinstance(given, str | bytes):
                raise InputError(f"{name} is a single string: wrap it in a list")
        texts = list(texts)
        names, Y = label_matrix(labels)
        if len(texts) != Y.shape[0]:
            raise InputError(f"there are {len(texts)} texts, but {Y.shape[0]} label lists: give one list per text")
        return self.fit_dataset(Dataset(Y=Y, label_names=names, texts=texts), progress=progress)

    def fit_dataset(self, dataset: Dataset, *, progress: StageProgress | None = None) -> Tagger:
        """Learn from a Dataset: of its texts, or of its features where it has no texts."""
        if dataset.Y.nnz == 0:
            raise InputError("no instance has a label, so there is nothing to learn: check the labels field")
        tell = progress or (lambda stage, done: None)
        if dataset.texts is None:
            self.vectorizer_ = None
            X = dataset.X
        else:
            tell("features", 0.0)
            self.vectorizer_ = clone(Tfidf() if self.vectorizer is None else self.vectorizer)
            X = as_csr(self.vectorizer_.fit_transform(dataset.texts))
            tell("features", 1.0)
        self.model_ = clone(XRLinear() if self.model is None else self.model)
        self.model_.fit(X, dataset.Y, progress=progress)
        self.label_names_: Sequence[str] = StringTable.of(dataset.label_names)
        self.label_counts_: Int64 | None = np.bincount(dataset.Y.indices, minlength=dataset.n_labels).astype(np.int64)
        self.n_documents_ = len(dataset)
        self._prepare()
        return self

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
            What its labels are called.
        vectorizer : Vectorizer, optional
            Fitted; None where the model is to be asked with features.

        Raises
        ------
        InputError
            Another number of names than labels.
        """
        if len(label_names) != model.n_labels_:
            raise InputError(f"there are {len(label_names)} label names for {model.n_labels_} labels: give one each")
        tagger = cls(model, vectorizer=vectorizer)
        tagger.model_, tagger.vectorizer_, tagger.label_names_ = model, vectorizer, label_names
        tagger.label_counts_, tagger.n_documents_ = None, 0
        tagger._prepare()
        return tagger

    def _prepare(self) -> None:
        self._singles: dict[int, Callable[[Int32, Float32], tuple[Int32, Float32]]] = {}
        self._ids: dict[str, int] | None = None

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
        if isinstance(texts, str | bytes):
            raise InputError("texts is a single string: wrap it in a list, as in tag([text])")
        check_is_fitted(self)
        k = min(whole_number("k", k, 1, 2**31 - 1), len(self.label_names_))
        if self.vectorizer_ is not None:
            texts = list(texts)
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
        indices, values = vectorizer.transform_one(text)
        if k not in self._singles:
            self._singles[k] = self.model_.single(k)
        if len(indices) == 0:
            return []
        labels, scores = self._singles[k](indices, values)
        names = self.label_names_
        return [(names[i], s) for i, s in zip(labels[0].tolist(), scores[0].tolist(), strict=True) if i >= 0]

    def predict_topk(
        self,
        texts: Any,
        k: int | None = None,
        *,
        allowed: Iterable[str] | None = None,
        forbidden: Iterable[str] | None = None,
        progress: StageProgress | None = None,
    ) -> TopK:
        """As ``tag``, in label ids: a TopK of shape (n, k), for evaluation."""
        check_is_fitted(self)
        X = self.features(texts)
        top = self.model_.predict_topk(
            X,
            k,
            allowed=None if allowed is None else self.label_ids(allowed),
            forbidden=None if forbidden is None else self.label_ids(forbidden),
            progress=progress,
        )
        nothing_known = np.diff(X.indptr) == 0
        if nothing_known.any():
            top.labels[nothing_known] = -1
            top.scores[nothing_known] = -np.inf
        return TopK(top.labels, top.scores)

    def features(self, texts: Any) -> CSR:
        """X of texts, shape (n, d); features pass through where the tagger was fitted on features."""
        check_is_fitted(self)
        if self.vectorizer_ is not None:
            return as_csr(self.vectorizer_.transform(texts))
        width = int(self.model_.n_features_in_)
        X = as_csr(texts)
        if X.shape[1] > width:
            raise InputError(
                f"X has {X.shape[1]} features, but the model knows {width}: use the features it learned on"
            )
        return sp.csr_matrix((X.data, X.indices, X.indptr), shape=(X.shape[0], width))

    def label_ids(self, names: Iterable[str]) -> list[int]:
        """Ids of label names.

        Raises
        ------
        InputError
            An unknown name; the sentence suggests the nearest.
        """
        if isinstance(names, str | bytes) or not isinstance(names, Iterable):
            raise InputError(f"label names are given as {names!r}: give them as a list")
        if self._ids is None:
            self._ids = {name: number for number, name in enumerate(self.label_names_)}
        return [self._label_id(name, self._ids) for name in names]

    @staticmethod
    def _label_id(name: str, ids: dict[str, int]) -> int:
        if not isinstance(name, str) or name not in ids:
            near = get_close_matches(str(name), ids, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"its labels are like {next(iter(ids))!r}"
            raise InputError(f"the model has no label {name!r}: {hint}")
        return ids[name]

    def score(self, texts: Sequence[str], labels: Sequence[Iterable[str]]) -> float:
        """Share of texts whose first label is right, P@1."""
        tags = self.tag(texts, 1)
        if len(tags) != len(labels):
            raise InputError(f"there are {len(tags)} texts, but {len(labels)} label lists: give one list per text")
        hits = [bool(row) and row[0][0] in set(truth) for row, truth in zip(tags, labels, strict=True)]
        return float(np.mean(hits))

    def evaluate(
        self, dataset: Dataset, config: EvaluationConfig | None = None, *, training: Dataset | None = None
    ) -> Report:
        """How good the tags of a Dataset are, with the long tail in view (see ``assessment.evaluate_tagger``)."""
        from ramify.models.assessment import evaluate_tagger

        return evaluate_tagger(self, dataset, config, training=training)

    def save(self, directory: str | Path) -> None:
        """Write a model directory; an older model there is replaced in one step (see ``store.save_model``)."""
        save(self, directory)

    @classmethod
    def load(cls, directory: str | Path, *, verify: bool = True, parts: Sequence[type] = ()) -> Tagger:
        """Open a model directory (see ``models.load``)."""
        return load_as(cls, directory, verify=verify, parts=parts)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        names = self.label_names_ if isinstance(self.label_names_, StringTable) else StringTable.of(self.label_names_)
        parts = {"model": self.model_} | ({} if self.vectorizer_ is None else {"vectorizer": self.vectorizer_})
        states, arrays = parts_to_state(parts)
        config: dict[str, Any] = {"vectorizer": None, "n_documents": self.n_documents_, **states}
        arrays |= {"labels/blob": names.blob, "labels/offsets": names.offsets}
        if self.label_counts_ is not None:
            arrays["labels/counts"] = self.label_counts_
        return config, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> Tagger:
        """The tagger of a model directory.

        Raises
        ------
        ModelFileError
            Parts that are missing or do not fit each other.
        """
        with damage_told("the tagger is"):
            model = stored_part("model", config["model"], arrays, parts)
            vectorizer = config["vectorizer"]
            if vectorizer is not None:
                vectorizer = stored_part("vectorizer", vectorizer, arrays, parts)
            names = StringTable(arrays["labels/blob"], arrays["labels/offsets"])
            _check_parts(model, vectorizer)
            tagger = cls.of(model, names, vectorizer=vectorizer)
            tagger._restore_counts(arrays.get("labels/counts"), config.get("n_documents", 0))
        return tagger

    def _restore_counts(self, counts: Int64 | None, n_documents: int) -> None:
        if counts is None and n_documents == 0:
            return
        if counts is None:
            raise InputError(f"labels/counts is missing, though there were {n_documents} documents")
        if counts.shape != (len(self.label_names_),) or counts.dtype != np.int64 or counts.min() < 0:
            raise InputError(f"labels/counts must hold {len(self.label_names_)} whole numbers of at least 0")
        if not isinstance(n_documents, int) or counts.max() > n_documents:
            raise InputError(f"n_documents is {n_documents!r}, but a label has {counts.max()} documents")
        self.label_counts_, self.n_documents_ = counts, n_documents


def _check_parts(model: Any, vectorizer: Any) -> None:
    """Raise where a saved model's parts are of the wrong kind or do not fit each other."""
    if not hasattr(model, "predict_topk") or (vectorizer is not None and not hasattr(vectorizer, "transform")):
        raise TypeError(f"a {type(model).__name__} and a {type(vectorizer).__name__} make no tagger")
    width = len(vectorizer.idf_) if hasattr(vectorizer, "idf_") else model.n_features_in_
    if width != model.n_features_in_:
        raise ValueError(f"the vectorizer makes {width} features for a model of {model.n_features_in_}")


def label_matrix(labels: Sequence[Iterable[str]]) -> tuple[list[str], CSR]:
    """Sorted label names and Y, shape (n, L); repeated and empty names are dropped.

    Raises
    ------
    InputError
        A string where a list belongs, a name that is no string, or no label at all.
    """
    labels = list(labels)
    ids: dict[str, int] = {}
    rows, columns = [], []
    for number, names in enumerate(labels):
        if isinstance(names, str | bytes) or not isinstance(names, Iterable):
            raise InputError(f"labels of text {number} are {names!r}, but must be a list of names: wrap it in a list")
        for name in names:
            if not isinstance(name, str):
                raise InputError(f"text {number} has the label {name!r}, but names are strings: use str(...)")
            if name:
                rows.append(number)
                columns.append(ids.setdefault(name, len(ids)))
    if not ids:
        raise InputError("no text has a label, so there is nothing to learn: give each text the list of its labels")
    ordered = sorted(ids)
    place = np.empty(len(ids), np.int32)
    place[[ids[name] for name in ordered]] = np.arange(len(ids), dtype=np.int32)
    shape = (len(labels), len(ids))
    Y = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, place[columns])), shape=shape)
    Y.data[:] = 1  # repeated names were summed
    return ordered, Y
