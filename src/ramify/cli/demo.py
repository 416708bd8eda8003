"""``ramify demo``: train, measure and ask, on data that every machine has."""

from __future__ import annotations

import select
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

from typer import Option

from ramify.cli.options import OutputOptions, ThreadOptions

if TYPE_CHECKING:
    from ramify.cli.stages import Stages
    from ramify.demo.contest import Contest
    from ramify.tagger import Tagger
    from ramify.values import Dataset

HELP = """See it work, in a minute, without a download.

The data are built from this Python installation: a function's name and docstring are the text, the functions that it
calls are the labels. A model is trained on nine tenths, measured on the rest beside a most-popular-labels baseline and
scikit-learn's one-vs-rest, and then answers your queries.

Examples:

  ramify demo
  ramify demo --ask "read a csv file into rows" --ask "sort a list by key"
  ramify demo --out demo-model
"""
TRAINING_STAGES = ("features", "represent", "index", "train", "pack")
QUERIES = ("read a csv file into rows", "compress a file with gzip", "compute the eigenvalues of a matrix")


@dataclass(frozen=True, kw_only=True)
class DemoOptions(OutputOptions, ThreadOptions):
    """What ``ramify demo`` is asked for."""

    ask: Annotated[
        Optional[list[str]],  # noqa: UP045
        Option(metavar="TEXT", help="Answer this instead of asking for queries; may be repeated."),
    ] = None
    k: Annotated[int, Option("-k", metavar="N", help="Labels per answer.")] = 5
    show: Annotated[int, Option(metavar="N", help="Test documents to show.")] = 3
    rival_seconds: Annotated[
        float, Option(metavar="X", help="Time that scikit-learn's one-vs-rest gets; 0 leaves it out.")
    ] = 30.0
    out: Annotated[Optional[Path], Option("--out", "-o", metavar="DIR", help="Keep the model here.")] = None  # noqa: UP045
    seed: Annotated[int, Option(metavar="N", help="Same seed, same model.")] = 0


def run(options: DemoOptions) -> None:
    """Train, measure, show, answer.

    Raises
    ------
    RamifyError
        Options out of range, or a Python without sources.
    """
    from ramify.cli.output import show, show_json
    from ramify.cli.stages import Stages
    from ramify.demo.contest import Contest
    from ramify.errors import InputError
    from ramify.store import check_target

    if options.k < 1 or options.show < 0 or not options.rival_seconds >= 0:
        raise InputError("-k must be at least 1, --show and --rival-seconds at least 0")
    if options.out is not None:
        check_target(options.out)
    with Stages(quiet=options.quiet) as stages:
        train, test = _data(stages)
        _say(options, f"{len(train):,} documents to train on, {len(test):,} to test, {train.n_labels:,} labels")
        tagger = _tagger(options).fit_dataset(train, progress=stages)
        contest = Contest.of(
            tagger,
            train,
            test,
            seconds=sum(stages.seconds.get(stage, 0.0) for stage in TRAINING_STAGES),
            rival_seconds=options.rival_seconds,
            progress=stages,
        )
    if options.out is not None:
        tagger.save(options.out)
    queries = options.ask or []
    if options.json:
        answers = {query: tagger.tag([query], _k(options, tagger))[0] for query in queries}
        show_json({"stage_seconds": stages.seconds, **contest.as_dict(), "answers": answers})
        return
    show(f"{contest}\n")
    _show_documents(options, tagger, test, contest)
    for query in queries or ([] if sys.stdin.isatty() else _piped_queries() or QUERIES):
        _answer(options, tagger, query)
    if not queries and sys.stdin.isatty():
        _converse(options, tagger)


def _piped_queries() -> list[str]:
    """The lines that wait on stdin, as after ``echo ... | ramify demo``; none where nothing waits."""
    try:
        waiting = bool(select.select([sys.stdin], [], [], 0)[0])
    except (OSError, ValueError, TypeError):  # no descriptor, or a system without select for pipes
        return []
    if not waiting:
        return []
    lines = sys.stdin.buffer.read().decode("utf-8", "replace").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _say(options: DemoOptions, text: str) -> None:
    from ramify.cli.output import note

    note(text, quiet=options.quiet or options.json)


def _data(stages: Stages) -> tuple[Dataset, Dataset]:
    from ramify.demo import demo_dataset

    with stages.stage("build data"):
        train, test = demo_dataset(progress=lambda done, of: stages("build data", done / of))
    stages.n_documents = len(train)
    return train, test


def _tagger(options: DemoOptions) -> Tagger:
    from ramify.models import XRLinear
    from ramify.tagger import Tagger

    return Tagger(XRLinear(seed=options.seed, threads=options.threads))


def _k(options: DemoOptions, tagger: Tagger) -> int:
    return min(options.k, len(tagger.label_names_))


def _show_documents(options: DemoOptions, tagger: Tagger, test: Dataset, contest: Contest) -> None:
    from ramify.cli.output import show

    for row in contest.typical_rows(options.show):
        text = (test.texts or [])[row]
        truth = set(test.labels_of(row))
        tags = tagger.tag([text], _k(options, tagger))[0]
        show(_shortened(text))
        show(f"  calls      {_shortened(', '.join(sorted(truth)))}")
        show("  predicted  " + ", ".join(f"{'+' if label in truth else '-'}{label}" for label, _ in tags) + "\n")


def _answer(options: DemoOptions, tagger: Tagger, query: str) -> None:
    from ramify.cli.output import flush, show

    tags = tagger.tag([query], _k(options, tagger))[0]
    show(f"ask> {query}" if options.ask or not sys.stdin.isatty() else "")
    for label, score in tags:
        show(f"  {score:5.2f}  {label}")
    show("" if tags else "  no word of this is known\n")
    flush()


def _converse(options: DemoOptions, tagger: Tagger) -> None:
    from ramify.cli.output import show

    show(f'Ask for a function, as in "{QUERIES[0]}"; an empty line ends.')
    while True:
        try:
            query = input("ask> ").strip()
        except EOFError:
            return
        if not query:
            return
        _answer(options, tagger, query)


def _shortened(text: str, width: int = 100) -> str:
    words = " ".join(text.split())
    return words if len(words) <= width else words[: width - 3] + "..."
