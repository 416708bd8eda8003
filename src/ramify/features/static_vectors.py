"""Static vectors: one vector per word or sub-word, from files, from a package, or distilled from an encoder."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ramify.checks import existing_path, given_path
from ramify.errors import DataFileError, InputError, MissingExtraError
from ramify.kernels.subwords import subword_ids, tokenizer_from_json
from ramify.strings import StringTable
from ramify.values import Float32, Int32, Int64
from ramify.values.word_vectors import read_word_vectors
from ramify.wording import nearest_name, quoted

WORD = re.compile(r"\w+")
WORDLLAMA = "wordllama"
WORDLLAMA_FILES = ("weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json")
VECTORS_FILE, TOKENIZER_FILE, CONFIG_FILE = "model.safetensors", "tokenizer.json", "config.json"
HALF_RANGE = (1e-2, 6e4)
"""Largest values that vectors in float16 can have without much loss; their scale has no effect on the features."""
WEIGHTED = ("apply_zipf", "sif_coefficient")
"""Keys of a config.json of model2vec: the vectors are already weighted by frequency if one has a true value."""


@dataclass(frozen=True, eq=False)
class StaticVectors:
    """Vectors of words or of sub-words; exactly one of ``words`` and ``tokenizer`` is given.

    Parameters
    ----------
    vectors : float array, shape (V, m)
        float16 or float32.
    words : StringTable, length V, optional
        The word of each vector. A word of a text is looked up as it is, then in lower case.
    tokenizer : str, optional
        Content of a ``tokenizer.json`` whose ids are rows of ``vectors``; larger ids have no vector.
    is_weighted : bool, default False
        Whether frequent tokens already have shorter vectors.

    Raises
    ------
    InputError
        Vectors that are not finite, or do not fit the words.
    """

    vectors: npt.NDArray[Any]
    words: Sequence[str] | None = None
    tokenizer: str | None = None
    is_weighted: bool = False

    def __post_init__(self) -> None:
        shape, dtype = self.vectors.shape, self.vectors.dtype
        if dtype not in (np.float16, np.float32) or len(shape) != 2 or not all(shape):
            raise InputError(f"the static vectors have the type {dtype} and the shape {shape}, but must be a matrix")
        if not np.isfinite(self.vectors).all():
            raise InputError("the static vectors contain NaN or infinite values: replace them")
        if (self.words is None) == (self.tokenizer is None):
            raise InputError("static vectors need either words or a tokenizer")
        if self.words is not None and len(self.words) != shape[0]:
            raise InputError(f"there are {len(self.words)} words for {shape[0]} static vectors: give one word for each")

    def __deepcopy__(self, memo: Any) -> StaticVectors:
        return self  # frozen

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in reversed(list(enumerate(self.words or ())))}

    @cached_property
    def _tokenizer(self) -> Any:
        return tokenizer_from_json(str(self.tokenizer))

    def half(self) -> StaticVectors:
        """The same vectors as float16, which a model directory holds; all are scaled if float16 has other limits."""
        largest = float(np.abs(self.vectors).max())
        is_inside = largest == 0 or HALF_RANGE[0] <= largest <= HALF_RANGE[1]
        scaled = self.vectors if is_inside else self.vectors / np.float32(largest)
        halved = replace(self, vectors=scaled.astype(np.float16))
        halved.__dict__.update({name: made for name, made in vars(self).items() if name.startswith("_")})
        return halved

    def check_tokenizer(self) -> None:
        """Raise ValueError if ``tokenizer`` cannot be read; MissingExtraError without the package tokenizers."""
        if self.tokenizer is not None:
            self._tokenizer.get_vocab_size()

    def ids(self, texts: Sequence[str], threads: int) -> tuple[Int32, Int64]:
        """Rows of ``vectors`` for texts.

        Returns
        -------
        ids : int32 array
            Rows for the tokens of all texts, one text after another; tokens without a vector are left out.
        indptr : int64 array, shape (n + 1,)
            Text i has the ids ``indptr[i]`` to ``indptr[i + 1]``.
        """
        if self.words is not None:
            rows = [self._known(text) for text in texts]
            counts = np.array([len(row) for row in rows], np.int64)
            ids = np.fromiter((one for row in rows for one in row), np.int32, int(counts.sum()))
        else:
            chunks = list(subword_ids(self._tokenizer, texts, threads=threads))
            ids = np.concatenate([np.zeros(0, np.int32), *(chunk for chunk, _, _ in chunks)])
            counts = np.concatenate([np.zeros(0, np.int64), *(chunk for _, chunk, _ in chunks)])
        ends = np.concatenate([[0], np.cumsum(counts)])
        known = ids < len(self.vectors)
        indptr = np.concatenate([[0], np.cumsum(known)])[ends]
        return ids[known], indptr

    def _known(self, text: str) -> list[int]:
        numbers = self._numbers
        found = (numbers.get(word, numbers.get(word.lower(), -1)) for word in WORD.findall(text))
        return [number for number in found if number >= 0]

    def save(self, directory: str | PathLike[str]) -> None:
        """Write sub-word vectors in the format of model2vec: vectors, tokenizer and configuration.

        Raises
        ------
        InputError
            Vectors of words, or a directory that cannot be written.
        """
        from safetensors.numpy import save_file

        if self.tokenizer is None:
            raise InputError("vectors of words have no tokenizer, so they cannot be saved in the format of model2vec")
        target = given_path("directory", directory)
        try:
            target.mkdir(parents=True, exist_ok=True)
            save_file({"embeddings": np.ascontiguousarray(self.vectors)}, target / VECTORS_FILE)
            (target / TOKENIZER_FILE).write_text(self.tokenizer, "utf-8")
            config = {"normalize": True, "apply_zipf": self.is_weighted, "hidden_dim": self.vectors.shape[1]}
            (target / CONFIG_FILE).write_text(json.dumps(config), "utf-8")
        except OSError as error:
            raise InputError(f"the vectors cannot be saved to {target}: {error.strerror or error}") from None


def open_vectors(source: str | PathLike[str], texts: Sequence[str] = (), n_first: int = 0) -> StaticVectors:
    """Static vectors by name or path.

    Parameters
    ----------
    source : str or path-like
        "wordllama" (the package), a directory of model2vec, or a file of word vectors (word2vec or GloVe text).
    texts : sequence of str, default ()
        Texts whose words are read from a file of word vectors.
    n_first : int, default 0
        Number of further words, from the beginning of the file.

    Raises
    ------
    InputError
        An unknown source, or files of another form.
    MissingExtraError
        A package that is not installed.
    """
    if str(source) == WORDLLAMA:
        return _of_wordllama()
    path = existing_path(source)
    if path is not None and path.is_dir():
        return _of_directory(path)
    if path is None:
        near = nearest_name(str(source), [WORDLLAMA])
        hint = "" if near is None else f": did you mean {near!r}?"
        raise InputError(
            f"vectors is {quoted(str(source))}, but must be {WORDLLAMA}, a file of word vectors, or a directory of "
            f"model2vec{hint}"
        )
    words = {word for text in texts for word in WORD.findall(text)}
    table = read_word_vectors(path, words | {word.lower() for word in words}, n_first)
    if not table:
        raise DataFileError("contains no word vectors", path)
    return StaticVectors(np.array(list(table.values()), np.float32), words=StringTable.of(table))


def _of_wordllama() -> StaticVectors:
    found = find_spec(WORDLLAMA)
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError(f"vectors of {WORDLLAMA}", "static")
    vectors, tokenizer = (Path(found.submodule_search_locations[0]) / name for name in WORDLLAMA_FILES)
    return _read(vectors, tokenizer, "embedding.weight", is_weighted=False)


def _of_directory(path: Path) -> StaticVectors:
    try:
        config = json.loads((path / CONFIG_FILE).read_text("utf-8")) if (path / CONFIG_FILE).exists() else {}
        is_weighted = any(config.get(key) for key in WEIGHTED)
    except (OSError, ValueError, AttributeError) as error:
        raise DataFileError(f"cannot be read ({error}): give a directory of model2vec", path / CONFIG_FILE) from None
    return _read(path / VECTORS_FILE, path / TOKENIZER_FILE, "embeddings", is_weighted=is_weighted)


def _read(vectors_file: Path, tokenizer_file: Path, name: str, *, is_weighted: bool) -> StaticVectors:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(vectors_file)
        tokenizer = tokenizer_file.read_text("utf-8")
    except (OSError, UnicodeDecodeError, SafetensorError, TypeError, ValueError) as error:
        remedy = f"give a directory of model2vec with {VECTORS_FILE} and {TOKENIZER_FILE}"
        raise DataFileError(f"cannot be read ({error}): {remedy}", vectors_file.parent) from None
    if name not in arrays or arrays[name].ndim != 2:
        raise DataFileError(f"has no matrix {name!r}: give a file of model2vec", vectors_file)
    try:
        vectors = _table(arrays[name], arrays.get("mapping"), arrays.get("weights"))
        is_weighted = is_weighted or "weights" in arrays
        found = StaticVectors(vectors, tokenizer=tokenizer, is_weighted=is_weighted)
    except InputError as error:
        raise DataFileError(f"is damaged: {error}", vectors_file) from None
    try:
        found.check_tokenizer()
    except ValueError as error:
        raise DataFileError(f"{error}: give a tokenizer.json of the package tokenizers", tokenizer_file) from None
    return found


def _table(rows: npt.NDArray[Any], mapping: npt.NDArray[Any] | None, weights: npt.NDArray[Any] | None) -> Float32:
    """One vector per token: the row that ``mapping`` assigns to it, times its weight."""
    with np.errstate(over="ignore", invalid="ignore"):  # infinite values are refused later
        vectors: Float32 = rows.astype(np.float32)
        if mapping is not None:
            is_row = mapping.dtype.kind in "iu" and mapping.ndim == 1 and ((mapping >= 0) & (mapping < len(rows))).all()
            if not is_row:
                raise InputError(f"'mapping' must be a vector of row numbers below {len(rows)}")
            vectors = vectors[mapping]
        if weights is None:
            return vectors
        if weights.shape != vectors.shape[:1]:
            raise InputError(f"'weights' has the shape {weights.shape}, but there are {len(vectors)} tokens")
        return vectors * weights.astype(np.float32)[:, None]
