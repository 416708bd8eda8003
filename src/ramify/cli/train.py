"""``ramify train``: trains a model on a data file and saves it in a directory."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

from typer import Argument, Option, Typer
from typer.core import TyperCommand
from typer.main import get_command

from ramify import catalogue
from ramify.cli.cluster import ClusterOptions, opened_cluster, plan_text
from ramify.cli.commands import as_command
from ramify.cli.memory import NO_DOCUMENTS, MemoryOptions
from ramify.cli.options import DATA_PANEL, REMEMBERED, NewFieldOptions, OutputOptions, ThreadOptions, checked_seed
from ramify.errors import InputError
from ramify.wording import quoted

if TYPE_CHECKING:
    from ramify.cli.plan import Plan, Start
    from ramify.cli.settings import Part
    from ramify.cli.stages import Stages
    from ramify.spill import Spill
    from ramify.tagger import Tagger
    from ramify.values import Dataset

METAVARS = {"Whole": "N", "Real": "X", "DocumentLimit": "X", "YesNo": "yes|no", "Pair": "N,N"}
"""Metavariables in help, by class name of the rule; importing the classes would import NumPy."""

HELP = """Train a model on a data file and save it.

The extension determines the format: .jsonl, .csv, .tsv (also .gz) and .parquet contain texts; .txt of the Extreme
Classification Repository and .npz contain features. JSON lines look like {"text": "...", "labels": ["..."]}.

Examples:

  ramify train bills.jsonl --out model --preset best --holdout 0.1
  ramify train books.csv --text title,subtitle --labels subjects --out model
  ramify train corpus.tsv.gz --vocabulary subjects.ttl --out model
  ramify train train.txt.gz --out model --max-leaf 50 --set epsilon=0.1
  ramify train bills.jsonl --out model --model partitioned --matcher nearest
  ramify train bills.jsonl --out model --model xr-transformer --device auto
"""


@dataclass(frozen=True, kw_only=True)
class TrainOptions(OutputOptions, ThreadOptions, ClusterOptions, MemoryOptions, NewFieldOptions):
    """Options of ``ramify train``, without the flags of the model and the vectorizer."""

    data: Annotated[
        Optional[str],  # noqa: UP045
        Argument(metavar="DATA", help="File or directory of labelled documents."),
    ] = None
    out: Annotated[
        Optional[Path],  # noqa: UP045
        Option("--out", "-o", metavar="DIR", help="Model directory, made or replaced."),
    ] = None
    model: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="NAME", help="xr-linear, blend, fusion or another one: see ramify settings."),
    ] = None
    preset: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="NAME", help="fast, default, semantic, best, tail, library."),
    ] = None
    vectorizer: Annotated[
        Optional[str],  # noqa: UP045
        Option(
            metavar="NAME",
            help="tfidf, hashing, static, encoder; or a+b.",
        ),
    ] = None
    set: Annotated[
        Optional[list[str]],  # noqa: UP045
        Option(metavar="PATH=VALUE", help="Any setting, such as epsilon=0.1; see ramify settings NAME; repeatable."),
    ] = None
    seed: Annotated[
        Optional[int],  # noqa: UP045
        Option(metavar="N", help="Random seed. (default: 0)", callback=checked_seed),
    ] = None
    config: Annotated[
        Optional[Path],  # noqa: UP045
        Option(metavar="FILE", help="Settings as --show-config prints them."),
    ] = None
    show_config: Annotated[bool, Option("--show-config", help="Print the settings as JSON and stop.")] = False
    test: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="FILE", help="Evaluate on this file after training.", rich_help_panel=DATA_PANEL),
    ] = None
    holdout: Annotated[
        Optional[float],  # noqa: UP045
        Option(
            metavar="SHARE",
            help="Share for evaluation and calibration.",
            rich_help_panel=DATA_PANEL,
        ),
    ] = None
    calibrate: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="yes|no", help="Fit probabilities by cross-fitting."),
    ] = None


class TrainCommand(TyperCommand):
    """``ramify train`` with the flags of the model and the vectorizer given in its arguments."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the names in a first pass, add the flags of these parts, then parse all arguments."""
        from ramify.cli.plan import Start, own_flags

        parser = self.make_parser(ctx)
        parser.ignore_unknown_options = True
        named = parser.parse_args(list(args))[0]
        start = Start.of(**{name: named.get(name) for name in ("model", "vectorizer", "preset", "config")})
        parts = start.parts()

        def body(options: TrainOptions, **flags: str | None) -> None:
            run(options, start, {name: text for name, text in flags.items() if text is not None})

        app = Typer(add_completion=False)
        app.command()(
            as_command(TrainOptions, body, [_flag(name, part) for name, (part, _) in own_flags(parts).items()])
        )
        whole = get_command(app)
        self.params, self.callback = whole.params, whole.callback
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if type(error).__name__ == "NoSuchOption":  # a class of typer's parser
                _suggest_set(str(getattr(error, "option_name", "")), parts)
            raise


