"""Use a custom indexer, which is any object with a build method. Run: python examples/own_indexer.py"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify import LabelTree, XRLinear, evaluate
from ramify.index import tree_from_assignment
from ramify.protocols import Indexer


@dataclass(frozen=True)
class ByCodePrefix:
    """Clusters of labels with the same code prefix, as in library classifications."""

    codes: Sequence[str]
    length: int = 2

    def build(self, Z: Any, Y: Any, *, seed: int = 0, threads: int = 1) -> LabelTree:
        """One cluster per prefix; the label vectors Z are not needed."""
        prefixes = sorted({code[: self.length] for code in self.codes})
        return tree_from_assignment([prefixes.index(code[: self.length]) for code in self.codes])


def main() -> None:
    codes = [f"{chapter:02d}.{number}" for chapter in range(10) for number in range(6)]
    indexer = ByCodePrefix(codes)
    print("obeys the protocol:", isinstance(indexer, Indexer))

    # Each instance shows a noisy feature of its one label.
    generator = np.random.default_rng(0)
    label = generator.integers(0, len(codes), 600)
    Y = sp.csr_matrix((np.ones(600, np.float32), (np.arange(600), label)), shape=(600, len(codes)))
    X = sp.csr_matrix(Y.toarray() + 0.2 * (generator.random((600, len(codes))) < 0.05), dtype=np.float32)

    model = XRLinear(indexer=indexer, beam=3).fit(X[:500], Y[:500])
    print("nodes per level:", model.tree_.level_sizes)
    report = evaluate(Y[500:], model.predict_topk(X[500:], k=5), Y_train=Y[:500])
    print(f"P@1 {report['P@1']:.2f}, R@5 {report['R@5']:.2f}")


if __name__ == "__main__":
    main()
