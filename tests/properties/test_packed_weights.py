"""Packing loses nothing but the rounding that it promises, for every width of X, and whatever the hash makes of it."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from random_problems import random_tree

from ramify.errors import InputError, ModelFileError
from ramify.kernels.pack import pack, unpack
from ramify.kernels.predict import SearchConfig, Searcher
from ramify.reference.predict import entry_nodes, rounded
from ramify.reference.train import level_weights
from ramify.values import LabelTree, as_csr
from ramify.weights import PRECISIONS, Blocks, LevelWeights, hash_bits, joined

MULTIPLIER = 0x9E3779B1
WIDTHS = st.one_of(
    st.integers(1, 70),
    st.sampled_from([2**bits + more for bits in (12, 16, 18, 19, 20, 21, 22) for more in (-1, 0, 1)]),
    st.sampled_from([2**24, 2**30, 2**31 - 1]),
)


def _unhash(hashes, bits):
    return (np.asarray(hashes, np.uint64) * np.uint64(pow(MULTIPLIER, -1, 2**bits))) % np.uint64(2**bits)


def _level(rng, children, n_features, features_of_block, values=None):
    """A level whose blocks have the given features, each with a few children."""
    tree = random_tree(rng, [[len(children)], children])
    blocks = Blocks.of(tree, 1)
    rows, owners, block_rows, row_entries = [], [], [0], [0]
    for size, features in zip(np.diff(blocks.begin), features_of_block, strict=False):
        for feature in np.unique(features):
            owned = np.flatnonzero(rng.random(size) < 0.3)
            owned = owned if len(owned) else rng.integers(size, size=1)
            rows.append(feature)
            owners += owned.tolist()
            row_entries.append(len(owners))
        block_rows.append(len(rows))
    drawn = rng.normal(size=len(owners)) * 10.0 ** rng.integers(-6, 6, len(owners)) if values is None else values
    return tree, LevelWeights(
        blocks=blocks,
        n_features=n_features,
        block_rows=np.array(block_rows, np.int64),
        features=np.array(rows, np.int32),
        row_entries=np.array(row_entries, np.int64),
        children=np.array(owners, np.uint8),
        values=np.asarray(drawn, np.float32),
        bias=rng.normal(size=len(tree.parents[1])).astype(np.float32),
    )


def _check_round_trip(level, precision):
    packed = pack(level, precision)
    again = unpack(packed)
    for name in ("block_rows", "features", "row_entries", "children", "bias"):
        np.testing.assert_array_equal(getattr(again, name), getattr(level, name), name)
    np.testing.assert_array_equal(again.values, rounded(level, precision).values)
    return packed, again


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_features=WIDTHS,
    children=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    n_used=st.integers(0, 200),
    precision=st.sampled_from(PRECISIONS),
)
def test_round_trip(seed, n_features, children, n_used, precision):
    rng = np.random.default_rng(seed)
    used = [rng.integers(n_features, size=n_used * (rng.random() < 0.8)) for _ in children]
    _, level = _level(rng, children, n_features, used)
    packed, again = _check_round_trip(level, precision)
    if precision == "int8" and len(level.values):
        error = np.abs(again.values - level.values)
        assert (error <= 0.5001 * packed.scale[entry_nodes(level)] + 1e-30).all()
    if precision == "bf16":
        np.testing.assert_allclose(again.values, level.values, rtol=2**-8)


@pytest.mark.parametrize("bits", [7, 10, 13, 14, 17, 20, 21, 24])
@pytest.mark.parametrize("spot", ["start", "middle", "end", "runs"])
@pytest.mark.parametrize("n_used", [1, 15, 16, 17, 40, 120])
def test_features_that_hash_side_by_side(bits, spot, n_used):
    """All into one slot, at the border of the table, or in long runs; neighbours that the block lacks are not found."""
    rng = np.random.default_rng(bits)
    top = 2**bits
    begin = {"start": 0, "middle": top // 2 - 3, "end": max(0, top - n_used), "runs": 5}[spot]
    step = max(1, top // 256) if spot == "runs" else 1
    features = _unhash((begin + step * np.arange(n_used)) % top, bits).astype(np.int64)
    _, level = _level(rng, [5], top, [features])
    _check_round_trip(level, "fp32")
    own = replace(level, blocks=Blocks.of(_flat(5), 0))
    searcher = Searcher(_flat(5), [pack(own, "fp32")])
    W = dict(zip(level.features.tolist(), _rows_of(level), strict=True))
    near = np.unique(
        np.concatenate([features, *(_unhash((_hash(features, bits) + d) % top, bits) for d in range(-40, 41))])
    )
    near = np.concatenate([near, _unhash((_hash(features[:20], bits) + 16 * step) % top, bits)]).astype(np.int64)
    for feature in rng.choice(near, min(len(near), 150), replace=False).tolist():
        wanted = level.bias + W.get(feature, np.zeros(5, np.float32))
        np.testing.assert_array_equal(_margins(searcher, feature, 5), wanted)


def _hash(features, bits):
    return (np.asarray(features, np.int64) * MULTIPLIER) % 2**bits


def _margins(searcher, feature, n):
    X = sp.csr_matrix(([np.float32(1)], [int(feature)], [0, 1]), shape=(1, searcher.n_features))
    pointers, leaves = np.array([0, n]), np.arange(n, dtype=np.int32)
    return searcher.score(as_csr(X), pointers, leaves, SearchConfig())[1]


def _flat(n):
    return LabelTree((np.zeros(n, np.int32),), np.arange(n, dtype=np.int32), n)


def _rows_of(level):
    for begin, end in zip(level.row_entries[:-1], level.row_entries[1:], strict=True):
        row = np.zeros(level.n_nodes, np.float32)
        row[level.children[begin:end]] = level.values[begin:end]
        yield row


def test_a_long_run_of_slots_hides_no_foreign_feature():
    """17 full slots in a row: a key of 16 bits could be mistaken for that of a feature 16 slots away."""
    bits, shift = 20, 12
    hashes = (np.arange(40) << shift) + 7
    features = _unhash(hashes, bits).astype(np.int64)
    rng = np.random.default_rng(0)
    absent, kept = features[0], features[1:]
    filler = _unhash([0, 1, 2], bits).astype(np.int64)  # occupy the absent feature's own slot
    _, level = _level(rng, [3], 2**bits, [np.concatenate([kept, filler])])
    searcher = Searcher(_flat(3), [pack(replace(level, blocks=Blocks.of(_flat(3), 0)), "fp32")])
    np.testing.assert_array_equal(_margins(searcher, absent, 3), level.bias)


@pytest.mark.parametrize(
    ("n_features", "bits"),
    [(1, 6), (2, 6), (64, 6), (65, 7), (2**20, 20), (2**20 + 1, 21), (2**31 - 1, 31)],
)
def test_bits_of_the_hash(n_features, bits):
    assert hash_bits(n_features) == bits


@pytest.mark.parametrize("size", [1e-45, 1e-38, 3e38])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_tiny_and_huge_weights(size, precision):
    _, level = _level(np.random.default_rng(1), [2], 4, [[0, 3]])
    _check_round_trip(replace(level, values=np.full(len(level.values), size, np.float32)), precision)


def _valid():
    return _level(np.random.default_rng(1), [2, 3], 9, [[0, 3, 8], [1, 2]])[1]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("features", lambda a: a[::-1].copy()), ("features", lambda a: a - 1), ("features", lambda a: a + 9),
        ("features", np.zeros_like), ("row_entries", lambda a: a[::-1].copy()),
        ("row_entries", lambda a: np.concatenate([[0, 0], a[2:]])), ("block_rows", lambda a: a + 1),
        ("children", lambda a: a + np.uint8(3)), ("values", lambda a: a * np.float32("nan")),
        ("values", lambda a: a[:-1]), ("children", lambda a: a[:-1]), ("bias", lambda a: a[:-1]),
    ],
)  # fmt: skip
def test_weights_that_make_no_sense_are_refused(name, change):
    level = _valid()
    with pytest.raises(InputError, match="LevelWeights"):
        pack(replace(level, **{name: change(getattr(level, name))}))


@pytest.mark.parametrize("precision", ["int4", "", None, 8])
def test_an_unknown_precision_is_refused(precision):
    with pytest.raises(InputError, match="precision"):
        pack(_valid(), precision)


@pytest.mark.parametrize("name", ["words", "counts", "entries", "keys"])
def test_damage_raises_in_unpack_or_changes_weights_only(name):
    rng = np.random.default_rng(5)
    _, level = _level(rng, [4, 9], 300, [rng.integers(300, size=60), rng.integers(300, size=90)])
    packed, n_errors = pack(level), 0
    for _ in range(200):
        array = getattr(packed, name).copy()
        array.view(np.uint8)[rng.integers(array.nbytes)] ^= 1 << rng.integers(8)
        try:
            again = unpack(replace(packed, **{name: array}))
        except ModelFileError:
            n_errors += 1
        else:
            assert (again.features < 300).all()
            assert (
                again.children
                < np.repeat([4, 9], np.add.reduceat(np.diff(again.row_entries), [0, again.block_rows[1]]))
            ).all()
    assert n_errors > 0


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_parents=st.integers(1, 4), most=st.sampled_from([3, 40, 400]))
def test_levels_joined_hold_the_columns_of_their_parts(seed, n_parents, most):
    """Nodes of two levels and some that neither has, mixed below the same parents, of one block or of several."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, most, size=(3, n_parents))
    counts[0] += counts.sum(axis=0) == 0
    parent = np.concatenate([np.repeat(np.arange(n_parents), row) for row in counts])
    place = np.argsort(np.argsort(parent * 2.0 + rng.random(len(parent)), kind="stable"))
    blocks = Blocks.below(counts.sum(axis=0))
    expected, bias = np.zeros((7, len(parent)), np.float32), np.zeros(len(parent), np.float32)
    parts, begin = [], 0
    for row in counts[:2]:
        end = begin + row.sum()
        level = _drawn(rng, Blocks.below(row))
        places = np.where(rng.random(row.sum()) < 0.8, place[begin:end], -1)
        expected[:, places[places >= 0]] = level.matrix().toarray()[:, places >= 0]
        bias[places[places >= 0]] = level.bias[places >= 0]
        parts.append((level, places))
        begin = end
    made = joined(parts, blocks)
    made.check()
    np.testing.assert_array_equal(made.matrix().toarray(), expected)
    np.testing.assert_array_equal(made.bias, bias)


def _drawn(rng, blocks):
    """Weights of seven features, three in ten of them not zero."""
    W = rng.normal(size=(7, blocks.begin[-1])) * (rng.random((7, blocks.begin[-1])) < 0.3)
    return level_weights(W, rng.normal(size=W.shape[1]), blocks)
