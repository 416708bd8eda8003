"""One small model directory of every class that ramify saves, and what each must do once it is loaded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from tampering import LABELS, TEXTS

import ramify
from ramify import (
    Disentangled,
    Ensemble,
    Hashing,
    LexicalMatcher,
    NearestInstances,
    Partitioned,
    StaticEncoder,
    Tagger,
    Tfidf,
    XRLinear,
)
from ramify.features.static_vectors import StaticVectors
from ramify.models import Blend, CosineRanker, DenseNeighbours, LinearRanker, MixedRanker, PopularLabels
from ramify.models.base.persistence import save
from ramify.strings import StringTable
from ramify.testing.values import Problem, planted_clusters
from ramify.values import Dataset, Hybrid, as_csr

LARGEST_CALL = 2_000_000
"""Most scores that a case requests: all scores of 2**31 labels need memory for good reason."""

TREE = {"branching": 2, "max_leaf": 2, "threads": 1}


def _models() -> dict[str, Callable[[], Any]]:
    models: dict[str, Callable[[], Any]] = {
        "xr-linear": lambda: XRLinear(**TREE, threshold=0.01),
        "xr-linear-tail": lambda: XRLinear(**TREE, tail_rank=0.5, precision="fp32", score_transform="sigmoid"),
        "ensemble": lambda: Ensemble(XRLinear(**TREE), trees=2, threads=1),
        "ensemble-mixed": lambda: Ensemble([XRLinear(**TREE), NearestInstances(threads=1)], combine="rank", threads=1),
        "blend": lambda: Blend(trees=1, branching=2, max_leaf=2, tail_rank=0.3, threads=1),
        "disentangled": lambda: Disentangled(XRLinear(**TREE)),
        "nearest": lambda: NearestInstances(threads=1),
        "popular": PopularLabels,
        "linear": lambda: Partitioned(max_leaf=2, ranker=LinearRanker(), threads=1),
        "cosine": lambda: Partitioned(max_leaf=2, ranker=CosineRanker(), matcher="nearest", threads=1),
        "mixed": lambda: Partitioned(max_leaf=2, ranker=MixedRanker(), matcher="popular", threads=1),
    }
    if find_spec("usearch"):
        models["dense"] = lambda: DenseNeighbours(dimensions=4, threads=1)
        models["dense-labels"] = lambda: DenseNeighbours(among="labels", threads=1)
    if find_spec("torch"):
        from ramify import CompositeChain, LabelChain, ReinforcedChain

        small = {"hidden": 8, "embedding": 4, "epochs": 1, "threads": 1}
        models["label-chain"] = lambda: LabelChain(**small)
        models["reinforced-chain"] = lambda: ReinforcedChain(LabelChain(**small), epochs=1, threads=1)
        models["composite-chain"] = lambda: CompositeChain(
            LabelChain(**small), ReinforcedChain(LabelChain(**small), epochs=1), threads=1
        )
    return models


def _static() -> StaticEncoder:
    words = sorted({word for text in TEXTS for word in text.lower().split()})
    vectors = np.random.default_rng(0).normal(size=(len(words), 4)).astype(np.float32)
    return StaticEncoder(StaticVectors(vectors, words=StringTable.of(words)), threads=1)


def _vectorizers() -> dict[str, Callable[[], Any]]:
    return {
        "tfidf": lambda: Tfidf(min_df=1, characters=(2, 3), threads=1),
        "hashing": lambda: Hashing(n_features=64, idf=True, threads=1),
        "static": _static,
        "sum": lambda: Hashing(n_features=64, threads=1) + _static(),
        "sklearn-tfidf": lambda: TfidfVectorizer(sublinear_tf=True, stop_words=["and", "of"]),
        "sklearn-tf": lambda: TfidfVectorizer(use_idf=False),
        "sklearn-count": lambda: CountVectorizer(binary=True),
        "sklearn-hashing": lambda: HashingVectorizer(n_features=64),
    }


def build_models(folder: Path, only: tuple[str, ...] = ()) -> list[Path]:
    """Save one model directory of every kind, in the same order each time.

    Parameters
    ----------
    folder : Path
        Where; made when missing. What is there already is taken as it is.
    only : tuple of str, optional
        Names of directories; all when empty.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kinds = _kinds()
    names = [name for name in sorted(kinds) if not only or name in only]
    for name in names:
        if not (folder / name).is_dir():
            save(kinds[name](), folder / name)
    return [folder / name for name in names]


