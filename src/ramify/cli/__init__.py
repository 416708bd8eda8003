"""The command line: one file per command, each a thin layer over the library."""

from ramify.cli.entry import main

__all__ = ["main"]
