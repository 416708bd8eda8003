"""Training by the tasks of an executor gives the bits of the training in one process."""

import numpy as np
import pytest
import scipy.sparse as sp
from scale_tools import LEVELS, assert_same_bits, hybrid, problem, trained

from ramify import Disentangled, Ensemble, Tagger, XRLinear
from ramify.exchange import Training
from ramify.kernels.train import LevelProblem, SolverConfig, halves_suffice, train
from ramify.linear.negatives import everything
from ramify.scale import Cluster, ProcessExecutor, SerialExecutor
from ramify.scale.parts import PartSettings, part_of_level, ranges, train_part
from ramify.weights import Blocks

NEGATIVES = ("tfn,tfn+man", "tfn+man", "tfn")


@pytest.fixture(scope="module")
def data():
    return problem()


@pytest.fixture(scope="module")
def workers():
    """Two worker processes; tests give them to clusters of their own, so that the processes start once."""
    executor = ProcessExecutor(2)
    yield executor
    executor.close()


@pytest.mark.parametrize("negatives", NEGATIVES)
def test_serial_and_processes_give_the_bits_of_one_process(data, workers, negatives):
    plain = trained(*data, negatives=negatives)
    assert plain.tree_.depth >= 4
    serial, processes = Cluster(SerialExecutor()), Cluster(workers)
    assert_same_bits(plain, trained(*data, serial, negatives=negatives))
    assert_same_bits(plain, trained(*data, processes, negatives=negatives))
    assert serial.tasks > 16 and processes.tasks >= 16
    assert processes.peak_mb > 50


@pytest.mark.parametrize("slots", [1, 3])
def test_the_number_of_workers_does_not_matter(data, slots):
    executor = SerialExecutor()
    executor.slots = slots
    assert_same_bits(trained(*data, seed=5), trained(*data, Cluster(executor), seed=5))


def test_weights_relevance_and_own_negatives_reach_the_tasks(data):
    X, Y = data
    rng = np.random.default_rng(0)
    relevance = Y.copy()
    relevance.data = rng.uniform(0.5, 2, Y.nnz)
    own = sp.random(*Y.shape, density=0.002, random_state=4, format="csr")
    weights = rng.uniform(0, 2, X.shape[0]).astype(np.float32)
    weights[:50] = 0
    extras = {"sample_weight": weights, "relevance": relevance, "own_negatives": own}
    settings = {"negatives": "tfn+man+own", "relevance": "induced"}
    plain = trained(X, Y, extras=extras, **settings)
    assert_same_bits(plain, trained(X, Y, Cluster(SerialExecutor()), extras=extras, **settings))
    with pytest.raises(AssertionError):  # the weights matter
        assert_same_bits(
            plain, trained(X, Y, Cluster(SerialExecutor()), extras=extras | {"sample_weight": None}, **settings)
        )


def test_a_dense_block_reaches_the_tasks(data, workers):
    X, Y = hybrid(data[0]), data[1]
    assert_same_bits(trained(X, Y), trained(X, Y, Cluster(workers)))


def test_the_whole_of_x_decides_on_half_precision():
    """One large value makes half precision unfit for all nodes, also for parts without it."""
    _, Y = problem(n=600, n_labels=200)
    X = sp.random(600, 20_000, 0.02, random_state=9, format="csr", dtype=np.float32)
    X.data[0] = 500.0  # in row 0
    assert not halves_suffice(X, SolverConfig()) and halves_suffice(X[1:], SolverConfig())
    settings = {"normalize": False, "cost_positive": 1.0, "cost_negative": 1.0, "negatives": "tfn"}
    assert_same_bits(trained(X, Y, **settings), trained(X, Y, Cluster(SerialExecutor()), **settings))


def test_matrices_with_unsorted_indices_and_read_only_arrays(data, workers):
    X, Y = data
    unsorted = X.copy()
    for row in range(X.shape[0]):
        part = slice(*X.indptr[row : row + 2])
        unsorted.indices[part], unsorted.data[part] = X.indices[part][::-1], X.data[part][::-1]
    unsorted.has_sorted_indices = False
    for array in (unsorted.indptr, unsorted.indices, unsorted.data):
        array.flags.writeable = False
    assert_same_bits(trained(X, Y), trained(unsorted, Y, Cluster(workers)))


