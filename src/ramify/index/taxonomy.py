"""A label tree from an is-a list, such as the "broader" relation of a thesaurus (SKOS)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ramify.errors import InputError
from ramify.index.paths import tree_from_paths
from ramify.values import LabelTree, Vocabulary


def tree_from_taxonomy(
    edges: Iterable[tuple[str, str]], label_names: Sequence[str], *, first_parent_only: bool = False
) -> LabelTree:
    """Make a cluster of each concept with narrower concepts.

    A concept that is both broader than others and a label gets a leaf inside its own cluster. Concepts without a label
    below are left out. Labels without a broader concept share a separate cluster at the end.

    Parameters
    ----------
    edges : iterable of (child, parent)
        Names of concepts; a child may have several parents.
    label_names : sequence of str, length L
        The labels; concepts are matched by name, exactly.
    first_parent_only : bool, default False
        A label with several parents gets a leaf under each; True: under the first one only. A cluster with several
        parents is always under its first.

    Returns
    -------
    LabelTree
        With all L labels.

    Raises
    ------
    InputError
        A cycle, which is named; label names that are empty or repeated; no label.
    """
    if len(label_names) == 0 or len(set(label_names)) != len(label_names):
        raise InputError("label_names must contain at least one label and no label twice")
    parents: dict[str, list[str]] = {}
    for child, parent in edges:
        above = parents.setdefault(child, [])
        if parent not in above:
            above.append(parent)
    _refuse_cycles(parents)
    inner = _concepts_above_labels(parents, label_names)
    paths: list[list[str]] = []
    leaf_labels: list[int] = []
    for label, name in enumerate(label_names):
        for path in _leaf_paths(name, parents, inner, first_parent_only):
            paths.append(path)
            leaf_labels.append(label)
    return tree_from_paths(paths, labels=leaf_labels, n_labels=len(label_names))


def tree_from_vocabulary(vocabulary: Vocabulary, *, first_parent_only: bool = False) -> LabelTree:
    """The tree of the broader concepts of a vocabulary, whose concept i is label i; see ``tree_from_taxonomy``.

    Parameters
    ----------
    vocabulary : Vocabulary of L concepts
        Such as ``Dataset.vocabulary``.
    first_parent_only : bool, default False
        As in ``tree_from_taxonomy``.

    Returns
    -------
    LabelTree
        With all L labels, for example for ``FixedTree``.

    Raises
    ------
    InputError
        A cycle among the broader concepts, whose URIs are named.
    """
    uris = list(vocabulary.uris)
    edges = ((uris[concept], uris[above]) for concept, above in vocabulary.broader.tolist())
    return tree_from_taxonomy(edges, uris, first_parent_only=first_parent_only)


def _leaf_paths(name: str, parents: dict[str, list[str]], inner: set[str], first_parent_only: bool) -> list[list[str]]:
    above = parents.get(name, [])
    if first_parent_only:
        above = above[:1]
    paths = [_path_to(concept, parents) for concept in above]
    if name in inner:  # its own cluster is under its first parent
        paths[:1] = [_path_to(name, parents)]
    return paths or [[]]


def _path_to(concept: str, parents: dict[str, list[str]]) -> list[str]:
    """Clusters from the top down to the concept, by first parents."""
    path = [concept]
    while parents.get(path[-1]):
        path.append(parents[path[-1]][0])
    return path[::-1]


def _concepts_above_labels(parents: dict[str, list[str]], label_names: Sequence[str]) -> set[str]:
    """Concepts that are broader than some label."""
    found: set[str] = set()
    pending = list(label_names)
    while pending:
        above = [parent for parent in parents.get(pending.pop(), []) if parent not in found]
        found.update(above)
        pending.extend(above)
    return found


def _refuse_cycles(parents: dict[str, list[str]]) -> None:
    """Walk upwards from every concept, depth first, without recursion."""
    done: set[str] = set()
    for start, first_choices in parents.items():
        trail = [start]
        on_trail = {start}
        choices = [iter(first_choices)] if start not in done else []
        while choices:
            parent = next(choices[-1], None)
            if parent is None:
                choices.pop()
                on_trail.remove(trail[-1])
                done.add(trail.pop())
            elif parent in on_trail:
                cycle = [*trail[trail.index(parent) :], parent]
                raise InputError(f"the taxonomy has a cycle ({_shown(cycle)}): remove one of these relations")
            elif parent not in done:
                trail.append(parent)
                on_trail.add(parent)
                choices.append(iter(parents.get(parent, [])))


def _shown(cycle: list[str]) -> str:
    names = cycle if len(cycle) <= 8 else [*cycle[:6], "...", cycle[-1]]
    return " → ".join(names)
