"""The matrices of all systems: made once per data set, saved uncompressed, identified by a fingerprint.

Texts become tf-idf of words and pairs of words (``PLAIN_TFIDF``), feature files rows of length 1. Test documents
without a label that training has seen are left out: no one could find those labels.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from racing.generated import GENERATOR, generate
from racing.places import CACHE
from racing.sets import GENERATED, HELD_BACK, HeldBack
from racing.sources import source_hash

NAMES = ("X", "Y", "X_test", "Y_test")
PLAIN_TFIDF = {"words": (1, 2), "characters": None, "runs": None, "language": None, "min_df": 2}
"""Settings of ``Tfidf`` with which it equals ``TfidfVectorizer``."""


class MissingDataError(Exception):
    """A data set is not on this machine."""


@dataclass(frozen=True)
class Matrices:
    """A data set in the cache.

    Parameters
    ----------
    dataset : str
        Its name.
    folder : Path
        Holds X.npz, Y.npz, X_test.npz and Y_test.npz.
    fingerprint : str
        Of all values.
    shape : dict
        Documents, features, labels, test documents, non-zeros.
    """

    dataset: str
    folder: Path
    fingerprint: str
    shape: dict[str, int]

    @cached_property
    def X(self) -> Any:  # noqa: N802
        """Training features."""
        return sp.load_npz(self.folder / "X.npz")

    @cached_property
    def Y(self) -> Any:  # noqa: N802
        """Training labels."""
        return sp.load_npz(self.folder / "Y.npz")

    @cached_property
    def X_test(self) -> Any:  # noqa: N802
        """Test features."""
        return sp.load_npz(self.folder / "X_test.npz")

    @cached_property
    def Y_test(self) -> Any:  # noqa: N802
        """Test labels."""
        return sp.load_npz(self.folder / "Y_test.npz")


def prepare(dataset: str, data: Path) -> Matrices:
    """The cached matrices of a data set, made anew where its files or what makes them have changed.

    Raises
    ------
    MissingDataError
        The files are not there.
    """
    return cached(dataset, CACHE / dataset, _made_from(dataset, data), lambda: _parts(dataset, data))


def cached(dataset: str, folder: Path, made_from: str, make: Callable[[], tuple[Any, Any, Any, Any]]) -> Matrices:
    """The matrices X, Y, X_test, Y_test of a folder, made again if ``made_from`` differs from that of the last time.

    Further files that ``make`` writes into the folder belong to them.
    """
    note = folder / "matrices.json"
    if note.exists():
        known = json.loads(note.read_text())
        if known["made_from"] == made_from:
            return Matrices(dataset, folder, known["fingerprint"], known["shape"])
    print(f"making the matrices of {dataset}", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    note.unlink(missing_ok=True)
    parts = make()
    for name, matrix in zip(NAMES, parts, strict=True):
        beside = folder / f"{name}.{os.getpid()}.npz"  # another process may be reading, or making the same
        sp.save_npz(beside, matrix, compressed=False)
        beside.replace(folder / f"{name}.npz")
    X, Y, X_test, _ = parts
    shape = {"documents": X.shape[0], "features": X.shape[1], "labels": Y.shape[1], "tests": X_test.shape[0]}
    shape |= {"nonzeros": int(X.nnz), "positives": int(Y.nnz)}
    known = {"made_from": made_from, "fingerprint": _fingerprint(parts), "shape": shape}
    note.write_text(json.dumps(known))
    return Matrices(dataset, folder, known["fingerprint"], shape)


def _made_from(dataset: str, data: Path) -> str:
    if dataset in GENERATED:
        return f"generator {GENERATOR}"
    held_back = HELD_BACK.get(dataset)
    folder = data / (held_back.source if held_back else dataset)
    files = sorted(folder.glob("t*.gz"))
    if not files:
        raise MissingDataError(f"{dataset}: no data in {folder}; give the folder of the data sets with --data")
    sources = source_hash("ramify.data", "ramify.features.tfidf")
    return f"{sources} {PLAIN_TFIDF} {held_back} {[(file.name, file.stat().st_size) for file in files]}"


def _parts(dataset: str, data: Path) -> tuple[Any, Any, Any, Any]:
    """X, Y, X_test, Y_test."""
    if dataset in GENERATED:
        return generate(GENERATED[dataset])
    if dataset in HELD_BACK:
        return read_held_back(HELD_BACK[dataset], data)
    return _read(data / dataset)


def _fingerprint(parts: tuple[Any, ...]) -> str:
    digest = hashlib.sha256()
    for matrix in parts:
        for array in (matrix.indptr.astype(np.int64), matrix.indices, matrix.data):
            digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()[:12]


def _read(folder: Path) -> tuple[Any, Any, Any, Any]:
    from sklearn.preprocessing import normalize

    from ramify import Tfidf, read
    from ramify.data import align

    if (folder / "train.txt.gz").exists():
        train, test = read(folder / "train.txt.gz"), read(folder / "test.txt.gz")
        X, X_test = (sp.csr_matrix(normalize(part.X), dtype=np.float32) for part in (train, test))
        return X, train.Y, X_test, test.Y
    train = read(folder / "train.jsonl.gz")
    test = align(read(folder / "test.jsonl.gz"), list(train.label_names))
    vectorizer = Tfidf(**PLAIN_TFIDF)
    X, X_test = vectorizer.fit_transform(train.texts), vectorizer.transform(test.texts)
    Y_test = sp.csr_matrix(test.Y[:, : train.n_labels])
    kept = np.flatnonzero(np.diff(Y_test.indptr))
    return X, train.Y, X_test[kept], Y_test[kept]


def read_held_back(wanted: HeldBack, data: Path) -> tuple[Any, Any, Any, Any]:
    """X, Y, X_test, Y_test as ``HeldBack`` describes them."""
    from ramify import Tfidf, read
    from ramify.data import align

    train = read(data / wanted.source / "train.jsonl.gz")
    test = align(read(data / wanted.source / "test.jsonl.gz"), list(train.label_names))
    odd = np.array([zlib.crc32(text.encode()) % 2 == 1 for text in train.texts])
    counts = np.bincount(train.Y[odd].indices, minlength=train.n_labels)
    labels = np.sort(np.argsort(-counts, kind="stable")[list(wanted.labels)])
    Y, Y_test = (sp.csr_matrix(part.Y[:, labels]) for part in (train, test))
    kept, kept_test = np.flatnonzero(odd & (np.diff(Y.indptr) > 0)), np.flatnonzero(np.diff(Y_test.indptr))
    vectorizer = Tfidf(**PLAIN_TFIDF | {"words": (1, 1)})
    X = vectorizer.fit_transform([train.texts[row] for row in kept])
    return X, Y[kept], vectorizer.transform([test.texts[row] for row in kept_test]), Y_test[kept_test]
