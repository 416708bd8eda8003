"""The report of a search as a page: what was chosen and why, the search over time, and trials (extra ``report``)."""

from __future__ import annotations

from collections.abc import Sequence

from ramify.evaluation.grid import Grid
from ramify.report import Axis, Figure, Mark, Page, Section, Series, Tiles, line_chart
from ramify.tuning.result import (
    COMPLETE,
    EXHAUSTED,
    INTERRUPTED,
    STOPPED,
    TIME,
    TRIALS,
    UNFINISHED,
    Trial,
    Tuned,
    chosen,
)

SHOWN = 20
"""Number of trials in the table."""

BELOW = 2.0
"""The chart ends this many times the largest gain below the default, but at least this many points."""

ENDS = {
    TIME: "the time limit was reached",
    TRIALS: "the number of trials was reached",
    INTERRUPTED: "it was interrupted",
    EXHAUSTED: "no other settings were left",
}

RESULT = """Each choice of settings was trained on the documents outside of a held-out part, and measured on the
documents of this part. Differences to the default are measured on the same documents. The chosen settings are the best
of many, so the gain on new documents is usually somewhat smaller than the gain in the table."""

SEARCH = """A point is one choice of settings. Its height is the value of the default plus the difference to the default
on the documents that both were measured on. Settings that were worse than others on the first parts were stopped
early: their values are less certain, and they are not chosen. The line is the choice at each time: it changes only when
a gain is larger than noise."""

TRIALS_TEXT = """The standard error is that of the difference over documents. The time is that of features, training and
prediction for one part; features that an earlier trial had made take no time."""


def tuning_page(tuned: Tuned, *, commands: Sequence[str] = ()) -> Page:
    """The report of a search.

    Parameters
    ----------
    tuned : Tuned
        The result of ``tune``.
    commands : sequence of str, optional
        The command of the search, and the one that trains with the result.

    Raises
    ------
    MissingExtraError
        The extra ``report`` is not installed.
    """
    return Page(
        title="Tuning of settings",
        summary=tuned.reason(),
        facts=_facts(tuned, commands),
        sections=(
            Section("Result", RESULT, (_tiles(tuned), tuned.grid(), *_changes(tuned))),
            Section("Search", SEARCH, (_figure(tuned),)),
            Section("Trials", TRIALS_TEXT, (_trials(tuned),)),
        ),
    )


def _facts(tuned: Tuned, commands: Sequence[str]) -> list[tuple[str, str]]:
    names = ("command", "training with the result")
    return [
        ("documents", f"{tuned.n_documents:,}, of which {tuned.n_held:,} held out in {tuned.folds} parts"),
        ("measure", tuned.objective.title),
        ("seed", str(tuned.seed)),
        ("end of the search", f"{ENDS[tuned.stopped]}, after {tuned.seconds:,.0f} s"),
        *zip(names, commands, strict=False),
    ]


def _tiles(tuned: Tuned) -> Tiles:
    gain, measured = tuned.best.gain, tuned.default.measured
    if gain is None or measured is None:
        return Tiles(())
    states = [trial.state for trial in tuned.trials]
    stopped = f"{states.count(STOPPED)} stopped early, {states.count(COMPLETE)} measured on all parts"
    interval = "the default is kept" if tuned.is_default else f"standard error {gain.objective_error:.2f}"
    return Tiles(
        (
            (f"{measured.objective:.2f}%", "default", tuned.objective.title),
            (f"{gain.objective:+.2f}", "gain of the choice", interval),
            (str(len(tuned.trials)), "trials", stopped),
        )
    )


def _changes(tuned: Tuned) -> list[Grid]:
    rows = tuple((name, _text(value)) for name, value in tuned.settings.changes().items())
    return [Grid("Changes to the default", ("setting", "value"), rows)] if rows else []


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else "none" if value is None else str(value)


def _settings(trial: Trial) -> str:
    changes = "; ".join(f"{name} = {_text(value)}" for name, value in trial.settings.changes().items())
    return changes or "default"


def _figure(tuned: Tuned) -> Figure:
    """Held-out measure of the trials over time, the choice so far, and the level of the default."""
    level = 0.0 if tuned.default.measured is None else tuned.default.measured.objective
    points = [(trial, level + trial.gain.objective) for trial in tuned.trials if trial.gain is not None]
    unit, scale = ("minutes", 60.0) if tuned.seconds >= 180 else ("seconds", 1.0)
    of_state = {
        "measured on all parts": [one for one in points if one[0].state == COMPLETE],
        "stopped early": [one for one in points if one[0].state in (STOPPED, UNFINISHED)],
    }
    series = [
        Series(
            name,
            [trial.finished / scale for trial, _ in ones],
            [value for _, value in ones],
            line=False,
            tips=[f"{value:.2f}: {_settings(trial)}" for trial, value in ones],
        )
        for name, ones in of_state.items()
    ]
    x, y = _steps(tuned, level)
    series.append(Series("choice so far", [at / scale for at in x], y, points=False))
    series.append(Series("default", [0.0, tuned.seconds / scale], [level, level], points=False))
    best = max((value for _, value in points), default=level)
    low = max(min((value for _, value in points), default=level), level - BELOW * max(1.0, best - level))
    marks = [] if tuned.is_default else [Mark(tuned.best.finished / scale, y[-1], "chosen", 2)]
    chart = line_chart(
        series,
        Axis(f"time in {unit}", low=0.0),
        Axis(f"{tuned.objective.name} on held-out documents, percent", low=low),
        title="Held-out measure of the trials over time",
        description=f"The default has {level:.2f}, the best point {best:.2f}.",
        marks=marks,
    )
    caption = f"Trials over time. Points below {low:.1f} are drawn at the lower edge."
    return Figure(caption, chart)


def _steps(tuned: Tuned, level: float) -> tuple[list[float], list[float]]:
    """Corners of the line of the choice at each time."""
    x, y = [tuned.default.finished], [level]
    for count in range(1, len(tuned.trials) + 1):
        best = chosen(tuned.trials[:count], tuned.objective)
        value = level if best.gain is None else level + best.gain.objective
        if value != y[-1]:
            at = tuned.trials[count - 1].finished
            x, y = [*x, at, at], [*y, y[-1], value]
    return [*x, tuned.seconds], [*y, y[-1]]


def _trials(tuned: Tuned) -> Grid:
    measured = [trial for trial in tuned.trials if trial.gain is not None]
    order = sorted(measured, key=lambda trial: -trial.gain.score if trial.gain is not None else 0.0)[:SHOWN]
    if tuned.default not in order:
        order.append(tuned.default)
    rows = []
    for trial in order:
        gain = trial.gain
        if gain is None:
            continue
        sign = " (chosen)" if trial is tuned.best else ""
        rows.append(
            (
                f"{trial.number}{sign}",
                f"{gain.objective:+.2f}",
                f"{gain.objective_error:.2f}",
                f"{gain.lowest:+.2f}",
                str(trial.folds),
                f"{trial.fold_seconds:.2f} s",
                _settings(trial),
            )
        )
    header = ("trial", "gain", "standard error", "smallest gain of a measure", "parts", "time per part", "changes")
    title = f"The best {len(rows)} of {len(tuned.trials)} trials, and the default"
    return Grid(title, header, tuple(rows))