def _flag(name: str, part: Part) -> inspect.Parameter:
    """A setting as a parameter that typer converts to a flag."""
    from ramify.cli.settings import first_sentence, shown

    setting = part.settings[name]
    text = first_sentence(setting.help).replace("[", "\\[")  # rich interprets square brackets as markup
    choices = list(setting.kinds or setting.rule.choices)
    listed = f": {', '.join(choices)}" if choices else ""
    option = Option(
        "--" + name.replace("_", "-"),
        help=f"{text}{listed}. (default: {shown(part.values[name])})",
        metavar="NAME" if choices else METAVARS.get(type(setting.rule).__name__, "TEXT"),
        rich_help_panel="Copies and ensembles" if part.role == catalogue.WRAPPER else f"Settings of {part.kind}",
    )
    annotation = Annotated[Optional[str], option]  # noqa: UP045
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _suggest_set(flag: str, parts: Mapping[str, Part]) -> None:
    """Raise InputError for a flag that is a setting of a part, or of another model."""
    name = flag.lstrip("-").replace("-", "_")
    for kind, part in parts.items():
        for path in part.paths():
            if path.replace(".", "_") == name:
                prefix = "" if kind == "model" else f"{kind}."
                raise InputError(f"no such option {flag}: use --set {prefix}{path}=VALUE")
    model = parts["model"].kind
    wrappers = {kind: entry.load() for kind, entry in catalogue.named(catalogue.WRAPPER).items()}
    of_models = any(name in entry.load().RULES for entry in catalogue.named(catalogue.MODEL).values())
    for kind, wrapper in wrappers.items():  # a flag of a wrapper, such as --copies, may be a setting of some models
        if name in wrapper.FLAGS or (name in wrapper.RULES and not of_models):
            raise InputError(f"no such option {flag}: the model {model} does not support {kind}, so leave it out")
    if of_models:
        raise InputError(f"no such option {flag}: the model {model} has no such setting, so leave it out")


def run(options: TrainOptions, start: Start, flags: Mapping[str, str]) -> None:
    """Train, save and evaluate a model.

    Parameters
    ----------
    options : TrainOptions
        Options of the command.
    start : Start
        The model and vectorizer named by the options.
    flags : mapping of str
        Text of each flag that is a setting of a part.

    Raises
    ------
    RamifyError
        Invalid settings, files or data; no model is written.
    """
    from ramify.cli.output import show_json
    from ramify.cli.plan import Plan
    from ramify.store import check_target

    plan = Plan.of(start, flags, options.set or (), seed=options.seed, threads=options.threads)
    tagger = plan.tagger()
    if options.show_config:
        show_json(plan.as_dict())
        return
    options.check_cluster()
    if options.data is None or (options.out is None and not options.dry_run):
        missing = "the data file, as in ramify train DATA --out DIR" if options.data is None else "--out DIR"
        raise InputError(f"an argument is missing: give {missing}")
    if options.test is not None and options.holdout is not None:
        raise InputError("--test and --holdout are both given: choose one")
    if options.calibrate not in (None, "yes", "no"):
        raise InputError(f"--calibrate is {quoted(options.calibrate)}, but must be yes or no")
    if options.calibrate == "yes" and options.holdout is None and os.environ.get("WORLD_SIZE", "1") != "1":
        raise InputError("--calibrate is yes, but several processes train together: use --holdout instead")
    if options.holdout is not None and not 0 < options.holdout < 1:
        raise InputError(f"--holdout is {options.holdout}, but must be a share between 0 and 1")
    if options.memory is not None:
        others = {name: getattr(options, name) for name in ("cluster", "vocabulary", "holdout", "test", "calibrate")}
        options.check_memory(others)
    if options.out is not None:
        check_target(options.out)
    train = _plan_cluster if options.dry_run else _train
    train(options if _is_first_process() else replace(options, quiet=True), plan, tagger)


def _train(options: TrainOptions, plan: Plan, tagger: Tagger) -> None:
    from ramify.cli.calibrating import NOT_WANTED, calibrate_and_save, reason_against
    from ramify.cli.output import note, warnings_as_notes
    from ramify.cli.stages import Stages
    from ramify.cli.training_report import TrainingReport

    assert options.data is not None and options.out is not None
    with warnings_as_notes(quiet=options.quiet):
        limit = options.memory_limit(options.out, tagger, options.preset)
    spill = None if limit is None else limit.spill
    with opened_cluster(options) as cluster, Stages(quiet=options.quiet) as stages:
        with warnings_as_notes(quiet=options.quiet):
            training, test = _read(options, options.data, plan.seed, stages, spill)
        if limit is not None:
            limit.check_labels(training.Y)
        stages.n_documents = len(training)
        note_oddities(training, quiet=options.quiet)
        with warnings_as_notes(quiet=options.quiet):
            tagger.fit_dataset(training, progress=stages, compute=cluster if limit is None else limit, spill=spill)
        if cluster is not None and cluster.tasks + cluster.resumed == 0:
            note("note: no worker was used: the model has no label tree with enough clusters", quiet=options.quiet)
        if not _is_first_process():
            return
        tagger.fields_ = {name: value for name, value in options.given_fields().items() if name in REMEMBERED}
        _note_lack_of_clusters(options, tagger)
        with stages.stage("save"):
            tagger.save(options.out)
        held_out = test if options.holdout is not None else None
        reason = reason_against(options.calibrate, tagger, held_out) or (None if limit is None else NO_DOCUMENTS)
        if reason is None:
            how = {"seed": plan.seed, "threads": options.threads, "compute": cluster}
            reason = calibrate_and_save(tagger, options.out, training, held_out, stages, **how)
        report = None
        if test is not None:
            with stages.stage("evaluate"):
                report = tagger.evaluate(test)
    TrainingReport(tagger, options.out, stages, report, plan.as_dict(), reason).show(as_json=options.json)
    if reason not in (None, NOT_WANTED):
        if options.calibrate == "yes":
            raise InputError(f"{options.out} has the trained model, but no calibration: {reason}")
        note(f"note: the model is not calibrated, so scores are not probabilities: {reason}", quiet=options.quiet)


