"""The merge of rankings, by sorting (many instances) and by a dictionary (one), equals a plain loop over labels."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ramify import TopK
from ramify.models.mixtures.merging import BLOCK, COMBINATIONS, Merger


def random_rankings(rng, n, m, c, n_labels):
    """Rankings with ties, short rows, zeros and negative scores."""
    labels = np.full((n, m, c), -1, np.int32)
    scores = np.full((n, m, c), -np.inf, np.float32)
    for row, member in np.ndindex(n, m):
        count = rng.integers(0, min(c, n_labels) + 1)
        labels[row, member, :count] = rng.permutation(n_labels)[:count]
        scores[row, member, :count] = -np.sort(-rng.integers(-4, 5, count) / 4).astype(np.float32)
    return labels, scores


def share(combine, candidates, scores, rank):
    """What the label at this rank (from 0) counts in one member's ranking."""
    if combine == "average":
        return float(scores[rank])
    if combine == "rank":
        return max(0.0, 1 - rank / candidates)
    if combine == "softmax":
        return math.exp(scores[rank]) / sum(math.exp(score) for score in scores[:candidates])
    return 1 / (1 + math.exp(-scores[rank]))


def brute_force(merger, labels, scores):
    """Mean share of each label of one instance, in float64."""
    sums = {}
    for member, weight in enumerate(merger.weights.tolist()):
        known = int((labels[member] >= 0).sum())
        for rank, label in enumerate(labels[member, :known].tolist()):
            counts = share(merger.combine, merger.candidates, scores[member, :known].astype(float), rank)
            sums[label] = sums.get(label, 0.0) + weight * counts
    return {label: total / sum(merger.weights.tolist()) for label, total in sums.items()}


def sums_of_ranks(merger, labels):
    """What breaks ties."""
    sums = {}
    for ranking in labels.tolist():
        for rank, label in enumerate(ranking):
            sums[label] = sums.get(label, 0) + max(0, merger.candidates - rank)
    return sums


def rows(top, row):
    return top.labels[row : row + 1], top.scores[row : row + 1]


problems = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "n": st.integers(1, 8),
        "m": st.integers(1, 5),
        "c": st.integers(1, 12),
        "n_labels": st.integers(1, 15),
        "k": st.integers(1, 20),
        "combine": st.sampled_from(COMBINATIONS),
    }
)


@given(problems)
@settings(max_examples=300, deadline=None)
def test_both_ways_equal_brute_force(problem):
    rng = np.random.default_rng(problem["seed"])
    n, m, c, k = (problem[name] for name in ("n", "m", "c", "k"))
    labels, scores = random_rankings(rng, n, m, c, problem["n_labels"])
    weights = rng.integers(1, 4, m).astype(float)
    merger = Merger(combine=problem["combine"], weights=weights, candidates=int(rng.integers(1, c + 1)))
    top = merger.merge(labels, scores, k)
    for row in range(n):
        wanted = brute_force(merger, labels[row], scores[row])
        kept = top.labels[row][top.labels[row] >= 0].tolist()
        assert len(kept) == min(k, len(wanted))
        np.testing.assert_allclose(
            top.scores[row, : len(kept)], [wanted[label] for label in kept], rtol=1e-6, atol=1e-7
        )
        assert np.isneginf(top.scores[row, len(kept) :]).all()
        ranks = sums_of_ranks(merger, labels[row])
        order = [(-score, -ranks[label], label) for label, score in next(TopK(*rows(top, row)).rows())]
        assert order == sorted(order)
        left_out = [wanted[label] for label in wanted if label not in kept]
        assert not left_out or max(left_out) <= min(wanted[label] for label in kept) + 1e-7
        alone = merger.merge_one(labels[row], scores[row], k)
        assert np.array_equal(alone[0], top.labels[row : row + 1])
        assert np.array_equal(alone[1], top.scores[row : row + 1])


def test_answers_of_a_hundred_thousand_candidates():
    """There the sums of ranks that break ties are rounded, in both ways alike."""
    rng = np.random.default_rng(0)
    labels = np.stack([rng.permutation(50_000)[:40_000] for _ in range(3)]).astype(np.int32)[None]
    scores = -np.sort(-rng.integers(0, 100, labels.shape)).astype(np.float32)
    merger = Merger(combine="average", weights=np.ones(3), candidates=30_000)
    top, alone = merger.merge(labels, scores, 1000), merger.merge_one(labels[0], scores[0], 1000)
    assert np.array_equal(top.labels, alone[0])
    assert np.array_equal(top.scores, alone[1])
    assert len(np.unique(top.labels)) == 1000


def test_blocks_change_nothing():
    labels, scores = random_rankings(np.random.default_rng(0), 40, 3, 5, 30)
    times = BLOCK // (15 * 40) + 2
    merger = Merger(combine="softmax", weights=np.ones(3), candidates=5)
    once = merger.merge(labels, scores, 4)
    many = merger.merge(np.tile(labels, (times, 1, 1)), np.tile(scores, (times, 1, 1)), 4)
    assert np.array_equal(many.labels, np.tile(once.labels, (times, 1)))
    assert np.array_equal(many.scores, np.tile(once.scores, (times, 1)))


def test_scores_far_from_one_stay_numbers():
    labels = np.array([[[0, 1], [1, 2]]], np.int32)
    scores = np.array([[[3e38, -3e38], [-1e30, -2e30]]], np.float32)
    for combine in COMBINATIONS:
        top = Merger(combine=combine, weights=np.ones(2), candidates=2).merge(labels, scores, 3)
        assert set(top.labels[0].tolist()) == {0, 1, 2}
        assert np.isfinite(top.scores).all()
