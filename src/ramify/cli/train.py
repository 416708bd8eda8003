"""``ramify train``: a data file in, a model directory out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

from typer import Argument, Option

from ramify.cli.options import DATA_PANEL, REMEMBERED, FieldOptions, OutputOptions, ThreadOptions
from ramify.wording import quoted

if TYPE_CHECKING:
    from ramify.cli.plan import Plan
    from ramify.tagger import Tagger
    from ramify.values import Dataset

HELP = """Train a model on a data file and save it.

Files by extension: .jsonl, .csv, .tsv (also .gz) and .parquet hold texts; .txt of the Extreme Classification
Repository and .npz hold features. JSON lines look like {"text": "...", "labels": ["...", "..."]}.

Examples:

  ramify train bills.jsonl.gz --out model
  ramify train books.csv --text title,subtitle --labels subjects --separator ";" --out model --holdout 0.1
  ramify train train.txt.gz --out model --test test.txt.gz --max-leaf 50 --negatives tfn+man
  ramify train bills.jsonl.gz --out model --preset best
  ramify train bills.jsonl.gz --out model --trees 3 --combine average
  ramify train bills.jsonl.gz --out model --copies 2
  ramify train books.csv --max-leaf 50 --show-config > settings.json
  ramify train books.csv --config settings.json --out model
