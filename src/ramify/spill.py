"""Arrays in files instead of memory: mapped, without a name, and gone with the array or the process.

The pages of a mapped file belong to the page cache: the system writes them back and reuses them when memory is short.
All blocks are reserved when a file is made, because a write to a mapped file on a full disk would end the process.
"""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ramify.errors import InputError

Empty = Callable[[Any, Any], npt.NDArray[Any]]
"""Makes an uninitialised array of a shape and a type, as ``numpy.empty`` does."""

LEAST_BYTES = 1 << 20
"""Smaller arrays stay in memory."""

ZEROS = bytes(1 << 20)

ROWS_AT_ONCE = 1 << 14
"""Rows of a matrix that are copied at a time."""

OTHER_FOLDER = "use another folder (ramify train --memory: --out on another disk)"
"""Remedy for a folder that cannot hold the files."""

MOUNTS = Path("/proc/self/mountinfo")
"""Device and kind of each mounted file system, on Linux."""

IN_MEMORY = ("tmpfs", "ramfs", "devtmpfs")
"""File systems whose files count as memory of the process."""


class Spill:
    """A folder for arrays that are larger than memory. It holds no file that has a name.

    Parameters
    ----------
    folder : path-like
        An existing folder on a disk, not in a file system in memory.

    Raises
    ------
    InputError
        The folder does not exist, or no file can be made in it.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._file().close()

    def empty(self, shape: Any, dtype: Any) -> npt.NDArray[Any]:
        """An array of a new file; of zeros. Arrays of less than 1 MiB are in memory.

        Raises
        ------
        InputError
            The folder has too little space.
        """
        kind = np.dtype(dtype)
        lengths = (int(shape),) if np.ndim(shape) == 0 else tuple(int(length) for length in shape)
        n_bytes = int(np.prod(lengths, dtype=object)) * kind.itemsize
        if n_bytes < LEAST_BYTES:
            return np.zeros(lengths, kind)
        with self._file() as file:
            self._reserve(file, n_bytes)
            buffer = mmap.mmap(file.fileno(), n_bytes)
        return np.frombuffer(buffer, kind).reshape(lengths)

    def growing(self, dtype: Any) -> Growing:
        """An array whose length is not known yet."""
        return Growing(self, np.dtype(dtype))

    def rows(self, matrix: Any, rows: Any) -> Any:
        """Some rows of a CSR matrix, as a CSR matrix in files."""
        sizes = np.diff(matrix.indptr)[rows]
        indptr = np.concatenate([[0], np.cumsum(sizes)])
        indices, data = (
            self.empty(int(indptr[-1]), matrix.indices.dtype),
            self.empty(int(indptr[-1]), matrix.data.dtype),
        )
        for first in range(0, len(rows), ROWS_AT_ONCE):
            part = matrix[rows[first : first + ROWS_AT_ONCE]]
            place = slice(indptr[first], indptr[first] + part.nnz)
            indices[place], data[place] = part.indices, part.data
        return sp.csr_matrix((data, indices, indptr), shape=(len(rows), matrix.shape[1]))

    def _file(self) -> IO[bytes]:
        try:
            return tempfile.TemporaryFile(prefix=".ramify-", dir=self.folder, buffering=0)
        except OSError as error:
            raise InputError(
                f"the folder {self.folder} cannot hold data of the training ({error.strerror}): {OTHER_FOLDER}"
            ) from None

    def _reserve(self, file: IO[bytes], n_bytes: int) -> None:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, n_bytes)
                return
            left = n_bytes
            while left:  # a file without buffer may write less than it is given
                left -= file.write(ZEROS[:left])
        except OSError as error:
            raise self.full(n_bytes, error) from None

    def full(self, n_bytes: int, error: OSError) -> InputError:
        """The error of a folder that cannot hold so many more bytes."""
        free = ""
        with suppress(OSError):
            free = f"; {shutil.disk_usage(self.folder).free:,} bytes are free"
        return InputError(
            f"the folder {self.folder} cannot hold {n_bytes:,} more bytes of the training ({error.strerror}{free}): "
            f"free space there, or {OTHER_FOLDER}"
        )

    @property
    def in_memory(self) -> str | None:
        """Kind of the file system of the folder if it is in memory, such as "tmpfs"; None on disks and if unknown."""
        with suppress(OSError, ValueError):
            mounts = MOUNTS.read_text("utf-8", errors="replace").splitlines()
            device = self.folder.stat().st_dev
            number = f"{os.major(device)}:{os.minor(device)}"
            for line in mounts:
                mount, _, kind = line.partition(" - ")
                if mount.split()[2] == number:
                    name = kind.split()[0]
                    return name if name in IN_MEMORY else None
        return None


class Growing:
    """A vector in a file that parts are appended to.

    Parameters
    ----------
    spill : Spill
        Its folder holds the file.
    dtype : dtype
        Type of the items.
    """

    def __init__(self, spill: Spill, dtype: np.dtype[Any]) -> None:
        self._spill, self._dtype, self._length = spill, dtype, 0
        self._file = spill._file()

    def __len__(self) -> int:
        return self._length

    def append(self, part: npt.NDArray[Any]) -> None:
        """Write a part behind the others.

        Raises
        ------
        InputError
            The folder has too little space.
        """
        rest = np.ascontiguousarray(part, self._dtype).reshape(-1).view(np.uint8).data
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise self._spill.full(len(rest), error) from None
        self._length += part.size

    def finish(self) -> npt.NDArray[Any]:
        """The whole vector, mapped; nothing can be appended after it."""
        with self._file as file:
            if not self._length:
                return np.empty(0, self._dtype)
            return np.frombuffer(mmap.mmap(file.fileno(), 0), self._dtype)
