"""Data and measurements of ``ramify demo``; the data are built from the installed Python packages."""

from ramify.demo.documents import demo_dataset

__all__ = ["demo_dataset"]
