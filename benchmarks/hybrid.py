"""tf-idf beside 384 dense columns: ramify on a ``Hybrid``, libpecos on the same rows as CSR.

    python benchmarks/hybrid.py                             # gutenberg-lcsh with two kinds of tf-idf
    python benchmarks/hybrid.py --sets crs-bills-mini --runs 1

"SET" has the tf-idf of ``Tfidf()``, "SET+pairs" that of the race: words and pairs of words, as of scikit-learn.

The dense block: MiniLM embeddings of the texts, made once and kept in the cache (minutes of CPU for gutenberg-lcsh; an
interrupted call continues). All systems have the same weight of the block (``hybrid_sets.WEIGHT``), except "ramify,
chosen weight", which chooses it on held-out training documents in its training time. "ramify, tf-idf" has no dense
block, and "ramify, CSR" takes the matrix of the peers. Rows go to ``results/hybrid.jsonl``; rows that are there are
skipped. ``python benchmarks/race.py table`` writes the section of ``RESULTS.md``.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from racing.hybrid_sets import WEIGHT, prepare_hybrid
from racing.hybrid_tables import COMPARED, HYBRID
from racing.matrices import MissingDataError
from racing.places import DATA
from racing.runner import Limits
from racing.stopping import run_until_stopped
from racing.systems import LIBPECOS, System
from racing.track import Race, compare, take_turn

MODULES = ("ramify.models.trees.xr_linear",)


def systems() -> tuple[System, ...]:
    """Ramify's in four forms, and libpecos with its defaults and with hard negatives at the leaves."""
    from ramify import __version__

    ours = System("ramify", "run_hybrid.py", __version__, settings={"dense_weight": WEIGHT}, modules=MODULES)
    return (
        ours,
        replace(ours, name="ramify, chosen weight", settings={}),
        replace(ours, name="ramify, CSR", script="run_matrices.py", settings={"matrix": "X"}),
        replace(ours, name="ramify, tf-idf", script="run_matrices.py", settings={"matrix": "sparse"}),
        LIBPECOS,
        replace(LIBPECOS, name="libpecos, tfn+man", settings={"negatives": "tfn+man"}),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [system.name for system in systems()]
    parser.add_argument("--sets", nargs="+", default=["gutenberg-lcsh", "gutenberg-lcsh+pairs"])
    parser.add_argument("--systems", nargs="+", default=names, choices=names, metavar="SYSTEM", help=", ".join(names))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit", type=float, default=3600, help="seconds for one training or prediction")
    parser.add_argument("--memory", type=float, default=20, help="GB for one training or prediction")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    chosen = parser.parse_args()
    race = Race(
        data=chosen.data,
        runs=chosen.runs,
        threads=chosen.threads,
        limits=Limits(chosen.limit, int(chosen.memory * 1e9)),
        rows=HYBRID,
        script="hybrid.py",
    )
    for name in chosen.sets:
        try:
            matrices = prepare_hybrid(name, chosen.data, chosen.threads)
        except (MissingDataError, ValueError) as missing:
            print(missing)
            continue
        for number in range(1, chosen.runs + 1):
            for system in (one for one in systems() if one.name in chosen.systems):
                take_turn(race, matrices, system, number)
        compare(race, matrices, COMPARED)


if __name__ == "__main__":
    run_until_stopped(main, "rows")
