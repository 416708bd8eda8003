"""LexicalMatcher passes the public contract suite, with texts that name the features of an instance."""

from dataclasses import replace

import numpy as np
import pytest
from worded import with_texts

from ramify import LexicalMatcher
from ramify.testing import MODEL_CHECKS, run_check
from ramify.values import as_csr


class Worded(LexicalMatcher):
    """Adds texts to features, and names that are the most typical features of each label."""

    RULES = LexicalMatcher.RULES

    def _checked_training(self, training):
        if training.X is None or training.Y is None or np.ndim(training.Y) < 2:
            return super()._checked_training(with_texts(training))
        X, Y = as_csr(training.X), as_csr(training.Y)
        self.n_features_in_ = X.shape[1]
        names = [f"l{label}" for label in range(Y.shape[1])]
        if X.shape[0] == Y.shape[0]:
            means = np.asarray((Y.T @ X).todense())
            names = [" ".join(f"f{column}" for column in np.argsort(-row, kind="stable")[:1]) for row in means]
        return super()._checked_training(replace(with_texts(training), label_names=names))

    def _checked_request(self, request):
        return super()._checked_request(with_texts(request))

    def fit_training(self, training):
        return super().fit_training(training)


LACKS = {"check_exact_scores_agree", "check_pairs_agree", "check_subtree"}
NAMES_ONLY = "a text without a name of the label does not get the label"
MADE_BY_THE_TEST = "the texts and names are made of X and Y before they are checked"
NOT_MET = {
    "check_learns_the_checkerboard": NAMES_ONLY,
    "check_one_label": NAMES_ONLY,
    "check_one_instance": NAMES_ONLY,
    "check_a_label_of_all": NAMES_ONLY,
    "check_unused_labels": NAMES_ONLY,
    "check_empty_rows": NAMES_ONLY,
    "check_refuses_bad_features": MADE_BY_THE_TEST,
    "check_refuses_bad_labels": MADE_BY_THE_TEST,
}


@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_contract(check):
    if check.__name__ in NOT_MET:
        pytest.skip(NOT_MET[check.__name__])
    run_check(check, lambda: Worded(language=None, ranking_trees=20, threads=1), LACKS)
