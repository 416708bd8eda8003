"""Saving: new files beside the old ones, one atomic rename, then the old files are removed.

A save holds the lock of the directory. It writes the arrays under a temporary name, renames them to their final name,
and replaces ``model.json`` by a rename. Before that rename the directory holds the old model, after it the new one. A
process that is killed leaves at most unlisted arrays and ``.part`` files, which the next save removes.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ramify.checks import given_path
from ramify.errors import InputError, ModelFileError
from ramify.store.folder import Folder
from ramify.store.format import (
    ARRAYS_OF_FORMAT_1,
    MANIFEST,
    StoredModel,
    decode_manifest,
    encode_manifest,
    is_manifest,
    is_own_name,
    listed_arrays,
    write_arrays,
)

_OF_FILE_SYSTEMS = re.compile(r"lost\+found|\.nfs[0-9a-f]+|\.fuse_hidden[0-9a-f]+")
_LONGEST_MANIFEST = 100_000_000
_SHOWN = 3
_LONGEST_NAME = 60
_TRIES = 100


def save_model(directory: str | Path, model: StoredModel) -> None:
    """Write a model directory in one step: all of it, or the old one stays.

    Parameters
    ----------
    directory : path-like
        Where; missing directories are made, and an older ramify model there is replaced.
    model : StoredModel
        What.

    Raises
    ------
    InputError
        Something else is in the way, or a setting or array that cannot be saved.
    ModelFileError
        The disk is full, or writing is not permitted.
    """
    check_target(directory)
    target = Path(os.path.realpath(directory))  # the end of a link, which may not exist yet
    try:
        for _ in range(_TRIES):
            if _save(target, model):
                return
        raise OSError(errno.ENOENT, "the directory is removed again and again")
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelFileError(f"cannot save the model to {target}: {reason}; what was there is untouched") from None


def check_target(directory: str | Path) -> None:
    """Refuse early to write a model where there is something else, or where writing is not permitted.

    Parameters
    ----------
    directory : path-like
        A directory that does not exist, is empty, or holds a ramify model and nothing else.

    Raises
    ------
    InputError
        No path; a file, a device, a FIFO, or a directory with other files.
    ModelFileError
        No permission to write there.
    """
    target = given_path("the model directory", directory)
    if "\0" in str(target):
        raise InputError(f"{str(target)!r} is no path: name a directory for the model")
    try:
        status = _status(target)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            raise InputError(f"{target} is a {_kind(status.st_mode)}: name a directory for the model")
        if status is not None:
            with Folder(target) as folder:
                _refuse_foreign(folder)
    except OSError as error:
        raise ModelFileError(f"cannot save the model to {target}: {error.strerror or error}") from None
    place = next(path for path in (target.absolute(), *target.absolute().parents) if path.exists())
    if not place.is_dir():
        raise ModelFileError(f"cannot save a model in {place}: it is no directory; choose another one")
    if not os.access(place, os.W_OK | os.X_OK):
        raise ModelFileError(f"cannot save a model in {place}: no permission to write there; choose another directory")


def is_model(directory: Path) -> bool:
    """Whether ramify wrote the manifest in a directory, of any format; False for what cannot be read."""
    try:
        with Folder(directory) as folder:
            return _is_own_manifest(folder)
    except OSError:
        return False


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    return "FIFO" if stat.S_ISFIFO(mode) else "socket" if stat.S_ISSOCK(mode) else "device"


def _refuse_foreign(folder: Folder) -> None:
    names = folder.names()
    after_model = MANIFEST in names and _is_own_manifest(folder)
    foreign = sorted(name for name in names if not _is_own(folder, name, after_model))
    if not foreign:
        return
    shown = ", ".join(map(_described, foreign[:_SHOWN]))
    more = f" and {len(foreign) - _SHOWN:,} more" if len(foreign) > _SHOWN else ""
    raise InputError(
        f"{folder.path} is a directory with other files ({shown}{more}): name a new directory for the model"
    )


def _described(name: str) -> str:
    if name == MANIFEST:
        return f"{name!r} of another program"
    return repr(name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}...")


def _is_own(folder: Folder, name: str, after_model: bool) -> bool:
    """Whether a save may leave or replace an entry: a file that ramify wrote, or one of the file system itself."""
    if _OF_FILE_SYSTEMS.fullmatch(name):
        return True
    if not (after_model if name in (MANIFEST, ARRAYS_OF_FORMAT_1) else is_own_name(name)):
        return False  # the names of a manifest and of format 1 are common: they count beside a manifest of ramify only
    status = folder.status(name)
    return status is None or stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)


def _is_own_manifest(folder: Folder) -> bool:
    status = folder.status(MANIFEST, follow=True)
    if status is None or not stat.S_ISREG(status.st_mode) or status.st_size > _LONGEST_MANIFEST:
        return False
    with folder.open(MANIFEST) as file:
        return is_manifest(file.read())


def _save(target: Path, model: StoredModel) -> bool:
    """Save in the locked directory; False where another process removed it before it was locked."""
    made: list[Path] = []
    try:
        _make(target, made)
        folder = Folder(target)
    except BaseException as error:
        _unmake(made)
        if isinstance(error, FileNotFoundError):
            return False
        raise
    with folder, folder.locked() as locked:
        try:
            if not folder.is_at(target):
                return False
            _refuse_foreign(folder)
            _replace(folder, model, locked)
        except BaseException:
            _unmake(made)  # while other savers still wait for the lock
            raise
    return True


def _make(target: Path, made: list[Path]) -> None:
    """Make the missing directories, outermost first, with the default mode."""
    for path in reversed((target, *target.parents)):
        if not path.is_dir():
            with suppress(FileExistsError):
                path.mkdir()
                made.append(path)
    if not target.is_dir():
        raise FileExistsError(errno.EEXIST, "something else has its name", str(target))


def _unmake(made: list[Path]) -> None:
    """Remove the directories that were made, unless something has been put into them."""
    with suppress(OSError):
        while made:
            made.pop().rmdir()


def _replace(folder: Folder, model: StoredModel, locked: bool) -> None:
    old = folder.status(MANIFEST, follow=True)
    replaced = _listed(folder)
    token = secrets.token_hex(8)
    arrays_part, manifest_part = f".arrays-{token}.part", f".model-{token}.part"
    created = [arrays_part, manifest_part]
    try:
        with folder.create(arrays_part, old) as file:
            arrays = write_arrays(file, model.arrays)
            _flush(file)
        if folder.status(arrays.name) is None:
            created.append(arrays.name)
        folder.replace(arrays_part, arrays.name)
        with folder.create(manifest_part, old) as file:
            file.write(encode_manifest(model, arrays))
            _flush(file)
        folder.flush()  # the arrays must be in place before a manifest lists them
        folder.replace(manifest_part, MANIFEST)
    except BaseException:
        _remove(folder, created, _listed(folder))  # an interrupt may come after the last step
        raise
    folder.flush()
    with suppress(OSError):  # the model is in place, and the next save cleans again
        # Without the lock a file that no manifest lists may belong to another save.
        _remove(folder, _own_names(folder) if locked else replaced, _listed(folder))


def _own_names(folder: Folder) -> set[str]:
    return {name for name in folder.names() if is_own_name(name)} | {ARRAYS_OF_FORMAT_1}


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _listed(folder: Folder) -> set[str]:
    """Names of the files that the manifest in place lists."""
    try:
        with folder.open(MANIFEST) as file:
            return {listed_arrays(decode_manifest(file.read(), folder.path), folder.path).name}
    except (FileNotFoundError, ModelFileError):
        return set()


def _remove(folder: Folder, names: Iterable[str], kept: set[str]) -> None:
    for name in names:
        if name not in kept:
            folder.remove(name)
