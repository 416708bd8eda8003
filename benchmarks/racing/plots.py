"""Charts of precision over training cost and prediction cost: one SVG per family of data sets, one for the README."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from racing.rows import Row
from racing.sets import FEATURES, RACE, TEXTS
from racing.summary import Summary, measured, summaries

FAMILIES = {"texts": TEXTS, "features": FEATURES}
MEASURE = "P@5"
AXES = (("train_cpu_s", "training, CPU seconds"), ("batch_cpu_us", "prediction, CPU µs per document"))
COLOURS = {
    "libpecos": "#7f7f7f", "libpecos-tuned": "#404040", "libpecos-tuned-3-trees": "#000000", "omikuji": "#e69f00",
    "omikuji-tuned": "#f0c24b", "omikuji-bonsai": "#b8860b", "napkinxc": "#56b4e9", "scikit-learn": "#cc79a7",
    "scikit-learn-tuned": "#e3b5cd", "ramify": "#009e73", "ramify-fast": "#66c2a5", "ramify-best": "#00543d",
    "ramify-tail": "#d55e00",
}  # fmt: skip

OVERVIEW = ("ramify-fast", "ramify", "ramify-best")


def draw_plots(rows: Sequence[Row], threads: int, folder: Path) -> list[Path]:
    """An SVG per family that has rows, and ``overview.svg``; the same rows give the same bytes."""
    import matplotlib as mpl

    mpl.use("svg")
    found = summaries(rows, threads)
    drawn = []
    with mpl.rc_context({"svg.hashsalt": "ramify", "svg.fonttype": "none", "font.size": 8}):
        for family, names in FAMILIES.items():
            datasets = {name: found[name] for name in names if name in found and measured(found[name])}
            if datasets:
                folder.mkdir(exist_ok=True)
                drawn.append(_draw(datasets, folder / f"{family}.svg"))
        datasets = {name: found[name] for name in RACE if name in found and measured(found[name])}
        if datasets:
            drawn.append(_overview(datasets, folder / "overview.svg"))
    return drawn


def _draw(datasets: dict[str, dict[str, Summary]], path: Path) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.4 * len(datasets) + 0.4), layout="constrained")
    grid = figure.subplots(len(datasets), len(AXES), squeeze=False, sharey="row")
    shown: dict[str, Any] = {}
    for line, (dataset, systems) in zip(grid, datasets.items(), strict=True):
        for axes, (cost, title) in zip(line, AXES, strict=True):
            shown |= {one.system: _point(axes, one, cost) for one in measured(systems)}
            log_scale(axes, title)
        line[0].set_ylabel(f"{MEASURE}, 95% interval")
        line[0].set_title(dataset, loc="left", fontweight="bold")
    names = sorted(shown, key=[*COLOURS, *shown].index)
    figure.legend([shown[name] for name in names], names, loc="outside upper center", ncols=5, frameon=False)
    figure.savefig(path, metadata={"Date": None})
    return path


def _overview(datasets: dict[str, dict[str, Summary]], path: Path) -> Path:
    """One panel per data set: precision over training CPU; a line joins ramify's systems in order of their cost."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.0 * len(datasets) + 0.4, 2.8), layout="constrained")
    figure.patch.set_facecolor("white")  # readable on dark pages, too
    shown: dict[str, Any] = {}
    for axes, (dataset, systems) in zip(
        figure.subplots(1, len(datasets), squeeze=False)[0], datasets.items(), strict=True
    ):
        ours = sorted((one for one in measured(systems) if one.system in OVERVIEW), key=_training_cost)
        axes.plot(
            [_training_cost(one) for one in ours], [one.measure(MEASURE)[0] for one in ours],
            color=COLOURS["ramify"], linewidth=1, alpha=0.5, zorder=1,
        )  # fmt: skip
        shown |= {
            one.system: _point(axes, one, "train_cpu_s") for one in measured(systems) if one in ours or not one.ours
        }
        log_scale(axes, "training, CPU s", subs=(1, 3))
        axes.set_title(dataset, loc="left", fontweight="bold")
    figure.axes[0].set_ylabel(f"{MEASURE} in percent, 95% interval")
    names = sorted(shown, key=[*OVERVIEW, *COLOURS, *shown].index)
    columns = (len(names) + 1) // 2
    figure.legend([shown[name] for name in names], names, loc="outside lower center", ncols=columns, frameon=False)
    figure.savefig(path, metadata={"Date": None})
    return path


def _training_cost(one: Summary) -> float:
    return one.cost("train_cpu_s")


def _point(axes: Any, one: Summary, cost: str) -> Any:
    """A marker over the interval of the measure."""
    x, (y, half) = one.cost(cost), one.measure(MEASURE)
    colour = COLOURS.get(one.system, "black")
    axes.plot([x, x], [y - half, y + half], color=colour, linewidth=0.8, alpha=0.4)
    return axes.plot([x], [y], "o" if one.ours else "s", color=colour, markersize=6, alpha=0.9)[0]


def log_scale(axes: Any, title: str, subs: Sequence[int] = (1, 2, 5)) -> None:
    """A logarithmic x axis with plain numbers at the multiples ``subs`` of each power of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=subs))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(title)
    axes.grid(visible=True, which="major", alpha=0.3)
