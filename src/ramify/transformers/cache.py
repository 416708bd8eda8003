"""Embeddings on disk, by a digest of the encoder and of each text.

A directory holds one subdirectory per encoder and number format. Each call adds a shard to it, in the format of a
model directory: a shard is written in one atomic step, and its checksum is verified when it is read. Several shards of
similar size are merged into one, so that their number grows with the logarithm of the number of texts.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
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

MERGED = 8
"""Shards of similar size that are merged into one; the sizes of similar shards differ by less than this factor."""

Keys = npt.NDArray[np.uint64]


def encoder_digest(config: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], number_format: str) -> str:
    """Digest of what determines the embeddings of a text.

    Parameters
    ----------
    config, arrays : dict
        From ``encoder_to_state`` or ``onnx_to_state``; the place that the encoder was loaded from is left out.
    number_format : str
        Backend, and precision of the forward pass.
    """
    fields = dict(config)
    if "hugging_face" in config:
        fields["hugging_face"] = {name: one for name, one in config["hugging_face"].items() if name != "_name_or_path"}
    digest = hashlib.sha256(json.dumps([fields, number_format], sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).view(np.uint8).data)
    return digest.hexdigest()


class Shard:
    """Embeddings in one directory.

    Parameters
    ----------
    path : Path
        The directory.
    keys : uint64 array, shape (n, 2)
        Digests of the texts, in ascending order.
    vectors : float32 array, shape (n, width)
        Their embeddings.
    """

    def __init__(self, path: Path, keys: Keys, vectors: Float32) -> None:
        self.path, self.keys, self.vectors = path, keys, vectors
        self.first = np.ascontiguousarray(keys[:, 0])

    def __len__(self) -> int:
        return len(self.keys)

    def fill(self, Z: Float32, found: Bool, keys: Keys) -> None:
        """Copy the embeddings of the given keys into Z, and mark them as found."""
        places = np.minimum(np.searchsorted(self.first, keys[:, 0]), len(self) - 1)
        rows = np.flatnonzero((self.keys[places] == keys).all(axis=1))
        Z[rows] = self.vectors[places[rows]]
        found[rows] = True


class EmbeddingCache:
    """Embeddings of texts by one encoder; the shards are opened once, and stay open with this object.

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
        self.width = width
        place = existing_path(self.path)
        folders = [] if place is None or not place.is_dir() else sorted(place.iterdir())
        opened = [self._opened(folder) for folder in folders]
        self.shards = [shard for shard in opened if shard is not None]

    def _opened(self, folder: Path) -> Shard | None:
        """A shard; None for an unfinished one, or one that another process has merged."""
        if not holds_model(folder):
            return None
        try:
            stored = open_model(folder)
        except ModelFileError as error:
            if not holds_model(folder):
                return None
            raise ModelFileError(f"the cached embeddings cannot be used ({error}): delete {folder}") from None
        if stored.kind != KIND or stored.config.get("encoder") != self.digest:
            raise InputError(f"{folder} has embeddings of another encoder: delete it, or give another cache")
        keys, vectors = stored.arrays.get("keys"), stored.arrays.get("vectors")
        shapes = [getattr(array, "shape", None) for array in (keys, vectors)]
        if keys is None or vectors is None or len(keys) == 0 or shapes != [(len(vectors), 2), (len(keys), self.width)]:
            raise ModelFileError(f"the cached embeddings in {folder} are damaged: delete it")
        return Shard(folder, keys, vectors)

    def find(self, texts: Sequence[str]) -> tuple[Float32, Bool]:
        """Embeddings of texts, shape (n, width), and a mask of those that were found; other rows are 0."""
        keys = keys_of(texts)
        Z, found = np.zeros((len(texts), self.width), np.float32), np.zeros(len(texts), bool)
        for shard in list(self.shards):
            shard.fill(Z, found, keys)
        return Z, found

    def add(self, texts: Sequence[str], vectors: Float32) -> bool:
        """Store embeddings of further texts as a new shard.

        Returns
        -------
        bool
            Whether they were stored. If not, a RamifyWarning is given and the files are unchanged.
        """
        if len(texts) == 0:
            return True
        try:
            self.shards = [*self.shards, self._saved(keys_of(texts), vectors)]
            self._merge()
        except (InputError, ModelFileError) as error:
            warnings.warn(f"the embeddings are not cached: {error}", RamifyWarning, stacklevel=4)
            return False
        return True

    def _saved(self, keys: Keys, vectors: Float32) -> Shard:
        """Write a shard, and map it into memory; of a key that is given twice, the first vector is kept."""
        keys, first = np.unique(keys, axis=0, return_index=True)
        path = self.path / f"shard-{secrets.token_hex(8)}"
        arrays: dict[str, npt.NDArray[Any]] = {"keys": keys, "vectors": vectors[first]}
        save_model(path, StoredModel(KIND, {"encoder": self.digest}, arrays, __version__))
        return self._opened(path) or Shard(path, **arrays)

    def _merge(self) -> None:
        """Merge shards of similar size; a process that ends meanwhile leaves some embeddings in two shards."""
        while True:
            similar: dict[int, list[Shard]] = {}
            for shard in self.shards:
                similar.setdefault(int(np.log(len(shard)) / np.log(MERGED)), []).append(shard)
            merged = next((group for group in similar.values() if len(group) >= MERGED), None)
            if merged is None:
                return
            whole = self._saved(
                np.concatenate([shard.keys for shard in merged]), np.concatenate([shard.vectors for shard in merged])
            )
            self.shards = [*(shard for shard in self.shards if shard not in merged), whole]
            for shard in merged:
                shutil.rmtree(shard.path, ignore_errors=True)


def keys_of(texts: Sequence[str]) -> Keys:
    """Digests of texts, uint64, shape (n, 2)."""
    digests = [
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest() for text in texts
    ]
    return np.frombuffer(b"".join(digests), np.uint64).reshape(len(texts), 2)
