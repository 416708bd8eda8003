"""From a network to label sets and to a ranking: beam search; greedy is a beam of one.

Every kept beam b is a sequence with probability π_b = Π p(l_i | x, l_1..l_{i-1}). A label is ranked by the mass of all
sequences that begin with a kept beam and go on with it:

w_b        = π_b / Σ π over the beams of step t
score(l)   = Σ_t a_t Σ_b w_b p(l | x, b)           a_0 = 1
a_{t+1}    = a_t (1 - Σ_b w_b p(STOP | x, b))      the share that has not stopped

Were every sequence kept this would be P(l in the set | x). Labels in no beam are ranked by what the steps give them.
All in float64: an instance then gets the same float32 alone and in a batch. Compare PAPERS §6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ramify.chains.network import ChainNetwork, Dropout
from ramify.chains.sequences import Features
from ramify.values import Float32, Float64, Int64

ENDED = 1e-3
"""Share that has not stopped, below which an instance's search is over: it could not change a ranking by more."""


@dataclass(frozen=True)
class Decoded:
    """The answers to n instances.

    Parameters
    ----------
    scores : float32 array, shape (n, L)
        Mass of the sequences that hold a label; 0 for labels that are never emitted.
    labels : int64 array, shape (n, steps)
        The most probable finished sequence that was found, -1 after its end.
    probabilities : float64 array, shape (n,)
        Of that sequence.
    """

    scores: Float32
    labels: Int64
    probabilities: Float64


class _Search:
    """A beam search over a block of instances; rows leave as they end."""

    def __init__(self, network: ChainNetwork, X: Features, never: torch.Tensor, beam: int) -> None:
        self.network, self.never, self.beam = network, never, beam
        self.encoded = network.encode(X)  # (n, hidden)
        n, device = len(self.encoded), self.encoded.device
        self.scores = self.encoded.new_zeros((n, network.stop))
        self.best = self.encoded.new_full((n,), -torch.inf)
        self.found = torch.full((n, 0), -1, dtype=torch.int64, device=device)
        self.rows = torch.arange(n, device=device)
        self.state = network.first_state(self.encoded)[0][:, None]  # (rows, beams, hidden)
        self.alive = self.encoded.new_ones(n)
        self.mass = self.encoded.new_zeros((n, 1))  # log π
        self.prefix = torch.empty((n, 1, 0), dtype=torch.int64, device=device)

    def step(self) -> bool:
        """Emit one label; False when all rows have ended."""
        told = self._distribution()  # (rows, beams, L + 1), log p
        weights = torch.softmax(self.mass, dim=1)
        mean = (weights[..., None] * told.exp()).sum(dim=1)  # (rows, L + 1)
        self.scores[self.rows] += self.alive[:, None] * mean[:, :-1]
        self.alive = self.alive * (1 - mean[:, -1])
        total = self.mass[..., None] + told
        self._finish(total[..., -1])
        self._extend(total[..., :-1])
        return self._leave()

    def _distribution(self) -> torch.Tensor:
        rows, beams, _ = self.state.shape
        start = self.prefix.new_full((rows, beams, 1), self.network.stop)
        last = torch.cat([start, self.prefix], dim=2)[..., -1:]
        encoded = self.encoded[self.rows].repeat_interleave(beams, dim=0)
        before = self.state.reshape(1, rows * beams, -1)
        told, after = self.network.states(encoded, last.reshape(-1, 1), before)
        self.state = after[0].reshape(rows, beams, -1)
        logits = self.network.logits(told[:, 0]).reshape(rows, beams, -1)
        logits[..., :-1].masked_fill_(self.never, -torch.inf)
        logits.scatter_(2, self.prefix, -torch.inf)
        return torch.log_softmax(logits, dim=2)

    def _finish(self, ended: torch.Tensor) -> None:
        """Stop here? (rows, beams) log probabilities of the sequences as they stand."""
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
        going = (self.alive > ENDED) & torch.isfinite(self.mass[:, 0])
        for name in ("rows", "alive", "mass", "prefix", "state"):
            setattr(self, name, getattr(self, name)[going])
        self.mass = self.mass.clamp(min=-1e30)  # beams of impossible labels keep weight 0 without NaN
        return bool(len(self.rows))


