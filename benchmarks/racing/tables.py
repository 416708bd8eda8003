"""The tables of one data set: what each system costs, and how good its answers are."""

from __future__ import annotations

import math
from collections.abc import Sequence

from racing.quality import MEASURES
from racing.summary import COSTS, Cost, Pairs, Summary, best_peer, missing_peers, short_reason

SHOWN = tuple(name for name in MEASURES if name != "nDCG@1")  # which is P@1


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, its first column to the left and the others to the right."""
    lines = [f"| {' | '.join(header)} |", f"|---{'|--:' * (len(header) - 1)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def number(value: float) -> str:
    """Three significant digits, thousands apart; a dash for NaN."""
    if math.isnan(value):
        return "–"
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def cost_table(systems: dict[str, Summary]) -> str:
    """One row per system; one without figures has its reason in the first column."""
    rows = []
    for one in systems.values():
        label = f"{one.system}{' *' if one.busy else ''}"
        cells = [cost_cell(one, cost, systems) for cost in COSTS]
        rows.append((label, *(cells if one.runs else absent(one, len(cells))), str(len(one.runs))))
    return markdown(("system", *(cost.title for cost in COSTS), "runs"), rows)


def absent(one: Summary, columns: int) -> list[str]:
    """The cells of a system without figures."""
    return [short_reason(one), *["–"] * (columns - 1)]


def cost_cell(one: Summary, cost: Cost, systems: dict[str, Summary]) -> str:
    """Median, spread, and the ratio to the best peer."""
    values = [value / cost.unit for value in one.values(cost.name)]
    if not values:
        return "–"
    low, high = number(min(values)), number(max(values))
    spread = f" ({low}–{high})" if low != high else ""
    peer = best_peer(systems, cost.name)
    ratio = f" {number(one.cost(cost.name) / peer.cost(cost.name))}×" if peer and one.ours else ""
    return f"{number(one.cost(cost.name) / cost.unit)}{spread}{ratio}"


def quality_table(dataset: str, systems: dict[str, Summary], pairs: Pairs) -> str:
    """One row per system, and the peers that the marks do not refer to because they have no figures."""
    rows = []
    for one in systems.values():
        cells = [quality_cell(dataset, one, name, systems, pairs) for name in SHOWN] if one.runs else []
        rows.append((one.system, *(cells or absent(one, len(SHOWN))), str(len(one.runs))))
    table = markdown(("system", *SHOWN, "runs"), rows)
    missing = missing_peers(systems)
    return f"{table}\n\nNo figures, so not among the peers that the marks refer to: {missing}." if missing else table


def quality_cell(
    dataset: str, one: Summary, name: str, systems: dict[str, Summary], pairs: Pairs, *, interval: bool = True
) -> str:
    """Value and half of its interval; bold where ramify beats the best peer significantly, struck where it loses."""
    value, half = one.measure(name)
    text, width = f"{value:.2f}", f" ±{half:.1f}" if interval else ""
    peer = best_peer(systems, name)
    found = pairs.difference(dataset, one.system, peer.system, name) if one.ours and peer else None
    marks = {1: f"**{text}**", -1: f"<u>{text}</u>"}
    return f"{marks.get(found[1], text) if found else text}{width}"
