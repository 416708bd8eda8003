"""Costs of the fine-tuned encoders on generated labels: time of a step by outputs of the head, memory by labels.

    python benchmarks/transformer_costs.py steps      # outputs 256, 4,096, 65,536: X-, XR- and FlatTransformer
    python benchmarks/transformer_costs.py memory     # labels 5,000, 40,000, 400,000: XR- and FlatTransformer

``steps``: the same 8,192 documents with 65,536 labels for all systems, MiniLM, 32 tokens, batches of 32. The outputs
of X-Transformer are set by ``max_leaf``; XR-Transformer trains the levels 256, 4,096 and 65,536 one after another. Time
of a step: that of the training of a stage, without shortlist and start of the head. Parts of a step: the head's loss
(forward, and for FlatTransformer the gradient of its input), the update of the head, and the rest: encoder forward and
backward and its optimizer. The operators with the most CPU time come from a second, shorter run under torch's profiler.

``memory``: a document has 8 labels, a label 2 documents; an encoder of one layer with the width of MiniLM. Largest
resident memory above that before training, by stage.

Each measurement is a process of its own. Rows go to ``results/transformer-costs.jsonl``; those of the present sources
are not measured again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from contestants.contest import forget_peak, memory
from racing.generated_texts import GENERATOR, generated_texts, thin_encoder
from racing.machine import machine
from racing.rows import Row, add_stamped, read_rows
from racing.sources import module_hash, modules_of
from racing.stopping import run_until_stopped
from racing.text_systems import OWN
from racing.transformer_tables import COSTS

LABELS, DOCUMENTS = 65_536, 8_192
PROFILED_STEPS = 10
STEP_CASES: tuple[tuple[str, Row], ...] = (
    ("x-transformer", {"max_leaf": 256}),
    ("x-transformer", {"max_leaf": 16}),
    ("x-transformer", {"max_leaf": 1}),
    ("xr-transformer", {"levels": 3, "branching": 16, "max_level": LABELS}),
    ("flat-transformer", {}),
)
MEMORY_LABELS = (5_000, 40_000, 400_000)
MEMORY_SYSTEMS = ("xr-transformer", "flat-transformer")


class Finished(Exception):
    """The stage that is measured has ended."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("steps", "memory"))
    parser.add_argument("--systems", nargs="+", default=["x-transformer", *MEMORY_SYSTEMS])
    parser.add_argument("--labels", type=int, nargs="+", default=list(MEMORY_LABELS), help="of memory; multiples of 4")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one is not None:
        measure = step_costs if chosen.task == "steps" else peaks
        print(json.dumps(measure(json.loads(chosen.one))))
        return
    for case in cases(chosen):
        key = case | {"kind": chosen.task, "machine": machine(), "generator": GENERATOR}
        key |= {"sources": sources(case["system"])}
        if any(all(row.get(name) == value for name, value in key.items()) for row in read_rows(COSTS)):
            continue
        for row in _in_process(chosen.task, case):
            print(json.dumps(add_stamped(COSTS, key | row)), flush=True)


def cases(chosen: argparse.Namespace) -> list[Row]:
    """What is measured: one process each."""
    shared = {"threads": chosen.threads, "steps": chosen.steps}
    if chosen.task == "steps":
        found = [shared | {"system": name, "settings": settings} for name, settings in STEP_CASES]
        return [case for case in found if case["system"] in chosen.systems]
    names = [name for name in MEMORY_SYSTEMS if name in chosen.systems]
    return [shared | {"system": name, "labels": labels} for labels in chosen.labels for name in names]


def sources(system: str) -> str:
    """Fingerprint of the sources of training."""
    from ramify import catalogue

    module = catalogue.find("model", system, "--systems").module
    return module_hash(*(name for name in modules_of(module) if name.startswith(OWN)))


