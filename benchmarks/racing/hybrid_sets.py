"""A set of texts as tf-idf beside embeddings: two blocks for ramify, one CSR matrix of the same rows for others.

row = [tf-idf | WEIGHT · embedding] / length      tf-idf and embedding have length 1, or 0 for an empty text
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from racing.embeddings import embeddings
from racing.matrices import Matrices, cached, prepare
from racing.places import CACHE
from racing.text_sets import PARTS, prepare_texts, texts_of

PAIRS = "+pairs"
"""End of the name of a set with the tf-idf of the race."""
WEIGHT = 0.8
"""Weight of the dense block, in the middle of the range that does well on gutenberg-lcsh (0.6 to 1.0)."""


def prepare_hybrid(name: str, data: Path, threads: int) -> Matrices:
    """The cached blocks and matrices of a set; X and X_test hold both blocks.

    Parameters
    ----------
    name : str
        As in ``prepare_texts``, with the tf-idf of ``Tfidf()``; or "SET+pairs", with that of the race.
    data : Path
        Folder of the data sets.
    threads : int
        For the embeddings.

    Raises
    ------
    MissingDataError
        The files are not there.
    """
    base, plus, rest = name.partition(PAIRS)
    texts = prepare_texts(base, data)
    sparse = prepare(base, data) if plus else texts
    if rest or sparse.Y_test.shape != texts.Y_test.shape or (sparse.Y_test != texts.Y_test).nnz:
        raise ValueError(f"{name}: the labels of the race differ from those of the texts")
    folder = CACHE / "hybrid" / name.replace(":", "-")
    made_from = f"{sparse.fingerprint} {texts.fingerprint} {WEIGHT}"
    return cached(name, folder, made_from, lambda: _written(texts, sparse, folder, threads))


def _written(texts: Matrices, tfidf: Matrices, folder: Path, threads: int) -> tuple[Any, Any, Any, Any]:
    joined = []
    for part, suffix, sparse in zip(PARTS, ("", "_test"), (tfidf.X, tfidf.X_test), strict=True):
        dense = embeddings(texts_of(texts, part), f"{texts.dataset}-{part}", threads=threads)
        np.save(folder / f"dense{suffix}.npy", dense)
        sp.save_npz(folder / f"sparse{suffix}.npz", sparse, compressed=False)
        joined.append(joined_rows(sparse, dense, WEIGHT))
    return joined[0], texts.Y, joined[1], texts.Y_test


def joined_rows(sparse: Any, dense: Any, weight: float) -> Any:
    """[sparse | weight · dense] as CSR with rows of length 1."""
    from sklearn.preprocessing import normalize

    both = sp.hstack([sparse, sp.csr_matrix(weight * dense)], format="csr", dtype=np.float32)
    return sp.csr_matrix(normalize(both, copy=False), dtype=np.float32)
