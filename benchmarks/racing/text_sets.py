"""Data sets as texts: what the systems that train on texts are given, beside the tf-idf matrices that some peers need.

A set is named "SET", or "SET:10000" for a sample of its training documents (``held_out.sampled``, seed 0) with all test
documents. Labels that no training document has are left out, as are the test documents that have no other labels. The
tf-idf is that of ``Tfidf()``, fitted on the training documents of the sample.

A folder has ``train.json`` and ``test.json`` (lists of texts) beside the four matrices.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from racing.held_out import parsed, sampled, split
from racing.matrices import Matrices, MissingDataError, cached
from racing.places import CACHE
from racing.sources import source_hash

PARTS = ("train", "test")
Parts = tuple[Any, Any, Any, Any]


def prepare_texts(name: str, data: Path) -> Matrices:
    """The cached texts and matrices of a set.

    Raises
    ------
    MissingDataError
        The files are not there.
    ValueError
        The amount after the colon is not a number above 0.
    """
    dataset, amount = parsed(name)
    files = [data / dataset / f"{part}.jsonl.gz" for part in PARTS]
    if not all(file.exists() for file in files):
        raise MissingDataError(f"{dataset}: no texts in {data / dataset}; give the folder of the data sets with --data")
    folder = CACHE / "texts" / name.replace(":", "-")
    made_from = f"{_sources()} {[(file.name, file.stat().st_size) for file in files]} {amount}"
    return cached(name, folder, made_from, lambda: _written(folder, _read(files, amount)))


def texts_of(matrices: Matrices, part: str) -> list[str]:
    """Texts of the part "train" or "test"."""
    found: list[str] = json.loads((matrices.folder / f"{part}.json").read_text("utf-8"))
    return found


def held_out_texts(matrices: Matrices, number: int) -> Matrices:
    """A set made of the training documents alone: a fifth of them, split ``number``, takes the place of the tests."""
    folder = matrices.folder / f"held-out-{number}"

    def parts() -> Parts:
        return split(np.array(texts_of(matrices, "train"), dtype=object), matrices.Y, number)

    made_from = f"{_sources()} {matrices.fingerprint} {number}"
    return cached(matrices.dataset, folder, made_from, lambda: _written(folder, parts()))


def _sources() -> str:
    return source_hash("ramify.data", "ramify.features.tfidf")


def _read(files: list[Path], amount: float | None) -> Parts:
    """Texts, Y, texts and Y of the test documents."""
    from ramify import read
    from ramify.data import align

    whole = read(files[0])
    texts, Y = sampled(np.array(whole.texts, dtype=object), whole.Y, amount)
    seen = np.flatnonzero(np.bincount(Y.indices, minlength=Y.shape[1]))
    test = align(read(files[1]), list(whole.label_names))
    Y_test = sp.csr_matrix(test.Y[:, seen])
    kept = np.flatnonzero(np.diff(Y_test.indptr))
    return texts, sp.csr_matrix(Y[:, seen]), np.array(test.texts, dtype=object)[kept], Y_test[kept]


def _written(folder: Path, parts: Parts) -> Parts:
    """Write the texts; X, Y, X_test and Y_test are returned."""
    from ramify import Tfidf

    texts, Y, test_texts, Y_test = parts
    for part, some in zip(PARTS, (texts, test_texts), strict=True):
        (folder / f"{part}.json").write_text(json.dumps(list(some), ensure_ascii=False), "utf-8")
    vectorizer = Tfidf()
    return vectorizer.fit_transform(list(texts)), Y, vectorizer.transform(list(test_texts)), Y_test
