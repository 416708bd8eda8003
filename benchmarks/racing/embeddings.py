"""Embeddings of the texts of a set by a pretrained encoder, made once and kept in the cache in pieces.

A call that was interrupted continues with the pieces that are missing. They are float16: rounding a unit row of 384
entries to 11 bits changes its cosines by less than 1e-3. ``matrix`` returns float32.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from racing.places import CACHE

PIECE = 2_048
"""Texts per file."""


def embeddings(texts: Sequence[str], name: str, *, encoder: str = "minilm", threads: int = 1) -> Any:
    """Embeddings of length 1: float32, shape (n, width).

    Parameters
    ----------
    texts : sequence of str
    name : str
        Of the set and its part, for messages and the folder.
    encoder : str
        Name or directory.
    threads : int
    """
    folder = CACHE / "embeddings" / f"{name.replace(':', '-')}-{_digest(texts, encoder)}"
    folder.mkdir(parents=True, exist_ok=True)
    pieces = range(0, len(texts), PIECE)
    missing = [first for first in pieces if not _file(folder, first).exists()]
    embed = _embedder(encoder, threads) if missing else None
    begun = time.process_time()
    for number, first in enumerate(missing, 1):
        found = embed(texts[first : first + PIECE]).astype(np.float16) if embed else None
        beside = folder / f"{first}.{os.getpid()}.npy"
        np.save(beside, found)
        beside.replace(_file(folder, first))
        spent = time.process_time() - begun
        print(f"{name}: piece {number} of {len(missing)}, {spent:,.0f} CPU s", flush=True)
    return np.concatenate([np.load(_file(folder, first)) for first in pieces]).astype(np.float32)


def _embedder(encoder: str, threads: int) -> Any:
    """A function of texts."""
    from ramify.torchloop import Environment
    from ramify.transformers.embedding import embedded
    from ramify.transformers.encoder import EncoderConfig, load_encoder
    from ramify.transformers.tokens import tokenized

    model, tokenizer = load_encoder(EncoderConfig(name=encoder))
    environment = Environment("cpu", threads)

    def embed(texts: Sequence[str]) -> Any:
        with environment.open():
            tokens = tokenized(tokenizer, texts, model.max_tokens, threads=threads)
            return embedded(model, tokens, environment)

    return embed


def _file(folder: Path, first: int) -> Path:
    return folder / f"{first}.npy"


def _digest(texts: Sequence[str], encoder: str) -> str:
    digest = hashlib.sha256(f"{encoder}\0{PIECE}\0".encode())
    for text in texts:
        digest.update(f"{text}\0".encode("utf-8", errors="surrogatepass"))
    return digest.hexdigest()[:12]
