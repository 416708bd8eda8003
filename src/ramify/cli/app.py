"""The commands of ``ramify``. A command imports what it needs when it runs, so that help is fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from ramify import __version__
from ramify.cli import (
    calibrate,
    convert,
    demo,
    evaluate,
    fuse,
    inspect,
    listing,
    predict,
    pull,
    push,
    serve,
    train,
    tune,
)
from ramify.cli.commands import as_command, paragraphs

HELP = """Extreme multilabel classification: rank the few relevant labels among thousands to millions.

The demo trains on data found on this machine and predicts for your queries. The other commands use your data:

\b
  ramify demo
  ramify train bills.jsonl.gz --out model
  ramify predict model new.jsonl -k 5
  ramify evaluate model test.jsonl.gz
  ramify inspect model
"""


def build(arguments: Sequence[str] = ()) -> typer.Typer:
    """The command line application.

    Parameters
    ----------
    arguments : sequence of str
        Arguments of the call, used to avoid slow imports.
    """
    # Rich is slow to import, and only the help of single commands needs it.
    in_command = any(not argument.startswith("-") for argument in arguments)
    app = typer.Typer(
        name="ramify",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if in_command else None,
        help=HELP,
    )
    app.callback(invoke_without_command=True)(_root)
    app.command("demo", help=paragraphs(demo.HELP))(as_command(demo.DemoOptions, demo.run))
    app.command("train", cls=train.TrainCommand, help=paragraphs(train.HELP))(
        as_command(train.TrainOptions, lambda _: None)
    )
    app.command("settings", help=paragraphs(listing.HELP))(as_command(listing.SettingsOptions, listing.run))
    app.command("tune", help=paragraphs(tune.HELP))(as_command(tune.TuneOptions, tune.run))
    app.command("predict", help=paragraphs(predict.HELP))(as_command(predict.PredictOptions, predict.run))
    app.command("evaluate", help=paragraphs(evaluate.HELP))(as_command(evaluate.EvaluateOptions, evaluate.run))
    app.command("calibrate", help=paragraphs(calibrate.HELP))(as_command(calibrate.CalibrateOptions, calibrate.run))
    app.command("fuse", help=paragraphs(fuse.HELP))(as_command(fuse.FuseOptions, fuse.run))
    app.command("inspect", help=paragraphs(inspect.HELP))(as_command(inspect.InspectOptions, inspect.run))
    app.command("convert", help=paragraphs(convert.HELP))(as_command(convert.ConvertOptions, convert.run))
    app.command("push", help=paragraphs(push.HELP))(as_command(push.PushOptions, push.run))
    app.command("pull", help=paragraphs(pull.HELP))(as_command(pull.PullOptions, pull.run))
    app.command("serve", help=paragraphs(serve.HELP))(as_command(serve.ServeOptions, serve.run))
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ramify {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
