"""The race: ramify and its peers on the same matrices, in turn, measured alike.

    python benchmarks/race.py                     # everything: run, growth, table, plot
    python benchmarks/race.py run --sets bibtex   # measure what is not yet in benchmarks/results/race.jsonl
    python benchmarks/race.py growth              # labels from 1k to 1M
    python benchmarks/race.py table               # benchmarks/RESULTS.md and the README's table
    python benchmarks/race.py plot                # benchmarks/plots/*.svg
    python benchmarks/race.py run --held-back     # the sets that no choice depended on: once, at the end

It may be stopped at any time; the next call continues with the missing rows. ``benchmarks/peers.py`` chooses the
settings of the tuned peers first.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from racing.command_line_tables import left_out_line
from racing.grids import TRIALS
from racing.peer_tables import peer_section
from racing.places import DATA, PLOTS, README, REPORT, ROWS
from racing.plots import draw_plots
from racing.report import readme_table, results_page, write_readme
from racing.rows import read_rows
from racing.runner import Limits
from racing.sets import GENERATED, GROWTH_SYSTEMS, HELD_BACK, RACE
from racing.stopping import run_until_stopped
from racing.studies import study_sections
from racing.systems import all_systems
from racing.text_systems import ENCODERS
from racing.texts import run_texts
from racing.track import Race, run_race
from racing.transformer_plots import draw_encoders

SETS = (*RACE, *GENERATED)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", nargs="?", default="all", choices=("all", "run", "growth", "table", "plot"))
    parser.add_argument("--sets", nargs="+", choices=SETS, metavar="SET", help=", ".join(SETS))
    parser.add_argument("--held-back", action="store_true", help=f"instead of --sets: {', '.join(HELD_BACK)}")
    names = list(all_systems())
    parser.add_argument("--systems", nargs="+", choices=names, default=names, metavar="SYSTEM", help=", ".join(names))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=float, default=3600, help="seconds for one training or prediction")
    parser.add_argument("--memory", type=float, default=20, help="GB for one training or prediction")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    parser.add_argument("--quiet-only", action="store_true", help="run again what was measured on a busy machine")
    parser.add_argument("--retry-failed", action="store_true", help="run again what failed")
    parser.add_argument("--missing-answers", action="store_true", help="run again what left no answers in .cache")
    return parser.parse_args()


def main() -> None:
    chosen = arguments()
    race = Race(
        data=chosen.data,
        runs=chosen.runs,
        threads=chosen.threads,
        limits=Limits(chosen.limit, int(chosen.memory * 1e9)),
        quiet_only=chosen.quiet_only,
        retry_failed=chosen.retry_failed,
        missing_answers=chosen.missing_answers,
    )
    if chosen.task in ("all", "run"):
        datasets = tuple(HELD_BACK) if chosen.held_back else chosen.sets or RACE
        run_race(race, datasets, [all_systems()[name] for name in chosen.systems])
        if "ramify" in chosen.systems:
            run_texts(race, datasets)
    if chosen.task in ("all", "growth") and not chosen.held_back:
        run_growth(race, [name for name in chosen.sets or GENERATED if name in GENERATED], chosen.systems)
    if chosen.task in ("all", "table"):
        rows = read_rows(ROWS)
        parts = [results_page(rows, chosen.threads), peer_section(read_rows(TRIALS)), study_sections(chosen.threads)]
        REPORT.write_text("\n".join(parts), "utf-8")
        parts = [readme_table(rows, chosen.threads), left_out_line()]
        write_readme(README, "\n\n".join(filter(None, parts)))
    if chosen.task in ("all", "plot"):
        draw_plots(read_rows(ROWS), chosen.threads, PLOTS)
        draw_encoders(read_rows(ENCODERS), chosen.threads, PLOTS)


def run_growth(race: Race, datasets: Sequence[str], systems: Sequence[str]) -> None:
    """Run the generated family, each system up to its maximum size."""
    for dataset in datasets:
        able = [name for name, most in GROWTH_SYSTEMS.items() if GENERATED[dataset] <= most and name in systems]
        run_race(race, [dataset], [all_systems()[name] for name in able])


if __name__ == "__main__":
    run_until_stopped(main, "rows")
