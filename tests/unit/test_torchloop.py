"""The training loop: same seed same result, a stopped run continues to the same end, no global state is changed."""

import itertools
from dataclasses import asdict

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch")

from torch import nn
from torch.nn import functional

from ramify.errors import InputError, ModelFileError, RamifyError
from ramify.torchloop import (
    Checkpoint,
    Environment,
    History,
    LoopConfig,
    ParameterGroup,
    Shard,
    Task,
    train,
    without_decay_of_vectors,
)
from ramify.torchloop.batching import batches_by_cost, random_batches
from ramify.torchloop.loop import _batch_gradients, _shards
from ramify.torchloop.randomness import OwnGenerator, generator
from ramify.torchloop.state import RunState


class Line(Task):
    """Fit y = w x + b with noise drawn from the shard's counters."""

    draws_globally = False

    def __init__(self, noise=0.1):
        rng = np.random.default_rng(0)
        self.X = torch.tensor(rng.normal(size=(200, 3)), dtype=torch.float32)
        self.y = self.X @ torch.tensor([1.0, -2.0, 0.5]) + 3
        self.network = nn.Linear(3, 1, device="meta").to_empty(device="cpu")
        self.noise = noise
        with torch.no_grad():
            for parameter in self.network.parameters():
                parameter.zero_()
        self.measures = iter(())

    def batches(self, epoch, size, rng):
        return random_batches(200, size, rng)

    def loss(self, shard):
        noise = torch.randn(len(shard.rows), generator=generator(*shard.counters)) * self.noise
        rows = torch.from_numpy(shard.rows)
        return ((self.network(self.X[rows])[:, 0] - self.y[rows] + noise) ** 2).sum(), float(len(shard.rows))

    def measure(self):
        given = next(self.measures, None)
        return float(-((self.network(self.X)[:, 0] - self.y) ** 2).mean()) if given is None else given


class TinyEncoder(nn.Module):
    """Layers of torch that draw from its global generator: modules, attention, and functional dropout."""

    def __init__(self, dropout=0.3, checkpointed=False):
        super().__init__()
        self.embedding = nn.Embedding(30, 8)
        self.attention = nn.MultiheadAttention(8, 2, dropout=dropout, batch_first=True)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=dropout, batch_first=True)
        self.drop, self.rate = nn.Dropout(dropout), dropout
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 3)
        self.checkpointed = checkpointed

    def block(self, x):
        x = x + self.attention(x, x, x, need_weights=False)[0]
        rate = self.rate if self.training else 0.0
        x = x + functional.scaled_dot_product_attention(x, x, x, dropout_p=rate)
        return self.layer(self.drop(x))

    def forward(self, tokens):
        x = self.drop(self.embedding(tokens))
        if self.checkpointed:
            x = torch.utils.checkpoint.checkpoint(self.block, x, use_reentrant=False)
        else:
            x = self.block(x)
        return self.head(self.norm(x).mean(dim=1))


