"""Small data with a tree of several levels, and the comparison of models bit for bit."""

import numpy as np
import scipy.sparse as sp

from ramify import XRLinear
from ramify.values import Hybrid

LEVELS = {"branching": 4, "max_leaf": 8}
"""Settings that give 75 clusters on four levels."""


def problem(n=1500, n_features=800, n_labels=600):
    Y = sp.random(n, n_labels, density=3 / n_labels, random_state=1, format="csr")
    Y.data[:] = 1
    signal = Y @ sp.random(n_labels, n_features, density=0.01, random_state=2)
    noise = sp.random(n, n_features, density=0.005, random_state=3)
    return sp.csr_matrix(signal + noise, dtype=np.float32), Y


def hybrid(X, m=6):
    dense = np.random.default_rng(0).normal(size=(X.shape[0], m)).astype(np.float32)
    return Hybrid(X, dense)


def trained(X, Y, compute=None, *, extras=None, **settings):
    return XRLinear(**(LEVELS | settings)).fit(X, Y, compute=compute, **(extras or {}))


def assert_same_answers(first, second):
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_array_equal(first.scores.view(np.uint32), second.scores.view(np.uint32))


def assert_same_bits(model, other):
    first, second = (one.to_state()[1] for one in (model, other))
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert array.dtype == second[name].dtype and array.tobytes() == second[name].tobytes(), name
