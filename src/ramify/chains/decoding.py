"""Rankings and label sets from the outputs of a network.

The score of a label is the probability that it occurs in a sampled sequence, P(l in the set | x). It is estimated from
K sampled sequences. Each step of a sequence adds the probabilities of all labels at this step, not only that of the
sampled one, which reduces the variance:

score(l) = 1/K Σ_k Σ_t p(l | x, first t labels of sequence k)      unbiased; exact in the first step

The sequences of a beam search are no substitute: rescaled to probability 1 they overestimate labels that co-occur with
their own. Sampling uses the same K quantiles, shuffled per step, for all instances, so that an instance has the same
samples alone and in a batch; float64 makes its float32 scores equal, too.

A label set is the most probable label at each step, or the best sequence of a beam search.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ramify.chains.network import ChainNetwork, Dropout
from ramify.chains.sequences import Features
from ramify.values import Float32, Float64, Int64


@torch.no_grad()
def marginals(network: ChainNetwork, X: Features, *, never: torch.Tensor, draws: int, longest: int) -> Float32:
    """Estimated probability that each label occurs in a sampled sequence, float32, shape (n, L).

    Parameters
    ----------
    network : ChainNetwork
        Its dtype is that of the computation.
    X : Features
        n instances.
    never : bool tensor, shape (L,)
        Labels that are never emitted.
    draws : int
        Sequences per instance, K.
    longest : int
        Labels per sequence at most.
    """
    encoded = network.encode(X)  # (n, hidden)
    n, device, stop = len(encoded), encoded.device, network.stop
    scores = encoded.new_zeros((n, stop))
    # Samples with the same labels so far share one state: `owner` is the instance of a state, `at` the state of a
    # sample, `number` its quantile.
    owner, at = torch.arange(n, device=device), torch.arange(n, device=device).repeat_interleave(draws)
    number = torch.arange(draws, device=device).repeat(n)
    state, last = network.first_state(encoded), torch.full((n,), stop, device=device)
    closed = torch.nn.functional.pad(never, (0, 1)).expand(n, -1).clone()
    for step in range(longest):
        outputs, state = network.states(encoded[owner], last[:, None], state)
        shares = torch.softmax(network.logits(outputs[:, 0]).masked_fill_(closed, -torch.inf), dim=1)
        weight = torch.bincount(at, minlength=len(owner)).to(shares) / draws
        scores.index_add_(0, owner, shares[:, :-1] * weight[:, None])
        heights = shares.cumsum_(dim=1)
        chosen = torch.searchsorted(heights, _quantiles(draws, step).to(heights) * heights[:, -1:])
        chosen = chosen[at, number].clamp_(max=stop)
        going = chosen != stop
        if not going.any():
            break
        together, at = torch.unique(at[going] * stop + chosen[going], return_inverse=True)
        number, before, last = number[going], together // stop, together % stop
        owner, state, closed = owner[before], state[:, before], closed[before]
        closed.scatter_(1, last[:, None], True)
    ranked: Float32 = scores.clamp(max=1.0).to(torch.float32).cpu().numpy()
    return ranked


def _quantiles(draws: int, step: int) -> torch.Tensor:
    """Centres of K equal parts of [0, 1], in another order at each step so that steps are independent."""
    order = np.random.default_rng(step).permutation(draws)
    return torch.from_numpy((order + 0.5) / draws)


@dataclass(frozen=True)
class Decoded:
    """The most probable finished sequences that were found for n instances.

    Parameters
    ----------
    labels : int64 array, shape (n, steps)
        -1 after the end.
    probabilities : float64 array, shape (n,)
    """

    labels: Int64
    probabilities: Float64


class _Search:
    """A beam search over a block of instances; finished rows are removed."""

    def __init__(self, network: ChainNetwork, X: Features, never: torch.Tensor, beam: int) -> None:
        self.network, self.never, self.beam = network, never, beam
        self.encoded = network.encode(X)  # (n, hidden)
        n, device = len(self.encoded), self.encoded.device
        self.best = self.encoded.new_full((n,), -torch.inf)
        self.found = torch.full((n, 0), -1, dtype=torch.int64, device=device)
        self.rows = torch.arange(n, device=device)
        self.state = network.first_state(self.encoded)[0][:, None]  # (rows, beams, hidden)
        self.mass = self.encoded.new_zeros((n, 1))  # log π
        self.prefix = torch.empty((n, 1, 0), dtype=torch.int64, device=device)

    def step(self) -> bool:
        """Emit one label; return False when all rows have ended."""
        outputs = self._distribution()  # (rows, beams, L + 1), log p
        total = self.mass[..., None] + outputs
        self._finish(total[..., -1])
        self._extend(total[..., :-1])
        return self._leave()

    def _distribution(self) -> torch.Tensor:
        rows, beams, _ = self.state.shape
        start = self.prefix.new_full((rows, beams, 1), self.network.stop)
        last = torch.cat([start, self.prefix], dim=2)[..., -1:]
        encoded = self.encoded[self.rows].repeat_interleave(beams, dim=0)
        before = self.state.reshape(1, rows * beams, -1)
        outputs, after = self.network.states(encoded, last.reshape(-1, 1), before)
        self.state = after[0].reshape(rows, beams, -1)
        logits = self.network.logits(outputs[:, 0]).reshape(rows, beams, -1)
        logits[..., :-1].masked_fill_(self.never, -torch.inf)
        logits.scatter_(2, self.prefix, -torch.inf)
        return torch.log_softmax(logits, dim=2)

    def _finish(self, ended: torch.Tensor) -> None:
        """Keep the best sequence that ends here, given log probabilities (rows, beams) with STOP included."""
        mass, beam = ended.max(dim=1)
        better = mass > self.best[self.rows]
        rows = self.rows[better]
        self.best[rows] = mass[better]
        steps = self.prefix.shape[2]
        self.found = torch.nn.functional.pad(self.found, (0, steps - self.found.shape[1]), value=-1)
        self.found[rows] = self.prefix[better, beam[better]]

    def _extend(self, total: torch.Tensor) -> None:
        rows, _, n_labels = total.shape
        count = min(self.beam, total.shape[1] * n_labels)
        self.mass, places = total.reshape(rows, -1).topk(count, dim=1)
        parents, labels = places // n_labels, places % n_labels
        self.prefix = torch.cat([_taken(self.prefix, parents), labels[..., None]], dim=2)
        self.state = _taken(self.state, parents)

    def _leave(self) -> bool:
        going = self.mass[:, 0] > self.best[self.rows]  # extending a sequence can only lower its probability
        for name in ("rows", "mass", "prefix", "state"):
            setattr(self, name, getattr(self, name)[going])
        return bool(len(self.rows))


def _taken(values: torch.Tensor, parents: torch.Tensor) -> torch.Tensor:
    """Select beams by number: (rows, beams, x), (rows, kept) -> (rows, kept, x)."""
    return values.gather(1, parents[..., None].expand(*parents.shape, values.shape[2]))


@torch.no_grad()
def decode(network: ChainNetwork, X: Features, *, never: torch.Tensor, beam: int, longest: int) -> Decoded:
    """Beam search over a block of instances; parameters as in ``marginals``, except for one.

    Parameters
    ----------
    beam : int
        Sequences kept per step.
    """
    search = _Search(network, X, never, beam)
    for _ in range(longest + 1):
        if not search.step():
            break
    return Decoded(search.found.cpu().numpy(), search.best.exp().double().cpu().numpy())


@torch.no_grad()
def emit(
    network: ChainNetwork,
    X: Features,
    *,
    never: torch.Tensor,
    longest: int,
    candidates: torch.Tensor | None = None,
    drop: Dropout | None = None,
    generator: torch.Generator | None = None,
) -> Int64:
    """One sequence per instance, int64, (n, steps), -1 after the end: the most probable label at each step until STOP.

    ``candidates`` (ascending, STOP last) restricts the labels. With a generator, labels are sampled. With ``drop``,
    units of the network are dropped. Finished rows are removed from the computation.
    """
    encoded = network.encode(X, drop)
    state, n, device = network.first_state(encoded), len(encoded), encoded.device
    shut = torch.nn.functional.pad(never, (0, 1))
    shut = shut if candidates is None else shut[candidates]
    closed = shut.expand(n, -1).clone()
    last = torch.full((n,), network.stop, device=device)
    emitted = torch.full((n, longest), -1, device=device)
    rows, step = torch.arange(n, device=device), 0
    while step < longest and len(rows):
        outputs, state = network.states(encoded[rows], last[:, None], state, None if drop is None else drop.of(rows, n))
        logits = network.logits(outputs[:, 0], candidates).masked_fill_(closed, -torch.inf)
        place = (logits if generator is None else logits + _gumbel(logits, generator)).argmax(dim=1)
        closed.scatter_(1, place[:, None], True)
        last = place if candidates is None else candidates[place]
        going = last != network.stop
        rows, last, closed, state = rows[going], last[going], closed[going], state[:, going]
        emitted[rows, step] = last
        step += 1
    return np.asarray(emitted[:, :step].cpu().numpy(), np.int64)


@torch.no_grad()
def probabilities(network: ChainNetwork, X: Features, emitted: list[int], never: torch.Tensor) -> Float64:
    """Probabilities of all labels and STOP before each label of one instance's sequence, and after it."""
    encoded = network.encode(X)
    read = torch.tensor([[network.stop, *emitted]], device=encoded.device)
    outputs, _ = network.states(encoded, read, network.first_state(encoded))
    logits = network.logits(outputs[0])  # (steps, L + 1)
    logits[:, :-1].masked_fill_(never, -torch.inf)
    for step, label in enumerate(emitted):
        logits[step + 1 :, label] = -torch.inf
    return np.asarray(torch.softmax(logits, dim=1).cpu().numpy(), np.float64)


def _gumbel(like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Gumbel noise: the argmax of log probabilities plus this noise is a sample from them."""
    drawn = torch.rand(like.shape, generator=generator).clamp_(1e-20, 1 - 1e-7)
    return -torch.log(-torch.log(drawn)).to(like.device)