def _taken(values: torch.Tensor, parents: torch.Tensor) -> torch.Tensor:
    """The beams of the given numbers: (rows, beams, x), (rows, kept) -> (rows, kept, x)."""
    return values.gather(1, parents[..., None].expand(*parents.shape, values.shape[2]))


@torch.no_grad()
def decode(network: ChainNetwork, X: Features, *, never: torch.Tensor, beam: int, longest: int) -> Decoded:
    """Search the sequences of a block of instances.

    Parameters
    ----------
    network : ChainNetwork
        Its dtype is what is computed in.
    X : Features
        n instances.
    never : bool tensor, shape (L,)
        Labels that are never emitted.
    beam : int
        Sequences kept per step; 1 is greedy.
    longest : int
        Labels per sequence at most.
    """
    search = _Search(network, X, never, beam)
    for _ in range(longest + 1):
        if not search.step():
            break
    scores = search.scores.clamp(max=1.0).to(torch.float32)
    return Decoded(scores.cpu().numpy(), search.found.cpu().numpy(), search.best.exp().double().cpu().numpy())


@torch.no_grad()
def emit(
    network: ChainNetwork,
    X: Features,
    *,
    never: torch.Tensor,
    longest: int,
    drop: Dropout | None = None,
    generator: torch.Generator | None = None,
) -> Int64:
    """One sequence per instance, (n, steps), -1 after the end: the most probable label at each step, until it is STOP.

    With a generator a label is drawn at each step instead; with ``drop`` the network is one with units dropped.
    """
    encoded = network.encode(X, drop)
    state, n = network.first_state(encoded), len(encoded)
    closed = torch.zeros((n, network.stop + 1), dtype=torch.bool, device=encoded.device)
    closed[:, :-1] = never
    last = torch.full((n,), network.stop, device=encoded.device)
    going = torch.ones(n, dtype=torch.bool, device=encoded.device)
    emitted: list[torch.Tensor] = []
    while len(emitted) < longest and bool(going.any()):
        told, state = network.states(encoded, last[:, None], state, drop)
        logits = network.logits(told[:, 0]).masked_fill_(closed, -torch.inf)
        last = (logits if generator is None else logits + _gumbel(logits, generator)).argmax(dim=1)
        going = going & (last != network.stop)
        emitted.append(torch.where(going, last, -1))
        closed[torch.arange(n, device=last.device), last] |= going
    found = torch.stack(emitted, dim=1).cpu().numpy() if emitted else np.zeros((n, 0), np.int64)
    return np.asarray(found, np.int64)


@torch.no_grad()
def probabilities(network: ChainNetwork, X: Features, emitted: list[int], never: torch.Tensor) -> Float64:
    """Probabilities of all labels and STOP before each label of one instance's sequence, and after it."""
    encoded = network.encode(X)
    read = torch.tensor([[network.stop, *emitted]], device=encoded.device)
    told, _ = network.states(encoded, read, network.first_state(encoded))
    logits = network.logits(told[0])  # (steps, L + 1)
    logits[:, :-1].masked_fill_(never, -torch.inf)
    for step, label in enumerate(emitted):
        logits[step + 1 :, label] = -torch.inf
    return np.asarray(torch.softmax(logits, dim=1).cpu().numpy(), np.float64)


def _gumbel(like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Noise that turns the largest of log probabilities into a draw from them."""
    drawn = torch.rand(like.shape, generator=generator).clamp_(1e-20, 1 - 1e-7)
    return -torch.log(-torch.log(drawn)).to(like.device)
