"""Texts in: ramify's tf-idf beside scikit-learn's, and the time from one text to its labels. Rows of kind "text"."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from contestants.contest import PROTOCOL
from racing.machine import commit, machine, today
from racing.places import CACHE, CONTESTANTS
from racing.rows import Row, add_row, is_due, read_rows
from racing.runner import watch
from racing.sets import TEXTS
from racing.sources import source_hash
from racing.track import Race, load_of, rounded

SCRIPT = CONTESTANTS / "run_text.py"
MODULES = ("ramify.tagger.tagger", "ramify.features.tfidf", "ramify.models.trees.xr_linear")


def run_texts(race: Race, datasets: Sequence[str]) -> None:
    """Measure what is due on the sets that are texts."""
    CACHE.mkdir(exist_ok=True)
    for number in range(1, race.runs + 1):
        for dataset in (name for name in datasets if name in TEXTS):
            if (race.data / dataset).exists():
                _run_one(race, dataset, number)


def _run_one(race: Race, dataset: str, number: int) -> None:
    written = f"{source_hash(*MODULES)} {PROTOCOL} {ast.dump(ast.parse(SCRIPT.read_text()))}"
    row: Row = {"kind": "text", "dataset": dataset, "system": "ramify", "run": number, "threads": race.threads}
    row["machine"] = machine()
    row["identity"] = hashlib.sha256(written.encode()).hexdigest()[:12]
    known = read_rows(race.rows)
    if not is_due(known, row, quiet_only=race.quiet_only, retry_failed=race.retry_failed):
        return
    print(f"{dataset}: texts, run {number}", flush=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=CACHE) as work:
        costs, log = Path(work) / "costs.json", Path(work) / "log.txt"
        program = [sys.executable, str(SCRIPT), str(race.data / dataset), str(costs), str(number - 1)]
        outcome = watch(program, dict(os.environ), log, race.limits)
        figures = {"failed": outcome.failed} if outcome.failed else rounded(json.loads(costs.read_text()))
    row |= load_of([outcome]) | figures | {"commit": commit(), "date": today()}
    add_row(race.rows, row | {"command": f"python benchmarks/race.py run --sets {dataset} --runs {race.runs}"})
