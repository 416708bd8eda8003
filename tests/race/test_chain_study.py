"""The study of chains: thresholds, paired resampling, and what makes a kept network out of date."""

import numpy as np
import pytest
import scipy.sparse as sp

import racing.chain_members
from chains import MEASURES, best_threshold, contributions, resampled
from racing.chain_members import sources_of
from ramify import evaluate
from ramify.evaluation import top_k


def random_problem(seed, n=30, n_labels=12):
    rng = np.random.default_rng(seed)
    Y = sp.csr_matrix((rng.random((n, n_labels)) < 0.2).astype(np.float32))
    return Y, rng.random((n, n_labels)).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_the_threshold_has_the_largest_micro_f1(seed):
    Y, scores = random_problem(seed)
    truth = Y.toarray() > 0

    def f1(threshold):
        found = scores >= threshold
        return 2 * (found & truth).sum() / (found.sum() + truth.sum())

    assert f1(best_threshold(scores, Y)) == max(f1(threshold) for threshold in scores.ravel())


def test_contributions_average_to_the_measures():
    Y, scores = random_problem(0)
    report = evaluate(Y, top_k(scores, 5))
    assert np.allclose(contributions(Y, scores).mean(axis=0), [float(report[name]) for name in MEASURES])


def test_seeds_and_documents_are_resampled():
    rng = np.random.default_rng(0)
    equal = np.full((2, 50, len(MEASURES)), 0.01)
    assert resampled(equal)["P@1"][:3] == [1.0, 1.0, 1.0]
    seeds_differ = equal * np.array([3.0, -1.0])[:, None, None]
    mean, low, high, p = resampled(seeds_differ)["P@1"]
    assert (mean, low, high) == (1.0, -1.0, 3.0) and p > 0.3
    noise = rng.normal(0.0, 0.2, (1, 400, len(MEASURES)))
    _, low, high, p = resampled(noise)["nDCG@5"]
    assert pytest.approx(high - low, rel=0.15) == 100 * 2 * 1.96 * 0.2 / 20 and p > 0.01


def test_comments_do_not_change_the_digest_of_sources_and_code_does(tmp_path, monkeypatch):
    monkeypatch.setattr(racing.chain_members, "REPOSITORY", tmp_path)

    def digest(text):
        (tmp_path / "module.py").write_text(text)
        sources_of.cache_clear()
        return sources_of(("module.py",))

    known = digest('"""Text."""\n\ndef f(x):\n    """More."""\n    return x + 1\n')
    assert digest("# other\ndef f(x):\n    return (x + 1)  # remark\n") == known
    assert digest("def f(x):\n    return x + 2\n") != known
    sources_of.cache_clear()