class EncoderTask(Task):
    """Classify sequences of tokens; two rates, and no weight decay of vectors."""

    smallest_shard = 4

    def __init__(self, **settings):
        rng = np.random.default_rng(1)
        self.tokens = torch.from_numpy(rng.integers(0, 30, (40, 6)))
        self.labels = functional.one_hot(self.tokens // 10).sum(dim=1).argmax(dim=1)  # the most frequent ten
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            self.network = TinyEncoder(**settings)
        self.stop_at = None

    def batches(self, epoch, size, rng):
        return batches_by_cost(self.labels.numpy(), size, rng)

    def loss(self, shard):
        if self.stop_at is not None and tuple(shard.counters[1:3]) == self.stop_at:
            raise KeyboardInterrupt
        rows = torch.from_numpy(shard.rows)
        logits = self.network(self.tokens[rows])
        return functional.cross_entropy(logits.float(), self.labels[rows], reduction="sum"), float(len(rows))

    def measure(self):
        assert not self.network.training
        assert not torch.is_grad_enabled()
        return float((self.network(self.tokens).argmax(dim=1) == self.labels).float().mean())

    def parameter_groups(self):
        head = list(self.network.head.parameters())
        own = {id(parameter) for parameter in head}
        encoder = [parameter for parameter in self.network.parameters() if id(parameter) not in own]
        return [*without_decay_of_vectors(encoder, 0.01), ParameterGroup(head, 0.05, 0.0)]


CONFIG = {"epochs": 6, "batch_size": 50, "learning_rate": 0.1, "warmup": 1, "average": 0.5, "patience": 3}
ENCODER = {"epochs": 2, "batch_size": 16, "learning_rate": 0.01, "weight_decay": 0.1, "patience": 100}


def run(task, threads=1, checkpoint=None, precision="auto", events=None, **settings):
    base = ENCODER if isinstance(task, EncoderTask) else CONFIG
    if "steps" in settings:
        base = base | {"epochs": None}
    config = LoopConfig(**base | settings)
    with Environment("cpu", threads, precision).open() as environment:
        on_event = None if events is None else events.append
        history = train(task, config, environment, checkpoint=checkpoint, on_event=on_event)
    return history, weights(task)


def weights(task):
    return [parameter.detach().numpy().copy() for parameter in task.network.parameters()]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_learns_and_is_the_same_for_any_number_of_threads():
    task = Line()
    history, found = run(task, epochs=40)
    assert history.evaluations[-1].loss < history.evaluations[0].loss / 10
    assert np.allclose(found[0], [[1, -2, 0.5]], atol=0.3)
    for threads in (2, 3):
        assert same(run(Line(), threads, epochs=40)[1], found)
    assert not same(run(Line(), epochs=40, seed=1)[1], found)


@pytest.mark.parametrize("settings", [{}, {"micro_batch": 3}, {"average": 0.9}, {"steps": 7, "evaluate_every": 2}])
def test_dropout_of_foreign_modules_depends_on_the_seed_only(settings):
    torch.manual_seed(4)
    before = torch.get_rng_state()
    _, found = run(EncoderTask(), **settings)
    for threads in (2, 3):
        torch.manual_seed(threads)
        assert same(run(EncoderTask(), threads, **settings)[1], found)
    torch.manual_seed(4)
    run(EncoderTask(), 2, **settings)
    assert torch.equal(before, torch.get_rng_state())
    assert not same(run(EncoderTask(), seed=1, **settings)[1], found)
    assert not same(run(EncoderTask(dropout=0.0), **settings)[1], found)


def test_gradient_checkpointing_repeats_the_draws_of_the_forward_pass():
    _, found = run(EncoderTask())
    task = EncoderTask(checkpointed=True)
    with pytest.raises(RamifyError, match="set recomputes = True"):
        run(task)
    for threads in (1, 2):
        task = EncoderTask(checkpointed=True)
        task.recomputes = True
        torch.manual_seed(threads)
        before = torch.get_rng_state()
        _, recomputed = run(task, threads)
        assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(recomputed, found, strict=True))
        assert torch.equal(before, torch.get_rng_state())


DRAWS = {
    "dropout": lambda x: functional.dropout(x, 0.5),
    "alpha dropout": lambda x: functional.alpha_dropout(x, 0.5, True),
    "native dropout": lambda x: torch.native_dropout(x, 0.5, True)[0],
    "attention": lambda x: functional.scaled_dot_product_attention(x, x, x, dropout_p=0.5),
    "gru": nn.GRU(8, 8, 2, dropout=0.5, batch_first=True),
    "rand": lambda x: torch.rand(20),
    "randn": lambda x: torch.randn(20),
    "rand_like": torch.rand_like,
    "randn_like": torch.randn_like,
    "randint": lambda x: torch.randint(1000, (20,)),
    "randint low": lambda x: torch.randint(5, 1000, (20,)),
    "randint_like": lambda x: torch.randint_like(x, 1000),
    "randint_like low": lambda x: torch.randint_like(x, 5, 1000),
    "randperm": lambda x: torch.randperm(30),
    "normal": lambda x: torch.normal(0.0, 1.0, (20,)),
    "bernoulli": lambda x: torch.bernoulli(torch.full((60,), 0.5)),
    "multinomial": lambda x: torch.multinomial(torch.ones(1000), 5),
    "gumbel": functional.gumbel_softmax,
    "uniform": lambda x: torch.empty(20).uniform_(),
}


