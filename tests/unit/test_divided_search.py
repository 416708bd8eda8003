"""A model whose leaves are read in parts gives the answers of the whole model, bit for bit."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from scale_tools import assert_same_answers, hybrid, problem, trained

from ramify import Disentangled, Ensemble, PopularLabels, XRLinear, load
from ramify.errors import InputError
from ramify.scale import divided
from ramify.scale.divided import DividedSearch, divide, give_back
from ramify.tagger import Tagger
from ramify.tagger.fusing.members import SavedMember
from ramify.values import Dataset


@pytest.fixture(scope="module")
def data():
    return problem(n=700, n_labels=300)


@pytest.fixture(scope="module")
def model(data):
    return trained(*data, threads=1)


@pytest.fixture(autouse=True)
def nothing_used(monkeypatch):
    """Limits of a few thousand bytes divide small models, as if the process had used no memory."""
    monkeypatch.setattr(divided, "used_memory", lambda: 0)


def limit_of(parts, *models):
    """A limit of memory that divides the leaves of the first model into so many parts."""
    inner = sum(level.nbytes for model in models for level in model.search_.levels[:-1])
    return inner + 2 * -(-models[0].search_.levels[-1].nbytes // parts) + 2


def in_parts(model, tmp_path, parts=5):
    """The model, loaded and divided."""
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert divide(loaded, limit_of(parts, model)) == parts
    return loaded


@pytest.mark.parametrize("k", [1, 7, 300])
def test_parts_give_the_answer_of_the_whole_tree(data, model, tmp_path, k):
    X, _ = data
    loaded = in_parts(model, tmp_path)
    assert_same_answers(loaded.predict_topk(X, k), model.predict_topk(X, k))
    assert_same_answers(loaded.predict_topk(X[:1], k), model.predict_topk(X[:1], k))
    assert_same_answers(loaded.predict_topk(X, k, beam=2), model.predict_topk(X, k, beam=2))


def test_restrictions_and_ranks_of_rare_labels_are_those_of_the_whole_tree(data, tmp_path):
    X, Y = data
    model = trained(X, Y, threads=1, tail_rank=0.5, score_transform="sigmoid")
    loaded = in_parts(model, tmp_path, 3)
    some = np.arange(0, 300, 3)
    assert_same_answers(loaded.predict_topk(X, 9, allowed=some), model.predict_topk(X, 9, allowed=some))
    assert_same_answers(loaded.predict_topk(X, 9, forbidden=some), model.predict_topk(X, 9, forbidden=some))
    assert_same_answers(loaded.predict_topk(X, 9, forbidden=Y), model.predict_topk(X, 9, forbidden=Y))
    assert_same_answers(loaded.predict_topk(X, 9, allowed=Y), model.predict_topk(X, 9, allowed=Y))
    assert_same_answers(
        loaded.predict_topk(X, 9, allowed=some, forbidden=Y), model.predict_topk(X, 9, allowed=some, forbidden=Y)
    )


def test_the_trees_of_an_ensemble_are_divided(data, tmp_path):
    X, Y = data
    model = Ensemble([XRLinear(branching=4, max_leaf=8, seed=seed, threads=1) for seed in (0, 1)]).fit(X, Y)
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    trees = [part for part in loaded.inside().values() if isinstance(part, XRLinear)]
    assert divide(loaded, limit_of(4, *trees)) >= 4
    assert all(isinstance(tree.search_, DividedSearch) for tree in trees)
    assert_same_answers(loaded.predict_topk(X, 5), model.predict_topk(X, 5))


def test_a_model_that_fits_is_not_divided(model):
    search = model.search_
    assert divide(model, 10 * search.levels[-1].nbytes) == 1
    assert model.search_ is search


def test_limits_that_are_too_small_name_what_is_needed(data, model):
    with pytest.raises(
        InputError, match=r"^the limit of memory \(--memory\) is 0 MB, but the model needs about \d+ MB: r"
    ):
        divide(model, 20)
    copied = Disentangled(XRLinear(branching=4, max_leaf=8, threads=1), copies=2, threads=1).fit(*data)
    with pytest.raises(
        InputError, match=r"because it has a tree that has several leaves per label and cannot be read in parts"
    ):
        divide(copied, limit_of(2, copied.model_))
    dense = trained(hybrid(data[0]), data[1], threads=1)
    with pytest.raises(InputError, match=r"because it has a tree that has dense weights and cannot"):
        divide(dense, limit_of(2, dense))
    with pytest.raises(InputError, match=r"because it has a tree that has no clusters and cannot"):
        divide(XRLinear(threads=1, max_leaf=300).fit(*data), 4000)


def test_a_model_without_trees_is_compared_with_its_files(data):
    model = PopularLabels().fit(*data)
    assert divide(model, 4000, stored=3000) == 1
    with pytest.raises(InputError, match=r"because it has no label tree and cannot be read in parts: raise the limit"):
        divide(model, 4000, stored=5000)


def test_single_rows_and_given_pairs_are_those_of_the_whole_tree(data, model, tmp_path):
    X, Y = data
    loaded = in_parts(model, tmp_path)
    row = X[3].sorted_indices()
    for mine, whole in zip(
        loaded.single(4)(row.indices, row.data), model.single(4)(row.indices, row.data), strict=True
    ):
        np.testing.assert_array_equal(mine, whole)
    np.testing.assert_array_equal(loaded.score_pairs(X, Y).data, model.score_pairs(X, Y).data)
    np.testing.assert_array_equal(loaded.decision_function(X[:9]), model.decision_function(X[:9]))
    np.testing.assert_array_equal(loaded.leaf_scores(X, 5), model.leaf_scores(X, 5))


def test_a_tree_that_fits_alone_but_not_beside_others_gives_its_pages_back(data, tmp_path, monkeypatch):
    Ensemble([XRLinear(branching=4, max_leaf=8, seed=seed, threads=1) for seed in (0, 1)]).fit(*data).save(
        tmp_path / "m"
    )
    loaded = load(tmp_path / "m")
    searches = [part.search_ for part in loaded.inside().values() if isinstance(part, XRLinear)]
    inner = sum(level.nbytes for search in searches for level in search.levels[:-1])
    room = max(search.levels[-1].nbytes for search in searches)
    assert divide(loaded, inner + 2 * room) == 1
    given = []
    monkeypatch.setattr(divided, "give_back", lambda level: given.append(id(level)))
    loaded.predict_topk(data[0], 5)
    assert {id(search.levels[-1]) for search in searches} <= set(given)


def test_trees_of_the_members_of_a_fusion_are_divided(data):
    X, Y = data
    names = [f"label {number}" for number in range(Y.shape[1])]
    tagger = Tagger(XRLinear(branching=4, max_leaf=8, threads=1)).fit_dataset(Dataset(Y, names, X=X))
    assert divide(SavedMember(tagger), limit_of(3, tagger.model_)) == 3


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the system does not list mapped files")
def test_pages_are_given_back_and_read_again(tmp_path):
    rng = np.random.default_rng(0)
    Y = sp.csr_matrix(np.eye(400, dtype=np.float32)[rng.integers(0, 400, 4000)])
    X = sp.random(4000, 5000, density=0.02, random_state=0, format="csr", dtype=np.float32)
    trained(X, Y, threads=1, precision="fp32", threshold=0.0).save(tmp_path / "model")
    level = load(tmp_path / "model").search_.levels[-1]

    def resident():
        """Bytes of the mapped model in memory."""
        found, inside = 0, False
        for line in Path("/proc/self/smaps").read_text().splitlines():
            first, *rest = line.split()
            if not first.endswith(":"):
                inside = str(tmp_path) in line
            elif inside and first == "Rss:":
                found += int(rest[0]) * 1024
        return found

    before = level.entries.sum()
    held = resident()
    assert held > level.entries.nbytes > 1_000_000
    give_back(level)
    assert resident() < held - 0.9 * level.entries.nbytes
    assert level.entries.sum() == before
