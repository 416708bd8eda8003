"""Results of finished tasks in a folder, so that a training that was interrupted continues.

DIR/<hash of the input>.safetensors      the arrays of one task, with a hash of their bytes in the header
DIR/checkpoint.json                      format, and the number of parts that a level is cut into
DIR/*.tmp                                files that were not written to their end; removed after an hour
DIR/failures.log                         the errors of tasks, with the part that each belongs to

The name of a file is a hash of everything that its arrays depend on. A training with other data or settings therefore
finds no file of an earlier one, and both can use the folder.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ramify.errors import InputError
from ramify.scale.parts import Arrays

FORMAT = 1

UNFINISHED = re.compile(r"(?:[0-9a-f]{40}|checkpoint)\.\d+\.tmp")
"""Names of files that are being written, with the number of the process."""

SECONDS_TO_WRITE = 3600.0
"""Another training may still write a younger file."""


def digest(*values: Any) -> str:
    """Hash of arrays, and of the ``repr`` of other values."""
    state = blake2b(digest_size=20)
    for value in values:
        if isinstance(value, np.ndarray):
            state.update(f"{value.dtype.str}{value.shape}".encode())
            state.update(np.ascontiguousarray(value).view(np.uint8).data if value.size else b"")
        else:
            state.update(repr(value).encode())
    return state.hexdigest()


class Checkpoint:
    """The folder of a training.

    Parameters
    ----------
    directory : path-like
        Made if it does not exist.

    Raises
    ------
    InputError
        A folder that cannot be written, or that holds something else.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            unfinished = [path for path in self.directory.iterdir() if UNFINISHED.fullmatch(path.name)]
            others = len(list(self.directory.iterdir())) > len(unfinished)
        except OSError as error:
            raise InputError(f"{directory} cannot be the folder of a checkpoint ({error.strerror})") from None
        if others and not self._facts_file.exists():
            raise InputError(f"{directory} holds other files than those of a checkpoint: give an empty folder")
        for path in unfinished:
            with suppress(OSError):  # removed by another training meanwhile
                if time.time() - path.stat().st_mtime > SECONDS_TO_WRITE:
                    path.unlink()

    @property
    def _facts_file(self) -> Path:
        return self.directory / "checkpoint.json"

    def parts(self, wanted: int, *, keep: bool = True) -> int:
        """Number of parts of a level: that of the first training in this folder, else the wanted one.

        With ``keep``, the folder has the wanted number from then on.
        """
        try:
            facts = json.loads(self._facts_file.read_text("utf-8"))
            if facts["format"] == FORMAT and int(facts["parts"]) >= 1:
                return int(facts["parts"])
        except FileNotFoundError:
            if keep:
                self._replace(self._facts_file, json.dumps({"format": FORMAT, "parts": wanted}).encode())
            return wanted
        except (OSError, ValueError, KeyError, TypeError):
            pass
        raise InputError(
            f"{self._facts_file} is damaged, or of another version: remove the folder, or give another one"
        )

    def read(self, key: str) -> Arrays | None:
        """The arrays of a task; None if the file does not exist or is damaged."""
        path = self.directory / f"{key}.safetensors"
        try:
            with safe_open(path, framework="numpy") as file:
                arrays = {name: file.get_tensor(name) for name in sorted(file.keys())}
                wanted = (file.metadata() or {}).get("hash")
        except (OSError, SafetensorError):
            return None
        return arrays if wanted == content_of(arrays) else None

    def write(self, key: str, arrays: Arrays) -> None:
        """Write the arrays of a task; a reader sees all of the file or none.

        Raises
        ------
        InputError
            The file cannot be written.
        """
        path = self.directory / f"{key}.safetensors"
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            save_file(arrays, temporary, {"hash": content_of(arrays)})
            temporary.replace(path)
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path} cannot be written ({error}): give a checkpoint folder with more space") from None
        finally:
            temporary.unlink(missing_ok=True)

    def log_failure(self, name: str, text: str) -> None:
        """Append the error of a task."""
        with (self.directory / "failures.log").open("a", encoding="utf-8") as file:
            file.write(f"{name}\n{text.rstrip()}\n\n")

    def _replace(self, path: Path, content: bytes) -> None:
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        except OSError as error:
            raise InputError(f"{path} cannot be written ({error.strerror}): give another checkpoint folder") from None
        finally:
            temporary.unlink(missing_ok=True)


def content_of(arrays: Arrays) -> str:
    """Hash of named arrays, whatever their order is."""
    return digest(*(item for name in sorted(arrays) for item in (name, arrays[name])))