@pytest.mark.parametrize("name", DRAWS)
def test_every_draw_of_a_thread_can_be_given_a_generator(name):
    def drawn(seed):
        with OwnGenerator(generator(seed)), torch.no_grad():
            found = DRAWS[name](torch.ones(2, 2, 5, 8) if name == "attention" else torch.ones(2, 5, 8))
        return found[0] if isinstance(found, tuple) else found

    before = torch.get_rng_state()
    first, again, other = drawn(0), drawn(0), drawn(1)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    with OwnGenerator(None), pytest.raises(RamifyError, match="backward pass"):
        DRAWS[name](torch.ones(2, 2, 5, 8) if name == "attention" else torch.ones(2, 5, 8))


def test_native_dropout_with_an_own_generator_scales_and_has_a_gradient():
    x = torch.ones(1000, requires_grad=True)
    with OwnGenerator(generator(0)):
        found, mask = torch.native_dropout(x, 0.25, True)
        assert torch.equal(torch.native_dropout(x, 0.25, False)[0], x)
    found.sum().backward()
    assert 0.7 < float(mask.float().mean()) < 0.8
    assert torch.allclose(found, mask / 0.75)
    assert torch.allclose(x.grad, mask / 0.75)


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


def test_stops_without_progress_and_keeps_the_best():
    task = Line()
    task.measures = iter([0.1, 0.5, 0.4, 0.3, 0.2, 0.9])
    seen = []
    task.measure = lambda inner=task.measure: (seen.append(weights(task)), inner())[1]
    history, kept = run(task)
    assert [event.measure for event in history.evaluations] == [0.1, 0.5, 0.4, 0.3, 0.2]
    assert history.best == 1
    assert same(kept, seen[1])
    assert not same(kept, seen[2])


def test_stops_in_the_middle_of_an_epoch():
    task = Line()
    task.measures = iter([0.5, 0.4, 0.3, 0.9])
    history, _ = run(task, evaluate_every=1, patience=2)
    assert [(event.epoch, event.step) for event in history.evaluations] == [(0, 1), (0, 2), (0, 3)]


def test_no_measure_keeps_the_last():
    task = Line()
    task.measures = iter([float("nan")] * 6)
    history, _ = run(task)
    assert len(history.evaluations) == 6
    assert history.best == 5


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({"epochs": 3}, [4, 8, 12]),
        ({"steps": 10}, [4, 8, 10]),
        ({"epochs": 3, "evaluate_every": 5}, [5, 10, 12]),
        ({"steps": 10, "evaluate_every": 5}, [5, 10]),
        ({"steps": 2}, [2]),
    ],
)
def test_budget_and_evaluations(settings, steps):
    history, _ = run(Line(), patience=100, **settings)
    assert [event.step for event in history.evaluations] == steps
    assert [event.epoch for event in history.evaluations] == [(step - 1) // 4 for step in steps]
    assert History.from_json(history.to_json()) == history


def test_a_history_of_an_older_model_directory():
    history = History.from_json([[0.5, "0.25", True], [0.4, "nan", False]])
    assert asdict(history.evaluations[0]) == {
        "epoch": 0,
        "step": 0,
        "loss": 0.5,
        "measure": 0.25,
        "best": True,
    }
    assert history.evaluations[1].epoch == 1


def test_the_same_budget_in_steps_and_in_epochs():
    assert same(run(Line(), epochs=3, warmup=1)[1], run(Line(), steps=12, warmup=4)[1])


@pytest.mark.parametrize("micro_batch", [1, 3, 7, 16, 49])
def test_micro_batches_give_the_update_of_the_whole_batch(micro_batch):
    def task():
        line = Line(noise=0.0)
        line.smallest_shard = 1_000  # the whole batch at once
        return line

    _, whole = run(task())
    _, accumulated = run(task(), micro_batch=micro_batch)
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(accumulated, whole, strict=True))


