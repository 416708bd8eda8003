"""Embeddings on disk, by a digest of the encoder and of each text.

A directory holds one subdirectory per encoder and settings, in the format of a model directory: it is replaced in one
atomic step, and its checksum is verified when it is read.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ramify import __version__
from ramify.checks import existing_path
from ramify.errors import InputError, ModelFileError, RamifyWarning
from ramify.store import StoredModel, holds_model, open_model, save_model
from ramify.values import Bool, Float32

KIND = "Embeddings"
DIGEST_BYTES = 16

Keys = npt.NDArray[np.uint64]


def encoder_digest(config: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], max_tokens: int) -> str:
    """Digest of weights, tokenizer, pooling and number of tokens, from ``encoder_to_state``."""
    digest = hashlib.sha256(repr((config.get("pooling"), config["pad_id"], max_tokens)).encode())
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).view(np.uint8).data)
    return digest.hexdigest()


class EmbeddingCache:
    """Embeddings of texts by one encoder.

    Parameters
    ----------
    directory : Path
        Directory of all encoders.
    digest : str
        Digest of the encoder and its settings.
    width : int
        Length of the embeddings.

    Raises
    ------
    InputError
        The subdirectory has the embeddings of another encoder, or something else.
    ModelFileError
        It is damaged.
    """

    def __init__(self, directory: Path, digest: str, width: int) -> None:
        self.path = directory / f"embeddings-{digest[:16]}"
        self.digest = digest
        self.keys: Keys = np.zeros((0, 2), np.uint64)
        self.vectors: Float32 = np.zeros((0, width), np.float32)
        if existing_path(self.path) is not None and holds_model(self.path):
            self._read(width)

    def _read(self, width: int) -> None:
        try:
            stored = open_model(self.path)
        except ModelFileError as error:
            raise ModelFileError(f"the cached embeddings cannot be used ({error}): delete {self.path}") from None
        if stored.kind != KIND or stored.config.get("encoder") != self.digest:
            raise InputError(f"{self.path} has embeddings of another encoder: delete it, or give another cache")
        keys, vectors = stored.arrays.get("keys"), stored.arrays.get("vectors")
        shapes = [getattr(array, "shape", None) for array in (keys, vectors)]
        if keys is None or vectors is None or shapes != [(len(vectors), 2), (len(keys), width)]:
            raise ModelFileError(f"the cached embeddings in {self.path} are damaged: delete it")
        self.keys, self.vectors = keys.astype(np.uint64), vectors

    def find(self, texts: Sequence[str]) -> tuple[Float32, Bool]:
        """Embeddings of texts, shape (n, width), and a mask of those that were found; other rows are 0."""
        numbers = {key.tobytes(): number for number, key in enumerate(self.keys)}
        places = np.array([numbers.get(key.tobytes(), -1) for key in keys_of(texts)], np.int64)
        found = places >= 0
        Z = np.zeros((len(texts), self.vectors.shape[1]), np.float32)
        Z[found] = self.vectors[places[found]]
        return Z, found

    def add(self, texts: Sequence[str], vectors: Float32) -> None:
        """Store embeddings of further texts; if that fails, a RamifyWarning is given and the files are unchanged."""
        if len(texts) == 0:
            return
        keys, first = np.unique(keys_of(texts), axis=0, return_index=True)
        arrays = {"keys": np.vstack([self.keys, keys]), "vectors": np.vstack([self.vectors, vectors[first]])}
        try:
            save_model(self.path, StoredModel(KIND, {"encoder": self.digest}, arrays, __version__))
        except (InputError, ModelFileError) as error:
            warnings.warn(f"the embeddings are not cached: {error}", RamifyWarning, stacklevel=4)


def keys_of(texts: Sequence[str]) -> Keys:
    """Digests of texts, uint64, shape (n, 2)."""
    digests = [
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest() for text in texts
    ]
    return np.frombuffer(b"".join(digests), np.uint64).reshape(len(texts), 2)
