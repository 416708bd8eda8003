"""Encoders: static and frozen vectors beside tf-idf, X-, XR- and FlatTransformer, ensembles, and libpecos.

    python benchmarks/transformer_models.py tune --sets crs-bills-mini --systems xr-transformer
    python benchmarks/transformer_models.py tune --systems xr-transformer --vary '{"learning_rate": 1e-4, "steps": 600}'
    python benchmarks/transformer_models.py run                      # every system on the three sets
    python benchmarks/transformer_models.py run --sets yso-finna-en gutenberg-lcsh --systems xr-linear static frozen
    python benchmarks/transformer_models.py run --sets crs-bills-mini --systems xr-transformer@25 xr-transformer@50

``tune`` tries settings on held-out fifths of the training documents: the grid of ``GRIDS``, or ``--vary``. Rows go to
``results/transformers-tuning.jsonl``. ``run`` trains each system with the settings that ranked the held-out documents
best, or its defaults, and answers the test documents in a fresh process; NAME@50 is a system with 50 steps.
Ensembles are made of the answers of their members. Rows go to ``results/transformers.jsonl``. Rows that are there are
skipped, answers are kept in the cache. ``python benchmarks/race.py table`` writes the section of ``RESULTS.md``.

"SET:10000" is a sample of the training documents with seed 0. The costs of an encoder on generated labels are measured
by ``transformer_costs.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from racing.ensembles import merged
from racing.machine import commit, machine, today
from racing.matrices import Matrices, MissingDataError
from racing.places import DATA
from racing.quality import measures, read_answers
from racing.rows import Row, add_row, add_stamped, current, read_rows
from racing.runner import Limits
from racing.stopping import run_until_stopped
from racing.systems import System
from racing.text_sets import held_out_texts, prepare_texts
from racing.text_systems import (
    COMBINED,
    COMPARED,
    ENCODER_TRIALS,
    ENCODERS,
    ENSEMBLES,
    LIBPECOS,
    MINUTES,
    STEPS,
    chosen_settings,
    names,
    on,
    shortened_pairs,
    text_system,
)
from racing.track import Race, compare, take_turn, top_path
from racing.trials import Trials, measures_of, run_trials

SETS = ("crs-bills-mini", "gutenberg-lcsh:10000", "crs-bills-104-110:10000")
_RATES = [{"learning_rate": rate} for rate in (2e-5, 1e-4, 2e-4)]
_STEPS = [{"steps": steps} for steps in (150, 600)]
_WEIGHTS = [{"dense_weight": weight} for weight in (0.3, 0.6, 1.0)]
_RANKERS = [{"ranker": one} for one in _WEIGHTS]
GRIDS: dict[str, list[Row]] = {
    "semantic": _WEIGHTS,
    "static": _WEIGHTS,
    "frozen": [*_WEIGHTS, {"vectorizer": {"pooling": "cls"}}],
    "x-transformer": [*_RATES, *_STEPS, *_RANKERS],
    "xr-transformer": [*_RATES, *_STEPS, {"levels": 1}, {"levels": 2}, {"matched": 20}, *_RANKERS],
    "flat-transformer": [*_RATES, *_STEPS, *_RANKERS],
    LIBPECOS.name: [{"learning_rate": 5e-5}, {"learning_rate": 2e-4}, {"steps": 300}],
}
"""What is tried first: one change of the defaults at a time. Combinations of the best ones follow by ``--vary``."""


def main() -> None:
    chosen = _arguments()
    for name in chosen.sets:
        try:
            matrices = prepare_texts(name, chosen.data)
        except (MissingDataError, ValueError) as missing:
            print(missing)
            continue
        systems = [one for one in map(_found, chosen.systems) if one is not None]
        if chosen.task == "tune":
            tune(matrices, systems, chosen)
        else:
            run(matrices, systems, chosen)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("run", "tune"))
    parser.add_argument("--sets", nargs="+", default=list(SETS), metavar="SET")
    parser.add_argument("--systems", nargs="+", default=list(names()), metavar="SYSTEM", help=", ".join(names()))
    parser.add_argument("--runs", type=int, default=2, help=f"seeds of a system that trains in {MINUTES} minutes")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=float, default=7200, help="seconds for one training or prediction")
    parser.add_argument("--memory", type=float, default=20, help="GB for one training or prediction")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    parser.add_argument("--vary", nargs="*", type=json.loads, help="tune: settings as JSON objects; the grid if absent")
    parser.add_argument("--splits", type=int, default=1, help="tune: number of held-out fifths")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.systems if name.partition(STEPS)[0] not in names()]
    if unknown:
        parser.error(f"no system {', '.join(unknown)}: choose from {', '.join(names())}")
    return chosen


def _found(name: str) -> System | None:
    """The system; None, with a message, if a part of it is not installed or not there."""
    from ramify.errors import RamifyError

    try:
        return text_system(name)
    except (ImportError, AttributeError, RamifyError) as failure:
        print(f"{name}: {failure}")
        return None


def run(matrices: Matrices, systems: Sequence[System], chosen: argparse.Namespace) -> None:
    """The runs that are due, the ensembles of their answers, and the comparisons."""
    race = Race(
        data=chosen.data,
        runs=chosen.runs,
        threads=chosen.threads,
        limits=Limits(chosen.limit, int(chosen.memory * 1e9)),
        rows=ENCODERS,
        script="transformer_models.py run",
    )
    trials = read_rows(ENCODER_TRIALS)
    ready = [on(system, matrices.dataset, matrices.fingerprint, trials) for system in systems]
    for number in range(1, chosen.runs + 1):
        for system in ready:
            if number == 1 or not _takes_long(race, matrices, system):
                take_turn(race, matrices, system, number)
    for name, members in ENSEMBLES.items():
        add_ensemble(race, matrices, name, members)
    compare(race, matrices, (*COMPARED, *shortened_pairs(system.name for system in systems)))


def _takes_long(race: Race, matrices: Matrices, system: System) -> bool:
    """Whether a run of the system failed or took more than ``MINUTES``, so that it is not repeated."""
    rows = _runs(race, matrices, system.name)
    return any(row.get("failed") or row["train_wall_s"] > 60 * MINUTES for row in rows)


def _runs(race: Race, matrices: Matrices, name: str) -> list[Row]:
    rows = current(read_rows(race.rows), "run", threads=race.threads)
    return [row for row in rows if (row["dataset"], row["system"]) == (matrices.dataset, name)]


def add_ensemble(race: Race, matrices: Matrices, name: str, members: Sequence[str]) -> None:
    """A row for each run that all members have answers of. Costs are sums; of memory, the largest."""
    found = [{row["run"]: row for row in _runs(race, matrices, one) if not row.get("failed")} for one in members]
    combine = combined_by(matrices, name)
    for number in sorted(set.intersection(*(set(runs) for runs in found))):
        rows = [runs[number] for runs in found]
        paths = [top_path(matrices, row["system"], row["identity"], number) for row in rows]
        identity = hashlib.sha256("\0".join([combine, *(row["identity"] for row in rows)]).encode()).hexdigest()[:12]
        key = {"kind": "run", "dataset": matrices.dataset, "system": name, "run": number, "identity": identity}
        key |= {"threads": race.threads, "machine": machine(), "matrices": matrices.fingerprint}
        known = any(all(row.get(part) == value for part, value in key.items()) for row in read_rows(race.rows))
        if known or not all(path.exists() for path in paths):
            continue
        top = merged(paths, combine)
        kept = top_path(matrices, name, identity, number)
        np.savez(kept, labels=top.labels, scores=top.scores)
        sums = {part: sum(row[part] for row in rows) for part in ("train_cpu_s", "train_wall_s", "batch_cpu_us")}
        sums |= {"peak_bytes": max(row["peak_bytes"] for row in rows), "busy": any(row["busy"] for row in rows)}
        row = key | sums | {"settings": {"combine": combine, "models": list(members)}, "shape": matrices.shape}
        row |= {"measures": measures(read_answers(matrices, kept)), "commit": commit(), "date": today()}
        add_row(race.rows, row)
        print(f"{matrices.dataset}: {name}, run {number}: P@1 {row['measures']['P@1'][0]:.2f}", flush=True)


def combined_by(matrices: Matrices, name: str) -> str:
    """The rule that ranked the held-out documents best; "rank" where nothing was tried.

    Ranks need no common scale of the members' scores.
    """
    found = chosen_settings(read_rows(ENCODER_TRIALS), matrices.dataset, matrices.fingerprint, name)
    return str(found.get("combine", "rank"))


def tune(matrices: Matrices, systems: Sequence[System], chosen: argparse.Namespace) -> None:
    """The trials that are due, then those of the ensembles, and the best settings of each system."""
    limits = Limits(chosen.limit, int(chosen.memory * 1e9))
    for number in range(chosen.splits):
        part = held_out_texts(matrices, number)
        shared = {"kind": "trial", "dataset": matrices.dataset, "matrices": matrices.fingerprint, "split": number}
        for system in systems:
            row = shared | {"system": system.name, "version": system.version, "threads": chosen.threads}
            row |= {"machine": machine()}
            trials = Trials(
                system=system,
                folder=part.folder,
                row=row,
                threads=chosen.threads,
                limits=limits,
                rows=ENCODER_TRIALS,
                answers=part.folder / "top",
            )
            changes = chosen.vary if chosen.vary is not None else GRIDS.get(system.name, [])
            wanted = [system.settings | change for change in ({}, *changes)]
            run_trials(trials, [[settings] for settings in wanted if _is_due(row | {"settings": settings})])
        for name, members in ENSEMBLES.items():
            _try_ensemble(shared | {"system": name}, part, members)
    for name in (*(system.name for system in systems), *ENSEMBLES):
        best = chosen_settings(read_rows(ENCODER_TRIALS), matrices.dataset, matrices.fingerprint, name)
        print(f"{matrices.dataset}: {name}: {best}", flush=True)


def _is_due(wanted: Row) -> bool:
    """Whether a trial has no row. Trials of earlier sources count: a choice of settings is not repeated for them."""
    names = ("dataset", "matrices", "system", "split", "settings")
    return not any(all(row.get(name) == wanted[name] for name in names) for row in read_rows(ENCODER_TRIALS))


def _try_ensemble(shared: Row, part: Matrices, members: Sequence[str]) -> None:
    """A trial of each rule of merging, from the kept answers of the members under their best settings so far."""
    known = read_rows(ENCODER_TRIALS)
    paths, settings = [], []
    for name in members:
        best = chosen_settings(known, shared["dataset"], shared["matrices"], name)
        rows = [row for row in known if _is_trial(row, shared | {"system": name, "settings": best})]
        tops = (part.folder / "top").glob(f"{name}-*-{shared['matrices']}-{shared['split']}.npz") if rows else ()
        found = [path for path in tops if f"-{rows[-1]['identity']}-" in path.name]
        if not found:
            return
        paths += found
        settings.append(best)
    for combine in COMBINED:
        row = shared | {"settings": {"combine": combine}, "models": settings}
        if not any(_is_trial(one, row) and one.get("models") == settings for one in known):
            add_stamped(ENCODER_TRIALS, row | {"measures": measures_of(part.folder, merged(paths, combine))})


def _is_trial(row: Row, wanted: dict[str, Any]) -> bool:
    return all(row.get(name) == wanted[name] for name in ("dataset", "matrices", "system", "split", "settings"))


if __name__ == "__main__":
    run_until_stopped(main, "rows")
