"""The data sets of the race, the held-back ones, and which of them belong together in a plot."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HeldBack:
    """A set that no choice may depend on: it is raced once, when everything else is settled.

    It resembles news articles: few labels, each with hundreds of documents, and single words as features. The labels
    are a range of those of ``source`` by their number of documents. The documents of the training file whose text has
    an odd CRC-32 train, those of the test file test; documents without any of the labels are left out.

    Parameters
    ----------
    source : str
        Data set with the files.
    labels : range
        Ranks of the labels; 0 is the most frequent one.
    """

    source: str
    labels: range


GENERATED = {"generated-1k": 1_000, "generated-10k": 10_000, "generated-100k": 100_000, "generated-1m": 1_000_000}
TEXTS = ("crs-bills-mini", "kirjastonhoitaja-fi", "gutenberg-lcsh", "crs-bills-104-110", "yso-finna-en")
FEATURES = ("bibtex", "delicious")
HELD_BACK = {
    "held-back-100": HeldBack("crs-bills-104-110", range(100, 200)),  # long texts, 2.9 labels per document
    "held-back-370": HeldBack("yso-finna-en", range(370)),  # titles, 1.3 labels per document
    "held-back-300": HeldBack("gutenberg-lcsh", range(300)),  # titles of books
}
SMALL = (*FEATURES, "crs-bills-mini", "kirjastonhoitaja-fi")
LARGE = ("crs-bills-104-110", "yso-finna-en")
RACE = (*SMALL, "gutenberg-lcsh", *LARGE)
EVERY = (*RACE, *HELD_BACK, *GENERATED)
GROWTH_SYSTEMS = {"ramify": 1_000_000, "libpecos": 100_000}  # maximum number of labels per system
TRIED_AMOUNT = {"crs-bills-104-110": 0.2, "yso-finna-en": 40_000}
"""Training documents on which the peers' settings are tried, as in ``held_out.sampled``; all of them elsewhere."""
TRIED_SPLITS = {"bibtex": 3, "delicious": 3, "kirjastonhoitaja-fi": 3, "crs-bills-mini": 2}
"""Held-out parts that each trial is repeated on; one elsewhere."""
