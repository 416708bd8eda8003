"""Numbers of weights in models that are made of others."""

import pytest

from ramify import Disentangled, Ensemble, Tagger, XRLinear
from ramify.models import Blend
from ramify.models.inspection import describe
from ramify.testing.values import checkerboard

PROBLEM = checkerboard()


def _card(model):
    model = model.fit(PROBLEM.X, PROBLEM.Y)
    return describe(Tagger.of(model, [str(label) for label in range(PROBLEM.Y.shape[1])]))


def test_weights_of_trees_inside():
    alone = _card(XRLinear(threads=1)).n_weights
    assert alone > 0
    both = _card(Ensemble([XRLinear(), Disentangled(XRLinear(), copies=1)], threads=1))
    assert both.n_weights == sum(member.n_weights for member in both.members)
    assert both.members[0].n_weights == alone
    assert both.members[1].n_weights > 0
    assert _card(Blend(trees=1, threads=1)).n_weights > 0


def test_weights_of_networks_inside():
    pytest.importorskip("torch")
    from ramify.chains import LabelChain

    chain = LabelChain(epochs=1, warmup=0, embedding=4, hidden=4, draws=2, threads=1)
    card = _card(Ensemble([chain], trees=2, threads=1))
    assert card.n_weights == sum(member.n_weights for member in card.members) > 0
    assert {member.n_weights for member in card.members} == {_card(chain).n_weights}
