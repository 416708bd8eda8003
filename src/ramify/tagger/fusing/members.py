"""Members of a fusion with vectorizers of their own, most of them trained before, and predictions of another program.

The labels of a member are aligned by name with those of the fusion; a member never ranks a label that it does not have.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from ramify.data.predictions import Predictions
from ramify.errors import InputError, damage_reported
from ramify.exchange import Request, Sizes, Training
from ramify.models import load
from ramify.models.base.adapter import as_model, restricted, set_known
from ramify.models.base.model import check_extras
from ramify.models.base.stored import stored_array, stored_size
from ramify.store.parts import parts_to_state, stored_part
from ramify.strings import StringTable
from ramify.tagger.instances import without_empty
from ramify.tagger.tagger import Tagger
from ramify.values import Dataset, Int32, Int64, TopK, as_csr

FROZEN = frozenset({"frozen"})


class Aligned:
    """Base of the frozen members.

    Parameters
    ----------
    name : str
        Name in the fusion.

    Attributes
    ----------
    places_ : int32 array, shape (own labels,)
        Number of each label in the fusion; -1 for a label that the fusion does not have.
    n_labels_ : int
        Number of labels of the fusion.
    """

    places_: Int32
    n_labels_: int

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def own_names(self) -> Sequence[str]:
        """Names of the member's own labels."""
        raise NotImplementedError

    def fit_training(self, training: Training) -> Aligned:
        """Align the labels by name; nothing is trained. The error does not name the member: ``Fusion`` does."""
        names = training.label_names or ()
        number = {name: place for place, name in enumerate(names)}
        self.places_ = np.array([number.get(name, -1) for name in self._found_in(names)], np.int32)
        if not (self.places_ >= 0).any():
            raise InputError("no label in common with the data: give models with the same label names")
        self.n_labels_ = len(names)
        return self

    def _found_in(self, names: Sequence[str]) -> Sequence[str]:
        """The name by which each own label is searched among the names of the fusion."""
        return self.own_names

    def __deepcopy__(self, memo: Any) -> Aligned:
        return copy.copy(self)  # the fitted parts are shared, as nothing changes them

    def _placed(self, top: TopK, k: int) -> TopK:
        """A ranking of own labels, all with a place, as a ranking of the labels of the fusion."""
        labels = np.where(top.labels >= 0, self.places_[np.maximum(top.labels, 0)], -1).astype(np.int32)
        missing = ((0, 0), (0, max(0, k - top.k)))
        scores = np.pad(top.scores, missing, constant_values=-np.inf)
        return TopK(np.pad(labels, missing, constant_values=-1), scores)

    def _set_stored(self, config: dict[str, Any], arrays: dict[str, Any]) -> None:
        self.n_labels_ = stored_size(config["n_labels"], "n_labels")
        self.places_ = stored_array(arrays, "places", np.int32, (len(self.own_names),))
        used = self.places_[self.places_ >= 0]
        if not len(used) or used.max() >= self.n_labels_ or len(np.unique(used)) < len(used):
            raise InputError("the labels of a member do not match those of the fusion")


