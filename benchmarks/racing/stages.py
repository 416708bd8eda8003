"""Figures of the stages of a fine-tuning: time and operators of their training, and memory by stage of progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from contestants.contest import forget_peak, memory
from racing.rows import Row

HEAD = ("head_loss", "update_head")
"""Methods of a task that compute with the head."""


@contextmanager
def measured_stages(*, profiled: bool = False) -> Iterator[list[Row]]:
    """Within, each stage of a fine-tuning appends its figures to the list that is returned.

    outputs     outputs of the head
    texts       mean number of tokens of a text is ``tokens``; both of the instances of the stage
    steps       of the stage
    seconds     of its training, without shortlist and start of the head
    parts       shares of the seconds: ``HEAD`` and the rest; on a GPU, the time of the calls only
    operators   with ``profiled``, instead: share of the CPU time of the operators with the most, callees not included
    """
    from ramify.transformers import fine_tuning

    stages: list[Row] = []
    plain = fine_tuning.FineTuning.train

    def train(self: Any, task: Any, stage: int) -> Any:
        spent = _timed(task)
        with _profiler() if profiled else nullcontext() as profile:
            begun = time.perf_counter()
            history = plain(self, task, stage)
            seconds = time.perf_counter() - begun
        lengths = self.tokens.lengths[task.rows]
        row: Row = {"outputs": _outputs(task), "texts": len(lengths), "tokens": round(float(lengths.mean()), 2)}
        row["steps"] = self.loops[stage].steps
        stages.append(row | ({"operators": _operators(profile)} if profiled else _times(seconds, spent)))
        return history

    fine_tuning.FineTuning.train = train  # type: ignore[method-assign]
    try:
        yield stages
    finally:
        fine_tuning.FineTuning.train = plain  # type: ignore[method-assign]


def _timed(task: Any) -> dict[str, float]:
    """Seconds that the methods of the head take, from now on."""
    spent = dict.fromkeys(HEAD, 0.0)

    def timed(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            begun = time.perf_counter()
            try:
                return method(*arguments)
            finally:
                spent[name] += time.perf_counter() - begun

        return call

    for name in HEAD:
        setattr(task, name, timed(name, getattr(task, name)))
    return spent


def _times(seconds: float, spent: dict[str, float]) -> Row:
    parts = {name: round(value / seconds, 3) for name, value in spent.items()}
    return {"seconds": seconds, "parts": parts | {"rest": round(1 - sum(parts.values()), 3)}}


def _outputs(task: Any) -> int:
    """Number of outputs of the head: the tensors of its state have a row per output."""
    return max(len(tensor) for tensor in task.own_state().values())


def _profiler() -> Any:
    from torch.profiler import ProfilerActivity, profile

    return profile(activities=[ProfilerActivity.CPU])


def _operators(profile: Any, most: int = 8) -> dict[str, float]:
    found = {event.key: event.self_cpu_time_total for event in profile.key_averages()}
    total = sum(found.values())
    best = sorted(found, key=lambda name: -found[name])[:most]
    return {name.removeprefix("aten::"): round(found[name] / total, 3) for name in best}


class StagePeaks:
    """A progress callback that keeps the largest resident memory of each stage above that at the start."""

    def __init__(self) -> None:
        forget_peak()
        self.before = memory("VmRSS")
        self.stage = "start"
        self.peaks: dict[str, int] = {}

    def __call__(self, stage: str, done: float) -> None:
        """Count the memory so far, then that of ``stage``."""
        self.close()
        self.stage = stage

    def close(self) -> None:
        """Count the memory so far for the present stage."""
        peak = memory("VmHWM") - self.before
        self.peaks[self.stage] = max(self.peaks.get(self.stage, 0), peak)
        forget_peak()
