"""Data sets as texts: what the systems that train on texts are given, beside the tf-idf matrices that some peers need.

A set is named "SET", or "SET:10000" for a sample of its training documents (``held_out.sampled``, seed 0) with all test
documents. Labels that no training document has are left out, as are the test documents that have no other labels; with
``every_label``, the labels are all those of the training and test files. The tf-idf is that of ``Tfidf()``, fitted on
the training documents of the sample.

A folder has ``train.json`` and ``test.json`` (lists of texts) beside the four matrices; with ``every_label`` also
``labels.json`` (names).
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


def prepare_texts(name: str, data: Path, *, every_label: bool = False) -> Matrices:
    """The cached texts and matrices of a set.

    Parameters
    ----------
    name : str
    data : Path
        Folder of the data sets.
    every_label : bool, default False
        Whether labels without a training document are kept, for systems that can predict them.

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
    folder = CACHE / "texts" / (name.replace(":", "-") + every_label * "-every-label")
    made_from = f"{_sources()} {[(file.name, file.stat().st_size) for file in files]} {amount}"

    def parts() -> Parts:
        names, found = _read(files, amount, every_label)
        if every_label:
            (folder / "labels.json").write_text(json.dumps(names, ensure_ascii=False), "utf-8")
        return _written(folder, found)

    return cached(name, folder, made_from, parts)


def texts_of(matrices: Matrices, part: str) -> list[str]:
    """Texts of the part "train" or "test"."""
    found: list[str] = json.loads((matrices.folder / f"{part}.json").read_text("utf-8"))
    return found


def names_of(matrices: Matrices) -> list[str]:
    """Label names of a set that was prepared with ``every_label``."""
    found: list[str] = json.loads((matrices.folder / "labels.json").read_text("utf-8"))
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


def _read(files: list[Path], amount: float | None, every_label: bool) -> tuple[list[str], Parts]:
    """Label names; texts, Y, texts and Y of the test documents."""
    from ramify import read
    from ramify.data import align

    whole = read(files[0])
    texts, Y = sampled(np.array(whole.texts, dtype=object), whole.Y, amount)
    test = align(read(files[1]), list(whole.label_names))
    Y = sp.csr_matrix((Y.data, Y.indices, Y.indptr), shape=(Y.shape[0], test.n_labels))  # new labels come last
    labels = np.arange(test.n_labels) if every_label else np.flatnonzero(np.bincount(Y.indices))
    Y_test = sp.csr_matrix(test.Y[:, labels])
    kept = np.flatnonzero(np.diff(Y_test.indptr))
    names = [test.label_names[label] for label in labels]
    return names, (texts, sp.csr_matrix(Y[:, labels]), np.array(test.texts, dtype=object)[kept], Y_test[kept])


def _written(folder: Path, parts: Parts) -> Parts:
    """Write the texts; X, Y, X_test and Y_test are returned."""
    from ramify import Tfidf

    texts, Y, test_texts, Y_test = parts
    for part, some in zip(PARTS, (texts, test_texts), strict=True):
        (folder / f"{part}.json").write_text(json.dumps(list(some), ensure_ascii=False), "utf-8")
    vectorizer = Tfidf()
    return vectorizer.fit_transform(list(texts)), Y, vectorizer.transform(list(test_texts)), Y_test
