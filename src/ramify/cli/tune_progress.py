"""Progress of ``ramify tune``: a line on a terminal, otherwise a note for each new best trial."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

from ramify.cli.output import note, seconds_text

if TYPE_CHECKING:
    from rich.progress import Progress

    from ramify.tuning import Limits, Standing, Trial

LONGEST = 60
"""Characters of the settings on the line."""


class TuneProgress:
    """A ``progress`` callback of ``tune``, to be used in a ``with`` statement.

    Parameters
    ----------
    limits : Limits
        Limits of the search.
    quiet : bool
        Whether nothing is shown.
    """

    def __init__(self, limits: Limits, *, quiet: bool) -> None:
        self.limits, self.quiet = limits, quiet
        self._display: Progress | None = None if quiet or not sys.stderr.isatty() else _display(limits)
        self._best = 0

    def __enter__(self) -> TuneProgress:
        if self._display is not None:
            self._display.start()
            self._display.add_task("tune", total=self.limits.seconds or self.limits.trials, best="the default first")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._display is not None:
            self._display.stop()

    def __call__(self, standing: Standing) -> None:
        """Show the trials done, the best one beside the default, and the time left."""
        best = standing.best
        if self._display is None:
            if best is not None and best.number != self._best:
                self._best = best.number
                note(f"{seconds_text(standing.seconds)}: {gain_text(best)}", quiet=self.quiet)
            return
        task = self._display.task_ids[0]
        done = standing.seconds if self.limits.seconds else len(standing.trials)
        count = f"{len(standing.trials)} trials"
        text = count if best is None else f"{count}, best {gain_text(best)}"
        self._display.update(task, completed=done, best=text)


def gain_text(trial: Trial) -> str:
    """The gain of a trial and its settings."""
    if trial.number == 0 or trial.gain is None:
        return "the default"
    changes = ", ".join(f"{name}={value}" for name, value in trial.settings.changes().items())
    short = changes if len(changes) <= LONGEST else changes[: LONGEST - 3] + "..."
    return f"{trial.gain.objective:+.2f} ±{trial.gain.objective_error:.2f} to the default: {short}"


def _display(limits: Limits) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.table import Column
    from rich.text import Text

    class Left(ProgressColumn):
        """Time left until the limit, or the time spent without one."""

        def render(self, task: Task) -> Text:
            spent = task.elapsed or 0.0
            if limits.seconds is None:
                return Text(seconds_text(spent))
            return Text(f"{seconds_text(max(0.0, limits.seconds - spent))} left")

    class Best(ProgressColumn):
        """The trials done, and the best one."""

        def render(self, task: Task) -> Text:
            return Text(str(task.fields["best"]))

    one_line = Column(no_wrap=True, overflow="ellipsis")
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=12), Left(), Best(one_line))
    return Progress(*columns, console=Console(stderr=True))
