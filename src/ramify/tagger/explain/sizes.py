"""Sizes, trees and settings of a model and of the parts inside it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from ramify.checks import Whole
from ramify.errors import InputError
from ramify.exchange import LevelSize
from ramify.features import Tfidf
from ramify.models.base.adapter import as_model, is_model, settings_of
from ramify.store.parts import part_to_state
from ramify.tagger.tagger import Tagger
from ramify.wording import quoted

NAMED = 10
"""Default maximum number of labels."""


@dataclass(frozen=True, kw_only=True)
class PartCard:
    """One part of a model with several parts.

    Parameters
    ----------
    name : str
        Name within the model, such as "member0" or "ensemble.member0".
    model : str
        Class name.
    seed : int or None
        Random seed; None for a part without a seed.
    share : float or None
        Weight in the model's ranking, if rankings are averaged.
    levels : list of LevelSize
        Levels from the top; empty without a tree.
    n_weights, bytes : int
        Number of weights, and bytes of the arrays.
    """

    name: str
    model: str
    seed: int | None
    share: float | None
    levels: list[LevelSize]
    n_weights: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Summary of a model.

    Parameters
    ----------
    model, vectorizer : str
        Class names; the vectorizer is "none" if the model takes features.
    text_features : str
        Language, stems and n-grams of a ``Tfidf``; empty for other vectorizers.
    n_labels, n_features, n_documents, n_weights : int
        Numbers of labels, features, training documents (0 if unknown) and weights.
    frequent : list of (str, int)
        The most frequent labels, with their numbers of training documents.
    levels : list of LevelSize
        Levels from the top; the last level holds the leaves. Empty without a tree.
    members : list of PartCard
        Innermost parts of a model with several parts; empty otherwise.
    bytes : dict of str to int
        Bytes of the arrays by part.
    settings : dict of str to dict
        Scalar settings of model and vectorizer, and of inner parts that differ from earlier ones in more than the seed.
    vocabulary : dict, or None
        Of the labels' vocabulary: its languages, and the numbers of alternative names, notations, broader and related
        relations and of concepts without a training document.
    """

    model: str
    vectorizer: str
    text_features: str
    n_labels: int
    n_features: int
    n_documents: int
    n_weights: int
    frequent: list[tuple[str, int]]
    levels: list[LevelSize]
    members: list[PartCard]
    bytes: dict[str, int]
    settings: dict[str, dict[str, Any]]
    vocabulary: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return asdict(self)


def describe(tagger: Tagger, *, n_frequent: int = NAMED) -> ModelCard:
    """Summarize a model.

    Parameters
    ----------
    tagger : Tagger
        A fitted tagger.
    n_frequent : int, default 10
        Maximum number of labels in ``frequent``.
    """
    model, vectorizer = tagger.model_, tagger.vectorizer_
    size, parts = as_model(model).size(), list(parts_of(model))
    return ModelCard(
        model=type(model).__name__,
        vectorizer="none" if vectorizer is None else type(vectorizer).__name__,
        text_features=vectorizer.plan_.describe() if isinstance(vectorizer, Tfidf) else "",
        n_labels=len(tagger.label_names_),
        n_features=int(size.features or 0),
        n_documents=tagger.n_documents_,
        n_weights=size.weights,
        frequent=_frequent(tagger, n_frequent),
        levels=list(size.levels),
        members=[_part_card(part) for part in parts if part.last] if len(parts) > 1 else [],
        bytes=_bytes_by_part(tagger),
        settings=_settings(model, parts) | {"vectorizer": _scalars(vectorizer)},
        vocabulary=_vocabulary(tagger),
    )


def _vocabulary(tagger: Tagger) -> dict[str, Any] | None:
    """Facts of the vocabulary."""
    one, counts = tagger.vocabulary_, tagger.label_counts_
    if one is None:
        return None
    return {
        "languages": one.languages,
        "alternative_names": sum(len(groups.strings) for groups in one.alternatives.values()),
        "notations": sum(map(bool, one.notations or ())),
        "broader": len(one.broader),
        "related": len(one.related),
        "without_documents": None if counts is None else int((counts == 0).sum()),
    }


