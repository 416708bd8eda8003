"""Data, model and measurements of ``ramify demo``; the data are built from the installed Python packages."""

from ramify.demo.documents import demo_dataset
from ramify.demo.model import demo_tagger

__all__ = ["demo_dataset", "demo_tagger"]
