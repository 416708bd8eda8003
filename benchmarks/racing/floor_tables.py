"""The table of floors: what prediction and training cannot do without, beside what they take."""

from __future__ import annotations

import math

from racing.places import HERE, ROWS
from racing.rows import Row, read_rows
from racing.summary import Summary, summaries
from racing.tables import markdown, number

FLOORS = HERE / "results" / "floors.jsonl"
BATCH, TRAINING = 4, 6
"""Times ours that libpecos's batches and training should cost."""

TEXT = """\
`python benchmarks/floors.py`. Predicting, a document looks up its features in every block of siblings that the beam
opens and adds up the weights found there, two bytes each; the floor takes one of either per cycle. Training, a pass
over a node's rows multiplies and adds each feature's weights of all siblings, 16 at a time; the floor of a pass finds
margins only, one group of 16 per cycle, all of it in the nearest cache. Up to 20 passes are made, and a row that moves
the weights goes over them once more. Asked: a quarter of libpecos's batch, a sixth of its training."""


def floor_section(threads: int) -> str:
    """What ``RESULTS.md`` says of them; nothing where no row is there."""
    latest = {row["dataset"]: row for row in read_rows(FLOORS)}
    if not latest:
        return ""
    found = summaries(read_rows(ROWS), threads)
    lines = [_line(row, found.get(dataset, {})) for dataset, row in latest.items()]
    header = ("set", "lookups", "additions", "floor µs/doc", "taken", "asked")
    header += ("10⁶ groups per pass", "floor s per pass", "taken", "asked")
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
