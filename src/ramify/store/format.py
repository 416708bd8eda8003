"""The two files of a model: a JSON manifest, and arrays in the safetensors format.

The name of the arrays file contains the beginning of its SHA-256 digest, so that different arrays never share a name.
Format 1 had one fixed name, ``arrays.safetensors``; it can still be read.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ramify.errors import InputError, ModelFileError
from ramify.migrations import FORMAT

MANIFEST = "model.json"
ARRAYS_OF_FORMAT_1 = "arrays.safetensors"
_ARRAYS_PATTERN = re.compile(r"arrays-([0-9a-f]{16})\.safetensors")
_PART_PATTERN = re.compile(r"\.(arrays|model)-[0-9a-f]{16}\.part")
_MAX_HEADER = 100_000_000
_DTYPES = {
    "U8": np.uint8, "I8": np.int8, "U16": np.uint16, "I16": np.int16, "U32": np.uint32, "I32": np.int32,
    "U64": np.uint64, "I64": np.int64, "F16": np.float16, "F32": np.float32, "F64": np.float64, "BOOL": np.bool_,
}  # fmt: skip
_DTYPE_NAMES = {np.dtype(kind): name for name, kind in _DTYPES.items()}

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
        Its arrays; read-only when opened from disk, and views of the mapped file unless it was read into memory.
    version : str
        Library version that wrote it.
    """

    kind: str
    config: dict[str, Any]
    arrays: Arrays
    version: str


@dataclass(frozen=True)
class ArraysFile:
    """Name, size in bytes and SHA-256 digest (64 hexadecimal digits) of an arrays file, as the manifest lists them."""

    name: str
    size: int
    digest: str


def is_own_name(name: str) -> bool:
    """Whether ramify alone gives such names: arrays, and files that a save has not finished."""
    return bool(_PART_PATTERN.fullmatch(name) or _ARRAYS_PATTERN.fullmatch(name))


def write_arrays(file: BinaryIO, arrays: Arrays) -> ArraysFile:
    """Write arrays in the safetensors format: 8 bytes header length, a JSON header, then the arrays.

    Larger items come first, so that every array is aligned to its item size.
    """
    given = {name: np.asarray(array) for name, array in arrays.items()}
    ordered = sorted(given.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))
    header, end = {}, 0
    for name, array in ordered:
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": _dtype_name(name, array), "shape": list(array.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    digest, size = hashlib.sha256(), 8 + len(text) + end
    head = len(text).to_bytes(8, "little") + text
    for piece in (memoryview(head), *(_contents(array) for _, array in ordered)):
        digest.update(piece)
        file.write(piece)
    return ArraysFile(f"arrays-{digest.hexdigest()[:16]}.safetensors", size, digest.hexdigest())


def _dtype_name(name: str, array: npt.NDArray[Any]) -> str:
    if array.dtype not in _DTYPE_NAMES:
        raise InputError(f"the array {name!r} has the type {array.dtype}, which cannot be saved: convert it")
    return _DTYPE_NAMES[array.dtype]


def _contents(array: npt.NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def read_arrays(buffer: memoryview, path: Path) -> Arrays:
    """Read-only views of the arrays in the bytes of an arrays file.

    Raises
    ------
    ModelFileError
        The bytes are no safetensors file.
    """
    try:
        length = int.from_bytes(buffer[:8], "little")
        if not 2 <= length <= min(_MAX_HEADER, len(buffer) - 8):
            raise ValueError("impossible header length")
        header = json.loads(bytes(buffer[8 : 8 + length]))
        return {name: _view(buffer, 8 + length, entry) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise ModelFileError(f"{path} is no readable array file ({error}): restore the model directory") from None


def _view(buffer: memoryview, base: int, entry: dict[str, Any]) -> npt.NDArray[Any]:
    dtype = np.dtype(_DTYPES[entry["dtype"]])
    begin, end = entry["data_offsets"]
    shape = tuple(int(length) for length in entry["shape"])
    count = int(np.prod(shape, dtype=object)) if shape else 1
    if begin < 0 or end < begin or base + end > len(buffer) or min(shape, default=0) < 0:
        raise ValueError("array outside the file")
    if end - begin != count * dtype.itemsize:
        raise ValueError("array of another size than its shape")
    if (base + begin) % dtype.alignment:
        raise ValueError("array not aligned")
    return np.frombuffer(buffer, dtype, count, base + begin).reshape(shape)


def encode_manifest(model: StoredModel, arrays: ArraysFile) -> bytes:
    """The text of ``model.json``, with a digest of itself.

    Raises
    ------
    InputError
        A setting that JSON cannot hold.
    """
    body = {"format": FORMAT, "ramify": model.version, "class": model.kind, "config": model.config}
    body["files"] = {arrays.name: {"bytes": arrays.size, "sha256": arrays.digest}}
    try:
        body["sha256"] = _body_digest(body)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the settings of {model.kind} cannot be saved as JSON: {error}") from None
    return (json.dumps(body, indent=1) + "\n").encode()


def is_manifest(raw: bytes) -> bool:
    """Whether ramify wrote this ``model.json``; other programs use the name, too."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return isinstance(body, dict) and {"format", "ramify", "class"} <= body.keys()


def decode_manifest(raw: bytes, path: Path) -> dict[str, Any]:
    """The checked content of a ``model.json``.

    Raises
    ------
    ModelFileError
        Not JSON, foreign, of a newer format, or changed after it was saved.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise ModelFileError(f"{path} is not valid JSON: restore the model directory") from None
    types = {"format": int, "ramify": str, "class": str, "config": dict, "files": dict, "sha256": str}
    if not isinstance(body, dict) or any(not isinstance(body.get(key), kind) for key, kind in types.items()):
        raise ModelFileError(f"{path} is no ramify model: give a directory that ramify saved a model in")
    if isinstance(body["format"], bool) or body["format"] < 1:
        raise ModelFileError(f"{path} has the impossible format {body['format']}: restore the model directory")
    if body["format"] > FORMAT:
        raise ModelFileError(
            f"{path} has model format {body['format']}, but this version reads up to {FORMAT}: upgrade ramify"
        )
    try:
        digest = _body_digest(body)
    except (ValueError, RecursionError):
        raise ModelFileError(f"{path} is nested too deep: restore the model directory") from None
    if digest != body["sha256"]:
        raise ModelFileError(f"{path} was changed after it was saved: restore the model directory")
    return body


def listed_arrays(body: dict[str, Any], path: Path) -> ArraysFile:
    """The arrays file that a manifest lists, by a name that leads to no other directory.

    Raises
    ------
    ModelFileError
        None, several, or a name that ``write_arrays`` does not give.
    """
    first_format = body["format"] == 1
    files = {name: entry for name, entry in body["files"].items() if not first_format or name == ARRAYS_OF_FORMAT_1}
    name, entry = next(iter(files.items())) if len(files) == 1 else ("", None)
    size, digest = (entry.get("bytes"), entry.get("sha256")) if isinstance(entry, dict) else (None, None)
    match = _ARRAYS_PATTERN.fullmatch(name)
    if (
        type(size) is not int
        or not isinstance(digest, str)
        or not (first_format or (match is not None and digest.startswith(match[1])))
    ):
        raise ModelFileError(f"{path} does not list one arrays file: restore the model directory")
    return ArraysFile(name, size, digest)


def _body_digest(body: dict[str, Any]) -> str:
    plain = {key: value for key, value in body.items() if key != "sha256"}
    text = json.dumps(plain, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
