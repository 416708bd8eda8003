r"""Labels that are generated: XLGen and its guided variants beside trees, with all labels of training and test files.

    python benchmarks/generation.py tune --sets crs-bills-mini --systems xlgen-base xlgen-base@epochs=40
    python benchmarks/generation.py tune --systems remedies
    python benchmarks/generation.py run                     # every system on both sets, all and half of the labels
    python benchmarks/generation.py run --sets gutenberg-lcsh:5000 --systems xlgen-mcg@clusters=100,denoise=5
    python benchmarks/generation.py join                    # ensembles, from the kept answers
    python benchmarks/generation.py trie
    python benchmarks/generation.py proposals --sets gutenberg-lcsh:5000

``run`` trains each system in a fresh process on four fifths of the training documents; the answers for the last fifth
have the thresholds for those for the test documents. NAME@SETTING=VALUE,... is a system with other settings. ``tune``
measures the held-out fifth only; each half of it has the thresholds of the other half. All documents on a GPU, where no
system begins after 8 minutes:

    python benchmarks/generation.py run --sets gutenberg-lcsh --minutes 8 --seeds 1 --shares 0 \
        --settings '{"device": "cuda", "batch_size": 128}'

``join`` merges the preset best with each generator, and with the same preset under another seed. ``trie`` measures the
trie of all label names; ``proposals`` decodes 20 test documents with the kept model of xlgen-base (of ``run``, without
hidden labels, seed 0) and adds their new strings to ``results/xlgen-judged.json``, where a person writes judgements.

Remedies to try where a generator is weak; "remedies" stands for all generators of ``REMEDIES`` with and without them:

@denoised                        training on incomplete label names first (denoise=5)
@longer                          twice the epochs of ``SETTINGS``
@fewer-clusters, @more-clusters  another K of the guided variants (clusters=10, clusters=100)

"SET:10000" is a sample of the training documents with seed 0. With ``--test N``, N test documents are answered (sample
with seed 0); ``join`` and ``proposals`` need the ``--test`` of ``run``. Rows go to ``results/xlgen.jsonl``; rows that
are there are skipped, answers are kept in the cache, so that the next call continues. ``python benchmarks/race.py
table`` writes the section of ``RESULTS.md``.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from contestants.taggers import ENCODER, EVERY, GENERATORS
from racing.decision_answers import AnswerError
from racing.generation_answers import HELD_OUT, KEPT, TEST, Problem
from racing.generation_extras import add_unjudged, proposal_row, trie_row
from racing.generation_join import CONTROL, FIRST, ensemble_name, joined
from racing.generation_measures import OWN, compared, measured, measured_in_halves, sets_of, threshold_sets
from racing.generation_tables import BASE, GENERATION, GUIDED
from racing.held_out import parsed
from racing.machine import machine
from racing.matrices import Matrices, MissingDataError
from racing.places import DATA
from racing.rows import Row, add_stamped, matching
from racing.runner import Limits
from racing.stopping import run_until_stopped
from racing.systems import System
from racing.text_sets import names_of, prepare_texts
from racing.text_systems import text_system

SETTINGS: dict[str, dict[str, Any]] = {
    "gutenberg-lcsh": {"max_tokens": 48, "max_target": 64, "epochs": 10},
    "crs-bills-mini": {"max_tokens": 128, "max_target": 192, "epochs": 20},
}
"""Settings of the generators by data set; others are defaults. The longest heading of gutenberg-lcsh has 48 tokens, so
that ``max_target`` is at least 49."""
SETS = ("crs-bills-mini", "gutenberg-lcsh:5000")
SYSTEMS = (*GENERATORS, "xr-linear", "xr-transformer", FIRST, CONTROL)
SHARES = (0.0, 0.5)
CHANGES = "@"
"""Between the name of a system and its other settings."""


ALL_REMEDIES = "remedies"
OF_ALL, OF_GUIDED = ("denoised", "longer"), ("fewer-clusters", "more-clusters")
REMEDIES = {BASE: OF_ALL, **dict.fromkeys(GUIDED, (*OF_ALL, *OF_GUIDED))}
"""Generator -> the remedies to try."""


def main() -> None:
    chosen = _arguments()
    for name in chosen.sets:
        try:
            matrices = prepare_texts(name, chosen.data, every_label=True)
        except (MissingDataError, ValueError) as missing:
            print(missing)
            continue
        for row in TASKS[chosen.task](chosen, matrices):
            stamped = add_stamped(GENERATION, row)
            print(json.dumps({key: stamped[key] for key in stamped if key not in HIDDEN}), flush=True)


HIDDEN = ("machine", "settings", "documents")
"""Parts of a row that are not shown while a command runs."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=list(TASKS))
    parser.add_argument("--sets", nargs="+", default=list(SETS), metavar="SET")
    known = f"{', '.join(EVERY)}, or {ALL_REMEDIES}"
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), metavar="SYSTEM", help=known)
    parser.add_argument("--shares", nargs="+", type=float, default=list(SHARES), help="hidden shares of the labels")
    parser.add_argument("--seeds", type=int, default=2, help="number of seeds")
    parser.add_argument("--test", type=int, metavar="N", help="test documents of a sample; all if left out")
    parser.add_argument("--settings", type=json.loads, default={}, help="of all generators, as a JSON object")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=float, default=7200, help="seconds for one training or prediction")
    parser.add_argument("--minutes", type=float, default=math.inf, help="run: no system begins after these")
    parser.add_argument("--memory", type=float, default=20, help="GB for one training or prediction")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    chosen = parser.parse_args()
    chosen.systems = with_remedies(chosen.systems)
    unknown = [name for name in chosen.systems if name.partition(CHANGES)[0] not in EVERY]
    if unknown:
        parser.error(f"no system {', '.join(unknown)}: choose from {known}")
    return chosen


