"""Ideas for the training of classifier chains, compared on held-out training documents; test documents are not read.

    python benchmarks/chain_ideas.py --sets bibtex --seeds 0 1
    python benchmarks/chain_ideas.py --sets bibtex --ideas remaining "next label"

Each idea trains the same network after the same warm-up, with the settings of ``benchmarks/chains.py``. Rows go to
``results/chain-ideas.jsonl``; rows that are there are skipped.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from chains import REINFORCED, SETTINGS, measures_of
from racing.chain_members import Study, chain_scores
from racing.chain_tables import IDEAS
from racing.matrices import prepare
from racing.places import DATA
from racing.rows import Row, add_stamped, matching
from ramify.chains.decoding import decode, emit
from ramify.chains.network import Dropout
from ramify.chains.order import Resequenced, order_of
from ramify.chains.sequences import features, sequences
from ramify.chains.supervised import (
    SLACK,
    ChainData,
    SupervisedTask,
    candidates_of,
    closed,
    forced_outputs,
    positions,
    remaining,
)
from ramify.torchloop import Environment, Shard, train
from ramify.torchloop.randomness import generator
from ramify.values import CSR


@dataclass(frozen=True, kw_only=True)
class Idea:
    """How the sequences of training are made, and what their targets are.

    Parameters
    ----------
    order : str
        Order of the labels where the network's own is not used.
    own : float
        Share of the documents whose labels have the network's own order.
    own_from : int
        First epoch with the network's own order.
    sampled : bool
        The network's order is sampled instead of greedy.
    beam : int
        The network's order is the best sequence of a beam search of this width; 0: greedy.
    mistakes : bool
        Wrong labels that the network emits stay in the sequence; they are inputs, but no targets.
    power : float, optional
        Targets are all labels not yet emitted, with weights proportional to p ** power. 1 is the loss "remaining" of
        ``LabelChain``. None: the next label.
    labelwise : float
        Weight of the label-wise loss of the warm-up, which is added.
    rate : float
        Factor of the learning rate.
    epochs : int
        Factor of the epochs.
    """

    order: str = "random"
    own: float = 0.0
    own_from: int = 0
    sampled: bool = False
    beam: int = 0
    mistakes: bool = False
    power: float | None = None
    labelwise: float = 0.0
    rate: float = 0.3
    epochs: int = 1


TRIED: dict[str, Idea] = {
    "next label, random order": Idea(),
    "next label, rare first": Idea(order="rare-first"),
    "next label, own order": Idea(own=1),
    "own order from the fourth epoch": Idea(own=1, own_from=3),
    "own order for half of the documents": Idea(own=0.5),
    "own order, sampled": Idea(own=1, sampled=True),
    "own order by beam search": Idea(own=1, beam=4),
    "all remaining labels, random order": Idea(power=0),
    "all remaining labels, own order": Idea(own=1, power=0),
    "any remaining label, random order": Idea(power=1),
    "any remaining label, own order": Idea(own=1, power=1),
    "any remaining label, own mistakes": Idea(own=1, power=1, mistakes=True),
    "any remaining label, label-wise loss": Idea(own=1, power=1, labelwise=1.0),
    "any remaining label, twice the epochs": Idea(own=1, power=1, epochs=2),
}


class IdeaTask(SupervisedTask):
    """A ``torchloop.Task`` with the sequences and targets of an idea."""

    def __init__(self, network: Any, data: ChainData, idea: Idea) -> None:
        super().__init__(network, data, order_of(idea.order, data.seed))
        self.idea = idea

    def loss(self, shard: Shard) -> tuple[torch.Tensor, float]:
        """See ``torchloop.Task``."""
        data, network, idea = self.data, self.network, self.idea
        X, Y = features(data.X[shard.rows], network.output), data.Y[shard.rows]
        drawn = generator(*shard.counters)
        candidates, corrections = candidates_of(Y, drawn, self.never, data.sampled)
        wanted = self._sequences(X, Y, shard, candidates)
        drop = Dropout(drawn, data.dropout, data.feature_dropout)
        outputs, wanted, place = forced_outputs(network, X, wanted, drop)
        logits = network.logits(outputs, candidates)
        logits = logits if corrections is None else logits + corrections
        shut = closed(wanted, self.never, candidates)[place]
        logits = logits.masked_fill(shut, -torch.inf).float()
        if idea.power is None:
            loss = functional.cross_entropy(logits, positions(candidates, wanted[place]), reduction="sum")
        else:
            loss = weighted_loss(logits, remaining(Y, place[0], shut, candidates), idea.power)
        if idea.labelwise:
            loss = (
                loss + idea.labelwise * self._labelwise(X, Y, drop, candidates, corrections) * len(outputs) / Y.shape[0]
            )
        return loss, float(len(outputs))

    def _sequences(self, X: Any, Y: CSR, shard: Shard, candidates: torch.Tensor | None) -> torch.Tensor:
        idea, rng = self.idea, np.random.default_rng(shard.counters)
        keys = np.asarray(self.order.keys(Y, self.data.counts, rng), np.float64)
        if idea.own == 0 or shard.counters[1] < idea.own_from:
            return torch.from_numpy(sequences(Y, keys))
        emitted = self._emitted(X, Y, shard, candidates)
        followed = Resequenced().follow(Y, emitted, rng)
        own = rng.random(Y.shape[0]) < idea.own
        rows = np.repeat(np.arange(Y.shape[0]), np.diff(Y.indptr))
        keys = np.where(own[rows], followed, keys)
        found = sequences(Y, keys)
        return torch.from_numpy(with_mistakes(Y, emitted, found) if idea.mistakes else found)

    def _emitted(self, X: Any, Y: CSR, shard: Shard, candidates: torch.Tensor | None) -> Any:
        longest = min(int(np.diff(Y.indptr).max()) + SLACK, self.data.longest)
        if self.idea.beam:
            return decode(self.network, X, never=self.never, beam=self.idea.beam, longest=longest).labels
        drawn = generator(*shard.counters, 7) if self.idea.sampled else None
        return emit(self.network, X, never=self.never, longest=longest, candidates=candidates, generator=drawn)

    def _labelwise(self, X: Any, Y: CSR, drop: Dropout, candidates: Any, corrections: Any) -> torch.Tensor:
        logits = self.network.logits(self.network.encode(X, drop), candidates)[:, :-1]
        labels = Y if candidates is None else Y[:, candidates[:-1].numpy()]
        weight = None if candidates is None else corrections[:-1].exp()
        targets = torch.from_numpy(labels.toarray() > 0).float()
        return functional.binary_cross_entropy_with_logits(logits.float(), targets, weight, reduction="sum")


def weighted_loss(logits: torch.Tensor, right: torch.Tensor, power: float) -> torch.Tensor:
    """-Σ_l w_l log p(l) over the labels that are right, w_l proportional to p(l) ** power and without a gradient."""
    log_p = torch.log_softmax(logits, dim=1).masked_fill(~right, 0.0)
    weights = torch.softmax((power * log_p.detach()).masked_fill(~right, -torch.inf), dim=1)
    return -(weights * log_p).sum()


def with_mistakes(Y: CSR, emitted: Any, wanted: Any) -> Any:
    """The emitted labels until all true labels are among them, then the missing ones as in ``wanted``, then STOP."""
    rows = []
    for row in range(Y.shape[0]):
        missing = set(Y.indices[Y.indptr[row] : Y.indptr[row + 1]].tolist())
        labels = []
        for label in emitted[row].tolist():
            if label < 0 or not missing:
                break
            labels.append(label)
            missing.discard(label)
        rows.append([*labels, *(label for label in wanted[row].tolist() if label in missing), Y.shape[1]])
    found = np.full((len(rows), max(map(len, rows))), -1, np.int64)
    for row, labels in enumerate(rows):
        found[row, : len(labels)] = labels
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="+", default=["bibtex"])
    parser.add_argument("--ideas", nargs="+", default=list(TRIED), choices=TRIED)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    chosen = parser.parse_args()
    for name in chosen.sets:
        matrices = prepare(name, chosen.data)
        for seed in chosen.seeds:
            study = Study(matrices, seed, SETTINGS.get(name, {}), REINFORCED.get(name, {}), threads=1)
            for idea in chosen.ideas:
                key = study.identity("label-wise") | {"idea": idea, "options": asdict(TRIED[idea])}
                if not matching(IDEAS, key):
                    row = key | measured(study, TRIED[idea]) | {"command": shlex.join(["python", *sys.argv])}
                    print(json.dumps(add_stamped(IDEAS, row)), flush=True)


def measured(study: Study, idea: Idea) -> Row:
    """Train a network with an idea, and measure it on the held-out documents."""
    network, _ = study.warm_network(0)
    chain = study.chain("resequenced", 0)
    data = chain.training_data(replace(study.rest, seed=chain.seed), study.held)
    config = replace(chain.loop_config(data.seed), learning_rate=chain.learning_rate * idea.rate)
    environment = Environment("cpu", 1)
    begun = time.process_time()
    with environment.open():
        history = train(IdeaTask(network, data, idea), replace(config, epochs=chain.epochs * idea.epochs), environment)
    minutes = (time.process_time() - begun) / 60
    chain.label_counts_, chain.longest_ = data.counts, data.longest
    chain.n_features_in_, chain.n_labels_ = data.X.shape[1], data.Y.shape[1]
    chain.set_network(network)
    return measures_of(study.held.Y, chain_scores(chain, study.held.X)) | {
        "minutes": round(minutes, 3),
        "epochs": history.best,
    }


if __name__ == "__main__":
    main()
