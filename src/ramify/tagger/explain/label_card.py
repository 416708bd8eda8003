"""The paths of a label in a tree, with the features of highest weight; one sense per leaf of the label."""

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
from ramify.values import CSR, Dataset, Float64, LabelTree, as_features

NAMED = 10
"""Default maximum number of features and siblings."""

EXAMPLES = 3
"""Default maximum number of example documents per sense."""


@dataclass(frozen=True, kw_only=True)
class NodeCard:
    """One node on the path to a label.

    Parameters
    ----------
    level, node : int
        Level and node number as in ``LabelTree``.
    labels : int
        Number of leaves below the node.
    features : list of (str, float)
        Features with the largest positive weights in the node's classifier, with these weights.
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
        Nodes from the top level to the leaf.
    siblings : list of str
        Labels in the same cluster.
    examples : list of (int, float)
        Documents with the label whose score is highest at this leaf: row number in the data, and score.
    """

    path: list[NodeCard]
    siblings: list[str]
    examples: list[tuple[int, float]]


@dataclass(frozen=True, kw_only=True)
class LabelCard:
    """One label of a model.

    Parameters
    ----------
    name : str
        Label name.
    number : int
        Label id.
    documents : int or None
        Number of training documents; None if unknown.
    senses : list of SenseCard
        Leaves of the label; empty if it is not in the tree.
    """

    name: str
    number: int
    documents: int | None
    senses: list[SenseCard]

    def as_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return asdict(self)


def describe_label(
    tagger: Tagger, name: str, *, n_features: int = NAMED, data: Dataset | None = None, n_examples: int = EXAMPLES
) -> LabelCard:
    """The paths of a label in the tree, the features of each node, and example documents of each sense.

    Parameters
    ----------
    tagger : Tagger
        A fitted tagger whose model has a tree with classifiers.
    name : str
        Name or identifier of the label.
    n_features : int, default 10
        Maximum number of features per node.
    data : Dataset, optional
        Labelled documents from which examples are selected; labels are matched by name.
    n_examples : int, default 3
        Maximum number of documents per sense.

    Raises
    ------
    InputError
        An unknown label; the message suggests the nearest one. Or data in which no document has the label.
    """
    [label] = tagger.label_ids([name])
    name = tagger.label_names_[label]  # the argument may be its identifier
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
    """Labels whose leaves have the most different classifiers.

    Parameters
    ----------
    tagger : Tagger
        A fitted tagger whose model has a tree with classifiers.
    count : int, default 10
        Maximum number of labels.

    Returns
    -------
    list of (str, int, float)
        Name, number of leaves, and the minimum cosine of the weights of two leaves, in ascending order of the cosine;
        only labels with several leaves.
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
    """Documents with the highest scores at each leaf of the label."""
    [label] = tagger.label_ids([name])
    data = named_by(tagger, data)
    names = list(data.label_names)
    if name not in names:
        raise InputError(f"no document of the data has the label {name!r}: give data that use it")
    rows = np.flatnonzero(np.asarray(data.Y[:, [names.index(name)]].todense()).ravel()).tolist()
    texts = as_features(data.X)[rows] if data.texts is None else [data.texts[row] for row in rows]
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
