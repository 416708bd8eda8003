"""Training on Ray: the bits of one process, lost workers, and one sentence for what a cluster cannot do."""

import os
import signal
import socket
import sys
import threading
import time

import numpy as np
import pytest
import scipy.sparse as sp
from scale_tools import assert_same_bits, hybrid, problem, trained

from ramify.errors import ClusterError, InputError, MissingExtraError, RamifyWarning
from ramify.scale import Cluster, RayExecutor, cluster
from ramify.scale.executors import WorkerLostError
from ramify.scale.ray_cluster import check_facts

try:
    import ray
except ImportError:
    ray = None

needs_ray = pytest.mark.skipif(ray is None, reason="Ray is not installed: pip install 'ramify[ray]'")
pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::ResourceWarning"
)


@pytest.fixture(scope="module")
def executor(tmp_path_factory):
    """Ray with two CPUs and an object store of the smallest size, outside /dev/shm, as where that is small."""
    if ray is None:
        pytest.skip("Ray is not installed")
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        logging_level="ERROR",
        log_to_driver=False,
        object_store_memory=80_000_000,
        _plasma_directory=str(tmp_path_factory.mktemp("plasma")),
    )
    executor = RayExecutor()
    yield executor
    executor.close()
    assert ray.is_initialized()  # the executor has not started it
    ray.shutdown()


@pytest.mark.parametrize("negatives", ["tfn,tfn+man", "tfn+man"])
def test_ray_gives_the_bits_of_one_process(executor, negatives):
    X, Y = problem()
    on_ray = Cluster(executor)
    assert executor.slots == 2
    assert_same_bits(trained(X, Y, negatives=negatives), trained(X, Y, on_ray, negatives=negatives))
    assert on_ray.tasks > 16 and on_ray.peak_mb > 50
    dense = hybrid(X)
    assert_same_bits(trained(dense, Y, negatives=negatives), trained(dense, Y, on_ray, negatives=negatives))


def test_arrays_in_a_task_are_read_only_views_and_results_are_not(executor):
    def facts(X):
        return {"writeable": np.array([X.data.flags.writeable])}

    handle = executor.put(problem()[0])
    (task,) = executor.as_completed([executor.submit(facts, handle)])
    found = task.result()
    assert found["writeable"].tolist() == [False]
    assert found["writeable"].flags.writeable


def test_an_object_store_that_is_too_small_is_spilled(executor):
    X, Y = problem(n=600, n_labels=200)
    wide = sp.random(600, 50_000, density=0.4, random_state=0, format="csr", dtype=np.float32)  # 96 MB
    X = sp.hstack([X, wide * 0.001], format="csr")
    settings = {"max_leaf": 20, "negatives": "tfn", "max_passes": 1}
    settings |= {"cost_positive": 1.0, "cost_negative": 1.0}
    on_ray = Cluster(executor)
    assert_same_bits(trained(X, Y, **settings), trained(X, Y, on_ray, **settings))
    assert on_ray.tasks > 0


def test_a_killed_ray_worker_is_replaced_and_its_task_runs_again(executor, tmp_path, monkeypatch):
    marker = str(tmp_path / "marker")

    def killed_once(X, weights, part, settings):
        import os
        import signal
        from pathlib import Path

        from ramify.scale.parts import train_part

        if part.first_node > 100 and not Path(marker).exists():
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return train_part(X, weights, part, settings)

    monkeypatch.setattr(cluster, "train_part", killed_once)
    with pytest.warns(RamifyWarning, match=r"lost its worker \(Ray has lost the worker"):
        model = trained(*problem(), Cluster(executor))
    assert_same_bits(trained(*problem()), model)


def test_errors_of_tasks_keep_their_class(executor):
    def refuse():
        raise InputError("too odd: give even ones")

    def fail():
        raise KeyError("lost")

    def end():
        os.kill(os.getpid(), signal.SIGKILL)

    for function, kind, words in (
        (refuse, InputError, "too odd: give even ones"),
        (fail, KeyError, "lost"),
        (end, WorkerLostError, "Ray has lost the worker"),
    ):
        with pytest.raises(kind, match=words):
            executor.submit(function).result()


@needs_ray
def test_a_full_object_store_is_one_sentence(executor, monkeypatch):
    def full(value):
        raise ray.exceptions.ObjectStoreFullError("no room")

    monkeypatch.setattr(ray, "put", full)
    with pytest.raises(
        ClusterError, match=r"object store of Ray is full \(.*\): start Ray with a larger --object-store"
    ):
        executor.put(1)


