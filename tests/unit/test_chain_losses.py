"""Losses of a chain and their gradients, against the equations written as loops over sequences and steps."""

import numpy as np
import pytest
import scipy.sparse as sp

torch = pytest.importorskip("torch", reason="needs the extra torch")

from ramify import LabelChain
from ramify.chains import OwnOrder
from ramify.chains.decoding import probabilities
from ramify.chains.network import ChainNetwork, Shape
from ramify.chains.order import Resequenced
from ramify.chains.reinforced import ReinforcedTask
from ramify.chains.sequences import features
from ramify.chains.supervised import ChainData, SupervisedTask, remaining
from ramify.testing.values import planted_clusters
from ramify.torchloop import Shard
from ramify.torchloop.randomness import generator

N, D = 8, 5


def small_network(n_labels, seed=0):
    return ChainNetwork(Shape(n_features=D, n_labels=n_labels, embedding=4, hidden=6), generator=generator(seed))


def problem(Y, **settings):
    """Data of a task: Y and random instances, without dropout and with all labels as candidates."""
    Y = sp.csr_matrix(np.asarray(Y, np.float32))
    X = sp.csr_matrix(np.random.default_rng(0).random((Y.shape[0], D), np.float32))
    counts = np.asarray((Y > 0).sum(axis=0)).ravel().astype(np.int64)
    usual = {"held": None, "longest": Y.shape[1], "dropout": 0.0, "feature_dropout": 0.0, "sampled": 0}
    return ChainData(X=X, Y=Y, counts=counts, **usual | settings)


def replayed(network, x, sequence, ends):
    """Outputs z, log p of all actions, and the action of each step of a sequence, which ends with STOP if ``ends``."""
    encoded = network.encode(features(x, network.output))
    state, last, emitted = network.first_state(encoded), network.stop, []
    for action in [*sequence, *([network.stop] if ends else [])]:
        z, state = network.states(encoded, torch.tensor([[last]]), state)
        logits = network.logits(z[0, 0])
        shut = torch.zeros(len(logits), dtype=torch.bool)
        shut[emitted] = True
        yield z[0, 0], torch.log_softmax(logits.masked_fill(shut, -torch.inf), dim=0), action
        last = action
        emitted.append(action)


def cross_entropy(network, data, chains):
    terms = [
        -log_p[action]
        for row, chain in enumerate(chains)
        for _, log_p, action in replayed(network, data.X[row], chain, True)
    ]
    return torch.stack(terms).sum(), len(terms)


