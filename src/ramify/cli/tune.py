"""``ramify tune``: searches settings on held-out training documents, and writes a settings file."""

from __future__ import annotations

import json
import shlex
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Optional

from typer import Argument, Option

from ramify.cli.options import NewFieldOptions, OutputOptions, ThreadOptions, checked_seed

if TYPE_CHECKING:
    from ramify.tuning import Tuned

HELP = """Search settings on held-out training documents, and write them to a file for ramify train --config.

Costs, sizes of clusters, trees, mixtures and the features of texts are tried on up to five held-out parts of the
documents; settings that are worse than others on the first parts are stopped early. The default is kept unless the gain
of other settings is larger than noise. No test document is needed, and none must be given. Ctrl-C ends the search and
writes what was found so far.

Examples:

  ramify tune bills.jsonl --minutes 10 --report tuning.html
  ramify train bills.jsonl --config settings.json --out model
  ramify tune train.txt.gz --measure PSP@5 --trials 50
"""


SEARCHED = 0.99
"""Share of the limit for reading and searching; the rest is for starting the program and writing the files."""


@dataclass(frozen=True, kw_only=True)
class TuneOptions(OutputOptions, ThreadOptions, NewFieldOptions):
    """Options of ``ramify tune``."""

    data: Annotated[str, Argument(metavar="DATA", help="File of labelled documents to train on.")]
    minutes: Annotated[
        Optional[float],  # noqa: UP045
        Option(metavar="X", help="Time limit in minutes. (default: 10, or none with --trials)"),
    ] = None
    trials: Annotated[
        Optional[int],  # noqa: UP045
        Option(metavar="N", help="Limit of the number of settings tried; same seed, same result."),
    ] = None
    measure: Annotated[
        str, Option(metavar="NAME", help="mean (of P@1, P@3, P@5, nDCG@5, PSP@5), or one such as P@5.")
    ] = "mean"
    model: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="NAME", help="Search the settings of this model only: xr-linear or blend."),
    ] = None
    out: Annotated[Path, Option("--out", "-o", metavar="FILE", help="Settings file; an existing file is replaced.")] = (
        Path("settings.json")
    )
    report: Annotated[
        Optional[Path],  # noqa: UP045
        Option(metavar="FILE", help="Report with a picture of the search: .html or .md."),
    ] = None
    seed: Annotated[int, Option(metavar="N", help="Seed of parts, search and training.", callback=checked_seed)] = 0


def run(options: TuneOptions) -> None:
    """Search, and write the settings file and the report.

    Raises
    ------
    RamifyError
        An option out of range, invalid data, too few documents, or a path that cannot be written; nothing is written.
    """
    from ramify.checks import OneOf
    from ramify.data.streams import writing
    from ramify.errors import InputError
    from ramify.tuning import Limits, Objective, check_installed
    from ramify.tuning.settings import MODELS

    for flag, limit in (("minutes", options.minutes), ("trials", options.trials)):
        if limit is not None and limit <= 0:
            raise InputError(f"--{flag} is {limit:g}, but must be above 0")
    Limits.of(minutes=options.minutes, trials=options.trials)
    Objective.of(options.measure)
    OneOf(MODELS, optional=True).check("--model", options.model)
    check_installed()
    _check_paths(options)
    with ExitStack() as files:  # opened before the search, so that a path that cannot be written is an error at once
        settings = files.enter_context(writing(options.out))
        report = None
        if options.report is not None:
            from ramify.report.page import page_file

            report = files.enter_context(page_file(options.report))
        tuned = _search(options)
        _write(options, tuned, settings, report)
    _show(options, tuned)


def _check_paths(options: TuneOptions) -> None:
    from ramify.errors import InputError

    given = {"--out": options.out, "--report": options.report, "the data file": Path(options.data)}
    seen: dict[Path, str] = {}
    for name, path in given.items():
        if path is None:
            continue
        place = path.resolve()
        if place in seen:
            raise InputError(f"{seen[place]} and {name} are the same file, {path}: choose another name for one of them")
        seen[place] = name


