"""The search: Optuna proposes settings, and stops those early that are worse than others on the first folds.

Takuya Akiba, Shotaro Sano, Toshihiko Yanase, Takeru Ohta, Masanori Koyama: Optuna: A Next-generation Hyperparameter
Optimization Framework, KDD 2019. Liam Li and others: A System for Massively Parallel Hyperparameter Tuning, MLSys 2020
(asynchronous successive halving). James Bergstra, Rémi Bardenet, Yoshua Bengio, Balázs Kégl: Algorithms for
Hyper-Parameter Optimization, NeurIPS 2011 (tree-structured Parzen estimator).

The resource of the halving is the number of folds, not the number of training documents: every training has all
documents outside the fold (see ``tuning.folds``). The value after each fold is the gain over the default on the same
documents, so that the differences between folds cancel.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from ramify.checks import SEED, THREADS, OneOf, Real, Whole
from ramify.errors import InputError, MissingExtraError, RamifyError, RamifyWarning
from ramify.tuning.evidence import MEAN, Judged, Objective, estimated
from ramify.tuning.folds import HeldOut
from ramify.tuning.pace import OutOfTimeError, Pace
from ramify.tuning.result import (
    COMPLETE,
    EXHAUSTED,
    FAILED,
    INTERRUPTED,
    STOPPED,
    TIME,
    TRIALS,
    UNFINISHED,
    Trial,
    Tuned,
    chosen,
)
from ramify.tuning.settings import MODELS, Settings
from ramify.tuning.space import Space
from ramify.values import Dataset

if TYPE_CHECKING:
    import optuna

DEFAULT_MINUTES = 10.0
MINUTES = Real(0, 100_000, optional=True)
N_TRIALS = Whole(1, 1_000_000, optional=True)
MODEL = OneOf(MODELS, optional=True)

REDUCTION = 2
"""A trial continues after one, two and four folds if it is in the better half of the trials so far."""

MOST_REPEATED = 100
"""Proposals in a row that were tried before, or do not fit into the time left, after which the search ends."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """State of a search, for a progress display.

    Parameters
    ----------
    trials : tuple of Trial
        Finished trials.
    best : Trial or None
        The trial that would be chosen now; None before the default is measured.
    current : Settings
        Settings that are being measured.
    folds : int
        Number of folds of these that are measured.
    seconds, seconds_left : float
        Wall time since the begin, and until the limit; infinite without a limit.
    """

    trials: tuple[Trial, ...]
    best: Trial | None
    current: Settings
    folds: int
    seconds: float
    seconds_left: float


Progress = Callable[[Standing], None]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a search.

    Parameters
    ----------
    seconds : float or None
        Wall time.
    trials : int or None
        Number of trials, the default included.
    """

    seconds: float | None
    trials: int | None

    @classmethod
    def of(cls, *, minutes: float | None, trials: int | None) -> Limits:
        """The limits given by a caller: 10 minutes if there is none.

        Raises
        ------
        InputError
            Minutes up to 0, or fewer than one trial.
        """
        given, count = MINUTES.check("minutes", minutes), N_TRIALS.check("trials", trials)
        if given is not None and given <= 0:
            raise InputError("minutes is 0, but must be above 0: give the time that the search may take")
        if given is None and count is None:
            given = DEFAULT_MINUTES
        return cls(seconds=None if given is None else 60 * given, trials=count)


