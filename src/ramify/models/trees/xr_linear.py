"""XR-Linear: recursive linear classifiers over a label tree, searched by beam.

Hsiang-Fu Yu, Kai Zhong, Jiong Zhang, Wei-Cheng Chang, Inderjit S. Dhillon: PECOS: Prediction for Enormous and
Correlated Output Spaces, JMLR 23(98), 2022 (docs/papers.md, PECOS and XR-Linear).

Z = representation(X, Y)            one vector per label
tree = indexer(Z)                   labels grouped into clusters, recursively
W_t = train(X, Y_t, negatives)      one linear classifier per node, against its siblings
score(label) = σ(leaf) · (Π σ(node above)) ^ path_weight, σ(node) = σ(w · x + b), for the paths of the beam
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ramify.checks import COUNT, INDEXER, REPRESENTATION, SEED, THREADS, Parsed, Rules, YesNo, rules_of
from ramify.errors import InputError, damage_reported
from ramify.exchange import EXTRAS, CheckedTraining, Training
from ramify.index import FixedTree, KMeansIndexer
from ramify.kernels.predict import SearchConfig
from ramify.kernels.train import SolverConfig
from ramify.linear import KnownLeaves, TreeTrainingConfig
from ramify.linear.defaults import solver_defaults
from ramify.linear.negatives import HARD_NEGATIVE_WEIGHT, parse_negatives
from ramify.match import BeamSearch
from ramify.models.base.unit import stored_count
from ramify.models.trees.chosen import COST, DENSE_WEIGHT, ChosenOnTraining
from ramify.models.trees.indexing import MAX_LEAF, built_tree, flat_tree, is_flat
from ramify.models.trees.learning import TreeLearner, with_checked_extras
from ramify.protocols import Compute, Indexer, Representation
from ramify.values import Hybrid, LabelTree, StageProgress


class XRLinear(ChosenOnTraining):
    """A tree of linear classifiers.

    Parameters
    ----------
    representation : Representation, optional
        Label vectors for the indexer; PIFA when None.
    indexer : Indexer, optional
        Builds the tree; when None, k-means with the next three settings.
    branching : int, default 64
        Children per inner cluster.
    max_leaf : int, optional
        Maximum number of labels per leaf cluster. None: 100, or no clusters at all (one-vs-rest, ranked without beam
        search) if there are few labels (see ``indexing.is_flat``).
    cluster_iterations : int, default 20
        Maximum number of k-means iterations per cluster.
    negatives : str or sequence of str, default "tfn,tfn+man"
        Negative instances of a cluster: "tfn" (teacher forcing), "man" (matcher-aware), "own", or unions. A union is
        written "tfn+man". A single scheme is used on all levels; a list is aligned to the bottom: its last entry is
        used for the leaves ("tfn,tfn+man": matcher-aware on the leaves only).
    hard_negative_weight : float, optional
        Weight of an instance in a cluster reached only by the matcher, at most 1; None: sqrt(instances reached by
        label / instances reached only by the matcher) per level, at most 1.
    loss : {"squared-hinge", "hinge", "logistic"}, default "squared-hinge"
        Training loss of a margin.
    cost_positive, cost_negative : float, optional
        C of positive and negative instances; None: chosen on a sample of the instances (see ``linear.cost``).
    epsilon : float, optional
        Tolerance of the solver. None: 0.2 for up to 4,000 instances with a weight above 0, otherwise 0.4, or 0.6 with a
        dense block.
    max_passes : int, default 20
        Maximum number of passes of the solver.
    threshold : float, optional
        Weights with a smaller absolute value are dropped. None: 0.05 without clusters, otherwise 0.1.
    max_weights : int, default 0
        Maximum number of weights per node; 0: no limit.
    relevance : {"equal", "induced"}, default "equal"
        Weight of a positive on inner levels; "equal": 1; "induced": the sum of the weights below it.
    relevance_norm : {"none", "l1", "l2", "max"}, default "none"
        Norm by which the weights of an instance's positives are divided on each level.
    tail_cost : float, default 0.5
        Positives of label l are weighted by (1 / propensity of l)^tail_cost; larger favours rare labels. Affects the
        leaves only, unless ``relevance`` is "induced".
    tail_rank : float, default 0
        Scores are multiplied by (1 / propensity)^tail_rank; larger ranks rare labels higher. The
        scores are then only meaningful for ranking.
    beam : int, default 10
        Nodes kept per level in prediction.
    score_transform : str, default "l3-hinge"
        Transform of margins to scores: "l1-hinge" to "l4-hinge", "sigmoid", or one of these with the prefix "log-".
    path_weight : float, default 0.25
        Exponent of the score of the path above a leaf. With 1, all levels have equal weight, as in PECOS; with 0, only
        the score of the leaf is used.
    merge_copies : {"max", "mean", "sum"}, default "max"
        Score of a label with several leaves: maximum, mean or sum over its leaves that the search reaches (for log
        scores, the sum is their log-sum-exp).
    precision : {"int8", "bf16", "fp32"}, default "int8"
        Number format of the weights.
    normalize : bool, default True
        Divide each row of X by its Euclidean length in training and prediction. Rows of length 1 stay as they are. The
        blocks of a ``Hybrid`` are divided separately, then weighted.
    dense_weight : float, optional
        Weight of the dense block of a ``Hybrid`` relative to its sparse block. None: chosen on a sample of the
        instances (see ``linear.cost``), or 1 without ``normalize``.
    seed : int, default 0
        Random seed; the same seed gives the same model on one machine, for any number of threads.
    threads : int, optional
        Number of threads; None uses every CPU.

    Attributes
    ----------
    tree_ : LabelTree
        The tree of labels.
    search_ : BeamSearch
        The tree with its weights.
    cost_ : float or None
        The chosen C; None if both costs were given.
    dense_weight_ : float or None
        The weight of the dense block; None if X had none.
    normalized_rows_ : int
        Number of training rows that were scaled to length 1; 0 without ``normalize``.
    n_features_in_, n_labels_ : int
        Number of features d and of labels L.
    """

    RULES: ClassVar[Rules] = {
        "representation": REPRESENTATION,
        "indexer": INDEXER,
        **rules_of(KMeansIndexer, "branching", cluster_iterations="iterations"),
        "max_leaf": replace(COUNT, optional=True),
        "negatives": Parsed(
            partial(parse_negatives, depth=1), "tfn, man, own, unions such as tfn+man, or a list for levels"
        ),
        "hard_negative_weight": HARD_NEGATIVE_WEIGHT,
        **SolverConfig.RULES,
        "cost_positive": COST,
        "cost_negative": COST,
        "epsilon": replace(SolverConfig.RULES["epsilon"], optional=True),
        "threshold": replace(SolverConfig.RULES["threshold"], optional=True),
        **rules_of(TreeLearner, "relevance", "relevance_norm", "tail_cost", "tail_rank"),
        **rules_of(SearchConfig, "beam", "path_weight", score_transform="transform", merge_copies="copies"),
        **rules_of(TreeLearner, "precision"),
        "normalize": YesNo(),
        "dense_weight": DENSE_WEIGHT,
        "seed": SEED,
        "threads": THREADS,
    }

    FLAGS = (
        "branching",
        "max_leaf",
        "negatives",
        "tail_cost",
        "tail_rank",
        "beam",
        "path_weight",
        "precision",
        "normalize",
    )

    def __init__(
        self,
        *,
        representation: Representation | None = None,
        indexer: Indexer | None = None,
        branching: int = 64,
        max_leaf: int | None = None,
        cluster_iterations: int = 20,
        negatives: Any = "tfn,tfn+man",
        hard_negative_weight: float | None = None,
        loss: str = "squared-hinge",
        cost_positive: float | None = None,
        cost_negative: float | None = None,
        epsilon: float | None = None,
        max_passes: int = 20,
        threshold: float | None = None,
        max_weights: int = 0,
        relevance: str = "equal",
        relevance_norm: str = "none",
        tail_cost: float = 0.5,
        tail_rank: float = 0.0,
        beam: int = 10,
        score_transform: str = "l3-hinge",
        path_weight: float = 0.25,
        merge_copies: str = "max",
        precision: str = "int8",
        normalize: bool = True,
        dense_weight: float | None = None,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.representation = representation
        self.indexer = indexer
        self.branching = branching
        self.max_leaf = max_leaf
        self.cluster_iterations = cluster_iterations
        self.negatives = negatives
        self.hard_negative_weight = hard_negative_weight
        self.loss = loss
        self.cost_positive = cost_positive
        self.cost_negative = cost_negative
        self.epsilon = epsilon
        self.max_passes = max_passes
        self.threshold = threshold
        self.max_weights = max_weights
        self.relevance = relevance
        self.relevance_norm = relevance_norm
        self.tail_cost = tail_cost
        self.tail_rank = tail_rank
        self.beam = beam
        self.score_transform = score_transform
        self.path_weight = path_weight
        self.merge_copies = merge_copies
        self.precision = precision
        self.normalize = normalize
        self.dense_weight = dense_weight
        self.seed = seed
        self.threads = threads

    def fit(
        self,
        X: Any,
        Y: Any,
        *,
        sample_weight: npt.ArrayLike | None = None,
        relevance: Any = None,
        own_negatives: Any = None,
        visits: Any = None,
        progress: StageProgress | None = None,
        compute: Compute | None = None,
    ) -> XRLinear:
        """Build the tree and train the weights.

        Parameters
        ----------
        X : sparse or dense matrix, or Hybrid, shape (n, d)
            Features.
        Y : sparse or dense matrix, shape (n, L)
            Label assignments; entries above 0 are positive.
        sample_weight : array, shape (n,), optional
            Factor of the training loss of each instance; an instance with 0 is still used for the clustering.
        relevance : matrix, shape (n, L), optional
            Weight of each positive; 1 for positives without an entry.
        own_negatives : matrix, shape (n, L), optional
            Non-zero entries mark the labels that an instance is a negative for, for negatives "own".
        visits : matrix, shape (n, clusters above the leaves), optional
            For an ``indexer`` whose tree has several leaves per label: the clusters, among those of its labels, that an
            instance is a positive of; all when None.
        progress : callable, optional
            Called with (stage, share done).
        compute : Compute, optional
            Where the classifiers are trained, such as ``scale.Cluster``; the model does not depend on it.

        Raises
        ------
        InputError
            Settings or data out of range; the message names them.
        """
        return self.fit_training(
            Training(
                X=X,
                Y=Y,
                sample_weight=sample_weight,
                relevance=relevance,
                own_negatives=own_negatives,
                visits=visits,
                progress=progress,
                compute=compute,
            )
        )

    @property
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return super().abilities | {*EXTRAS, "hybrid", "refitted", "regrown", "above_leaves"}

    def _learn(self, training: CheckedTraining) -> None:
        training = with_checked_extras(training)
        weight = self.chosen_dense_weight(training)
        training = self.with_blocks(training, weight)
        cost = self.chosen_cost(training)
        learner = self._learner(cost, self._defaults(training))
        search = learner.learn(training, self._index(training))
        self._set_search(search)
        self.cost_, self.dense_weight_ = cost, weight

    def refitted(self, training: Training) -> XRLinear:
        """A new model of the same settings, with the chosen C and weight of the dense block, trained on other data."""
        check_is_fitted(self)
        again: XRLinear = clone(self)
        costs = {name: self.cost_ for name in ("cost_positive", "cost_negative") if getattr(self, name) is None}
        again.set_params(**costs if self.cost_ is not None else {})
        if self.dense_weight_ is not None and self.normalize:
            again.set_params(dense_weight=self.dense_weight_)
        if self.indexer is None and self.max_leaf is None:  # the same shape, also with fewer instances
            again.set_params(max_leaf=self.n_labels_ if self.tree_.depth == 1 else MAX_LEAF)
        return again.fit_training(training)

    def regrown(
        self, tree: LabelTree, X: Any, Y: Any, *, threads: int | None = None, progress: StageProgress | None = None
    ) -> XRLinear:
        """A model of another tree that keeps the classifiers of leaves which stay in their cluster.

        Clusters and new leaves are trained. All leaves are trained if the clusters of the two trees differ.

        Parameters
        ----------
        tree : LabelTree
            The new tree.
        X, Y, threads, progress
            As in ``fit``; the instances must be those that this model was trained on.

        Raises
        ------
        InputError
            As in ``fit``; or a different number of features or labels than in the model.
        """
        check_is_fitted(self)
        again: XRLinear = clone(self).set_params(indexer=FixedTree(tree))
        again.check_settings()
        training = again._checked_training(Training(X=X, Y=Y, threads=threads, progress=progress))
        (_, n_features), (_, n_labels) = training.X.shape, training.Y.shape
        n_dense = training.X.n_dense if isinstance(training.X, Hybrid) else 0
        if (n_features, n_dense) != (self.n_features_in_, self.search_.n_dense):
            raise InputError(
                f"X has {n_features} features, but the model has {self.n_features_in_}: give the training data"
            )
        if not tree.n_labels == n_labels == self.n_labels_:
            raise InputError(
                f"tree and Y have {tree.n_labels} and {n_labels} labels, but the model has {self.n_labels_}"
            )
        before = self.tree_.parents[:-1]
        same = len(before) == tree.depth - 1 and all(map(np.array_equal, before, tree.parents[:-1]))
        known = KnownLeaves(self.tree_, self.search_.weights(tree.depth - 1)) if same else None
        again.cost_, again.dense_weight_ = self.cost_, self.dense_weight_
        training = again.with_blocks(training, again.dense_weight_)
        return again._set_search(again._learner(self.cost_, self._defaults(training)).learn(training, tree, known))

    def _with_search(self, matcher: BeamSearch) -> XRLinear:
        model: XRLinear = super()._with_search(matcher)
        model.cost_, model.dense_weight_ = self.cost_, self.dense_weight_
        return model

    def above_leaves(self) -> XRLinear:
        """An unfitted model of the clusters above the leaves, with the upper levels and settings of this model."""
        schemes = self.negatives.split(",") if isinstance(self.negatives, str) else list(self.negatives)
        parents, n_clusters = self.tree_.parents[:-1], self.tree_.level_sizes[-2]
        clusters = LabelTree(parents, np.arange(n_clusters, dtype=np.int32), n_clusters)
        upper: XRLinear = clone(self)
        upper.set_params(indexer=FixedTree(clusters), negatives=schemes[:-1] or schemes)
        upper.set_params(path_weight=1.0, tail_cost=0.0, tail_rank=0.0, dense_weight=self.dense_weight_)
        return upper

    def _learner(self, cost: float | None, defaults: dict[str, float]) -> TreeLearner:
        config = TreeTrainingConfig(
            solver=self._solver(1.0 if cost is None else cost, defaults),
            negatives=self.negatives,
            search=self._search_config(),
            hard_negative_weight=self.hard_negative_weight,
        )
        return TreeLearner(config=config, **{name: getattr(self, name) for name in TreeLearner.RULES})

    def _index(self, training: CheckedTraining) -> LabelTree:
        if self.indexer is None and is_flat(training, self.max_leaf):
            return flat_tree(training)
        indexer = self.indexer or KMeansIndexer(
            branching=self.branching, max_leaf=self.max_leaf or MAX_LEAF, iterations=self.cluster_iterations
        )
        return built_tree(training, indexer, self.representation)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory; without representation and indexer, which only training uses."""
        check_is_fitted(self)
        settings = self._plain_settings()
        settings.pop("representation")
        settings.pop("indexer")
        matcher, arrays = self.search_.to_state()
        config = {"settings": settings, "cost": self.cost_, "matcher": matcher}
        if self.dense_weight_ is not None:
            config["dense_weight"] = self.dense_weight_
        return config | {"normalized_rows": self.normalized_rows_}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> XRLinear:
        """Restore the model from a model directory.

        Raises
        ------
        ModelFileError
            Invalid settings or arrays.
        """
        with damage_reported("the model's settings are"):
            model = cls(**config["settings"])
            model.check_settings()
            model.cost_ = COST.check("cost", config.get("cost"))
            model.dense_weight_ = DENSE_WEIGHT.check("dense_weight", config.get("dense_weight"))
            model._learner(model.cost_, solver_defaults(1, flat=False))
            model.normalized_rows_ = stored_count(config)
            matcher = BeamSearch.from_state(config["matcher"], arrays)
        return model._with_search(matcher)
