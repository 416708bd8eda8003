"""Small tasks for the tests of the training loop, and a function that trains them on the CPU."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ramify.torchloop import Environment, LoopConfig, ParameterGroup, Task, train, without_decay_of_vectors
from ramify.torchloop.batching import batches_by_cost, random_batches
from ramify.torchloop.randomness import generator


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
    with Environment("cpu", threads, precision).open(shared=True) as environment:
        on_event = None if events is None else events.append
        history = train(task, config, environment, checkpoint=checkpoint, on_event=on_event)
    return history, weights(task)


def weights(task):
    return [parameter.detach().numpy().copy() for parameter in task.network.parameters()]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


class OwnHead(EncoderTask):
    """An encoder with a head that the task updates itself: its bias moves towards the labels of the batch."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.network.head.requires_grad_(False)
        self.rates = []

    def parameter_groups(self):
        return without_decay_of_vectors(self.network.parameters(), 0.01)

    def after_step(self, rows, rate, processes):
        self.rates.append(rate)
        shares = torch.bincount(self.labels[rows], minlength=3) / len(rows)
        self.network.head.bias.add_(shares, alpha=rate)

    def own_state(self):
        return {"bias": self.network.head.bias}
