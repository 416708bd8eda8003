"""Every classifier chain passes the public contract suite."""

import pytest

pytest.importorskip("torch", reason="needs the extra torch")

from ramify import CompositeChain, LabelChain, ReinforcedChain
from ramify.testing import MODEL_CHECKS, run_check
from ramify.testing.conventions import check_settings, check_survives_saving
from ramify.testing.learning import LEARNING_CHECKS
from ramify.testing.scores import check_batch_equals_single, check_predict_agrees

SMALL = {"embedding": 8, "hidden": 24, "dropout": 0.1, "feature_dropout": 0.0, "batch_size": 48, "average": 0.0}
SMALL |= {"epochs": 12, "learning_rate": 0.05, "held_out": 0.0, "draws": 3, "threads": 1}
QUICK = {"chain": LabelChain(**SMALL | {"order": "random"}), "epochs": 1, "samples": 1, "threads": 1}
VARIANTS = {
    "resequenced": lambda: LabelChain(**SMALL),
    "sampled": lambda: LabelChain(**SMALL | {"order": "random", "sampled": 16, "epochs": 20, "average": 0.8}),
    "reinforced": lambda: ReinforcedChain(**QUICK),
    "composite": lambda: CompositeChain(LabelChain(**SMALL), ReinforcedChain(**QUICK), threads=1),
}
OWN = [*LEARNING_CHECKS, check_survives_saving, check_batch_equals_single, check_settings, check_predict_agrees]
"""What the variants could do otherwise than the chain inside them."""


@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_label_chain_contract(check):
    lacks = {"check_subtree", "check_pairs_agree"}
    run_check(check, lambda: LabelChain(**SMALL | {"order": "frequent-first"}), lacks)


@pytest.mark.parametrize("check", OWN, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("variant", VARIANTS)
def test_contract_of_variants(variant, check):
    check(VARIANTS[variant])
