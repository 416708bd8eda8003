"""Label trees in and out: a JSON file that can be edited by hand.

The file contains nested lists: a list is a cluster, a string is a label. ::

    {"format": "ramify label tree", "version": 1,
     "tree": [["Water pollution", "Fishing"], [["Taxation"], ["Banks", "Credit"]]]}

Branches may have any depth; short ones are padded when the file is read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from ramify.errors import DataFileError, InputError
from ramify.index.paths import tree_from_paths
from ramify.values import LabelTree

_FORMAT = "ramify label tree"
_Nested: TypeAlias = "list[Any]"


def write_tree(tree: LabelTree, path: str | PathLike[str], label_names: Sequence[str]) -> None:
    """Write the tree as JSON, one line per label.

    Raises
    ------
    InputError
        The number of names differs from that of labels, or names are repeated.
    DataFileError
        The file cannot be written.
    """
    _label_numbers(label_names, tree.n_labels)
    document = {"format": _FORMAT, "version": 1, "tree": _nested(tree, label_names)}
    try:
        Path(path).write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except (OSError, UnicodeEncodeError) as error:
        raise DataFileError(f"the tree cannot be written ({error})", path=Path(path)) from None


def _nested(tree: LabelTree, label_names: Sequence[str]) -> _Nested:
    """Lists of lists of names, from the leaves up; nodes with a single child cluster are left out."""
    nodes: list[Any] = [label_names[label] for label in tree.leaf_labels.tolist()]
    for level in range(tree.depth - 1, -1, -1):
        first = tree.first_children(level)
        groups = [nodes[begin:end] for begin, end in zip(first[:-1].tolist(), first[1:].tolist(), strict=True)]
        nodes = [group[0] if len(group) == 1 and isinstance(group[0], list) else group for group in groups]
    root: _Nested = nodes[0]
    return root


def read_tree(path: str | PathLike[str], label_names: Sequence[str]) -> LabelTree:
    """Read a tree from a file in the format of ``write_tree``.

    Parameters
    ----------
    path : path-like
        The JSON file.
    label_names : sequence of str, length L
        The label space; labels that are not in the file have no leaf.

    Raises
    ------
    DataFileError
        Not such a file, an unknown label, an empty cluster or tree.
    InputError
        Repeated label names.
    """
    path = Path(path)
    numbers = _label_numbers(label_names, len(label_names))
    nested = _load(path)
    paths: list[list[int]] = []
    labels: list[int] = []
    pending: list[tuple[Any, list[int]]] = [(nested, [])]
    n_clusters = 0
    while pending:
        node, above = pending.pop()
        if isinstance(node, str):
            if node not in numbers:
                raise DataFileError(f"the label {node!r} is not among the {len(numbers)} label names", path)
            paths.append(above)
            labels.append(numbers[node])
            continue
        if not isinstance(node, list) or not node:
            raise DataFileError(f"{node!r} is neither a label name nor a list with at least one", path)
        for child in reversed(node):
            n_clusters += isinstance(child, list)
            pending.append((child, [*above, n_clusters] if isinstance(child, list) else above))
    return tree_from_paths(_with_place(paths), labels=labels, n_labels=len(label_names))


def _with_place(paths: list[list[int]]) -> list[list[int]]:
    """Labels beside clusters at the top get a cluster each: -1, -2 and so on."""
    if not any(paths):
        return paths
    return [path or [-1 - number] for number, path in enumerate(paths)]


def _load(path: Path) -> Any:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataFileError(f"the file is not JSON ({error.msg})", path, error.lineno) from None
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise DataFileError(f"the tree cannot be read ({error})", path) from None
    if not isinstance(document, dict) or document.get("format") != _FORMAT or document.get("version") != 1:
        raise DataFileError(f'the file must contain {{"format": "{_FORMAT}", "version": 1, "tree": [...]}}', path)
    return document.get("tree")


def _label_numbers(label_names: Sequence[str], n_labels: int) -> dict[str, int]:
    if len(label_names) != n_labels:
        raise InputError(f"{len(label_names)} label names are given, but the tree is for {n_labels} labels")
    numbers = {name: number for number, name in enumerate(label_names)}
    if len(numbers) != n_labels:
        raise InputError("label names are repeated, so a tree file would be ambiguous: make them unique")
    return numbers
