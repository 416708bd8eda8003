"""Opening: the manifest and the arrays that it lists, through one handle of the directory.

A process that saves meanwhile cannot mix two models, as different arrays have different names. It can remove the listed
arrays before they are opened; then the manifest is read again, at last under the shared lock of the directory.
"""

from __future__ import annotations

import glob
import hashlib
import mmap
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ramify.checks import given_path
from ramify.errors import ModelFileError
from ramify.migrations import Part, migrated
from ramify.store.folder import Folder
from ramify.store.format import (
    MANIFEST,
    Arrays,
    ArraysFile,
    StoredModel,
    decode_manifest,
    is_own_name,
    listed_arrays,
    read_arrays,
)

_TRIES = 5
_ALIGNMENT = 64
_PIECE = 1 << 20


def open_model(directory: str | Path, *, verify: bool = True, mapped: bool = True) -> StoredModel:
    """Open a model directory. A model of an older format is given in the current one (see ``migrations``).

    Parameters
    ----------
    directory : path-like
        A directory that ``save_model`` wrote.
    verify : bool, default True
        Compare the arrays with their checksum, which reads them once. Without it opening takes a millisecond, and
        damage inside an array goes unnoticed (it can give wrong scores, never a crash).
    mapped : bool, default True
        Map the arrays file; its pages are read when they are first used and shared with other processes. A process
        ends by a signal if another program truncates a mapped file. Without it the arrays are read into memory.

    Raises
    ------
    InputError
        No path.
    ModelFileError
        Missing, foreign, truncated, tampered with, or of a newer format.
    """
    path = given_path("the model directory", directory)
    if "\0" in str(path):
        raise ModelFileError(f"{str(path)!r} is no path: give a directory that ramify saved a model in")
    try:
        try:
            with Folder(path) as folder:
                return _open(folder, verify, mapped)
        except (FileNotFoundError, NotADirectoryError):
            raise ModelFileError(_absence(path)) from None
    except OSError as error:
        raise ModelFileError(f"{error.filename or path} cannot be read: {error.strerror or error}") from None


def holds_model(directory: str | Path) -> bool:
    """Whether there is a directory with a manifest; an unfinished first save does not count."""
    return (Path(directory) / MANIFEST).exists()


def _open(folder: Folder, verify: bool, mapped: bool) -> StoredModel:
    for _ in range(_TRIES):
        with suppress(_MissingArraysError):
            return _open_once(folder, verify, mapped)
    with folder.locked(shared=True):
        return _open_once(folder, verify, mapped)


class _MissingArraysError(ModelFileError):
    """The manifest lists arrays that are not there, or no longer."""


def _open_once(folder: Folder, verify: bool, mapped: bool) -> StoredModel:
    manifest = folder.path / MANIFEST
    with folder.open(MANIFEST) as file:
        body = decode_manifest(file.read(), manifest)
    listed = listed_arrays(body, manifest)
    path = folder.path / listed.name
    try:
        file = folder.open(listed.name)
    except FileNotFoundError:
        raise _MissingArraysError(f"{path} is missing: restore the model directory") from None
    with file:
        buffer = _buffer(file, path, listed, mapped)
        found = _digest(file, buffer, mapped) if verify else listed.digest
    if found != listed.digest:
        raise ModelFileError(f"{path} was changed after it was saved: restore the model directory")
    return _migrated(body, read_arrays(buffer, path), manifest)


def _migrated(body: dict[str, Any], arrays: Arrays, manifest: Path) -> StoredModel:
    """The model in the current format."""
    try:
        part = migrated(body["format"], Part(body["class"], body["config"], arrays))
    except RecursionError:
        raise ModelFileError(f"{manifest} is nested too deep: restore the model directory") from None
    return StoredModel(part.kind, part.config, part.arrays, body["ramify"])


def _buffer(file: BinaryIO, path: Path, listed: ArraysFile, mapped: bool) -> memoryview:
    """The bytes of the arrays file, mapped or in memory, read-only."""
    size = file.seek(0, 2)
    file.seek(0)
    if size == listed.size and size:
        buffer = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) if mapped else _copy(file, size)
        size = len(buffer)
    if size != listed.size or not size:
        raise ModelFileError(f"{path} has {size} bytes instead of {listed.size}: restore the model directory")
    return buffer


def _digest(file: BinaryIO, buffer: memoryview, mapped: bool) -> str:
    """Hash of the arrays file; it is read piece by piece, because all pages of a mapped file would count as memory."""
    if not mapped:
        return hashlib.sha256(buffer).hexdigest()
    state = hashlib.sha256()
    file.seek(0)
    while piece := file.read(_PIECE):
        state.update(piece)
    return state.hexdigest()


def _copy(file: BinaryIO, size: int) -> memoryview:
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    filled = 0
    while filled < size and (count := file.readinto(memory[start + filled : start + size])):  # type: ignore[attr-defined]
        filled += count
    memory.flags.writeable = False
    return memory[start : start + filled].data


def _absence(path: Path) -> str:
    """Why there is no model to open."""
    place = Path(path.resolve())
    retired = sorted(place.parent.glob(f".{glob.escape(place.name)}.old.*/{MANIFEST}"))
    if not path.is_dir():
        what = "is no directory" if path.exists() else "does not exist"
    else:
        names = [entry.name for entry in path.iterdir()]
        if any(is_own_name(name) for name in names):
            return f"{path} holds an unfinished save: wait until it is done, or save the model again"
        what = f"holds no {MANIFEST}"
    if retired:
        return f"{path} {what}, but {retired[-1].parent} holds its earlier model: rename that directory to {place.name}"
    return f"{path} {what}: give a directory that ramify saved a model in"
