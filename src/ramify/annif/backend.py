"""The back end ``ramify`` of Annif.

train     documents -> stored texts and URIs -> ``Tagger`` -> model directory in the project's data directory
suggest   texts -> ``Tagger.predict_topk`` -> scores by subject id
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from annif import util
from annif.backend.hyperopt import AnnifHyperoptBackend
from annif.exception import (
    ConfigurationException,
    NotInitializedException,
    NotSupportedException,
    OperationFailedException,
)
from annif.suggestion import SuggestionBatch
from scipy.sparse import csr_array

from ramify.annif import documents as stored
from ramify.annif.analysis import attach, detached, texts_for
from ramify.annif.parameters import Parameters, is_yes
from ramify.annif.subjects import Names, SubjectIds
from ramify.data.skos import vocabulary_of_graph
from ramify.errors import InputError, ModelFileError, RamifyError
from ramify.models.base.adapter import as_model
from ramify.tagger import Tagger
from ramify.values import Dataset, Float32, Int32

if TYPE_CHECKING:
    from annif.corpus.types import Document, DocumentCorpus

    from ramify.annif.optimizer import Optimizer

MODEL = "ramify-model"
"""Directory of the model; its name is one that Annif's upload to a hub keeps."""

REASONS = "ramify"
"""Key of the reasons in the metadata of a document."""

MOST_REASONS = 10
"""Suggestions of a document that get reasons, the best ones."""


