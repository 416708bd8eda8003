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

The data are built from this Python installation: the labels are functions of the standard library, NumPy and SciPy, the
texts are docstrings, labelled with the function that they describe and with the functions that it calls. A model is
trained, measured on documents held out beside a most-popular-labels baseline and scikit-learn's one-vs-rest, and then
answers your queries.

Examples:

  ramify demo
  ramify demo --ask "read a csv file into rows" --ask "sort a list by key"
  ramify demo --out demo-model
"""
TRAINING_STAGES = ("features", "represent", "index", "train", "pack")
QUERIES = ("read a csv file into rows", "greatest common divisor", "shuffle a list in random order")
NEXT_STEPS = (
    """  ramify train documents.jsonl --out model""",
    """  ramify predict model --ask "a text\"""",
    """Each line of documents.jsonl: {"text": "...", "labels": ["...", "..."]}""",
)


@dataclass(frozen=True, kw_only=True)
class DemoOptions(OutputOptions, ThreadOptions):
    """Options of ``ramify demo``."""

    ask: Annotated[
        Optional[list[str]],  # noqa: UP045
        Option(metavar="TEXT", help="Answer this instead of asking for queries; may be repeated."),
    ] = None
    k: Annotated[int, Option("-k", metavar="N", help="Labels per answer.")] = 5
    show: Annotated[int, Option(metavar="N", help="Test documents to show.")] = 2
    rival_seconds: Annotated[
        float, Option(metavar="X", help="Time limit of scikit-learn's one-vs-rest; 0 leaves it out.")
    ] = 15.0
    out: Annotated[Optional[Path], Option("--out", "-o", metavar="DIR", help="Keep the model here.")] = None  # noqa: UP045
    seed: Annotated[int, Option(metavar="N", help="Same seed, same model.")] = 0


def run(options: DemoOptions) -> None:
    """Train, measure, show, answer.

    Raises
    ------
    RamifyError
        Options out of range, or a Python without sources.
    """
    from ramify.cli.demo_page import heading, page, table
    from ramify.cli.output import show, show_json
    from ramify.cli.stages import Stages
    from ramify.demo import demo_tagger
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
        tagger = demo_tagger(seed=options.seed, threads=options.threads).fit_dataset(train, progress=stages)
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
    show(page(table(contest.table()), *contest.remarks(), ""))
    _show_documents(options, tagger, test, contest)
    for query in queries or ([] if sys.stdin.isatty() else _piped_queries() or QUERIES):
        _answer(options, tagger, query)
    if not queries and sys.stdin.isatty():
        _converse(options, tagger)
    show(page(heading("Next, train on your own documents:"), *NEXT_STEPS))


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


def _k(options: DemoOptions, tagger: Tagger) -> int:
    return min(options.k, len(tagger.label_names_))


def _show_documents(options: DemoOptions, tagger: Tagger, test: Dataset, contest: Contest) -> None:
    from ramify.cli.demo_page import document, heading, page
    from ramify.cli.output import show

    rows = contest.typical_rows(options.show)
    if rows:
        show(page(heading("Held-out functions of median precision (+ called, - not called):")))
    for row in rows:
        text = (test.texts or [])[row]
        tags = tagger.tag([text], _k(options, tagger))[0]
        show(page(document(text, set(test.labels_of(row)), tags), ""))


def _answer(options: DemoOptions, tagger: Tagger, query: str) -> None:
    from ramify.cli.demo_page import answer, page
    from ramify.cli.output import flush, show

    typed = not options.ask and sys.stdin.isatty()
    tags = tagger.tag([query], _k(options, tagger))[0]
    show(page(*answer("" if typed else query, tags), ""))
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