def _in_process(task: str, case: Row) -> list[Row]:
    """The rows of a case; a row with the reason if the process failed."""
    command = [sys.executable, __file__, task, "--one", json.dumps(case)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        print(f"{case}: {lines[-1] if lines else done.returncode}", file=sys.stderr)
        return []
    found: list[Row] = json.loads(done.stdout.splitlines()[-1])
    return found


def _model(case: Row, **settings: Any) -> Any:
    from ramify import catalogue

    kind = catalogue.find("model", case["system"], "--systems").load()
    settings = {"steps": case["steps"], "held_out": 0, "threads": case["threads"]} | settings
    return kind(**settings | case.get("settings", {}))


def step_costs(case: Row) -> list[Row]:
    """A row for each stage of the fine-tuning."""
    from ramify import Tfidf

    texts, Y = generated_texts(LABELS, DOCUMENTS, 16)
    X = Tfidf(words=(1, 1), language=None, min_df=1).fit_transform(texts)
    rows: list[Row] = []
    for steps, profiled in ((case["steps"], False), (PROFILED_STEPS, True)):
        with _measured_stages(profiled=profiled) as stages:
            _fine_tune(_model(case | {"steps": steps}, encoder="minilm", max_tokens=32), X, Y, texts)
        if profiled:
            rows = [row | stage for row, stage in zip(rows, stages, strict=True)]
        else:
            rows = [stage | {"step_ms": round(1e3 * stage.pop("seconds") / steps, 2)} for stage in stages]
    return rows


def _fine_tune(model: Any, X: Any, Y: Any, texts: list[str]) -> None:
    """Fit a model up to the end of its fine-tuning."""
    from ramify.exchange import Training

    own = type(model)._fine_tune

    def fine_tune(self: Any, run: Any) -> None:
        own(self, run)
        raise Finished

    model._fine_tune = fine_tune.__get__(model)
    try:
        model.fit_training(Training(X=X, Y=Y, texts=texts))
    except Finished:
        return


@contextmanager
def _measured_stages(*, profiled: bool) -> Iterator[list[Row]]:
    """A list that gets the figures of each stage: of its time, or of its operators."""
    from ramify.transformers import fine_tuning

    stages: list[Row] = []
    plain = fine_tuning.FineTuning.train

    def train(self: Any, task: Any, stage: int, n_stages: int) -> Any:
        spent = _timed(task, ("head_loss", "update_head"))
        with _profiler() if profiled else nullcontext() as profile:
            begun = time.perf_counter()
            history = plain(self, task, stage, n_stages)
            seconds = time.perf_counter() - begun
        outputs = _outputs(task)
        if profiled:
            stages.append({"operators": _operators(profile)})
        else:
            parts = {name: round(value / seconds, 3) for name, value in spent.items()}
            stages.append(
                {"outputs": outputs, "seconds": seconds, "parts": parts | {"rest": round(1 - sum(parts.values()), 3)}}
            )
        return history

    fine_tuning.FineTuning.train = train  # type: ignore[method-assign]
    try:
        yield stages
    finally:
        fine_tuning.FineTuning.train = plain  # type: ignore[method-assign]


def _timed(task: Any, names: tuple[str, ...]) -> dict[str, float]:
    """Seconds that some methods of a task take, from now on."""
    spent = dict.fromkeys(names, 0.0)

    def timed(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            begun = time.perf_counter()
            try:
                return method(*arguments)
            finally:
                spent[name] += time.perf_counter() - begun

        return call

    for name in names:
        setattr(task, name, timed(name, getattr(task, name)))
    return spent


def _outputs(task: Any) -> int:
    """Number of outputs of the head: all state of a head has a row per output."""
    return max(len(tensor) for tensor in task.own_state().values())


def _profiler() -> Any:
    from torch.profiler import ProfilerActivity, profile

    return profile(activities=[ProfilerActivity.CPU])


def _operators(profile: Any, most: int = 8) -> dict[str, float]:
    """Share of the CPU time of the operators with the most, their callees not included."""
    found = {event.key: event.self_cpu_time_total for event in profile.key_averages()}
    total = sum(found.values())
    best = sorted(found, key=lambda name: -found[name])[:most]
    return {name.removeprefix("aten::"): round(found[name] / total, 3) for name in best}


def peaks(case: Row) -> list[Row]:
    """Peak memory of each stage of a whole fit."""
    from ramify import Tfidf
    from ramify.exchange import Training

    labels = case["labels"]
    texts, Y = generated_texts(labels, labels // 4, 8)
    X = Tfidf(words=(1, 1), language=None, min_df=1).fit_transform(texts)
    with tempfile.TemporaryDirectory() as folder, _measured_stages(profiled=False) as stages:
        model = _model(case, encoder=thin_encoder(Path(folder)), max_tokens=32)
        _imported(case["system"])
        watch = StagePeaks()
        begun = time.perf_counter()
        model.fit_training(Training(X=X, Y=Y, texts=texts, progress=watch))
    watch.close()
    row = {"documents": len(texts), "wall_s": round(time.perf_counter() - begun, 1), "stages": watch.peaks}
    outputs = max(stage["outputs"] for stage in stages)
    return [row | {"outputs": outputs, "head_bytes": _head_bytes(case["system"], outputs)}]


def _imported(system: str) -> None:
    """Import what training imports, so that it is not part of the growth."""
    import torch  # noqa: F401

    import ramify.transformers.embedding
    import ramify.transformers.encoder  # noqa: F401


def _head_bytes(system: str, outputs: int) -> int:
    """Memory of the head: weights, and for the heads of levels two moments of Adam as well."""
    from racing.generated_texts import WIDTH

    return 4 * outputs * (WIDTH + 1) * (1 if system == "flat-transformer" else 3)


class StagePeaks:
    """A progress callback that keeps the largest resident memory of each stage above that at the start."""

    def __init__(self) -> None:
        forget_peak()
        self.before = memory("VmRSS")
        self.stage = "start"
        self.peaks: dict[str, int] = {}

    def __call__(self, stage: str, done: float) -> None:
        self.close()
        self.stage = stage

    def close(self) -> None:
        """Count the memory so far for the present stage."""
        peak = memory("VmHWM") - self.before
        self.peaks[self.stage] = max(self.peaks.get(self.stage, 0), peak)
        forget_peak()


if __name__ == "__main__":
    run_until_stopped(main, "rows")