def _kinds() -> dict[str, Callable[[], Any]]:
    problem = planted_clusters(3, 2)
    kinds: dict[str, Callable[[], Any]] = {}
    for name, make in _models().items():
        kinds[name] = lambda make=make: make().fit(problem.X, problem.Y)
        kinds[f"tagger-{name}"] = lambda make=make: _tagger(make(), Tfidf(min_df=1, threads=1))
    for name, make in _vectorizers().items():
        kinds[f"texts-{name}"] = lambda make=make: make().fit(TEXTS)
        kinds[f"tagger-{name}"] = lambda make=make: _tagger(XRLinear(**TREE), make())
    kinds["tagger-lexical"] = lambda: _tagger(
        LexicalMatcher(language="en", alternative_names={LABELS[0][0]: TEXTS[0].split()}, threads=1), None
    )
    beside = Hybrid(problem.X, problem.X.toarray()[:, :3])
    kinds["hybrid"] = lambda: XRLinear(**TREE, threshold=0.01).fit(beside, problem.Y)
    kinds["hybrid-fp32"] = lambda: XRLinear(**TREE, precision="fp32").fit(beside, problem.Y)
    kinds["hybrid-blend"] = lambda: Blend(trees=1, max_leaf=2, threads=1).fit(beside, problem.Y)
    kinds["tagger-columns"] = lambda: _tagger_of_columns(problem)
    return kinds


def _tagger(model: Any, vectorizer: Any) -> Tagger:
    return Tagger(model, vectorizer=vectorizer).fit(TEXTS, LABELS)


def _tagger_of_columns(problem: Problem) -> Tagger:
    """Fitted on a wide matrix, of which a few columns are used, and on labels with keys."""
    X = problem.X
    wide = sp.csr_matrix((X.data, X.indices * 1000, X.indptr), shape=(X.shape[0], 2**21))
    numbers = range(problem.Y.shape[1])
    names, keys = [f"label {number}" for number in numbers], [f"key {number}" for number in numbers]
    return Tagger(XRLinear(**TREE)).fit_dataset(
        Dataset(Y=problem.Y, label_names=names, label_keys=keys, X=as_csr(wide))
    )


def use(model: Any, place: Path) -> None:
    """Call what a loaded model offers, then save it and load it again."""
    if isinstance(model, Tagger):
        _use_tagger(model)
    elif hasattr(model, "predict_topk"):
        _use_model(model, _rows_for(model))
    else:
        model.transform(TEXTS)
        model.transform(TEXTS[:1])
        if hasattr(model, "transform_one"):
            model.transform_one(TEXTS[0])
    shutil.rmtree(place, ignore_errors=True)
    save(model, place)
    ramify.load(place)


def _use_tagger(tagger: Tagger) -> None:
    if tagger.vectorizer_ is None and not tagger.takes_texts_:  # it tags features
        tagger.tag(_rows(tagger.columns_.width), k=3)
        return
    tagger.tag(TEXTS, k=3)
    tagger.tag(TEXTS[:1], k=1)
    if tagger.vectorizer_ is not None:
        _use_model(tagger.model_, tagger.features(TEXTS))
    tagger.label_ids([tagger.label_names_[-1]])
    list(tagger.label_names_)


def _use_model(model: Any, X: Any) -> None:
    n_labels = int(model.n_labels_)
    k = min(4, n_labels)
    top = model.predict_topk(X, k)
    assert top.labels.shape == (X.shape[0], k)
    assert ((top.labels >= -1) & (top.labels < n_labels)).all()
    model.predict_topk(X[:1], k)
    if n_labels * X.shape[0] > LARGEST_CALL:
        return
    model.predict(X)
    if hasattr(model, "decision_function"):
        model.decision_function(X)
    if hasattr(model, "single"):
        row = X[0:1]
        one = (row.sparse.indices, row.sparse.data, row.dense[0]) if isinstance(X, Hybrid) else (row.indices, row.data)
        model.single(k)(*one)


def _rows_for(model: Any) -> Any:
    parts = [model, *(model.ensemble_.members_ if hasattr(model, "ensemble_") else ())]
    n_dense = max(part.search_.n_dense if hasattr(part, "search_") else 0 for part in parts)
    X = _rows(max(1, model.n_features_in_ - n_dense))
    return Hybrid(X, np.ones((X.shape[0], n_dense))) if n_dense else X


def _rows(width: int) -> Any:
    rng = np.random.default_rng(0)
    indices = np.array([np.sort(rng.choice(min(width, 1000), min(width, 5), replace=False)) for _ in range(12)])
    data = rng.uniform(0.1, 1, indices.size).astype(np.float32)
    return sp.csr_matrix((data, indices.ravel(), np.arange(13) * indices.shape[1]), shape=(12, width))