class SavedMember(Aligned):
    """A trained tagger as a member of a fusion, with its own vectorizer.

    Parameters
    ----------
    tagger : Tagger
        A fitted tagger; it is not changed.
    name : str, default "model"
        Name in the fusion.
    names : sequence of str, optional
        Names of the tagger's labels in the fusion; those of the tagger when None.
    """

    def __init__(self, tagger: Tagger, name: str = "model", names: Sequence[str] | None = None) -> None:
        super().__init__(name)
        self.tagger, self.names = tagger, names

    @classmethod
    def opened(cls, directory: str | Path, *, threads: int | None = None) -> SavedMember:
        """From a model directory; its name is the last part of the path.

        Raises
        ------
        ModelFileError
            See ``models.load``.
        InputError
            A model without label names.
        """
        tagger = load(directory)
        if not isinstance(tagger, Tagger):
            raise InputError(
                f"the model in {directory} has no label names, by which the labels of a fusion are aligned: give a "
                "directory that a Tagger was saved in"
            )
        if tagger.vectorizer_ is not None:
            set_known(tagger.vectorizer_, threads=threads)
        return cls(tagger, Path(directory).resolve().name)

    @property
    def n_documents(self) -> int:
        """Number of documents that the tagger was trained on; 0 if unknown."""
        return self.tagger.n_documents_

    def _found_in(self, names: Sequence[str]) -> Sequence[str]:
        """See ``Aligned``; a label whose name is not among the names may be there by its identifier."""
        keys = self.tagger.label_keys_
        if self.names is not None or keys is None:
            return self.own_names
        known = set(names)
        taken = known.intersection(self.own_names)
        pairs = zip(self.own_names, keys, strict=True)
        return [name if name in known or key in taken else key for name, key in pairs]

    @property
    def own_names(self) -> Sequence[str]:
        """See ``Aligned``."""
        return self.tagger.label_names_ if self.names is None else self.names

    @property
    def needs(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return frozenset({"texts" if self.tagger.takes_texts_ else "X", "label_names"})

    @property
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return FROZEN | (self.tagger._adapted_model().abilities & {"beam"})

    def answer(self, request: Request) -> TopK:
        """The k best labels of each instance; see ``protocols.Model``."""
        own, empty = self.tagger._request(request.texts if self.tagger.takes_texts_ else request.X)
        k = int(request.k or 1)
        allowed = self._own_allowed(request.allowed)
        forbidden = None if request.forbidden is None else self._columns(request.forbidden)
        if allowed is not None and allowed.sum() == 0:
            n = len(request)
            return TopK(np.full((n, k), -1, np.int32), np.full((n, k), -np.inf, np.float32))
        asked = replace(
            own,
            k=min(k, len(self.own_names)),
            beam=request.beam,
            allowed=allowed,
            forbidden=forbidden,
            threads=request.threads,
            progress=request.progress,
        )
        return self._placed(without_empty(self.tagger._adapted_model().answer(asked), empty), k)

    def _own_allowed(self, allowed: Any) -> Any:
        """The permitted own labels: those with a place in the fusion that are allowed; None if these are all."""
        if sp.issparse(allowed):
            return self._columns(allowed)
        known = self.places_ >= 0
        if allowed is not None:
            known &= np.asarray(allowed, bool)[np.maximum(self.places_, 0)]
        return None if known.all() else known

    def _columns(self, matrix: Any) -> Any:
        """The columns of a matrix over the labels of the fusion, shape (n, own labels)."""
        n = len(self.places_)
        known = np.flatnonzero(self.places_ >= 0)
        ones = np.ones(len(known), np.float32)
        chosen = sp.csr_matrix((ones, (self.places_[known], known)), shape=(matrix.shape[1], n))
        columns: Any = matrix @ chosen
        return sp.csr_matrix(columns)

    def size(self) -> Sizes:
        """Sizes of the fitted model."""
        columns = self.tagger.columns_
        width = None if self.tagger.takes_texts_ or columns is None else columns.width
        weights = self.tagger._adapted_model().size().weights
        return Sizes(features=width, labels=getattr(self, "n_labels_", 0), weights=weights)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        states, arrays = parts_to_state({"tagger": self.tagger})
        return {"name": self.name, "n_labels": self.n_labels_, **states}, arrays | {"places": self.places_}

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> SavedMember:
        """Restore the member from a model directory.

        Raises
        ------
        ModelFileError
            An invalid tagger or labels that do not match.
        """
        with damage_reported("a member is"):
            tagger = stored_part("tagger", config["tagger"], arrays, parts)
            if not isinstance(tagger, Tagger):
                raise InputError("a member is not a tagger")
            member = cls(tagger, str(config["name"]))
            member._set_stored(config, arrays)
        return member


class TrainedMember(SavedMember):
    """A tagger that is trained with the fusion: a member with a vectorizer of its own.

    Parameters
    ----------
    tagger : Tagger
        An unfitted tagger of texts; ``fit_training`` trains a clone.
    name : str, default "model"
        Name in the fusion.
    """

    needs = frozenset({"texts", "label_names"})
    n_documents = 0  # those of the fusion itself

    @classmethod
    def of_preset(cls, name: str, settings: Mapping[str, Any], *, seed: int, threads: int | None) -> TrainedMember:
        """A preset, with settings of its model."""
        tagger = Tagger.of_preset(name, seed=seed, threads=threads)
        tagger.model.set_params(**settings)
        return cls(tagger, name)

    @property
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return as_model(self.tagger.model).abilities & {"beam"}

    def fit_training(self, training: Training) -> TrainedMember:
        """Train the tagger on the texts.

        Raises
        ------
        InputError
            A field of the training that a tagger cannot pass on, such as ``sample_weight``.
        """
        check_extras(self.name, self.abilities, training)
        names, texts = training.label_names or (), training.texts or ()
        dataset = Dataset(as_csr(training.Y), names, texts=texts, vocabulary=training.vocabulary)
        self.tagger = clone(self.tagger).fit_dataset(
            dataset, progress=training.progress, compute=training.compute, spill=training.spill
        )
        self.tagger.vocabulary_ = None  # the tagger of the fusion stores it
        super().fit_training(training)
        return self


class StoredPredictions(Aligned):
    """Predictions of another program as a member of a fusion: a table of documents with their ranked labels.

    A document is found by its text. The member ranks no label for a document that is not in the table.

    Parameters
    ----------
    digests : int64 array, shape (n,)
        Digests of the texts, ascending, as by ``digests_of``.
    names : sequence of str
        Names of the labels.
    top : TopK, shape (n, k)
        The ranked labels.
    name : str, default "predictions"
        Name in the fusion.
    """

    needs = frozenset({"texts", "label_names"})
    abilities = FROZEN

    def __init__(self, digests: Int64, names: Sequence[str], top: TopK, name: str = "predictions") -> None:
        super().__init__(name)
        self.digests, self.names, self.top = digests, names, top

    @classmethod
    def of(cls, predictions: Predictions, name: str = "predictions") -> StoredPredictions:
        """From predictions; of equal texts, the first is used."""
        digests, first = np.unique(digests_of(predictions.texts), return_index=True)
        top = predictions.top
        return cls(digests, list(predictions.label_names), TopK(top.labels[first], top.scores[first]), name)

    @property
    def own_names(self) -> Sequence[str]:
        """See ``Aligned``."""
        return self.names

    def answer(self, request: Request) -> TopK:
        """The stored labels of each document; see ``protocols.Model``."""
        wanted = digests_of(request.texts or ())
        rows = np.minimum(np.searchsorted(self.digests, wanted), len(self.digests) - 1)
        found = (self.digests[rows] == wanted)[:, None]
        known = found & (self.top.labels[rows] >= 0)
        labels = np.where(known, self.places_[np.maximum(self.top.labels[rows], 0)], -1).astype(np.int32)
        scores = np.where(labels >= 0, self.top.scores[rows], -np.inf).astype(np.float32)
        request.report(1.0)
        return restricted(TopK(labels, scores), int(request.k or 1), request.allowed, request.forbidden)

    def size(self) -> Sizes:
        """Sizes of the table; it has no weights."""
        return Sizes(features=None, labels=getattr(self, "n_labels_", 0))

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        table = StringTable.of(self.names)
        arrays = {"digests": self.digests, "labels": self.top.labels, "scores": self.top.scores}
        arrays |= {"names/blob": table.blob, "names/offsets": table.offsets, "places": self.places_}
        return {"name": self.name, "n_labels": self.n_labels_}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> StoredPredictions:
        """Restore the member from a model directory.

        Raises
        ------
        ModelFileError
            Invalid arrays.
        """
        with damage_reported("stored predictions are"):
            digests = stored_array(arrays, "digests", np.int64, (None,))
            labels = stored_array(arrays, "labels", np.int32, (len(digests), None))
            scores = stored_array(arrays, "scores", np.float32, labels.shape)
            names = StringTable(arrays["names/blob"], arrays["names/offsets"])
            if not len(digests) or (digests[1:] <= digests[:-1]).any() or np.isnan(scores).any():
                raise InputError("the documents are not in order, or a score is not a number")
            if labels.min(initial=0) < -1 or labels.max(initial=-1) >= len(names):
                raise InputError("a label is out of range")
            member = cls(digests, names, TopK(labels, scores), str(config["name"]))
            member._set_stored(config, arrays)
        return member


def digests_of(texts: Sequence[str]) -> Int64:
    """A number of 64 bits for each text, shape (n,)."""
    made = b"".join(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest() for text in texts)
    return np.frombuffer(made, np.dtype("<i8")).astype(np.int64)
