"""PECOS's frame with every stage open (PAPERS §1): index, match, rank.

Z        = representation(X, Y)                      one vector per label
clusters = indexer(Z)                                 the leaves' parents in its tree
M        = matcher.fit(X, Y · C), ranked clusters     a model whose labels are the clusters
score    = match(cluster)^path_weight · rank(label)   for the labels of the ``beam`` best clusters
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ramify import catalogue
from ramify.checks import (
    COUNT,
    INDEXER,
    REPRESENTATION,
    SEED,
    THREADS,
    THRESHOLD,
    Own,
    Rules,
    YesNo,
    rules_of,
    thread_count,
)
from ramify.errors import InputError, damage_told
from ramify.index import KMeansIndexer
from ramify.index.overlap import clusters_of
from ramify.kernels.predict import SearchConfig
from ramify.label_vectors import PIFA
from ramify.match import restriction
from ramify.models.base.members import part_of
from ramify.models.base.persistence import load_as, parts_to_state, stored_part
from ramify.models.base.ranking_model import assignments, best_labels
from ramify.models.base.stored import check_label_space, stored_array, stored_size
from ramify.models.base.unit import UnitRowModel, stored_count
from ramify.protocols import Indexer, RankingProblem, Representation
from ramify.values import CSR, Int32, LabelTree, StageProgress, TopK

ROWS = 1024
"""Instances whose candidates are held at a time."""


@dataclass(frozen=True)
class _Request:
    """What a call asks for: k labels, of those allowed, without those forbidden."""

    k: int
    only: Any
    never: CSR | None

    def rows(self, part: slice) -> _Request:
        cut = (None if one is None else one[part] if sp.issparse(one) else one for one in (self.only, self.never))
        return _Request(self.k, *cut)

    def of(self, candidates: CSR) -> CSR:
        """The candidates that may be predicted."""
        if sp.issparse(self.only):
            candidates = candidates.multiply(self.only != 0)
        elif self.only is not None:
            candidates = candidates @ sp.diags(self.only.astype(np.float32))
        if self.never is not None:
            candidates = candidates - candidates.multiply(self.never != 0)
        candidates = sp.csr_matrix(candidates)
        candidates.eliminate_zeros()
        candidates.sort_indices()
        return candidates


class Partitioned(UnitRowModel):
    """A model of four parts, each of which may be yours.

    Parameters
    ----------
    representation : Representation, optional
        Label vectors; PIFA when None.
    indexer : Indexer, optional
        Clusters; k-means when None. Of a deeper tree the leaves' parents are the clusters.
    max_leaf : int, default 100
        Labels of a cluster at most, without an indexer of your own.
    matcher : {"linear", "nearest", "dense", "popular"} or Matcher
        Finds clusters: ``XRLinear()``, ``NearestInstances()``, ``DenseNeighbours()``, ``PopularLabels()``, or yours.
    ranker : {"linear", "cosine", "mixed"} or Ranker
        Ranks the labels of the clusters found: ``LinearRanker()``, ``CosineRanker()``, ``MixedRanker()``, or yours.
    beam : int, default 10
        Clusters looked into.
    path_weight : float, default 0.25
        What the matcher's score counts: the power it is taken to.
    decision_threshold : float, default 0.5
        Score from which ``predict`` gives a label.
    normalize : bool, default True
        Divide each row of X by its Euclidean length, in training and in prediction; the same setting of the parts is
        set to it. Rows of length 1, such as those of ``Tfidf``, stay as they are.
    seed : int, default 0
        For all parts that take one.
    threads : int, optional
        For all parts that take it; None takes every CPU.

    Attributes
    ----------
    tree_ : LabelTree
        Two levels: clusters, labels.
    matching_, ranker_ : Matcher, Ranker
        The fitted parts.
    normalized_rows_ : int
        Training rows that were brought to length 1; 0 without ``normalize``.
    n_features_in_, n_labels_ : int
        d and L.
    """

    RULES: ClassVar[Rules] = {
        "representation": REPRESENTATION,
        "indexer": INDEXER,
        "max_leaf": COUNT,
        "matcher": Own(("fit", "predict_topk"), lambda: catalogue.named(catalogue.MATCHER)),
        "ranker": Own(("fit", "rank"), lambda: catalogue.named(catalogue.RANKER)),
        **rules_of(SearchConfig, "beam", "path_weight"),
        "decision_threshold": THRESHOLD,
        "normalize": YesNo(),
        "seed": SEED,
        "threads": THREADS,
    }

    def __init__(
        self,
        *,
        representation: Representation | None = None,
        indexer: Indexer | None = None,
        max_leaf: int = 100,
        matcher: Any = "linear",
        ranker: Any = "linear",
        beam: int = 10,
        path_weight: float = 0.25,
        decision_threshold: float = 0.5,
        normalize: bool = True,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.representation = representation
        self.indexer = indexer
        self.max_leaf = max_leaf
        self.matcher = matcher
        self.ranker = ranker
        self.beam = beam
        self.path_weight = path_weight
        self.decision_threshold = decision_threshold
        self.normalize = normalize
        self.seed = seed
        self.threads = threads

    def fit(self, X: Any, Y: Any, *, progress: StageProgress | None = None) -> Partitioned:
        """Group the labels, then train matcher and ranker.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
            Features.
        Y : sparse or dense matrix, shape (n, L)
            Label assignments: what is above 0 is positive.
        progress : callable, optional
            Told (stage, share done).

        Raises
        ------
        InputError
            Settings or data out of range, a part without the methods it needs.
        """
        self.check_settings()
        threads = thread_count(self.threads)
        X = self._training_rows(X)
        Y = assignments(Y, X.shape[0], type(self).__name__)
        tell = progress or (lambda stage, done: None)
        tell("index", 0.0)
        vectors = (self.representation or PIFA()).represent(X, Y, threads=threads)
        tree = (self.indexer or KMeansIndexer(max_leaf=self.max_leaf)).build(
            vectors, Y, seed=self.seed, threads=threads
        )
        self.tree_ = _two_levels(tree)
        tell("index", 1.0)
        targets = sp.csr_matrix(Y @ clusters_of(self.tree_))
        targets.data[:] = 1
        self.matching_ = self._own(_part(catalogue.MATCHER, self.matcher))
        tell("match", 0.0)
        self.matching_.fit(X, targets)
        tell("match", 1.0)
        self._set_sizes(X.shape[1])
        self.ranker_ = _part(catalogue.RANKER, self.ranker)
        tell("rank", 0.0)
        problem = RankingProblem(X, Y, self.tree_, self.clusters_reached(X), vectors)
        self.ranker_.fit(problem, seed=self.seed, threads=threads)
        tell("rank", 1.0)
        return self

    def _own(self, part: Any) -> Any:
        """A part with the model's seed, threads and normalize, where it takes them."""
        known = part.get_params(deep=False)
        wanted = {"seed": self.seed, "threads": self.threads, "normalize": self.normalize}
        return part.set_params(**{name: value for name, value in wanted.items() if name in known})

    def _set_sizes(self, n_features: int) -> None:
        self.clusters_ = clusters_of(self.tree_)
        self.n_features_in_, self.n_labels_ = n_features, self.tree_.n_labels

    @property
    def reach_(self) -> int:
        """Labels that the beam can reach at most."""
        sizes = np.sort(np.bincount(self.tree_.parents[1]))
        return int(min(self.n_labels_, sizes[-self.beam :].sum()))

    def clusters_reached(self, X: Any, *, beam: int | None = None) -> CSR:
        """The clusters that the matcher sends instances to, shape (n, clusters), with its scores, above 0."""
        X = self._features(X)
        beam = COUNT.check("beam", self.beam if beam is None else beam)
        n_clusters = self.clusters_.shape[1]
        top = self.matching_.predict_topk(X, min(beam, n_clusters))
        found = (top.labels >= 0) & np.isfinite(top.scores)
        return top.matrix(found, np.clip(top.scores, np.finfo(np.float32).tiny, 1), n_clusters)

    def predict_topk(
        self,
        X: Any,
        k: int | None = None,
        *,
        beam: int | None = None,
        allowed: Any = None,
        forbidden: Any = None,
        progress: StageProgress | None = None,
    ) -> TopK:
        """The k best labels of each instance.

        Parameters
        ----------
        X : sparse or dense matrix, shape (n, d)
            Features.
        k : int, optional
            Labels per instance, at most L; 10 by default, or L where it is less.
        beam : int, optional
            Another beam than the model's.
        allowed, forbidden : label ids, or matrix of shape (n, L), optional
            As ``XRLinear.predict_topk``; allowed labels must lie in the clusters found.
        progress : callable, optional
            Told ("predict", share done).

        Returns
        -------
        TopK
            Scores 0..1; fewer than k labels where the clusters found have fewer.
        """
        check_is_fitted(self)
        X = self._features(X)
        asked = _Request(self._labels_asked(k), *restriction(allowed, forbidden, X.shape[0], self.n_labels_))
        parts = [slice(first, first + ROWS) for first in range(0, X.shape[0], ROWS)]
        found = []
        for number, part in enumerate(parts):
            found.append(self._best(X[part], asked.rows(part), beam))
            told = part_of(progress, number, len(parts))
            if told is not None:
                told("predict", 1.0)
        return TopK(np.vstack([one.labels for one in found]), np.vstack([one.scores for one in found]))

    def _best(self, X: CSR, asked: _Request, beam: int | None) -> TopK:
        candidates = asked.of(self._candidates(X, beam))
        match = candidates.data
        ranked = self.ranker_.rank(X, candidates, threads=thread_count(self.threads))
        scores = (ranked.data * match**self.path_weight).astype(np.float32)
        return best_labels(
            sp.csr_matrix((scores, candidates.indices, candidates.indptr), shape=candidates.shape), asked.k
        )

    def _candidates(self, X: CSR, beam: int | None) -> CSR:
        """Labels of the clusters found, with the mean score of those of their clusters that were."""
        reached = self.clusters_reached(X, beam=beam)
        pattern = sp.csr_matrix((np.ones_like(reached.data), reached.indices, reached.indptr), shape=reached.shape)
        members = sp.csr_matrix(self.clusters_.T)
        total, count = sp.csr_matrix(reached @ members), sp.csr_matrix(pattern @ members)
        for matrix in (total, count):
            matrix.sort_indices()
        total.data /= count.data
        return total

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        check_label_space(self.n_labels_, self.tree_.n_leaves)
        settings = self._plain_settings()
        for name in ("representation", "indexer", "matcher", "ranker"):
            settings.pop(name)
        inside, arrays = parts_to_state({"matcher": self.matching_, "ranker": self.ranker_})
        sizes = {"n_labels": self.n_labels_, "n_features": self.n_features_in_}
        config = {"settings": settings, "normalized_rows": self.normalized_rows_} | sizes
        arrays |= {"parents": self.tree_.parents[1], "leaf_labels": self.tree_.leaf_labels}
        return config | inside, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> Partitioned:
        """The model of a model directory.

        Raises
        ------
        ModelFileError
            Settings or parts that do not fit.
        """
        with damage_told("the partitioned model is"):
            matcher, ranker = (stored_part(name, config[name], arrays, parts) for name in ("matcher", "ranker"))
            settings = {"normalize": False} | config["settings"]  # before there was a choice, none was made
            model = cls(**settings, matcher=matcher, ranker=ranker)
            model.check_settings()
            model.normalized_rows_ = stored_count(config)
            n_features, n_labels = (stored_size(config[name], name) for name in ("n_features", "n_labels"))
            model.tree_ = _stored_tree(arrays, n_labels)
            for size, wanted in (("n_features_in_", n_features), ("n_labels_", model.tree_.level_sizes[0])):
                if getattr(matcher, size, wanted) != wanted:  # a matcher of the user's own may lack both
                    raise InputError("its matcher is for other features or clusters")
            if getattr(ranker, "features_and_labels_", None) not in (None, (n_features, n_labels)):
                raise InputError("its ranker is for other features or labels")
            model._set_sizes(n_features)
            model.matching_, model.ranker_ = matcher, ranker
        return model

    @classmethod
    def load(
        cls, directory: str | Path, *, verify: bool = True, mapped: bool = True, parts: Sequence[type] = ()
    ) -> Partitioned:
        """Open a model directory (see ``models.load``)."""
        return load_as(cls, directory, verify=verify, mapped=mapped, parts=parts)


