"""Fusion of trained taggers, and of predictions of other programs, on held-out documents."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.data import align
from ramify.data.predictions import Predictions
from ramify.errors import InputError, RamifyWarning
from ramify.exchange import Training
from ramify.models.mixtures.fusion import Fusion
from ramify.strings import StringTable
from ramify.tagger.assessment import named_by
from ramify.tagger.fusing.members import Aligned, SavedMember, StoredPredictions
from ramify.tagger.tagger import Tagger
from ramify.values import Dataset, StageProgress


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
        aligned by name, and a member never ranks a label that it does not have.
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
        No tagger among the members, taggers of texts and of features together, or a member without a label in common
        with the others.
    """
    taggers = [member for member in members.values() if isinstance(member, Tagger)]
    if not taggers:
        raise InputError("no member is a model, but a fusion needs at least one to answer new documents: give one")
    _check_kinds(members, taggers)
    first = taggers[0]
    for tagger in taggers:
        held_out = named_by(tagger, held_out)
    frozen: list[Aligned] = [
        SavedMember(member, name) if isinstance(member, Tagger) else StoredPredictions.of(member, name)
        for name, member in members.items()
    ]
    names = list(dict.fromkeys(name for member in frozen for name in member.own_names))
    _check_common(frozen)
    aligned = align(held_out, names)
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
    return _tagger_of(model, names, first, taggers)


def _check_kinds(members: Mapping[str, Any], taggers: Sequence[Tagger]) -> None:
    kinds = {name: member.takes_texts_ for name, member in members.items() if isinstance(member, Tagger)}
    if len(set(kinds.values())) > 1 or (len(taggers) < len(members) and not taggers[0].takes_texts_):
        of_features = [name for name, takes_texts in kinds.items() if not takes_texts]
        raise InputError(f"the member {of_features[0]} takes features, but others take texts: give members of one kind")


def _check_common(members: Sequence[Aligned]) -> None:
    """Raise InputError for a member that shares no label with the first one."""
    first = set(members[0].own_names)
    for member in members[1:]:
        if first.isdisjoint(member.own_names):
            raise InputError(
                f"the members {members[0].name} and {member.name} have no label in common: give members with the same "
                "label names"
            )


def _tagger_of(model: Fusion, names: list[str], first: Tagger, taggers: Sequence[Tagger]) -> Tagger:
    """The tagger, with the label identifiers and field names of the first member, and its training frequencies."""
    tagger = Tagger.of(model, StringTable.of(names))
    tagger.takes_texts_ = first.takes_texts_
    tagger.fields_ = dict(first.fields_)
    keys: dict[str, str] = {}
    for one in reversed(taggers):
        keys |= dict(zip(one.label_names_, one.label_keys_ or (), strict=False))
    if keys:
        tagger.label_keys_ = StringTable.of([keys.get(name, name) for name in names])
    if first.label_counts_ is not None:
        number = {name: place for place, name in enumerate(names)}
        counts = np.zeros(len(names), np.int64)
        counts[[number[name] for name in first.label_names_]] = first.label_counts_
        tagger.label_counts_, tagger.n_documents_ = counts, first.n_documents_
    return tagger
