"""Models that are trained on a dense block beside sparse features."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from ramify import (
    Blend,
    Disentangled,
    Ensemble,
    InputError,
    NearestInstances,
    Partitioned,
    Tagger,
    Tfidf,
    XRLinear,
    load,
)
from ramify.exchange import CheckedTraining, VectorCache
from ramify.index import FixedTree, NeighbourIndexer
from ramify.label_vectors import PIFA, Concatenation, GraphSpectrum, Mixture, names_as_instances
from ramify.tagger.explain.label_card import describe_label
from ramify.tagger.explain.sizes import describe
from ramify.values import Hybrid, as_label_matrix

FAST = {"cost_positive": 1.0, "cost_negative": 1.0, "dense_weight": 0.7}
TREE = {"max_leaf": 8, "branching": 4}


def problem(n=240, n_labels=40, d=60, m=12, noise=0.3, seed=0):
    """Documents with a word of their label, and a dense vector near that of their label's group."""
    rng = np.random.default_rng(seed)
    label = rng.integers(n_labels, size=n)
    words = sp.csr_matrix((np.ones(n, np.float32), (np.arange(n), label % d)), (n, d))
    others = sp.random(n, d, 0.05, random_state=seed, format="csr", dtype=np.float32)
    centres = rng.normal(size=(n_labels, m))
    dense = centres[label] + noise * rng.normal(size=(n, m))
    Y = sp.csr_matrix((np.ones(n, np.float32), (np.arange(n), label)), (n, n_labels))
    return Hybrid(words + others, dense.astype(np.float32)), as_label_matrix(Y)


X, Y = problem()

