"""``ramify evaluate``: measures of one model, or comparison of several models, on labelled documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Optional

from typer import Argument, Option

from ramify.cli.options import OUTPUT_PANEL, FieldOptions, OutputOptions, ThreadOptions

if TYPE_CHECKING:
    from ramify.evaluation import EvaluationConfig
    from ramify.tagger import Tagger
    from ramify.tagger.assessment import Assessment

HELP = """Measure a model on labelled documents.

P, nDCG, PSP, PSnDCG, R, Hit, micro and macro F1 and coverage at each cut-off, then by training frequency of the label.
The model contains the training frequencies, so the training file is not needed.

Examples:

  ramify evaluate model test.jsonl.gz
  ramify evaluate model test.jsonl.gz --ks 1,5,10 --bootstrap 1000 --json
  ramify evaluate model test.jsonl.gz --compare other-model
  ramify evaluate model test.jsonl.gz --decide micro-f1
  ramify evaluate model test.jsonl.gz --compare other-model --report page.html
"""


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(OutputOptions, ThreadOptions, FieldOptions):
    """Options of ``ramify evaluate``."""

    model: Annotated[Path, Argument(metavar="MODEL", help="Directory of a trained model.")]
    data: Annotated[str, Argument(metavar="TEST", help="File of labelled documents.")]
    ks: Annotated[str, Option(metavar="N,N,...", help="Cut-offs.")] = "1,3,5"
    bootstrap: Annotated[
        Optional[int],  # noqa: UP045
        Option(metavar="N", help="Resamples for 95% intervals. (default: none; 1000 with --compare or --report)"),
    ] = None
    compare: Annotated[
        Optional[list[Path]],  # noqa: UP045
        Option(metavar="MODEL", help="Compare with this model by a paired bootstrap; repeatable."),
    ] = None
    report: Annotated[
        Optional[Path],  # noqa: UP045
        Option(
            metavar="FILE",
            help="Write a page with charts and examples: .html or .md.",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None
    train: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="FILE", help="Training file for the label frequencies. (default: frequencies in the model)"),
    ] = None
    propensity: Annotated[
        str, Option(metavar="A,B", help="Propensity parameters; 0.5,0.4 for Wikipedia data, 0.6,2.6 for Amazon data.")
    ] = "0.55,1.5"
    seen_only: Annotated[bool, Option("--seen-only", help="Ignore true labels that did not occur in training.")] = False
    decide: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="RULE", help="Measure the label sets of this rule instead (needs ramify calibrate)."),
    ] = None
    seed: Annotated[int, Option(metavar="N", help="Seed of the resampling.")] = 0


def run(options: EvaluateOptions) -> None:
    """Predict and measure.

    Raises
    ------
    RamifyError
        Invalid models, data or settings, or a report that cannot be written.
    """
    from ramify.answering import open_tagger
    from ramify.cli.stages import Stages
    from ramify.cli.train import note_long_rows
    from ramify.tagger.assessment import assess

    config = _config(options)
    others = options.compare or []
    taggers = [open_tagger(path, threads=options.threads) for path in (options.model, *others)]
    _check_rule(options, taggers)
    with _report_file(options.report) as page, Stages(quiet=options.quiet) as stages:
        with stages.stage("read"):
            test = options.read(options.data, taggers[0])
            training = None if options.train is None else options.read(options.train, taggers[0])
        stages.n_documents = len(test)
        note_long_rows(test, quiet=options.quiet)
        k = _width(options, taggers)
        with stages.stage("predict"):
            found = assess(taggers, test, config, k=k, training=training, threads=options.threads, progress=stages)
        with stages.stage("measure"):
            measured = _measured(options, found)
        if page is not None:
            with stages.stage("report"):
                _write_report(options, found, page)
    _show(options, measured, stages.seconds)


@contextmanager
def _report_file(path: Path | None) -> Iterator[BinaryIO | None]:
    """The open file of the report, which is created on success only; None without a report."""
    if path is None:
        yield None
        return
    from ramify.report.page import page_file

    with page_file(path) as stream:
        yield stream


def _check_rule(options: EvaluateOptions, taggers: Sequence[Tagger]) -> None:
    """Raise InputError for a rule that cannot be used, before the prediction."""
    from ramify.errors import InputError

    if options.decide is None:
        return
    if options.compare and options.report is None:
        raise InputError(
            "--decide and --compare are given, but label sets are not compared: leave one out, or add --report"
        )
    for tagger in taggers:
        tagger.decisions_or_error().rule(options.decide)


def _width(options: EvaluateOptions, taggers: Sequence[Tagger]) -> int:
    """Predicted labels per document, apart from those of the cut-offs."""
    if options.report is not None:
        from ramify.report.facts import page_width

        return page_width(taggers)
    return 1 if options.decide is None else taggers[0].decisions_or_error().k


def _measured(options: EvaluateOptions, found: Assessment) -> dict[str, Any]:
    """The results to print: by the path of the other model for comparisons, else under an empty name."""
    from ramify.tagger.decide.held_out import measured_sets

    if options.compare:
        return {str(path): found.comparison(number) for number, path in enumerate(options.compare, 1)}
    return {"": found.report() if options.decide is None else measured_sets(found, options.decide)}


def _write_report(options: EvaluateOptions, found: Assessment, stream: BinaryIO) -> None:
    from ramify.report.evaluation import evaluation_page
    from ramify.report.facts import facts_of

    paths = [options.model, *(options.compare or [])]
    names = [path.resolve().name for path in paths]
    names = names if len(set(names)) == len(names) else [str(path) for path in paths]
    facts = facts_of(found, names, data=Path(options.data).name, rule=options.decide)
    evaluation_page(facts).write(stream, options.report or Path())


def _show(options: EvaluateOptions, measured: dict[str, Any], seconds: dict[str, float]) -> None:
    from ramify.cli.output import note, show, show_json

    if options.json:
        found = {name: one.as_dict() for name, one in measured.items()}
        facts = next(iter(found.values())) if len(found) == 1 else {"comparisons": found}
        show_json(facts | {"stage_seconds": seconds})
    else:
        parts = [
            (f"a is {options.model}, b is {name}\n\n" if name else "") + str(one) for name, one in measured.items()
        ]
        show("\n\n".join(parts))
    if options.report is not None:
        note(f"report written to {options.report}", quiet=options.quiet)


def _config(options: EvaluateOptions) -> EvaluationConfig:
    from ramify.evaluation import EvaluationConfig
    from ramify.tagger.assessment import RESAMPLES

    default = RESAMPLES if options.compare or options.report is not None else 0
    return EvaluationConfig(
        ks=[int(k) for k in _numbers(options.ks, "--ks", "1,3,5")],
        propensity=_propensity(options.propensity),
        bootstrap=default if options.bootstrap is None else options.bootstrap,
        seed=options.seed,
        seen_labels_only=options.seen_only,
    )


def _propensity(text: str) -> tuple[float, float]:
    from ramify.errors import InputError

    numbers = _numbers(text, "--propensity", "0.55,1.5")
    if len(numbers) != 2:
        raise InputError(f"--propensity is {text!r}, but must be two numbers, as in 0.55,1.5")
    return numbers[0], numbers[1]


def _numbers(text: str, flag: str, example: str) -> list[float]:
    from ramify.errors import InputError

    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{flag} is {text!r}, but must be numbers, as in {example}") from None
    if flag == "--ks" and any(not number.is_integer() for number in numbers):
        raise InputError(f"{flag} is {text!r}, but must be whole numbers, as in {example}")
    return numbers
