"""Every indexer passes the public contract suite."""

import numpy as np
import pytest

from ramify import LabelTree
from ramify.index import KMeansIndexer
from ramify.testing import INDEXER_CHECKS, check_indexer, run_check

VARIANTS = {
    "default": {},
    "balanced": {"branching": 3, "max_leaf": 4},
    "euclidean": {"branching": 2, "max_leaf": 2, "spherical": False},
    "whole": {"branching": 3, "max_leaf": 4, "keep_unused": True},
    "shallow": {"branching": 2, "max_leaf": 1, "max_depth": 1},
}


@pytest.mark.parametrize("check", INDEXER_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("variant", VARIANTS)
def test_contract(variant, check):
    run_check(
        check,
        lambda: KMeansIndexer(**VARIANTS[variant]),
        {"check_similar_labels_share_parents"} if variant in ("default", "shallow") else (),
    )


def test_the_suite_rejects_an_indexer_that_drops_labels():
    class Forgetful:
        def build(self, Z, Y, *, seed=0, threads=1):
            return LabelTree((np.zeros(1, np.int32),), np.zeros(1, np.int32), Y.shape[1])

    with pytest.raises(AssertionError, match="no leaf"):
        check_indexer(Forgetful)
