"""Lost workers, lost drivers, failing tasks and unusable folders: the same bits, or one sentence."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from scale_tools import assert_same_bits, problem, trained

from ramify import XRLinear
from ramify.errors import ClusterError, InputError, RamifyWarning
from ramify.scale import Cluster, ProcessExecutor, SerialExecutor, cluster, executors
from ramify.scale.checkpoint import Checkpoint, digest


@pytest.fixture(scope="module")
def data():
    return problem()


@pytest.fixture(scope="module")
def plain(data):
    return trained(*data)


def failing_first(marker, how):
    """``train_part``, but a task of one node fails ``how`` until the marker exists."""

    def task(X, weights, part, settings):
        import os
        import signal
        from pathlib import Path

        from ramify.scale.parts import train_part

        if part.first_node > 100 and not Path(marker).exists():
            Path(marker).touch()
            if how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError("the disk is\nwet")
        return train_part(X, weights, part, settings)

    return task


def test_a_killed_worker_is_replaced_and_its_task_runs_again(data, plain, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "train_part", failing_first(str(tmp_path / "marker"), "killed"))
    with (
        Cluster(ProcessExecutor(2)) as workers,
        pytest.warns(RamifyWarning, match=r"^the training below the nodes .* of level \d lost its worker .*again"),
    ):
        model = trained(*data, workers)
    assert (tmp_path / "marker").exists()
    assert_same_bits(plain, model)


def test_a_task_that_fails_once_runs_again_and_is_logged_with_its_part(data, plain, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "train_part", failing_first(str(tmp_path / "marker"), "raised"))
    workers = Cluster(SerialExecutor(), checkpoint=tmp_path / "parts")
    with pytest.warns(RamifyWarning, match=r"failed \(OSError: the disk is wet\); it is begun again"):
        model = trained(*data, workers)
    assert_same_bits(plain, model)
    log = (tmp_path / "parts" / "failures.log").read_text()
    assert "the training below the nodes" in log and "attempt 1 of 3" in log and "Traceback" in log


@pytest.mark.filterwarnings("ignore::ramify.errors.RamifyWarning")
@pytest.mark.parametrize("make", [SerialExecutor, lambda: ProcessExecutor(2)])
def test_a_task_that_fails_three_times_ends_the_training(data, tmp_path, monkeypatch, make):
    def broken(X, weights, part, settings):
        raise ValueError("no such luck")

    monkeypatch.setattr(cluster, "train_part", broken)
    model = XRLinear(branching=4, max_leaf=8)
    with Cluster(make(), checkpoint=tmp_path / "parts") as workers, pytest.raises(ClusterError) as caught:
        model.fit(*data, compute=workers)
    sentence = str(caught.value)
    assert "level" in sentence and "(ValueError: no such luck) 3 times" in sentence and "failures.log" in sentence
    assert not hasattr(model, "tree_")
    assert "attempt 3 of 3" in (tmp_path / "parts" / "failures.log").read_text()


def test_invalid_input_in_a_task_is_not_tried_again(data, monkeypatch):
    calls = []

    def refusing(X, weights, part, settings):
        calls.append(part)
        raise InputError("the weights are odd: give even ones")

    monkeypatch.setattr(cluster, "train_part", refusing)
    with Cluster(SerialExecutor()) as workers, pytest.raises(InputError, match="give even ones"):
        trained(*data, workers)
    assert len(calls) == 1


DRIVER = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from scale_tools import problem, trained
from ramify.scale import Cluster, ProcessExecutor

def watch(stage, done):
    if stage == "train" and done > 0.9:
        os.kill(os.getpid(), signal.SIGKILL)

with Cluster(ProcessExecutor(2, folder=sys.argv[3]), checkpoint=sys.argv[2]) as cluster:
    trained(*problem(), cluster, extras={"progress": watch})
"""


