"""The training loop: same seed same result, a killed run goes on to the same end, nothing global is touched."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch")

from ramify import InputError, ModelFileError
from ramify.torchloop import Environment, LoopConfig, train
from ramify.torchloop.environment import generator


class Line:
    """Fit y = w x + b with noise drawn from the shard's counters."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.X = torch.tensor(rng.normal(size=(200, 3)), dtype=torch.float32)
        self.y = self.X @ torch.tensor([1.0, -2.0, 0.5]) + 3
        self.network = torch.nn.Linear(3, 1, device="meta").to_empty(device="cpu")
        with torch.no_grad():
            for parameter in self.network.parameters():
                parameter.zero_()
        self.measures = iter(())

    def batches(self, epoch, rng):
        return np.array_split(rng.permutation(200), 4)

    def loss(self, shard):
        noise = torch.randn(len(shard.rows), generator=generator(*shard.counters)) * 0.1
        rows = torch.from_numpy(shard.rows)
        return ((self.network(self.X[rows])[:, 0] - self.y[rows] + noise) ** 2).sum(), float(len(shard.rows))

    def measure(self):
        given = next(self.measures, None)
        with torch.no_grad():
            return float(-((self.network(self.X)[:, 0] - self.y) ** 2).mean()) if given is None else given


CONFIG = {"epochs": 6, "learning_rate": 0.1, "average": 0.5, "patience": 3}


def run(task, threads=1, checkpoint=None, **settings):
    config = LoopConfig(**CONFIG | settings, threads=threads)
    with Environment("cpu", threads).open() as environment:
        history = train(task, config, environment, checkpoint=checkpoint)
    return history, weights(task)


def weights(task):
    return [parameter.detach().numpy().copy() for parameter in task.network.parameters()]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_learns_and_is_the_same_for_any_number_of_threads():
    task = Line()
    history, found = run(task, epochs=40)
    assert history.epochs[-1].loss < history.epochs[0].loss / 10
    assert np.allclose(found[0], [[1, -2, 0.5]], atol=0.3)
    for threads in (2, 3):
        assert same(run(Line(), threads, epochs=40)[1], found)
    assert not same(run(Line(), epochs=40, seed=1)[1], found)


def test_a_killed_run_goes_on_to_the_same_end(tmp_path):
    class Killed(Line):
        def measure(self):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            return super().measure()

    history, whole = run(Line())
    where = (tmp_path / "run", {"data": "line"})
    for survives in (2, 1, 0):
        task = Killed()
        task.left = survives
        with pytest.raises(KeyboardInterrupt):
            run(task, checkpoint=where)
    again, resumed = run(Line(), checkpoint=where)
    assert same(resumed, whole)
    assert again == history
    finished, kept = run(Line(), checkpoint=where)  # nothing left to do
    assert same(kept, whole)
    assert finished == history


def test_checkpoints_of_other_runs_and_damaged_ones(tmp_path):
    where = tmp_path / "run"
    run(Line(), checkpoint=(where, {"data": "line"}))
    with pytest.raises(InputError, match="another run"):
        run(Line(), checkpoint=(where, {"data": "curve"}))
    arrays = next(where.glob("*.safetensors"))
    arrays.write_bytes(arrays.read_bytes()[:-8])
    with pytest.raises(ModelFileError):
        run(Line(), checkpoint=(where, {"data": "line"}))


@pytest.mark.parametrize("name", [".arrays-0123456789abcdef.part", "arrays-0123456789abcdef.safetensors"])
def test_a_checkpoint_whose_first_save_was_killed(tmp_path, name):
    where = tmp_path / "run", {"data": "line"}
    where[0].mkdir()
    (where[0] / name).write_text("unfinished")
    history, _ = run(Line(), checkpoint=where)
    assert run(Line(), checkpoint=where)[0] == history


def test_a_checkpoint_among_other_files_is_refused_before_training(tmp_path):
    (tmp_path / "thesis.md").write_text("months")
    task = Line()
    task.measure = lambda: pytest.fail("trained")
    with pytest.raises(InputError, match=r"other files \('thesis.md'\)"):
        run(task, checkpoint=(tmp_path, {"data": "line"}))


def test_stops_without_progress_and_keeps_the_best():
    task = Line()
    task.measures = iter([0.1, 0.5, 0.4, 0.3, 0.2, 0.9])
    seen = []
    task.measure = lambda inner=task.measure: (seen.append(weights(task)), inner())[1]
    history, kept = run(task)
    assert [event.measure for event in history.epochs] == [0.1, 0.5, 0.4, 0.3, 0.2]
    assert history.best == 1
    assert same(kept, seen[1])
    assert not same(kept, seen[2])


def test_no_measure_keeps_the_last():
    task = Line()
    task.measures = iter([float("nan")] * 6)
    history, _ = run(task)
    assert len(history.epochs) == 6
    assert history.best == 5


def test_nothing_global_is_touched():
    torch.manual_seed(4)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    run(Line(), threads=2)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0),
        ("clip", -1),
        ("patience", 0),
        ("average", 1.0),
        ("device", "tpu"),
        ("seed", -1),
        ("threads", 0),
        ("weight_decay", "much"),
    ],
)
def test_settings_out_of_range(name, value):
    with pytest.raises(InputError, match=name):
        LoopConfig(**{name: value})


def test_a_gpu_that_is_not_there():
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(InputError, match="no GPU"):
        Environment("cuda")
    assert Environment("auto").device.type == "cpu"
