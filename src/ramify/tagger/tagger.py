"""The tagger: a vectorizer, a model on its features, and label names; it ranks label names for texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ramify.data.concepts import with_vocabulary
from ramify.errors import InputError
from ramify.exchange import Training
from ramify.features import Tfidf
from ramify.features.columns import Columns
from ramify.models.base.adapter import as_model, is_model
from ramify.models.base.persistence import load_as, save
from ramify.models.presets import named as named_preset
from ramify.models.trees.xr_linear import XRLinear
from ramify.protocols import Compute
from ramify.spill import Spill
from ramify.strings import StringTable
from ramify.tagger import state as tagger_state
from ramify.tagger.fitted import FittedTagger
from ramify.tagger.given_labels import given_labels, is_matrix, label_sets, of_used_labels
from ramify.tagger.instances import as_dataset, as_instances
from ramify.tagger.on_hub import OnHub
from ramify.tagger.parts import check_texts, features_of, is_vectorizer, unfitted_part
from ramify.values import Dataset, StageProgress, Vocabulary, as_label_matrix

if TYPE_CHECKING:
    from ramify.evaluation import EvaluationConfig, Report

DEFAULT_PARTS = {"model": XRLinear, "vectorizer": Tfidf}
"""Default parts, used if the argument is None."""


class Tagger(OnHub, FittedTagger):
    """Assigns label names to texts.

    Parameters
    ----------
    model : estimator, optional
        Any object with ``fit(X, Y)`` and ``predict_topk(X, k)``, or with ``fit_training(training)`` and
        ``answer(request)`` (see ``protocols.Model``); ``XRLinear()`` when None.
    vectorizer : Vectorizer, optional
        Converts texts to features: ``Tfidf()`` when None, ``Hashing``, ``StaticEncoder``, ``Encoder``, a sum of these
        such as ``Tfidf() + StaticEncoder()``, or a vectorizer of scikit-learn. Not used if the tagger is fitted on
        features.

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
    decisions_ : Decisions or None
        Calibration and rules; None before ``calibrate`` or ``cross_calibrate``.
    vocabulary_ : Vocabulary or None
        The concepts that the labels are, if the training data have a vocabulary: concept i is label i.
    """

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
        vocabulary: Vocabulary | None = None,
        language: str | None = None,
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
        vocabulary : Vocabulary, optional
            Its concepts become the labels, named in ``language`` (see ``data.with_vocabulary``).
        language : str, optional
            Language code; the only language of the vocabulary when None.
        progress : callable, optional
            Called with (stage, share done).

        Raises
        ------
        InputError
            Different numbers of texts and labels, a string instead of a list, no labels, a vocabulary for a matrix, or
            as in ``data.with_vocabulary``. The tagger is not changed.
        """
        instances = as_instances(texts)
        names, Y = given_labels(labels, label_names)
        dataset = as_dataset(instances, names, Y)
        if vocabulary is not None:
            if is_matrix(labels):
                raise InputError("a vocabulary is given, but the labels are a matrix: give lists of URIs or names")
            dataset = with_vocabulary(dataset, vocabulary, language)
        return self._fit(dataset, progress, "matrix" if is_matrix(labels) else "names")

    def fit_dataset(
        self,
        dataset: Dataset,
        *,
        progress: StageProgress | None = None,
        compute: Compute | None = None,
        spill: Spill | None = None,
    ) -> Tagger:
        """Train on the texts of a Dataset, or on its features if it has no texts.

        If the label space has over a million labels, most of them unused, only the used labels are kept. ``compute`` is
        where the classifiers of label trees are trained, such as ``scale.Cluster``; in this process when None.
        ``spill`` has the files for arrays that are larger than memory (``scale.MemoryLimit.spill``).
        """
        return self._fit(of_used_labels(dataset), progress, "names", compute, spill)

    def _fit(
        self,
        dataset: Dataset,
        progress: StageProgress | None,
        label_form: str,
        compute: Compute | None = None,
        spill: Spill | None = None,
    ) -> Tagger:
        if dataset.Y.nnz == 0:
            raise InputError("no instance has a label, so there is nothing to learn: check the labels field")
        model = unfitted_part("model", self.model, is_model, XRLinear)
        vectorizer = unfitted_part("vectorizer", self.vectorizer, is_vectorizer, Tfidf)
        adapted = as_model(model)
        texts = dataset.texts if "texts" in adapted.needs else None
        check_texts(model, dataset)
        if dataset.texts is not None and "X" not in adapted.needs:
            vectorizer, X, columns = None, None, None
        else:
            vectorizer, X = features_of(dataset, vectorizer, adapted, progress, spill)
            columns = Columns.of(X)
            X = columns.select(X)
        adapted.fit_training(
            Training(
                X=X,
                Y=dataset.Y,
                texts=texts,
                label_names=dataset.label_names,
                vocabulary=dataset.vocabulary,
                progress=progress,
                compute=compute,
                spill=spill,
            )
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
            vocabulary_=dataset.vocabulary,
        )
        return self

    def calibrate(self, texts: Any, labels: Any, *, kind: str = "isotonic", k: int | None = None) -> Tagger:
        """Fit probabilities and rules for label sets on documents that the tagger was not trained on.

        Parameters
        ----------
        texts, labels
            As in ``fit``. Labels that were not in training count as true and are never predicted.
        kind : {"isotonic", "platt", "beta"}, default "isotonic"
            See ``tagger.decide.Calibration``.
        k : int, optional
            Predicted labels per document, among which ``decide`` chooses. None: five times the mean number of labels
            of a training document, but at least 20 and at most 100.

        Raises
        ------
        InputError
            Fewer than 50 correct or 50 wrong predictions, or as in ``fit``. The tagger is not changed.
        """
        check_is_fitted(self)
        matrix = as_label_matrix(labels, n_labels=len(self.label_names_), name="labels") if is_matrix(labels) else None
        names, Y = given_labels(labels) if matrix is None else (self.label_names_, matrix)
        return self.calibrate_dataset(as_dataset(as_instances(texts), names, Y), kind=kind, k=k)

    def calibrate_dataset(
        self, held_out: Dataset, *, kind: str = "isotonic", k: int | None = None, threads: int | None = None
    ) -> Tagger:
        """As :meth:`calibrate`, on a Dataset."""
        from ramify.tagger.decide.held_out import decisions_of

        check_is_fitted(self)
        now = self._snapshot()
        return self._with_decisions(now, decisions_of(now, held_out, kind, k, threads))

    def cross_calibrate(self, texts: Any, labels: Any, *, kind: str = "isotonic", k: int | None = None) -> Tagger:
        """Like :meth:`calibrate`, on the training documents, by cross-fitting (``cross_calibrate_dataset``).

        Parameters
        ----------
        texts, labels
            Those that the tagger was trained on.
        kind, k
            As in ``calibrate``.

        Raises
        ------
        InputError
            As in ``cross_calibrate_dataset``. The tagger is not changed.
        """
        check_is_fitted(self)
        found, Y = given_labels(labels, self.label_names_ if is_matrix(labels) else None)
        return self.cross_calibrate_dataset(as_dataset(as_instances(texts), found, Y), kind=kind, k=k)

    def cross_calibrate_dataset(
        self,
        training: Dataset,
        *,
        kind: str = "isotonic",
        k: int | None = None,
        seed: int = 0,
        threads: int | None = None,
        progress: StageProgress | None = None,
        compute: Compute | None = None,
    ) -> Tagger:
        """As :meth:`cross_calibrate`, on a Dataset.

        One to five models are trained on at least four fifths of the documents and predict the others
        (``tagger.decide.cross_fit``); the tagger's model stays as it is.

        Parameters
        ----------
        training : Dataset
            The documents that the tagger was trained on.
        kind, k
            As in ``calibrate``.
        seed : int, default 0
            Of the folds.
        threads : int, optional
            The model's setting when None.
        progress : callable, optional
            Called with ("calibrate", share done).
        compute : Compute, optional
            As in ``fit_dataset``.

        Raises
        ------
        InputError
            Fewer than 100 documents, other documents than those of training, or as in ``calibrate``. The tagger is not
            changed.
        """
        from ramify.tagger.decide.cross_fit import cross_fitted_decisions

        check_is_fitted(self)
        now = self._snapshot()
        settings: dict[str, Any] = {"kind": kind, "k": k, "seed": seed, "threads": threads}
        decisions = cross_fitted_decisions(now, training, **settings, progress=progress, compute=compute)
        return self._with_decisions(now, decisions)

    def _with_decisions(self, now: Tagger, decisions: Any) -> Tagger:
        if self.model_ is now.model_:  # else a fit in another thread has replaced the model
            self.decisions_ = decisions
        return self

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

    @classmethod
    def of_preset(cls, name: str, *, seed: int = 0, threads: int | None = None) -> Tagger:
        """An unfitted tagger with the model and the vectorizer of a preset.

        Parameters
        ----------
        name : {"fast", "default", "semantic", "best", "tail", "library"}
            See ``preset``; "semantic": ``XRLinear`` on tf-idf and static vectors.
        seed, threads
            As in ``preset``.

        Raises
        ------
        InputError
            An unknown name.
        """
        chosen = named_preset(name)
        return cls(chosen.build(seed=seed, threads=threads), vectorizer=chosen.vectorize(threads=threads))

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
