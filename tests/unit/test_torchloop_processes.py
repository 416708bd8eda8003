"""Several processes that train one network: the same loss curve as one process with a batch of their size."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch")

from torchloop_tasks import EncoderTask, Line, run

from ramify.errors import InputError
from ramify.torchloop import Checkpoint, Environment
from ramify.torchloop.processes import BUCKET, Processes, _buckets

SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from torchloop_tasks import EncoderTask, run
from ramify.torchloop import Checkpoint
from pathlib import Path
out = Path(sys.argv[2])
run(EncoderTask(), epochs=1)  # connects the processes, which the next run must not do again
history, found = run(EncoderTask(), 1, Checkpoint(out / "checkpoint", {}), batch_size=int(sys.argv[3]))
rank = __import__("os").environ["RANK"]
row = {"loss": [event.loss for event in history.evaluations], "weights": [array.ravel().tolist() for array in found]}
(out / f"{rank}.json").write_text(json.dumps(row))
"""


def launched(out: Path, count: int, batch_size: int) -> list[dict]:
    script = out / "script.py"
    script.write_text(SCRIPT)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    command = [*launcher, str(script), str(Path(__file__).parent), str(out), str(batch_size)]
    for _ in range(2):  # gloo may abort a process when the other one has ended first
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=200)
        if "exitcode: -6" not in done.stderr and "exitcode  : -6" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads((out / f"{rank}.json").read_text()) for rank in range(count)]


def test_two_processes_have_the_loss_curve_of_twice_the_batch(tmp_path):
    first, second = launched(tmp_path, 2, 8)
    assert first == second
    history, found = run(EncoderTask(), batch_size=16)
    assert np.allclose(first["loss"], [event.loss for event in history.evaluations], atol=1e-5)
    # Adam amplifies rounding where a gradient is almost zero, so a few weights may differ.
    differences = np.concatenate([ours.ravel() - theirs for ours, theirs in zip(found, first["weights"], strict=True)])
    assert np.quantile(np.abs(differences), 0.9) < 1e-5
    # The checkpoint of process 0 is complete.
    continued, _ = run(EncoderTask(), 1, Checkpoint(tmp_path / "checkpoint", {}), batch_size=8)
    assert [event.loss for event in continued.evaluations] == first["loss"]


def test_shards_are_divided_among_the_processes(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("RANK", "1")
    assert list(Processes.started().own(range(8))) == [1, 4, 7]


def test_gradients_are_sent_in_buckets():
    tensors = [torch.zeros(1, device="meta").expand(size) for size in (BUCKET, 5, BUCKET - 6, 1, 7)]
    assert [[len(tensor) for tensor in bucket] for bucket in _buckets(tensors)] == [
        [BUCKET],
        [5, BUCKET - 6, 1],
        [7],
    ]


def test_a_missing_process_group_is_one_sentence(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")  # without MASTER_ADDR
    with pytest.raises(InputError, match="use torchrun"), Environment("cpu", 1).open(shared=True):
        pass


def test_processes_are_connected_for_training_only(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")  # without MASTER_ADDR, so that a connection fails
    monkeypatch.setenv("RANK", "1")
    environment = Environment("cpu", 1)
    with environment.open():
        processes = environment.processes
        assert list(processes.own(range(3))) == [0, 1, 2]
        tensor = torch.ones(2)
        processes.sum([tensor])
        assert tensor.tolist() == [1, 1]
        assert processes.total([2.5], environment.device) == [2.5]
        assert processes.of_first(3.0, environment.device) == 3.0
        processes.wait()


@pytest.mark.parametrize(("rank", "count"), [("2", "2"), ("x", "2"), ("0", "0")])
def test_wrong_variables_are_one_sentence(rank, count, monkeypatch):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", count)
    with pytest.raises(InputError, match=r"RANK|WORLD_SIZE"):
        Environment("cpu", 1)


def test_one_process_needs_no_group():
    history, _ = run(Line(), epochs=1)
    assert len(history.evaluations) == 1
