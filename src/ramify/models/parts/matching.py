"""Matchers: a model over the clusters of a tree, or an object that receives the whole tree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.exchange import Request, Sizes
from ramify.index.overlap import clusters_of
from ramify.models.base.adapter import as_model
from ramify.protocols import Matcher, MatchingProblem
from ramify.values import CSR, Features, Float32, Hybrid, LabelTree, TopK


def as_matcher(part: Any, known: Sizes | None = None) -> Matcher:
    """The object itself if it has ``fit_matching`` and ``match``; otherwise a ``ModelMatcher`` around it."""
    kind = type(part)
    return part if hasattr(kind, "fit_matching") and hasattr(kind, "match") else ModelMatcher(part, known)


@dataclass(frozen=True)
class ModelMatcher:
    """A model as a matcher: its labels are the clusters above the leaves.

    Parameters
    ----------
    model : object
        A ``Model``, or an object with ``fit(X, Y)`` and ``predict_topk(X, k)``.
    known : Sizes, optional
        Number of features and clusters, for an object without ``size``.
    """

    model: Any
    known: Sizes | None = None

    def fit_matching(self, problem: MatchingProblem) -> Any:
        """Train the model on the clusters of each instance.

        Raises
        ------
        InputError
            A model that needs label names.
        """
        model = as_model(self.model)
        if "label_names" in model.needs:
            raise InputError(
                f"the matcher {type(self.model).__name__} needs label_names, but ranks clusters, which have none: "
                "give a matcher that needs X or texts only"
            )
        return model.fit_training(replace(problem.training, Y=problem.targets[-1], label_names=None))

    def match(self, request: Request) -> tuple[TopK, Float32 | None]:
        """The best clusters, and None: there are no features for the ranker."""
        return as_model(self.model, self.known).answer(request), None


def cluster_targets(Y: CSR, tree: LabelTree) -> tuple[CSR, ...]:
    """Ancestors of each instance's labels: 0/1 matrices (n, nodes) per level above the leaves, from the top."""
    targets = [sp.csr_matrix(Y @ clusters_of(tree))]
    for level in range(tree.depth - 2, 0, -1):
        targets.insert(0, sp.csr_matrix(targets[0] @ tree.membership(level)))
    for matrix in targets:
        matrix.data[:] = 1
    return tuple(targets)


def ranker_features(X: Features, embeddings: Float32 | None) -> Features:
    """Features for the ranker, shape (n, d + m): X, followed by the m columns of the matcher as a dense block."""
    if embeddings is None:
        return X
    if isinstance(X, Hybrid):
        return Hybrid(X.sparse, np.hstack([X.scaled_dense(), embeddings]))
    return Hybrid(X, embeddings)
