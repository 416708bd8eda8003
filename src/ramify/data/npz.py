"""NumPy archives: X and Y with label names in one ``.npz``, or a pair of scipy's ``X.npz:Y.npz``. Never a pickle.

Keys of one archive: ``X_data X_indices X_indptr X_shape``, ``Y_indices Y_indptr Y_shape`` (CSR) and, as UTF-8 bytes
with offsets, ``label_names_bytes label_names_offsets``. Dense arrays ``X`` and ``Y`` and an array ``label_names`` of
strings are read, too. scipy's files are those of ``scipy.sparse.save_npz``, CSR or CSC.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.data.labels import NumberNames
from ramify.data.streams import unreadable, writing
from ramify.errors import DataFileError, InputError, ModelFileError
from ramify.strings import StringTable
from ramify.values import CSR, Dataset, as_csr, as_label_matrix
from ramify.wording import quoted

LARGEST_DIMENSION = 2**31 - 1
MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"\x93NUM")  # a zip file, an empty one, a single array
REMEDY = "write it with ramify.write or scipy.sparse.save_npz"


def read(path: Path, labels_path: Path | None = None) -> Dataset:
    """Read X, Y and, where present, label names; otherwise labels are named "0", "1", ...

    Parameters
    ----------
    path : Path
        One archive of both, or scipy's file of X.
    labels_path : Path, optional
        scipy's file of Y.

    Raises
    ------
    DataFileError
        No or a damaged archive, missing arrays, pickled objects, indices out of range, lengths that do not agree.
    """
    names: Sequence[str] | None = None
    with _loaded(path) as arrays:
        X = _matrix(arrays, "X")
        if labels_path is None:
            Y, names = _matrix(arrays, "Y"), _names(arrays)
    if labels_path is not None:
        with _loaded(labels_path) as arrays:
            Y, names = _matrix(arrays, "Y"), _names(arrays)
    try:
        X = as_csr(X)
        Y = as_label_matrix(Y, X.shape[0])
        return Dataset(X=X, Y=Y, label_names=NumberNames(Y.shape[1]) if names is None else names)
    except InputError as error:
        raise DataFileError(str(error), path) from None


def read_features(path: Path) -> CSR:
    """Read X alone; Y may be absent.

    Raises
    ------
    DataFileError
        As `read`.
    """
    with _loaded(path) as arrays:
        X = _matrix(arrays, "X")
    try:
        return as_csr(X)
    except InputError as error:
        raise DataFileError(str(error), path) from None


def write(dataset: Dataset, path: Path) -> None:
    """Write X, Y and the label names to one archive."""
    X, Y = dataset.X, dataset.Y
    if X is None:
        raise InputError("the .npz format holds features, but the data are texts: write .jsonl instead")
    parts: dict[str, Any] = {
        "X_data": X.data,
        "X_indices": X.indices,
        "X_indptr": X.indptr,
        "X_shape": np.array(X.shape, np.int64),
    }
    parts |= {"Y_indices": Y.indices, "Y_indptr": Y.indptr, "Y_shape": np.array(Y.shape, np.int64)}
    if not isinstance(dataset.label_names, NumberNames):
        table = StringTable.of(dataset.label_names)
        parts |= {"label_names_bytes": table.blob, "label_names_offsets": table.offsets}
    with writing(path) as stream:
        np.savez(stream, **parts)


@contextmanager
def _loaded(path: Path) -> Any:
    """The arrays of an archive by key; errors of numpy and zipfile become one kind of error."""
    try:
        stream = path.open("rb")
    except (OSError, ValueError) as error:
        raise unreadable(str(path), error) from None
    try:
        with stream:  # NumPy leaves a file open that it cannot read
            if stream.peek(4)[:4] not in MAGIC:
                raise InputError(f"is not an .npz archive: {REMEDY}, or give it the extension of its format")
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise InputError(f"holds a single array, not an archive: {REMEDY}")
            with archive:
                yield archive
    except InputError as error:
        raise DataFileError(str(error), path) from None
    except Exception as error:  # zipfile and numpy report damage by a dozen kinds of exception
        reason = " ".join(str(error).split())
        if "allow_pickle" in reason:
            problem = f"holds pickled objects, which are never loaded: {REMEDY}"
        elif " object at 0x" in reason:
            problem = f"the header of one of its arrays is damaged: {REMEDY}"
        else:
            problem = f"is not a readable .npz archive ({reason[:200] or type(error).__name__}): {REMEDY}"
        raise DataFileError(problem, path) from None


def _matrix(arrays: Any, name: str) -> Any:
    keys = set(arrays)
    if "format" in keys and "indptr" in keys:
        return _compressed(arrays, "", arrays["format"].item())
    if f"{name}_indptr" in keys:
        return _compressed(arrays, f"{name}_", "csr")
    if name in keys:
        return arrays[name]
    raise InputError(
        f"holds no {name} (its arrays: {', '.join(key[:40] for key in sorted(keys)[:12]) or 'none'}): {REMEDY}"
    )


def _compressed(arrays: Any, prefix: str, layout: str | bytes) -> CSR:
    """Check by scipy's full check, so that no index is out of range."""
    layout = layout.decode() if isinstance(layout, bytes) else layout
    kinds = {"csr": sp.csr_matrix, "csc": sp.csc_matrix}
    if layout not in kinds:
        raise InputError(
            f"is a scipy matrix in {quoted(layout)} format, but must be 'csr' or 'csc': convert it by .tocsr()"
        )
    missing = [key for key in ("indices", "indptr", "shape") if prefix + key not in arrays]
    if missing:
        raise InputError(f"lacks the array {prefix + missing[0]!r}: {REMEDY}")
    indices, indptr, shape = (_integers(arrays[prefix + key], prefix + key) for key in ("indices", "indptr", "shape"))
    data = arrays[prefix + "data"] if prefix + "data" in arrays else np.ones(len(indices), np.float32)
    if len(shape) != 2 or shape.min() < 0 or shape.max() > LARGEST_DIMENSION:
        raise InputError(f"the shape {shape[:8].tolist()} must be two counts of at most {LARGEST_DIMENSION}: {REMEDY}")
    matrix = kinds[layout]((data, indices, indptr), shape=tuple(shape.tolist()))
    matrix.check_format(full_check=True)
    csr: CSR = matrix.tocsr()
    return csr


def _integers(array: Any, key: str) -> Any:
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(f"the array {key!r} is {array.dtype} of shape {array.shape}, but must be a vector of integers")
    return array


def _names(arrays: Any) -> Sequence[str] | None:
    keys = set(arrays)
    if "label_names" in keys:
        names = arrays["label_names"]
        if names.ndim != 1 or names.dtype.kind != "U":
            raise InputError(f"label_names is {names.dtype} of shape {names.shape}, but must be a vector of strings")
        return [str(name) for name in names.tolist()]
    if {"label_names_bytes", "label_names_offsets"} <= keys:
        offsets = _integers(arrays["label_names_offsets"], "label_names_offsets").astype(np.int64)
        blob = _integers(arrays["label_names_bytes"], "label_names_bytes").astype(np.uint8)
        try:
            return list(StringTable(blob, offsets))
        except ModelFileError:
            raise InputError(f"the label names are not UTF-8: {REMEDY}") from None
    return None
