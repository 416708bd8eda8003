"""Chart of the encoders: precision over minutes of training; lines join the runs of a system by number of steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from racing.hybrid_tables import mean_measure
from racing.plots import MEASURE, log_scale
from racing.rows import Row, counted
from racing.text_systems import LIBPECOS, STEPS
from racing.transformer_tables import by_set, median

COLOURS = {
    "xr-linear": "#009e73", "best": "#00543d", "best, second": "#00543d", "semantic": "#66c2a5", "static": "#56b4e9",
    "frozen": "#0072b2", "x-transformer": "#e69f00", "xr-transformer": "#d55e00", "flat-transformer": "#cc79a7",
    "best + xr-transformer": "#6a3d9a", "best ×2": "#b2df8a", LIBPECOS.name: "#404040",
}  # fmt: skip
LEFT_OUT = ("best, second",)
"""Members of ensembles only."""


def draw_encoders(rows: Sequence[Row], threads: int, folder: Path) -> list[Path]:
    """``encoders.svg`` if there are rows; the same rows give the same bytes."""
    import matplotlib as mpl

    mpl.use("svg")
    found = by_set(rows, threads)
    if not found:
        return []
    folder.mkdir(exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "ramify", "svg.fonttype": "none", "font.size": 8}):
        return [_draw(found, folder / "encoders.svg")]


def _draw(found: dict[str, dict[str, list[Row]]], path: Path) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(found) + 0.4, 3.6), layout="constrained")
    figure.patch.set_facecolor("white")
    shown: dict[str, Any] = {}
    for axes, (dataset, systems) in zip(figure.subplots(1, len(found), squeeze=False)[0], found.items(), strict=True):
        for name, points in _points(systems).items():
            colour = COLOURS.get(name, "black")
            axes.plot(*zip(*points, strict=True), "-", color=colour, linewidth=1, alpha=0.5)
            shown[name] = axes.plot(*zip(*points, strict=True), "o", color=colour, markersize=6, alpha=0.9)[0]
        log_scale(axes, "training, minutes", subs=(1, 3))
        axes.set_title(dataset, loc="left", fontweight="bold")
    figure.axes[0].set_ylabel(f"{MEASURE} in percent")
    figure.legend(list(shown.values()), list(shown), loc="outside lower center", ncols=5, frameon=False)
    figure.savefig(path, metadata={"Date": None})
    return path


def _points(systems: dict[str, list[Row]]) -> dict[str, list[tuple[float, float]]]:
    """Minutes and precision of each system, of all its numbers of steps."""
    points: dict[str, list[tuple[float, float]]] = {}
    for name, rows in systems.items():
        runs = counted(rows)[0]
        if runs and name not in LEFT_OUT:
            point = (median(runs, "train_wall_s") / 60, mean_measure(runs, MEASURE))
            points.setdefault(name.partition(STEPS)[0], []).append(point)
    return {name: sorted(found) for name, found in points.items()}
