"""The demo's model: five trees over words and parts of words."""

from __future__ import annotations

from ramify.features import Tfidf
from ramify.models.mixtures.ensemble import Ensemble
from ramify.models.trees.xr_linear import XRLinear
from ramify.tagger import Tagger

TREES = 5


def demo_tagger(*, seed: int = 0, threads: int | None = None) -> Tagger:
    """An unfitted tagger for the demo's data.

    Most labels have two short descriptions, which are matched with short queries: n-grams of 4 characters match
    "combinations" with "combination", words of a single document are kept, and positives cost more than negatives.

    Parameters
    ----------
    seed : int, default 0
        The same seed gives the same model on one machine.
    threads : int, optional
        None takes every CPU.
    """
    vectorizer = Tfidf(words=(1, 2), characters=(4, 4), language=None, min_df=1, max_df=900, threads=threads)
    tree = XRLinear(cost_positive=1.0, cost_negative=0.5, seed=seed, threads=threads)
    return Tagger(Ensemble([tree], trees=TREES, threads=threads), vectorizer=vectorizer)