def with_remedies(names: Sequence[str]) -> list[str]:
    """The names, "remedies" replaced by those of the generators with and without remedies."""
    remedied: list[str] = []
    for base, remedies in REMEDIES.items():
        remedied += [base, *(f"{base}{CHANGES}{remedy}" for remedy in remedies)]
    found = [one for name in names for one in (remedied if name == ALL_REMEDIES else [name])]
    return list(dict.fromkeys(found))


def system_of(name: str, dataset: str, settings: dict[str, Any]) -> System | None:
    """A system with its settings for a data set; None, with a message, if a part of it is not there."""
    from ramify.errors import RamifyError

    base, _, changes = name.partition(CHANGES)
    own = SETTINGS.get(parsed(dataset)[0], {}) | settings if base in GENERATORS else {}
    try:
        system = text_system(base)
        settings = system.settings | own | changed(changes, own)
        found = replace(system, name=name, script="run_generation.py", settings=settings)
        found.identity()  # its settings are valid
    except (ImportError, AttributeError, TypeError, RamifyError) as failure:
        print(f"{name}: {failure}")
        return None
    return found


def changed(text: str, own: dict[str, Any]) -> dict[str, Any]:
    """Settings of "clusters=100,denoise=5" or of remedies, beside own ones; a value that is not JSON is a string."""
    from ramify.generate import XLGen

    remedies: dict[str, dict[str, Any]] = {
        "denoised": {"denoise": 5},
        "longer": {"epochs": 2 * own.get("epochs", XLGen().epochs)},
        "fewer-clusters": {"clusters": 10},
        "more-clusters": {"clusters": 100},
    }
    found: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        found |= remedies[part] if part in remedies else {name: _value(value)}
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _systems(chosen: argparse.Namespace, dataset: str, names: Sequence[str]) -> list[System]:
    found = (system_of(name, dataset, chosen.settings) for name in names)
    return [system for system in found if system is not None]


