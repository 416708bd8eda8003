"""Growth of costs with the number of labels, compared with L·log L."""

from __future__ import annotations

import itertools
import math

from racing.sets import GENERATED
from racing.summary import Summary
from racing.tables import markdown, number

LARGEST, LARGEST_BYTES = "generated-1m", 20e9
GROWING = {"train_cpu_s": "train CPU", "peak_above_bytes": "peak above data"}


def growth_tables(found: dict[str, dict[str, Summary]]) -> str:
    """For each system a row per size, and the exponents from size to size."""
    names = list(dict.fromkeys(name for dataset in GENERATED if dataset in found for name in found[dataset]))
    parts = []
    for name in names:
        sizes = {d: found[d][name] for d in GENERATED if d in found and name in found[d] and found[d][name].runs}
        if sizes:
            parts.append(f"### {name}\n\n{_table(sizes)}\n\n{_exponents(sizes)}")
    return "\n\n".join([*parts, _largest(found)])


def _table(sizes: dict[str, Summary]) -> str:
    rows = []
    for dataset, one in sizes.items():
        shape = one.runs[0]["shape"]
        costs = (one.cost("train_cpu_s"), one.cost("peak_above_bytes") / 1e6, one.cost("peak_bytes") / 1e6)
        served = (one.cost("model_bytes") / 1e6, one.cost("batch_cpu_us"), one.cost("row_p50_us"))
        sizes_of = (f"{shape[key]:,}" for key in ("labels", "documents", "features"))
        busy = " *" if one.busy else ""
        rows.append((dataset + busy, *sizes_of, *map(number, (*costs, *served)), f"{one.measure('P@1')[0]:.2f}"))
    titles = ("labels", "documents", "features", "train CPU s", "peak above data MB", "peak in all MB", "model MB")
    return markdown(("set", *titles, "batch CPU µs/doc", "one scipy row p50 µs", "P@1"), rows)


def _exponents(sizes: dict[str, Summary]) -> str:
    """The e of cost ∝ (L·log L)^e between neighbouring sizes, and between the smallest and the largest."""
    points = [(GENERATED[dataset] * math.log(GENERATED[dataset]), one) for dataset, one in sizes.items()]
    if len(points) < 2:
        return "Growth needs at least two sizes."
    lines = []
    for cost, title in GROWING.items():
        steps = [_exponent(cost, *pair) for pair in itertools.pairwise(points)]
        overall = _exponent(cost, points[0], points[-1])
        mark = "✓" if overall <= 1 else "✗"
        between = ", ".join(f"{step:.2f}" for step in steps)
        lines.append(
            f"- {title} ∝ (L·log L)^{overall:.2f} {mark} (target: at most 1); between consecutive sizes {between}"
        )
    return "\n".join(lines)


def _exponent(cost: str, small: tuple[float, Summary], large: tuple[float, Summary]) -> float:
    return math.log(large[1].cost(cost) / small[1].cost(cost)) / math.log(large[0] / small[0])


def _largest(found: dict[str, dict[str, Summary]]) -> str:
    one = found.get(LARGEST, {}).get("ramify")
    if one is None or not one.runs:
        return "A million labels within 20 GB in all: not measured yet –"
    peak = one.cost("peak_bytes")
    return f"A million labels within 20 GB in all: {peak / 1e9:.1f} GB {'✓' if peak < LARGEST_BYTES else '✗'}"
