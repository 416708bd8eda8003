"""Numbers of weights in models that are made of others."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from ramify import Dataset, Disentangled, Ensemble, Tagger, XRLinear
from ramify.models import Blend
from ramify.tagger.explain.label_card import describe_label
from ramify.tagger.explain.sizes import describe, tagger_of_tree
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


def test_a_member_is_described_as_a_model_of_its_own():
    """With the columns, label keys and counts of the ensemble's tagger."""
    at = np.arange(PROBLEM.X.shape[1], dtype=np.int32) * 1_000_000 + 7
    X = sp.csr_matrix((PROBLEM.X.data, at[PROBLEM.X.indices], PROBLEM.X.indptr), shape=(PROBLEM.X.shape[0], 2**31 - 1))
    names = [f"name {label}" for label in range(PROBLEM.Y.shape[1])]
    keys = [f"key {label}" for label in range(PROBLEM.Y.shape[1])]
    data = Dataset(X=X, Y=PROBLEM.Y, label_names=names, label_keys=keys)
    tree = XRLinear(threads=1, branching=2, max_leaf=2)
    alone = Tagger(tree).fit_dataset(data)
    member = tagger_of_tree(Tagger(Ensemble([tree], trees=2, threads=1)).fit_dataset(data), 0)
    by_key = replace(data, label_names=keys, label_keys=None)
    assert describe_label(member, "key 1", data=by_key) == describe_label(alone, "key 1", data=by_key)
    assert member.tag(X[:3], 2) == alone.tag(X[:3], 2)
