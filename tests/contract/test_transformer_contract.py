"""Every transformer model passes the public contract suite, with texts that name the features of an instance."""

import tempfile

import pytest

pytest.importorskip("torch", reason="needs the extra torch")
pytest.importorskip("transformers", reason="needs the extra torch")

from worded import with_texts

from ramify import FlatTransformer, XRLinear, XRTransformer, XTransformer
from ramify.testing import MODEL_CHECKS, run_check
from tiny_encoder import save_tiny_encoder


class Worded:
    """Adds texts to instances that have features only, so that ``fit(X, Y)`` and ``predict_topk(X, k)`` work."""

    def _checked_training(self, training):
        return super()._checked_training(with_texts(training))

    def _checked_request(self, request):
        return super()._checked_request(with_texts(request))

    def fit_training(self, training):
        return super().fit_training(training)


class WordedXR(Worded, XRTransformer):
    RULES = XRTransformer.RULES


class WordedX(Worded, XTransformer):
    RULES = XTransformer.RULES


class WordedFlat(Worded, FlatTransformer):
    RULES = FlatTransformer.RULES


@pytest.fixture(scope="module")
def encoder():
    with tempfile.TemporaryDirectory() as directory:
        yield save_tiny_encoder(directory, [" ".join(f"f{column}" for column in range(80))], width=8, layers=1)


TREE = XRLinear(branching=3, max_leaf=3)
VARIANTS = {
    "xr": (WordedXR, {"branching": 3}),
    "xr-copies": (WordedXR, {"copies": 2, "levels": 1, "loss": "bce"}),
    "x": (WordedX, {"max_leaf": 3, "loss": "hinge", "ranker": TREE}),
    "flat": (WordedFlat, {"chunk": 5}),
}
LACKS = {"check_subtree", "check_pairs_agree", "check_exact_scores_agree"}


ROUNDED = {"check_batch_equals_single", "check_single_call_agrees"}
"""These compare bits, but an encoder's sums depend on the batch; test_catalogue compares within 1e-4."""


@pytest.mark.parametrize(
    "check",
    [one for one in MODEL_CHECKS if one.__name__ not in ROUNDED],
    ids=lambda check: check.__name__.removeprefix("check_"),
)
@pytest.mark.parametrize("variant", VARIANTS)
def test_contract(variant, check, encoder):
    kind, settings = VARIANTS[variant]
    run_check(check, lambda: kind(encoder=encoder, steps=2, batch_size=16, threads=1, **settings), LACKS)