def test_a_killed_driver_resumes_with_the_same_bits(data, plain, tmp_path):
    parts = tmp_path / "parts"
    words = [sys.executable, "-c", DRIVER, str(Path(__file__).parent), str(parts), str(tmp_path)]
    done = subprocess.run(words, check=False, capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    finished = len(list(parts.glob("*.safetensors")))
    assert finished > 16
    again = Cluster(SerialExecutor(), checkpoint=parts)  # another executor with another number of slots
    assert_same_bits(plain, trained(*data, again))
    assert again.resumed == finished and again.tasks > 0
    # the output ends when no worker has its pipe any more: workers end with their driver, and remove their files
    assert [one.name for one in tmp_path.iterdir()] == ["parts"]


def test_a_finished_training_is_read_from_the_checkpoint_and_another_one_is_not(data, plain, tmp_path):
    X, Y = data
    first = Cluster(SerialExecutor(), checkpoint=tmp_path / "parts")
    trained(X, Y, first)
    again = Cluster(SerialExecutor(), checkpoint=tmp_path / "parts")
    assert_same_bits(plain, trained(X, Y, again))
    assert (again.tasks, again.resumed) == (0, first.tasks)
    for settings in ({"seed": 1}, {"epsilon": 0.3}, {"hard_negative_weight": 0.5}):
        other = Cluster(SerialExecutor(), checkpoint=tmp_path / "parts")
        assert_same_bits(trained(X, Y, **settings), trained(X, Y, other, **settings))
        assert other.tasks > 0
    changed = X.copy()
    changed.data[0] *= 2
    other = Cluster(SerialExecutor(), checkpoint=tmp_path / "parts")
    assert_same_bits(trained(changed, Y), trained(changed, Y, other))


def test_a_damaged_part_is_trained_again(data, plain, tmp_path):
    trained(*data, Cluster(SerialExecutor(), checkpoint=tmp_path))
    files = sorted(tmp_path.glob("*.safetensors"))
    flipped = bytearray(files[0].read_bytes())
    flipped[-1] ^= 1
    files[0].write_bytes(flipped)
    files[1].write_bytes(files[1].read_bytes()[:-4])
    files[2].write_bytes(b"")
    again = Cluster(SerialExecutor(), checkpoint=tmp_path)
    assert_same_bits(plain, trained(*data, again))
    assert again.tasks == 3 and again.resumed == len(files) - 3


def test_folders_that_cannot_be_a_checkpoint(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("do not mix")
    with pytest.raises(InputError, match="holds other files than those of a checkpoint: give an empty folder"):
        Cluster(SerialExecutor(), checkpoint=tmp_path / "full")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be the folder of a checkpoint"):
        Cluster(SerialExecutor(), checkpoint=tmp_path / "file")
    (tmp_path / "old").mkdir()
    for content in ("{", '{"format": 2, "parts": 16}', '{"format": 1, "parts": 0}', "[]", '{"format": 1}'):
        (tmp_path / "old" / "checkpoint.json").write_text(content)
        with pytest.raises(InputError, match=r"checkpoint\.json is damaged, or of another version"):
            _ = Cluster(SerialExecutor(), checkpoint=tmp_path / "old").parts


def test_unfinished_files_of_a_killed_process_are_ignored_and_removed(tmp_path):
    old, young = tmp_path / f"{'0a' * 20}.17.tmp", tmp_path / "checkpoint.17.tmp"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    Checkpoint(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [young.name]  # another process may still write it
    (tmp_path / "thesis.tmp").touch()
    with pytest.raises(InputError, match="holds other files"):
        Checkpoint(tmp_path)


def test_a_checkpoint_keeps_its_number_of_parts(tmp_path):
    assert Checkpoint(tmp_path).parts(16) == 16
    assert Checkpoint(tmp_path).parts(64) == 16


def test_a_full_disk_is_one_sentence(data, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ramify.scale.checkpoint.save_file", full)
    with pytest.raises(
        InputError, match=r"cannot be written .*No space left.*give a checkpoint folder with more space"
    ):
        trained(*data, Cluster(SerialExecutor(), checkpoint=tmp_path))
    assert not list(tmp_path.glob("*.tmp"))


def test_shared_values_that_do_not_fit_the_disk_are_one_sentence(monkeypatch):
    class Full:
        parent = "/tmp/small"

        def open(self, mode):
            raise OSError(28, "No space left on device")

    import numpy as np

    with pytest.raises(
        InputError, match=r"/tmp/small cannot hold the 8,000 bytes .* set TMPDIR to a folder with more space"
    ):
        executors.Stored.of(np.zeros(1000), Full())


def test_settings_of_executors_and_clusters(tmp_path, monkeypatch):
    monkeypatch.setattr(executors, "thread_count", lambda threads: 2 if threads is None else threads)
    with pytest.raises(InputError, match="2 worker processes of 2 threads are more than the 2 CPUs"):
        ProcessExecutor(2, threads=2)
    with pytest.raises(InputError, match="slots"):
        ProcessExecutor(0)
    with pytest.raises(InputError, match="cannot hold the values"):
        ProcessExecutor(2, folder=tmp_path / "absent")
    with pytest.raises(InputError, match="attempts"):
        Cluster(SerialExecutor(), attempts=0)


def test_a_closed_executor_leaves_no_file_and_no_process(data, tmp_path):
    with Cluster(ProcessExecutor(2, folder=tmp_path)) as workers:
        trained(*data, workers)
        processes = [
            process
            for worker in workers.executor._idle + list(workers.executor._busy)
            for process in worker._pool._processes
        ]
        assert len(processes) == 2 and list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_hashes_depend_on_type_shape_and_values():
    import numpy as np

    one = np.arange(6, dtype=np.int32)
    others = [one.astype(np.int64), one.reshape(2, 3), one[::-1], one[:5], one.view(np.float32)]
    assert len({digest(array) for array in (one, *others)}) == 6
    assert digest(one, 1) != digest(one, 2) and digest(one) == digest(one.copy())
    assert digest(np.empty(0)) == digest(np.empty(0))