class FoundPart(NamedTuple):
    """A part inside a model: name, object, weight among the parts, and whether it has no inner parts."""

    name: str
    part: Any
    share: float | None
    last: bool


def parts_of(model: Any, name: str = "", share: float | None = None) -> Iterator[FoundPart]:
    """All parts inside a model, at any depth, in pre-order."""
    inside, shares = as_model(model).inside(), as_model(model).size().shares
    for number, (key, part) in enumerate(inside.items()):
        path = f"{name}.{key}" if name else key
        own = share if len(inside) == 1 else shares[number] * (share or 1.0) if shares else None
        yield FoundPart(path, part, own, not as_model(part).inside())
        yield from parts_of(part, path, own)


def _part_card(found: FoundPart) -> PartCard:
    size = as_model(found.part).size()
    return PartCard(
        name=found.name,
        model=type(found.part).__name__,
        seed=settings_of(found.part).get("seed"),
        share=found.share,
        levels=list(size.levels),
        n_weights=size.weights,
        bytes=sum(array.nbytes for array in part_to_state(found.part)[1].values()),
    )


def _settings(model: Any, parts: list[FoundPart]) -> dict[str, dict[str, Any]]:
    seen, found = [], {"model": _scalars(model)}
    for one in parts:
        settings = _scalars(one.part)
        alike = (type(one.part), {name: value for name, value in settings.items() if name != "seed"})
        if alike not in seen:
            seen.append(alike)
            found[f"{one.name} inside"] = settings
    return found


def tagger_of_tree(tagger: Tagger, member: int, *, classifiers: bool = True) -> Tagger:
    """The tagger itself if its model has a tree, or a tagger for one member of its ensemble.

    Parameters
    ----------
    tagger : Tagger
        A fitted tagger.
    member : int
        Number of the member; 0 without an ensemble.
    classifiers : bool, default True
        Whether the nodes of the tree must have linear classifiers.

    Raises
    ------
    InputError
        The number of the member is out of range, or the member has no tree.
    """
    models = _models_of_trees(tagger.model_)
    if len(models) == 1 and member != 0:
        raise InputError(f"member is {quoted(member)}, but the model is a single model: leave the member out")
    if not Whole(0, len(models) - 1).fits(member):
        raise InputError(f"member is {quoted(member)}, but must be in 0..{len(models) - 1}: see ramify inspect")
    model = models[member]
    if ("classifiers" if classifiers else "tree") not in as_model(model).abilities:
        lacks = "classifiers along a tree" if "tree" in as_model(model).abilities else "tree"
        if len(models) > 1:
            raise InputError(f"member {member} is a {type(model).__name__}, which has no {lacks}: choose another")
        raise InputError(f"the model is a {type(model).__name__}, which has no {lacks}: train with --model xr-linear")
    if model is tagger.model_:
        return tagger
    alone = copy.copy(tagger)
    alone.model_ = model
    return alone


def _models_of_trees(model: Any) -> list[Any]:
    """The innermost parts that rank the model's labels; the model itself if its parts rank other labels."""
    inside = as_model(model).inside().values()
    n_labels = as_model(model).size().labels
    whole = [part for part in inside if is_model(part) and as_model(part).size().labels == n_labels]
    return [found for part in whole for found in _models_of_trees(part)] if len(whole) == len(inside) > 0 else [model]


def _frequent(tagger: Tagger, count: int) -> list[tuple[str, int]]:
    counts = tagger.label_counts_
    if counts is None:
        return []
    best = np.argsort(-counts, kind="stable")[:count].tolist()
    return [(tagger.label_names_[label], int(counts[label])) for label in best]


def _bytes_by_part(tagger: Tagger) -> dict[str, int]:
    _, arrays = tagger.to_state()
    sizes: dict[str, int] = {}
    for name, array in arrays.items():
        part = name.partition("/")[0]
        sizes[part] = sizes.get(part, 0) + array.nbytes
    return sizes


def _scalars(part: Any) -> dict[str, Any]:
    return {name: value for name, value in settings_of(part).items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(_is_plain(element) for element in value)
    return value is None or isinstance(value, bool | int | float | str)
