"""The three stages of PECOS, index, match and rank, with replaceable parts (docs/papers.md, PECOS and XR-Linear).

Z        = representation(X, Y)                      one vector per label
clusters = indexer(Z)                                 the parents of the leaves in its tree
M        = matcher.fit(X, Y · C)                      a model whose labels are the clusters; C: label × cluster
score    = match(cluster)^path_weight · rank(label)   for the labels of the ``beam`` best clusters
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from ramify import catalogue
from ramify.checks import COUNT, INDEXER, REPRESENTATION, SEED, THREADS, Own, Rules, YesNo, rules_of
from ramify.errors import InputError, damage_reported
from ramify.exchange import CheckedRequest, CheckedTraining, Request, Sizes, VectorCache
from ramify.index import KMeansIndexer
from ramify.index.overlap import clusters_of
from ramify.kernels.predict import SearchConfig
from ramify.label_vectors import PIFA
from ramify.match import permitted
from ramify.models.base.adapter import PlainModel, as_model, set_known, unfitted
from ramify.models.base.model import best_labels, check_needs
from ramify.models.base.reasons import Reason, Reasons
from ramify.models.base.stored import check_label_space, stored_size
from ramify.models.base.unit import UnitRowModel, stored_count
from ramify.models.parts.matching import as_matcher, cluster_targets, ranker_features
from ramify.models.parts.stage_reasons import ranker_reason, stages_reason
from ramify.protocols import Indexer, MatchingProblem, RankingProblem, Representation
from ramify.store.parts import parts_to_state, stored_part
from ramify.store.trees import tree_from_arrays, tree_to_arrays
from ramify.values import CSR, Float32, LabelTree, TopK

MATCHER_METHODS = ("fit|fit_training|fit_matching", "predict_topk|answer|match")
"""Methods of a model, or of a ``protocols.Matcher``."""

ROWS = 1024
"""Number of instances per batch of candidates."""


class Partitioned(UnitRowModel):
    """A model of four replaceable parts: representation, indexer, matcher and ranker.

    Parameters
    ----------
    representation : Representation, optional
        Label vectors for the indexer; PIFA when None.
    indexer : Indexer, optional
        Groups the labels into clusters; k-means when None. The parents of the leaves are the clusters.
    max_leaf : int, default 100
        Maximum number of labels per cluster; not used with ``indexer``.
    matcher : str or Matcher, default "linear"
        Model that ranks clusters; a name in the catalogue, such as "linear" (``XRLinear()``) or "nearest"
        (``NearestInstances()``), or an object.
    ranker : str or Ranker, default "linear"
        Part that scores the labels of the matched clusters; "linear" (``LinearRanker()``), "cosine"
        (``CosineRanker()``), "mixed" (``MixedRanker()``), or an object.
    beam : int, default 10
        Number of clusters whose labels are scored.
    path_weight : float, default 0.25
        Exponent of the matcher's score in the score of a label.
    normalize : bool, default True
        Divide each row of X by its Euclidean length in training and prediction; the parts
        get the same setting. Rows of length 1, such as those of ``Tfidf``, stay as they are.
    seed : int, default 0
        Random seed of all parts that have one.
    threads : int, optional
        Number of threads of all parts; None uses every CPU.

    Attributes
    ----------
    tree_ : LabelTree
        Two levels: clusters, labels.
    matcher_, ranker_ : Matcher, Ranker
        The fitted parts.
    normalized_rows_ : int
        Number of training rows that were scaled to length 1; 0 without ``normalize``.
    n_features_in_, n_labels_ : int
        Number of features d and of labels L.
    """

    RULES: ClassVar[Rules] = {
        "representation": REPRESENTATION,
        "indexer": INDEXER,
        "max_leaf": COUNT,
        "matcher": Own(MATCHER_METHODS, lambda: catalogue.named(catalogue.MATCHER), "matcher"),
        "ranker": Own(("fit", "rank"), lambda: catalogue.named(catalogue.RANKER), "ranker"),
        **rules_of(SearchConfig, "beam", "path_weight"),
        "normalize": YesNo(),
        "seed": SEED,
        "threads": THREADS,
    }
    FLAGS = ("matcher", "ranker", "max_leaf", "beam", "path_weight", "normalize")

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
        self.normalize = normalize
        self.seed = seed
        self.threads = threads

    @property
    def needs(self) -> frozenset[str]:
        """X, and the fields that the matcher needs."""
        matcher = self.__dict__.get("matcher_")
        matcher = _part(catalogue.MATCHER, self.matcher) if matcher is None else matcher
        return frozenset({"X"}) | PlainModel(matcher).needs

    @property
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        matcher = self.__dict__.get("matcher_")
        matcher = _part(catalogue.MATCHER, self.matcher) if matcher is None else matcher
        return frozenset({"beam", "tree", "reasons"}) | (as_model(matcher).abilities & {"hybrid"})

    def _learn(self, training: CheckedTraining) -> None:
        """Group the labels, then train the matcher and the ranker."""
        X, Y, seed, threads = training.X, training.Y, training.seed, training.threads
        training.report("index", 0.0)
        vectors = (training.vectors or VectorCache()).represent(self.representation or PIFA(), X, Y, threads)
        indexer = self.indexer or KMeansIndexer(max_leaf=self.max_leaf)
        tree = indexer.build(vectors, Y, seed=seed, threads=threads)
        self.tree_ = _two_levels(tree)
        training.report("index", 1.0)
        self.matcher_ = _part(catalogue.MATCHER, self.matcher)
        set_known(self.matcher_, seed=seed, threads=self.threads, normalize=self.normalize)
        whole = self.tree_ if tree.depth == 1 else tree
        training.report("match", 0.0)
        quiet = replace(training, progress=None, vectors=None)
        as_matcher(self.matcher_).fit_matching(MatchingProblem(quiet, whole, cluster_targets(Y, whole)))
        training.report("match", 1.0)
        self._set_sizes(X.shape[1])
        training.report("rank", 0.0)
        reached, embeddings = self._matched(Request(X=X, texts=training.texts, threads=threads))
        problem = RankingProblem(ranker_features(X, embeddings), Y, self.tree_, reached, vectors)
        self.ranker_ = _part(catalogue.RANKER, self.ranker)
        self.ranker_.fit(problem, seed=seed, threads=threads)
        training.report("rank", 1.0)

    def _set_sizes(self, n_features: int) -> None:
        self.clusters_ = clusters_of(self.tree_)
        self.n_features_in_, self.n_labels_ = n_features, self.tree_.n_labels

    def inside(self) -> Mapping[str, Any]:
        """The fitted matcher and ranker."""
        return {"matcher": self.matcher_, "ranker": self.ranker_}

    def _reachable(self) -> int:
        sizes = np.sort(np.bincount(self.tree_.parents[1]))
        return int(min(self.n_labels_, sizes[-self.beam :].sum()))

    def clusters_reached(self, X: Any, *, beam: int | None = None) -> CSR:
        """Clusters that the matcher returns for each instance, shape (n, clusters), with its scores, above 0."""
        check_is_fitted(self)
        request = Request(X=self._features(X), beam=beam, threads=self._threads())
        check_needs(type(self).__name__, self.needs - {"label_names"}, request)
        return self._matched(request)[0]

    def reasons(self, request: Request, labels: Sequence[int]) -> Reasons:
        """The matched clusters of each label, and the reasons of matcher and ranker: see ``models.base.reasons``."""
        check_is_fitted(self)
        checked = self._checked_request(request)
        return [self._reasons_of(checked.take(slice(row, row + 1)), labels) for row in range(len(checked))]

    def _reasons_of(self, request: CheckedRequest, labels: Sequence[int]) -> list[Reason]:
        """The reasons for one instance."""
        matched, embeddings = self._matched(request)
        X, matching = ranker_features(request.X, embeddings), Request(X=request.X, texts=request.texts, k=1)
        found: list[Reason] = []
        for label in labels:
            one = sp.csr_matrix(([np.float32(1)], ([0], [label])), shape=(1, self.n_labels_))
            rank = float(self.ranker_.rank(X, one, threads=request.threads).data[0])
            ranked = (rank, ranker_reason(self.ranker_, X, label))
            found.append(
                stages_reason(matching, matched, self.matcher_, ranked, label, self.clusters_, self.path_weight)
            )
        return found

    def _matched(self, request: Request) -> tuple[CSR, Float32 | None]:
        """Matched clusters with their scores, shape (n, clusters), and the matcher's features for the ranker."""
        n_clusters = self.clusters_.shape[1]
        beam = COUNT.check("beam", self.beam if request.beam is None else request.beam)
        matching = Request(X=request.X, texts=request.texts, k=min(beam, n_clusters), threads=request.threads)
        known = Sizes(features=request.X.shape[1], labels=n_clusters)
        top, embeddings = as_matcher(self.matcher_, known).match(matching)
        found = (top.labels >= 0) & np.isfinite(top.scores)
        return top.matrix(found, np.clip(top.scores, np.finfo(np.float32).tiny, 1), n_clusters), embeddings

    def _rank(self, request: CheckedRequest) -> TopK:
        """Rank the labels of the matched clusters; allowed labels in other clusters are not ranked."""
        n, found = len(request), []
        for first in range(0, n, ROWS):
            found.append(self._best(request.take(slice(first, first + ROWS))))
            request.report(min(n, first + ROWS) / n)
        return TopK(np.vstack([one.labels for one in found]), np.vstack([one.scores for one in found]))

    def _best(self, request: CheckedRequest) -> TopK:
        reached, embeddings = self._matched(request)
        candidates = permitted(self._candidates(reached), request.allowed, request.forbidden)
        X = ranker_features(request.X, embeddings)
        ranked = self.ranker_.rank(X, candidates, threads=request.threads)
        scores = (ranked.data * candidates.data**self.path_weight).astype(np.float32)
        scored = sp.csr_matrix((scores, candidates.indices, candidates.indptr), shape=candidates.shape)
        return best_labels(scored, request.k)

    def _candidates(self, reached: CSR) -> CSR:
        """Labels of the matched clusters, with the mean score of their matched clusters."""
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
        inside, arrays = parts_to_state(self.inside())
        tree, tree_arrays = tree_to_arrays(self.tree_)
        sizes = {"normalized_rows": self.normalized_rows_, "n_features": self.n_features_in_}
        return {"settings": settings, **sizes, **tree, **inside}, arrays | tree_arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> Partitioned:
        """Restore the model from a model directory.

        Raises
        ------
        ModelFileError
            Invalid settings or parts.
        """
        with damage_reported("the partitioned model is"):
            matcher, ranker = (stored_part(name, config[name], arrays, parts) for name in ("matcher", "ranker"))
            model = cls(**config["settings"], matcher=matcher, ranker=ranker)
            model.check_settings()
            model.normalized_rows_ = stored_count(config)
            n_features, tree = stored_size(config["n_features"], "n_features"), tree_from_arrays(config, arrays)
            check_label_space(tree.n_labels, tree.n_leaves)
            if tree.depth != 2:
                raise InputError(f"its tree has {tree.depth} levels, but must have 2")
            _check_sizes("matcher", matcher, (n_features, tree.level_sizes[0]))
            _check_sizes("ranker", ranker, (n_features, tree.n_labels))
            model.tree_ = tree
            model._set_sizes(n_features)
            model.matcher_, model.ranker_ = matcher, ranker
        return model


def _check_sizes(role: str, part: Any, wanted: tuple[int, int]) -> None:
    """Raise InputError if a part has different numbers of features or labels; a user's part may have no sizes."""
    size = PlainModel(part).size()
    if (size.features, size.labels) not in (wanted, (None, 0)):
        raise InputError(f"its {role} has a different number of features or labels")


def _part(role: str, given: Any) -> Any:
    """A new part by its name, or an unfitted copy of the given part."""
    return catalogue.find(role, given, role).load()() if isinstance(given, str) else unfitted(given)


def _two_levels(tree: LabelTree) -> LabelTree:
    """A tree of two levels: the clusters above the leaves become children of the root."""
    above = np.zeros(tree.n_leaves, np.int32) if tree.depth == 1 else tree.parents[-1]
    return LabelTree((np.zeros(int(above.max()) + 1, np.int32), above), tree.leaf_labels, tree.n_labels)
