"""Training within a limit of memory gives the model of a training without, bit for bit."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from ramify import Tfidf, XRLinear, _native
from ramify.errors import InputError, RamifyWarning
from ramify.exchange import Training
from ramify.kernels.train import LevelProblem, SolverConfig, train
from ramify.protocols import TreeWork
from ramify.scale import limited
from ramify.scale.limited import MemoryLimit, bounded_ranges, needed_bytes
from ramify.spill import Spill
from ramify.tagger import Tagger
from ramify.values import Dataset, Hybrid, LabelTree
from ramify.weights import Blocks

SETTINGS = {"branching": 3, "max_leaf": 6, "threads": 2}


@pytest.fixture
def small_parts(monkeypatch):
    """Limits whose parts have one parent, and whose searches have ten instances."""
    monkeypatch.setattr(limited, "BYTES_PER_VALUE", 1e9)
    monkeypatch.setattr(limited, "ROWS_AT_ONCE", 10)


@pytest.fixture
def problem():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 60, (400, 2))
    Y = sp.csr_matrix((np.ones(800, np.float32), (np.repeat(np.arange(400), 2), labels.ravel())), shape=(400, 70))
    Y.data[:] = 1
    words = np.concatenate([labels, labels % 7 + 60, rng.integers(70, 200, (400, 5))], axis=1)
    X = sp.csr_matrix(
        (np.ones(words.size, np.float32), (np.repeat(np.arange(400), 9), words.ravel())), shape=(400, 200)
    )
    return X, Y


def assert_same_model(first, second):
    (config, arrays), (other_config, other_arrays) = first.to_state(), second.to_state()
    assert config == other_config
    assert arrays.keys() == other_arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, other_arrays[name], err_msg=name)


def limited_fit(model, X, Y, folder, limit=10**9, **more):
    memory = MemoryLimit(limit, folder)
    return model.fit_training(Training(X=X, Y=Y, compute=memory, spill=memory.spill, **more))


@pytest.mark.parametrize(
    "settings",
    [{}, {"negatives": "tfn+man"}, {"negatives": "tfn"}, {"precision": "fp32", "tail_rank": 0.5}, {"max_leaf": None}],
    ids=str,
)
def test_the_model_is_that_without_a_limit(settings, problem, small_parts, tmp_path):
    X, Y = problem
    model = XRLinear(**(SETTINGS | settings))
    plain = XRLinear(**(SETTINGS | settings)).fit(X, Y)
    assert_same_model(limited_fit(model, X, Y, tmp_path), plain)
    assert settings.get("max_leaf", 1) is None or plain.tree_.depth > 2
    assert list(tmp_path.iterdir()) == []


def test_a_dense_block_and_weights_of_instances_are_kept(problem, small_parts, tmp_path):
    X, Y = problem
    weights = np.random.default_rng(0).random(400).astype(np.float32)
    dense = np.random.default_rng(1).standard_normal((400, 5)).astype(np.float32)
    mixed = Hybrid(X, dense)
    plain = XRLinear(**SETTINGS).fit(mixed, Y, sample_weight=weights)
    assert_same_model(limited_fit(XRLinear(**SETTINGS), mixed, Y, tmp_path, sample_weight=weights), plain)


def test_parts_that_hold_several_parents_give_the_same_model(problem, tmp_path, monkeypatch):
    X, Y = problem
    plain = XRLinear(**SETTINGS).fit(X, Y)
    calls = []
    train = limited.train
    monkeypatch.setattr(limited, "train", lambda *args, **kwargs: calls.append(1) or train(*args, **kwargs))
    counts = []
    for bytes_per_value in (1e3, 2e4, 1e9):
        calls.clear()
        monkeypatch.setattr(limited, "BYTES_PER_VALUE", bytes_per_value)
        assert_same_model(limited_fit(XRLinear(**SETTINGS), X, Y, tmp_path), plain)
        counts.append(len(calls))
    assert counts[0] == plain.tree_.depth
    assert counts[0] < counts[1] < counts[2]


def test_a_limit_that_is_too_small_is_refused_with_the_memory_that_is_needed(problem, tmp_path, monkeypatch):
    X, Y = problem
    monkeypatch.setattr(limited, "FIXED_BYTES", 10**9)
    with pytest.raises(
        InputError, match=r"^the training needs about 1,\d+ MB of memory, but the limit is 300 MB: raise"
    ):
        limited_fit(XRLinear(**SETTINGS), X, Y, tmp_path, limit=3 * 10**8)
    with pytest.raises(InputError, match=r"^the training needs at least 1,143 MB of memory, but the limit is 300 MB"):
        MemoryLimit(3 * 10**8, tmp_path).check_labels(Y)
    with pytest.raises(InputError, match=r"^the limit of memory is 100 MB, but libraries .*: give at least 250 MB$"):
        MemoryLimit(10**8, tmp_path)


@pytest.fixture(scope="module")
def large_problem():
    """Instances whose values exceed 1 MB, below one parent with 40 children."""
    rng = np.random.default_rng(5)
    X = sp.random(4000, 300, 0.2, format="csr", dtype=np.float32, random_state=5)
    labels = rng.integers(0, 40, 4000)
    positives = sp.csr_matrix((np.ones(4000, np.float32), (labels, np.arange(4000))), shape=(40, 4000))
    rows = sp.csr_matrix(np.ones((1, 4000), np.float32))
    return X, LevelProblem(Blocks.below(np.array([40])), rows, positives)


@pytest.mark.parametrize("threads", [1, 2])
def test_rows_of_a_large_parent_in_files_give_the_same_weights(large_problem, tmp_path, threads):
    X, problem = large_problem
    (plain,) = train(X, [problem], SolverConfig(), threads=1)
    (in_files,) = train(X, [problem], SolverConfig(), threads=threads, folder=str(tmp_path))
    for name in ("features", "row_entries", "children", "values", "bias"):
        np.testing.assert_array_equal(getattr(in_files, name), getattr(plain, name), err_msg=name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [RecursionError, NotImplementedError, RuntimeError])
def test_an_error_of_progress_is_not_one_of_the_folder(large_problem, tmp_path, monkeypatch, kind):
    X, problem = large_problem
    error = kind("of the progress")

    def native(*_):
        raise error

    monkeypatch.setattr(_native, "train", native)  # progress is called every 0.1 s only
    with pytest.raises(RuntimeError) as raised:
        train(X, [problem], SolverConfig(), folder=str(tmp_path))
    assert raised.value is error


@pytest.mark.skipif(not limited.ROWS_IN_FILES, reason="rows are in files on Linux only")
@pytest.mark.parametrize("threads", [1, 2])
def test_rows_of_a_large_parent_are_in_the_folder(large_problem, tmp_path, threads):
    X, problem = large_problem
    wanted = r"^the folder .*absent cannot hold \d+ more bytes of the training \(No such file or directory\): free"
    with pytest.raises(InputError, match=wanted):
        train(X, [problem], SolverConfig(), threads=threads, folder=str(tmp_path / "absent"))


def test_only_parts_beyond_the_share_of_the_limit_have_a_folder(problem, tmp_path, monkeypatch):
    X, Y = problem
    calls = []

    def noted(X, problems, *args, folder, **kwargs):
        calls.append((problems[0].rows.shape[0], folder))
        return train(X, problems, *args, folder=folder, **kwargs)

    monkeypatch.setattr(limited, "train", noted)
    limited_fit(XRLinear(**SETTINGS), X, Y, tmp_path)
    assert {folder for _, folder in calls} == {""}
    calls.clear()
    monkeypatch.setattr(limited, "BYTES_PER_VALUE", 1e9)
    limited_fit(XRLinear(**SETTINGS), X, Y, tmp_path)
    assert calls[0] == (1, str(tmp_path))


def test_the_estimate_has_the_root_and_grows_with_it():
    tree = LabelTree.flat(np.arange(20, dtype=np.int32), 20)

    def needed(n, threads=2):
        X = sp.csr_matrix((np.ones(n, np.float32), np.arange(n) % 50, np.arange(n + 1)), shape=(n, 50))
        target = sp.csr_matrix((np.ones(n, np.float32), np.arange(n) % 20, np.arange(n + 1)), shape=(n, 20))
        solver = SolverConfig()
        return needed_bytes(
            TreeWork(X=X, tree=tree, targets=[target], matched=[False], beam=10, solver=solver, threads=threads)
        )

    rows = 2_000_000
    assert needed(rows) - needed(rows // 2) > rows // 2 * (40 + 100)  # 40 per positive, and rows of 16 children
    assert needed(rows, 2) - needed(rows, 1) > rows * 100
    assert needed(rows, 3) == needed(rows, 2)  # 20 children are two parts of 16


@pytest.fixture
def parts(monkeypatch):
    """The weights that each call of the training gave."""
    calls = []

    def noted(*args, **kwargs):
        (part,) = found = train(*args, **kwargs)
        calls.append(len(part.values))
        return found

    monkeypatch.setattr(limited, "train", noted)
    return calls


@pytest.mark.parametrize("max_leaf", [6, 100])
def test_the_estimated_weights_are_not_below_the_kept_ones(problem, parts, tmp_path, monkeypatch, max_leaf):
    X, Y = problem
    X = sp.csr_matrix(X.multiply(1 / np.sqrt(X.power(2).sum(axis=1))))  # unit rows, as those of texts
    bounds = []
    most_weights = limited.most_weights

    def noted(*args):
        found = most_weights(*args)
        bounds.append(found.sum())
        return found

    monkeypatch.setattr(limited, "most_weights", noted)
    for threshold in (0.1, 0.05, 0.0):
        bounds.clear()
        parts.clear()
        settings = SETTINGS | {"max_leaf": max_leaf, "threshold": threshold}
        limited_fit(XRLinear(**settings, cost_positive=1.0, cost_negative=1.0), X, Y, tmp_path)
        depth = len(bounds) // 2
        assert sum(parts) <= sum(bounds[:depth])  # of the estimate
        assert sum(parts) <= sum(bounds[depth:])  # of the division


def test_all_weights_may_be_kept_below_the_default_thresholds():
    sizes = [np.array([one]) for one in (10.0, 200.0, 4000.0, 10.0)]
    found = [float(limited.most_weights(*sizes, threshold)[0]) for threshold in (0.2, 0.1, 0.05, 0.049, 0.0)]
    assert found == [1000.0, 1000.0, 1000.0, 2000.0, 2000.0]  # a quarter of the values; 10 children with 200 columns
    sizes[-1] += 90
    assert float(limited.most_weights(*sizes, 0.1)[0]) == 100 * 16


def test_weights_that_are_not_pruned_make_more_parts(problem, parts, tmp_path, monkeypatch):
    _, Y = problem
    X = sp.random(400, 5000, 0.006, format="csr", dtype=np.float32, random_state=5)
    monkeypatch.setattr(limited, "BYTES_PER_VALUE", 1e3)
    monkeypatch.setattr(limited, "BYTES_PER_WEIGHT", 1e3)
    counts = []
    for threshold in (0.1, 0.0):
        parts.clear()
        memory = MemoryLimit(10**9, tmp_path)
        monkeypatch.setattr(memory, "begin", lambda work: None)
        XRLinear(**SETTINGS, threshold=threshold).fit_training(Training(X=X, Y=Y, compute=memory, spill=memory.spill))
        counts.append(len(parts))
    assert counts[0] < counts[1], counts


def test_a_folder_in_memory_gives_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(Spill, "in_memory", "tmpfs")
    with pytest.warns(
        RamifyWarning, match=r"is in memory \(tmpfs\), so the files .* may exceed the limit: use another"
    ):
        MemoryLimit(10**9, tmp_path)


def test_a_tagger_is_that_without_a_limit(tmp_path):
    texts = [f"word{i % 17} river{i % 5} lake{i % 3} the bill of {i}" for i in range(300)]
    Y = sp.csr_matrix(np.eye(17, dtype=np.float32)[np.arange(300) % 17])
    dataset = Dataset(Y=Y, label_names=[f"l{i}" for i in range(17)], texts=texts)
    memory = MemoryLimit(10**9, tmp_path)
    fitted = [
        Tagger(XRLinear(**SETTINGS), vectorizer=Tfidf()).fit_dataset(dataset, **more)
        for more in ({}, {"compute": memory, "spill": memory.spill})
    ]
    assert_same_model(*fitted)


@given(st.lists(st.floats(0, 100), max_size=30), st.floats(1, 200))
def test_ranges_are_consecutive_and_bounded(sizes, most):
    ranges = bounded_ranges(np.array(sizes), most)
    assert [place for first, last in ranges for place in range(first, last)] == list(range(len(sizes)))
    assert all(last - first == 1 or sum(sizes[first:last]) <= most + 1e-6 for first, last in ranges)
    assert all(sum(sizes[first : last + 1]) > most - 1e-6 for first, last in ranges[:-1])
