"""A family of data sets whose labels grow at two documents per label, to see how time and memory grow.

Labels lie in clusters of 16, clusters in groups of 16. A label has words of its own, its cluster and its group have
words that their labels share, so a label tree has something to find. Documents carry about three labels, the frequent
ones by Zipf's law, half of the others from the first one's cluster; every label has a document. Words are drawn from
these and from a Zipfian background, weighted by tf-idf, rows scaled to length 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

GENERATOR = 1  # raise it with every change of what is generated
TESTS = 5_000
CLUSTER = 16
TOKENS = 80
BACKGROUND = 0.6
CHUNK = 50_000
Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class World:
    """What documents are drawn from: ``words`` (labels, 12) and the cumulated frequencies of labels and words."""

    labels: int
    words: Ints
    by_frequency: Ints
    label_shares: npt.NDArray[np.float64]
    word_shares: npt.NDArray[np.float64]


def generate(labels: int, seed: int = 0) -> tuple[Any, Any, Any, Any]:
    """X, Y, X_test, Y_test for so many labels, the same for the same seed."""
    rng = np.random.default_rng((seed, labels))
    world = _world(labels, rng)
    counted, Y = _documents(world, 2 * labels, rng, every_label=True)
    counted_test, Y_test = _documents(world, TESTS, rng, every_label=False)
    frequency = np.bincount(counted.indices, minlength=counted.shape[1])
    idf = (np.log((1 + counted.shape[0]) / (1 + frequency)) + 1).astype(np.float32)
    for matrix in (counted, counted_test):
        _weigh(matrix, idf)
    return counted, Y, counted_test, Y_test


def _world(labels: int, rng: np.random.Generator) -> World:
    vocabulary = round(3_000 * (labels / 1_000) ** 0.7)
    word_shares = _zipf(vocabulary, 1.0)
    clusters = -(-labels // CLUSTER)
    groups = -(-clusters // CLUSTER)
    topical = _zipf(vocabulary, 0.4)
    own, shared, broad = (
        _draw(topical, (count, width), rng) for count, width in ((labels, 4), (clusters, 5), (groups, 3))
    )
    cluster = np.arange(labels) // CLUSTER
    words = np.hstack([own, shared[cluster], broad[cluster // CLUSTER]])
    return World(labels, words, rng.permutation(labels).astype(np.int32), _zipf(labels, 0.7), word_shares)


def _zipf(size: int, exponent: float) -> npt.NDArray[np.float64]:
    shares = np.cumsum((np.arange(size) + 10.0) ** -exponent)
    return shares / shares[-1]


def _draw(shares: npt.NDArray[np.float64], shape: tuple[int, ...], rng: np.random.Generator) -> Ints:
    return np.searchsorted(shares, rng.random(shape)).astype(np.int32)


def _documents(world: World, n: int, rng: np.random.Generator, *, every_label: bool) -> tuple[Any, Any]:
    counted, labelled = [], []
    for start in range(0, n, CHUNK):
        rows = min(CHUNK, n - start)
        labels, present = _labels(world, rows, rng)
        if every_label:
            given = np.arange(start, min(start + rows, world.labels))
            labels[: len(given), 0] = given
        labelled.append(_matrix(labels, present, world.labels))
        words, told = _words(world, labels, present, rng)
        counted.append(_matrix(words, told, len(world.word_shares)))
    X, Y = sp.vstack(counted, format="csr"), sp.vstack(labelled, format="csr")
    Y.data[:] = 1
    return X, Y


def _labels(world: World, n: int, rng: np.random.Generator) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Up to five labels per document, the first always there."""
    labels = world.by_frequency[_draw(world.label_shares, (n, 5), rng)]
    near = labels[:, :1] // CLUSTER * CLUSTER + rng.integers(0, CLUSTER, (n, 4), dtype=np.int32)
    near = np.minimum(near, world.labels - 1)
    labels[:, 1:] = np.where(rng.random((n, 4)) < 0.5, near, labels[:, 1:])
    present = rng.random((n, 5)) < 0.5
    present[:, 0] = True
    return labels, present


def _words(
    world: World, labels: Ints, present: npt.NDArray[np.bool_], rng: np.random.Generator
) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Tokens of each document: most from the background, the others each from one of its labels."""
    n = len(labels)
    places = np.cumsum(present, axis=1)
    wanted = rng.integers(1, 1 + places[:, -1:], (n, TOKENS))
    whose = (places[:, None, :] < wanted[:, :, None]).sum(axis=2, dtype=np.int32)
    speaking = np.take_along_axis(labels, whose, axis=1)
    words = world.words[speaking, rng.integers(0, world.words.shape[1], (n, TOKENS))]
    words = np.where(rng.random((n, TOKENS)) < BACKGROUND, _draw(world.word_shares, (n, TOKENS), rng), words)
    lengths = rng.integers(TOKENS // 2, TOKENS + 1, (n, 1))
    return words, np.arange(TOKENS) < lengths


def _matrix(columns: Ints, present: npt.NDArray[np.bool_], width: int) -> Any:
    indptr = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    chosen = columns[present]
    matrix = sp.csr_matrix((np.ones(len(chosen), np.float32), chosen, indptr), shape=(len(columns), width))
    matrix.sum_duplicates()
    return matrix


def _weigh(matrix: Any, idf: npt.NDArray[np.float32]) -> None:
    """Counts to (1 + log count) · idf, rows to length 1, in place."""
    np.log(matrix.data, out=matrix.data)
    matrix.data += 1
    matrix.data *= idf[matrix.indices]
    squares = np.add.reduceat(matrix.data**2, matrix.indptr[:-1])  # no row is empty
    matrix.data /= np.repeat(np.sqrt(squares), np.diff(matrix.indptr))
