"""Mutation run: mutmut changes one operator, number or argument at a time and runs the tests that reach the change.

    python tests/mutation.py                                    all modules of [tool.mutmut] in pyproject.toml
    python tests/mutation.py 'ramify.chains.reinforced.*'       mutants whose names match a pattern

A mutant that survives is an error that no test would find, or a change without effect. mutmut works on a copy of the
sources in mutants/. It keeps the results there: an interrupted run goes on where it stopped, and only functions that
have changed since are run again. Survivors with their differences are written to mutants/survivors.diff. Needs the
extra ``mutation``. Most mutants take a second, survivors as long as all tests that reach them. Not a part of CI.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SURVIVORS = ROOT / "mutants" / "survivors.diff"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Set to 1: pools of threads do not survive the fork of a mutant's process."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="patterns of mutants, such as 'ramify.linear.*'")
    parser.add_argument("--processes", type=int, default=1)
    chosen = parser.parse_args()
    os.chdir(ROOT)
    os.environ |= dict.fromkeys(THREADS, "1")
    prepare_imports()
    from mutmut.__main__ import cli

    try:
        cli(["run", "--max-children", str(chosen.processes), *chosen.names], standalone_mode=False)
    finally:
        report()


def prepare_imports() -> None:
    """Let ``ramify`` be imported from the mutated copy, and name modules of benchmarks/ as their tests import them."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if "ScikitBuild" not in type(finder).__name__]
    from mutmut import __main__ as command
    from mutmut.mutation import file_mutation
    from mutmut.utils.format_utils import get_mutant_name

    def name_as_imported(path: Path, function: str) -> str:
        return get_mutant_name(path, function).removeprefix("benchmarks.")

    for module in (command, file_mutation):
        vars(module)["get_mutant_name"] = name_as_imported


def report() -> None:
    """Print the number of mutants by module and result, and write the survivors."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    counts, survivors = results()
    SURVIVORS.write_text("\n\n".join(f"# {name}\n{get_diff_for_mutant(name, path=path)}" for name, path in survivors))
    print()
    for path, count in counts.items():
        print(f"{path:50} " + ", ".join(f"{number} {result}" for result, number in sorted(count.items())))
    print(f"{len(survivors)} survivors: {SURVIVORS.relative_to(ROOT)}")


def results() -> tuple[dict[str, Counter[str]], list[tuple[str, Any]]]:
    """Number of mutants by module and result; name and path of the survivors."""
    from mutmut.__main__ import SourceFileMutationData, status_by_exit_code, walk_mutatable_files

    counts: dict[str, Counter[str]] = defaultdict(Counter)
    survivors = []
    for path in walk_mutatable_files():
        stored = SourceFileMutationData(path=path)
        stored.load()
        for name, code in stored.exit_code_by_key.items():
            result = status_by_exit_code[code]
            counts[str(path)][result] += 1
            if result in ("survived", "no tests"):
                survivors.append((name, path))
    return counts, survivors


if __name__ == "__main__":
    main()
