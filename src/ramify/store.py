"""The model directory: ``model.json`` (settings, versions, checksums) beside ``arrays.safetensors`` (mapped, not read).

Never a pickle. A model is written to a temporary sibling and renamed, so that a crash leaves the old model or none; it
is checked when it is opened, so that a truncated, tampered or foreign directory gives one ``ModelFileError``.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ramify.errors import InputError, ModelFileError

FORMAT = 1
MANIFEST = "model.json"
ARRAYS = "arrays.safetensors"
_MAX_HEADER = 100_000_000
_DTYPES = {
    "U8": np.uint8, "I8": np.int8, "U16": np.uint16, "I16": np.int16, "U32": np.uint32, "I32": np.int32,
    "U64": np.uint64, "I64": np.int64, "F16": np.float16, "F32": np.float32, "F64": np.float64, "BOOL": np.bool_,
}  # fmt: skip

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class StoredModel:
    """What a model directory holds.

    Parameters
    ----------
    kind : str
        Name of the model's class.
    config : dict
        Its settings, JSON values only.
    arrays : dict of str to array
        Its arrays; read-only views of the mapped file when it was opened from disk.
    version : str
        Library version that wrote it.
    """

    kind: str
    config: dict[str, Any]
    arrays: Arrays
    version: str


def save_model(directory: str | Path, model: StoredModel) -> None:
    """Write a model directory in one step: all of it, or the old one stays.

    Parameters
    ----------
    directory : path-like
        Where; an older ramify model there is replaced.
    model : StoredModel
        What.

    Raises
    ------
    InputError
        Something else is in the way, or a setting that JSON cannot hold.
    ModelFileError
        The disk is full, or writing is not permitted.
    """
    target = Path(directory)
    check_target(target)
    staging: Path | None = None
    try:
        target = target.resolve()  # a link to a model directory stays, and leads to the new model
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        _write_files(staging, model)
        _swap(staging, target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelFileError(f"cannot save the model to {target}: {reason}; what was there is untouched") from None
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def check_target(directory: str | Path) -> None:
    """Refuse early to write a model where something else would be overwritten.

    Raises
    ------
    InputError
        A file, or a directory that is not empty and holds no ramify model.
    ModelFileError
        No permission to write there.
    """
    target = Path(directory)
    try:
        foreign = target.is_dir() and any(target.iterdir()) and not (target / MANIFEST).is_file()
        in_the_way = target.exists() and not target.is_dir()
    except OSError as error:
        raise ModelFileError(f"cannot save the model to {target}: {error.strerror}") from None
    if "\0" in str(target):
        raise InputError(f"{str(target)!r} is no path: name a directory for the model")
    if foreign:
        raise InputError(f"{target} is a directory with other files: name a new directory for the model")
    if in_the_way:
        raise InputError(f"{target} is a file: name a directory for the model")
    parent = next(folder for folder in target.absolute().parents if folder.exists())
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ModelFileError(f"cannot save a model in {parent}: no permission to write there; choose another directory")


def _write_files(directory: Path, model: StoredModel) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays = directory / ARRAYS
    try:
        save_file({name: np.ascontiguousarray(array) for name, array in model.arrays.items()}, arrays)
    except SafetensorError as error:  # its only way to say that the disk is full
        raise OSError(None, f"the arrays could not be written ({error})") from None
    body = {"format": FORMAT, "ramify": model.version, "class": model.kind, "config": model.config}
    body["files"] = {ARRAYS: {"bytes": arrays.stat().st_size, "sha256": _file_digest(arrays)}}
    try:
        body["sha256"] = _body_digest(body)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the settings of {model.kind} cannot be saved as JSON: {error}") from None
    (directory / MANIFEST).write_text(json.dumps(body, indent=1) + "\n", "utf-8")
    directory.chmod(0o755)
    arrays.chmod(0o644)
    for path in (arrays, directory / MANIFEST):
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _swap(staging: Path, target: Path) -> None:
    if not target.exists() or not any(target.iterdir()):
        staging.rename(target)  # also over an empty directory
        return
    retired = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    try:
        target.rename(retired)
        staging.rename(target)
    except BaseException:  # also when interrupted: the old model goes back to its place
        with suppress(OSError):
            retired.rename(target)
        raise
    finally:
        if target.exists():
            shutil.rmtree(retired, ignore_errors=True)


def open_model(directory: str | Path, *, verify: bool = True) -> StoredModel:
    """Open a model directory; arrays are mapped, not read.

    Parameters
    ----------
    directory : path-like
        A directory that ``save_model`` wrote.
    verify : bool, default True
        Compare the arrays with their checksum, which reads them once. Without it opening takes a millisecond, and
        damage inside an array goes unnoticed (it can give wrong scores, never a crash).

    Raises
    ------
    ModelFileError
        Missing, foreign, truncated, tampered with, or of a newer format.
    """
    path = Path(directory)
    try:
        return _open(path, verify)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}") from None


def _open(path: Path, verify: bool) -> StoredModel:
    body = _read_manifest(path)
    arrays = path / ARRAYS
    wanted = body["files"].get(ARRAYS) if isinstance(body["files"], dict) else None
    if not isinstance(wanted, dict):
        raise ModelFileError(f"{path / MANIFEST} does not list {ARRAYS}: restore the model directory")
    if not arrays.is_file():
        raise ModelFileError(f"{arrays} is missing: restore the model directory")
    size = arrays.stat().st_size
    if size != wanted.get("bytes"):
        raise ModelFileError(f"{arrays} has {size} bytes instead of {wanted.get('bytes')}: restore the model directory")
    if verify and _file_digest(arrays) != wanted.get("sha256"):
        raise ModelFileError(f"{arrays} was changed after it was saved: restore the model directory")
    return StoredModel(body["class"], body["config"], _map_arrays(arrays), body["ramify"])


def _read_manifest(path: Path) -> dict[str, Any]:
    manifest = path / MANIFEST
    if not manifest.is_file():
        what = "holds no model.json" if path.is_dir() else "is no directory" if path.exists() else "does not exist"
        raise ModelFileError(f"{path} {what}: give a directory that ramify saved a model in")
    try:
        body = json.loads(manifest.read_text("utf-8"))
    except (ValueError, RecursionError):
        raise ModelFileError(f"{manifest} is not valid JSON: restore the model directory") from None
    types = {"format": int, "ramify": str, "class": str, "config": dict, "files": dict, "sha256": str}
    if not isinstance(body, dict) or any(not isinstance(body.get(key), kind) for key, kind in types.items()):
        raise ModelFileError(f"{manifest} is no ramify model: give a directory that ramify saved a model in")
    if isinstance(body["format"], bool) or body["format"] < 1:
        raise ModelFileError(f"{manifest} has the impossible format {body['format']}: restore the model directory")
    if body["format"] > FORMAT:
        raise ModelFileError(
            f"{path} has model format {body['format']}, but this version reads up to {FORMAT}: upgrade ramify"
        )
    try:
        digest = _body_digest(body)
    except (ValueError, RecursionError):
        raise ModelFileError(f"{manifest} is nested too deep: restore the model directory") from None
    if digest != body["sha256"]:
        raise ModelFileError(f"{manifest} was changed after it was saved: restore the model directory")
    return body


def _body_digest(body: dict[str, Any]) -> str:
    plain = {key: value for key, value in body.items() if key != "sha256"}
    text = json.dumps(plain, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _map_arrays(path: Path) -> Arrays:
    """Views of a safetensors file: 8 bytes header length, a JSON header, then the arrays."""
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        length = int.from_bytes(mapped[:8], "little")
        if not 2 <= length <= min(_MAX_HEADER, len(mapped) - 8):
            raise ValueError("impossible header length")
        header = json.loads(mapped[8 : 8 + length])
        return {name: _view(mapped, 8 + length, entry) for name, entry in header.items() if name != "__metadata__"}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise ModelFileError(f"{path} is no readable array file ({error}): restore the model directory") from None


def _view(mapped: mmap.mmap, base: int, entry: dict[str, Any]) -> npt.NDArray[Any]:
    dtype = np.dtype(_DTYPES[entry["dtype"]])
    begin, end = entry["data_offsets"]
    shape = tuple(int(length) for length in entry["shape"])
    count = int(np.prod(shape, dtype=object)) if shape else 1
    if begin < 0 or end < begin or base + end > len(mapped) or min(shape, default=0) < 0:
        raise ValueError("array outside the file")
    if end - begin != count * dtype.itemsize:
        raise ValueError("array of another size than its shape")
    if (base + begin) % dtype.alignment:
        raise ValueError("array not aligned")
    return np.frombuffer(mapped, dtype, count, base + begin).reshape(shape)
