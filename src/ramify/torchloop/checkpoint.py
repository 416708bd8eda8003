"""Everything that a killed run needs to go on as if nothing had happened, in a directory that is replaced in one step.

Parameters, optimiser, running average, best parameters and history; random numbers need no state (``environment``).
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ramify import __version__
from ramify.errors import InputError, ModelFileError
from ramify.store import StoredModel, check_target, holds_model, open_model, save_model
from ramify.torchloop.events import EpochEnd
from ramify.values import CSR

if TYPE_CHECKING:
    from ramify.torchloop.state import RunState

KIND = "TrainingCheckpoint"


def fingerprint(*matrices: CSR) -> str:
    """A digest of data, to tell a run from another by."""
    digest = hashlib.sha256()
    for matrix in matrices:
        for array in (matrix.indptr.astype(np.int64), matrix.indices, matrix.data):
            digest.update(array.tobytes())
    return digest.hexdigest()


def save_checkpoint(directory: Path, state: RunState, identity: dict[str, Any]) -> None:
    """Write the state of a run after an epoch.

    Parameters
    ----------
    directory : Path
    state : RunState
    identity : dict
        What the run is made from; a run made from something else refuses to go on from it.
    """
    events = [dataclasses.asdict(event) | {"measure": repr(event.measure)} for event in state.events]
    config = {"identity": identity, "events": events, "stale": state.stale, "best": repr(state.best_measure)}
    save_model(directory, StoredModel(KIND, config, state.arrays(), __version__))


def resume(directory: Path, state: RunState, identity: dict[str, Any]) -> None:
    """Bring a fresh state to where a checkpoint left off; nothing happens where there is none.

    Raises
    ------
    InputError
        The checkpoint of another run, or a directory with other files.
    ModelFileError
        A damaged one, or no permission to write there.
    """
    if not holds_model(directory):
        check_target(directory)
        return
    stored = open_model(directory)
    if stored.kind != KIND:
        raise InputError(f"{directory} holds a {stored.kind}, no checkpoint: name another directory")
    if stored.config.get("identity") != identity:
        raise InputError(f"{directory} holds the checkpoint of another run: use its settings and data, or delete it")
    try:
        events = [EpochEnd(**(event | {"measure": float(event["measure"])})) for event in stored.config["events"]]
        state.restore(stored.arrays, events, int(stored.config["stale"]), float(stored.config["best"]))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"the checkpoint {directory} is damaged ({error}): delete it") from None
