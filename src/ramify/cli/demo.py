"""``ramify demo``: train, measure and ask, on data that every machine has."""

from __future__ import annotations

from dataclasses import dataclass

HELP = "Demo."


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What ``ramify demo`` is asked for."""


def run(options: DemoOptions) -> None:
    """Run."""
