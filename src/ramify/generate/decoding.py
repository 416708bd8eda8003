"""Beam search over label sequences, constrained to the label set by a trie, or open.

hypothesis       l₁ SEP l₂ SEP … and a path in the trie below its root
next tokens      the children of the path's node below which a label is left; after a label that was not generated
                 before, the separator (if a label is left) and the end
score            Σ_t log p(y_t | x, y_1..y_{t-1})      divided by the number of tokens, to choose among finished ones

Probabilities are those of the network, not rescaled to the permitted tokens: a path that the network did not expect
keeps its low probability. A label occurs once in a sequence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ramify.generate.network import GenerationNetwork
from ramify.generate.trie import ROOT, RankSets, Trie
from ramify.values import Bool


@dataclass(frozen=True)
class Generated:
    """One generated sequence.

    Parameters
    ----------
    labels : tuple
        Labels in the order of generation: ranks in the trie; in open decoding, tuples of tokens.
    scores : tuple of float
        Log probability of each label: the sum over its tokens, and of the token after it, separator or end.
    total : float
        Log probability of the whole sequence.
    n_tokens : int
    """

    labels: tuple[Any, ...]
    scores: tuple[float, ...]
    total: float
    n_tokens: int

    @property
    def quality(self) -> float:
        """Log probability per token, by which sequences are compared."""
        return self.total / max(1, self.n_tokens)


@dataclass(frozen=True)
class _Open:
    """A hypothesis: an instance, the labels so far, and the tokens of the unfinished label."""

    row: int
    node: int = ROOT
    labels: tuple[Any, ...] = ()
    scores: tuple[float, ...] = ()
    pieces: tuple[int, ...] = ()
    since: float = 0.0
    total: float = 0.0


@torch.no_grad()
def generate(
    network: GenerationNetwork,
    states: torch.Tensor,
    mask: torch.Tensor,
    grammar: Grammar,
    *,
    beam: int,
    most: int,
) -> list[list[Generated]]:
    """The sequences that a beam search finds for each instance, best first.

    Parameters
    ----------
    network : GenerationNetwork
        In evaluation mode.
    states : tensor, shape (n, t, width)
    mask : int64 tensor, shape (n, t)
        See ``GenerationNetwork.logits``.
    grammar : Grammar
        The permitted tokens.
    beam : int
        Hypotheses per instance. The search of an instance ends with the same number of finished sequences, when the
        best hypothesis has a lower log probability per token. 1: the most probable token at each step.
    most : int
        Largest number of tokens per sequence. A sequence that is cut ends after its last whole label.

    Returns
    -------
    list of list of Generated
        At most ``beam`` sequences per instance; none where no label is permitted.
    """
    start, end = network.vocabulary.start, network.vocabulary.end
    found: list[list[Generated]] = [[] for _ in range(len(states))]
    decoder = network.cached(states, mask)
    open_, last = [_Open(row) for row in range(len(states))], [start] * len(states)
    for step in range(1, most + 1):
        values = decoder.log_probabilities(torch.tensor(last, device=states.device))
        best = _best_tokens(values, grammar.permitted(open_), min(2 * beam, values.shape[1]))
        closing = np.logaddexp(*(values[:, token].double().cpu().numpy() for token in (grammar.separator, end)))
        ahead = _best_of_rows(open_, *best, beam)
        chosen = []
        for parent, token, value, place in ahead:
            one = open_[parent]
            if token == end and place < beam:
                closed = grammar.extended(one, grammar.separator, value, float(closing[parent]))
                found[one.row].append(Generated(closed.labels, closed.scores, closed.total, step))
            elif token != end:
                chosen.append((parent, token, grammar.extended(one, token, value, float(closing[parent]))))
        chosen = _going_on(chosen, found, beam, step)
        if not chosen:
            break
        if step == most:
            _cut(found, [one for _, _, one in chosen], step)
            break
        open_, last = [one for _, _, one in chosen], [token for _, token, _ in chosen]
        decoder.keep(torch.tensor([parent for parent, _, _ in chosen], device=states.device))
    return found


def _best_tokens(values: torch.Tensor, permitted: Any, count: int) -> tuple[Any, Any]:
    """The ``count`` most probable permitted tokens of each hypothesis: log probabilities and tokens."""
    allowed = torch.from_numpy(permitted).to(values.device)
    best, tokens = values.masked_fill(~allowed, -torch.inf).topk(count, dim=1)
    return best.double().cpu().numpy(), tokens.cpu().numpy()


def _best_of_rows(open_: list[_Open], values: Any, tokens: Any, beam: int) -> list[tuple[int, int, float, int]]:
    """The 2 · beam best continuations of each instance: hypothesis, token, its log probability, place."""
    parents, places = np.nonzero(np.isfinite(values))
    values, tokens = values[parents, places], tokens[parents, places]
    rows = np.array([one.row for one in open_])[parents]
    totals = np.array([one.total for one in open_])[parents] + values
    order = np.lexsort((tokens, parents, -totals, rows))
    starts = np.searchsorted(rows[order], rows[order])
    place = np.arange(len(order)) - starts
    return [
        (int(parents[at]), int(tokens[at]), float(values[at]), int(number))
        for at, number in zip(order, place, strict=True)
        if number < 2 * beam
    ]


def _going_on(
    chosen: list[tuple[int, int, _Open]], found: list[list[Generated]], beam: int, n_tokens: int
) -> list[tuple[int, int, _Open]]:
    """The ``beam`` best hypotheses of each instance; none where ``beam`` finished sequences are better than all."""
    for sequences in found:
        sequences.sort(key=lambda one: -one.quality)
        del sequences[beam:]
    by_row: dict[int, list[tuple[int, int, _Open]]] = {}
    for one in chosen:  # the best ones of each instance come first
        by_row.setdefault(one[2].row, []).append(one)
    kept = []
    for row, ahead in by_row.items():
        best = ahead[0][2].total / n_tokens
        if len(found[row]) < beam or best > found[row][-1].quality:
            kept += ahead[:beam]
    return kept


def _cut(found: list[list[Generated]], open_: list[_Open], n_tokens: int) -> None:
    """Where no sequence of an instance has ended, its best hypotheses, after their last whole labels."""
    empty = {row for row, sequences in enumerate(found) if not sequences}
    for one in open_:
        if one.row in empty:
            found[one.row].append(Generated(one.labels, one.scores, one.total, n_tokens))


class Grammar:
    """Which tokens may follow a hypothesis.

    Parameters
    ----------
    network : GenerationNetwork
    trie : Trie or None
        The labels; None: all sequences of pieces (open decoding).
    permitted : RankSets, optional
        The labels that may be generated for each instance; None: all labels of the trie.
    n : int, default 1
        Number of instances; without ``permitted``, they share one entry.
    """

    def __init__(
        self, network: GenerationNetwork, trie: Trie | None, permitted: RankSets | None = None, n: int = 1
    ) -> None:
        vocabulary = network.vocabulary
        self.vocabulary, self.trie, self.sets = vocabulary, trie, permitted
        self.separator, self.end = vocabulary.separator, vocabulary.end
        if trie is None:
            self.pieces = np.ones(vocabulary.size, bool)
            self.pieces[[vocabulary.start, self.end, *range(self.separator, vocabulary.size)]] = False
            return
        first = np.arange(trie.first_child[ROOT], trie.first_child[ROOT + 1])
        rows = np.arange(n if permitted is not None else 1)[:, None]
        self.roots = np.zeros((len(rows), vocabulary.size), bool)
        self.roots[:, trie.token[first]] = self._left(rows, trie.low[first], trie.high[first]) > 0
        self.counts = self._left(rows[:, 0], np.zeros(len(rows), np.int64), np.full(len(rows), len(trie.labels)))

    def _left(self, rows: Any, low: Any, high: Any) -> Any:
        """Number of permitted labels with ranks from ``low`` to ``high`` - 1."""
        if self.sets is None:
            return np.asarray(high, np.int64) - low
        return self.sets.count(rows, np.asarray(low, np.int64), np.asarray(high, np.int64))

    def permitted(self, open_: list[_Open]) -> Bool:
        """The tokens that may follow each hypothesis: bool, shape (hypotheses, size of the vocabulary)."""
        if self.trie is None:
            allowed = np.broadcast_to(self.pieces, (len(open_), self.vocabulary.size)).copy()
            may_end = np.array([bool(one.pieces) for one in open_])
            allowed[:, [self.separator, self.end]] = may_end[:, None]
            return allowed
        return self._in_trie(self.trie, open_)

    def _in_trie(self, trie: Trie, open_: list[_Open]) -> Bool:
        rows = np.array([one.row for one in open_]) if self.sets is not None else np.zeros(len(open_), np.int64)
        nodes = np.array([one.node for one in open_])
        allowed = np.zeros((len(open_), self.vocabulary.size), bool)
        at_root = nodes == ROOT
        allowed[at_root] = self.roots[rows[at_root]]
        inner = np.flatnonzero(~at_root)
        owner, children = trie.children(nodes[inner])
        owner = inner[owner]
        allowed[owner, trie.token[children]] = self._left(rows[owner], trie.low[children], trie.high[children]) > 0
        own = self._left(rows, trie.low[nodes], trie.low[nodes] + 1) > 0  # the label that ends at the node, if any
        for number, one in enumerate(open_):
            low, high = int(trie.low[one.node]), int(trie.high[one.node])
            inside = [rank for rank in one.labels if low <= rank < high]
            if inside:
                self._close(trie, allowed[number], one, inside, int(rows[number]))
            if trie.ends[one.node]:
                is_new = bool(own[number]) and low not in inside
                allowed[number, self.end] = is_new
                allowed[number, self.separator] = is_new and self.counts[rows[number]] > len(one.labels) + 1
        return allowed

    def _close(self, trie: Trie, allowed: Any, one: _Open, inside: list[int], row: int) -> None:
        """Exclude the children of a node all of whose labels are generated."""
        begin, end = int(trie.first_child[one.node]), int(trie.first_child[one.node + 1])
        ranks = np.array([rank for rank in inside if rank > trie.low[one.node] or not trie.ends[one.node]], np.int64)
        children, counts = np.unique(np.searchsorted(trie.low[begin:end], ranks, side="right") - 1, return_counts=True)
        children = children + begin
        left = self._left(np.full(len(children), row), trie.low[children], trie.high[children]) - counts
        allowed[trie.token[children[left <= 0]]] = False

    def extended(self, one: _Open, token: int, value: float, closing: float) -> _Open:
        """A hypothesis with one more token, given its log probability and that of separator or end."""
        total = one.total + value
        if token != self.separator:
            since = one.since + value
            if self.trie is None:
                return replace(one, pieces=(*one.pieces, token), since=since, total=total)
            return replace(one, node=self.trie.child(one.node, token), since=since, total=total)
        label: Any = one.pieces if self.trie is None else int(self.trie.low[one.node])
        return _Open(one.row, ROOT, (*one.labels, label), (*one.scores, one.since + closing), (), 0.0, total)
