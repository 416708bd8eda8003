"""The tagger: a vectorizer, a model on its features, and label names; it ranks label names for texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ramify.checks import COUNT, whole_number
from ramify.errors import InputError
from ramify.exchange import Request, Single, Sizes, Training
from ramify.features import Tfidf
from ramify.features.columns import Columns
from ramify.models.base.adapter import as_model, is_model
from ramify.models.base.persistence import load_as, save
from ramify.models.trees.xr_linear import XRLinear
from ramify.protocols import Model
from ramify.strings import StringTable
from ramify.tagger import state as tagger_state
from ramify.tagger.given_labels import given_labels, ids_of, is_matrix, label_sets, name_lists, of_used_labels
from ramify.tagger.parts import features_of, is_vectorizer, unfitted_part
from ramify.values import CSR, Bool, Dataset, Int64, StageProgress, TopK, as_csr
from ramify.wording import quoted

if TYPE_CHECKING:
    from ramify.evaluation import EvaluationConfig, Report

Tags = list[tuple[str, float]]

DEFAULT_PARTS = {"model": XRLinear, "vectorizer": Tfidf}
"""Default parts, used if the argument is None."""

MOST_KEPT = 32
"""Calls for single texts that a tagger keeps, one for each k."""


class Tagger(BaseEstimator):  # type: ignore[misc]
    """Assigns label names to texts.

    Parameters
    ----------
    model : estimator, optional
        Any object with ``fit(X, Y)`` and ``predict_topk(X, k)``, or with ``fit_training(training)`` and
        ``answer(request)`` (see ``protocols.Model``); ``XRLinear()`` when None.
    vectorizer : Vectorizer, optional
        Converts texts to features: ``Tfidf()`` when None, ``Hashing``, or a vectorizer of scikit-learn. Not used if the
        tagger is fitted on features.

    Attributes
    ----------
    model_, vectorizer_ : estimators
        Fitted copies. ``vectorizer_`` is None if the tagger was fitted on features, or the model uses texts only.
    takes_texts_ : bool
        True if the tagger was fitted on texts, False if on features.
    label_names_ : sequence of str, length L
        Names by label id.
    label_keys_ : sequence of str, length L, or None
        Identifiers of the labels in the training file, if names replaced them.
    label_counts_ : int64 array, shape (L,), or None
        Number of training documents per label; None for a tagger made by ``of``.
    n_documents_ : int
        Number of training documents; 0 for a tagger made by ``of``.
    columns_ : Columns or None
        Columns of the features that the model was trained on; None for a model without features.
    fields_ : dict of str to str
        Field names of the training file, set by the command line; empty otherwise.
    label_form_ : {"names", "matrix"}
        Form of the labels in ``fit``; ``predict`` returns the same form.
    """

    model_: Any
    vectorizer_: Any
    label_names_: Sequence[str]
    label_keys_: Sequence[str] | None
    label_counts_: Int64 | None
    n_documents_: int
    columns_: Columns | None
    takes_texts_: bool
    fields_: dict[str, str]
    label_form_: str
    _kept: dict[str, Any]  # made when needed, for the present results of fit: calls for single texts by k, label ids

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
        super().set_params(**own)  # first, so that the other parameters apply to the new parts
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
        """Train on texts and their labels.

        Parameters
        ----------
        texts : sequence of str, length n, or matrix of shape (n, d)
            Texts. Empty texts are allowed; they only contribute to the frequencies of their labels. A sparse matrix or
            2-d array of numbers is used as features.
        labels : sequence of iterables of str, length n, or 0/1 matrix of shape (n, L)
            Label names of each text, or a matrix as returned by ``MultiLabelBinarizer``. Whole numbers are converted to
            strings, white space around names is stripped, repeated and empty names are dropped. A text may have no
            labels.
        label_names : sequence of str, length L, optional
            Names of the columns if the labels are a matrix; "0", "1", ... when None.
        progress : callable, optional
            Called with (stage, share done).

        Raises
        ------
        InputError
            Different numbers of texts and labels, a string instead of a list, or no labels. The tagger is not changed.
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
        """Train on the texts of a Dataset, or on its features if it has no texts.

        If the label space has over a million labels, most of them unused, only the used labels are kept.
        """
        return self._fit(of_used_labels(dataset), progress, "names")

    def _fit(self, dataset: Dataset, progress: StageProgress | None, label_form: str) -> Tagger:
        if dataset.Y.nnz == 0:
            raise InputError("no instance has a label, so there is nothing to learn: check the labels field")
        model = unfitted_part("model", self.model, is_model, XRLinear)
        vectorizer = unfitted_part("vectorizer", self.vectorizer, is_vectorizer, Tfidf)
        adapted = as_model(model)
        texts = dataset.texts if "texts" in adapted.needs else None
        if "texts" in adapted.needs and dataset.texts is None:
            raise InputError(f"{type(model).__name__} needs texts, but the data contain features only: give texts")
        if dataset.texts is not None and "X" not in adapted.needs:
            vectorizer, X, columns = None, None, None
        else:
            vectorizer, X = features_of(dataset, vectorizer, progress)
            columns = Columns.of(X)
            X = columns.select(X)
        adapted.fit_training(
            Training(X=X, Y=dataset.Y, texts=texts, label_names=dataset.label_names, progress=progress)
        )
        self._set_fitted(
            model_=model,
            vectorizer_=vectorizer,
            takes_texts_=dataset.texts is not None,
            label_names_=StringTable.of(dataset.label_names),
            label_keys_=None if dataset.label_keys is None else StringTable.of(dataset.label_keys),
            label_counts_=np.bincount(dataset.Y.indices, minlength=dataset.n_labels).astype(np.int64),
            n_documents_=len(dataset),
            columns_=columns,
            label_form_=label_form,
        )
        return self

    def _set_fitted(self, **fitted: Any) -> None:
        """Set all fitted attributes at once, so that a failed fit does not change the tagger."""
        fresh: dict[str, Any] = {"label_keys_": None, "fields_": {}, "label_form_": "names"}
        self.__dict__.update(fresh | fitted | {"_kept": {}})

    def _snapshot(self) -> Tagger:
        """The tagger with its present results, which a ``fit`` in another thread leaves as they are."""
        tagger = object.__new__(type(self))
        tagger.__dict__.update(self.__dict__)
        return tagger

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        return state | {"_kept": {}} if "_kept" in state else state

    @classmethod
    def of(cls, model: Any, label_names: Sequence[str], *, vectorizer: Any = None) -> Tagger:
        """A tagger made of fitted parts.

        Parameters
        ----------
        model : estimator
            A fitted model.
        label_names : sequence of str, length L
            Names of its labels.
        vectorizer : Vectorizer, optional
            A fitted vectorizer; None if the model takes features.

        Raises
        ------
        InputError
            The number of names differs from the number of labels.
        """
        size = as_model(model).size()
        if size.labels and len(label_names) != size.labels:
            raise InputError(
                f"there are {len(label_names)} label names for {size.labels} labels: give one name per label"
            )
        tagger = cls(model, vectorizer=vectorizer)
        tagger._set_fitted(
            model_=model,
            vectorizer_=vectorizer,
            takes_texts_=vectorizer is not None or "X" not in as_model(model).needs,
            label_names_=label_names,
            label_counts_=None,
            n_documents_=0,
            columns_=None if size.features is None else Columns(size.features),
        )
        return tagger

    def tag(
        self,
        texts: Sequence[str],
        k: int = 5,
        *,
        allowed: Iterable[str] | None = None,
        forbidden: Iterable[str] | None = None,
        beam: int | None = None,
        threads: int | None = None,
    ) -> list[Tags]:
        """The k best labels of each text.

        Parameters
        ----------
        texts : sequence of str, length n
            Texts, or features if the tagger was fitted on features. A text without known features gets no label.
        k : int, default 5
            Maximum number of labels per text.
        allowed, forbidden : names of labels, optional
            The only labels that may be predicted, and labels that must not be predicted.
        beam : int, optional
            Nodes kept per level of the tree; the model's setting when None.
        threads : int, optional
            Number of threads of the model; its setting when None. The vectorizer uses its own setting.

        Returns
        -------
        list of list of (name, score)
            Labels with scores, best first; the result for a text does not depend on the other texts.

        Raises
        ------
        InputError
            A single string instead of a list, an unknown label name, k out of range.
        """
        check_is_fitted(self)
        now = self._snapshot()
        k = now._checked_k(k)
        if now.takes_texts_:
            texts = _listed(texts)
            if not texts:
                return []
            plain = allowed is None and forbidden is None and beam is None
            call = now._single_call(k) if plain and len(texts) == 1 else None
            if call is not None:
                return [now._tag_one(texts[0], call)]
        top = now.predict_topk(texts, k, allowed=allowed, forbidden=forbidden, beam=beam, threads=threads)
        names = now.label_names_
        return [[(names[label], score) for label, score in row] for row in top.rows()]

    def _single_call(self, k: int) -> Single | None:
        """The model's call for single instances, kept; None where vectorizer or model have no way for single texts."""
        kept: tuple[Any, Single | None] = self._kept.get(f"single {k}", (None, None))
        model, call = kept
        if model is not self.model_:
            adapted = self._adapted_model()
            fits = adapted.needs == {"X"} and hasattr(self.vectorizer_, "transform_one")
            call = adapted.single(k) if fits else None
            if len(self._kept) > MOST_KEPT:
                self._kept.clear()
            self._kept[f"single {k}"] = (self.model_, call)
        return call

    def _tag_one(self, text: str, call: Single) -> Tags:
        indices, values = self.vectorizer_.transform_one(text)
        if self.columns_ is not None:
            indices, values = self.columns_.select_one(indices, values)
        if len(indices) == 0:
            return []
        labels, scores = call(indices, values)
        names = self.label_names_
        return [(names[i], s) for i, s in zip(labels[0].tolist(), scores[0].tolist(), strict=True) if i >= 0]

    def _adapted_model(self) -> Model:
        """The model as ``protocols.Model``."""
        width = None if self.columns_ is None else self.columns_.n_kept
        return as_model(self.model_, Sizes(features=width, labels=len(self.label_names_)))

    def predict(self, texts: Any) -> Any:
        """The predicted labels of each text, in the form of the labels in ``fit``.

        Parameters
        ----------
        texts : sequence of str, length n
            Texts, or features if the tagger was fitted on features.

        Returns
        -------
        object array of shape (n,), or csr_matrix of shape (n, L)
            Lists of names, or a 0/1 matrix: labels with scores of at least the model's ``decision_threshold``. For a
            model without ``predict``: at least 0.5, among the 20 best labels.
        """
        check_is_fitted(self)
        now = self._snapshot()
        request, empty = now._request(texts)
        if len(request) == 0:
            found = as_csr(np.zeros((0, len(now.label_names_)), np.float32))
        else:
            found = as_csr(now._adapted_model().decide(request))
        Y = as_csr(found.multiply(~empty[:, None]))
        return Y if now.label_form_ == "matrix" else name_lists(Y, now.label_names_)

    def _request(self, texts: Any) -> tuple[Request, Bool]:
        """The request to the model, and a mask of the instances without known features or text, shape (n,)."""
        needs = self._adapted_model().needs
        texts = _listed(texts) if self.takes_texts_ else texts
        X = None if self.takes_texts_ and "X" not in needs else self.features(texts)
        kept = texts if self.takes_texts_ and "texts" in needs else None
        empty = np.array([not text.strip() for text in texts], bool) if X is None else np.diff(X.indptr) == 0
        return Request(X=X, texts=kept), empty

    def predict_topk(
        self,
        texts: Any,
        k: int | None = None,
        *,
        allowed: Iterable[str] | None = None,
        forbidden: Iterable[str] | None = None,
        beam: int | None = None,
        threads: int | None = None,
        progress: StageProgress | None = None,
    ) -> TopK:
        """Like ``tag``, but with label ids: a TopK of shape (n, min(k, L)), for evaluation.

        Parameters
        ----------
        texts, k, allowed, forbidden
            As in ``tag``; the model's default of k when None.
        beam : int, optional
            Nodes kept per level of the tree; the model's setting when None.
        threads : int, optional
            Number of threads; the model's setting when None.
        progress : callable, optional
            Called with ("predict", share done).
        """
        check_is_fitted(self)
        now = self._snapshot()
        request, empty = now._request(texts)
        asked = replace(
            request,
            k=k if k is None else now._checked_k(k),
            beam=beam,
            allowed=None if allowed is None else now.label_ids(allowed),
            forbidden=None if forbidden is None else now.label_ids(forbidden),
            threads=threads,
            progress=progress,
        )
        top = now._adapted_model().answer(asked)
        if not empty.any():
            return top
        labels = np.where(empty[:, None], np.int32(-1), top.labels)  # the arrays of a model may be its own
        return TopK(labels, np.where(empty[:, None], np.float32(-np.inf), top.scores))

    def check_beam(self, beam: Any) -> None:
        """Raise InputError if the model has no beam search, or the beam is out of range."""
        if "beam" not in self._adapted_model().abilities:
            raise InputError(f"beam is {quoted(beam)}, but the model has no beam search: leave it out")
        COUNT.check("beam", beam)

    def _checked_k(self, k: Any) -> int:
        return min(whole_number("k", k, 1, 2**31 - 1), len(self.label_names_))

    def features(self, texts: Any) -> CSR:
        """Features of texts as the model uses them, shape (n, d); takes features if the tagger was fitted on them."""
        check_is_fitted(self)
        X = as_csr(self.vectorizer_.transform(_listed(texts)) if self.takes_texts_ else texts)
        return X if self.columns_ is None else self.columns_.select(X)

    def label_ids(self, names: Iterable[str]) -> list[int]:
        """Ids of labels by their names or their identifiers in the training file.

        Raises
        ------
        InputError
            An unknown name; the message suggests the nearest one.
        """
        ids = self._kept.get("ids")
        if ids is None:
            keys = {key: number for number, key in enumerate(self.label_keys_ or ())}
            ids = self._kept["ids"] = keys | {name: number for number, name in enumerate(self.label_names_)}
        return ids_of(names, ids)

    def score(self, texts: Any, labels: Any) -> float:
        """Share of texts whose best label is correct (P@1); the labels have a form that ``fit`` accepts."""
        tags, truths = self.tag(texts, 1), label_sets(labels, self.label_names_)
        if len(tags) != len(truths):
            raise InputError(f"there are {len(tags)} texts, but {len(truths)} label lists: give one list per text")
        hits = [bool(row) and row[0][0] in truth for row, truth in zip(tags, truths, strict=True)]
        return float(np.mean(hits))

    def evaluate(
        self, dataset: Dataset, config: EvaluationConfig | None = None, *, training: Dataset | None = None
    ) -> Report:
        """Measure the predictions for a Dataset, also by label frequency (see ``assessment.evaluate_tagger``)."""
        from ramify.tagger.assessment import evaluate_tagger

        return evaluate_tagger(self, dataset, config, training=training)

    def save(self, directory: str | Path) -> None:
        """Write a model directory; an existing model is replaced atomically (see ``store.save_model``)."""
        save(self, directory)

    @classmethod
    def load(
        cls, directory: str | Path, *, verify: bool = True, mapped: bool = True, parts: Sequence[type] = ()
    ) -> Tagger:
        """Load a model directory (see ``models.load``)."""
        return load_as(cls, directory, verify=verify, mapped=mapped, parts=parts)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        return tagger_state.to_state(self)

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> Tagger:
        """Restore the tagger from a model directory.

        Raises
        ------
        ModelFileError
            Missing, invalid or inconsistent parts.
        """
        return tagger_state.from_state(cls, config, arrays, parts)


def _listed(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str | bytes):
        raise InputError("texts is a single string: wrap it in a list, as in [text]")
    if not isinstance(texts, Iterable):
        raise InputError(f"texts is {quoted(texts)}, but must be a list of str")
    return list(texts)
