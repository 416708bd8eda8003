"""Settings of the peers, chosen on held-out parts of the training data; the race runs the winners as ``NAME-tuned``.

    python benchmarks/peers.py                                # every grid on every data set of the race
    python benchmarks/peers.py --sets bibtex --systems libpecos
    python benchmarks/peers.py --held-back                    # on the sets that are raced once, at the end

Adds a row for each trial to ``benchmarks/results/peer-tuning.jsonl`` and skips the rows that are there. Grids, budget
and the choice: ``racing/grids.py``. Criterion and held-out parts: ``racing/held_out.py``. The test documents are not
read.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import scipy.sparse as sp

from racing.grids import GRIDS, TRIALS, Tried, trial_key
from racing.held_out import sampled, split
from racing.matrices import Matrices, MissingDataError, prepare
from racing.places import DATA
from racing.rows import read_rows
from racing.runner import Limits
from racing.sets import HELD_BACK, RACE, TRIED_AMOUNT, TRIED_SPLITS
from racing.stopping import run_until_stopped
from racing.systems import all_systems
from racing.trials import Trials, run_trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    parser.add_argument("--sets", nargs="+", choices=RACE, default=RACE, metavar="SET", help=", ".join(RACE))
    parser.add_argument("--systems", nargs="+", choices=GRIDS, default=list(GRIDS), metavar="SYSTEM")
    parser.add_argument("--held-back", action="store_true", help=f"instead of --sets: {', '.join(HELD_BACK)}")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit", type=float, default=3600, help="seconds for one training or prediction")
    parser.add_argument("--memory", type=float, default=20, help="GB for one training or prediction")
    chosen = parser.parse_args()
    limits = Limits(chosen.limit, int(chosen.memory * 1e9))
    for dataset in tuple(HELD_BACK) if chosen.held_back else chosen.sets:
        try:
            matrices = prepare(dataset, chosen.data)
        except MissingDataError as missing:
            print(missing)
            continue
        for name in (name for name in chosen.systems if dataset in GRIDS[name].datasets):
            tune(matrices, name, chosen.threads, limits)


def tune(matrices: Matrices, name: str, threads: int, limits: Limits) -> None:
    """Run the trials of one grid that are missing, and print the winner."""
    system, dataset = all_systems()[name], matrices.dataset
    amount = TRIED_AMOUNT.get(dataset)
    shared = {"kind": "trial", "dataset": dataset, "matrices": matrices.fingerprint, "amount": amount}
    shared |= {"system": name, "version": system.version, "threads": threads}
    for _ in range(2):  # the grid, then what follows from its best settings
        settings = _tried(matrices, name).settings()
        for number in range(TRIED_SPLITS.get(dataset, 1)):
            folder = held_out_folder(matrices, amount, number)
            row = shared | {"split": number}
            trials = Trials(system=system, folder=folder, row=row, threads=threads, limits=limits, rows=TRIALS)
            known = {trial_key(one) for one in read_rows(TRIALS)}
            wanted = [one for one in settings if trial_key(row | trials.identified(one)) not in known]
            run_trials(trials, GRIDS[name].models(wanted))
    print(f"{dataset}: {name}: {_tried(matrices, name).winner()}", flush=True)


def _tried(matrices: Matrices, name: str) -> Tried:
    return Tried(name, matrices.dataset, matrices.fingerprint, read_rows(TRIALS))


def held_out_folder(matrices: Matrices, amount: float | None, number: int) -> Path:
    """A folder like that of a data set, whose test documents are the held-out part of its training documents."""
    folder = matrices.folder / f"held-out-{amount or 'all'}-{number}-{matrices.fingerprint}"
    if not folder.exists():
        parts = split(*sampled(matrices.X, matrices.Y, amount), number)
        beside = Path(tempfile.mkdtemp(prefix="held-out-", dir=matrices.folder))
        for name, matrix in zip(("X", "Y", "X_test", "Y_test"), parts, strict=True):
            sp.save_npz(beside / f"{name}.npz", matrix, compressed=False)
        beside.rename(folder)
    return folder


if __name__ == "__main__":
    run_until_stopped(main, "trials")
