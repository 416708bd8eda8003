"""A label tree as entries of a model directory: its depth, the parents of each level and the leaf labels."""

from __future__ import annotations

from typing import Any

from ramify.checks import whole_number
from ramify.values import LabelTree


def tree_to_arrays(tree: LabelTree) -> tuple[dict[str, Any], dict[str, Any]]:
    """(config, arrays) of a tree.

    Returns
    -------
    dict
        ``depth`` and ``n_labels``.
    dict of str to int32 array
        ``parents_0`` to ``parents_<depth - 1>`` and ``leaf_labels``.
    """
    arrays = {f"parents_{level}": parents for level, parents in enumerate(tree.parents)}
    return {"depth": tree.depth, "n_labels": tree.n_labels}, {**arrays, "leaf_labels": tree.leaf_labels}


def tree_from_arrays(config: dict[str, Any], arrays: dict[str, Any]) -> LabelTree:
    """The tree of ``tree_to_arrays``, over the same arrays; other entries of config and arrays are not used.

    Raises
    ------
    KeyError
        An entry is missing.
    InputError
        A size out of range, or arrays that are no tree.
    """
    depth, n_labels = (whole_number(name, config[name], 1, 2**31 - 1) for name in ("depth", "n_labels"))
    parents = tuple(arrays[f"parents_{level}"] for level in range(depth))
    return LabelTree(parents, arrays["leaf_labels"], n_labels)
