"""A stopped run continues from its checkpoint to the same end; other and damaged checkpoints raise an error."""

import itertools
import json

import numpy as np
import pytest
import scipy.sparse as sp

torch = pytest.importorskip("torch", reason="needs the extra torch")

from torchloop_tasks import EncoderTask, Line, OwnHead, run, same, weights

from ramify import XRLinear
from ramify.chains.order import FixedOrder
from ramify.errors import InputError, ModelFileError
from ramify.torchloop import Checkpoint
from ramify.torchloop.checkpoint import described

STOPPED = [
    {},
    {"micro_batch": 3, "checkpoint_every": 1},
    {"checkpoint_every": 2, "average": 0.9, "decay": "cosine", "warmup": 0.5},
    {"steps": 7, "warmup": 3, "evaluate_every": 3, "checkpoint_every": 1},
    {"steps": 7, "evaluate_every": 2, "patience": 1},
]


@pytest.mark.parametrize("settings", STOPPED)
def test_a_run_stopped_at_any_step_continues_to_the_same_end(tmp_path, settings):
    history, whole = run(EncoderTask(), **settings)
    for stop_at in itertools.product((0, 1, 2), (0, 1, 2)):
        where = Checkpoint(tmp_path / f"{stop_at}", {"data": "tokens"})
        task = EncoderTask()
        task.stop_at = stop_at
        events = []
        try:
            run(task, 2, checkpoint=where, events=events, **settings)
        except KeyboardInterrupt:
            task = EncoderTask()
            again, resumed = run(task, checkpoint=where, events=events, **settings)
            assert same(resumed, whole)
            assert again == history
        assert tuple(events) == history.evaluations


def test_a_run_stopped_again_and_again_ends_the_same(tmp_path):
    settings = {"micro_batch": 5, "checkpoint_every": 1}
    history, whole = run(EncoderTask(), **settings)
    where = Checkpoint(tmp_path / "run", {})
    for stop_at in itertools.product((0, 1), (0, 1, 2)):
        task = EncoderTask()
        task.stop_at = stop_at
        with pytest.raises(KeyboardInterrupt):
            run(task, checkpoint=where, **settings)
    again, resumed = run(EncoderTask(), checkpoint=where, **settings)
    assert same(resumed, whole)
    assert again == history
    task = EncoderTask()
    task.loss = lambda shard: pytest.fail("trained")
    finished, kept = run(task, checkpoint=where, **settings)  # nothing is left to do
    assert same(kept, whole)
    assert finished == history


def test_tensors_that_the_task_updates_itself_are_part_of_a_checkpoint(tmp_path):
    whole = OwnHead()
    settings = {"steps": 5, "warmup": 2, "evaluate_every": 5, "checkpoint_every": 1}
    run(whole, **settings)
    assert whole.rates == pytest.approx([0.5, 1, 1, 2 / 3, 1 / 3])
    stopped = OwnHead()
    stopped.stop_at = (1, 0)
    with pytest.raises(KeyboardInterrupt):
        run(stopped, checkpoint=Checkpoint(tmp_path / "run", {}), **settings)
    again = OwnHead()
    run(again, 2, checkpoint=Checkpoint(tmp_path / "run", {}), **settings)
    assert len(again.rates) == 5 - len(stopped.rates) < 5
    assert same(weights(again), weights(whole))


def test_checkpoints_of_other_runs_and_damaged_ones(tmp_path):
    where = tmp_path / "run"
    run(Line(), checkpoint=Checkpoint(where, {"data": "line"}))
    with pytest.raises(InputError, match="another run"):
        run(Line(), checkpoint=Checkpoint(where, {"data": "curve"}))
    with pytest.raises(InputError, match="another run"):
        run(Line(), checkpoint=Checkpoint(where, {"data": "line"}), batch_size=49)
    run(Line(), checkpoint=Checkpoint(where, {"data": "line"}), checkpoint_every=3)  # no other result
    arrays = next(where.glob("*.safetensors"))
    arrays.write_bytes(arrays.read_bytes()[:-8])
    with pytest.raises(ModelFileError):
        run(Line(), checkpoint=Checkpoint(where, {"data": "line"}))


@pytest.mark.parametrize("name", [".arrays-0123456789abcdef.part", "arrays-0123456789abcdef.safetensors"])
def test_a_checkpoint_whose_first_save_was_killed(tmp_path, name):
    where = Checkpoint(tmp_path / "run", {"data": "line"})
    where.directory.mkdir()
    (where.directory / name).write_text("unfinished")
    history, _ = run(Line(), checkpoint=where)
    assert run(Line(), checkpoint=where)[0] == history


def test_a_checkpoint_among_other_files_is_refused_before_training(tmp_path):
    (tmp_path / "thesis.md").write_text("months")
    task = Line()
    task.measure = lambda: pytest.fail("trained")
    with pytest.raises(InputError, match=r"other files \('thesis.md'\)"):
        run(task, checkpoint=Checkpoint(tmp_path, {"data": "line"}))


class Setting:
    """An object of a user, with a value."""

    def __init__(self, value):
        self.value = value
        self._kept = object()


@pytest.mark.parametrize("name", ["numbers", "array", "matrix", "estimator", "inside"])
def test_the_identity_of_an_object_is_its_class_and_its_settings(name):
    makers = {
        "numbers": lambda value: Setting((value, 2)),
        "array": lambda value: Setting(np.arange(3) == value),
        "matrix": lambda value: Setting(sp.csr_matrix([[value, 0.0, 1.0]])),
        "estimator": lambda value: XRLinear(beam=value),
        "inside": lambda value: Setting({"a": [Setting(value)]}),
    }
    one, same_one, other = (described(makers[name](value)) for value in (1, 1, 2))
    assert json.loads(json.dumps(one)) == same_one != other
    assert described(FixedOrder(1)) != described(Setting(1))


def test_an_object_that_contains_itself_has_an_identity():
    value = Setting(1)
    value.value = value
    assert described(value) == described(value)
