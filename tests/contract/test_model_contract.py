"""Every model passes the public contract suite, in every variant that changes how it learns or answers."""

import numpy as np
import pytest

from ramify import Blend, Disentangled, Ensemble, Fusion, LabelTree, NearestInstances, XRLinear
from ramify.index import KMeansIndexer, NeighbourIndexer, tree_from_paths, tree_from_taxonomy
from ramify.models import CosineRanker, LinearRanker, MixedRanker, Partitioned, PopularLabels
from ramify.models.neighbours.dense import DenseNeighbours
from ramify.testing import MODEL_CHECKS, check_model, run_check


class Overlapping:
    """A thesaurus in which every label is narrower than two concepts."""

    def build(self, Z, Y, *, seed=0, threads=1):
        n_clusters = max(2, Y.shape[1] // 4)
        names = [str(label) for label in range(Y.shape[1])]
        edges = [(name, f"concept {(int(name) + step) % n_clusters}") for name in names for step in (0, 1)]
        return tree_from_taxonomy(edges, names)


class Flat:
    """No clusters: one against the rest."""

    def build(self, Z, Y, *, seed=0, threads=1):
        return LabelTree((np.zeros(Y.shape[1], np.int32),), np.arange(Y.shape[1], dtype=np.int32), Y.shape[1])


class Uneven:
    """Half of the labels in one cluster, the others in clusters of one to three, a level deeper."""

    def build(self, Z, Y, *, seed=0, threads=1):
        n_labels = Y.shape[1]
        paths = [("large",) if label < n_labels // 2 else ("small", int(label**0.5)) for label in range(n_labels)]
        return tree_from_paths(paths)


SMALL = {"branching": 3, "max_leaf": 3, "threads": 1}
VARIANTS = {
    "default": {"threads": 1},
    "deep": SMALL,
    "uneven": {"indexer": Uneven(), "threads": 1},
    "logistic": {**SMALL, "loss": "logistic", "score_transform": "sigmoid"},
    "hinge": {**SMALL, "loss": "hinge", "precision": "bf16"},
    "matcher-aware": {**SMALL, "negatives": "tfn+man", "precision": "fp32"},
    "last-level-man": {**SMALL, "negatives": "tfn,tfn+man", "path_weight": 0.0},
    "induced": {**SMALL, "relevance": "induced", "relevance_norm": "l1", "cost_positive": 4.0, "threshold": 0.01},
    "log-scores": {**SMALL, "score_transform": "log-l2-hinge"},
    "overlapping": {"indexer": Overlapping(), "threads": 1},
    "mean-of-copies": {"indexer": Overlapping(), "threads": 1, "merge_copies": "mean"},
    "sum-of-copies": {"indexer": Overlapping(), "threads": 1, "merge_copies": "sum"},
    "neighbours": {"indexer": NeighbourIndexer(), "threads": 1},
    "flat": {"indexer": Flat(), "threads": 1, "max_weights": 20},
}


NO_SUBTREE = {"check_subtree"}
NO_SEED = {"check_grid_search"}
NO_EXACT_SCORES = {"check_exact_scores_agree", "check_pairs_agree"}
LACKS = dict.fromkeys(["overlapping", "mean-of-copies", "sum-of-copies", "flat", "neighbours", "default"], NO_SUBTREE)
"""Variants whose tree has one level or labels with several leaves."""


@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("variant", VARIANTS)
def test_contract(variant, check):
    run_check(check, lambda: XRLinear(**VARIANTS[variant]), LACKS.get(variant, ()))


TREE = XRLinear(branching=3, max_leaf=4, threads=1)
ENSEMBLES = {
    "average": {"models": TREE, "trees": 3},
    "rank": {"models": TREE, "trees": 2, "combine": "rank"},
    "softmax": {"models": TREE, "trees": 2, "combine": "softmax"},
    "sigmoid": {"models": XRLinear(score_transform="log-l3-hinge"), "trees": 2, "combine": "sigmoid"},
    "mixed": {"models": [TREE, XRLinear(loss="logistic", indexer=Uneven())], "weights": [1.0, 0.5]},
    "with-instances": {"models": [TREE, NearestInstances()], "weights": [0.7, 0.3]},
}
AMONG_RIVALS = {
    "check_restrictions": "a rank or softmax among the allowed labels is another than among all",
}


@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("variant", ENSEMBLES)
def test_ensemble_contract(variant, check):
    settings = ENSEMBLES[variant]
    if settings.get("combine") in ("rank", "softmax") and check.__name__ in AMONG_RIVALS:
        pytest.skip(AMONG_RIVALS[check.__name__])
    inexact = NO_EXACT_SCORES if settings.get("combine") in ("rank", "softmax") else set()
    run_check(check, lambda: Ensemble(**settings, threads=1), NO_SUBTREE | NO_SEED | inexact)


INSTANCES = {"default": {}, "many": {"neighbours": 10_000, "power": 8.0}, "equal": {"neighbours": 15, "power": 0.0}}


@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("variant", INSTANCES)
def test_nearest_instances_contract(variant, check):
    run_check(check, lambda: NearestInstances(**INSTANCES[variant], threads=1), NO_SUBTREE | NO_SEED)


DENSE = {"reduced": {"dimensions": 60}, "whole": {"dimensions": 4096, "power": 1.0}, "labels": {"among": "labels"}}


@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("variant", DENSE)
def test_dense_neighbours_contract(variant, check):
    pytest.importorskip("usearch", reason="needs the extra ann")
    run_check(check, lambda: DenseNeighbours(**DENSE[variant], threads=1), NO_SUBTREE | NO_EXACT_SCORES)


@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_blend_contract(check):
    run_check(check, lambda: Blend(branching=3, max_leaf=4, threads=1), NO_SUBTREE | NO_EXACT_SCORES)


FUSIONS = {
    "trees": {"members": [TREE, NearestInstances()]},
    "names": {"members": "xr-linear,nearest", "measure": "f1", "candidates": 5},
    "blend": {"members": ["fast", Blend(branching=3, max_leaf=4)]},
}


@pytest.mark.filterwarnings("ignore:the fusion has .* with a label:ramify.RamifyWarning")
@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("variant", FUSIONS)
def test_fusion_contract(variant, check):
    run_check(check, lambda: Fusion(**FUSIONS[variant], threads=1), NO_SUBTREE | NO_EXACT_SCORES)


DISENTANGLED = {
    "two": {"model": XRLinear(**SMALL)},
    "partitioned": {"model": Partitioned(indexer=KMeansIndexer(branching=3, max_leaf=3), threads=1)},
    "moved": {"model": XRLinear(**SMALL), "copies": 1, "cap": 4},
    "rounds": {"model": XRLinear(**SMALL, merge_copies="mean"), "copies": 3, "rounds": 2, "held_out": 0.0},
    "warm": {"model": XRLinear(**SMALL), "copies": 2, "warm_start": True},
}


@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("variant", DISENTANGLED)
def test_disentangled_contract(variant, check):
    inexact = NO_EXACT_SCORES if variant == "partitioned" else set()
    run_check(check, lambda: Disentangled(**DISENTANGLED[variant]), NO_SUBTREE | inexact)


SPACE = {"indexer": KMeansIndexer(branching=3, max_leaf=3), "threads": 1}
PARTITIONED = {
    "default": {"threads": 1},
    "small": SPACE,
    "overlapping": {"indexer": Overlapping(), "threads": 1},
    "neighbours-cosine": {**SPACE, "matcher": NearestInstances(), "ranker": CosineRanker()},
    "popular-linear": {**SPACE, "matcher": PopularLabels(), "ranker": LinearRanker(), "path_weight": 0.0},
    "linear-mixed": {**SPACE, "ranker": MixedRanker(share=0.3), "path_weight": 1.0},
}


@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("variant", PARTITIONED)
def test_partitioned_contract(variant, check):
    run_check(check, lambda: Partitioned(**PARTITIONED[variant]), NO_SUBTREE | NO_EXACT_SCORES)


def test_the_suite_tells_a_model_that_learns_nothing():
    class Ignorant(XRLinear):
        def fit(self, X, Y, **options):
            rng = np.random.default_rng(0)
            return super().fit(X, Y[rng.permutation(X.shape[0])], **options)

    with pytest.raises(AssertionError, match="P@1"):
        check_model(lambda: Ignorant(threads=1))
