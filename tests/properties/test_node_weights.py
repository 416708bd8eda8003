"""The weights of single nodes are those of the unpacked level, for every precision, hash and place of a feature."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_packed_weights import WIDTHS, _level, _unhash

from ramify.kernels.node_weights import node_dense_weights, node_weights
from ramify.kernels.pack import pack, unpack
from ramify.weights import PRECISIONS


def _check(packed, features):
    matrix = unpack(packed).matrix()  # by nodes: a matrix by features of this width would not fit into memory
    for node in range(packed.n_nodes):
        own = slice(matrix.indptr[node], matrix.indptr[node + 1])
        stored = dict(zip(matrix.indices[own].tolist(), matrix.data[own].tolist(), strict=True))
        wanted = [stored.get(feature, 0.0) for feature in features.tolist()]
        np.testing.assert_allclose(node_weights(packed, node, features), wanted, rtol=1e-6, atol=0)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_features=WIDTHS,
    children=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    n_used=st.integers(0, 200),
    precision=st.sampled_from(PRECISIONS),
)
def test_weights_of_random_levels(seed, n_features, children, n_used, precision):
    rng = np.random.default_rng(seed)
    used = [rng.integers(n_features, size=n_used * (rng.random() < 0.8)) for _ in children]
    _, level = _level(rng, children, n_features, used)
    others = rng.integers(n_features, size=50)
    _check(pack(level, precision), np.unique(np.concatenate([*used, others])).astype(np.int32))


@pytest.mark.parametrize("bits", [7, 10, 13, 17, 20, 21, 24])
@pytest.mark.parametrize("spot", ["start", "middle", "end", "runs"])
@pytest.mark.parametrize("n_used", [1, 16, 40, 120])
def test_features_that_hash_side_by_side(bits, spot, n_used):
    """Rows are in later slots than their own; neighbours that the block lacks have a weight of 0."""
    top = 2**bits
    begin = {"start": 0, "middle": top // 2 - 3, "end": max(0, top - n_used), "runs": 5}[spot]
    step = max(1, top // 256) if spot == "runs" else 1
    hashes = (begin + step * np.arange(n_used)) % top
    _, level = _level(np.random.default_rng(bits), [5], top, [_unhash(hashes, bits).astype(np.int64)])
    near = np.unique((hashes[:, None] + np.arange(-20, 21)) % top)
    _check(pack(level, "fp32"), np.sort(_unhash(near, bits)).astype(np.int32))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("n_dense", [1, 5, 32])
def test_dense_weights(precision, n_dense):
    rng = np.random.default_rng(n_dense)
    _, level = _level(rng, [1, 16, 17, 40], 9 + n_dense, [np.arange(9)] * 4)
    level = type(level)(**vars(level) | {"dense": rng.normal(size=(level.n_nodes, n_dense)).astype(np.float32)})
    packed = pack(level, precision)
    for node, wanted in enumerate(unpack(packed).dense):
        np.testing.assert_allclose(node_dense_weights(packed, node), wanted, rtol=1e-6)
