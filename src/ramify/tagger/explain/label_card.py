"""Where a label stands in a tree, and why: for a label with several leaves, each of its senses."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.features import Tfidf
from ramify.label_vectors import unit_vectors
from ramify.tagger.assessment import named_by
from ramify.tagger.tagger import Tagger
from ramify.values import CSR, Dataset, Float64, LabelTree, as_csr

NAMED = 10
"""Features and siblings named at most, unless asked for more."""

EXAMPLES = 3
"""Documents shown per sense."""


@dataclass(frozen=True, kw_only=True)
class NodeCard:
    """One node on the path to a label.

    Parameters
    ----------
    level, node : int
        As in ``LabelTree``.
    labels : int
        Leaves below.
    features : list of (str, float)
        What speaks most for it against its siblings, with the weights.
    """

    level: int
    node: int
    labels: int
    features: list[tuple[str, float]]


@dataclass(frozen=True, kw_only=True)
class SenseCard:
    """One leaf of a label.

    Parameters
    ----------
    path : list of NodeCard
        From the top.
    siblings : list of str
        Labels in the same cluster.
    examples : list of (int, float)
        Documents that have the label and suit this leaf better than its others: their number in the data given, and
        their score.
    """

    path: list[NodeCard]
    siblings: list[str]
    examples: list[tuple[int, float]]


@dataclass(frozen=True, kw_only=True)
class LabelCard:
    """One label within a model.

    Parameters
    ----------
    name : str
    number : int
        Its id.
    documents : int or None
        Training documents; None where not known.
    senses : list of SenseCard
        Its leaves; none where it is not in the tree.
    """

    name: str
    number: int
    documents: int | None
    senses: list[SenseCard]

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def describe_label(
    tagger: Tagger, name: str, *, n_features: int = NAMED, data: Dataset | None = None, n_examples: int = EXAMPLES
) -> LabelCard:
    """Where a label stands in the tree, which features lead to it, and which documents are of which sense.

    Parameters
    ----------
    tagger : Tagger
        Fitted, with a model over a tree.
    name : str
        The label.
    n_features : int, default 10
        Features named per node.
    data : Dataset, optional
        Labelled documents to take examples from; their labels go by their names.
    n_examples : int, default 3
        Documents per sense at most.

    Raises
    ------
    InputError
        An unknown label; the sentence suggests the nearest.
    """
    [label] = tagger.label_ids([name])
    name = tagger.label_names_[label]  # also where its identifier was given
    tree = tagger.model_.search_.tree
    leaves = np.flatnonzero(tree.leaf_labels == label).tolist()
    examples = [[] for _ in leaves] if data is None else _examples(tagger, name, data, n_examples)
    counts = tagger.label_counts_
    return LabelCard(
        name=name,
        number=label,
        documents=None if counts is None else int(counts[label]),
        senses=[
            SenseCard(
                path=_path(tagger, leaf, n_features),
                siblings=[tagger.label_names_[other] for other in _siblings(tree, leaf) if other != label],
                examples=own,
            )
            for leaf, own in zip(leaves, examples, strict=True)
        ],
    )


def ambiguous_labels(tagger: Tagger, count: int = NAMED) -> list[tuple[str, int, float]]:
    """Labels whose leaves look for the most different things.

    Parameters
    ----------
    tagger : Tagger
        Fitted, with a model over a tree.
    count : int, default 10
        Labels named at most.

    Returns
    -------
    list of (str, int, float)
        Name, leaves, and the least cosine of two leaves' weights, the least first; only labels with several leaves.
    """
    matcher = tagger.model_.search_
    leaf_labels = matcher.tree.leaf_labels
    order = np.argsort(leaf_labels, kind="stable")
    labels, first, n_leaves = np.unique(leaf_labels[order], return_index=True, return_counts=True)
    several = np.flatnonzero(n_leaves > 1)
    W = unit_vectors(sp.csr_matrix(matcher.weights(matcher.tree.depth - 1).matrix().T))
    alike = [_least_cosine(W[order[first[at] : first[at] + n_leaves[at]]]) for at in several]
    best = np.argsort(alike, kind="stable")[:count]
    names = [tagger.label_names_[label] for label in labels[several[best]].tolist()]
    cosines = [round(float(alike[at]), 4) for at in best]
    return list(zip(names, n_leaves[several[best]].tolist(), cosines, strict=True))


def _least_cosine(W: CSR) -> float:
    cosines: Float64 = np.asarray((W @ W.T).toarray(), np.float64)
    return float(cosines[np.triu_indices(len(cosines), 1)].min())


def _examples(tagger: Tagger, name: str, data: Dataset, count: int) -> list[list[tuple[int, float]]]:
    """Per leaf of the label the documents that suit it most."""
    [label] = tagger.label_ids([name])
    data = named_by(tagger, data)
    names = list(data.label_names)
    if name not in names:
        raise InputError(f"no document of the data has the label {name!r}: give data that use it")
    rows = np.flatnonzero(np.asarray(data.Y[:, [names.index(name)]].todense()).ravel()).tolist()
    texts = as_csr(data.X)[rows] if data.texts is None else [data.texts[row] for row in rows]
    scores = tagger.model_.leaf_scores(tagger.features(texts), label)
    found = []
    for sense in range(scores.shape[1]):
        own = np.flatnonzero(scores.argmax(axis=1) == sense)
        best = own[np.argsort(-scores[own, sense], kind="stable")][:count]
        found.append([(rows[at], round(float(scores[at, sense]), 4)) for at in best.tolist()])
    return found


def _siblings(tree: LabelTree, leaf: int) -> list[int]:
    level = tree.depth - 1
    parent = tree.parents[level][leaf]
    first, last = tree.first_children(level)[parent : parent + 2].tolist()
    siblings: list[int] = tree.leaf_labels[first:last].tolist()
    return siblings


def _path(tagger: Tagger, leaf: int, n_features: int) -> list[NodeCard]:
    tree = tagger.model_.search_.tree
    nodes, node = [leaf], leaf
    for level in range(tree.depth - 1, 0, -1):
        node = int(tree.parents[level][node])
        nodes.insert(0, node)
    return [
        NodeCard(
            level=level,
            node=node,
            labels=_leaves_below(tree, level, node),
            features=_strongest(tagger, level, node, n_features),
        )
        for level, node in enumerate(nodes)
    ]


def _leaves_below(tree: LabelTree, level: int, node: int) -> int:
    first, last = node, node + 1
    for below in range(level + 1, tree.depth):
        pointers = tree.first_children(below)
        first, last = int(pointers[first]), int(pointers[last])
    return last - first


def _strongest(tagger: Tagger, level: int, node: int, count: int) -> list[tuple[str, float]]:
    matcher, first = tagger.model_.search_, 0
    if level > 0:  # unpack only the siblings
        parent = int(matcher.tree.parents[level][node])
        first = int(matcher.tree.first_children(level)[parent])
        matcher = matcher.subtree(level - 1, parent)
    column = matcher.weights(0).matrix()[:, [node - first]].tocoo()
    best = np.argsort(-column.data, kind="stable")[:count]
    best = best[column.data[best] > 0]
    return [
        (_feature_name(tagger, int(column.row[place])), round(float(column.data[place]), 4)) for place in best.tolist()
    ]


def _feature_name(tagger: Tagger, column: int) -> str:
    vectorizer, columns = tagger.vectorizer_, tagger.columns_
    feature = column if columns is None else columns.number(column)
    if isinstance(vectorizer, Tfidf):
        return vectorizer.vocabulary_[feature]
    if hasattr(vectorizer, "get_feature_names_out"):
        return str(vectorizer.get_feature_names_out()[feature])
    return f"feature {feature}"
