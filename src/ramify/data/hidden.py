"""Training data with missing labels: a share of the true labels of each document is removed, as in positive-unlabelled
learning, where an absent label is not a negative.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from ramify.checks import Real, whole_number
from ramify.values import Dataset

SHARE = Real(0, 1)


def hide_labels(dataset: Dataset, share: float, seed: int = 0) -> Dataset:
    """The dataset without a random share of the labels of each document.

    Parameters
    ----------
    dataset : Dataset
        Usually the training part; measures of a test part with hidden labels would count correct predictions as wrong.
    share : float
        Of t labels, ``share`` · t are removed. A fraction is rounded up or down at random, so that its mean is kept.
    seed : int, default 0
        Seed of the choice. With the same seed, a larger share removes the same labels and further ones.

    Returns
    -------
    Dataset
        With the same rows and label space. Documents can be left without a label, and labels without a document.

    Raises
    ------
    InputError
        A share outside 0..1, or a negative seed.
    """
    share, seed = SHARE.check("share", share), whole_number("seed", seed, 0)
    Y, rng = dataset.Y, np.random.default_rng(seed)
    counts = np.diff(Y.indptr)
    removed = np.floor(share * counts + rng.random(len(counts))).astype(np.int64)
    row = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((rng.random(Y.nnz), row))
    kept = np.zeros(Y.nnz, np.bool_)
    kept[order] = np.arange(Y.nnz) - Y.indptr[row] >= removed[row]
    indptr = np.concatenate([[0], np.cumsum(kept)])[Y.indptr]
    return replace(dataset, Y=sp.csr_matrix((Y.data[kept], Y.indices[kept], indptr), shape=Y.shape))