def tune(
    dataset: Dataset,
    *,
    minutes: float | None = None,
    trials: int | None = None,
    measure: str = MEAN,
    model: str | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Tuned:
    """Search settings on held-out training documents.

    Every choice of settings is trained on the documents outside a fold and measured on those of the fold, at most five
    times. The default is kept unless the gain of another choice is larger than noise (see ``tuning.result``).

    Parameters
    ----------
    dataset : Dataset
        Training documents: at least 50 with a label. For texts, the features are searched as well.
    minutes : float, optional
        Limit of the wall time, above 0; 10 if neither ``minutes`` nor ``trials`` is given. A training that is not
        finished at the limit is ended at its next report of progress.
    trials : int, optional
        Limit of the number of trials, the default included. With this limit only, the same seed gives the same result.
    measure : str, default "mean"
        "mean": the mean of P@1, P@3, P@5, nDCG@5 and PSP@5, none of which may become lower; or one measure, such as
        "P@5" or "PSP@3": P, nDCG, PSP, PSnDCG, R or Hit, with a cut-off up to 100.
    model : {"xr-linear", "blend"}, optional
        Searches the settings of this model only, and compares with its defaults.
    seed : int, default 0
        Seed of folds, search and training.
    threads : int, optional
        Number of threads; None uses every CPU.
    progress : callable, optional
        Called with a ``Standing`` after each fold.

    Returns
    -------
    Tuned
        The chosen settings and all trials. After Ctrl-C, those of the trials so far.

    Raises
    ------
    InputError
        An argument out of range, too few documents, or a limit before the first fold of the default is measured.
    MissingExtraError
        Optuna is not installed.
    """
    begun = time.monotonic()
    limits = Limits.of(minutes=minutes, trials=trials)
    objective, model = Objective.of(measure), MODEL.check("model", model)
    seed, threads = SEED.check("seed", seed), THREADS.check("threads", threads)
    check_installed()
    held_out = HeldOut(dataset, seed=seed)
    search = _Search(
        held_out=held_out,
        space=Space.of(held_out.dataset, model=model),
        objective=objective,
        pace=Pace(begun, limits.seconds),
        threads=threads,
        progress=progress or (lambda standing: None),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RamifyWarning)  # each training would repeat those of the data
        return search.run(limits.trials)


def check_installed() -> None:
    """Raise MissingExtraError if Optuna is not installed."""
    if find_spec("optuna") is None:
        raise MissingExtraError("searches for settings", "tune")


@dataclass(kw_only=True)
class _Search:
    """A search in progress; the parameters are as in ``tune``."""

    held_out: HeldOut
    space: Space
    objective: Objective
    pace: Pace
    threads: int | None
    progress: Progress

    def __post_init__(self) -> None:
        self.trials: list[Trial] = []
        self.base: list[Judged] = []
        """The default on each fold."""

    def run(self, most_trials: int | None) -> Tuned:
        """Try the default, then proposals until a limit is reached."""
        stopped = TRIALS
        try:
            self._try_default()
            stopped = self._try_proposals(most_trials) if most_trials != 1 else TRIALS
        except OutOfTimeError:
            stopped = TIME
        except KeyboardInterrupt:
            if not self.base:
                raise
            stopped = INTERRUPTED
        if not self.base:
            raise InputError(
                f"the default was not trained on {len(self.held_out.folds[0].rest):,} documents within the limit of "
                f"{self.pace.limit_text}: give more minutes"
            )
        return Tuned(
            trials=tuple(self.trials),
            best=chosen(self.trials, self.objective),
            objective=self.objective,
            folds=len(self.base),
            n_documents=len(self.held_out.dataset),
            n_held=sum(len(fold.held) for fold in self.held_out.folds[: len(self.base)]),
            seed=self.held_out.seed,
            threads=self.threads,
            seconds=self.pace.elapsed,
            stopped=stopped,
        )

    def _try_default(self) -> None:
        settings = self.space.default()
        begun, folds = self.pace.elapsed, len(self.held_out.folds)
        try:
            while len(self.base) < folds:
                self.base.append(self._judge(settings, len(self.base)))
                folds = self.pace.folds(settings, folds)
                self._report(settings, len(self.base))
        finally:
            if self.base:
                state = COMPLETE if len(self.base) == folds else UNFINISHED
                self.trials.append(self._trial(settings, self.base, state, begun))

    def _try_proposals(self, most_trials: int | None) -> str:
        """Try what Optuna proposes; the reason of the end."""
        seen, repeated = {self.space.default().key}, 0
        first, rng = self.space.first(), np.random.default_rng(self.held_out.seed)
        with _study(self.held_out.seed) as study:
            for parameters in (self.space.default_parameters(), *first, *self.space.likely()):
                study.enqueue_trial(parameters)
            self._tell_default(study)
            while most_trials is None or len(self.trials) < most_trials:
                proposal = study.ask()
                settings = self._suggested(proposal)
                fits = self.pace.allows(settings)
                repeated = 0 if fits and settings.key not in seen else repeated + 1
                if repeated:
                    study.tell(proposal, state=_states().FAIL)
                    study.enqueue_trial(_varied(proposal, rng))
                else:
                    seen.add(settings.key)
                    self._try(study, proposal, settings, whole=proposal.number <= len(first))
                if repeated > MOST_REPEATED or self.pace.left <= 0:
                    return EXHAUSTED if fits else TIME
        return TRIALS

    def _suggested(self, proposal: optuna.Trial) -> Settings:
        return self.space.suggest(proposal.suggest_categorical)

    def _tell_default(self, study: optuna.Study) -> None:
        """Give Optuna the gain of the default, which is 0, so that worse settings are stopped from the start."""
        proposal = study.ask()
        self._suggested(proposal)
        for number in range(len(self.base)):
            proposal.report(0.0, number + 1)
            proposal.should_prune()  # records the value
        study.tell(proposal, 0.0)

    def _try(self, study: optuna.Study, proposal: optuna.Trial, settings: Settings, *, whole: bool) -> None:
        """Measure settings fold by fold, and add the trial, also if it is not finished; ``whole``: on all folds."""
        judged: list[Judged] = []
        state, begun = UNFINISHED, self.pace.elapsed
        try:
            for number in range(len(self.base)):
                if not self.pace.allows(settings):
                    break
                judged.append(self._judge(settings, number))
                self._report(settings, number + 1)
                proposal.report(self._gain(judged).score, number + 1)
                if number + 1 < len(self.base) and proposal.should_prune() and not whole:
                    state = STOPPED
                    break
            else:
                state = COMPLETE
        except RamifyError:  # such as a min_df that leaves no n-gram
            state = FAILED
        finally:
            self.trials.append(self._trial(settings, judged, state, begun))
        told = {COMPLETE: _states().COMPLETE, STOPPED: _states().PRUNED}.get(state, _states().FAIL)
        study.tell(proposal, self._gain(judged).score if state == COMPLETE else None, state=told)

    def _gain(self, judged: list[Judged]) -> Any:
        return estimated(self.objective, judged, self.base[: len(judged)])

    def _judge(self, settings: Settings, number: int) -> Judged:
        with self.pace.training(settings):
            return self.held_out.judge(
                settings, number, self.objective, threads=self.threads, progress=self.pace.check_time
            )

    def _trial(self, settings: Settings, judged: list[Judged], state: str, begun: float) -> Trial:
        now = self.pace.elapsed
        return Trial(
            number=len(self.trials),
            settings=settings,
            state=state,
            folds=len(judged),
            measured=estimated(self.objective, judged) if judged else None,
            gain=self._gain(judged) if judged else None,
            fold_seconds=(now - begun) / max(1, len(judged)),
            finished=now,
        )

    def _report(self, settings: Settings, folds: int) -> None:
        self.progress(
            Standing(
                trials=tuple(self.trials),
                best=chosen(self.trials, self.objective) if self.trials else None,
                current=settings,
                folds=folds,
                seconds=self.pace.elapsed,
                seconds_left=self.pace.left,
            )
        )


def _varied(proposal: optuna.Trial, rng: np.random.Generator) -> dict[str, Any]:
    """The parameters of a proposal that was tried before, with another value of one of them."""
    name = str(rng.choice(sorted(proposal.params)))
    others = [value for value in proposal.distributions[name].choices if value != proposal.params[name]]  # type: ignore[attr-defined]
    return proposal.params | ({name: others[int(rng.integers(len(others)))]} if others else {})


def _states() -> Any:
    from optuna.trial import TrialState

    return TrialState


@contextmanager
def _study(seed: int) -> Iterator[optuna.Study]:
    """A study in memory; Optuna's messages are off until it ends."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=seed % 2**32),
            pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION),
        )
    finally:
        optuna.logging.set_verbosity(level)
