"""Clusters of labels, by which generation is guided."""

import numpy as np
import scipy.sparse as sp

from ramify.generate.clusters import kmeans_clusters, label_vectors

GROUPS, LABELS, UNSEEN, WIDTH = 4, 10, 400, 16


def test_labels_without_documents_do_not_take_the_clusters_of_the_others():
    """Documents and names have a large part in common each; the groups of the labels are a small part beside it."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(GROUPS, WIDTH))
    labels = np.repeat(np.arange(GROUPS), LABELS)
    documents = 20 * rng.normal(size=WIDTH) + centres[labels] + 0.1 * rng.normal(size=(len(labels), WIDTH))
    names = 20 * rng.normal(size=WIDTH) + rng.normal(size=(UNSEEN, WIDTH))
    n_labels = len(labels) + UNSEEN
    Y = sp.csr_matrix((np.ones(len(labels)), (np.arange(len(labels)),) * 2), shape=(len(labels), n_labels))

    def embed(unseen):
        return names[unseen - len(labels)]

    vectors = label_vectors(documents.astype(np.float32), Y, embed)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    seen = np.arange(len(labels))
    clusters = kmeans_clusters(vectors, seen, GROUPS, 0)
    assert clusters.shape == (n_labels, GROUPS)
    assert (np.diff(clusters.indptr) == 1).all()
    found = clusters.indices[seen].reshape(GROUPS, LABELS)
    assert (found == found[:, :1]).all()
    assert len(np.unique(found[:, 0])) == GROUPS


def test_fewer_labels_with_documents_than_clusters():
    vectors = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    clusters = kmeans_clusters(vectors, np.arange(2), 5, 0)
    assert len(np.unique(clusters.indices)) == 5
