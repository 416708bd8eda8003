"""``ramify fuse``: one model made of trained models and of files of predictions, weighted on held-out documents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from ramify.cli.options import FieldOptions, OutputOptions, ThreadOptions
from ramify.wording import counted

if TYPE_CHECKING:
    from ramify.models.mixtures.fusion_report import FusionReport
    from ramify.values import Dataset

HELP = """Combine trained models to one model, with weights fitted on held-out documents.

Each member has a weight and an exponent. The documents must not be those that the members were trained on. A member is
a model directory, or a file with the predictions of another program for the documents, in a format of ramify predict
(.jsonl, .csv or .parquet):

  {"id": 7, "labels": [{"label": "Water pollution", "score": 0.93}, ...]}

Records may also contain the text; predictions for other texts are then used for these. The table has the quality of
each member alone, and what it adds to the other members, with a 95% interval.

Examples:

  ramify fuse model-a model-b --data held-out.jsonl.gz --out fused
  ramify fuse model other-tool.jsonl --data held-out.jsonl.gz --out fused --measure f1
"""


@dataclass(frozen=True, kw_only=True)
class FuseOptions(OutputOptions, ThreadOptions, FieldOptions):
    """Options of ``ramify fuse``."""

    members: Annotated[list[Path], Argument(metavar="MODEL...", help="Model directories, and files of predictions.")]
    data: Annotated[str, Option(metavar="FILE", help="Labelled documents that no member was trained on.")]
    out: Annotated[
        Path, Option("--out", "-o", metavar="DIR", help="Directory for the model; an existing model is replaced.")
    ]
    measure: Annotated[str, Option(metavar="NAME", help="ndcg (nDCG@10) or f1 (F1@5).")] = "ndcg"


def run(options: FuseOptions) -> None:
    """Fit the weights and save the fused model.

    Raises
    ------
    RamifyError
        An invalid model, data or settings; no model is written.
    """
    from ramify.answering import open_tagger
    from ramify.cli.output import show, show_json, warnings_as_notes
    from ramify.cli.stages import Stages
    from ramify.data.predictions import read_predictions
    from ramify.models.mixtures.fusion import Fusion
    from ramify.store import check_target
    from ramify.tagger.fusing import fuse

    Fusion.RULES["measure"].check("--measure", options.measure)
    check_target(options.out)
    with Stages(quiet=options.quiet) as stages:
        with stages.stage("read"):
            taggers = {path: open_tagger(path, threads=options.threads) for path in options.members if path.is_dir()}
            data = _read(options, taggers)
            stages.n_documents = len(data)
            opened = {
                path: taggers[path] if path in taggers else read_predictions(path, data) for path in options.members
            }
        names = _names(options.members)
        members = {name: opened[path] for name, path in zip(names, options.members, strict=True)}
        with warnings_as_notes(quiet=options.quiet), stages.stage("fuse"):
            tagger = fuse(members, data, measure=options.measure, threads=options.threads)
        with stages.stage("save"):
            tagger.save(options.out)
    report = tagger.model_.report_
    if options.json:
        show_json({"model": str(options.out), **report.as_dict(), "stage_seconds": stages.seconds})
        return
    show(f"{fusion_text(report)}\n\nsaved in {options.out}")


def _read(options: FuseOptions, taggers: dict[Path, Any]) -> Dataset:
    from ramify.data import read

    for tagger in taggers.values():
        return options.read(options.data, tagger)
    return read(options.data, fields=options.fields())


def _names(paths: list[Path]) -> list[str]:
    """The last parts of the paths; the whole paths if two are equal."""
    short = [_without_extension(path.resolve().name) for path in paths]
    if len(set(short)) == len(short):
        return short
    return [f"{path} ({number})" if paths.count(path) > 1 else str(path) for number, path in enumerate(paths, 1)]


def _without_extension(name: str) -> str:
    """The name of a file of predictions without its extension."""
    name = name.removesuffix(".gz")
    ends = (".jsonl", ".csv", ".parquet")
    return next((name.removesuffix(end) for end in ends if name.endswith(end)), name)


def fusion_text(report: FusionReport) -> str:
    """The table of a fusion: each member alone, and what it adds; "-" for what was not measured."""
    from ramify.evaluation.grid import Grid

    rows = tuple(
        (
            one.name,
            f"{one.weight:.3f}",
            f"{one.exponent:.2f}",
            _points(one.alone),
            _points(one.added, "+"),
            "-" if one.low is None else f"{_points(one.low, '+')} to {_points(one.high, '+')}",
        )
        for one in report.members
    )
    how = {"fitted": "fitted weights", "equal": "equal weights", "best member": "the best member alone"}[report.how]
    quality = "not measured" if report.quality is None else _points(report.quality)
    title = f"{report.measured} {quality} on {counted(report.documents, 'held-out document')} ({how})"
    return str(Grid(title, ("member", "weight", "exponent", "alone", "adds", "95% interval"), rows))


def _points(quality: float | None, sign: str = "") -> str:
    """A quality in points; "-" for None."""
    return "-" if quality is None else f"{100 * quality:{sign}.2f}"
