"""The data sets of the race, and which of them belong together in a plot."""

from __future__ import annotations

GENERATED = {"generated-1k": 1_000, "generated-10k": 10_000, "generated-100k": 100_000, "generated-1m": 1_000_000}
TEXTS = ("crs-bills-mini", "gutenberg-lcsh", "crs-bills-104-110", "yso-finna-en")
FEATURES = ("bibtex", "delicious")
RACE = ("bibtex", "delicious", "gutenberg-lcsh", "crs-bills-104-110", "yso-finna-en")
EVERY = (*FEATURES, *TEXTS, *GENERATED)
GROWTH_SYSTEMS = {"ramify": 1_000_000, "libpecos": 100_000}  # maximum number of labels per system