def test_the_gradient_of_a_batch_is_that_of_its_mean_loss_per_target():
    class Weighted(Line):
        """Instances have 1 to 3 targets."""

        def loss(self, shard):
            rows = torch.from_numpy(shard.rows)
            errors = (self.network(self.X[rows])[:, 0] - self.y[rows]) ** 2
            return errors.sum(), float((rows % 3 + 1).sum())

    task, rows, config = Weighted(), np.arange(50), LoopConfig(epochs=1, micro_batch=7)
    with Environment("cpu", 2).open() as environment:
        found, loss, targets = _batch_gradients(task, RunState(task, config), rows, (0, 0, 0), environment)
    expected, count = task.loss(Shard(rows, (0, 0, 0, 0)))
    assert (loss, targets) == (pytest.approx(float(expected.detach())), count)
    gradients = torch.autograd.grad(expected / count, list(task.network.parameters()))
    assert all(torch.allclose(a, b, rtol=1e-5) for a, b in zip(found, gradients, strict=True))


def test_the_running_average_is_evaluated_and_kept():
    def measured(average):
        task, seen = Line(), []
        task.measure = lambda: (seen.append(weights(task)), float(len(seen)))[1]
        _, kept = run(task, steps=6, evaluate_every=1, average=average)
        return seen, kept

    plain, _ = measured(0.0)
    averaged, kept = measured(0.3)
    expected = [np.zeros_like(array) for array in plain[0]]
    for step, (now, found) in enumerate(zip(plain, averaged, strict=True), 1):
        decay = min(0.3, step / (step + 9))
        expected = [decay * before + (1 - decay) * array for before, array in zip(expected, now, strict=True)]
        assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(found, expected, strict=True))
    assert same(kept, averaged[-1])


def test_a_batch_of_32_is_split_for_two_threads_whatever_their_number():
    def sizes(n, threads=1, smallest=None, **settings):
        task = Line()
        task.smallest_shard = smallest or task.smallest_shard
        with Environment("cpu", threads).open() as environment:
            shards = _shards(task, LoopConfig(epochs=1, **settings), np.arange(n), (0, 0, 0), environment)
        assert sorted(np.concatenate([shard.rows for shard in shards]).tolist()) == list(range(n))
        assert len({shard.counters for shard in shards}) == len(shards)
        return [len(shard.rows) for shard in shards]

    for threads in (1, 2, 8):
        assert sizes(32, threads) == [16, 16]
    assert sizes(31) == [31]
    assert sizes(1000) == [250] * 4
    assert sizes(32, smallest=32) == [32]
    assert max(sizes(32, micro_batch=5)) <= 5


def test_groups_have_their_own_rate_and_decay():
    class Still(Line):
        """The gradient is 0: only weight decay changes parameters."""

        def __init__(self, groups):
            super().__init__()
            self.groups = groups
            with torch.no_grad():
                for parameter in self.network.parameters():
                    parameter.fill_(1.0)

        def loss(self, shard):
            return sum(parameter.sum() for parameter in self.network.parameters()) * 0, 1.0

        def measure(self):
            return float("nan")

        def parameter_groups(self):
            return self.groups(self.network)

    constant = {"steps": 2, "warmup": 0, "decay": "constant", "average": 0.0, "weight_decay": 0.5}
    usual = (1 - 0.1 * 0.5) ** 2
    _, [matrix, vector] = run(Still(lambda network: without_decay_of_vectors(network.parameters())), **constant)
    assert np.allclose(matrix, usual)
    assert np.allclose(vector, 1)
    own = lambda network: [ParameterGroup([network.weight], 0.2, 0.3), ParameterGroup([network.bias])]  # noqa: E731
    _, [matrix, vector] = run(Still(own), **constant)
    assert np.allclose(matrix, (1 - 0.2 * 0.3) ** 2)
    assert np.allclose(vector, usual)
    for groups, message in [
        (lambda network: [ParameterGroup([network.weight])], "bias is in 0 parameter groups"),
        (lambda network: [ParameterGroup([network.weight, network.bias, network.bias])], "bias is in 2"),
        (lambda network: [ParameterGroup([network.weight, network.bias, torch.ones(1)])], "not trained"),
    ]:
        with pytest.raises(InputError, match=message):
            run(Still(groups), **constant)


