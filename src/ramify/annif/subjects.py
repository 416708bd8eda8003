"""Subjects of Annif's vocabulary <-> labels of a model, by their URIs.

Annif's subject ids may change their meaning between vocabularies, URIs do not: a model stores the URIs of its labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ramify.data.names import distinct_names
from ramify.errors import InputError
from ramify.tagger import Tagger
from ramify.values import Int64
from ramify.wording import quoted


def uri_of(subjects: Any, subject_id: int) -> str | None:
    """The URI of a subject; None for a deprecated or excluded one."""
    try:
        return str(subjects[subject_id].uri)
    except IndexError:
        return None


@dataclass(frozen=True)
class Names:
    """URIs and names of the labels that a project can have: its subjects in use, in the order of their ids.

    Parameters
    ----------
    uris, names : sequence of str, length L
        Names are those of the project's language, or else the URI; of equal names, the URI is a part.
    """

    uris: Sequence[str]
    names: Sequence[str]

    @classmethod
    def of(cls, subjects: Any, language: str) -> Names:
        """The subjects of a project."""
        active = [subject for _, subject in subjects.active]
        plain = [subject.labels.get(language) or subject.uri for subject in active]
        uris = [str(subject.uri) for subject in active]
        return cls(uris, distinct_names(uris, plain))


@dataclass(frozen=True, eq=False)
class SubjectIds:
    """The subject of each label of a model.

    Parameters
    ----------
    ids : int64 array, shape (L,)
        -1 for labels whose subject is deprecated, excluded from the project, or no longer in the vocabulary.
    masked : sequence of str
        Names of those labels.
    """

    ids: Int64
    masked: Sequence[str]

    @classmethod
    def of(cls, tagger: Tagger, subjects: Any) -> SubjectIds:
        """The subjects of the labels of a tagger.

        Raises
        ------
        InputError
            No label has a subject in use.
        """
        uris: Iterable[str] = tagger.label_names_ if tagger.label_keys_ is None else tagger.label_keys_
        in_use = {subject.uri: number for number, subject in subjects.active}
        ids = np.array([in_use.get(uri, -1) for uri in uris], np.int64)
        if (ids < 0).all():
            example = next(iter(uris))
            raise InputError(
                f"none of the {len(ids):,} labels of the model, such as {quoted(example)}, is a subject of the "
                "project's vocabulary: load the vocabulary that the model was trained with, or train again"
            )
        return cls(ids, [tagger.label_names_[label] for label in np.flatnonzero(ids < 0).tolist()])