def test_more_threads_than_the_machines_have(executor):
    with pytest.raises(InputError, match="a task has 3 threads, but the largest machine of the cluster has 2 CPUs"):
        RayExecutor(threads=3)
    assert RayExecutor(threads=2).slots == 1


def test_a_worker_without_ramify_or_with_another_one_is_one_sentence(executor, monkeypatch):
    monkeypatch.setattr("ramify.scale.ray_cluster.__version__", "9.9.9")
    with pytest.raises(ClusterError, match=r"has ramify \d.*, but this process has 9\.9\.9: install the same"):
        RayExecutor()


def test_facts_of_machines():
    check_facts("10.0.0.2", ("1.0", "AVX2"), ("1.0", "AVX2"))
    with pytest.raises(
        ClusterError, match=r"10\.0\.0\.2 of the cluster has no ramify \(No module.*\): install ramify 1\.0"
    ):
        check_facts("10.0.0.2", "No module named 'ramify'", ("1.0", "AVX2"))
    with pytest.raises(ClusterError, match=r"has AVX2 instructions, but this one has AVX-512.*RAMIFY_ISA"):
        check_facts("10.0.0.2", ("1.0", "AVX2"), ("1.0", "AVX-512"))


@needs_ray
def test_addresses_that_do_not_work(monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match=rf"'127.0.0.1:{port}' does not answer .*ray start --head"):
        RayExecutor(f"127.0.0.1:{port}")
    for address in ("somewhere", "host:", ":1", "host:x", "host:0", "host:70000", "host:\u0663\u0663"):
        with pytest.raises(InputError, match="must be HOST:PORT, auto or local"):
            RayExecutor(address)
    for host in ("a..b", "x" * 80 + ".org"):
        with pytest.raises(InputError, match=rf"'.*{host[-6:]}' cannot be the name of a machine: give HOST:PORT"):
            RayExecutor(f"{host}:6379")
    with pytest.raises(
        InputError, match=r"'ray://127\.0\.0\.1:10001', but clients of Ray .*: give HOST:PORT of the head"
    ):
        RayExecutor("ray://127.0.0.1:10001")


@needs_ray
@pytest.mark.parametrize("answer", [b"HTTP/1.0 400 Bad Request\r\n\r\n", b"", None], ids=["http", "closed", "silent"])
def test_an_address_of_another_program_is_one_sentence_within_seconds(monkeypatch, answer):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray tries for minutes"))
    monkeypatch.setattr("ramify.scale.ray_cluster.SECONDS_TO_CONNECT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            connection, _ = listening.accept()
            with connection:
                connection.recv(100)
                if answer is None:
                    connection.recv(100)  # until the other side closes
                else:
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(InputError, match=f"another program than Ray listens at '{address}': give the address that"):
            RayExecutor(address)


def test_the_address_of_a_connected_process_is_used_or_refused(executor):
    known = ray.get_runtime_context().gcs_address
    port = known.rpartition(":")[2]
    for same in ("auto", known, f"localhost:{port}", f"127.0.0.1:{port}"):
        assert RayExecutor(same).slots == 2
    for other in ("local", "127.0.0.1:1", f"nowhere.invalid:{port}"):
        with pytest.raises(InputError, match=rf"'{other}', but this process is connected to the Ray cluster {known}: "):
            RayExecutor(other)
    assert ray.is_initialized()


@needs_ray
@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (
            RuntimeError("Version mismatch: The cluster was started with:\n Ray: 1"),
            ClusterError,
            "another version of Ray",
        ),
        (ConnectionError("Could not find any running Ray instance."), InputError, "cannot be used .*Could not find"),
    ],
)
def test_errors_of_the_connection_are_one_sentence(monkeypatch, raised, kind, words):
    def init(**_):
        raise raised

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(kind, match=words) as caught:
        RayExecutor("auto")
    assert "\n" not in str(caught.value)


def test_without_ray_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        MissingExtraError, match=r'Ray clusters need an optional dependency: pip install "ramify\[ray\]"'
    ):
        RayExecutor()


def test_a_closed_executor_cancels_its_tasks_and_runs_no_other(executor):
    def wait(seconds):
        time.sleep(seconds)
        return seconds

    closing = RayExecutor()
    tasks = [closing.submit(wait, 60) for _ in range(3)]
    closing.close()
    for task in tasks:
        with pytest.raises(ClusterError):
            task.result()
    for use in (lambda: closing.submit(wait, 0), lambda: closing.put(1)):
        with pytest.raises(InputError, match="the executor is closed, so it runs no task: make a new one"):
            use()
    assert executor.submit(wait, 0).result() == 0
