"""Label representations: what each vector holds, unit length, zero rows for unknown labels."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer

from ramify.errors import DataFileError, InputError
from ramify.label_vectors import (
    PIFA,
    PII,
    Concatenation,
    Given,
    GraphSpectrum,
    LabelText,
    Mixture,
    from_word_vectors,
    names_as_instances,
    unit_vectors,
)
from ramify.protocols import Representation
from ramify.values import as_csr, as_label_matrix

GLOVE = Path(__file__).parents[2].parent / "shared" / "data" / "word-vectors" / "glove_twitter_25d_11925.txt.gz"

X = as_csr([[1.0, 0, 0], [0, 2, 0], [0, 0, 1], [1, 1, 0]])
Y = as_label_matrix([[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]])  # label 3 is never used
NAMES = ["dog", "old dog", "tax", "unheard"]


def dense(Z):
    return Z.toarray() if sp.issparse(Z) else Z


def parts():
    text = LabelText(NAMES, TfidfVectorizer())
    given = Given(np.array([[3.0, 4], [0, 2], [0, 0], [1, 0]]))
    spectrum = GraphSpectrum(dimensions=2)
    mixture = Mixture(PIFA(), Given(np.eye(4, 3)), 0.3)
    return [PII(), PIFA(), PIFA(max_features_per_label=1), spectrum, text, given, Concatenation(PII(), given), mixture]


@pytest.mark.parametrize("part", parts(), ids=lambda part: type(part).__name__)
def test_every_representation_has_unit_rows_and_serves_the_protocol(part):
    assert isinstance(part, Representation)
    Z = part.represent(X, Y, threads=2)
    assert Z.shape[0] == 4
    assert Z.dtype == np.float32
    lengths = np.linalg.norm(dense(Z), axis=1)
    np.testing.assert_allclose(lengths[lengths > 0], 1, rtol=1e-6)
    assert (lengths[:2] > 0).all()


def test_pii_and_pifa_hold_what_the_paper_says():
    half = np.sqrt(0.5)
    np.testing.assert_allclose(PII().represent(X, Y).toarray()[1], [half, half, 0, 0], rtol=1e-6)
    raw = np.array([half + 1, 1, 0])  # instance 0 has two labels, instance 3 one
    np.testing.assert_allclose(PIFA().represent(X, Y).toarray()[0], raw / np.linalg.norm(raw), rtol=1e-6)
    assert PIFA().represent(X, Y)[3].nnz == 0


def two_blocks():
    """Instances and labels that fall apart in two halves, with a few links between them."""
    rng = np.random.default_rng(0)
    Y = rng.random((60, 20)) < 0.5
    Y[:30, 10:] = Y[30:, :10] = False
    Y[0, 15] = Y[40, 3] = True
    return as_label_matrix(Y)


@pytest.mark.parametrize("dimensions", [2, 24])
def test_the_spectrum_separates_blocks(dimensions):
    """2 dimensions take the iterative solver, 24 the exact one."""
    Y = two_blocks()
    Z = GraphSpectrum(dimensions=dimensions, seed=3).represent(None, Y)
    assert Z.shape == (20, min(dimensions, 20))
    plane = Z[:, :2]
    same = plane[:10] @ plane[:10].T
    assert same.min() > (plane[:10] @ plane[10:].T).max()
    np.testing.assert_array_equal(Z, GraphSpectrum(dimensions=dimensions, seed=3).represent(None, Y))
    other_seed = GraphSpectrum(dimensions=dimensions, seed=4).represent(None, Y)
    np.testing.assert_allclose(Z[:, :2], other_seed[:, :2], atol=1e-3)


def test_mixture_weighs_its_parts():
    A, B = np.array([[1.0, 0]] * 4), np.array([[0.0, 1]] * 4)
    Z = Mixture(Given(A), Given(B), 0.8).represent(X, Y)
    np.testing.assert_allclose(Z[0, 0] / Z[0, 1], 4, rtol=1e-5)
    sparse = Mixture(Given(as_csr(A)), Given(as_csr(B)), 0.8).represent(X, Y)
    np.testing.assert_allclose(dense(sparse), Z, rtol=1e-6)
    mixed = Mixture(Given(as_csr(A)), Given(B), 0.8).represent(X, Y)
    np.testing.assert_allclose(mixed, Z, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mixture(PIFA(), PII(), 1.5), "weight is 1.5"),
        (lambda: Mixture(PIFA(), PII()).represent(X, Y), "one shape"),
        (Concatenation, "not empty"),
        (lambda: GraphSpectrum(dimensions=0), "dimensions is 0"),
        (lambda: PIFA(max_features_per_label=0), "max_features_per_label is 0"),
        (lambda: Given(np.ones((3, 2))).represent(X, Y), "3 label vectors"),
        (lambda: Given(np.full((4, 2), np.nan)).represent(X, Y), "finite"),
        (lambda: LabelText(["a"], TfidfVectorizer()).represent(X, Y), "1 label names"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_unit_rows_survive_extreme_numbers():
    for form in (np.asarray, as_csr):
        Z = dense(unit_vectors(form(np.array([[1e38, 1e38], [1e-30, 0], [0, 0]], np.float32))))
        np.testing.assert_allclose(np.linalg.norm(Z, axis=1), [1, 1, 0], rtol=1e-6)


def test_word_vectors_are_averaged(tmp_path):
    table = {"dog": np.array([1.0, 0]), "old": np.array([0.0, 1]), "tax": np.array([-1.0, 0])}
    Z = from_word_vectors(["Dog", "old dog!", "tax", "unheard"], table).represent(X, Y)
    np.testing.assert_allclose(Z[1], [np.sqrt(0.5)] * 2, rtol=1e-6)
    assert not Z[3].any()
    lines = "3 2\ndog 1 0\nold 0 1\ntax -1 0\n"
    (tmp_path / "v.txt").write_text(lines)
    with gzip.open(tmp_path / "v.txt.gz", "wt") as file:
        file.write(lines)
    for name in ("v.txt", "v.txt.gz"):
        read = from_word_vectors(["Dog", "old dog!", "tax", "unheard"], tmp_path / name)
        np.testing.assert_array_equal(read.represent(X, Y), Z)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"dog 1 2\nold 1\n", "v.txt:2: 1 numbers, but 2"),
        (b"old 1 2\ndog 1 x\n", "v.txt:2: a word must be followed by numbers"),
        (b"dog 1 nan\n", "NaN"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"cat 1 2\n", "no word of any label name"),
        (b"", "no word of any label name"),
    ],
)
def test_bad_word_vector_files_are_named(tmp_path, content, message):
    (tmp_path / "v.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        from_word_vectors(["dog"], tmp_path / "v.txt")


def test_missing_or_damaged_word_vectors(tmp_path):
    with pytest.raises(DataFileError, match="cannot be read"):
        from_word_vectors(["dog"], tmp_path / "none.txt")
    (tmp_path / "v.gz").write_bytes(gzip.compress(b"dog 1 2\n" * 999, mtime=0)[:-9])
    with pytest.raises(DataFileError, match="cannot be read"):
        from_word_vectors(["dog"], tmp_path / "v.gz")
    with pytest.raises(InputError, match="shapes"):
        from_word_vectors(["dog tax"], {"dog": np.ones(2), "tax": np.ones(3)})


@pytest.mark.skipif(not GLOVE.exists(), reason="the GloVe word vectors are not at hand")
def test_real_word_vectors_put_like_beside_like():
    names = ["school teachers", "university students", "football game", "soccer match"]
    Z = from_word_vectors(names, GLOVE).represent(None, Y)
    similarity = Z @ Z.T
    assert similarity[0, 1] > similarity[0, 2]
    assert similarity[2, 3] > similarity[1, 2]


def test_names_become_instances_of_their_labels():
    X, Y = sp.csr_matrix(np.eye(2, 3, dtype=np.float32)), sp.csr_matrix(np.eye(2, 4, dtype=np.float32))
    names = sp.csr_matrix(np.array([[1, 0, 0], [0, 0, 0], [0, 1, 1], [0, 0, 1]], np.float32))
    more_X, more_Y = names_as_instances(X, Y, names)  # the second name is empty
    np.testing.assert_array_equal(more_X.toarray(), np.vstack([X.toarray(), names.toarray()[[0, 2, 3]]]))
    np.testing.assert_array_equal(more_Y.toarray(), np.vstack([Y.toarray(), np.eye(4)[[0, 2, 3]]]))
    some_X, some_Y = names_as_instances(X, Y, names, labels=[2])
    assert some_X.shape == (3, 3)
    assert some_Y[2].indices.tolist() == [2]
    assert names_as_instances(X, Y, names, labels=[1])[0].shape == (2, 3)


@pytest.mark.parametrize(("names", "labels"), [(np.eye(3, 3), None), (np.eye(4, 2), None), (np.eye(4, 3), [4])])
def test_names_that_do_not_fit(names, labels):
    X, Y = sp.csr_matrix(np.eye(2, 3, dtype=np.float32)), sp.csr_matrix(np.eye(2, 4, dtype=np.float32))
    with pytest.raises(InputError, match=r"names has shape|labels contains"):
        names_as_instances(X, Y, sp.csr_matrix(names), labels)