def problem_of(chosen: argparse.Namespace, matrices: Matrices, share: float, seed: int) -> Problem:
    """A problem under the limits of the command line."""
    limits = Limits(chosen.limit, int(chosen.memory * 1e9))
    return Problem(matrices=matrices, share=share, seed=seed, tests=chosen.test, threads=chosen.threads, limits=limits)


def key_of(kind: str, problem: Problem, system: System) -> Row:
    """What makes two rows the same measurement."""
    key = {"kind": kind} | problem.key | {"system": system.name, "identity": system.identity()}
    return key | {"machine": machine()}


def is_done(key: Row, limits: Limits | None = None) -> bool:
    """Whether a row is there; a failed one counts unless a limit has risen since."""
    same = matching(GENERATION, key)
    return any(not row.get("failed") or limits is None or not _has_risen(limits, row) for row in same)


def _has_risen(limits: Limits, row: Row) -> bool:
    return limits.seconds > row["limit_s"] or limits.bytes / 1e9 > row["limit_gb"]


def run(chosen: argparse.Namespace, matrices: Matrices) -> Iterator[Row]:
    """Rows of the systems that are due, the first seed of all systems first; then the paired differences."""
    systems, begun = _systems(chosen, matrices.dataset, chosen.systems), time.monotonic()
    for seed in range(chosen.seeds):
        for share in chosen.shares:
            problem = problem_of(chosen, matrices, share, seed)
            for system in systems:
                key = key_of("run", problem, system)
                if is_done(key, problem.limits):
                    continue
                if time.monotonic() - begun > 60 * chosen.minutes:
                    print(f"{system.name}: left out, since {chosen.minutes:g} minutes have passed", flush=True)
                    continue
                yield key | _measured_run(problem, system)
    for share in chosen.shares:
        yield from _guided_beside_base(chosen, matrices, share)


def _measured_run(problem: Problem, system: System) -> Row:
    row: Row = {"settings": system.settings, "tests": problem.Y_test.shape[0]}
    row |= {"limit_s": problem.limits.seconds, "limit_gb": problem.limits.bytes / 1e9}
    try:
        held, test = (problem.answers(system, part) for part in (HELD_OUT, TEST))
    except AnswerError as failure:
        return row | {"failed": str(failure), "busy": False}
    return row | test.costs | measured(problem, TEST, test.top, sets_of(problem, held, test))


def tune(chosen: argparse.Namespace, matrices: Matrices) -> Iterator[Row]:
    """Rows of held-out documents, of the first seed and the first share."""
    problem = problem_of(chosen, matrices, chosen.shares[0], 0)
    for system in _systems(chosen, matrices.dataset, chosen.systems):
        key = key_of("trial", problem, system)
        if is_done(key, problem.limits):
            continue
        row = key | {"settings": system.settings}
        row |= {"limit_s": problem.limits.seconds, "limit_gb": problem.limits.bytes / 1e9}
        try:
            held = problem.answers(system, HELD_OUT)
        except AnswerError as failure:
            yield row | {"failed": str(failure)}
            continue
        yield row | held.costs | measured_in_halves(problem, held)


def _guided_beside_base(chosen: argparse.Namespace, matrices: Matrices, share: float) -> Iterator[Row]:
    """Differences of each other chosen generator to the base variant: their own label sets, and the rankings."""
    problems = [problem_of(chosen, matrices, share, seed) for seed in range(chosen.seeds)]
    names = [name for name in chosen.systems if name.startswith("xlgen-") and name != BASE]
    first, *others = [system_of(name, matrices.dataset, chosen.settings) for name in (BASE, *names)]
    for second in others:
        if first is None or second is None:
            continue
        both = [one for one in problems if all(one.home(system, TEST).exists() for system in (first, second))]
        answers = {
            system.name: [(found.top, found.sets(OWN)) for found in (one.answers(system, TEST) for one in both)]
            for system in (first, second)
        }
        if not both or any(sets is None for _, sets in answers[second.name]):
            continue  # one that is joined with a tree has no sets of its own
        yield from _difference(both, (second.name, second.identity()), (first.name, first.identity()), answers)


