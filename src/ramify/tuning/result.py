"""The result of a search: its trials, and the settings that were chosen.

A trial is eligible if its gain over the default is larger than noise:

objective        gain > z · error          z = Φ⁻¹(1 - 0.05 / trials): one-sided, corrected for the number of trials
other measures   gain >= 0                 of each measure in "mean"

The eligible trial with the largest gain - error is chosen; without an eligible trial, the default. A trial that was
stopped early is never eligible: the best of many trials on few documents is the luckiest one. If no trial is measured
on all folds, those are eligible that were measured on some when the time ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from ramify.evaluation.grid import Grid
from ramify.tuning.evidence import MEAN, Estimate, Objective
from ramify.tuning.settings import Settings

if TYPE_CHECKING:
    from ramify.tagger import Tagger

LEVEL = 0.05
COMPLETE, STOPPED, FAILED, UNFINISHED = "complete", "stopped early", "failed", "out of time"
TIME, TRIALS, INTERRUPTED, EXHAUSTED = "time", "trials", "interrupted", "exhausted"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One choice of settings that was tried.

    Parameters
    ----------
    number : int
        0 is the default.
    settings : Settings
        The settings.
    state : {"complete", "stopped early", "failed", "out of time"}
        "complete": measured on all folds; "stopped early": worse than others on the first folds; "failed": the
        settings do not suit the data; "out of time": the search ended first.
    folds : int
        Number of folds that were measured.
    measured : Estimate or None
        The measures on these folds, in percent; None without any.
    gain : Estimate or None
        The differences to the default on the same documents, in percentage points.
    fold_seconds : float
        Wall time per fold of features, training and prediction; features that were kept take no time.
    finished : float
        Seconds from the begin of the search to the end of the trial.
    """

    number: int
    settings: Settings
    state: str
    folds: int
    measured: Estimate | None
    gain: Estimate | None
    fold_seconds: float
    finished: float


def significance(n_trials: int) -> float:
    """Number of standard errors that a gain must exceed, with this number of trials beside the default."""
    return NormalDist().inv_cdf(1 - LEVEL / max(1, n_trials))


def chosen(trials: Sequence[Trial], objective: Objective) -> Trial:
    """The trial that is chosen; the first one is the default."""
    z = significance(len(trials) - 1)
    best, worth = trials[0], 0.0
    complete = [trial for trial in trials[1:] if trial.state == COMPLETE]
    for trial in complete or [trial for trial in trials[1:] if trial.state == UNFINISHED]:
        if trial.gain is None or not is_eligible(trial.gain, objective, z):
            continue
        value = trial.gain.objective - trial.gain.objective_error
        if value > worth:
            best, worth = trial, value
    return best