MODELS = {
    "flat": XRLinear(**FAST),
    "tree": XRLinear(**FAST, **TREE),
    "chosen": XRLinear(**TREE),
    "fp32": XRLinear(**FAST, **TREE, precision="fp32"),
    "bf16": XRLinear(**FAST, **TREE, precision="bf16"),
    "as given": XRLinear(**FAST, **TREE, normalize=False),
    "disentangled": Disentangled(XRLinear(**FAST, **TREE), folds=2),
    "company": Disentangled(XRLinear(**FAST, **TREE), positives="company", folds=0),
    "ensemble": Ensemble([XRLinear(**FAST, **TREE), NearestInstances()]),
    "partitioned": Partitioned(max_leaf=8),
    "nearest": NearestInstances(),
    "blend": Blend(trees=1, max_leaf=8),
    "neighbours": XRLinear(**FAST, indexer=NeighbourIndexer(max_leaf=8, branching=4)),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_saved_loaded_and_answers_alike(name, tmp_path):
    """Batch and single row, mapped and loaded, all threads: the same bits."""
    model = clone(MODELS[name]).set_params(threads=1).fit(X, Y)
    top = model.predict_topk(X, 3)
    assert model.n_features_in_ == X.shape[1]
    assert (top.labels[:, 0] == Y.indices).mean() > (0.35 if name == "nearest" else 0.8)
    model.save(tmp_path / "model")
    single = model.single(3)
    for mapped in (True, False):
        again = load(tmp_path / "model", mapped=mapped).predict_topk(X, 3)
        np.testing.assert_array_equal(again.labels, top.labels)
        np.testing.assert_array_equal(again.scores, top.scores)
    for row in range(0, len(X), 17):
        one = X[row : row + 1]
        alone = model.predict_topk(one, 3)
        labels, scores = single(one.sparse.indices, one.sparse.data, one.dense[0])
        np.testing.assert_array_equal(alone.labels[0], top.labels[row])
        np.testing.assert_array_equal(alone.scores[0], top.scores[row])
        np.testing.assert_array_equal(labels[0], top.labels[row])
        np.testing.assert_array_equal(scores[0], top.scores[row])
    again = model.set_params(threads=2).predict_topk(X, 3)
    np.testing.assert_array_equal(again.scores, top.scores)


@pytest.mark.parametrize("name", ["tree", "disentangled", "ensemble"])
def test_threads_do_not_change_the_model(name):
    one, two = (clone(MODELS[name]).set_params(threads=threads).fit(X, Y).predict_topk(X, 3) for threads in (1, 2))
    np.testing.assert_array_equal(one.scores, two.scores)


def test_training_equals_that_of_the_columns_as_csr():
    """The dense block is only a form: on the same tree, with no weight pruned, CSR columns give the same scores."""
    settings = {"threshold": 0.0, "epsilon": 1e-4, "max_passes": 10_000, "precision": "fp32", "normalize": False}
    tree = FixedTree(clone(MODELS["as given"]).set_params(threads=1).fit(X, Y).tree_)
    csr = sp.csr_matrix(np.hstack([X.sparse.toarray(), np.float32(0.7) * X.dense]))
    hybrid, plain = (XRLinear(**FAST, **settings, indexer=tree, threads=1).fit(form, Y) for form in (X, csr))
    np.testing.assert_allclose(hybrid.decision_function(X), plain.decision_function(csr), atol=2e-3)


def test_rows_are_scaled_block_by_block():
    model = XRLinear(**FAST, **TREE, threads=1).fit(X, Y)
    scaled = Hybrid(X.sparse * 5, X.dense * np.linspace(0.1, 9, len(X), dtype=np.float32)[:, None])
    np.testing.assert_allclose(model.predict_topk(scaled, 3).scores, model.predict_topk(X, 3).scores, rtol=1e-2)
    used = model._features(X)
    np.testing.assert_allclose(np.linalg.norm(used.toarray(), axis=1), 1, atol=2e-3)
    assert np.shares_memory(used.dense, X.dense)


def test_an_empty_text_is_ranked_by_its_dense_block():
    model = XRLinear(**FAST, **TREE, threads=1).fit(X, Y)
    empty = Hybrid(sp.csr_matrix(X.sparse.shape, dtype=np.float32), X.dense)
    assert (model.predict_topk(empty, 1).labels[:, 0] == Y.indices).mean() > 0.5


def test_a_dense_block_alone_is_enough():
    for width in (0, 1):
        alone = Hybrid(sp.csr_matrix((len(X), width), dtype=np.float32), X.dense)
        model = XRLinear(**TREE, threads=1).fit(alone, Y)
        assert model.dense_weight_ == 1.0
        assert (model.predict_topk(alone, 1).labels[:, 0] == Y.indices).mean() > 0.8


def test_the_weight_follows_the_informative_block():
    rng = np.random.default_rng(1)
    X, Y = problem(n=3000, n_labels=30, noise=3.0)
    wrong = rng.random(3000) < 0.4
    words = sp.csr_matrix((np.ones(3000), (np.arange(3000), np.where(wrong, rng.integers(60, size=3000), Y.indices))))
    noise = Hybrid(sp.random(3000, 60, 0.1, random_state=1, format="csr"), rng.normal(size=X.dense.shape))
    both = [Hybrid(words, noise.dense), Hybrid(words, X.dense), Hybrid(noise.sparse, X.dense)]
    weights = [XRLinear(threads=1).fit(rows, Y).dense_weight_ for rows in both]
    assert weights == sorted(weights) and weights[2] > 1.5 * weights[0]


def test_a_block_without_information_gets_almost_no_weight():
    rng = np.random.default_rng(1)
    words = sp.random(2000, 200, 0.05, format="csr", dtype=np.float32, random_state=1)
    scores = words @ rng.normal(size=(200, 40))
    Y = as_label_matrix(scores >= np.sort(scores, axis=1)[:, -3:-2])
    model = XRLinear(threads=1).fit(Hybrid(words, rng.normal(size=(2000, 384))), Y)
    assert model.dense_weight_ == pytest.approx(0.1)


def test_without_normalisation_the_factors_of_the_rows_are_kept():
    settings = FAST | TREE | {"normalize": False, "dense_weight": 0.5, "threads": 1}
    tripled = Hybrid(X.sparse, X.dense, np.full(len(X), 3, np.float32))
    wanted = XRLinear(**settings).fit(Hybrid(X.sparse, 3 * X.dense), Y)
    found = XRLinear(**settings).fit(tripled, Y)
    np.testing.assert_allclose(
        found.predict_topk(tripled, 3).scores, wanted.predict_topk(Hybrid(X.sparse, 3 * X.dense), 3).scores, atol=1e-5
    )


@pytest.mark.parametrize(("n", "tolerance"), [(4000, 0.2), (4001, 0.6)])
def test_the_default_tolerance_is_looser_with_a_dense_block(n, tolerance):
    model = XRLinear()
    training = CheckedTraining(
        X=Hybrid(np.ones((n, 1)), np.ones((n, 1))), Y=as_label_matrix(np.eye(n, 2)), seed=0, threads=1
    )
    assert model._defaults(training)["epsilon"] == tolerance
    assert XRLinear()._defaults(replace(training, X=training.X.sparse))["epsilon"] == min(tolerance, 0.4)


def test_the_weight_is_stored_and_kept(tmp_path):
    model = XRLinear(**TREE, threads=1).fit(X, Y)
    assert model.dense_weight is None and 0.1 <= model.dense_weight_ <= 4
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").dense_weight_ == model.dense_weight_
    assert model.above_leaves().dense_weight == model.dense_weight_
    assert model.subtree(0, 0).dense_weight_ == model.dense_weight_
    again = model.regrown(model.tree_, X, Y)
    assert again.dense_weight_ == model.dense_weight_
    for level in range(model.tree_.depth):
        np.testing.assert_array_equal(again.search_.weights(level).dense, model.search_.weights(level).dense)


def test_a_subtree_has_the_dense_weights_of_its_nodes():
    model = XRLinear(**FAST, **TREE, threads=1).fit(X, Y)
    for node in range(model.tree_.level_sizes[-2]):
        part = model.subtree(model.tree_.depth - 2, node)
        leaves = model.tree_.parents[-1] == node
        whole = model.search_.weights(model.tree_.depth - 1).dense
        np.testing.assert_array_equal(part.search_.weights(0).dense, whole[leaves])
        assert set(part.predict_topk(X, 1).labels.ravel()) <= set(model.tree_.leaf_labels[leaves])


def test_other_features_than_those_of_the_training_are_refused():
    hybrid, csr = XRLinear(**FAST, threads=1).fit(X, Y), XRLinear(**FAST, threads=1).fit(X.toarray(), Y)
    with pytest.raises(InputError, match="trained on one of 12"):
        hybrid.predict_topk(X.toarray(), 1)
    with pytest.raises(InputError, match="dense block of 12 columns, but the model was trained on one of 0"):
        csr.predict_topk(X, 1)
    with pytest.raises(InputError, match="dense block of 10"):
        hybrid.predict_topk(Hybrid(sp.csr_matrix((3, 62), dtype=np.float32), np.ones((3, 10), np.float32)), 1)
    with pytest.raises(InputError, match="dense_weight"):
        XRLinear(dense_weight=0).fit(X, Y)
    nearest = NearestInstances().fit(X, Y)
    with pytest.raises(InputError, match="sparse features"):
        nearest.predict_topk(Hybrid(sp.csr_matrix((3, 62), dtype=np.float32), np.ones((3, 10), np.float32)), 1)


def test_label_vectors_with_a_dense_block_can_be_combined():
    parts = (Concatenation(PIFA(), GraphSpectrum(dimensions=3)), Mixture(PIFA(), PIFA(max_features_per_label=2), 0.3))
    for representation in parts:
        Z = representation.represent(X, Y)
        assert isinstance(Z, Hybrid) and Z.shape[0] == Y.shape[1]
        used = np.bincount(Y.indices, minlength=Y.shape[1]) > 0
        np.testing.assert_allclose(np.linalg.norm(Z.toarray(), axis=1), used, atol=1e-5)
        XRLinear(representation=representation, **FAST, **TREE, threads=1).fit(X, Y)


def test_names_become_instances_with_both_blocks():
    names = Hybrid(sp.eye(40, 60, format="csr"), np.ones((40, 12)))
    more, labels = names_as_instances(X, Y, names, [3, 5])
    np.testing.assert_array_equal(more.toarray(), np.vstack([X.toarray(), names.toarray()[[3, 5]]]))
    assert labels.indices[-2:].tolist() == [3, 5]
    with pytest.raises(InputError, match="both have a dense block"):
        names_as_instances(X, Y, sp.csr_matrix(names.toarray()))


def test_label_vectors_are_cached_by_both_blocks():
    cache, other = VectorCache(), Hybrid(X.sparse, X.dense + 1)
    first = cache.represent(PIFA(), X, Y, 1)
    assert cache.represent(PIFA(), Hybrid(X.sparse, X.dense.copy()), Y, 1) is first
    assert cache.represent(PIFA(), other, Y, 1) is not first
    assert cache.represent(PIFA(), X.sparse, Y, 1) is not first


def test_a_tagger_is_inspected_by_its_named_features():
    texts = [f"word{row} common" for row in range(60)]

    class Both:
        """A vectorizer with a dense block; only its sparse columns have names."""

        def fit_transform(self, texts):
            self.words = Tfidf(min_df=1)
            self.words.fit(texts)
            return self.transform(texts)

        def transform(self, texts):
            return Hybrid(self.words.transform(texts), np.ones((len(texts), 4), np.float32))

        def get_feature_names_out(self):
            return self.words.get_feature_names_out()

        def to_state(self):
            return self.words.to_state()

        @classmethod
        def from_state(cls, config, arrays):
            raise NotImplementedError

    labels = [[f"label{row % 6}"] for row in range(60)]
    tagger = Tagger(XRLinear(**FAST, threads=1), vectorizer=Both()).fit(texts, labels)
    [sense] = describe_label(tagger, "label1").senses
    assert all(name in Both.get_feature_names_out(tagger.vectorizer_) for name, _ in sense.path[-1].features)
    assert describe(tagger).n_weights == sum(level.n_weights for level in tagger.model_.search_.levels)


MEMORY = """
import resource, sys
import numpy as np, scipy.sparse as sp
from ramify import XRLinear
from ramify.values import Hybrid
rng = np.random.default_rng(0)
n, m, L = 20_000, 400, 300
dense = rng.standard_normal((n, m), np.float32)
Y = sp.csr_matrix((np.ones(n, np.float32), rng.integers(L, size=n), np.arange(n + 1)), (n, L))
X = Hybrid(sp.random(n, 1000, 0.005, format="csr", dtype=np.float32, rng=rng), dense)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
model = XRLinear(max_leaf=50, max_passes=2, threads=1).fit(X, Y)
model.predict_topk(X, 5)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024, dense.nbytes)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in KiB on Linux only")
def test_peak_memory_has_no_copy_of_the_dense_block():
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    added, block = map(int, done.stdout.split())
    assert added < 0.9 * block  # the sample for the choice of C, 8,000 rows, is 0.4; a CSR copy would be 2
