"""Checkpoints: everything that a stopped run needs to continue as if it had not been stopped.

A directory holds one checkpoint, which is replaced atomically: position in the data, parameters, optimizer, running
average, best parameters and history. Random numbers need no state (``randomness``).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import scipy.sparse as sp

from ramify import __version__
from ramify.checks import Parsed
from ramify.errors import InputError, ModelFileError
from ramify.store import StoredModel, check_target, holds_model, open_model, save_model
from ramify.torchloop.events import History
from ramify.values import CSR
from ramify.wording import quoted

if TYPE_CHECKING:
    from ramify.torchloop.state import RunState

KIND = "TrainingCheckpoint"


def fingerprint(*matrices: CSR) -> str:
    """A digest of data, which distinguishes runs."""
    digest = hashlib.sha256()
    for matrix in matrices:
        for array in (matrix.indptr.astype(np.int64), matrix.indices, matrix.data):
            digest.update(array.tobytes())
    return digest.hexdigest()


def described(value: Any) -> Any:
    """JSON value of a setting for the identity of a run; two objects with other settings have different ones.

    An array becomes a digest, another object its class name and its settings: those of ``get_params``, else its public
    attributes. An object without a JSON value, for instance one that contains itself, becomes its class name.
    """
    try:
        return json.loads(json.dumps(value, default=_described_object))
    except (TypeError, ValueError, RecursionError):
        return type(value).__qualname__


def _described_object(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if sp.issparse(value):
        return fingerprint(cast(CSR, value).tocsr())
    if isinstance(value, np.ndarray) and value.dtype != object:
        return [str(value.dtype), value.shape, hashlib.sha256(value.tobytes()).hexdigest()]
    if hasattr(value, "get_params"):
        return [type(value).__qualname__, value.get_params(deep=False)]
    attributes = getattr(value, "__dict__", {})
    public = {name: one for name, one in attributes.items() if not name.startswith("_") and not name.endswith("_")}
    return [type(value).__qualname__, public]


def _checkpoint_path(value: Any) -> Any:
    """A valid path of a directory, which need not exist; else InputError."""
    if not isinstance(value, str | Path) or not str(value):
        raise InputError(f"checkpoint is {quoted(value)}, but must be the path of a directory or None")
    try:
        Path(value).exists()
    except (OSError, ValueError) as error:  # too long, or a character that no path has
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"checkpoint is {quoted(value)}, which is no path ({reason}): give another") from None
    return value


CHECKPOINT = Parsed(_checkpoint_path, optional=True)
"""Rule of the setting ``checkpoint`` of estimators."""


class Checkpoint:
    """The checkpoint of one run.

    Parameters
    ----------
    directory : Path
        Absent, empty, or with a checkpoint of the same run.
    identity : dict
        JSON values that identify the run's data and settings; those of the loop are added.
    """

    def __init__(self, directory: Path, identity: dict[str, Any]) -> None:
        self.directory, self.identity = directory, identity

    def save(self, state: RunState) -> None:
        """Write the state of a run, in place of the previous one."""
        config = {
            "identity": self._identity(state),
            "position": state.position.to_json(),
            "history": History(tuple(state.evaluations)).to_json(),
        }
        save_model(self.directory, StoredModel(KIND, config, state.arrays(), __version__))

    def restore(self, state: RunState) -> None:
        """Give a new state what was saved; without a checkpoint nothing is changed.

        Raises
        ------
        InputError
            The directory holds the checkpoint of another run, or other files.
        ModelFileError
            The checkpoint is damaged, or the directory cannot be written.
        """
        from ramify.torchloop.state import Position

        if not holds_model(self.directory):
            check_target(self.directory)
            return
        stored = open_model(self.directory)
        if stored.kind != KIND:
            raise InputError(f"{self.directory} holds a {stored.kind}, no checkpoint: name another directory")
        if stored.config.get("identity") != self._identity(state):
            raise InputError(
                f"{self.directory} holds the checkpoint of another run: use its settings and data, or delete it"
            )
        try:
            position = Position.from_json(stored.config["position"])
            history = History.from_json(stored.config["history"])
            state.restore(stored.arrays, position, list(history.evaluations))
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelFileError(f"the checkpoint {self.directory} is damaged ({error}): delete it") from None

    def steps_done(self) -> int:
        """Number of steps of the run in the directory; 0 without a checkpoint. Its identity is not compared.

        Raises
        ------
        ModelFileError
            The checkpoint is damaged.
        """
        from ramify.torchloop.state import Position

        if not holds_model(self.directory):
            return 0
        try:
            return Position.from_json(open_model(self.directory, verify=False).config["position"]).step
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"the checkpoint {self.directory} is damaged ({error}): delete it") from None

    def _identity(self, state: RunState) -> dict[str, Any]:
        settings = dataclasses.asdict(state.config)
        del settings["checkpoint_every"]  # has no effect on the result
        return {"loop": settings, "run": self.identity}