def is_eligible(gain: Estimate, objective: Objective, z: float) -> bool:
    """Whether a gain is larger than noise, and no measure of the objective is lower."""
    if objective.name == MEAN and gain.lowest < 0:
        return False
    return gain.objective > 0 and gain.objective > z * gain.objective_error


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """Settings chosen by ``tune``, with all trials.

    Parameters
    ----------
    settings : Settings
        The chosen settings; ``tagger`` makes a tagger of them.
    trials : tuple of Trial
        All trials in order; the first one is the default.
    best : Trial
        The chosen trial.
    objective : Objective
        The measure.
    folds, n_documents, n_held : int
        Number of folds, of documents, and of those that were held out in one of the folds.
    seed : int
        Seed of folds, search and training.
    threads : int or None
        Number of threads.
    seconds : float
        Wall time of the search.
    stopped : {"time", "trials", "interrupted", "exhausted"}
        Why the search ended: the time limit, the number of trials, Ctrl-C, or no other settings.
    """

    trials: tuple[Trial, ...]
    best: Trial
    objective: Objective
    folds: int
    n_documents: int
    n_held: int
    seed: int
    threads: int | None
    seconds: float
    stopped: str

    @property
    def settings(self) -> Settings:
        """The chosen settings."""
        return self.best.settings

    @property
    def default(self) -> Trial:
        """The trial of the default settings."""
        return self.trials[0]

    @property
    def is_default(self) -> bool:
        """Whether the default was chosen."""
        return self.best is self.default

    def tagger(self) -> Tagger:
        """The unfitted tagger with the chosen settings, seed and threads."""
        return self.settings.tagger(seed=self.seed, threads=self.threads)

    def reason(self) -> str:
        """One or two sentences: what was chosen, and why."""
        count = sum(trial.gain is not None for trial in self.trials[1:])
        if count == 0:
            return "The default is kept: no other settings were compared, because the search ended before."
        others = "one other choice of settings was" if count == 1 else f"{count} other choices of settings were"
        compared = f"{others} compared on {self.n_held:,} held-out documents"
        if self.is_default:
            return f"The default is kept: {compared}, and none has a gain that is larger than noise."
        z, gain = significance(len(self.trials) - 1), self.best.gain
        assert gain is not None  # a trial without measures is never chosen
        text = (
            f"The gain in {self.objective.title} is {gain.objective:.2f} points on {gain.n:,} held-out documents, with "
            f"a standard error of {gain.objective_error:.2f}; {compared}, and a gain above {z:.1f} standard errors is "
            "larger than noise."
        )
        return text if self.objective.name != MEAN else f"{text} None of the measures is lower."

    def measures(self) -> dict[str, dict[str, tuple[float, float, float]]]:
        """(value, low, high) in percent, by measure, of "default", "chosen" and "gain"; 95% intervals."""
        parts = {"default": self.default.measured, "chosen": self.best.measured, "gain": self.best.gain}
        names = self.objective.measures
        return {
            part: {name: estimate.interval(number) for number, name in enumerate(names)}
            for part, estimate in parts.items()
            if estimate is not None
        }

    def grid(self) -> Grid:
        """Table of the measures of the default and of the chosen settings, with the gain and its 95% interval."""
        found = self.measures()
        gain = found.get("gain", {})
        rows = [
            (
                name,
                *(f"{found[part][name][0]:.2f}" for part in ("default", "chosen")),
                *(() if self.is_default else _gain_cells(gain[name])),
            )
            for name in self.objective.measures
        ]
        header = ("", "default", "chosen") if self.is_default else ("", "default", "chosen", "gain", "95% interval")
        best_n = self.best.measured.n if self.best.measured is not None else 0
        return Grid(title=f"{best_n:,} held-out documents (percent)", header=header, rows=tuple(rows))

    def lines(self) -> dict[str, str]:
        """The figures of each measure in one line."""
        found = self.measures()
        return {
            name: ", ".join(
                f"{part} {found[part][name][0]:.2f} ({found[part][name][1]:.2f} to {found[part][name][2]:.2f})"
                for part in (("default",) if self.is_default else ("default", "chosen", "gain"))
            )
            for name in self.objective.measures
        }

    def as_dict(self) -> dict[str, Any]:
        """All values in JSON types."""
        return {
            "settings": self.settings.content(),
            "changes": self.settings.changes(),
            "measure": self.objective.name,
            "reason": self.reason(),
            "measures": {part: _rounded(values) for part, values in self.measures().items()},
            "documents": self.n_documents,
            "held_out_documents": self.n_held,
            "folds": self.folds,
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "stopped": self.stopped,
            "trials": [_plain(trial) for trial in self.trials],
        }


def _gain_cells(gain: tuple[float, float, float]) -> tuple[str, str]:
    value, low, high = gain
    return f"{value:+.2f}", f"{low:+.2f} to {high:+.2f}"


def _rounded(values: dict[str, tuple[float, float, float]]) -> dict[str, list[float]]:
    return {name: [round(value, 2) for value in triple] for name, triple in values.items()}


def _plain(trial: Trial) -> dict[str, Any]:
    gain = trial.gain
    return {
        "number": trial.number,
        "changes": trial.settings.changes(),
        "state": trial.state,
        "folds": trial.folds,
        "gain": None if gain is None else round(gain.objective, 3),
        "standard_error": None if gain is None else round(gain.objective_error, 3),
        "fold_seconds": round(trial.fold_seconds, 2),
        "finished": round(trial.finished, 1),
    }
