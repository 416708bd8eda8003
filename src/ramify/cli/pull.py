"""``ramify pull``: download of a model from a hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ramify.cli.options import HubOptions, OutputOptions

HELP = """Download a model from a hub such as Hugging Face into a directory.

The files are downloaded beside the directory, compared with their checksums, and renamed in one step. Nothing of the
repository is executed: a model has no pickle and no code.

Examples:

  ramify pull ann/bills --out model
  ramify pull ann/bills --out model --revision v2 --force
"""


@dataclass(frozen=True, kw_only=True)
class PullOptions(OutputOptions, HubOptions):
    """Options of ``ramify pull``."""

    repository: Annotated[str, Argument(metavar="REPO", help="Repository, as in ann/bills.")]
    out: Annotated[Path, Option(metavar="DIR", help="Directory to write the model to.")]
    force: Annotated[bool, Option("--force", help="Replace a model in the directory.")] = False


def run(options: PullOptions) -> None:
    """Download the model.

    Raises
    ------
    RamifyError
        No such repository or revision, no permission, no network, an invalid model, or a directory that is in use.
    """
    from ramify.answering import model_format
    from ramify.cli.output import bytes_text, note, show, show_json
    from ramify.cli.training_report import directory_bytes

    place = options.place(options.repository)
    from ramify.hub import pull

    out = pull(place, options.out, force=options.force, progress=options.shows_progress)
    number, version = model_format(out)
    size = directory_bytes(out)
    if options.json:
        facts = {"repository": options.repository, "directory": str(out), "format": number}
        show_json(facts | {"version": version, "bytes": size})
        return
    show(str(out))
    note(f"pulled {options.repository} ({bytes_text(size)}, saved by ramify {version})", quiet=options.quiet)
