"""A directory that is opened once: its files are reached through one handle, even if its path changes meanwhile."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_HANDLES = hasattr(os, "O_DIRECTORY") and {os.open, os.rename, os.stat, os.unlink} <= os.supports_dir_fd
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)  # opening a FIFO must not block
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class Folder:
    """An open directory, to be used in a ``with`` statement.

    Where the system has no handles of directories (Windows), names are joined to the path instead.

    Parameters
    ----------
    path : Path
        The directory.

    Raises
    ------
    OSError
        It is missing, no directory, or not permitted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = _open_directory(path) if _HANDLES else None
        if self._handle is None:
            (path / ".").stat()

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._handle is not None:
            os.close(self._handle)

    def names(self) -> list[str]:
        """Names of all entries, in no order."""
        return [entry.name for entry in self.path.iterdir()]

    def status(self, name: str, *, follow: bool = False) -> os.stat_result | None:
        """``stat`` of an entry, by default of a link itself; None where it does not exist."""
        try:
            return os.stat(self._at(name), dir_fd=self._handle, follow_symlinks=follow)
        except FileNotFoundError:
            return None

    def open(self, name: str) -> BinaryIO:
        """A regular file, opened for reading without a buffer.

        Raises
        ------
        OSError
            It is missing, no regular file, or not permitted.
        """
        try:
            descriptor = os.open(self._at(name), _READ, dir_fd=self._handle)
        except OSError as error:
            error.filename = str(self.path / name)
            raise
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return os.fdopen(descriptor, "rb", buffering=0)
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(self.path / name))

    def create(self, name: str, like: os.stat_result | None) -> BinaryIO:
        """A new file, opened for writing, with the mode and, where permitted, the owner and group of another file."""
        mode = 0o666 if like is None else stat.S_IMODE(like.st_mode) & 0o777
        file = os.fdopen(os.open(self._at(name), _CREATE, mode, dir_fd=self._handle), "wb")
        if like is not None and hasattr(os, "fchown"):
            _give_to(file.fileno(), like)
            with suppress(OSError):
                os.fchmod(file.fileno(), mode)
        return file

    def replace(self, old: str, new: str) -> None:
        """Rename a file; a file of the new name is replaced in the same atomic step."""
        os.replace(self._at(old), self._at(new), src_dir_fd=self._handle, dst_dir_fd=self._handle)

    def remove(self, name: str) -> None:
        """Remove a file; an entry that is missing or cannot be removed is left."""
        with suppress(OSError):
            os.unlink(self._at(name), dir_fd=self._handle)

    def flush(self) -> None:
        """Make renames durable, where the file system supports that for directories."""
        if self._handle is not None:
            with suppress(OSError):
                os.fsync(self._handle)

    def is_at(self, path: Path) -> bool:
        """Whether the path still leads to this directory."""
        if self._handle is None:
            return True
        try:
            return os.path.samestat(os.fstat(self._handle), path.stat())
        except FileNotFoundError:
            return False

    @contextmanager
    def locked(self, *, shared: bool = False) -> Iterator[bool]:
        """Wait for the lock of the directory and hold it; the value is False where the system supports no locks."""
        held = self._lock(shared)
        try:
            yield held
        finally:
            if held and self._handle is not None:
                fcntl.flock(self._handle, fcntl.LOCK_UN)  # a forked child may still have the handle

    def _lock(self, shared: bool) -> bool:
        if fcntl is None or self._handle is None:
            return False
        try:
            fcntl.flock(self._handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        except OSError:
            return False
        return True

    def _at(self, name: str) -> str:
        return name if self._handle is not None else str(self.path / name)


def _open_directory(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        if not hasattr(os, "O_PATH"):
            raise
        return os.open(path, os.O_PATH | os.O_DIRECTORY)  # may be searched, but not listed


def _give_to(descriptor: int, like: os.stat_result) -> None:
    """Set owner and group, or at least the group."""
    for owner in (like.st_uid, -1):
        with suppress(OSError):
            os.fchown(descriptor, owner, like.st_gid)
            return
