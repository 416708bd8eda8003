"""Input of numbered UTF-8 lines from plain or gzip files, and atomic output of files."""

from __future__ import annotations

import gzip
import io
import os
import re
import secrets
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

from ramify.errors import DataFileError
from ramify.store import is_model

Source: TypeAlias = Path | BinaryIO
"""A file, or an open binary stream such as ``sys.stdin.buffer``."""
OnBad: TypeAlias = Callable[[DataFileError], None]
"""Called with the error of each bad record instead of raising it; reading continues with the next line."""

BUFFER_BYTES = 1 << 20
LINE_BYTES = 1 << 28
"""Maximum bytes of a line; several copies fit in memory."""
BLANK_LINES = 1_000_000
"""Maximum blank lines in a row; a gzip file of a few kilobytes can contain billions."""
GZIP_LEVEL = 6
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
GZIP_MAGIC = b"\x1f\x8b"
OWN_DESCRIPTOR = re.compile(r"/dev/fd|/proc/(?P<process>\d+)(?:/task/\d+)?/fd")


def name_of(source: Source) -> str:
    """Name of the source in errors."""
    return str(source) if isinstance(source, Path) else str(getattr(source, "name", "<stream>"))


def numbered_lines(
    source: Source, on_bad: OnBad | None = None, *, limit: int = LINE_BYTES
) -> Iterator[tuple[int, str]]:
    r"""Yield (line number from 1, line with its ``\n``), one at a time; a byte order mark is dropped.

    Only ``\n`` ends a line, so that other line separators of Unicode stay inside texts.

    Parameters
    ----------
    source : Path or binary stream
        Gzip when it is a path that ends in ``.gz``.
    on_bad : callable, optional
        Called with the error of each line that is not UTF-8; the line is left out. By default the error is raised.
    limit : int, default 268435456
        Bytes in one line at most.

    Raises
    ------
    DataFileError
        A file that is missing, a directory, unreadable, not UTF-8, or a broken gzip; a line beyond ``limit``, or
        more than 1,000,000 blank lines in a row.
    """
    number, blank, name = 0, 0, name_of(source)
    with opened(source) as stream, _damage_named(name):
        readline = stream.readline
        while raw := readline(limit):
            number += 1
            blank = blank + 1 if raw.isspace() else 0
            if blank > BLANK_LINES:
                raise DataFileError(f"more than {BLANK_LINES:,} blank lines in a row: remove them", name, number)
            if len(raw) == limit and not raw.endswith(b"\n"):
                raise DataFileError(f"the line is longer than {limit:,} bytes: split it", name, number)
            try:
                line = (raw if number > 1 else raw.removeprefix(BYTE_ORDER_MARK)).decode()
            except UnicodeDecodeError as error:
                problem = DataFileError(_not_utf8(error), name, number)
                if on_bad is None or raw.startswith(GZIP_MAGIC):
                    raise problem from None
                on_bad(problem)
                continue
            yield number, line


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    """Context in which errors of gzip and the system become one DataFileError."""
    try:
        yield
    except gzip.BadGzipFile:
        raise DataFileError(
            "the gzip data is damaged, or other bytes follow it: compress the file again", name
        ) from None
    except (EOFError, zlib.error):
        raise DataFileError("the gzip data breaks off or is damaged: copy the file again", name) from None
    except OSError as error:
        raise unreadable(name, error) from None


def require_file(path: Path) -> None:
    """Raise DataFileError for a missing file or a directory before a library opens it.

    Raises
    ------
    DataFileError
        No such file, or a directory.
    """
    try:
        with path.open("rb"):
            return
    except (OSError, ValueError) as error:
        raise unreadable(str(path), error) from None


def unreadable(name: str, error: Exception) -> DataFileError:
    """The error for a file that the system cannot open or read."""
    if isinstance(error, FileNotFoundError):
        return DataFileError("no such file: check the path", name)
    if isinstance(error, IsADirectoryError):
        return DataFileError("is a directory: name a file in it", name)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return DataFileError(f"cannot be read ({reason}): check the path and its permissions", name)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """An open file, gzip when the name ends in ``.gz``, that replaces the target after all is written.

    A target that is not a regular file (a device, a FIFO, ``/dev/stdout``, ``/dev/fd/N``) is written to directly. A
    symbolic link is kept, and the file that it points to is replaced.

    Raises
    ------
    DataFileError
        A directory, a file in a model's directory, or a path that the system refuses to write: no such directory,
        no permission, disk full.
    """
    with _target(path) as plain:
        if path.suffix.lower() != ".gz":
            yield plain
            return
        # No name and no time inside, so that equal data give equal bytes.
        packed = gzip.GzipFile("", "wb", GZIP_LEVEL, plain, mtime=0)
        with packed, io.BufferedWriter(cast(io.RawIOBase, packed), BUFFER_BYTES) as stream:
            yield stream