def _part(role: str, given: Any) -> Any:
    """An unfitted part by its name, or a copy of the one given."""
    return catalogue.find(role, given, role).load()() if isinstance(given, str) else clone(given)


def _two_levels(tree: LabelTree) -> LabelTree:
    """The clusters above the leaves as children of the root."""
    above = np.zeros(tree.n_leaves, np.int32) if tree.depth == 1 else tree.parents[-1]
    return _tree_of(above, tree.leaf_labels, tree.n_labels)


def _tree_of(above: Int32, leaf_labels: Int32, n_labels: int) -> LabelTree:
    return LabelTree((np.zeros(int(above.max()) + 1, np.int32), above), leaf_labels, n_labels)


def _stored_tree(arrays: dict[str, Any], n_labels: int) -> LabelTree:
    """The tree of a model directory; numbers in it are compared with lengths before memory is taken by them."""
    above = stored_array(arrays, "parents", np.int32, (None,))
    steps = np.diff(above)
    if len(above) == 0 or above[0] != 0 or (steps < 0).any() or (steps > 1).any():
        raise InputError("the parents do not ascend from 0 by steps of 0 or 1")
    check_label_space(n_labels, len(above))
    return _tree_of(above, stored_array(arrays, "leaf_labels", np.int32, (len(above),)), n_labels)
