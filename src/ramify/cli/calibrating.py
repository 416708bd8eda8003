"""Calibration at the end of ``ramify train``: the model is saved already, so that a failure leaves it as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ramify import catalogue
from ramify.errors import InputError, RamifyError

if TYPE_CHECKING:
    from ramify.cli.stages import Stages
    from ramify.protocols import Compute
    from ramify.tagger import Tagger
    from ramify.values import Dataset

TAKES_LONG = "training again on parts of the documents takes long: add --holdout 0.1 or --calibrate yes"
NOT_WANTED = "--calibrate is no"


def reason_against(wanted: str | None, tagger: Tagger, held_out: Dataset | None) -> str | None:
    """The reason why a trained tagger is not calibrated at all; None if it is.

    Parameters
    ----------
    wanted : {"yes", "no"} or None
        ``--calibrate``.
    tagger : Tagger
    held_out : Dataset or None
        Documents of ``--holdout``.
    """
    if wanted == "no":
        return NOT_WANTED
    return TAKES_LONG if wanted is None and held_out is None and is_fine_tuned(tagger.model_) else None


def calibrate_and_save(
    tagger: Tagger, out: Path, training: Dataset, held_out: Dataset | None, stages: Stages, **settings: Any
) -> str | None:
    """Calibrate a saved tagger and save it again.

    Parameters
    ----------
    tagger : Tagger
    out : Path
        Its directory.
    training : Dataset
        Its training documents, for cross-fitting.
    held_out : Dataset or None
        Documents of ``--holdout``; with too few of them, the training documents are used.
    stages : Stages
        Progress.
    settings
        ``threads``, ``seed`` and ``compute``, as in ``Tagger.cross_calibrate_dataset``.

    Returns
    -------
    str or None
        Why it stays without a calibration; None if it has one.
    """
    from ramify.cli.entry import INTERRUPTED
    from ramify.cli.output import note

    try:
        with stages.stage("calibrate"):
            _calibrate(tagger, training, held_out, stages, **settings)
        tagger.save(out)
    except KeyboardInterrupt:
        note(f"interrupted: {out} has the trained model, without a calibration")
        raise SystemExit(INTERRUPTED) from None
    except (RamifyError, OSError, MemoryError) as error:
        tagger.decisions_ = None
        return "the memory is full" if isinstance(error, MemoryError) else str(error)
    return None


def _calibrate(
    tagger: Tagger,
    training: Dataset,
    held_out: Dataset | None,
    stages: Stages,
    *,
    threads: int | None,
    seed: int,
    compute: Compute | None,
) -> None:
    if held_out is not None:
        try:
            tagger.calibrate_dataset(held_out, threads=threads)
            return
        except InputError:
            if is_fine_tuned(tagger.model_):
                raise
    tagger.cross_calibrate_dataset(training, threads=threads, seed=seed, progress=stages, compute=compute)


def is_fine_tuned(model: Any) -> bool:
    """Whether the model or a part of it is trained by gradient descent in epochs, which takes long."""
    from ramify.models.base.adapter import as_model

    entry = catalogue.by_class(type(model).__name__)
    return (entry is not None and entry.extra == "torch") or any(map(is_fine_tuned, as_model(model).inside().values()))