def _difference(
    problems: Sequence[Problem], own: tuple[str, str], peer: tuple[str, str], answers: dict[str, Any]
) -> Iterator[Row]:
    """The row of a comparison, if it is due."""
    shared = {name: value for name, value in problems[0].key.items() if name not in ("seed", "run")}
    key = {"kind": "paired"} | shared | {"seeds": [one.seed for one in problems]}
    key |= {"system": own[0], "identity": own[1], "peer": peer[0], "peer_identity": peer[1], "machine": machine()}
    if not is_done(key):
        yield key | {"differences": compared(problems, answers[own[0]], answers[peer[0]])}


def join(chosen: argparse.Namespace, matrices: Matrices) -> Iterator[Row]:
    """Rows of the ensembles whose members have answers, and their differences to the control."""
    names = [name for name in chosen.systems if name.partition(CHANGES)[0] in GENERATORS]
    first, *others = _systems(chosen, matrices.dataset, (FIRST, CONTROL, *names))
    for share in chosen.shares:
        problems = [problem_of(chosen, matrices, share, seed) for seed in range(chosen.seeds)]
        control: dict[int, tuple[Any, Any]] = {}
        for second in others:
            name, identity = ensemble_name(second.name), f"{first.identity()}+{second.identity()}"
            found: dict[int, tuple[Any, Any]] = {}
            for problem in (one for one in problems if _are_kept(one, (first, second))):
                ensemble = joined(problem, first, second)
                sets = threshold_sets(problem, ensemble.held, ensemble.test)
                found[problem.seed] = ensemble.test, sets[SET_OF_JOINED]
                key = key_of("joined", problem, second) | {"system": name, "identity": identity}
                if not is_done(key):
                    rule = {"combine": ensemble.combine, "weight": ensemble.share}
                    yield key | rule | measured(problem, TEST, ensemble.test, sets)
            if second.name == CONTROL:
                control, control_identity = found, identity
                continue
            both = [one for one in problems if one.seed in found and one.seed in control]
            answers = {name: [found[one.seed] for one in both]}
            answers[ensemble_name(CONTROL)] = [control[one.seed] for one in both]
            if both:
                yield from _difference(both, (name, identity), (ensemble_name(CONTROL), control_identity), answers)


SET_OF_JOINED = "micro threshold"
"""The label sets by which ensembles are compared."""


def _are_kept(problem: Problem, systems: Sequence[System]) -> bool:
    """Whether all answers of these systems are in the cache."""
    return all(problem.home(system, part).exists() for system in systems for part in (HELD_OUT, TEST))


def trie(chosen: argparse.Namespace, matrices: Matrices) -> Iterator[Row]:
    """The trie of all label names; a repeated call measures again."""
    row = {"kind": "trie", "dataset": parsed(matrices.dataset)[0], "encoder": ENCODER, "machine": machine()}
    yield row | {"threads": chosen.threads} | trie_row(names_of(matrices), ENCODER, chosen.threads)


def proposals(chosen: argparse.Namespace, matrices: Matrices) -> Iterator[Row]:
    """The proposals of the kept models."""
    problem = problem_of(chosen, matrices, 0.0, 0)
    names = [name for name in chosen.systems if name.startswith(KEPT)]
    for system in _systems(chosen, matrices.dataset, names):
        key = key_of("proposals", problem, system)
        try:
            row = key | proposal_row(problem, system)
        except FileNotFoundError:
            print(f"{matrices.dataset}: no kept model of {system.name}: call run first")
            continue
        print(f"{matrices.dataset}: {add_unjudged(row['documents'])} proposals without a judgement")
        yield row


TASKS = {"run": run, "tune": tune, "join": join, "trie": trie, "proposals": proposals}

if __name__ == "__main__":
    run_until_stopped(main, "rows")
