"""Many strings in two arrays, so that opening a model does not decode them."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from ramify.errors import InputError, ModelFileError
from ramify.values import Int64

FIRST_BYTE_BEYOND_ASCII = 0x80

STORED = {"blob": "offsets", "names": "name_offsets"}
"""Last parts of the array names by which models store tables: that of the bytes, that of the offsets."""


class StringTable(Sequence[str]):
    """A sequence of strings over UTF-8 bytes that may be memory-mapped; each is decoded on access.

    Parameters
    ----------
    blob : uint8 array
        All strings, one after another, as UTF-8.
    offsets : int64 array, length n + 1
        String i is ``blob[offsets[i]:offsets[i + 1]]``.

    Raises
    ------
    InputError
        Other types, or offsets that do not ascend from 0 to the length of the blob.
    """

    def __init__(self, blob: npt.NDArray[np.uint8], offsets: Int64) -> None:
        for name, array, dtype in (("bytes", blob, np.uint8), ("offsets", offsets, np.int64)):
            if array.dtype != dtype or array.ndim != 1:
                kind = np.dtype(dtype).name
                raise InputError(f"string {name} must be a vector of {kind}, not {array.dtype} of shape {array.shape}")
        ascending = len(offsets) and offsets[0] == 0 and (offsets[1:] >= offsets[:-1]).all()
        if not ascending or offsets[-1] != len(blob):
            raise InputError(f"string offsets must ascend from 0 to {len(blob)}, the length of the bytes")
        self.blob = blob
        self.offsets = offsets

    @classmethod
    def of(cls, strings: Iterable[str]) -> StringTable:
        """Pack strings; lone surrogates are kept."""
        encoded = [string.encode("utf-8", "surrogatepass") for string in strings]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(one) for one in encoded], out=offsets[1:])
        return cls(np.frombuffer(b"".join(encoded), np.uint8), offsets)

    def check(self) -> None:
        """Raise InputError for strings that cannot be decoded, in one pass over the bytes.

        Raises
        ------
        InputError
            A string that is not UTF-8; the message has its number.
        """
        places = np.flatnonzero(self.blob >= FIRST_BYTE_BEYOND_ASCII)
        if len(places) == 0:
            return
        # Decoding dominates the time, so ASCII is skipped. Continuation bytes are therefore checked first: they must
        # directly follow the byte before them, and must not begin a string.
        beyond = self.blob[places]
        continues = (beyond & 0xC0) == FIRST_BYTE_BEYOND_ASCII
        alone = np.diff(places, prepend=-2) > 1
        begins = self.offsets[:-1][self.offsets[:-1] < len(self.blob)]
        begins = begins[(self.blob[begins] & 0xC0) == FIRST_BYTE_BEYOND_ASCII]
        wrong = [*places[continues & alone][:1].tolist(), *begins[:1].tolist()]
        try:
            codecs.utf_8_decode(beyond.tobytes(), "surrogatepass", True)
        except UnicodeDecodeError as error:
            wrong.append(int(places[error.start]))
        if wrong:
            number = int(np.searchsorted(self.offsets, min(wrong), side="right")) - 1
            raise InputError(f"string {number} is not valid UTF-8")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        piece = self.blob[self.offsets[index] : self.offsets[index + 1]]
        try:
            return piece.tobytes().decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise ModelFileError(f"string {index} is not valid UTF-8: restore the model directory") from None


def check_tables(arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Check every table of strings among the arrays of a model, see ``StringTable.check``.

    Parameters
    ----------
    arrays : mapping of str to array
        By names such as "vectorizer/names", whose last part is a key of ``STORED`` for the bytes of a table.

    Raises
    ------
    InputError
        A string that is not UTF-8, or offsets that do not fit the bytes.
    """
    for name, blob in arrays.items():
        prefix, slash, last = name.rpartition("/")
        offsets = arrays.get(f"{prefix}{slash}{STORED.get(last)}")
        if offsets is not None and blob.dtype == np.uint8 and offsets.dtype == np.int64:
            StringTable(blob, offsets).check()
