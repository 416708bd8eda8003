"""XLGen joined with a tree passes the public contract suite, with texts that name the features of an instance."""

import tempfile
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra torch")
pytest.importorskip("transformers", reason="needs the extra torch")

from worded import with_texts

from ramify import XLGen, XLGenWithTree, XRLinear
from ramify.testing import MODEL_CHECKS, run_check
from tiny_encoder import save_tiny_encoder


class Worded(XLGenWithTree):
    """Adds texts and label names to features, so that ``fit(X, Y)`` and ``predict_topk(X, k)`` work."""

    RULES = XLGenWithTree.RULES

    def _checked_training(self, training):
        shape = training.Y.shape if hasattr(training.Y, "shape") else np.array(training.Y, object).shape
        names = [f"l{number}" for number in range(shape[-1] if shape else 0)]
        return super()._checked_training(replace(with_texts(training), label_names=names))

    def _checked_request(self, request):
        return super()._checked_request(with_texts(request))

    def fit_training(self, training):
        return super().fit_training(training)


@pytest.fixture(scope="module")
def encoder():
    words = [f"{letter}{number}" for letter in "fl" for number in range(100)]
    with tempfile.TemporaryDirectory() as directory:
        yield save_tiny_encoder(directory, [" ".join(words)], width=8, layers=1)


WAYS = {"constrain": {"share": 0.01}, "rerank": {"share": 0.01, "candidates": 5}}
"""The generator of one epoch learns little, so that it has little weight."""
LACKS = {"check_subtree", "check_pairs_agree", "check_exact_scores_agree"}
NOT_EQUAL = {
    "check_batch_equals_single": "compares bits, but an encoder's sums depend on the batch; see test_catalogue",
    "check_single_call_agrees": "the same",
    "check_restrictions": "a beam search among the permitted labels writes others than the whole ranking has",
}
BY_CONSTRAINT_ONLY = {"check_matrix_forms", "check_same_seed_same_model", "check_grid_search"}
"""These take seconds, and training does not depend on the way."""


@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("way", WAYS)
def test_contract(way, check, encoder):
    if check.__name__ in NOT_EQUAL:
        pytest.skip(NOT_EQUAL[check.__name__])
    if way == "rerank" and check.__name__ in BY_CONSTRAINT_ONLY:
        pytest.skip("training does not depend on the way")
    generator = {"encoder": encoder, "epochs": 1, "decoder_layers": 1, "beam": 2, "max_target": 24, "held_out": 0.0}
    run_check(
        check,
        lambda: Worded(XRLinear(branching=3, max_leaf=3), XLGen(**generator), way=way, threads=1, **WAYS[way]),
        LACKS,
    )