"""


@dataclass(frozen=True, kw_only=True)
class TrainOptions(OutputOptions, ThreadOptions, FieldOptions):
    """What ``ramify train`` is asked for, but for the settings of the model."""

    data: Annotated[Optional[str], Argument(metavar="DATA", help="File of labelled documents.")] = None  # noqa: UP045
    out: Annotated[
        Optional[Path],  # noqa: UP045
        Option("--out", "-o", metavar="DIR", help="Directory to save the model in; an older model there is replaced."),
    ] = None
    model: Annotated[
        Optional[str],  # noqa: UP045
        Option(
            metavar="NAME",
            help="xr-linear, nearest-instances, blend, partitioned; label-chain, reinforced-chain, composite-chain. "
            "(default: the preset's)",
        ),
    ] = None
    preset: Annotated[
        Optional[str],  # noqa: UP045
        Option(
            metavar="NAME",
            help="Model and settings to start from: fast, default, best or tail; flags change single settings. "
            "(default: default)",
        ),
    ] = None
    vectorizer: Annotated[str, Option(metavar="NAME", help="How texts become features: tfidf or hashing.")] = "tfidf"
    seed: Annotated[int, Option(metavar="N", help="Same seed, same model, for any number of threads.")] = 0
    test: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="FILE", help="Evaluate on this file afterwards.", rich_help_panel=DATA_PANEL),
    ] = None
    holdout: Annotated[
        Optional[float],  # noqa: UP045
        Option(
            metavar="SHARE",
            help="Keep this share of the documents back and evaluate on it.",
            rich_help_panel=DATA_PANEL,
        ),
    ] = None
    config: Annotated[
        Optional[Path],  # noqa: UP045
        Option(metavar="FILE", help="Settings as JSON, in the form that --show-config prints; flags go first."),
    ] = None
    show_config: Annotated[bool, Option("--show-config", help="Print the settings as JSON and stop.")] = False


def command(arguments: Sequence[str]) -> Callable[..., None]:
    """The command with the flags of the model and vectorizer that the arguments name.

    Only when ``train`` is what is called: finding the flags imports the model.
    """
    from ramify.cli.commands import parameters_of, with_signature

    base = parameters_of(TrainOptions)
    own: list[Any] = []
    if "train" in arguments:
        from ramify.cli.plan import flags_of

        own = flags_of(arguments)
    general = {parameter.name for parameter in base}

    def call(values: dict[str, Any]) -> None:
        options = TrainOptions(**{name: value for name, value in values.items() if name in general})
        run(options, {name: value for name, value in values.items() if name not in general and value is not None})

    return with_signature([*base, *own], call)


def run(options: TrainOptions, flags: dict[str, Any]) -> None:
    """Train, save, evaluate.

    Raises
    ------
    RamifyError
        Settings, files or data that are not what they must be; nothing is written then.
    """
    from ramify.cli.output import show_json
    from ramify.cli.plan import Plan
    from ramify.errors import InputError
    from ramify.store import check_target

    plan = Plan.of(options, flags)
    if options.show_config:
        show_json(plan.as_dict())
        return
    if options.data is None or options.out is None:
        missing = "the data file, as in: ramify train DATA --out DIR" if options.data is None else "--out DIR"
        raise InputError(f"missing is {missing}")
    if options.test is not None and options.holdout is not None:
        raise InputError("--test and --holdout are both given: choose one")
    if options.holdout is not None and not 0 < options.holdout < 1:
        raise InputError(f"--holdout is {options.holdout}, but must be a share between 0 and 1")
    check_target(options.out)
    plan.rehearse()
    _train(options, plan, options.data, options.out)


def _train(options: TrainOptions, plan: Plan, data: str, out: Path) -> None:
    from ramify.cli.output import warnings_as_notes
    from ramify.cli.stages import Stages
    from ramify.cli.training_report import TrainingReport

    with Stages(quiet=options.quiet) as stages:
        with stages.stage("read"):
            training, test = _read(options, data)
            stages.n_documents = len(training)
        _note_oddities(options, training)
        with warnings_as_notes(quiet=options.quiet):
            tagger = plan.tagger().fit_dataset(training, progress=stages)
        tagger.fields_ = {name: value for name, value in options.given_fields().items() if name in REMEMBERED}
        _note_lack_of_clusters(options, tagger)
        with stages.stage("save"):
            tagger.save(out)
        report = None
        if test is not None:
            with stages.stage("evaluate"):
                report = tagger.evaluate(test)
    TrainingReport(tagger, out, stages, report, plan.as_dict()).show(as_json=options.json)


def _read(options: TrainOptions, data: str) -> tuple[Dataset, Dataset | None]:
    from ramify.data import read, split_random

    dataset = read(data, fields=options.fields())
    if options.holdout is not None:
        return split_random(dataset, options.holdout, options.seed)
    return dataset, None if options.test is None else read(options.test, fields=options.fields())


def _note_lack_of_clusters(options: TrainOptions, tagger: Tagger) -> None:
    """Copies that were asked for but could not be, as there is nowhere else to put a label."""
    from ramify.cli.output import note
    from ramify.models import Disentangled

    model = tagger.model_
    if not isinstance(model, Disentangled) or model.copies == 1:
        return
    n_clusters = 1 if model.tree_.depth == 1 else model.tree_.level_sizes[-2]
    if n_clusters == 1:
        note(
            "note: all labels are in one cluster, so none has copies: a smaller --max-leaf makes more clusters",
            quiet=options.quiet,
        )


def _note_oddities(options: TrainOptions, dataset: Dataset) -> None:
    import numpy as np

    from ramify.cli.output import note

    unlabelled = int((np.diff(dataset.Y.indptr) == 0).sum())
    empty = sum(not text.strip() for text in dataset.texts or ())
    if unlabelled:
        note(f"note: {unlabelled:,} of {len(dataset):,} documents have no label", quiet=options.quiet)
    if empty:
        note(f"note: {empty:,} of {len(dataset):,} documents have no text", quiet=options.quiet)
    if dataset.n_labels == 1:
        name = dataset.label_names[0]
        note(f"note: there is only one label, {quoted(name)}: every document will get it", quiet=options.quiet)
    note_long_rows(dataset, quiet=options.quiet)


def note_long_rows(dataset: Dataset, *, quiet: bool) -> None:
    """A note where a file seems to have a row per document and label."""
    from ramify.cli.output import note
    from ramify.data import looks_long

    long = looks_long(dataset)
    if long is not None:
        note(
            f"note: {long[0]:,} rows with at most one label hold {long[1]:,} different documents: if the file has a "
            "row per document and label, add --group FIELD with the field that the rows of one document share",
            quiet=quiet,
        )
