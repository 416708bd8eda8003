"""One linear classifier per label, trained against the other labels of its cluster on the cluster's instances."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ramify.checks import Checked, OneOf, Parsed, Rules, rules_of
from ramify.errors import InputError, damage_reported
from ramify.exchange import Sizes
from ramify.kernels.predict import TRANSFORMS, SearchConfig
from ramify.kernels.train import LevelProblem, SolverConfig, train
from ramify.linear.negatives import HARD_NEGATIVE_WEIGHT, parse_negatives, training_rows
from ramify.match import BeamSearch
from ramify.models.base.reasons import TreeReason
from ramify.models.trees.path_reasons import tree_reason
from ramify.protocols import RankingProblem
from ramify.values import CSR, Features, LabelTree
from ramify.weights import PRECISIONS, Blocks, LevelWeights


def _ranker_negatives(negatives: Any) -> frozenset[str]:
    """The schemes; InputError if they are unknown, or need ``own_negatives``, which a ranker does not receive."""
    [schemes] = parse_negatives(negatives, 1)
    if "own" in schemes:
        raise InputError(
            'negatives contains "own", but a ranker does not receive own_negatives: use tfn, man or tfn+man'
        )
    return schemes


class LinearRanker(Checked, BaseEstimator):  # type: ignore[misc]
    """The leaf classifiers of ``XRLinear`` as a separate ranker.

    Parameters
    ----------
    negatives : str, default "tfn+man"
        Training instances of a cluster's classifiers; "tfn": those with a label in the cluster; "man": those for which
        the matcher returns the cluster; "tfn+man": both.
    hard_negative_weight : float, optional
        Weight of an instance in a cluster that only the matcher returns, at most 1; None: as in ``XRLinear``.
    cost : float, default 1
        C of the solver.
    epsilon : float, default 0.4
        Tolerance of the solver.
    threshold : float, default 0.1
        Weights with a smaller absolute value are dropped.
    score_transform : str, default "l3-hinge"
        Transform of margins to scores in 0..1.
    precision : {"int8", "bf16", "fp32"}, default "int8"
        Number format of the weights.
    """

    RULES: ClassVar[Rules] = {
        "negatives": Parsed(_ranker_negatives, "tfn, man or tfn+man"),
        "hard_negative_weight": HARD_NEGATIVE_WEIGHT,
        **rules_of(SolverConfig, "epsilon", "threshold", cost="cost_positive"),
        "score_transform": OneOf(TRANSFORMS),
        "precision": OneOf(PRECISIONS),
    }

    def __init__(
        self,
        *,
        negatives: str = "tfn+man",
        hard_negative_weight: float | None = None,
        cost: float = 1.0,
        epsilon: float = 0.4,
        threshold: float = 0.1,
        score_transform: str = "l3-hinge",
        precision: str = "int8",
    ) -> None:
        self.negatives = negatives
        self.hard_negative_weight = hard_negative_weight
        self.cost = cost
        self.epsilon = epsilon
        self.threshold = threshold
        self.score_transform = score_transform
        self.precision = precision

    def fit(self, problem: RankingProblem, /, *, seed: int = 0, threads: int = 1) -> LinearRanker:
        """Train the classifiers of all labels.

        Raises
        ------
        InputError
            Settings out of range.
        """
        schemes, solver = self._settings()
        tree = problem.tree
        targets, clusters = sp.csr_matrix(problem.Y @ tree.leaf_matrix()), tree.membership(1)
        matched = problem.reached if "man" in schemes else None
        above = sp.csr_matrix(targets @ clusters)
        rows = training_rows(above, matched, tfn="tfn" in schemes, weight=self.hard_negative_weight)
        positives = sp.csr_matrix(targets.T)
        positives.sort_indices()
        leaves = LevelProblem(Blocks.of(tree, 1), rows, positives)
        [weights] = train(problem.X, [leaves], solver, seed=seed, threads=threads)
        self.search_ = BeamSearch.of(tree, [_no_weights(tree, weights), weights], self.precision)
        return self

    def _settings(self) -> tuple[frozenset[str], SolverConfig]:
        self.check_settings()
        schemes = _ranker_negatives(self.negatives)
        solver = SolverConfig(
            cost_positive=self.cost, cost_negative=self.cost, epsilon=self.epsilon, threshold=self.threshold
        )
        return schemes, solver

    def _search_config(self) -> SearchConfig:
        return SearchConfig(transform=self.score_transform)

    def size(self) -> Sizes:
        """Sizes of the fitted ranker."""
        search = self.search_
        weights = sum(level.weights for level in search.level_sizes())
        return Sizes(features=search.n_features, labels=search.tree.n_labels, weights=weights)

    def rank(self, X: CSR, candidates: CSR, /, *, threads: int = 1) -> CSR:
        """Scores of the stored entries of ``candidates``, shape (n, L); 0 for a label in no cluster."""
        check_is_fitted(self)
        scored = self.search_.scores(X, candidates, self._search_config(), threads=threads)
        scored.data = np.where(np.isfinite(scored.data), scored.data, np.float32(0))
        return scored

    def reason(self, X: Features, label: int) -> TreeReason:
        """Contributions of the features to the margin of a label for one instance: see ``models.base.reasons``."""
        check_is_fitted(self)
        whole = tree_reason(self.search_, X, label, self._search_config(), free=False)
        leaves = tuple(replace(path, nodes=path.nodes[-1:]) for path in whole.paths)  # the matcher scored the others
        return replace(whole, paths=leaves, score=max(whole.score, 0.0))

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        matcher, arrays = self.search_.to_state()
        return {"settings": self.get_params(deep=False), "matcher": matcher}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> LinearRanker:
        """Restore the ranker from a model directory.

        Raises
        ------
        ModelFileError
            Invalid settings or arrays.
        """
        with damage_reported("the ranker is"):
            ranker = cls(**config["settings"])
            ranker._settings()
            ranker.search_ = BeamSearch.from_state(config["matcher"], arrays)
        return ranker


def _no_weights(tree: LabelTree, leaves: LevelWeights) -> LevelWeights:
    """Level of clusters whose score is 1 for every instance, because the matcher has scored them already."""
    n_clusters, n_dense = tree.level_sizes[0], leaves.n_dense
    blocks, nothing = Blocks.of(tree, 0), np.empty(0, np.int32)
    return LevelWeights(
        blocks=blocks,
        n_features=leaves.n_features,
        block_rows=np.zeros(len(blocks.begin), np.int64),
        features=nothing,
        row_entries=np.zeros(1, np.int64),
        children=np.empty(0, np.uint8),
        values=np.empty(0, np.float32),
        bias=np.full(n_clusters, 1e4, np.float32),
        dense=np.zeros((n_clusters, n_dense), np.float32) if n_dense else None,
    )
