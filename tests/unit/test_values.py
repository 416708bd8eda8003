"""The values of the ground floor take what makes sense, refuse the rest by name, and never change the caller's data."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from ramify import Dataset, LabelTree, TopK
from ramify.errors import InputError, ModelFileError
from ramify.strings import StringTable
from ramify.values import as_csr, as_label_matrix, nonzero
from ramify.weights import Blocks


def _tree(*parents, labels=None, n_labels=None):
    parents = tuple(np.array(parent, np.int32) for parent in parents)
    labels = np.arange(len(parents[-1])) if labels is None else labels
    return LabelTree(parents, np.array(labels, np.int32), len(labels) if n_labels is None else n_labels)


def test_a_canonical_matrix_is_not_copied():
    X = sp.csr_matrix(np.eye(3, dtype=np.float32))
    assert np.shares_memory(as_csr(X).data, X.data)


def test_repeated_and_zero_entries_are_settled_in_a_copy():
    X = sp.csr_matrix(([1.0, 2.0, 0.0, 3.0], [2, 2, 0, 1], [0, 3, 4]), shape=(2, 3))
    csr = as_csr(X)
    np.testing.assert_array_equal(csr.toarray(), [[0, 0, 3], [0, 3, 0]])
    assert csr.nnz == 2
    assert X.nnz == 4


@pytest.mark.parametrize(
    ("data", "indices", "indptr"),
    [
        ([1.0, 1.0], [0, 7], [0, 1, 2]), ([1.0, 1.0], [0, -1], [0, 1, 2]), ([1.0, 1.0], [0, 1], [0, 2, 1]),
        ([1.0, 1.0], [0, 1], [0, 1, 9]), ([1.0, 1.0], [0, 1], [1, 1, 2]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_matrix])
def test_a_broken_matrix_is_refused_before_native_code_reads_it(kind, data, indices, indptr):
    broken = kind((2, 2), dtype=np.float32)
    broken.data, broken.indices, broken.indptr = np.array(data, np.float32), np.array(indices), np.array(indptr)
    with pytest.raises(InputError, match="rebuild"):
        as_csr(broken)


@pytest.mark.parametrize("width", [2**31, 2**40])
def test_more_columns_than_int32_counts_are_refused(width):
    with pytest.raises(InputError, match="columns"):
        as_csr(sp.csr_matrix(([1.0], ([0], [width - 1])), shape=(1, width)))


@pytest.mark.parametrize(
    "Y", [[[0, 1], [2, 0.5]], sp.coo_matrix([[0, 1], [2, 3]]), np.array([[False, True], [True, True]])]
)
def test_labels_become_zeros_and_ones(Y):
    assert set(as_label_matrix(Y).data.tolist()) == {1.0}


def test_topk_checks_its_arrays():
    labels, scores = np.zeros((2, 3), np.int32), np.zeros((2, 3), np.float32)
    assert TopK(labels, scores).k == 3
    for bad in (
        (labels[:1], scores),
        (labels[0], scores[0]),
        (labels.astype(np.int64), scores),
        (labels, scores.astype(float)),
    ):
        with pytest.raises(InputError):
            TopK(*bad)


def test_topk_rows_leave_the_filling_out():
    top = TopK(np.array([[3, -1], [1, 0]], np.int32), np.array([[0.5, -np.inf], [2, 1]], np.float32))
    assert list(top.rows()) == [[(3, 0.5)], [(1, 2.0), (0, 1.0)]]
    assert len(top) == 2


def test_dataset_checks_lengths():
    Y = as_csr(np.eye(2))
    for bad in (
        {"texts": ["a"]},
        {"X": as_csr(np.eye(3))},
        {},
        {"texts": []},
        {"label_names": ["a"], "texts": ["a", "b"]},
    ):
        with pytest.raises(InputError):
            Dataset(**{"Y": Y, "label_names": ["a", "b"], **bad})


def test_dataset_takes_rows():
    data = Dataset(Y=as_csr(np.eye(3)), label_names=["a", "b", "c"], texts=["x", "y", "z"], X=as_csr(2 * np.eye(3)))
    part = data.take(np.array([2, 0]))
    assert (list(part.texts), part.labels_of(0), part.n_labels, len(part)) == (["z", "x"], ["c"], 3, 2)
    np.testing.assert_array_equal(part.X.toarray(), [[0, 0, 2], [2, 0, 0]])


def test_tree_facts():
    tree = _tree([0, 0], [0, 0, 1], labels=[2, 0, 2], n_labels=4)
    assert (tree.depth, tree.level_sizes, tree.n_leaves, tree.overlapping) == (2, (2, 3), 3, True)
    np.testing.assert_array_equal(tree.first_children(0), [0, 2])
    np.testing.assert_array_equal(tree.first_children(1), [0, 2, 3])
    np.testing.assert_array_equal(tree.membership(1).toarray(), [[1, 0], [1, 0], [0, 1]])
    np.testing.assert_array_equal(tree.leaf_matrix().toarray(), [[0, 1, 0], [0, 0, 0], [1, 0, 1], [0, 0, 0]])


@pytest.mark.parametrize(
    "parents",
    [([],), ([1, 1],), ([0, 0], [0, 0]), ([0, 0], [1, 1]), ([0, 0], [1, 0]), ([0, 0, 0], [0, 2]), ([-1, 0],), ()],
)
def test_trees_that_are_none(parents):
    with pytest.raises(InputError):
        LabelTree(tuple(np.array(p, np.int32) for p in parents), np.zeros(2, np.int32), 2)


@pytest.mark.parametrize("labels", [[0], [0, 2], [-1, 0], [[0, 1]]])
def test_leaves_of_no_label(labels):
    with pytest.raises(InputError, match="leaf"):
        LabelTree((np.zeros(2, np.int32),), np.array(labels, np.int32), 2)


@given(st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_blocks_cover_siblings_in_pieces(sizes):
    tree = _tree([0] * len(sizes), np.repeat(np.arange(len(sizes)), sizes))
    blocks = Blocks.of(tree, 1)
    widths = np.diff(blocks.begin)
    assert (blocks.begin[0], blocks.begin[-1]) == (0, sum(sizes))
    assert ((widths >= 1) & (widths <= 256)).all()
    for parent, size in enumerate(sizes):
        own = widths[blocks.parent_blocks[parent] : blocks.parent_blocks[parent + 1]]
        assert own.sum() == size
        assert (own[:-1] == 256).all()
    np.testing.assert_array_equal(blocks.parent, np.repeat(np.arange(len(sizes)), np.diff(blocks.parent_blocks)))


@given(st.lists(st.text(st.characters(), max_size=8), max_size=12))
def test_strings_survive(strings):
    table = StringTable.of(strings)
    assert list(table) == strings
    assert table[1:] == strings[1:]
    assert len(table) == len(strings)
    if strings:
        assert table[-1] == strings[-1]
    for index in (len(strings), -len(strings) - 1):
        with pytest.raises(IndexError):
            table[index]


@pytest.mark.parametrize(
    "offsets", [[], [0], [1, 3], [0, 2], [0, 4], [0, 2, 1, 3], [0, 2**63 - 1, -(2**63), -1, 0, 3], [0.0, 3.0], [[0, 3]]]
)
def test_offsets_that_make_no_sense(offsets):
    dtype = float if offsets == [0.0, 3.0] else np.int64
    with pytest.raises(InputError, match="offsets"):
        StringTable(np.frombuffer(b"abc", np.uint8), np.array(offsets, dtype))


def test_a_damaged_string_is_told():
    table = StringTable(np.array([255, 65], np.uint8), np.array([0, 1, 2]))
    assert table[1] == "A"
    with pytest.raises(ModelFileError, match="string 0"):
        table[0]


def test_the_pattern_of_a_matrix_has_no_stored_zeros_and_leaves_the_matrix_alone():
    given = sp.csr_matrix((np.float32([3, 0, -1, 2, -2]), [0, 1, 2, 1, 1], [0, 2, 5]), shape=(2, 3))
    found = nonzero(given)
    assert found.nnz == 2 and found.dtype == np.float32
    assert found.toarray().tolist() == [[1, 0, 0], [0, 0, 1]], "entries of one place are added first"
    assert given.nnz == 5