def _plan_cluster(options: TrainOptions, plan: Plan, tagger: Tagger) -> None:
    """Print the plan of the training on the cluster; features and label trees are made for it."""
    from ramify.cli.output import show, show_json, warnings_as_notes
    from ramify.cli.stages import Stages
    from ramify.scale.planning import Planner, WholePlan, check_plannable

    assert options.data is not None
    check_plannable(tagger.model)
    with opened_cluster(options) as cluster, Stages(quiet=options.quiet) as stages:
        assert isinstance(cluster, Planner)
        with warnings_as_notes(quiet=options.quiet):
            training, _ = _read(options, options.data, plan.seed, stages, None)
            tagger.fit_dataset(training, progress=stages, compute=cluster)
        if not cluster.plans:
            raise InputError("--dry-run is given, but no label tree was trained: leave it out")
        found = WholePlan(tuple(cluster.plans))
    if options.json:
        show_json(found.as_dict())
    else:
        show(plan_text(found))


def _is_first_process() -> bool:
    """Whether this process writes the model: ``torchrun`` starts several, which train together (``torchloop``)."""
    return os.environ.get("RANK", "0") == "0"


def _read(
    options: TrainOptions, data: str, seed: int, stages: Stages, spill: Spill | None
) -> tuple[Dataset, Dataset | None]:
    from ramify.data import is_sharded, of_vocabulary, read, read_shards, read_vocabulary, split_random

    fields = options.fields()
    # The model itself finds the labels of a test file in its vocabulary.
    plain = replace(fields, vocabulary_path=None, language=None, drop_unknown=False)
    vocabulary = None
    if fields.vocabulary_path is not None:
        with stages.stage("vocabulary"):
            vocabulary = read_vocabulary(fields.vocabulary_path, progress=stages)
    with stages.stage("read"):
        sharded = spill is not None or is_sharded(data)
        dataset = read_shards(data, fields=plain, spill=spill) if sharded else read(data, fields=plain)
        if vocabulary is not None:
            dataset = of_vocabulary(dataset, fields, vocabulary)
        if options.holdout is not None:
            return split_random(dataset, options.holdout, seed)
        return dataset, None if options.test is None else read(options.test, fields=plain)


def _note_lack_of_clusters(options: TrainOptions, tagger: Tagger) -> None:
    """Print a note if labels have no copies because there is only one cluster."""
    from ramify.cli.output import note
    from ramify.models import Disentangled

    model = tagger.model_
    if not isinstance(model, Disentangled) or model.copies == 1:
        return
    n_clusters = 1 if model.tree_.depth == 1 else model.tree_.level_sizes[-2]
    if n_clusters == 1:
        note(
            "note: all labels are in one cluster, so there are no copies: use a smaller --max-leaf",
            quiet=options.quiet,
        )


def note_oddities(dataset: Dataset, *, quiet: bool) -> None:
    """Print notes about documents without labels or text, a single label, and a row per document and label."""
    import numpy as np

    from ramify.cli.output import note

    unlabelled = int((np.diff(dataset.Y.indptr) == 0).sum())
    empty = sum(not text.strip() for text in dataset.texts or ())
    if unlabelled:
        note(f"note: {unlabelled:,} of {len(dataset):,} documents have no label", quiet=quiet)
    if empty:
        note(f"note: {empty:,} of {len(dataset):,} documents have no text", quiet=quiet)
    if dataset.n_labels == 1:
        name = dataset.label_names[0]
        note(f"note: there is only one label, {quoted(name)}: it is predicted for every document", quiet=quiet)
    note_long_rows(dataset, quiet=quiet)


def note_long_rows(dataset: Dataset, *, quiet: bool) -> None:
    """Print a note if a file seems to have one row per document and label."""
    from ramify.cli.output import note
    from ramify.data import looks_long

    long = looks_long(dataset)
    if long is not None:
        note(
            f"note: {long[0]:,} rows with at most one label hold {long[1]:,} different documents: if the file has "
            "one row per document and label, add --group FIELD with the field that identifies a document",
            quiet=quiet,
        )
