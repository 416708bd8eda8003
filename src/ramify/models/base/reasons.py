"""Reasons of a score: values that a model's ``reasons(request, labels)`` returns, in columns of X and label ids.

A model with the ability "reasons" has the method

    reasons(request, labels)    a list with one list per instance: the ``Reason`` of each label

``request.k`` is the number of labels of the prediction that is explained: members of an ensemble rank as many labels as
for that prediction. The score of a reason is that of the prediction; ``ranked`` is False where the prediction does not
reach the label. ``tagger.explain`` names columns and labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ramify.errors import InputError
from ramify.exchange import Request
from ramify.models.base.adapter import as_model, own_method
from ramify.models.base.name_reasons import NameReason
from ramify.values import Float64, Int32


@dataclass(frozen=True, kw_only=True, eq=False)
class NodeReason:
    """One linear classifier: margin = bias + Σ contributions + dense.

    Parameters
    ----------
    level, node : int
        Level and node number as in ``LabelTree``.
    labels : int32 array
        Labels of the leaves below the node; one for a leaf.
    bias : float
        Intercept of the classifier.
    columns : int32 array, shape (n,)
        Sparse columns of X with a value and a weight other than 0.
    contributions : float64 array, shape (n,)
        Value times weight of each column.
    dense : float or None
        Contribution of the dense block as a whole; None without one.
    margin : float
        The sum.
    score : float
        The transformed margin, 0 to 1.
    """

    level: int
    node: int
    labels: Int32
    bias: float
    columns: Int32
    contributions: Float64
    dense: float | None
    margin: float
    score: float


@dataclass(frozen=True, kw_only=True, eq=False)
class PathReason:
    """One leaf of a label: score = leaf score × (product of the scores above) ^ path_weight × label factor.

    Parameters
    ----------
    leaf : int
        Number of the leaf.
    nodes : tuple of NodeReason
        From the top level to the leaf.
    score : float
        Score of the leaf, with the label factor; a logarithm where the model reports logarithms.
    reached : bool
        Whether the beam search of the prediction reaches the leaf.
    """

    leaf: int
    nodes: tuple[NodeReason, ...]
    score: float
    reached: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class TreeReason:
    """The score of a label in a tree of linear classifiers.

    Parameters
    ----------
    paths : tuple of PathReason
        One per leaf of the label: leaves that the search reaches first, then by score. Empty for a label without leaf.
    transform : str
        Name of the transform of margins (``SearchConfig.transform``).
    path_weight : float
        Exponent of the score above the leaf.
    copies : {"max", "mean", "sum"}
        How the scores of the reached leaves become that of the label.
    factor : float
        Factor of the label (``tail_rank``); 1 without one.
    score : float
        Score of the label.
    ranked : bool
        Whether the prediction reaches the label.
    """

    paths: tuple[PathReason, ...]
    transform: str
    path_weight: float
    copies: str
    factor: float
    score: float
    ranked: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class MemberReason:
    """One member of a mixture.

    Parameters
    ----------
    name, model : str
        Name within the mixture, such as "member0", and class name.
    weight : float
        Weight of the member, as a share of 1.
    rank : int or None
        Rank of the label among the member's candidates, from 1; None if it is not among them.
    score : float or None
        The member's score of the label; None if it is not among its candidates.
    value : float
        What the score counts in the mixture, before the weight; 0 for a label that is not among the candidates.
    part : float
        weight × value: the member's part of the score.
    reason : Reason or None
        Reason of the member's score; None for a member without reasons.
    """

    name: str
    model: str
    weight: float
    rank: int | None
    score: float | None
    value: float
    part: float
    reason: Reason | None


@dataclass(frozen=True, kw_only=True, eq=False)
class MixtureReason:
    """The score of a label in a mixture: (Σ parts of the members) × factor.

    Parameters
    ----------
    members : tuple of MemberReason
        In the order of the mixture.
    combine : str
        How a score becomes a value (``Ensemble.combine``).
    factor : float
        Factor of the label (``tail_rank`` of a ``Blend``); 1 without one.
    score : float
        Score of the label.
    ranked : bool
        Whether a member ranks the label among its candidates.
    """

    members: tuple[MemberReason, ...]
    combine: str
    factor: float
    score: float
    ranked: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Vote:
    """One neighbour that voted.

    Parameters
    ----------
    point : int
        Number of the training instance, or of the stored vector, from 0.
    similarity : float
        Its cosine similarity.
    weight : float
        Weight of its vote; the weights of all neighbours sum to 1.
    part : float
        Part of the score: weight × the neighbour's vote for the label; 0 if it has another label.
    labels : int32 array
        All labels that it votes for.
    """

    point: int
    similarity: float
    weight: float
    part: float
    labels: Int32


@dataclass(frozen=True, kw_only=True, eq=False)
class VoteReason:
    """The score of a label as a vote: score = Σ parts of the neighbours.

    Parameters
    ----------
    votes : tuple of Vote
        Neighbours by descending similarity.
    points : {"document", "vector", "label"}
        What the points are: training documents, vectors of one or more equal training documents, or label vectors.
    power : float
        weight = similarity ^ power / sum over the neighbours.
    columns : int32 array, shape (n,)
        Columns of X that the voting neighbours share.
    contributions : float64 array, shape (n,)
        Part of the score of each column: each vote is divided in the ratio of the columns' products in the similarity.
    score : float
        Score of the label; the sum of the contributions.
    ranked : bool
        Whether a neighbour votes for the label.
    """

    votes: tuple[Vote, ...]
    points: str
    power: float
    columns: Int32
    contributions: Float64
    score: float
    ranked: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class CosineReason:
    """Cosine of instance and label vector: score = Σ contributions, at least 0.

    Parameters
    ----------
    columns : int32 array, shape (n,)
        Columns that both have.
    contributions : float64 array, shape (n,)
        Products of the values.
    score : float
        Score of the label.
    ranked : bool
        True.
    """

    columns: Int32
    contributions: Float64
    score: float
    ranked: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class ClusterReason:
    """A cluster with the label that the matcher returns.

    Parameters
    ----------
    cluster : int
        Number of the cluster.
    labels : int32 array
        All labels of the cluster.
    score : float
        Its score.
    reason : Reason or None
        Reason of the matcher; None for a matcher without reasons.
    """

    cluster: int
    labels: Int32
    score: float
    reason: Reason | None


@dataclass(frozen=True, kw_only=True, eq=False)
class StagesReason:
    """The score of a label by matcher and ranker: (mean score of its matched clusters) ^ path_weight × rank.

    Parameters
    ----------
    clusters : tuple of ClusterReason
        Matched clusters with the label; empty if the matcher returns none.
    path_weight : float
        Exponent of the matcher's score.
    rank : float
        Score by the ranker.
    ranker : Reason or None
        Reason of the ranker's score.
    score : float
        Score of the label; 0 if no cluster with the label is matched.
    ranked : bool
        Whether such a cluster is matched.
    """

    clusters: tuple[ClusterReason, ...]
    path_weight: float
    rank: float
    ranker: Reason | None
    score: float
    ranked: bool


Reason: TypeAlias = TreeReason | MixtureReason | VoteReason | CosineReason | StagesReason | NameReason

Reasons: TypeAlias = list[Sequence[Reason]]
"""Per instance the reason of each label."""

ReasonsMethod: TypeAlias = Callable[[Request, Sequence[int]], Reasons]


class NoReasonsError(InputError):
    """A model has no reasons, because its scores do not depend on the instance."""


def reasons_inside(model: Any, request: Request, labels: Sequence[int]) -> Reasons | None:
    """The reasons of a model inside another; None for a model without reasons."""
    method = reasons_of(model)
    try:
        return None if method is None else method(request, labels)
    except NoReasonsError:
        return None


def reasons_of(model: Any) -> ReasonsMethod | None:
    """The method ``reasons`` of a model; None without it, or if a subclass overrides the prediction only."""
    if "reasons" not in as_model(model).abilities:
        return None
    method: ReasonsMethod | None = own_method(model, "reasons")
    return method


def strengths(reason: Reason) -> list[tuple[Int32, Float64]]:
    """Columns of X with the strength of each, in parts that are to be added.

    Linear classifiers: contributions to the margin of the best leaf, and path_weight times those to the margins above.
    Votes and cosines: parts of the score. Members of a mixture are multiplied by their weight.
    """
    return _weighted(reason, 1.0)


def _weighted(reason: Reason, weight: float) -> list[tuple[Int32, Float64]]:
    if isinstance(reason, TreeReason):
        nodes = reason.paths[0].nodes if reason.paths else ()
        scales = [weight * reason.path_weight] * (len(nodes) - 1) + [weight]
        return [(node.columns, scale * node.contributions) for node, scale in zip(nodes, scales, strict=False) if scale]
    if isinstance(reason, MixtureReason):
        known = [(one.reason, one.weight) for one in reason.members if one.reason is not None]
        return [part for inner, share in known for part in _weighted(inner, weight * share)]
    if isinstance(reason, StagesReason):
        share = weight * reason.path_weight / max(1, len(reason.clusters))
        inside = [(one.reason, share) for one in reason.clusters] + [(reason.ranker, weight)]
        return [part for inner, scale in inside if inner is not None for part in _weighted(inner, scale)]
    return [] if isinstance(reason, NameReason) else [(reason.columns, weight * reason.contributions)]


def name_places(reason: Reason | None) -> list[tuple[int, int, float]]:
    """(begin, end, strength) of names of the label in the text, to be added to ``strengths``."""
    if isinstance(reason, MixtureReason):
        parts = ((one.weight, name_places(one.reason)) for one in reason.members)
        return [(begin, end, weight * part) for weight, places in parts for begin, end, part in places]
    return reason.places() if isinstance(reason, NameReason) else []


def dense_strength(reason: Reason, like: Reason) -> float | None:
    """The strength of the dense block, weighted as in ``strengths``; None without one.

    Parameters
    ----------
    reason : Reason
        Of any instance.
    like : Reason
        The reason of the same label whose best leaves are used.
    """
    parts = _dense_parts(reason, like, 1.0)
    return float(np.sum(parts)) if parts else None


def _dense_parts(reason: Reason, like: Reason, weight: float) -> list[float]:
    if isinstance(reason, TreeReason) and isinstance(like, TreeReason):
        if not like.paths:
            return []
        [path] = [path for path in reason.paths if path.leaf == like.paths[0].leaf]
        scales = [weight * reason.path_weight] * (len(path.nodes) - 1) + [weight]
        return [s * node.dense for node, s in zip(path.nodes, scales, strict=True) if node.dense is not None]
    if isinstance(reason, MixtureReason) and isinstance(like, MixtureReason):
        pairs = zip(reason.members, like.members, strict=True)
        known = [(a.reason, b.reason, a.weight) for a, b in pairs if a.reason is not None and b.reason is not None]
        return [part for one, other, share in known for part in _dense_parts(one, other, weight * share)]
    if isinstance(reason, StagesReason) and isinstance(like, StagesReason) and reason.ranker and like.ranker:
        return _dense_parts(reason.ranker, like.ranker, weight)
    return []
