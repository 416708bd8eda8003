"""``ramify push``: upload of a model to a hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

from typer import Argument, Option

from ramify.cli.options import FieldOptions, HubOptions, OutputOptions, ThreadOptions

if TYPE_CHECKING:
    from ramify.evaluation import Report

HELP = """Upload a model and a model card to a hub such as Hugging Face.

The two files of the model are verified, and uploaded in one commit. The card is generated: labels, training data,
use, limits, sizes, and measures from --test or --report. It contains names of labels, but no texts. The access token
is that of HF_TOKEN, of hf auth login, or of --token-file.

Examples:

  ramify push model ann/bills --private
  ramify push model ann/bills --test test.jsonl --license cc-by-4.0
  ramify evaluate model test.jsonl --bootstrap 1000 --json > report.json
  ramify push model ann/bills --report report.json --data-name "CRS bills 2010"
"""
CARD_PANEL = "Model card"


@dataclass(frozen=True, kw_only=True)
class PushOptions(OutputOptions, HubOptions, ThreadOptions, FieldOptions):
    """Options of ``ramify push``."""

    model: Annotated[Path, Argument(metavar="MODEL", help="Directory of a trained model.")]
    repository: Annotated[str, Argument(metavar="REPO", help="Repository, as in ann/bills; created if it is missing.")]
    private: Annotated[
        bool, Option("--private", help="Create a private repository; refuse an existing public one.")
    ] = False
    message: Annotated[Optional[str], Option(metavar="TEXT", help="Message of the commit.")] = None  # noqa: UP045
    test: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="FILE", help="Labelled documents: measure the model for the card.", rich_help_panel=CARD_PANEL),
    ] = None
    report: Annotated[
        Optional[Path],  # noqa: UP045
        Option(metavar="FILE", help="Output of ramify evaluate --json for the card.", rich_help_panel=CARD_PANEL),
    ] = None
    data_name: Annotated[
        Optional[str],  # noqa: UP045
        Option(
            metavar="NAME",
            help="Name of the test documents on the card. (default: file of --test)",
            rich_help_panel=CARD_PANEL,
        ),
    ] = None
    license: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="ID", help="Licence of the model, as in apache-2.0.", rich_help_panel=CARD_PANEL),
    ] = None
    no_card: Annotated[
        bool, Option("--no-card", help="Leave the card of the repository as it is.", rich_help_panel=CARD_PANEL)
    ] = False


def run(options: PushOptions) -> None:
    """Measure the model if documents are given, and upload it.

    Raises
    ------
    RamifyError
        An invalid model or report, no permission, or no network.
    """
    from ramify.cli.output import bytes_text, note, show, show_json

    _check(options)
    place = options.place(options.repository)
    from ramify.hub import CardOptions, push

    report = _report(options)
    name = options.data_name or (None if options.test is None else Path(options.test).name)
    card = CardOptions(report=report, test_data=name, license=options.license)
    pushed = push(
        options.model,
        place,
        private=options.private or None,
        message=options.message,
        card=False if options.no_card else card,
        progress=options.shows_progress,
    )
    if options.json:
        show_json(pushed.as_dict())
        return
    show(pushed.url)
    size = bytes_text(pushed.bytes)
    note(f"pushed {', '.join(pushed.files)} ({size}) in commit {pushed.commit[:12]}", quiet=options.quiet)


def _check(options: PushOptions) -> None:
    from ramify.errors import InputError

    if options.test is not None and options.report is not None:
        raise InputError("--test and --report are both given: choose one")
    given = {
        "--test": options.test,
        "--report": options.report,
        "--data-name": options.data_name,
        "--license": options.license,
    }
    for flag, value in given.items():
        if options.no_card and value is not None:
            raise InputError(f"{flag} is for the card, but --no-card is given: leave one of them out")


def _report(options: PushOptions) -> Report | None:
    """The measures for the card: from a file, or of the model on labelled documents."""
    if options.report is not None:
        from ramify.hub import read_report

        return read_report(options.report)
    if options.test is None:
        return None
    from ramify.answering import open_tagger
    from ramify.cli.stages import Stages
    from ramify.evaluation import EvaluationConfig
    from ramify.tagger.assessment import RESAMPLES, assess

    tagger = open_tagger(options.model, threads=options.threads)
    with Stages(quiet=options.quiet) as stages:
        with stages.stage("read"):
            test = options.read(options.test, tagger)
        stages.n_documents = len(test)
        config = EvaluationConfig(bootstrap=RESAMPLES)
        with stages.stage("predict"):
            found = assess([tagger], test, config, threads=options.threads, progress=stages)
        with stages.stage("measure"):
            return found.report()
