"""Native votes of the nearest instances are those of a plain search that sorts all similarities."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from ramify.errors import InputError
from ramify.kernels.neighbours import NeighbourSearcher, VoteConfig
from ramify.reference.neighbours import nearest_labels
from ramify.values import as_csr


def _problem(seed, *, n=40, m=9, d=12, n_labels=8, share=0.3, exact=False):
    """Rows of four ones each have length two: with them no similarity is rounded, and ties are true ties."""
    rng = np.random.default_rng(seed)
    if exact:
        X = np.zeros((n + m, d), np.float32)
        for row in X[rng.random(n + m) < 0.9]:
            row[rng.choice(d, 4, replace=False)] = rng.choice([-1, 1], 4, p=[0.2, 0.8])
    else:
        X = np.where(rng.random((n + m, d)) < share, rng.normal(0.5, 1, (n + m, d)), 0).astype(np.float32)
        X[: n // 4] = X[n // 4 : 2 * (n // 4)]
    kept = X if not exact else X * (np.abs(X).sum(axis=1) > 0)[:, None]
    Y = as_csr((rng.random((n, n_labels)) < 0.2).astype(np.float32))
    return as_csr(kept[:n]), Y, as_csr(kept[n:])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 200),
    neighbours=st.sampled_from([1, 2, 5, 30, 1000]),
    k=st.integers(1, 8),
    restricted=st.sampled_from(["", "mask", "allowed", "forbidden", "mask and forbidden", "allowed and forbidden"]),
)
def test_labels_and_ties(seed, n, neighbours, k, restricted):
    known, Y, X = _problem(seed, n=n, exact=True)
    rng = np.random.default_rng(seed)
    config = VoteConfig(neighbours=neighbours, power=0.0)  # whole votes: their sums are not rounded either
    may, given_ = np.ones((X.shape[0], 8), bool), {}
    if "mask" in restricted:
        mask = rng.random(8) < 0.6
        may, given_["allowed"] = may & mask, mask
    elif "allowed" in restricted:
        rows = rng.random(may.shape) < 0.6
        may, given_["allowed"] = may & rows, as_csr(rows.astype(np.float32))
    if "forbidden" in restricted:
        rows = rng.random(may.shape) < 0.4
        may, given_["forbidden"] = may & ~rows, as_csr(rows.astype(np.float32))
    labels, scores = NeighbourSearcher.of(known, Y).search(X, k, config, **given_)
    plain = nearest_labels(X, (known, Y), k, config, allowed=may)
    np.testing.assert_array_equal(labels, plain[0])
    np.testing.assert_array_equal(scores, plain[1])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    neighbours=st.sampled_from([1, 3, 10, 50]),
    power=st.sampled_from([0.5, 1.0, 3.0, 60.0]),
    share=st.sampled_from([0.05, 0.3, 0.9]),
)
def test_scores(seed, neighbours, power, share):
    known, Y, X = _problem(seed, share=share)
    config = VoteConfig(neighbours=neighbours, power=power)
    _, scores = NeighbourSearcher.of(known, Y).search(X, 8, config)
    _, plain = nearest_labels(X, (known, Y), 8, config)
    np.testing.assert_allclose(scores, plain, rtol=1e-4, atol=1e-5)
    given_ = scores[np.isfinite(scores)]
    assert ((given_ >= 0) & (given_ <= 1)).all()


@pytest.mark.parametrize("share", [0.004, 0.2])
def test_same_bits_for_any_number_of_threads_and_alone(share):
    """Sparse queries take the way of a few listed instances, the others that of all."""
    known, Y, X = _problem(3, n=3000, m=100, d=300, share=share)
    searcher, config = NeighbourSearcher.of(known, Y), VoteConfig()
    labels, scores = searcher.search(X, 5, config)
    assert (labels >= 0).any()
    for threads in (2, 3, 64):
        again = searcher.search(X, 5, config, threads=threads)
        assert np.array_equal(labels, again[0])
        assert np.array_equal(scores, again[1])
    request = config.native(5, 1)
    for row in range(X.shape[0]):
        one = X[row]
        alone = searcher.search_one(one.indices, one.data, request, 5)
        assert np.array_equal(labels[row], alone[0][0])
        assert np.array_equal(scores[row], alone[1][0])


def test_a_neighbour_in_all_votes_scores_one_and_lengths_do_not_count():
    known, Y, X = _problem(5)
    Y = as_csr(np.hstack([Y.toarray(), np.ones((Y.shape[0], 1), np.float32)]))
    searcher, config = NeighbourSearcher.of(known, Y), VoteConfig(power=1.7)
    labels, scores = searcher.search(X, 9, config)
    assert (scores[labels == 8] == 1.0).all()
    for size in (1e-38, 1e30):
        scaled = searcher.search(as_csr(X * np.float32(size)), 9, config)
        np.testing.assert_allclose(scaled[1], scores, rtol=1e-4)


def test_progress_is_reported_and_an_error_in_it_stops_the_search():
    known, Y, X = _problem(1, n=4000, m=4000, d=100)
    searcher, shares = NeighbourSearcher.of(known, Y), []

    def stop(done):
        shares.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        # Progress is reported ten times a second, so a fast machine needs a longer search.
        for copies in (1, 4, 16, 64, 256):
            searcher.search(sp.vstack([X] * copies, format="csr"), 5, VoteConfig(), threads=2, progress=stop)
    assert 0 < shares[0] <= 1
    fresh = NeighbourSearcher.of(known, Y)
    assert np.array_equal(searcher.search(X[:50], 5, VoteConfig())[1], fresh.search(X[:50], 5, VoteConfig())[1])


@pytest.mark.parametrize(
    ("indices", "values"),
    [
        (np.array([12], np.int32), np.ones(1, np.float32)),
        (np.array([-1], np.int32), np.ones(1, np.float32)),
        (np.array([0, 1], np.int32), np.ones(1, np.float32)),
        (np.array([0], np.int64), np.ones(1, np.float32)),
        ([0], [1.0]),
    ],
)
def test_a_wrong_single_instance_is_refused(indices, values):
    known, Y, _ = _problem(1)
    with pytest.raises(InputError, match="a single instance is"):
        NeighbourSearcher.of(known, Y).search_one(indices, values, VoteConfig().native(3, 1), 3)


def test_what_does_not_fit_is_refused():
    known, Y, X = _problem(1)
    searcher = NeighbourSearcher.of(known, Y)
    cases = [
        (lambda: searcher.search(X[:, :3], 2, VoteConfig()), "X has 3 columns, but the model has 12 features"),
        (lambda: searcher.search(X, 2, VoteConfig(), forbidden=X), "the labels per query have shape"),
        (lambda: searcher.search(X, 2, VoteConfig(), allowed=np.ones(3, bool)), "allowed must be a bool vector"),
        (lambda: NeighbourSearcher(X, Y), "there are 12 training instances, but Y has 40 rows"),
        (lambda: VoteConfig(neighbours=0), "neighbours is 0"),
        (lambda: VoteConfig(power=float("nan")), "power is nan"),
        (lambda: VoteConfig(power=-1.0), "power is -1.0"),
    ]
    for call, message in cases:
        with pytest.raises(InputError, match=message):
            call()