class RamifyBackend(AnnifHyperoptBackend):  # type: ignore[misc]
    """Models of ramify as a back end.

    The settings of the project are those of ``ramify train``: ``model``, ``preset``, ``vectorizer``, ``config``,
    ``seed``, the flags of the model such as ``max_leaf``, and paths such as ``vectorizer.min_df``. Besides these,
    ``calibrate=yes`` makes scores probabilities, and ``reasons=yes`` adds the words that contribute to each suggestion
    to the metadata of the documents, under the key "ramify".
    """

    name = "ramify"
    DEFAULT_PARAMETERS: ClassVar[Mapping[str, Any]] = {"calibrate": "no", "reasons": "no"}

    _tagger: Tagger | None = None
    _ids: SubjectIds | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the model: a process that receives the back end maps the model's files itself."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_tagger", "_ids")}

    def initialize(self, parallel: bool = False) -> None:
        """Open the model, once; its arrays are memory-mapped, so that processes share them.

        Parameters
        ----------
        parallel : bool, default False
            Has no effect.

        Raises
        ------
        NotInitializedException
            No model.
        OperationFailedException
            A damaged model, or one of another vocabulary.
        """
        if self._tagger is not None:
            return
        path = self._model_path
        self.debug(f"loading model from {path}")
        if not path.exists():
            raise NotInitializedException(f"model {path} not found", backend_id=self.backend_id)
        with self._errors(OperationFailedException):
            tagger = attach(Tagger.load(path), self.prepared)
            self._ids, self._tagger = SubjectIds.of(tagger, self.project.subjects), tagger

    def get_hp_optimizer(self, corpus: DocumentCorpus, metric: str) -> Optimizer:
        """See ``annif hyperopt``: the search of ``ramify tune``, measured on a corpus."""
        from ramify.annif.optimizer import optimizer

        return optimizer(self, corpus, metric)

    def parameters(self, given: Mapping[str, Any], threads: int | None = None) -> Parameters:
        """The checked settings of the project.

        Raises
        ------
        ConfigurationException
            An unknown setting, or a value that breaks its rule.
        """
        with self._errors(ConfigurationException):
            return Parameters.of(
                given, language=self.project.language, analyzed=bool(self.project.analyzer_spec), threads=threads
            )

    def unfitted(self, parameters: Parameters) -> Tagger:
        """The unfitted tagger of checked settings.

        Raises
        ------
        ConfigurationException
            Inconsistent settings.
        """
        with self._errors(ConfigurationException):
            return attach(parameters.plan.tagger(), self.prepared)

    def training_documents(self) -> Dataset:
        """The documents of the last training.

        Raises
        ------
        NotInitializedException
            There are none.
        """
        path = self._training_path
        if not path.exists():
            raise NotInitializedException(
                f"training data {path} not found: train the project on a corpus first", backend_id=self.backend_id
            )
        with self._errors(OperationFailedException):
            return stored.read(path, Names.of(self.project.subjects, self.project.vocab_lang))

    def dataset_for(self, tagger: Tagger) -> Dataset:
        """The documents of the last training, as a tagger gets them."""
        dataset = self.training_documents()
        texts = texts_for(tagger, dataset.texts or (), self.prepared)
        with self._errors(OperationFailedException):
            return self._with_vocabulary(replace(dataset, texts=texts), tagger)

    def _with_vocabulary(self, dataset: Dataset, tagger: Tagger) -> Dataset:
        """The documents with alternative names and relations of their subjects, for models that use names."""
        if tagger.model is None or "label_names" not in as_model(tagger.model).needs or dataset.label_keys is None:
            return dataset  # a large graph takes Annif seconds to load
        graph = self.project.vocab.as_graph()
        return replace(dataset, vocabulary=vocabulary_of_graph(graph, dataset.label_keys))

    def prepared(self, text: str) -> str:
        """A text as a vectorizer gets it: the words of the project's analyzer, if there is one."""
        if not self.project.analyzer_spec:
            return text
        return " ".join(self.project.analyzer.tokenize_words(text))

    def suggestions(self, tagger: Tagger, ids: SubjectIds, texts: Sequence[str], limit: int) -> SuggestionBatch:
        """The best subjects of texts.

        Parameters
        ----------
        tagger : Tagger
        ids : SubjectIds
            Of its labels.
        texts : sequence of str
            As from ``texts_for``.
        limit : int
            Largest number of subjects per text.
        """
        size = len(self.project.subjects)
        if not texts or limit < 1:
            return SuggestionBatch(csr_array((len(texts), size), dtype=np.float32))
        k = min(limit, len(ids.ids) - len(ids.masked))
        # One thread: Annif runs several processes.
        top = tagger.predict_topk(list(texts), k, forbidden=ids.masked or None, threads=1)
        calibration = None if tagger.decisions_ is None else tagger.decisions_.calibration
        scores = top.scores if calibration is None else calibration.probabilities(top)
        return SuggestionBatch(_by_subject(top.labels, scores, ids, size))

    def _train(self, corpus: DocumentCorpus, params: dict[str, Any], jobs: int = 0) -> None:
        parameters = self.parameters(params, jobs or None)
        if corpus == "cached":
            self.info("reusing the training data of the previous run")
        else:
            self._store(corpus)
        tagger = self.unfitted(parameters)
        dataset = self.dataset_for(tagger)
        if len(dataset) == 0:
            raise NotSupportedException("no training document has a text and a subject", backend_id=self.backend_id)
        self.info(f"training on {len(dataset)} documents")
        with self._errors(OperationFailedException):
            tagger.fit_dataset(dataset)
            if parameters.calibrate:
                self.info("fitting probabilities")
                tagger.cross_calibrate_dataset(dataset, seed=parameters.plan.seed, threads=jobs or None)
            detached(tagger).save(self._model_path)
        self._tagger = self._ids = None

    def _store(self, corpus: DocumentCorpus) -> None:
        """Write the training file; a file of an earlier training stays until the new one is complete."""
        if corpus.is_empty():
            raise NotSupportedException("training a ramify project with no documents", backend_id=self.backend_id)
        self.info("creating training file")

        def write(documents: Any, path: str) -> None:
            with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
                stored.written(documents, self.project.subjects, file)

        util.atomic_save(corpus.documents, self.datadir, stored.FILE, method=write)

    def _suggest_batch(self, documents: list[Document], params: dict[str, Any]) -> SuggestionBatch:
        self.initialize()
        assert self._tagger is not None and self._ids is not None
        texts = texts_for(self._tagger, [document.text for document in documents], self.prepared)
        with self._errors(ConfigurationException):
            limit, with_reasons = _limit(params["limit"]), is_yes("reasons", params["reasons"])
        with self._errors(OperationFailedException):
            found = self.suggestions(self._tagger, self._ids, texts, limit)
            if with_reasons:
                for number, document in enumerate(documents):
                    best = [int(one.subject_id) for one in found[number]][:MOST_REASONS]
                    document.metadata[REASONS] = self._reasons(document.text, best)
        return found

    def _reasons(self, text: str, subject_ids: Sequence[int]) -> dict[str, list[tuple[str, float]]]:
        """The words that contribute most to each subject, by its URI."""
        assert self._tagger is not None and self._ids is not None
        labels = {int(subject): label for label, subject in enumerate(self._ids.ids) if subject >= 0}
        names = [self._tagger.label_names_[labels[subject]] for subject in subject_ids]
        if not names:
            return {}
        tagger = detached(self._tagger)
        words = text if "X" not in as_model(tagger.model).needs else self.prepared(text)
        explained = tagger.explain(words, names, k=len(names), threads=1)
        uris = [self.project.subjects[subject].uri for subject in subject_ids]
        return {
            uri: [(term.text, round(float(term.strength), 4)) for term in label.strongest()[0]]
            for uri, label in zip(uris, explained.labels, strict=True)
        }

    @property
    def _model_path(self) -> Path:
        return Path(self.datadir) / MODEL

    @property
    def _training_path(self) -> Path:
        return Path(self.datadir) / stored.FILE

    @contextmanager
    def _errors(self, kind: type[Exception]) -> Iterator[None]:
        """Errors of ramify as those of Annif, whose command line prints them without a traceback."""
        try:
            yield
        except ModelFileError as error:
            raise OperationFailedException(f"{error}; or train the project again", backend_id=self.backend_id) from None
        except RamifyError as error:
            raise kind(str(error), backend_id=self.backend_id) from None  # type: ignore[call-arg]


def _limit(value: Any) -> int:
    text = str(value).strip()
    if not text.isdecimal():
        raise InputError(f"limit is {text!r}, but must be a whole number from 0")
    return int(text)


def _by_subject(labels: Int32, scores: Float32, ids: SubjectIds, size: int) -> csr_array:
    """Scores by subject id, shape (n, size); only those above 0, at most 1."""
    subjects = np.where(labels >= 0, ids.ids[labels], -1)
    kept = (subjects >= 0) & (scores > 0)
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    found = csr_array((np.minimum(scores[kept], 1), subjects[kept], indptr), shape=(len(labels), size))
    found.sort_indices()
    return found
