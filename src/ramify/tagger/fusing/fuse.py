"""Fusion of trained taggers, and of predictions of other programs, on held-out documents."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.data import align
from ramify.data.predictions import Predictions
from ramify.errors import InputError, RamifyWarning
from ramify.exchange import Training
from ramify.models.mixtures.fusion import Fusion
from ramify.strings import StringTable
from ramify.tagger.fusing.labels import JointLabels
from ramify.tagger.fusing.members import Aligned, SavedMember, StoredPredictions
from ramify.tagger.tagger import Tagger
from ramify.values import Dataset, StageProgress
from ramify.wording import counted

ENOUGH = 0.5
"""Share of the held-out documents that a file of predictions should at least contain."""


def fuse(
    members: Mapping[str, Tagger | Predictions],
    held_out: Dataset,
    *,
    measure: str = "ndcg",
    candidates: int = 50,
    threads: int | None = None,
    progress: StageProgress | None = None,
) -> Tagger:
    """A tagger that ranks labels by a fitted combination of other taggers.

    Parameters
    ----------
    members : mapping of str to Tagger or Predictions
        Fitted taggers, and predictions for at least the held-out documents, by name. Their labels may differ: they are
        aligned by identifier, or else by name, and a member never ranks a label that it does not have.
    held_out : Dataset
        Labelled documents that no member was trained on.
    measure, candidates, threads
        See ``Fusion``.
    progress : callable, optional
        Called with (stage, share done).

    Returns
    -------
    Tagger
        Its model is a ``Fusion``; the members are part of it. ``model_.report_`` has what each member adds.

    Raises
    ------
    InputError
        No tagger among the members, taggers of texts and of features together, predictions of other texts, a member
        without a label in common with the others, or two labels of a member that are one of another member.

    Warns
    -----
    RamifyWarning
        Predictions for fewer than half of the held-out documents, or a fusion of predictions only.
    """
    taggers = {name: member for name, member in members.items() if isinstance(member, Tagger)}
    if not taggers:
        raise InputError("no member is a model, but a fusion needs at least one to answer new documents: give one")
    first = next(iter(taggers.values()))
    _check_kinds(members, first)
    for name, member in members.items():
        if isinstance(member, Predictions) and held_out.texts is not None:
            _check_texts(member, name, held_out.texts)
    labels = JointLabels.of(
        {
            name: (member.label_names_, member.label_keys_)
            if isinstance(member, Tagger)
            else (member.label_names, None)
            for name, member in members.items()
        }
    )
    _check_common(labels)
    names = labels.names
    frozen = [_frozen(member, name, labels.names_of[name]) for name, member in members.items()]
    aligned = align(labels.of_data(held_out, taggers), names)
    Y = sp.csr_matrix(aligned.Y[:, : len(names)])
    if Y.nnz == 0:
        raise InputError("no held-out document has a label of the members: check the labels field")
    texts = aligned.texts if first.takes_texts_ else None
    X = None if first.takes_texts_ else aligned.X
    if texts is None and X is None:
        wanted = "texts" if first.takes_texts_ else "features"
        raise InputError(f"the members take {wanted}, but the data contain none: give data of the same kind")
    model = Fusion(frozen, measure=measure, candidates=candidates, threads=threads)
    model.fit_training(Training(X=X, Y=Y, texts=texts, label_names=names, progress=progress))
    if not any(isinstance(member, SavedMember) for member in model.members_):
        warnings.warn(
            "no model adds anything to the files of predictions, so that the fusion has no labels for other documents "
            "than theirs: leave files out, or give another model",
            RamifyWarning,
            stacklevel=2,
        )
    return _tagger_of(model, labels, taggers)


def _frozen(member: Tagger | Predictions, name: str, names: Sequence[str]) -> Aligned:
    """The member of the fusion, with the names of its labels in the fusion."""
    if isinstance(member, Tagger):
        return SavedMember(member, name, names)
    return StoredPredictions.of(replace(member, label_names=names), name)


def _check_kinds(members: Mapping[str, Any], first: Tagger) -> None:
    kinds = {name: member.takes_texts_ for name, member in members.items() if isinstance(member, Tagger)}
    if len(set(kinds.values())) > 1 or (len(kinds) < len(members) and not first.takes_texts_):
        of_features = [name for name, takes_texts in kinds.items() if not takes_texts]
        raise InputError(f"the member {of_features[0]} takes features, but others take texts: give members of one kind")


def _check_texts(predictions: Predictions, name: str, texts: Sequence[str]) -> None:
    """Raise InputError if no held-out document has a prediction; warn if fewer than half have one."""
    known = set(predictions.texts)
    found = sum(text in known for text in texts)
    which = f"the member {name}" if predictions.path is None else str(predictions.path)
    if not found:
        raise InputError(
            f"{which} has predictions for {counted(len(known), 'text')}, but none of them is among the "
            f"{counted(len(texts), 'held-out document')}: give predictions for these documents"
        )
    if found < ENOUGH * len(texts):
        warnings.warn(
            f"{which} has predictions for only {found:,} of the {counted(len(texts), 'held-out document')}, so that "
            "it ranks no label for the others: give predictions for all of them",
            RamifyWarning,
            stacklevel=3,
        )


def _check_common(labels: JointLabels) -> None:
    """Raise InputError for a member that shares no label with the first one."""
    first, *others = labels.names_of
    own = set(labels.names_of[first])
    for member in others:
        if own.isdisjoint(labels.names_of[member]):
            raise InputError(
                f"the members {first} and {member} have no label in common: give members with the same identifiers of "
                "labels, or without identifiers and with the same names"
            )


def _tagger_of(model: Fusion, labels: JointLabels, taggers: Mapping[str, Tagger]) -> Tagger:
    """The tagger, with the field names of the first member, and its training frequencies."""
    (place, first), *_ = taggers.items()
    names = labels.names
    tagger = Tagger.of(model, StringTable.of(names))
    tagger.takes_texts_ = first.takes_texts_
    tagger.fields_ = dict(first.fields_)
    if labels.key_of:
        tagger.label_keys_ = StringTable.of([labels.key_of.get(name, name) for name in names])
    if first.vocabulary_ is not None and names == labels.names_of[place]:
        tagger.vocabulary_ = first.vocabulary_
    if first.label_counts_ is not None:
        number = {name: column for column, name in enumerate(names)}
        counts = np.zeros(len(names), np.int64)
        counts[[number[name] for name in labels.names_of[place]]] = first.label_counts_
        tagger.label_counts_, tagger.n_documents_ = counts, first.n_documents_
    return tagger