def _search(options: TuneOptions) -> Tuned:
    from ramify.cli.stages import Stages
    from ramify.cli.train import note_oddities
    from ramify.cli.tune_progress import TuneProgress
    from ramify.data import read
    from ramify.errors import InputError
    from ramify.tuning import Limits, tune

    limits = Limits.of(minutes=options.minutes, trials=options.trials)
    with Stages(quiet=options.quiet) as stages, stages.stage("read"):
        dataset = read(options.data, fields=options.fields())
    note_oddities(dataset, quiet=options.quiet)
    minutes = None if limits.seconds is None else (SEARCHED * limits.seconds - stages.seconds["read"]) / 60
    if minutes is not None and minutes <= 0:
        raise InputError(f"the limit of {limits.seconds:g} seconds ended while the data were read: give more minutes")
    with TuneProgress(limits, quiet=options.quiet) as progress:
        return tune(
            dataset,
            minutes=minutes,
            trials=limits.trials,
            measure=options.measure,
            model=options.model,
            seed=options.seed,
            threads=options.threads,
            progress=progress,
        )


def _write(options: TuneOptions, tuned: Tuned, settings: BinaryIO, report: BinaryIO | None) -> None:
    settings.write((json.dumps(settings_file(options, tuned), indent=2, ensure_ascii=False) + "\n").encode())
    if report is None or options.report is None:
        return
    from ramify.tuning.page import tuning_page

    tuning_page(tuned, commands=[_command(options), _next_command(options)]).write(report, options.report)


def settings_file(options: TuneOptions, tuned: Tuned) -> dict[str, Any]:
    """The content of the settings file: remarks, then every setting, defaults included."""
    from ramify import __version__
    from ramify.cli.plan import ABOUT, Plan, Start
    from ramify.models.presets import TFIDF, named

    content = tuned.settings.content()
    start = Start(content["model"], content.get("vectorizer", TFIDF), named("default"), None, content)
    plan = Plan.of(start, {}, seed=tuned.seed)
    found = tuned.as_dict()
    about: dict[str, Any] = {"command": _command(options), "version": __version__}
    about |= {name: found[name] for name in ("measure", "changes", "reason")}
    about |= {"held_out_percent": tuned.lines()}
    about |= {"trials": len(tuned.trials), "seconds": found["seconds"], "stopped": tuned.stopped}
    return {ABOUT: about} | plan.as_dict()


def _command(options: TuneOptions) -> str:
    """The command line, with the options that determine the result."""
    words = ["ramify", "tune", options.data, *_field_flags(options)]
    for name in ("minutes", "trials", "model"):
        value = getattr(options, name)
        words += [] if value is None else [f"--{name}", f"{value:g}" if isinstance(value, float) else str(value)]
    return shlex.join([*words, "--measure", options.measure, "--seed", str(options.seed)])


def _next_command(options: TuneOptions) -> str:
    """The command that trains with the settings."""
    words = ["ramify", "train", options.data, *_field_flags(options), "--config", str(options.out), "--out", "model"]
    return shlex.join(words)


def _field_flags(options: TuneOptions) -> list[str]:
    given = {name: getattr(options, name) for name in ("text", "labels", "separator", "names", "group", "delimiter")}
    return [word for name, value in given.items() if value is not None for word in (f"--{name}", str(value))]


def _show(options: TuneOptions, tuned: Tuned) -> None:
    from ramify.cli.entry import INTERRUPTED
    from ramify.cli.output import flush, note, show, show_json
    from ramify.tuning import result

    if options.json:
        show_json(tuned.as_dict() | {"out": str(options.out)})
    else:
        changes = [f"  {name} = {_shown(value)}" for name, value in tuned.settings.changes().items()]
        show(str(tuned.grid()))
        show("\n" + tuned.reason())
        if changes:
            show("\n".join(["\nchanges to the default:", *changes]))
        show(f"\nsaved in {options.out}; train with:\n  {_next_command(options)}")
    if tuned.stopped == result.INTERRUPTED:
        flush()
        note(f"interrupted: {options.out} has the best settings of the {len(tuned.trials)} trials so far")
        raise SystemExit(INTERRUPTED)


def _shown(value: Any) -> str:
    from ramify.cli.settings import shown

    return shown(value)
