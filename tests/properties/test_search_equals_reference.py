"""Native beam search gives the labels, order and scores of a plain search that sorts everything."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from random_problems import random_children, random_features, random_tree, random_weights

from ramify.errors import InputError
from ramify.kernels.pack import pack
from ramify.kernels.predict import TRANSFORMS, SearchConfig, Searcher
from ramify.reference.predict import PlainModel, rounded
from ramify.values import as_csr
from ramify.weights import PRECISIONS

ALL_TRANSFORMS = [prefix + name for prefix in ("", "log-") for name in TRANSFORMS]


def _model(rng, *, copies, exact, n_features=9, depth=3, most=5):
    tree = random_tree(rng, random_children(rng, depth, most), copies=copies)
    return tree, random_weights(rng, tree, n_features, exact=exact)


def _exact_features(rng, n, d=9):
    return as_csr(np.where(rng.random((n, d)) < 0.5, rng.integers(-2, 3, (n, d)), 0))


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    depth=st.integers(1, 4),
    beam=st.sampled_from([1, 2, 3, 10, 10_000]),
    k=st.integers(1, 12),
    transform=st.sampled_from([name for name in ALL_TRANSFORMS if "sigmoid" not in name]),
    path_weight=st.sampled_from([0.0, 0.25, 1.0]),
    copies=st.booleans(),
    restricted=st.sampled_from(["", "allowed", "forbidden", "both"]),
)
def test_labels_and_ties(seed, depth, beam, k, transform, path_weight, copies, restricted):
    """With small fractions no sum is rounded, so that ties are true ties and must fall the same way."""
    rng = np.random.default_rng(seed)
    tree, levels = _model(rng, copies=copies, exact=True, depth=depth)
    X = _exact_features(rng, 6)
    config = SearchConfig(beam=beam, transform=transform, path_weight=path_weight)
    allowed = rng.random(tree.n_labels) < 0.6 if restricted in ("allowed", "both") else None
    forbidden = None
    if restricted in ("forbidden", "both"):
        forbidden = as_csr((rng.random((6, tree.n_labels)) < 0.3).astype(np.float32))
    searcher = Searcher(tree, [pack(level, "fp32") for level in levels], allowed)
    labels, scores = searcher.search(X, k, config, forbidden=forbidden)
    plain = PlainModel(tree, levels).search(X, k, config, allowed=allowed, forbidden=forbidden)
    np.testing.assert_array_equal(labels, plain[0])
    np.testing.assert_allclose(scores, plain[1], rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    transform=st.sampled_from(ALL_TRANSFORMS),
    precision=st.sampled_from(PRECISIONS),
    beam=st.sampled_from([2, 10_000]),
    copies=st.booleans(),
)
def test_scores_at_any_precision(seed, transform, precision, beam, copies):
    rng = np.random.default_rng(seed)
    tree, levels = _model(rng, copies=copies, exact=False)
    X = random_features(rng, 5, 4)
    config = SearchConfig(beam=beam, transform=transform)
    packed = [pack(level, precision) for level in levels]
    labels, scores = Searcher(tree, packed).search(X, 7, config)
    model = PlainModel(tree, [rounded(level, precision) for level in levels])
    plain_labels, plain_scores = model.search(X, 7, config)
    np.testing.assert_allclose(scores, plain_scores, rtol=2e-3, atol=1e-6)
    for row in range(5):  # where scores are well apart, so are the labels
        given = plain_scores[row, plain_labels[row] >= 0]
        gap = -np.diff(given) > 1e-2 * np.abs(given[:-1]) + 1e-5
        clear = np.flatnonzero(np.append(True, gap) & np.append(gap, False))
        np.testing.assert_array_equal(labels[row, clear], plain_labels[row, clear])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    transform=st.sampled_from(ALL_TRANSFORMS),
    path_weight=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_scores_of_given_leaves(seed, transform, path_weight):
    rng = np.random.default_rng(seed)
    tree, levels = _model(rng, copies=True, exact=False)
    X = random_features(rng, 5, 4)
    config = SearchConfig(transform=transform, path_weight=path_weight)
    counts = rng.integers(0, 9, 5)
    pointers = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    leaves = rng.integers(0, tree.n_leaves, pointers[-1]).astype(np.int32)  # in any order, some twice
    searcher = Searcher(tree, [pack(level, "fp32") for level in levels])
    found, margins = searcher.score(X, pointers, leaves, config, threads=2)
    rows = np.repeat(np.arange(5), counts)
    plain = PlainModel(tree, levels)
    np.testing.assert_allclose(found, plain.leaf_scores(X, config)[rows, leaves], rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(margins, plain.margins(X)[-1][rows, leaves], rtol=1e-3, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    beam=st.sampled_from([1, 3, 10_000]),
    k=st.integers(1, 8),
    transform=st.sampled_from(ALL_TRANSFORMS),
    merging=st.sampled_from(["mean", "sum"]),
    restricted=st.booleans(),
)
def test_merged_copies(seed, beam, k, transform, merging, restricted):
    """All copies that the beam reaches count, and the same bits come out alone and in a batch."""
    rng = np.random.default_rng(seed)
    tree, levels = _model(rng, copies=True, exact=False, most=6)
    X = random_features(rng, 12, 9)[:, :9].tocsr()
    config = SearchConfig(beam=beam, transform=transform, path_weight=0.5, copies=merging)
    forbidden = as_csr((rng.random((12, tree.n_labels)) < 0.3).astype(np.float32)) if restricted else None
    searcher = Searcher(tree, [pack(level, "fp32") for level in levels])
    labels, scores = searcher.search(X, k, config, forbidden=forbidden, threads=2)
    plain = PlainModel(tree, levels).search(X, k, config, forbidden=forbidden)
    np.testing.assert_allclose(scores, plain[1], rtol=2e-3, atol=1e-6)
    assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in labels)
    if forbidden is None:
        many = searcher.search(sp.vstack([X, X]).tocsr(), k, config)
        for row in range(12):
            one = searcher.search_one(*_row(X, row), config.native(k, 1), k)
            for a, b, c in zip(one, (labels, scores), many, strict=True):
                np.testing.assert_array_equal(a[0], b[row])
                np.testing.assert_array_equal(a[0], c[12 + row])


@pytest.mark.parametrize("n_leaves", [255, 256, 257, 600])
def test_parents_with_several_blocks(n_leaves):
    rng = np.random.default_rng(n_leaves)
    tree = random_tree(rng, [[2], [n_leaves, 3]])
    levels = random_weights(rng, tree, 7, exact=True)
    X = _exact_features(rng, 30, 7)
    packed, config = [pack(level, "fp32") for level in levels], SearchConfig()
    labels, scores = Searcher(tree, packed).search(X, 20, config)
    plain = PlainModel(tree, levels).search(X, 20, config)
    np.testing.assert_array_equal(labels, plain[0])
    np.testing.assert_allclose(scores, plain[1], rtol=1e-5)
    every = np.tile(np.arange(tree.n_leaves, dtype=np.int32), 30)
    pointers = np.arange(31, dtype=np.int64) * tree.n_leaves
    found = Searcher(tree, packed).score(X, pointers, every, config)[0].reshape(30, -1)
    np.testing.assert_allclose(found, PlainModel(tree, levels).leaf_scores(X, config), rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_alone_or_in_any_batch_the_same_bits(precision, threads):
    rng = np.random.default_rng(4)
    tree, levels = _model(rng, copies=True, exact=False, most=9)
    X = random_features(rng, 97, 9)[:, :9].tocsr()
    searcher = Searcher(tree, [pack(level, precision) for level in levels])
    config = SearchConfig(beam=4, transform="sigmoid")
    whole = searcher.search(X, 6, config, threads=threads)
    options = config.native(6, 1)
    for row in range(97):
        one = searcher.search_one(*_row(X, row), options, 6)
        for a, b in zip(one, whole, strict=True):
            np.testing.assert_array_equal(a[0], b[row])
    for cuts in ([0, 1, 97], [0, 50, 51, 97], [0, 17, 33, 97]):
        parts = [searcher.search(X[a:b], 6, config, threads=threads) for a, b in pairwise(cuts)]
        for whole_part, part in zip(whole, zip(*parts, strict=True), strict=True):
            np.testing.assert_array_equal(np.concatenate(part), whole_part)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("n_children", [3, 16, 47, 64, 90, 200, 256])
def test_blocks_that_a_batch_opens_give_the_same_bits(precision, n_children):
    """A batch keeps the rows of a block that name many of its children in another form."""
    rng = np.random.default_rng(n_children)
    tree = random_tree(rng, [[2], [n_children, 5]])
    density = rng.choice([0.02, 0.09, 0.11, 0.5, 1.0], size=(40, 1))  # on both sides of what counts as many
    levels = random_weights(rng, tree, 40, density=density)
    X = as_csr(np.where(rng.random((120, 40)) < 0.6, rng.normal(size=(120, 40)), 0).astype(np.float32))
    searcher = Searcher(tree, [pack(level, precision) for level in levels])
    config = SearchConfig(path_weight=0.5)
    whole = searcher.search(X, 10, config, threads=2)
    options = config.native(10, 1)
    for row in range(120):
        for a, b in zip(searcher.search_one(*_row(X, row), options, 10), whole, strict=True):
            np.testing.assert_array_equal(a[0], b[row])
    scores = PlainModel(tree, [rounded(level, precision) for level in levels]).search(X, 10, config)[1]
    np.testing.assert_allclose(whole[1], scores, rtol=2e-3, atol=1e-6)


def _row(X, row):
    part = slice(X.indptr[row], X.indptr[row + 1])
    return X.indices[part].astype(np.int32), X.data[part]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, 1e-45])
@pytest.mark.parametrize("transform", ALL_TRANSFORMS)
@pytest.mark.parametrize("path_weight", [0.0, 0.1, 1.0])
def test_overflow_gives_an_order_and_never_a_crash(value, transform, path_weight):
    """Sorting by NaN may read beyond an array; margins that are none count as the worst."""
    rng = np.random.default_rng(2)
    tree, levels = _model(rng, copies=False, exact=False, most=12)
    levels = [replace(level, bias=np.where(rng.random(level.n_nodes) < 0.5, value, level.bias)) for level in levels]
    levels = [replace(level, bias=level.bias.astype(np.float32)) for level in levels]
    X = as_csr(np.where(rng.random((40, 9)) < 0.5, 3e38, -3e38).astype(np.float32))
    searcher = Searcher(tree, [pack(level, "fp32") for level in levels])
    labels, scores = searcher.search(X, 200, SearchConfig(beam=7, transform=transform, path_weight=path_weight))
    assert not np.isnan(scores).any()
    assert (scores[:, :-1] >= scores[:, 1:]).all()
    for row in labels:
        given = row[row >= 0]
        assert len(np.unique(given)) == len(given)


def _small():
    rng = np.random.default_rng(0)
    tree, levels = _model(rng, copies=False, exact=True)
    packed = [pack(level) for level in levels]
    return tree, packed, Searcher(tree, packed), _exact_features(rng, 3)


@pytest.mark.parametrize("k", [0, -1, 2**31, 1.0, True, None, "5"])
def test_k_out_of_range(k):
    _, _, searcher, X = _small()
    with pytest.raises(InputError, match="k is"):
        searcher.search(X, k, SearchConfig())


def test_other_arguments_out_of_range():
    tree, levels, searcher, X = _small()
    config = SearchConfig()
    for threads in (0, -1, 10**9, 1.5):
        with pytest.raises(InputError, match="threads"):
            searcher.search(X, 1, config, threads=threads)
    with pytest.raises(InputError, match="columns"):
        searcher.search(X[:, :5], 1, config)
    with pytest.raises(InputError, match="copies"):
        SearchConfig(copies="best")
    with pytest.raises(InputError, match="forbidden"):
        searcher.search(X, 1, config, forbidden=sp.csr_matrix((2, tree.n_labels)))
    with pytest.raises(InputError, match="leaves"):
        searcher.score(X, np.array([0, 1, 1, 1]), np.array([tree.n_leaves], np.int32), config)
    with pytest.raises(InputError, match="pointers"):
        searcher.score(X, np.array([0, 2, 1, 1]), np.array([0], np.int32), config)
    with pytest.raises(InputError, match="allowed"):
        Searcher(tree, levels, np.ones(2, bool))
    with pytest.raises(InputError, match="levels"):
        Searcher(tree, levels[:-1])


@pytest.mark.parametrize(
    ("indices", "values"),
    [
        (np.array([0, 1], np.int32), np.ones(1, np.float32)),
        (np.array([0, 1]), np.ones(2, np.float32)),
        (np.array([0, 1], np.int32), np.ones(2)),
        (np.array([[0]], np.int32), np.ones((1, 1), np.float32)),
        ([0], [1.0]),
    ],
)
def test_a_single_instance_of_other_types(indices, values):
    _, _, searcher, _ = _small()
    with pytest.raises(InputError, match="single instance"):
        searcher.search_one(indices, values, SearchConfig().native(2, 1), 2)


def test_options_made_for_another_k_are_refused():
    _, _, searcher, _ = _small()
    with pytest.raises(InputError):
        searcher.search_one(np.array([0], np.int32), np.ones(1, np.float32), SearchConfig().native(50, 1), 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [("beam", 0), ("beam", 2**31), ("beam", "3"), ("beam", None), ("beam", True), ("beam", 2.0),
     ("transform", "l5-hinge"), ("transform", None), ("transform", ["sigmoid"])],
)  # fmt: skip
def test_settings_out_of_range(name, value):
    with pytest.raises(InputError, match=name):
        SearchConfig(**{name: value})
