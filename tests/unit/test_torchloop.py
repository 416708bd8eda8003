"""The training loop: the same seed gives the same result for any number of threads; no global state is changed."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch")

from torch import nn
from torch.nn import functional
from torchloop_tasks import EncoderTask, Line, run, same, weights

from ramify.errors import InputError, RamifyError
from ramify.torchloop import Environment, LoopConfig, ParameterGroup, Shard, without_decay_of_vectors
from ramify.torchloop.batching import batches_by_cost, random_batches
from ramify.torchloop.loop import _batch_gradients, _shards
from ramify.torchloop.randomness import OwnGenerator, generator
from ramify.torchloop.state import RunState


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


@pytest.mark.parametrize("hardware", [True, False])
def test_bfloat16_is_native_on_a_cpu_with_its_instructions(hardware, monkeypatch):
    if torch.cuda.is_available():
        pytest.skip("the GPU decides")
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: hardware, raising=False)
    found = {name: Environment("cpu", 1, name).bfloat16 for name in ("auto", "native", "float32", "bfloat16")}
    assert found == {"auto": False, "native": hardware, "float32": False, "bfloat16": True}
