"""XR-Linear, training and search, on one page: NumPy only, every step as in the papers, no attempt at speed.

1. A label vector is the normalised sum of the features of the label's instances (PIFA).
2. The labels are bisected by balanced 2-means until clusters are small. Clusters and labels form a tree.
3. Each node has one linear classifier: L2-regularised squared hinge, on the instances of its parent. These are the
   instances with a label below the parent (teacher forcing, TFN), optionally with those that the classifiers of the
   levels above assign to the parent (matcher-aware, MAN).
4. A search descends the tree and keeps the ``beam`` best nodes of each level. With margins m = w · x + b and
   σ(m) = exp(-max(0, 1 - m)³), the score of a label is σ(leaf) · (Π σ(nodes above))^path_weight.

The contract tests compare ``models.XRLinear`` with this module. Differences: costs are the same for all labels
(``tail_cost=0``, ``hard_negative_weight=1``), clusters are always bisected (branching 2), and a label has one leaf.

References
----------
Hsiang-Fu Yu, Kai Zhong, Jiong Zhang, Wei-Cheng Chang, Inderjit S. Dhillon: PECOS: Prediction for Enormous and
Correlated Output Spaces, JMLR 23(98), 2022. PIFA, TFN, MAN and the search.

Yashoteja Prabhu, Anil Kag, Shrutendra Harsola, Rahul Agrawal, Manik Varma: Parabel: Partitioned Label Trees for
Extreme Classification with Application to Dynamic Search Advertising, WWW 2018. The balanced tree.

S. Sathiya Keerthi, Dennis DeCoste: A Modified Finite Newton Method for Fast Solution of Large Scale Linear SVMs,
JMLR 6, 2005. The solver used here; the kernels use dual coordinate descent, which has the same optimum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ramify.values import Bool, Float32, Float64, Int32, Int64, LabelTree, TopK


def label_vectors(X: Float64, Y: Float64) -> Float64:
    """PIFA, shape (L, d), for features X, shape (n, d), and 0/1 labels Y, shape (n, L)."""
    return _unit_rows(_unit_rows(Y).T @ X)


def build_tree(Z: Float64, max_leaf: int, rng: np.random.Generator) -> LabelTree:
    """Bisect the labels, vectors Z of shape (L, d), until no cluster has more than ``max_leaf`` labels."""
    depth = max(0, int(np.ceil(np.log2(len(Z) / max_leaf))))
    clusters = bisected(Z, np.arange(len(Z)), depth, rng)
    inner = [np.arange(2 ** (level + 1)) // 2 for level in range(depth)]
    leaves = np.repeat(np.arange(len(clusters)), [len(labels) for labels in clusters])
    parents = tuple(level.astype(np.int32) for level in [*inner, leaves])
    return LabelTree(parents, np.concatenate(clusters).astype(np.int32), len(Z))


def bisected(Z: Float64, labels: Int64, depth: int, rng: np.random.Generator) -> list[Int64]:
    """The 2^depth clusters of the labels in tree order; each split is a spherical 2-means with equal sides."""
    if depth == 0:
        return [labels]
    vectors = Z[labels]
    first, second = rng.choice(len(labels), 2, replace=False)
    direction, left = vectors[first] - vectors[second], np.zeros(len(labels), bool)
    for _ in range(20):
        before, left = left, np.zeros(len(labels), bool)
        left[np.argsort(-(vectors @ direction), kind="stable")[: len(labels) // 2]] = True
        if (left == before).all():
            break
        direction = _unit_rows(vectors[left].sum(0)[None])[0] - _unit_rows(vectors[~left].sum(0)[None])[0]
    return bisected(Z, labels[left], depth - 1, rng) + bisected(Z, labels[~left], depth - 1, rng)


def train(
    X: Float64,
    Y: Float64,
    tree: LabelTree,
    *,
    cost: float = 0.5,
    matcher_aware: bool = False,
    beam: int = 10,
    threshold: float = 0.1,
) -> list[Float64]:
    """Weights of every level, shapes (d + 1, nodes); the last row holds the intercepts.

    Parameters
    ----------
    X, Y : float64 arrays, shapes (n, d) and (n, L)
        Features and 0/1 labels.
    tree : LabelTree
        From ``build_tree``, or any other tree in which a label has one leaf.
    cost : float, default 0.5
        C of every instance.
    matcher_aware : bool, default False
        The negatives of the leaves are TFN + MAN; False: TFN. Clusters always use TFN.
    beam : int, default 10
        Beam of the search for MAN.
    threshold : float, default 0.1
        Weights of smaller absolute value become 0; intercepts are kept.
    """
    targets = [Y[:, tree.leaf_labels] > 0]
    for parent in tree.parents[:0:-1]:
        children = parent == np.arange(parent[-1] + 1)[:, None]
        targets.insert(0, targets[0] @ children.T)  # a node is a target if one of its children is
    above: Bool = np.ones((len(X), 1), bool)
    weights: list[Float64] = []
    for level, (parent, target) in enumerate(zip(tree.parents, targets, strict=True)):
        if matcher_aware and level == tree.depth - 1 > 0:
            above = above | np.isfinite(search(X, tree, weights, beam=beam)[0])
        W = np.zeros((X.shape[1] + 1, len(parent)))
        for node, cluster in enumerate(parent):
            rows = above[:, cluster]
            W[:, node] = fit_squared_hinge(_with_constant(X[rows]), np.where(target[rows, node], 1.0, -1.0), cost)
        W[:-1][np.abs(W[:-1]) < threshold] = 0
        weights.append(W)
        above = target
    return weights


def fit_squared_hinge(X: Float64, y: Float64, cost: float) -> Float64:
    """Minimise ½‖w‖² + cost · Σ max(0, 1 - y · Xw)², y in {-1, 1}.

    Each step is the ridge regression on the rows with a loss; the optimum is reached when these rows stay the same.
    """

    def objective(w: Float64) -> float:
        return float(0.5 * w @ w + cost * (np.maximum(0, 1 - y * (X @ w)) ** 2).sum())

    w = np.zeros(X.shape[1])
    for _ in range(100):
        lossy = y * (X @ w) < 1
        A = X[lossy]
        step = A.T @ np.linalg.solve(A @ A.T + np.eye(len(A)) / (2 * cost), y[lossy]) - w
        while np.abs(step).max() > 1e-12 and objective(w + step) > objective(w):
            step = step / 2
        w = w + step
        if np.abs(step).max() < 1e-10:
            break
    return w


def search(
    X: Float64, tree: LabelTree, weights: Sequence[Float64], *, beam: int = 10, path_weight: float = 1.0
) -> tuple[Float64, Float64]:
    """Log scores and margins of the nodes of the last level with weights, shapes (n, nodes).

    The log score of a node outside the beam is -inf. The leaves are not cut by the beam, only their clusters.
    """
    path = np.zeros((len(X), 1))
    for level, (parent, W) in enumerate(zip(tree.parents, weights, strict=False)):
        leaves = level == tree.depth - 1
        if leaves and level > 0:
            path[np.isfinite(path)] *= path_weight
        margins = _with_constant(X) @ W
        path = path[:, parent] - np.maximum(0, 1 - margins) ** 3
        if not leaves:
            np.put_along_axis(path, _ranking(path, margins)[:, beam:], -np.inf, axis=1)
    return path, margins


def predict_topk(
    X: Float64, tree: LabelTree, weights: Sequence[Float64], k: int, *, beam: int = 10, path_weight: float = 0.25
) -> TopK:
    """The k labels of the highest scores; label -1 with score -inf where the search reaches fewer."""
    path, margins = search(X, tree, weights, beam=beam, path_weight=path_weight)
    best = _ranking(path, margins)[:, :k]
    path = np.take_along_axis(path, best, axis=1)
    labels: Int32 = np.where(np.isfinite(path), tree.leaf_labels[best], -1).astype(np.int32)
    scores: Float32 = np.where(np.isfinite(path), np.exp(path), -np.inf).astype(np.float32)
    return TopK(labels, scores)


def _ranking(path: Float64, margins: Float64) -> Int64:
    """Columns of each row by descending score; ties by margin, then by number."""
    return np.lexsort((-margins, -path), axis=1)


def _with_constant(X: Float64) -> Float64:
    return np.hstack([X, np.ones((len(X), 1))])


def _unit_rows(matrix: Float64) -> Float64:
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(lengths > 0, lengths, 1)
