"""Members of a ``Blend`` and their settings, chosen by the precision on held-out instances.

precision = mean of P@1, P@3 and P@5 in percent, on the held-out instances, of models trained on the others

1. trees, beam   the largest precision - TREE_PRICE · (trees - 1) - BEAM_PRICE · log2(beam)
2. share         the weight of the nearest instances: the largest precision - NEAREST_PRICE · (share > 0)
3. tail_rank     the largest of TAIL_RANKS whose precision is at most TAIL_PRICE below that of the best one

A member or a wider search has its price because it takes memory and time. PSP is not a criterion: it selects a share
and a tail_rank that lose more precision than PSP gains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ramify.exchange import CheckedTraining, Request
from ramify.models.base.model import mean_precision
from ramify.models.mixtures.merging import Merger
from ramify.models.neighbours.nearest import NearestInstances
from ramify.models.trees.tail import log_bias_by_rarity, reranked
from ramify.models.trees.xr_linear import XRLinear
from ramify.values import CSR, Float32, TopK

BEAMS = (10, 20, 40)
SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
TAIL_RANKS = (0.0, 0.1, 0.2, 0.3, 0.6)

TREE_PRICE, BEAM_PRICE, NEAREST_PRICE, TAIL_PRICE = 0.05, 0.02, 0.1, 0.05
"""In percentage points of precision. Nearest instances keep the training data in the model and cost the most."""

RERANKED = 20
"""Number of labels that are reranked; larger numbers did not change any measure."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Settings of a blend.

    Parameters
    ----------
    trees, beam : int
        Number of trees, and nodes kept per level of their search.
    share : float
        Weight of the nearest instances; 0 for none.
    tail_rank : float
        Scores are multiplied by (1 / propensity)^tail_rank.
    """

    trees: int
    beam: int
    share: float
    tail_rank: float


def label_bias(Y: CSR, tail_rank: float) -> Float32 | None:
    """Factors of the labels' scores, shape (L,): 1 for the rarest label; None without ``tail_rank``."""
    return np.exp(log_bias_by_rarity(Y, tail_rank)) if tail_rank > 0 else None


class Trial:
    """Rankings of held-out instances by the possible members of a blend.

    Parameters
    ----------
    rest, held : CheckedTraining
        Instances to train on, and held-out instances.
    trees : sequence of XRLinear
        Unfitted trees of the blend.
    beams : sequence of int
        Possible beams of their search.
    """

    def __init__(
        self, rest: CheckedTraining, held: CheckedTraining, trees: Sequence[XRLinear], beams: Sequence[int]
    ) -> None:
        self.rest, self.held, self.n_trees = rest, held, len(trees)
        request = Request(X=held.X, k=min(RERANKED, held.Y.shape[1]), threads=rest.threads)
        parts = [replace(rest.part_of_progress(n, len(trees)), seed=tree.seed) for n, tree in enumerate(trees)]
        fitted = [tree.fit_training(part) for tree, part in zip(trees, parts, strict=True)]
        self.by_beam = {beam: [tree.answer(replace(request, beam=beam)) for tree in fitted] for beam in beams}
        self.nearest = NearestInstances().fit_training(replace(rest, progress=None)).answer(request)

    def choose(self, tail_ranks: Sequence[float]) -> Choice:
        """The members and settings, in the order of the module's steps."""
        shapes = {(n, beam): self._ranked(n, beam, 0.0) for beam in self.by_beam for n in range(1, self.n_trees + 1)}
        worth = {shape: self._precision(top) - _price(*shape) for shape, top in shapes.items()}
        trees, beam = max(worth, key=lambda shape: worth[shape])
        shares = [share for share in SHARES if share > 0]
        mixed = {0.0: shapes[trees, beam]} | {share: self._ranked(trees, beam, share) for share in shares}
        gains = {share: self._precision(top) - NEAREST_PRICE * (share > 0) for share, top in mixed.items()}
        share = max(gains, key=lambda one: gains[one])
        tails = {rank: self._precision(self._reranked(mixed[share], rank)) for rank in tail_ranks}
        tail_rank = max(rank for rank, value in tails.items() if value >= max(tails.values()) - TAIL_PRICE)
        return Choice(trees=trees, beam=beam, share=share, tail_rank=tail_rank)

    def _ranked(self, trees: int, beam: int, share: float) -> TopK:
        """The ranking of an ``Ensemble`` of these members."""
        tops = self.by_beam[beam][:trees]
        weights = [(1 - share) / trees] * trees
        return merged([*tops, self.nearest], [*weights, share]) if share > 0 else merged(tops, weights)

    def _reranked(self, top: TopK, tail_rank: float) -> TopK:
        bias = label_bias(self.rest.Y, tail_rank)
        return top if bias is None else TopK(*reranked(top.labels, top.scores, bias, top.labels.shape[1]))

    def _precision(self, top: TopK) -> float:
        return 100 * mean_precision(self.held.Y, top, self.rest.Y)


def _price(trees: int, beam: int) -> float:
    return TREE_PRICE * (trees - 1) + BEAM_PRICE * float(np.log2(beam))


def merged(tops: Sequence[TopK], weights: Sequence[float]) -> TopK:
    """The rankings averaged with the given weights, as ``Ensemble`` does."""
    if len(tops) == 1:
        return tops[0]
    k = tops[0].labels.shape[1]
    labels, scores = (np.stack([getattr(top, name) for top in tops], 1) for name in ("labels", "scores"))
    return Merger(combine="average", weights=np.array(weights), candidates=k).merge(labels, scores, k)