def test_a_frozen_parameter_stays():
    task = Line()
    task.network.bias.requires_grad_(False)
    _, [matrix, vector] = run(task)
    assert np.array_equal(vector, [0])
    assert abs(matrix).min() > 0


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"steps": 8, "warmup": 4}, [0.25, 0.5, 0.75, 1, 1, 0.75, 0.5, 0.25]),
        ({"steps": 4, "final_rate": 0.2}, [1, 0.8, 0.6, 0.4]),
        ({"steps": 4, "decay": "constant", "warmup": 2, "final_rate": 0.2}, [0.5, 1, 1, 1]),
        ({"steps": 4, "decay": "cosine", "final_rate": 0.5}, [1, 0.75 + 0.25 * 0.5**0.5, 0.75, 0.75 - 0.25 * 0.5**0.5]),
        ({"steps": 4, "warmup": 2, "decay_start": 0}, [0.5, 0.75, 0.5, 0.25]),
        ({"steps": 4, "decay_start": 2}, [1, 1, 1, 0.5]),
        ({"epochs": 4, "warmup": 2}, [0.5, 1, 1, 0.5]),
    ],
)
def test_learning_rates(settings, expected):
    config = LoopConfig(**settings)
    rates = [config.rate(0.1, step, step + 1) for step in range(len(expected))]
    assert rates == pytest.approx([0.1 * share for share in expected])


def test_bfloat16_keeps_parameters_in_float32_and_the_result_for_any_number_of_threads():
    _, found = run(EncoderTask(), precision="bfloat16")
    assert all(array.dtype == np.float32 for array in found)
    assert same(run(EncoderTask(), 2, precision="bfloat16")[1], found)
    _, full = run(EncoderTask(), precision="float32")
    assert not same(full, found)
    assert all(np.allclose(a, b, atol=0.05) for a, b in zip(found, full, strict=True))


def test_an_encoder_learns():
    history, _ = run(EncoderTask(dropout=0.1), epochs=60, learning_rate=0.1, weight_decay=0.0)
    assert history.evaluations[-1].loss < history.evaluations[0].loss / 2
    assert history.evaluations[history.best].measure > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_batches_hold_every_instance_once_and_similar_costs(seed):
    costs = np.random.default_rng(seed).integers(1, 500, 1_003)
    batches = batches_by_cost(costs, 8, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches).tolist()) == list(range(1_003))
    assert all(len(batch) <= 8 for batch in batches)
    others = random_batches(1_003, 8, np.random.default_rng(seed))
    padding = [sum(np.sum(costs[batch].max() - costs[batch]) for batch in given) for given in (batches, others)]
    assert padding[0] < padding[1] / 4
    changes = np.diff([costs[batch].mean() for batch in batches])
    assert min((changes > 0).mean(), (changes < 0).mean()) > 0.3  # batches come in random order
    again = batches_by_cost(costs, 8, np.random.default_rng(seed))
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))


def test_a_loss_that_is_not_finite_stops_the_training():
    task = Line()
    task.y[7] = float("inf")
    with pytest.raises(RamifyError, match=r"loss of step \d is inf: lower learning_rate"):
        run(task)


def test_an_epoch_without_batches():
    task = Line()
    task.batches = lambda epoch, size, rng: []
    with pytest.raises(InputError, match="epoch 0 has 0 batches"):
        run(task)


def test_nothing_global_is_changed():
    torch.manual_seed(4)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    run(Line(), threads=2)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("steps", 0),
        ("batch_size", 0),
        ("micro_batch", 0),
        ("learning_rate", 0),
        ("warmup", -1),
        ("warmup", 3),
        ("decay", "square"),
        ("final_rate", 2),
        ("clip", -1),
        ("evaluate_every", 0),
        ("checkpoint_every", 0),
        ("patience", 0),
        ("average", 1.0),
        ("seed", -1),
        ("weight_decay", "much"),
    ],
)
def test_settings_out_of_range(name, value):
    with pytest.raises(InputError, match=name):
        LoopConfig(**{"epochs": 2, name: value})


def test_exactly_one_budget():
    for settings in ({}, {"epochs": 1, "steps": 1}):
        with pytest.raises(InputError, match="exactly one"):
            LoopConfig(**settings)


@pytest.mark.parametrize(
    "settings", [{"device": "tpu"}, {"threads": 0}, {"precision": "float16"}], ids=lambda given: next(iter(given))
)
def test_environments_out_of_range(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        Environment(**settings)


def test_a_gpu_that_is_not_there():
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(InputError, match="no GPU"):
        Environment("cuda")
    assert Environment("auto").device.type == "cpu"
