"""The table of floors: lower bounds of the time of prediction and training beside the measured times."""

from __future__ import annotations

import math

from racing.places import HERE, ROWS
from racing.rows import Row, read_rows
from racing.summary import Summary, summaries
from racing.tables import markdown, number

FLOORS = HERE / "results" / "floors.jsonl"
BATCH, TRAINING = 4, 6
"""Target ratios of libpecos's cost to ramify's, for batches and for training."""

TEXT = """\
`python benchmarks/floors.py` computes lower bounds of the CPU time. Prediction looks up the features of a document in
every block of siblings that the beam enters and adds the weights found, two bytes each; the bound assumes one lookup
or one addition per cycle. A training pass over the rows of a node multiplies and adds the weights of all siblings, 16
at a time; the bound of a pass covers the margins only, one group of 16 per cycle with all data in the first-level
cache. Training makes up to 20 passes, and a row that changes the weights accesses them a second time. Target: a
quarter of libpecos's batch prediction and a sixth of its training."""


def floor_section(threads: int) -> str:
    """The section of ``RESULTS.md``; empty without rows."""
    latest = {row["dataset"]: row for row in read_rows(FLOORS)}
    if not latest:
        return ""
    found = summaries(read_rows(ROWS), threads)
    lines = [_line(row, found.get(dataset, {})) for dataset, row in latest.items()]
    header = ("set", "lookups", "additions", "floor µs/doc", "measured", "target")
    header += ("10⁶ groups per pass", "floor s per pass", "measured", "target")
    return "\n\n".join(["## Floors", TEXT, markdown(header, lines)])


def _line(row: Row, systems: dict[str, Summary]) -> list[str]:
    own, peer = systems.get("ramify"), systems.get("libpecos")

    def cost(one: Summary | None, name: str) -> float:
        return math.nan if one is None else one.cost(name)

    hertz = row["ghz"] * 1e9
    document = 1e6 * (row["lookups"] + row["additions"]) / hertz
    predicting = (document, cost(own, "batch_cpu_us"), cost(peer, "batch_cpu_us") / BATCH)
    teaching = (row["groups_per_pass"] / hertz, cost(own, "train_cpu_s"), cost(peer, "train_cpu_s") / TRAINING)
    counts = [number(row["lookups"]), number(row["additions"])]
    groups = number(row["groups_per_pass"] / 1e6)
    return [row["dataset"], *counts, *map(number, predicting), groups, *map(number, teaching)]
