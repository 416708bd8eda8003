"""Clusters of labels, by which generation is guided."""

import numpy as np
import pytest
import scipy.sparse as sp

from ramify.generate.clusters import kmeans_clusters, label_vectors

GROUPS, LABELS, UNSEEN, WIDTH = 4, 10, 400, 16


def test_labels_without_documents_do_not_take_the_clusters_of_the_others():
    """Documents and names have a large part in common each; the groups of the labels are a small part beside it."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(GROUPS, WIDTH))
    labels = np.repeat(np.arange(GROUPS), LABELS)
    documents = 20 * rng.normal(size=WIDTH) + centres[labels] + 0.1 * rng.normal(size=(len(labels), WIDTH))
    n_labels = len(labels) + UNSEEN
    names = 20 * rng.normal(size=WIDTH) + rng.normal(size=(n_labels, WIDTH))
    Y = sp.csr_matrix((np.ones(len(labels)), (np.arange(len(labels)),) * 2), shape=(len(labels), n_labels))

    vectors = label_vectors(documents.astype(np.float32), Y, names.astype(np.float32).__getitem__)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    seen = np.arange(len(labels))
    clusters = kmeans_clusters(vectors, seen, GROUPS, 0)
    assert clusters.shape == (n_labels, GROUPS)
    assert (np.diff(clusters.indptr) == 1).all()
    found = clusters.indices[seen].reshape(GROUPS, LABELS)
    assert (found == found[:, :1]).all()
    assert len(np.unique(found[:, 0])) == GROUPS


@pytest.mark.parametrize("n_unseen", [1, 2, 30])
@pytest.mark.parametrize("n_labels", [40, 3000])
def test_names_of_few_labels_are_centred_at_those_of_all(n_unseen, n_labels):
    """Each name is near the documents of its label, beside a common part of all names."""
    rng = np.random.default_rng(1)
    directions = rng.normal(size=(n_labels, WIDTH))
    names = (20 * rng.normal(size=WIDTH) + directions).astype(np.float32)
    seen = np.arange(n_unseen, n_labels)
    documents = (20 * rng.normal(size=WIDTH) + directions[seen]).astype(np.float32)
    Y = sp.csr_matrix((np.ones(len(seen)), (seen - n_unseen, seen)), shape=(len(seen), n_labels))
    asked = []

    def embed(labels):
        asked.append(len(labels))
        return names[labels]

    vectors = label_vectors(documents, Y, embed)
    wanted = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    assert ((vectors * wanted).sum(axis=1) > 0.8).all()
    assert len(asked) == 1
    assert asked[0] <= 1000 + n_unseen


def test_names_of_many_labels_are_centred_at_their_own_mean():
    rng = np.random.default_rng(2)
    names = (20 * rng.normal(size=WIDTH) + rng.normal(size=(2000, WIDTH))).astype(np.float32)
    Y = sp.csr_matrix((np.ones(500), (np.arange(500),) * 2), shape=(500, 2000))
    asked = []
    vectors = label_vectors(names[:500], Y, lambda labels: asked.append(labels) or names[labels])
    (labels,) = asked
    assert labels.tolist() == list(range(500, 2000))
    wanted = names[500:] - names[500:].mean(axis=0)
    np.testing.assert_allclose(vectors[500:], wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-5)


def test_vectors_of_labels_are_sums_of_centred_documents():
    rng = np.random.default_rng(3)
    documents = (50 + rng.normal(size=(300, WIDTH))).astype(np.float32)
    Y = sp.random(300, 20, 0.3, format="csr", dtype=np.float32, random_state=3)
    Y.data[:] = 1
    wanted = Y.T @ (documents - documents.mean(axis=0, dtype=np.float64))
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(label_vectors(documents, Y, lambda labels: documents[labels]), wanted, atol=1e-4)


def test_fewer_labels_with_documents_than_clusters():
    vectors = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    clusters = kmeans_clusters(vectors, np.arange(2), 5, 0)
    assert len(np.unique(clusters.indices)) == 5
