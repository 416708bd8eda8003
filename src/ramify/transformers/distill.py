"""Static vectors distilled from an encoder: each token of its vocabulary is encoded once, without context.

V = encoder("[CLS] token [SEP]") for every token; centred, reduced to the leading principal components.

Stephan Tulkens, Thomas van Dongen: Model2Vec, 2024, https://github.com/MinishLab/model2vec.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ramify.checks import COUNT, Whole, thread_count
from ramify.errors import InputError
from ramify.features.static_vectors import StaticVectors
from ramify.torchloop import Environment, require_torch
from ramify.values import Float32, Int32


def distilled(
    encoder: str, *, dimensions: int | None = 256, device: str = "auto", threads: int | None = None
) -> StaticVectors:
    """Static vectors of the sub-words of an encoder.

    Parameters
    ----------
    encoder : str
        A name or directory, as in ``EncoderConfig``.
    dimensions : int or None, default 256
        Number of principal components kept; None keeps the width of the encoder.
    device : {"auto", "cpu", "cuda"}
    threads : int, optional
        Threads on a CPU; None uses all CPUs.

    Returns
    -------
    StaticVectors
        For ``StaticEncoder(vectors)``; ``save`` writes a directory of model2vec. Special tokens have vectors of zeros.

    Raises
    ------
    InputError
        An encoder that cannot be loaded, or more dimensions than the encoder has.
    MissingExtraError
        torch is not installed.
    """
    require_torch("encoders")
    from ramify.transformers.embedding import embedded
    from ramify.transformers.encoder import EncoderConfig, load_encoder
    from ramify.transformers.tokens import Tokens

    Whole(1, COUNT.high, optional=True).check("dimensions", dimensions)
    loaded, tokenizer = load_encoder(EncoderConfig(name=encoder))
    if dimensions is not None and dimensions > loaded.width:
        raise InputError(f"dimensions is {dimensions}, but the encoder has {loaded.width}: lower it")
    ids = _plain_ids(tokenizer.backend)
    before, after = _special_ids(tokenizer.backend)
    one = np.concatenate([before, [0], after]).astype(np.int32)
    flat = np.tile(one, (len(ids), 1))
    flat[:, len(before)] = ids
    tokens = Tokens(flat.ravel(), np.arange(len(ids) + 1) * len(one), 0, tokenizer.pad_id, len(one) - 1)
    with Environment(device, thread_count(threads)).open() as environment:
        vectors = embedded(loaded, tokens, environment)
    reduced = principal_components(vectors, dimensions)
    table = np.zeros((int(ids.max()) + 1, reduced.shape[1]), np.float32)
    table[ids] = reduced
    return StaticVectors(table, tokenizer=tokenizer.to_json())


def principal_components(vectors: Float32, dimensions: int | None) -> Float32:
    """Centred vectors in the basis of their leading principal components, shape (V, dimensions).

    Each component has one sign: its largest entry is positive.
    """
    centred: npt.NDArray[np.float64] = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    if dimensions is None or dimensions >= vectors.shape[1]:
        return np.asarray(centred, np.float32)
    values, basis = np.linalg.eigh(centred.T @ centred)
    basis = basis[:, np.argsort(-values, kind="stable")[:dimensions]]
    basis *= np.sign(basis[np.abs(basis).argmax(0), np.arange(basis.shape[1])])
    return np.asarray(centred @ basis, np.float32)


def _plain_ids(backend: Any) -> Int32:
    """Ids of the vocabulary without special tokens, ascending."""
    special = {number for number, token in backend.get_added_tokens_decoder().items() if token.special}
    return np.array(sorted(set(backend.get_vocab().values()) - special), np.int32)


def _special_ids(backend: Any) -> tuple[Int32, Int32]:
    """Ids that the tokenizer puts before and after a text."""
    plain = backend.encode("a", add_special_tokens=False)
    content, whole = plain.ids, backend.post_process(plain).ids
    start = next(place for place in range(len(whole)) if whole[place : place + len(content)] == content)
    return np.array(whole[:start], np.int32), np.array(whole[start + len(content) :], np.int32)
