"""``ramify evaluate``: measures of one model, or comparison of two models, on labelled documents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

from typer import Argument, Option

from ramify.cli.options import FieldOptions, OutputOptions, ThreadOptions

if TYPE_CHECKING:
    from ramify.evaluation import Comparison, EvaluationConfig, Report, SetReport

HELP = """Measure a model on labelled documents.

P, nDCG, PSP, PSnDCG, R, Hit, micro and macro F1 and coverage at each cut-off, then by training frequency of the label.
The model contains the training frequencies, so the training file is not needed.

Examples:

  ramify evaluate model test.jsonl.gz
  ramify evaluate model test.jsonl.gz --ks 1,5,10 --bootstrap 1000 --json
  ramify evaluate model test.jsonl.gz --compare other-model
  ramify evaluate model test.jsonl.gz --decide micro-f1
"""


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(OutputOptions, ThreadOptions, FieldOptions):
    """Options of ``ramify evaluate``."""

    model: Annotated[Path, Argument(metavar="MODEL", help="Directory of a trained model.")]
    data: Annotated[str, Argument(metavar="TEST", help="File of labelled documents.")]
    ks: Annotated[str, Option(metavar="N,N,...", help="Cut-offs.")] = "1,3,5"
    bootstrap: Annotated[
        Optional[int],  # noqa: UP045
        Option(metavar="N", help="Resamples for 95% intervals. (default: none; 1000 with --compare)"),
    ] = None
    compare: Annotated[
        Optional[Path],  # noqa: UP045
        Option(metavar="MODEL", help="Compare with this model by a paired bootstrap."),
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
        Invalid models, data or settings.
    """
    from ramify.answering import open_tagger
    from ramify.cli.output import show, show_json
    from ramify.cli.stages import Stages
    from ramify.cli.train import note_long_rows
    from ramify.errors import InputError
    from ramify.tagger.assessment import compare_taggers, evaluate_tagger
    from ramify.tagger.decide.held_out import evaluate_decisions

    config = _config(options)
    paths = [path for path in (options.model, options.compare) if path is not None]
    taggers = [open_tagger(path, threads=options.threads) for path in paths]
    if options.decide is not None:
        if options.compare is not None:
            raise InputError("--decide and --compare are given, but label sets are not compared: leave one out")
        taggers[0].decisions_or_error().rule(options.decide)
    with Stages(quiet=options.quiet) as stages:
        with stages.stage("read"):
            test = options.read(options.data, taggers[0])
            training = None if options.train is None else options.read(options.train, taggers[0])
        stages.n_documents = len(test)
        note_long_rows(test, quiet=options.quiet)
        with stages.stage("evaluate"):
            found: Report | Comparison | SetReport = (
                evaluate_decisions(taggers[0], test, options.decide, config, training=training, threads=options.threads)
                if options.decide is not None
                else compare_taggers(taggers[0], taggers[1], test, config, training=training, threads=options.threads)
                if options.compare is not None
                else evaluate_tagger(taggers[0], test, config, training=training, threads=options.threads)
            )
    if options.json:
        show_json(found.as_dict() | {"stage_seconds": stages.seconds})
        return
    if options.compare is not None:
        show(f"a is {options.model}, b is {options.compare}\n")
    show(str(found))


def _config(options: EvaluateOptions) -> EvaluationConfig:
    from ramify.evaluation import EvaluationConfig
    from ramify.tagger.assessment import RESAMPLES

    default = 0 if options.compare is None else RESAMPLES
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