@pytest.mark.parametrize("wrapped", [Ensemble(XRLinear(**LEVELS), trees=2), Disentangled(XRLinear(**LEVELS), copies=2)])
def test_models_of_models_pass_the_cluster_on(data, wrapped):
    X, Y = data
    cluster = Cluster(SerialExecutor())
    plain = wrapped.fit(X, Y).predict_topk(X, 5)
    again = wrapped.fit_training(Training(X=X, Y=Y, compute=cluster)).predict_topk(X, 5)
    assert cluster.tasks > 0
    assert plain.labels.tobytes() == again.labels.tobytes() and plain.scores.tobytes() == again.scores.tobytes()


def test_a_tagger_trains_on_a_cluster(data):
    names = [str(number) for number in range(600)]
    texts = [" ".join(f"w{feature}" for feature in row.indices) for row in data[0]]
    labels = [[names[label] for label in row.indices] for row in data[1]]
    plain = Tagger(XRLinear(**LEVELS)).fit(texts, labels)
    cluster = Cluster(SerialExecutor())
    from ramify.values import Dataset

    dataset = Dataset(texts=texts, Y=data[1], label_names=names)
    again = Tagger(XRLinear(**LEVELS)).fit_dataset(dataset, compute=cluster)
    assert cluster.tasks > 0
    assert again.tag(texts[:20], 3) == Tagger(XRLinear(**LEVELS)).fit_dataset(dataset).tag(texts[:20], 3)
    assert len(plain.tag(texts[:20], 3)) == 20


def test_a_part_of_a_level_has_the_weights_of_the_whole(data):
    X, Y = data
    blocks = Blocks.below(np.array([300, 0, 300]))  # 300 children have two blocks
    rows = sp.vstack([everything(X.shape[0])] * 3, format="csr")
    level = LevelProblem(blocks, rows, sp.csr_matrix(Y.T), number=2)
    (whole,) = train(X, [level], SolverConfig(), seed=3)
    settings = PartSettings(solver=SolverConfig(), seed=3, half_precision=True, threads=1)
    part = train_part(X, None, part_of_level(level, 1, 3), settings)
    assert part["bias"].tobytes() == whole.bias[300:].tobytes()
    first = whole.block_rows[2]
    assert part["features"].tobytes() == whole.features[first:].tobytes()
    assert part["values"].tobytes() == whole.values[whole.row_entries[first] :].tobytes()
    other = part_of_level(level, 1, 3)
    moved = LevelProblem(other.blocks, other.rows, other.positives, number=2, first_node=0)
    assert (
        train_part(X, None, moved, settings)["bias"].tobytes() != part["bias"].tobytes()
    )  # the place seeds the solver


def test_a_part_without_rows():
    """A cluster whose labels have no instances has no row."""
    X, _ = problem(n=50)
    nothing = LevelProblem(Blocks.below(np.array([2])), sp.csr_matrix((1, 50)), sp.csr_matrix((2, 50)))
    settings = PartSettings(solver=SolverConfig(), seed=0, half_precision=True, threads=1)
    assert train_part(X, None, nothing, settings)["bias"].tolist() == [0.0, 0.0]


def test_ranges_cover_everything_once_with_about_equal_sums():
    sizes = np.random.default_rng(0).uniform(0, 1, 100)
    cuts = ranges(sizes, 8)
    assert [first for first, _ in cuts[1:]] == [last for _, last in cuts[:-1]]
    assert cuts[0][0] == 0 and cuts[-1][1] == 100 and len(cuts) == 8
    assert max(sizes[first:last].sum() for first, last in cuts) < sizes.sum() / 8 + 1
    assert ranges(np.array([5.0]), 8) == [(0, 1)]
    assert ranges(np.array([]), 8) == []
    assert ranges(np.zeros(3), 2)[-1][1] == 3


def test_progress_ends_at_one_and_never_falls(data):
    seen = []
    cluster = Cluster(SerialExecutor())
    trained(*data, cluster, extras={"progress": lambda stage, done: seen.append((stage, done))})
    done = [share for stage, share in seen if stage == "train"]
    assert done == sorted(done) and done[-1] == 1.0 and len(done) > 16


def test_arrays_that_change_between_two_trainings_are_sent_again(data, workers):
    X, Y = data
    weights = np.ones(X.shape[0], np.float32)
    cluster, extras = Cluster(workers), {"sample_weight": weights}
    trained(X, Y, cluster, extras=extras)
    weights[::2] = 0.1
    assert_same_bits(trained(X, Y, cluster, extras=extras), trained(X, Y, extras=extras))
