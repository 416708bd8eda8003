"""The two files of a model that are pushed: the manifest, and the arrays that it lists."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ramify.errors import ModelFileError
from ramify.store import MANIFEST, open_model
from ramify.store.format import ARRAYS_OF_FORMAT_1, ArraysFile, decode_manifest, is_own_name, listed_arrays


@dataclass(frozen=True)
class ModelFiles:
    """A verified model directory.

    Parameters
    ----------
    directory : Path
    manifest : bytes
        Content of ``model.json``.
    body : dict
        The same, decoded.
    arrays : ArraysFile
        The arrays file.
    """

    directory: Path
    manifest: bytes
    body: dict[str, Any]
    arrays: ArraysFile

    @classmethod
    def of(cls, directory: Path) -> ModelFiles:
        """Read the manifest and compare the arrays with their checksum.

        Raises
        ------
        ModelFileError
            As ``store.open_model``; another process replaced the model meanwhile.
        """
        open_model(directory, verify=True)
        path = directory / MANIFEST
        try:
            manifest = path.read_bytes()
        except OSError as error:
            raise ModelFileError(f"{path} cannot be read: {error.strerror or error}") from None
        body = decode_manifest(manifest, path)
        files = cls(directory, manifest, body, listed_arrays(body, path))
        if not files.arrays_path.is_file():
            raise ModelFileError(f"the model in {directory} was replaced while it was read: try again")
        return files

    @property
    def arrays_path(self) -> Path:
        """Path of the arrays file."""
        return self.directory / self.arrays.name

    @property
    def bytes(self) -> int:
        """Bytes of both files."""
        return len(self.manifest) + self.arrays.size


def is_arrays_name(name: str) -> bool:
    """Whether a file of a repository is an arrays file of ramify, by its name."""
    return is_own_name(name) or name == ARRAYS_OF_FORMAT_1
