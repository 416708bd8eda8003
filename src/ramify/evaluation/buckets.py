"""Buckets of labels by training frequency.

============  =======================================================================================================
head          the most frequent labels, with ``head_share`` of all training assignments together; labels of
              one frequency are not separated, so the share may be slightly larger
tail          1 to ``tail_at_most`` training instances (these are tail even if they would reach into the head)
middle        labels between these
1-shot        exactly one training instance (a part of the tail, if that is not empty)
0-shot        none; in no other bucket
============  =======================================================================================================
"""

from __future__ import annotations

import numpy as np

from ramify.values import Bool, Int64


def label_buckets(counts: Int64, *, head_share: float = 1 / 3, tail_at_most: int = 5) -> dict[str, Bool]:
    """The labels of each bucket.

    Parameters
    ----------
    counts : int array, shape (L,)
        Training instances per label.
    head_share : float, default 1/3
        Share of the training assignments of the head labels.
    tail_at_most : int, default 5
        Maximum number of training instances of a tail label.

    Returns
    -------
    dict of str to bool array, shape (L,)
        Keys "head", "middle", "tail", "1-shot", "0-shot". The first three and "0-shot" are a partition.
    """
    seen = counts > 0
    tail = seen & (counts <= tail_at_most)
    head = seen & ~tail & (_more_frequent_assignments(counts) < head_share * counts.sum())
    return {
        "head": head,
        "middle": seen & ~tail & ~head,
        "tail": tail,
        "1-shot": counts == 1,
        "0-shot": ~seen,
    }


def _more_frequent_assignments(counts: Int64) -> Int64:
    """Per label the assignments of all labels that are strictly more frequent."""
    frequencies, which = np.unique(counts, return_inverse=True)
    assignments = np.bincount(which, minlength=len(frequencies)) * frequencies
    above = assignments.sum() - np.cumsum(assignments)
    return np.asarray(above[which.reshape(-1)], dtype=np.int64)
