"""Trees made by users from clusters, paths and taxonomies; and their storage, files, outlines and drawings."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramify.errors import DataFileError, InputError, ModelFileError, damage_reported
from ramify.index import (
    KMeansIndexer,
    draw,
    read_tree,
    render_text,
    tree_from_assignment,
    tree_from_clusters,
    tree_from_paths,
    tree_from_taxonomy,
    write_tree,
)
from ramify.store.trees import tree_from_arrays, tree_to_arrays
from ramify.values import LabelTree, as_label_matrix

ISA = [("dog", "mammal"), ("cat", "mammal"), ("mammal", "animal"), ("bird", "animal"), ("oak", "plant")]


def shape_of(tree, names):
    """Nested lists of names, every level kept: what the tree looks like."""
    nodes = [names[label] for label in tree.leaf_labels]
    for level in range(tree.depth - 1, -1, -1):
        first = tree.first_children(level)
        nodes = [nodes[first[p] : first[p + 1]] for p in range(len(first) - 1)]
    return nodes[0]


def same(one, other):
    assert one.n_labels == other.n_labels
    assert one.depth == other.depth
    for mine, theirs in zip((*one.parents, one.leaf_labels), (*other.parents, other.leaf_labels), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_clusters_become_one_level():
    assert shape_of(tree_from_assignment([5, -1, 0, 5]), "abcd") == [["c"], ["a", "d"]]
    assert shape_of(tree_from_clusters([[2, 0], [], [0]], 4), "abcd") == [["c", "a"], ["a"]]
    assert tree_from_clusters([[2, 0], [], [0]], 4).overlapping


def test_paths_of_any_length_are_padded():
    paths = [["x", "y"], ["z"], ["x"], [], ["x", "y"], ["z"]]
    assert shape_of(tree_from_paths(paths), "abcdef") == [[["c"], ["a", "e"]], [["b", "f"]], [["d"]]]
    assert tree_from_paths([[], []]).depth == 1
    assert tree_from_paths([["top", "a"], ["top", "b"]]).level_sizes == (2, 2)


def test_a_taxonomy_becomes_clusters():
    names = ["dog", "mammal", "bird", "oak", "stone", "cat"]
    assert shape_of(tree_from_taxonomy(ISA, names), names) == [
        [["bird"], ["dog", "mammal", "cat"]],
        [["oak"]],
        [["stone"]],
    ]


def test_several_parents_repeat_the_leaf():
    edges = [("apple", "fruit"), ("apple", "company"), ("pear", "fruit"), ("acme", "company")]
    names = ["apple", "pear", "acme"]
    assert shape_of(tree_from_taxonomy(edges, names), names) == [["apple", "pear"], ["apple", "acme"]]
    first = tree_from_taxonomy(edges, names, first_parent_only=True)
    assert shape_of(first, names) == [["apple", "pear"], ["acme"]]


def test_an_inner_label_with_two_parents_has_its_own_cluster_once():
    edges = [("spaniel", "dog"), ("dog", "mammal"), ("dog", "pet"), ("goldfish", "pet"), ("mammal", "animal")]
    names = ["spaniel", "dog", "goldfish"]
    assert shape_of(tree_from_taxonomy(edges, names), names) == [["spaniel", "dog"], ["dog", "goldfish"]]


@pytest.mark.parametrize(
    ("edges", "cycle"),
    [
        ([("a", "a")], "a → a"),
        ([("a", "b"), ("b", "c"), ("c", "a")], "a → b → c → a"),
        ([*ISA, ("animal", "dog")], "→"),
    ],
)
def test_a_cycle_is_named(edges, cycle):
    with pytest.raises(InputError, match="cycle .*" + cycle):
        tree_from_taxonomy(edges, ["a", "dog"])


def test_a_very_deep_taxonomy_and_a_wide_diamond_are_fine():
    chain = [(str(i), str(i + 1)) for i in range(3000)]
    assert tree_from_taxonomy(chain, ["0", "1"]).n_leaves == 2
    diamonds = [(f"{i}{side}", f"{i + 1}{other}") for i in range(40) for side in "ab" for other in "ab"]
    assert tree_from_taxonomy(diamonds, ["0a", "0b"]).n_leaves == 4


@st.composite
def trees(draw):
    """Canonical trees, as from random paths; labels may repeat."""
    paths = draw(st.lists(st.lists(st.integers(0, 2), max_size=4), min_size=1, max_size=30))
    labels = draw(st.lists(st.integers(0, 39), min_size=len(paths), max_size=len(paths)))
    paths = [[9, *path] for path in paths]  # everyone has a place
    return tree_from_paths([*paths, [8]], labels=[*labels, 0], n_labels=40)


@settings(max_examples=80, deadline=None)
@given(tree=trees())
def test_trees_survive_arrays_and_files(tree, tmp_path_factory):
    config, arrays = tree_to_arrays(tree)
    same(tree_from_arrays(json.loads(json.dumps(config)), arrays), tree)
    path = tmp_path_factory.mktemp("tree") / "tree.json"
    names = [f'label "{number}", [x]\n' for number in range(40)]
    write_tree(tree, path, names)
    again = read_tree(path, names)
    np.testing.assert_array_equal(again.leaf_labels, tree.leaf_labels)
    assert again.level_sizes[-2:] == tree.level_sizes[-2:]
    write_tree(again, path, names)
    same(read_tree(path, names), again)


def test_a_balanced_tree_reads_back_the_same(tmp_path):
    Z = np.random.default_rng(0).standard_normal((90, 4))
    tree = KMeansIndexer(branching=3, max_leaf=7).build(Z, as_label_matrix(np.eye(90)))
    names = [f"label {number}" for number in range(90)]
    write_tree(tree, tmp_path / "tree.json", names)
    same(read_tree(tmp_path / "tree.json", names), tree)


def test_a_file_by_hand(tmp_path):
    path = tmp_path / "tree.json"
    document = {"format": "ramify label tree", "version": 1, "tree": ["a", ["b", ["c", "d"]], [["a"]]]}
    path.write_text(json.dumps(document))
    assert shape_of(read_tree(path, "abcdx"), "abcdx") == [[["a"]], [["b"], ["c", "d"]], [["a"]]]
    assert read_tree(path, "abcdx").n_labels == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{\n nonsense", "tree.json:2: the file is not JSON"),
        ("[]", "must contain"),
        ('{"format": "ramify label tree", "version": 2, "tree": []}', "must contain"),
        ('{"format": "ramify label tree", "version": 1, "tree": []}', "neither a label name nor a list"),
        ('{"format": "ramify label tree", "version": 1, "tree": ["a", 3]}', "3 is neither"),
        ('{"format": "ramify label tree", "version": 1, "tree": ["a", "z"]}', "label 'z' is not among"),
        ('{"format": "ramify label tree", "version": 1, "tree": ' + "[" * 100_000 + "]" * 100_000 + "}", "cannot be"),
    ],
)
def test_bad_tree_files_are_named(tmp_path, text, message):
    (tmp_path / "tree.json").write_text(text)
    with pytest.raises(DataFileError, match=message):
        read_tree(tmp_path / "tree.json", "ab")


def test_tree_files_that_cannot_be(tmp_path):
    tree = tree_from_assignment([0, 1])
    with pytest.raises(DataFileError, match="cannot be read"):
        read_tree(tmp_path / "none.json", "ab")
    with pytest.raises(DataFileError, match="cannot be written"):
        write_tree(tree, tmp_path / "no" / "tree.json", "ab")
    with pytest.raises(InputError, match="repeated"):
        write_tree(tree, tmp_path / "tree.json", "aa")
    with pytest.raises(InputError, match="3 label names"):
        write_tree(tree, tmp_path / "tree.json", "abc")


@pytest.mark.parametrize(
    "change",
    [
        {"depth": 3},
        {"depth": 10**9},
        {"depth": "2"},
        {"n_labels": None},
        {"n_labels": 1},
        {"leaf_labels": None},
        {"leaf_labels": np.array([0, 1])},
        {"leaf_labels": np.array([0, 7], np.int32)},
        {"parents_0": np.array([0, 1], np.int32)},
        {"parents_0": np.array([0.0, 0.0])},
        {"parents_1": np.array([], np.int32)},
    ],
    ids=str,
)
def test_damaged_arrays_are_refused(change):
    config, arrays = tree_to_arrays(tree_from_assignment([0, 1]))
    for name, value in change.items():
        (config if name in config else arrays)[name] = value
    with pytest.raises(ModelFileError), damage_reported("the tree is"):
        tree_from_arrays(config, arrays)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tree_from_assignment([0.5]), "whole number"),
        (lambda: tree_from_assignment([-2]), "whole number"),
        (lambda: tree_from_assignment([-1, -1]), "no label"),
        (lambda: tree_from_clusters([[0, 0]], 2), "cluster 0 has a label twice"),
        (lambda: tree_from_clusters([[0], [2]], 2), "cluster 1 has labels outside"),
        (lambda: tree_from_clusters([[]], 2), "no label"),
        (lambda: tree_from_paths([]), "at least one"),
        (lambda: tree_from_paths([[1]], labels=[1, 2]), "1 paths and 2 labels"),
        (lambda: tree_from_paths([[1]], labels=[5], n_labels=2), "leaf labels"),
        (lambda: tree_from_taxonomy(ISA, []), "at least one label"),
        (lambda: tree_from_taxonomy(ISA, ["a", "a"]), "no label twice"),
    ],
)
def test_what_is_no_tree_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def big_tree():
    Z = np.random.default_rng(0).standard_normal((400, 4))
    return KMeansIndexer(branching=4, max_leaf=10).build(Z, as_label_matrix(np.eye(400)))


def test_the_outline_tells_sizes_and_frequent_labels():
    names = ["dog", "mammal", "bird", "oak", "stone", "cat"]
    tree = tree_from_taxonomy(ISA, names)
    text = render_text(tree, names, frequencies=[1, 2, 3, 4, 5, 6], examples=1)
    assert text.splitlines() == [
        "6 of 6 labels, clusters per level: 3 > 4",
        "  0 (4): cat, ...",
        "    0 (1): bird",
        "    1 (3): cat, ...",
        "  1 (1): oak",
        "    2 (1): oak",
        "  2 (1): stone",
        "    3 (1): stone",
    ]


def test_the_outline_keeps_its_limits():
    names = [f"a label with\nthe number {number}" for number in range(400)]
    text = render_text(big_tree(), names, max_nodes=20, width=50)
    lines = text.splitlines()
    assert max(len(line) for line in lines) <= 50
    assert sum("(" in line for line in lines) <= 20
    assert any("more" in line for line in lines)
    assert "no clusters" in render_text(LabelTree((np.zeros(2, np.int32),), np.arange(2, dtype=np.int32), 2), "ab")
    for bad in ({"max_nodes": 0}, {"examples": 0}, {"width": 0}, {"frequencies": [1]}):
        with pytest.raises(InputError):
            render_text(big_tree(), names, **bad)


def test_the_drawing_is_svg_with_a_box_per_cluster(tmp_path):
    names = [f"<label> & \x00 {number}" for number in range(400)]
    tree = big_tree()
    draw(tree, tmp_path / "tree.svg", names, height=2000)
    root = ElementTree.parse(tmp_path / "tree.svg").getroot()
    groups = [element for element in root if element.tag.endswith("}g")]
    assert len(groups) == sum(tree.level_sizes[:-1])
    boxes = [group.find("{*}rect").attrib for group in groups]
    heights = {}
    for box in boxes:
        heights[box["x"]] = heights.get(box["x"], 0) + float(box["height"])
        assert 0 <= float(box["x"]) + float(box["width"]) <= 1200
    assert len(heights) == tree.depth - 1
    assert max(heights.values()) - min(heights.values()) < 1
    assert "<label> &   0" in (tmp_path / "tree.svg").read_text().replace("&lt;", "<").replace("&gt;", ">").replace(
        "&amp;", "&"
    )


def test_flat_and_tiny_trees_can_be_drawn(tmp_path):
    for n_labels in (1, 2, 500):
        tree = KMeansIndexer(max_leaf=1000).build(np.ones((n_labels, 1)), as_label_matrix(np.eye(n_labels)))
        draw(tree, tmp_path / "flat.svg", ["name"] * n_labels)
        assert "name" in ElementTree.tostring(ElementTree.parse(tmp_path / "flat.svg").getroot(), "unicode")
    with pytest.raises(InputError, match="svg"):
        draw(tree, tmp_path / "tree.png", ["name"] * 500)
    with pytest.raises(InputError, match="at least 200"):
        draw(tree, tmp_path / "tree.svg", ["name"] * 500, height=10)
    with pytest.raises(DataFileError, match="cannot be written"):
        draw(tree, tmp_path / "no" / "tree.svg", ["name"] * 500)
