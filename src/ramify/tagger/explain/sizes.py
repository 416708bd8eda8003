"""What a model holds: sizes, the shape of its tree, its settings."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ramify.checks import Whole
from ramify.errors import InputError
from ramify.models.base.persistence import load
from ramify.models.mixtures.ensemble import Ensemble
from ramify.store import MANIFEST
from ramify.tagger.tagger import Tagger
from ramify.wording import quoted

NAMED = 10
"""Labels named at most, unless asked for more."""


@dataclass(frozen=True, kw_only=True)
class LevelCard:
    """One level of a tree.

    Parameters
    ----------
    nodes, weights, bytes : int
        Its nodes, what their classifiers weigh in, and what that takes.
    children : float
        Mean children per node of the level above.
    """

    nodes: int
    children: float
    weights: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class MemberCard:
    """One member of an ensemble.

    Parameters
    ----------
    model : str
        Class name.
    seed : int or None
        Its seed, if it has one.
    say : float
        Its share of the say.
    levels : list of LevelCard
        From the top; none where it has no tree.
    n_weights, bytes : int
        Sizes.
    """

    model: str
    seed: int | None
    say: float
    levels: list[LevelCard]
    n_weights: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """A model at a glance.

    Parameters
    ----------
    model, vectorizer : str
        Class names; the vectorizer is "none" where the model takes features.
    n_labels, n_features, n_documents, n_weights : int
        Sizes; the documents are those of training, 0 where not known.
    frequent : list of (str, int)
        The most frequent labels with their training documents.
    levels : list of LevelCard
        From the top; the last are the leaves. None where the model is no tree.
    members : list of MemberCard
        Of an ensemble.
    bytes : dict of str to int
        Bytes of the arrays by part.
    settings : dict of str to dict
        Scalars of model and vectorizer, and of members that differ from those before by more than the seed.
    """

    model: str
    vectorizer: str
    n_labels: int
    n_features: int
    n_documents: int
    n_weights: int
    frequent: list[tuple[str, int]]
    levels: list[LevelCard]
    members: list[MemberCard]
    bytes: dict[str, int]
    settings: dict[str, dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def load_tagger(directory: str | Path) -> Tagger:
    """Open a model directory as a tagger; the labels of a bare model are called by their numbers.

    Raises
    ------
    ModelFileError
        As ``models.load``.
    """
    model = load(directory)
    if isinstance(model, Tagger):
        return model
    return Tagger.of(model, [str(number) for number in range(model.n_labels_)])


def model_format(directory: str | Path) -> tuple[int, str]:
    """(number of the format, version of the library that wrote it) of a directory that opens."""
    body = json.loads((Path(directory) / MANIFEST).read_text("utf-8"))
    return int(body["format"]), str(body["ramify"])


def describe(tagger: Tagger, *, n_frequent: int = NAMED) -> ModelCard:
    """A model at a glance.

    Parameters
    ----------
    tagger : Tagger
        Fitted.
    n_frequent : int, default 10
        Labels named at most.
    """
    model, vectorizer = tagger.model_, tagger.vectorizer_
    levels, members = _levels(model), _members(model)
    settings = {"model": _scalars(model)} | _settings_of_members(model)
    settings |= {name: _scalars(inner) for name, inner in _inside(model)}
    return ModelCard(
        model=type(model).__name__,
        vectorizer="none" if vectorizer is None else type(vectorizer).__name__,
        n_labels=len(tagger.label_names_),
        n_features=int(model.n_features_in_),
        n_documents=tagger.n_documents_,
        n_weights=_n_weights(model),
        frequent=_frequent(tagger, n_frequent),
        levels=levels,
        members=members,
        bytes=_bytes_by_part(tagger),
        settings=settings | {"vectorizer": {} if vectorizer is None else _scalars(vectorizer)},
    )


def tagger_of_tree(tagger: Tagger, member: int, *, classifiers: bool = True) -> Tagger:
    """The tagger itself where its model is a tree, or one of a member of its ensemble.

    Parameters
    ----------
    tagger : Tagger
        Fitted.
    member : int
        Number of the member; 0 where there is no ensemble.
    classifiers : bool, default True
        The nodes of the tree must have classifiers to look into.

    Raises
    ------
    InputError
        No such member, or one without a tree.
    """
    members = getattr(tagger.model_, "members_", [tagger.model_])
    if not Whole(0, len(members) - 1).fits(member):
        raise InputError(f"member is {quoted(member)}, but must lie in 0..{len(members) - 1}: see ramify inspect")
    model = members[member]
    if not hasattr(model, "search_" if classifiers else "tree_"):
        lacks = "classifiers along a tree" if hasattr(model, "tree_") else "tree"
        if len(members) > 1:
            raise InputError(f"member {member} is a {type(model).__name__}, which has no {lacks}: choose another")
        raise InputError(f"the model is a {type(model).__name__}, which has no {lacks}: train with --model xr-linear")
    if model is tagger.model_:
        return tagger
    alone = copy.copy(tagger)
    alone.model_ = model
    return alone


def _levels(model: Any) -> list[LevelCard]:
    matcher = getattr(model, "search_", None)
    return [] if matcher is None else [_level_card(matcher, level) for level in range(matcher.tree.depth)]


def _members(model: Any) -> list[MemberCard]:
    if not isinstance(model, Ensemble):
        return []
    cards = []
    for member, say in zip(model.members_, (model.weights_ / model.weights_.sum()).tolist(), strict=True):
        levels = _levels(member)
        cards.append(
            MemberCard(
                model=type(member).__name__,
                seed=getattr(member, "seed", None),
                say=say,
                levels=levels,
                n_weights=_n_weights(member),
                bytes=sum(array.nbytes for array in member.to_state()[1].values()),
            )
        )
    return cards


def _n_weights(model: Any) -> int:
    """Weights of the trees and networks of a model and of the models inside it."""
    if hasattr(model, "n_parameters_"):
        return int(model.n_parameters_)
    if hasattr(model, "search_"):
        return sum(level.weights for level in _levels(model))
    return sum(_n_weights(member) for member in getattr(model, "members_", []))


def _inside(model: Any) -> Iterator[tuple[str, Any]]:
    """Fitted models around which this one is built, with what they are called."""
    if hasattr(model, "model_"):
        yield "model inside", model.model_
    chains = getattr(model, "members_", []) if hasattr(model, "n_parameters_") else []
    for chain in [*chains, *([model.chain_] if hasattr(model, "chain_") else [])]:
        yield f"{type(chain).__name__} inside", chain


def _settings_of_members(model: Any) -> dict[str, dict[str, Any]]:
    seen, found = [], {}
    for number, member in enumerate(model.members_ if isinstance(model, Ensemble) else ()):
        settings = _scalars(member)
        alike = (type(member), {name: value for name, value in settings.items() if name != "seed"})
        if alike not in seen:
            seen.append(alike)
            found[f"member {number}"] = settings
    return found


def _level_card(matcher: Any, level: int) -> LevelCard:
    packed, nodes = matcher.levels[level], matcher.tree.level_sizes[level]
    above = 1 if level == 0 else matcher.tree.level_sizes[level - 1]
    return LevelCard(nodes=nodes, children=nodes / above, weights=packed.n_weights, bytes=packed.nbytes)


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
    settings = part.get_params(deep=False) if hasattr(part, "get_params") else {}
    return {name: value for name, value in settings.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(_is_plain(element) for element in value)
    return value is None or isinstance(value, bool | int | float | str)
