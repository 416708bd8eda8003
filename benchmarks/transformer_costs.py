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
from importlib import import_module
from pathlib import Path
from typing import Any

from racing.generated_texts import GENERATOR, WIDTH, generated_texts, thin_encoder
from racing.machine import machine
from racing.rows import Row, add_stamped, matching
from racing.sources import module_hash, modules_of
from racing.stages import StagePeaks, measured_stages
from racing.stopping import run_until_stopped
from racing.text_systems import OWN
from racing.transformer_tables import ENCODER_COSTS

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


class FineTunedError(Exception):
    """Ends a fit after its fine-tuning: the ranker is not measured."""


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
        if matching(ENCODER_COSTS, key):
            continue
        for row in _in_process(chosen.task, case):
            print(json.dumps(add_stamped(ENCODER_COSTS, key | row)), flush=True)


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
        with measured_stages(profiled=profiled) as stages:
            _fine_tune(_model(case | {"steps": steps}, encoder="minilm", max_tokens=32), X, Y, texts)
        if profiled:
            rows = [row | {"operators": stage["operators"]} for row, stage in zip(rows, stages, strict=True)]
        else:
            rows = [stage | {"step_ms": round(1e3 * stage.pop("seconds") / stage.pop("steps"), 2)} for stage in stages]
    return rows


def _fine_tune(model: Any, X: Any, Y: Any, texts: list[str]) -> None:
    """Fit a model up to the end of its fine-tuning."""
    from ramify.exchange import Training

    own = type(model)._fine_tune

    def fine_tune(self: Any, run: Any) -> None:
        own(self, run)
        raise FineTunedError

    model._fine_tune = fine_tune.__get__(model)
    try:
        model.fit_training(Training(X=X, Y=Y, texts=texts))
    except FineTunedError:
        return


def peaks(case: Row) -> list[Row]:
    """Peak memory of each stage of a whole fit."""
    from ramify import Tfidf
    from ramify.exchange import Training

    labels = case["labels"]
    texts, Y = generated_texts(labels, labels // 4, 8)
    X = Tfidf(words=(1, 1), language=None, min_df=1).fit_transform(texts)
    with tempfile.TemporaryDirectory() as folder, measured_stages() as stages:
        model = _model(case, encoder=thin_encoder(Path(folder)), max_tokens=32)
        _import_torch()
        watch = StagePeaks()
        begun = time.perf_counter()
        model.fit_training(Training(X=X, Y=Y, texts=texts, progress=watch))
    watch.close()
    row = {"documents": len(texts), "wall_s": round(time.perf_counter() - begun, 1), "stages": watch.peaks}
    outputs = max(stage["outputs"] for stage in stages)
    return [row | {"outputs": outputs, "head_bytes": 4 * outputs * (WIDTH + 1)}]


def _import_torch() -> None:
    """Import what training imports, so that it is not part of the growth."""
    import_module("ramify.transformers.embedding")
    import_module("ramify.transformers.encoder")


if __name__ == "__main__":
    run_until_stopped(main, "rows")
