"""Checked calls of the package tokenizers: texts → ids of sub-words, on a given number of threads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from threading import RLock
from typing import Any

import numpy as np

from ramify.errors import MissingExtraError
from ramify.values import Int32, Int64

CHUNK = 1024
"""Texts per call of the tokenizer."""

PARALLELISM = "TOKENIZERS_PARALLELISM"

_lock = RLock()
"""Protects the two values below; reentrant, as the collection of an unfinished iterator may run within."""

_n_open = 0
"""Number of calls that are not finished."""

_before: str | None = None
"""Value of the variable before the first of these calls."""


def tokenizer_from_json(text: str) -> Any:
    """A ``tokenizers.Tokenizer`` from the content of a ``tokenizer.json``, without truncation and padding.

    Raises
    ------
    ValueError
        The text is no tokenizer.
    MissingExtraError
        The package tokenizers is not installed.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise MissingExtraError("sub-word vectors", "static") from None
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # the package raises Exception itself
        raise ValueError(f"the tokenizer cannot be read: {error}") from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def subword_ids(
    tokenizer: Any, texts: Sequence[str], *, threads: int, max_tokens: int | None = None
) -> Iterator[tuple[Int32, Int64, int]]:
    """Ids of texts, chunk by chunk in the order of the texts.

    Parameters
    ----------
    tokenizer : tokenizers.Tokenizer
        Without truncation and padding; it is not changed.
    texts : sequence of str
    threads : int
        The result is the same for any number.
    max_tokens : int, optional
        Add special tokens, and keep at most this number of tokens per text, special tokens included. None: no special
        tokens and no limit.

    Yields
    ------
    ids : int32 array
        Ids of the texts of a chunk, one text after another.
    counts : int64 array
        Number of ids of each text.
    n_truncated : int
        Number of texts that were cut.
    """
    chunks = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
    if len(chunks) == 1:
        with _one_thread_per_call():
            yield _encoded(tokenizer, texts, max_tokens)
        return
    with _one_thread_per_call(), ThreadPoolExecutor(threads) as pool:
        for first in range(0, len(chunks), threads):
            yield from pool.map(lambda part: _encoded(tokenizer, part, max_tokens), chunks[first : first + threads])


def _encoded(tokenizer: Any, texts: Sequence[str], max_tokens: int | None) -> tuple[Int32, Int64, int]:
    try:
        encodings = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    except TypeError:  # lone surrogates have no UTF-8 form
        plain = [text.encode("utf-8", "replace").decode() for text in texts]
        encodings = tokenizer.encode_batch_fast(plain, add_special_tokens=False)
    rows, n_truncated = [encoding.ids for encoding in encodings], 0
    if max_tokens is not None:
        room = max_tokens - tokenizer.num_special_tokens_to_add(False)
        n_truncated = sum(len(row) > room for row in rows)
        rows = [_with_special(tokenizer, encoding, room) for encoding in encodings]
    counts = np.array([len(row) for row in rows], np.int64)
    return np.fromiter(chain.from_iterable(rows), np.int32, int(counts.sum())), counts, n_truncated


def _with_special(tokenizer: Any, encoding: Any, room: int) -> Any:
    if len(encoding) > room:
        encoding.truncate(room)
    return tokenizer.post_process(encoding).ids


@contextmanager
def _one_thread_per_call() -> Iterator[None]:
    """Within, the package uses the calling thread only: its functions have no argument for the number of threads.

    Calls may overlap in several threads: the variable is set by the first, and restored by the one that ends last.
    """
    global _n_open, _before  # noqa: PLW0603 - the variable belongs to the process
    with _lock:
        if _n_open == 0:
            _before = os.environ.get(PARALLELISM)
            os.environ[PARALLELISM] = "false"
        _n_open += 1
    try:
        yield
    finally:
        with _lock:
            _n_open -= 1
            if _n_open == 0:
                _restore(_before)


def _restore(value: str | None) -> None:
    if value is None:
        os.environ.pop(PARALLELISM, None)
    else:
        os.environ[PARALLELISM] = value
