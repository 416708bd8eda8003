"""Bytes in and out: numbered UTF-8 lines of plain or gzip files, and files that appear whole or not at all."""

from __future__ import annotations

import gzip
import io
import os
import secrets
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

from ramify.errors import DataFileError

Source: TypeAlias = Path | BinaryIO
"""A file, or an open binary stream such as ``sys.stdin.buffer``."""

BUFFER_BYTES = 1 << 20
GZIP_LEVEL = 6
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
GZIP_MAGIC = b"\x1f\x8b"


def name_of(source: Source) -> str:
    """How errors call the source."""
    return str(source) if isinstance(source, Path) else str(getattr(source, "name", "<stream>"))


def numbered_lines(source: Source) -> Iterator[tuple[int, str]]:
    r"""Yield (line number from 1, line with its ``\n``), one at a time; a byte order mark is dropped.

    Only ``\n`` ends a line, so that other line separators of Unicode stay inside texts.

    Raises
    ------
    DataFileError
        A file that is missing, a directory, unreadable, not UTF-8, or a broken gzip.
    """
    number, name = 0, name_of(source)
    with _opened(source) as stream:
        try:
            for raw in stream:
                number += 1
                yield number, (raw if number > 1 else raw.removeprefix(BYTE_ORDER_MARK)).decode()
        except UnicodeDecodeError as error:
            raise DataFileError(_not_utf8(error), name, number) from None
        except gzip.BadGzipFile:
            raise DataFileError("is not gzip data: drop the .gz from its name, or compress it again", name) from None
        except (EOFError, zlib.error):
            raise DataFileError("the gzip data breaks off or is damaged: copy the file again", name) from None
        except OSError as error:
            raise unreadable(name, error) from None


def require_file(path: Path) -> None:
    """Refuse what is no readable file before a library opens it.

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
    """The one sentence for a file that the system does not open or read."""
    if isinstance(error, FileNotFoundError):
        return DataFileError("no such file: check the path", name)
    if isinstance(error, IsADirectoryError):
        return DataFileError("is a directory: name a file in it", name)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return DataFileError(f"cannot be read ({reason}): check the path and its permissions", name)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary sibling to write to; it takes the file's place at the end, or vanishes on any error.

    Raises
    ------
    DataFileError
        The system refuses to write: no such directory, no permission, disk full.
    """
    try:
        target = path.resolve()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise DataFileError(f"cannot be written ({error}): check the path", str(path)) from None
    # A name of our own rather than mkstemp, whose private permissions the file would keep.
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(target)
    except OSError as error:
        reason = error.strerror or error
        raise DataFileError(f"cannot be written ({reason}): check the directory and its space", str(path)) from None
    finally:
        with suppress(OSError):  # what kept us from writing may keep us from looking, too
            temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """An open file, gzip when the name ends in ``.gz``, that takes its place only when all is written.

    Raises
    ------
    DataFileError
        As `replacing`.
    """
    with replacing(path) as temporary, temporary.open("xb", BUFFER_BYTES) as plain:
        if path.suffix.lower() != ".gz":
            yield plain
            return
        # No name and no time inside, so that equal data give equal bytes.
        packed = gzip.GzipFile("", "wb", GZIP_LEVEL, plain, mtime=0)
        with packed, io.BufferedWriter(cast(io.RawIOBase, packed), BUFFER_BYTES) as stream:
            yield stream


def without_surrogates(text: str) -> str:
    """Halves of broken surrogate pairs become U+FFFD: no file format of ours can hold them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


@contextmanager
def _opened(source: Source) -> Iterator[BinaryIO]:
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
        with gzip.GzipFile("", "rb", fileobj=plain) as packed:
            # GzipFile splits lines in Python; a buffered reader around it does so in C.
            yield cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, packed), BUFFER_BYTES))


def _not_utf8(error: UnicodeDecodeError) -> str:
    if error.object.startswith(GZIP_MAGIC):
        return "is gzip data: let its name end in .gz"
    byte = error.object[error.start]
    return f"byte 0x{byte:02x} is not UTF-8: save the file as UTF-8"


def _sync(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
