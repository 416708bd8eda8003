"""Token ids of texts: computed once, kept as one flat array, padded per batch.

text i = ids[indptr[i] : indptr[i + 1]], special tokens included, at most ``max_tokens`` ids
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ramify.errors import InputError, RamifyWarning
from ramify.kernels.subwords import subword_ids, tokenizer_from_json
from ramify.kernels.text import checked_texts
from ramify.values import Int32, Int64

if TYPE_CHECKING:
    import torch

MOST_IN_MEMORY = 1 << 28
"""Largest number of token ids (int32, 1 GiB) that a fit keeps in memory."""


@dataclass(frozen=True)
class TextTokenizer:
    """A fast tokenizer and the number of its padding token.

    Parameters
    ----------
    backend : tokenizers.Tokenizer
    pad_id : int, default 0
        Fills the rows of a batch; the mask excludes it.
    """

    backend: Any
    pad_id: int = 0

    @property
    def n_special(self) -> int:
        """Number of special tokens that every text receives."""
        return int(self.backend.num_special_tokens_to_add(False))

    def to_json(self) -> str:
        """The ``tokenizer.json``."""
        return str(self.backend.to_str())

    @classmethod
    def from_json(cls, text: str, pad_id: int) -> TextTokenizer:
        """What ``to_json`` wrote; ValueError for anything else."""
        return cls(tokenizer_from_json(text), pad_id)


@dataclass(frozen=True, eq=False)
class Tokens:
    """Token ids of n texts.

    Parameters
    ----------
    ids : int32 array, shape (total,)
        Ids of all texts, one after another; memory-mapped if a directory was given to ``tokenized``.
    indptr : int64 array, shape (n + 1,)
        Text i has the ids ``indptr[i]`` to ``indptr[i + 1]``.
    n_truncated : int
        Texts with more tokens than the limit; their last tokens are missing.
    pad_id, n_special : int
        See ``TextTokenizer``.
    """

    ids: Int32
    indptr: Int64
    n_truncated: int = 0
    pad_id: int = 0
    n_special: int = 0

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def lengths(self) -> Int64:
        """Tokens per text, int64, shape (n,)."""
        lengths: Int64 = np.diff(self.indptr)
        return lengths

    def take(self, rows: Int64) -> Tokens:
        """The tokens of some texts, in the given order; ``n_truncated`` is not divided."""
        places, indptr = places_of(self.indptr, rows)
        return replace(self, ids=self.ids[places], indptr=indptr)

    def padded(self, rows: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch, padded to its longest text.

        Parameters
        ----------
        rows : int array, shape (m,)
            Numbers of the texts.

        Returns
        -------
        (ids, mask) : int64 tensors, shape (m, longest)
            The mask is 1 at tokens and 0 at padding. A text without tokens gets one padding token with mask 1.
        """
        import torch

        rows = np.asarray(rows, np.int64)
        starts, lengths = self.indptr[rows], self.indptr[rows + 1] - self.indptr[rows]
        places = np.arange(max(1, int(lengths.max(initial=0))))
        mask = places < lengths[:, None]
        ids = np.full(mask.shape, self.pad_id, np.int64)
        ids[mask] = self.ids[(starts[:, None] + places)[mask]]
        mask[:, 0] = True
        return torch.from_numpy(ids), torch.from_numpy(mask.astype(np.int64))


def places_of(indptr: Int64, rows: Int64) -> tuple[Int64, Int64]:
    """Where the ids of some rows of a flat array are, one row after another, and the pointers of the taken rows."""
    lengths = indptr[rows + 1] - indptr[rows]
    taken = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return np.arange(taken[-1]) + np.repeat(indptr[rows] - taken[:-1], lengths), taken


def tokenized(
    tokenizer: TextTokenizer,
    texts: Sequence[str],
    max_tokens: int,
    *,
    threads: int,
    directory: str | os.PathLike[str] | None = None,
) -> Tokens:
    """Token ids of texts.

    Parameters
    ----------
    tokenizer : TextTokenizer
    texts : sequence of str, length n
    max_tokens : int
        Largest number of tokens per text, special tokens included.
    threads : int
        The result is the same for any number.
    directory : path-like, optional
        Directory of a temporary file for the ids, which are then memory-mapped; it is removed with the ``Tokens``.
        None: the ids stay in memory.

    Returns
    -------
    Tokens

    Raises
    ------
    InputError
        A single string instead of a list, an item that is not a str, or a directory that cannot be written.
    """
    texts = checked_texts(texts)
    file, lengths, n_truncated = _TokenFile(directory), [np.zeros(0, np.int64)], 0
    for ids, counts, cut in subword_ids(tokenizer.backend, texts, threads=threads, max_tokens=max_tokens):
        file.append(ids)
        lengths.append(counts)
        n_truncated += cut
    indptr = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(np.concatenate(lengths), out=indptr[1:])
    return Tokens(file.whole(), indptr, n_truncated, tokenizer.pad_id, tokenizer.n_special)


def token_directory(n: int, max_tokens: int) -> str | None:
    """Where the ids of n texts are written: the directory of temporary files if memory could be short, else None."""
    return tempfile.gettempdir() if n * max_tokens > MOST_IN_MEMORY else None


class _TokenFile:
    """Collects arrays of ids in memory, or in a temporary file, which the system removes with the last reference."""

    def __init__(self, directory: str | os.PathLike[str] | None) -> None:
        self.parts: list[Int32] = []
        self.directory = directory
        self.file: Any = None
        if directory is None:
            return
        with self._failures_named():
            self.file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - the memory map keeps it

    def append(self, ids: Int32) -> None:
        """Add the ids of some texts."""
        if self.file is None:
            self.parts.append(ids)
            return
        with self._failures_named():
            self.file.write(ids.tobytes())

    def whole(self) -> Int32:
        """All ids."""
        if self.file is None:
            return np.concatenate([np.zeros(0, np.int32), *self.parts])
        with self._failures_named():
            self.file.flush()
            if self.file.tell() == 0:
                return np.zeros(0, np.int32)
            return np.memmap(self.file, np.int32, "r")

    @contextmanager
    def _failures_named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(
                f"the token ids cannot be written to {self.directory} ({reason}): free space there, or set TMPDIR to "
                "another directory"
            ) from None


def warn_of_truncation(n_truncated: int, n: int, limit: int) -> None:
    """Report by one RamifyWarning how many of n texts have more than ``limit`` tokens, if any."""
    if n_truncated:
        warnings.warn(
            f"{n_truncated:,} of {n:,} texts have more than {limit} tokens, and their end is not used: raise "
            "max_tokens if the encoder allows it",
            RamifyWarning,
            stacklevel=3,
        )