def assert_same_gradients(network, found, wanted):
    for one, other in zip(*(gradients_of(network, loss) for loss in (found, wanted)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def gradients_of(network, loss):
    parameters = [parameter for parameter in network.parameters() if parameter is not network.embedding]
    found = torch.autograd.grad(loss, [*parameters, network.embedding], allow_unused=True)
    return [torch.zeros(1) if one is None else one for one in found]


def test_the_supervised_loss_is_the_cross_entropy_of_the_labels_in_order():
    data = problem(np.random.default_rng(1).random((N, 4)) < 0.6)
    network, labels = small_network(4), [2, 0, 3, 1]
    found, count = SupervisedTask(network, data, OwnOrder(labels)).loss(Shard(np.arange(N), (0, 0, 0)))
    chains = [[label for label in labels if data.Y[row, label] > 0] for row in range(N)]
    wanted, actions = cross_entropy(network, data, chains)
    assert count == actions
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
    assert_same_gradients(network, found, wanted)


def test_a_resequenced_chain_is_taught_the_order_in_which_its_network_emits():
    """A network that never emits STOP first emits all labels, so that none is missing and the order is unique."""
    data = problem(np.random.default_rng(1).random((N, 6)) < 0.5)
    network = small_network(6)
    with torch.no_grad():
        network.output_bias[network.stop] = -100
    chains = []
    for row in range(N):
        emitted = []
        for _ in range(6):
            emitted.append(int([log_p for _, log_p, _ in replayed(network, data.X[row], emitted, True)][-1].argmax()))
        chains.append([label for label in emitted if data.Y[row, label] > 0])
    assert len({tuple(label for label in range(6) if label in chain) == tuple(chain) for chain in chains}) == 2
    task = SupervisedTask(network, problem(data.Y.toarray(), longest=10), Resequenced())
    found, _ = task.loss(Shard(np.arange(N), (0, 0, 0)))
    wanted, _ = cross_entropy(network, data, chains)
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)


class Backwards:
    """The emitted labels in reverse: no network learns it by chance."""

    def __init__(self):
        self.seen = []

    def keys(self, Y, counts, rng):
        return Y.indices.astype(float)

    def follow(self, Y, emitted, rng):
        self.seen.append(emitted)
        return -Y.indices.astype(float)


def test_a_chain_emits_labels_in_the_order_that_follow_returns():
    data, order = planted_clusters(4, 3), Backwards()
    settings = {"embedding": 16, "hidden": 48, "dropout": 0.1, "feature_dropout": 0.0, "epochs": 15}
    settings |= {"batch_size": 32, "learning_rate": 0.02, "average": 0.9, "threads": 1, "held_out": 0.0}
    chain = LabelChain(order=order, **settings).fit(data.X, data.Y)
    assert order.seen
    pairs = [row for row in chain.chains(data.X_test) if len(row) == 2]
    assert len(pairs) > 20
    assert np.mean([first > second for first, second in pairs]) >= 0.95


def test_a_sample_of_labels_stands_for_all_in_the_chain():
    data = problem(np.random.default_rng(0).random((40, 400)) < 0.02)
    network, order = small_network(400), OwnOrder(list(range(400)))

    def loss(sampled, step):
        task = SupervisedTask(network, problem(data.Y.toarray(), sampled=sampled), order)
        with torch.no_grad():
            total, count = task.loss(Shard(np.arange(4), (0, 0, step)))
        return total.item() / count

    sampled = np.mean([loss(60, step) for step in range(40)])
    assert sampled == pytest.approx(loss(0, 0), rel=0.01)


class Recorder:
    """A reward that keeps what it is given; any number for any action, 0 after the end."""

    def __init__(self, longest):
        self.table = np.random.default_rng(7).normal(size=(1000, longest + 1))

    def __call__(self, hits, emits, n_true):
        self.hits, self.emits, self.n_true = hits, emits, n_true
        lengths = emits.sum(axis=1)
        steps = np.arange(hits.shape[1])
        self.rewards = self.table[: len(hits), : hits.shape[1]] * (steps <= lengths[:, None])
        return self.rewards


def policy_loss(network, data, acted, reward, entropy):
    """The loss of the module, for the sequences that the network sampled."""
    z, chosen, entropies, returns = [], [], [], []
    for number, (row, sequence) in enumerate(acted):
        steps = replayed(network, data.X[row], sequence, len(sequence) < data.longest)
        for step, (output, log_p, action) in enumerate(steps):
            z.append(output)
            chosen.append(log_p[action])
            finite = log_p[torch.isfinite(log_p)]
            entropies.append(-(finite.exp() * finite).sum())
            returns.append(reward.rewards[number, step:].sum())
    returns = torch.tensor(np.array(returns), dtype=torch.float32)
    baseline = network.value(torch.stack(z).detach())[:, 0]
    advantage = (returns - baseline).detach()
    advantage = (advantage - advantage.mean()) / advantage.std(correction=0)
    loss = -(advantage * torch.stack(chosen)).sum() - entropy * torch.stack(entropies).sum()
    return loss + 0.5 * ((returns - baseline) ** 2).sum(), len(returns)


@pytest.mark.parametrize("anchor", [0.0, 0.7])
@pytest.mark.parametrize("longest", [1, 2, 3])
def test_the_policy_gradient_is_that_of_the_equations(longest, anchor):
    """With two labels and one right one per instance, hits and emits determine the sampled sequences."""
    truth = np.arange(N) % 2
    data = problem(np.eye(2)[truth], longest=longest)
    network, reward, entropy = small_network(2), Recorder(longest), 0.3
    with torch.no_grad():
        network.value.weight.mul_(3)
    task = ReinforcedTask(network, data, OwnOrder([0, 1]), reward=reward, entropy=entropy, anchor=anchor, samples=6)
    found, count = task.loss(Shard(np.arange(N), (0, 0, 0)))
    acted = []
    for row, hits, emits in zip(np.repeat(np.arange(N), 6), reward.hits, reward.emits, strict=True):
        length = int(emits.sum())
        acted.append((row, [int(truth[row]) if hit else int(1 - truth[row]) for hit in hits[:length]]))
    assert len({tuple(sequence) for _, sequence in acted}) == (3 if longest == 1 else 5)
    np.testing.assert_array_equal(reward.n_true, np.ones(6 * N))
    wanted, actions = policy_loss(network, data, acted, reward, entropy)
    assert count == actions
    if anchor:
        supervised, targets = cross_entropy(network, data, [[label] for label in truth.tolist()])
        wanted = wanted + anchor * supervised * actions / targets
    assert found.item() == pytest.approx(wanted.item(), rel=1e-4)
    assert_same_gradients(network, found, wanted)


def almost_deterministic(counters=(0, 0, 0), dropout=0.0, feature_dropout=0.0, sampled=0):
    """Loss, actions and recorded reward of a policy over 60 labels whose actions have probability 1."""
    rates = {"dropout": dropout, "feature_dropout": feature_dropout}
    data = problem(np.random.default_rng(3).random((10, 60)) < 0.05, sampled=sampled, longest=8, **rates)
    network, reward = small_network(60, seed=4), Recorder(8)
    data.counts[:] = 1
    with torch.no_grad():
        network.output.mul_(3_000)
        network.value.weight.zero_()
    order = OwnOrder(list(range(60)))
    task = ReinforcedTask(network, data, order, reward=reward, entropy=0.0, anchor=0.0, samples=3)
    found, actions = task.loss(Shard(np.arange(10), counters))
    return found.item(), actions, reward


RATES = [{"dropout": 0.5}, {"feature_dropout": 0.5}, {"dropout": 0.3, "feature_dropout": 0.3}]


@pytest.mark.parametrize("rates", [{}, *RATES])
@pytest.mark.parametrize("sampled", [0, 15])
def test_the_policy_that_learns_is_the_policy_that_acted(rates, sampled):
    """log p of the actions is 0 under the same dropout masks and candidates; only the baseline's squares are left."""
    found, actions, reward = almost_deterministic(sampled=sampled, **rates)
    returns = np.cumsum(reward.rewards[:, ::-1], axis=1)[:, ::-1]
    steps = np.minimum(reward.emits.sum(axis=1) + 1, 8).astype(int)
    squares = sum((row[:length] ** 2).sum() for row, length in zip(returns, steps, strict=True)) / 2
    assert actions == steps.sum()
    assert abs(found - squares) < 0.1 * actions


def acted(**settings):
    reward = almost_deterministic(**settings)[2]
    return reward.hits.tolist(), reward.emits.tolist()


@pytest.mark.parametrize("drawn", [*RATES, {"sampled": 15}])
def test_dropout_and_candidates_of_the_policy_depend_on_the_counters_only(drawn):
    torch.manual_seed(1)
    first = acted(**drawn)
    torch.manual_seed(2)
    assert acted(**drawn) == first
    assert acted() != first
    assert acted(counters=(0, 0, 1), **drawn) != first


def test_actions_are_sampled_by_the_counters():
    data, reward = problem(np.eye(4)[np.arange(N) % 4]), Recorder(4)
    task = ReinforcedTask(
        small_network(4), data, OwnOrder([0, 1, 2, 3]), reward=reward, entropy=0.0, anchor=0.0, samples=4
    )

    def sampled(counters):
        task.loss(Shard(np.arange(N), counters))
        return reward.hits.tolist(), reward.emits.tolist()

    first = sampled((0, 0, 0))
    torch.manual_seed(3)
    assert sampled((0, 0, 0)) == first
    assert sampled((0, 0, 1)) != first


SETS = sp.csr_matrix(np.array([[1, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0]], np.float32))


@pytest.mark.parametrize("targets", ["next", "remaining"])
def test_the_loss_of_a_sequence_equals_its_step_probabilities(targets):
    """-log p of the next label, or of all labels that follow in the sequence together."""
    X = sp.csr_matrix(np.random.default_rng(0).random((3, D)).astype(np.float32))
    rates = {"dropout": 0.0, "feature_dropout": 0.0, "sampled": 0}
    data = ChainData(X=X, Y=SETS, held=None, counts=np.array([1, 1, 1, 1]), longest=4, targets=targets, **rates)
    network = small_network(4)
    loss, count = SupervisedTask(network, data, OwnOrder([2, 3, 1, 0])).loss(Shard(np.arange(3), (0, 0, 0)))
    wanted = 0.0
    for row, labels in enumerate([[2, 3, 0], [1], []]):
        steps = probabilities(network, features(X[row], network.output), labels, torch.zeros(4, dtype=torch.bool))
        for place, label in enumerate(whole := [*labels, 4]):
            right = [label] if targets == "next" else labels[place:] or [4]
            wanted -= np.log(steps[place, right].sum())
        assert len(steps) == len(whole)
    assert count == 7
    assert loss.item() == pytest.approx(wanted, rel=1e-5)


def test_remaining_labels_among_candidates():
    rows = torch.tensor([0, 0, 1, 2])
    shut = torch.tensor([[False, False, False], [True, False, False], [False, True, False], [False, False, False]])
    found = remaining(SETS, rows, shut, torch.tensor([0, 1, 4]))
    assert found.int().tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]]
    assert remaining(SETS, rows[:1], torch.zeros((1, 5), dtype=torch.bool), None).int().tolist() == [[1, 0, 1, 1, 0]]
