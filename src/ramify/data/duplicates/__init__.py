"""Exact and near duplicates among documents, at the scale of millions of short texts.

Exact duplicates have equal hashes of their normalized texts. Near duplicates are pairs of documents whose sets of
shingles have a Jaccard similarity of at least a threshold: candidates by MinHash and locality-sensitive hashing, each
verified exactly. Groups are the connected components of these pairs.

References: Andrei Broder: On the resemblance and containment of documents (SEQUENCES 1997). Piotr Indyk, Rajeev
Motwani: Approximate nearest neighbors: towards removing the curse of dimensionality (STOC 1998).
"""

from ramify.data.duplicates.find import (
    KINDS,
    LEAST_SIMILARITY,
    NEAR,
    SIMILARITY,
    Duplicates,
    duplicate_groups,
    find_duplicates,
)
from ramify.data.duplicates.minhash import Banding

__all__ = [
    "KINDS",
    "LEAST_SIMILARITY",
    "NEAR",
    "SIMILARITY",
    "Banding",
    "Duplicates",
    "duplicate_groups",
    "find_duplicates",
]