@contextmanager
def replacing_together(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Temporary siblings of files, of the same extensions, that replace the files after all of them are written.

    A target that is no regular file (a device, a FIFO) stands for itself. A loss of power between two replacements
    leaves new and old files.

    Raises
    ------
    DataFileError
        A path that the system refuses to write.
    """
    staged: list[Path] = []
    try:
        for path in paths:
            with _refusals_named(path):
                staged.append(path if _is_special(path) else _sibling(path))
        yield staged
        for temporary, path in zip(staged, paths, strict=True):
            with _refusals_named(path):
                if temporary != path:
                    temporary.replace(path.resolve())
    finally:
        for temporary, path in zip(staged, paths, strict=False):
            if temporary != path:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)


def _is_special(path: Path) -> bool:
    return (path.exists() and not path.is_file()) or _own_descriptor(path) is not None


def _sibling(path: Path) -> Path:
    target = path.resolve()
    return target.with_name(f".{secrets.token_hex(4)}.{target.name[-40:]}")


@contextmanager
def _refusals_named(path: Path) -> Iterator[None]:
    """Context in which an error of the system becomes a DataFileError that names the target."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise DataFileError(f"cannot be written ({reason}): check the directory and its space", path) from None


def without_surrogates(text: str) -> str:
    """Halves of broken surrogate pairs become U+FFFD: the file formats cannot represent them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


@contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """The open source, decompressed if it is a path that ends in ``.gz``; errors as in ``numbered_lines``."""
    if not isinstance(source, Path):
        yield source
        return
    try:
        plain = source.open("rb", BUFFER_BYTES)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise unreadable(str(source), error) from None
    with plain:
        if source.suffix.lower() != ".gz":
            yield plain
            return
        if _first_bytes(plain, source) not in (GZIP_MAGIC, b""):
            raise DataFileError("is not gzip data: drop the .gz from its name, or compress it again", source)
        with gzip.GzipFile("", "rb", fileobj=plain) as packed:
            # GzipFile splits lines in Python; a buffered reader around it does so in C.
            yield cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, packed), BUFFER_BYTES))


def _first_bytes(stream: BinaryIO, path: Path) -> bytes:
    try:
        return cast(io.BufferedReader, stream).peek(2)[:2]
    except OSError as error:
        raise unreadable(str(path), error) from None


def _not_utf8(error: UnicodeDecodeError) -> str:
    if error.object.startswith(GZIP_MAGIC):
        return "is gzip data: let its name end in .gz"
    byte = error.object[error.start]
    return f"byte 0x{byte:02x} is not UTF-8: save the file as UTF-8"


@contextmanager
def _target(path: Path) -> Iterator[BinaryIO]:
    """The open file behind `writing`, before compression."""
    with _refusals_named(path):
        descriptor = _direct_descriptor(path)
        if descriptor is not None:
            with os.fdopen(descriptor, "wb", BUFFER_BYTES) as stream:
                yield stream
            return
        target = path.resolve()
        if target.is_dir():
            raise DataFileError("cannot be written (it is a directory): name a file in it", path)
        if is_model(target.parent):
            raise DataFileError("cannot be written into the directory of a model: choose another directory", path)
        with _replacing(target) as stream:
            yield stream


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    """A temporary sibling that replaces the file at the end, or is removed on any error."""
    # Not mkstemp, because the file would keep its private permissions.
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb", BUFFER_BYTES) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    finally:
        with suppress(OSError):  # the cause of the error may prevent the removal as well
            temporary.unlink(missing_ok=True)


def _direct_descriptor(path: Path) -> int | None:
    """An open descriptor of a target that is no regular file; None where a file is to be created or replaced."""
    try:
        own = _own_descriptor(path)
        if own is not None:
            return os.dup(own)  # keeps the offset and the append mode that the shell chose
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind) or (stat.S_ISREG(kind) and not os.path.realpath(path).startswith("/proc/")):
            return None
    except FileNotFoundError:
        return None
    except ValueError as error:  # a NUL in the path
        raise DataFileError(f"cannot be written ({error}): check the path", path) from None
    return os.open(path, os.O_WRONLY)


def _own_descriptor(path: Path) -> int | None:
    """N for ``/dev/fd/N`` and for links that lead there, such as ``/dev/stdout``."""
    place = os.path.abspath(path)  # noqa: PTH100 - resolve() would follow the last link
    for _ in range(40):  # as many links as Linux follows
        folder, name = os.path.split(place)
        folder = os.path.realpath(folder)
        match = OWN_DESCRIPTOR.fullmatch(folder)
        if match and name.isdecimal() and match["process"] in (None, str(os.getpid())):
            return int(name)
        if not os.path.islink(place):  # noqa: PTH114
            return None
        place = os.path.join(folder, os.readlink(place))  # noqa: PTH115, PTH118
    return None
