"""``ramify calibrate``: probabilities and label sets of a trained model, from held-out documents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Optional

from typer import Argument, Option

from ramify.cli.options import FieldOptions, OutputOptions, ThreadOptions

HELP = """Fit probabilities and label sets of a model.

The documents must not be those of training: scores of training documents are too high. The calibration and the
predictions for these documents are added to the model directory; predict --decide RULE then fits the rule on them.
The table has the mean difference between probability and frequency (expected calibration error), measured on halves of
the documents that the calibration was not fitted on.

Examples:

  ramify calibrate model held-out.jsonl.gz
  ramify predict model new.jsonl.gz --decide micro-f1
  ramify predict model new.jsonl.gz --decide precision=0.9
"""


@dataclass(frozen=True, kw_only=True)
class CalibrateOptions(OutputOptions, ThreadOptions, FieldOptions):
    """Options of ``ramify calibrate``."""

    model: Annotated[Path, Argument(metavar="MODEL", help="Directory of a trained model; the result is added to it.")]
    data: Annotated[str, Argument(metavar="HELD_OUT", help="File of labelled documents, not those of training.")]
    kind: Annotated[str, Option(metavar="NAME", help="isotonic, platt or beta.")] = "isotonic"
    k: Annotated[
        Optional[int],  # noqa: UP045
        Option("-k", metavar="N", help="Predicted labels per document, from which sets are chosen. (default: 20..100)"),
    ] = None


def run(options: CalibrateOptions) -> None:
    """Calibrate the model and save it.

    Raises
    ------
    RamifyError
        An invalid model, data or settings, or too few documents.
    """
    from ramify.answering import open_tagger
    from ramify.checks import COUNT
    from ramify.cli.output import show, show_json
    from ramify.cli.stages import Stages
    from ramify.cli.train import note_long_rows
    from ramify.evaluation.grid import plain_number
    from ramify.store import check_target
    from ramify.tagger.decide.calibration import KINDS

    if options.k is not None:
        COUNT.check("-k", options.k)
    KINDS.check("--kind", options.kind)
    check_target(options.model)
    tagger = open_tagger(options.model, threads=options.threads)
    with Stages(quiet=options.quiet) as stages:
        with stages.stage("read"):
            held_out = options.read(options.data, tagger)
        stages.n_documents = len(held_out)
        note_long_rows(held_out, quiet=options.quiet)
        with stages.stage("calibrate"):
            tagger.calibrate_dataset(held_out, kind=options.kind, k=options.k, threads=options.threads)
        with stages.stage("save"):
            tagger.save(options.model)
    decisions = tagger.decisions_or_error()
    if options.json:
        errors = {
            name: {kind: plain_number(value) for kind, value in one.items()} for name, one in decisions.errors().items()
        }
        show_json({"documents": len(held_out), "errors": errors, "stage_seconds": stages.seconds})
        return
    show(str(decisions.grid()))
