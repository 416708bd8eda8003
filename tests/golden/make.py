"""Write the golden models of the installed version of ramify.

``python tests/golden/make.py`` trains small models of every class that can be saved, and writes each to
``tests/golden/format-<N>/<class>/<case>/``, where N is the format of that version's model directories. ``model/`` is
the model directory. ``answers.json`` holds queries and the answers that the version gave: names or ids of the best five
labels with their scores. ``--out`` writes elsewhere.

The script runs under every version of ramify, so that it uses public names only. A case that a version lacks has a
first or last format. Golden models of a released format are never made again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

sys.path.insert(0, str(Path(__file__).parents[1]))

from tiny_encoder import save_tiny_encoder

K = 5
MODULES = ("ramify", "ramify.models", "ramify.models.partitioned", "ramify.index", "ramify.features")
LABELS = (
    "Water",
    "Taxation",
    "Farms",
    "Öffentliche Bücherei",
    "水",
    "naïve «quotes»",
    "roads & rails",
    "zwei\u2028Zeilen",
)
WORDS = (
    "water", "tax", "farm", "bücherei", "水道", "naïve", "road", "zeile",
    "river", "income", "soil", "lesesaal", "井戸", "café", "rail", "brief",
)  # fmt: skip
QUESTIONS = ("water tax", "die Bücherei im café", "水道 井戸 soil", "unseen", "")


@dataclass(frozen=True)
class Case:
    """One golden model.

    Parameters
    ----------
    name : str
        Name of the class and of the case, separated by a slash.
    make : callable
        Gives the fitted model.
    first, last : int
        Formats of the versions that have what the case shows.
    """

    name: str
    make: Callable[[], Any]
    first: int = 1
    last: int = 1_000_000


def part(name: str, **settings: Any) -> Any:
    """An unfitted object of a class, or the result of a function, by its public name."""
    for module in MODULES:
        with suppress(AttributeError, ImportError):
            found = getattr(import_module(module), name)
            break
    else:
        raise LookupError(f"this version of ramify has no {name}")
    return found(**settings)


def label_sets() -> list[list[int]]:
    """Label ids of each instance: every label has 3 to 7 instances."""
    n = len(LABELS)
    return [sorted({i % n, (i * i + i // n) % n} if i % 3 else {i % n}) for i in range(4 * n)]


def texts() -> list[str]:
    """One text per instance: two words per label, and a common one."""
    n = len(LABELS)
    return [
        " ".join(["report", *(word for label in labels for word in (WORDS[label], WORDS[label + n][: 8 - i % 2]))])
        for i, labels in enumerate(label_sets())
    ]


def assignments() -> sp.csr_matrix:
    """0/1 label matrix, shape (32, 8)."""
    rows = [(i, label) for i, labels in enumerate(label_sets()) for label in labels]
    return sp.csr_matrix((np.ones(len(rows), np.float32), np.array(rows).T), (len(label_sets()), len(LABELS)))


def features() -> sp.csr_matrix:
    """Features, shape (32, 8): rows of lengths from 0.5 to 3."""
    rng = np.random.default_rng(17)
    of_labels = rng.random((len(LABELS), 8)) * (rng.random((len(LABELS), 8)) < 0.4)
    dense = np.asarray(assignments() @ of_labels) + 0.1 * (rng.random((len(label_sets()), 8)) < 0.1)
    dense *= rng.uniform(0.5, 3, (len(dense), 1)) / np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), 1e-9)
    return sp.csr_matrix(dense.round(3).astype(np.float32))


def tree() -> Any:
    """A tree of the user's own; label 3 has leaves in two clusters."""
    clusters = [[0, 3, 5], [1, 2, 3], [4, 6, 7]]
    return part("FixedTree", tree=part("tree_from_clusters", clusters=clusters, n_labels=len(LABELS)))


def fitted(name: str, **settings: Any) -> Any:
    """A model trained on the features."""
    return part(name, **settings).fit(features(), assignments())


def tagger(model: Any = None, vectorizer: Any = None) -> Any:
    """A Tagger trained on the texts."""
    vectorizer = part("Tfidf", words=(1, 1), min_df=2) if vectorizer is None else vectorizer
    names = [[LABELS[label] for label in labels] for labels in label_sets()]
    return part("Tagger", model=model, vectorizer=vectorizer).fit(texts(), names)


def calibrated_tagger() -> Any:
    """With probabilities and rules, fitted on the training documents."""
    names = [[LABELS[label] for label in labels] for labels in label_sets()]
    return tagger(small_tree()).calibrate(texts() * 4, names * 4, k=4)


def tagger_of_features(**dataset: Any) -> Any:
    """A Tagger trained on features."""
    given = part("Dataset", Y=assignments(), label_names=list(LABELS), X=features(), **dataset)
    return part("Tagger").fit_dataset(given)


def tagger_of_keys_and_fields() -> Any:
    """A Tagger with label keys and remembered field names, as ``ramify train`` makes it."""
    made = tagger_of_features(label_keys=[f"key-{name}" for name in LABELS])
    made.fields_ = {"text": "titel", "labels": "Schlagwörter"}
    return made


def tagger_of_unused_columns() -> Any:
    """A Tagger that keeps only the columns that occur in its training instances."""
    wide = sp.hstack([sp.csr_matrix((features().shape[0], 300_000), dtype=np.float32), features()], format="csr")
    return part("Tagger").fit_dataset(part("Dataset", Y=assignments(), label_names=list(LABELS), X=wide))


def sklearn(name: str, **settings: Any) -> Any:
    """A text vectorizer of scikit-learn."""
    return getattr(import_module("sklearn.feature_extraction.text"), name)(**settings)


def small_tree(**settings: Any) -> Any:
    """An XRLinear of several levels."""
    return part("XRLinear", **({"branching": 3, "max_leaf": 3} | settings))


def tiny_encoder() -> str:
    """The directory of an encoder with random weights, whose tokens are the words of the texts."""
    directory = Path(tempfile.mkdtemp(prefix="golden-encoder-"))
    return str(save_tiny_encoder(directory, [*texts(), *LABELS], width=8, layers=1, positions=16))


def transformer(name: str, **settings: Any) -> Any:
    """A Tagger with a fine-tuned encoder."""
    few = {"steps": 2, "batch_size": 8, "max_tokens": 16, "held_out": 0.0}
    return tagger(part(name, encoder=tiny_encoder(), **(few | settings)))


def generator(**settings: Any) -> Any:
    """A Tagger with a generator of label names."""
    few = {"epochs": 2, "batch_size": 8, "max_tokens": 16, "clusters": 2, "decoder_layers": 1, "held_out": 0.0}
    return tagger(part("XLGen", encoder=tiny_encoder(), **(few | settings)))


def tagger_of_dense_features() -> Any:
    """A Tagger on tf-idf, static word vectors and a frozen encoder."""
    vectors = Path(tempfile.mkdtemp(prefix="golden-vectors-")) / "vectors.txt"
    rng = np.random.default_rng(3)
    vectors.write_text(
        "".join(f"{word} {' '.join(map(str, rng.normal(size=5).round(3)))}\n" for word in WORDS), "utf-8"
    )
    static = part("StaticEncoder", vectors=str(vectors))
    frozen = part("Encoder", encoder=tiny_encoder(), max_tokens=16)
    return tagger(small_tree(), part("Tfidf", words=(1, 1), min_df=2) + static + frozen)


def generator_with_tree(**settings: Any) -> Any:
    """A Tagger with a generator of label names and a tree."""
    few = {"epochs": 2, "batch_size": 8, "max_tokens": 16, "decoder_layers": 1, "held_out": 0.0}
    generator = part("XLGen", encoder=tiny_encoder(), **few)
    return tagger(part("XLGenWithTree", tree=part("XRLinear", max_leaf=3), generator=generator, **settings))


def fused() -> Any:
    """A fusion of two taggers and of predictions."""
    fusing, data = import_module("ramify.tagger.fusing"), import_module("ramify.data.predictions")
    values = import_module("ramify.values")
    names = list(LABELS)
    dataset = values.Dataset(assignments(), names, texts=texts())
    top = values.TopK(np.arange(8, dtype=np.int32)[None, [1, 3]], np.array([[2.0, 1.0]], np.float32))
    members = {
        "tree": tagger(part("XRLinear")),
        "texts": tagger(part("NearestTexts")),
        "other": data.Predictions([QUESTIONS[0]], names, top),
    }
    return fusing.fuse(members, dataset, threads=1)


def fusion_with_vectorizer() -> Any:
    """A Tagger with a fusion, of which a member has a vectorizer of its own."""
    trained = import_module("ramify.tagger.fusing.members")
    own = part("Tagger", model=part("XRLinear"), vectorizer=part("Tfidf", words=(1, 2)))
    members = [trained.TrainedMember(own, "own"), part("NearestTexts")]
    return tagger(part("Fusion", members=members, threads=1))


def partitioned(matcher: Any, ranker: Any, **settings: Any) -> Any:
    """A Partitioned of clusters of at most three labels."""
    return part("Partitioned", max_leaf=3, matcher=matcher, ranker=ranker, **settings)


def chain(**settings: Any) -> Any:
    """A LabelChain of few weights."""
    small = {"embedding": 2, "hidden": 3, "warmup": 1, "epochs": 1, "batch_size": 16}
    return part("LabelChain", **(small | settings))


def reinforced() -> Any:
    """A ReinforcedChain of few weights."""
    return part("ReinforcedChain", chain=chain(), epochs=1)


CASES = [
    Case("XRLinear/default", lambda: fitted("XRLinear")),
    Case("XRLinear/levels", lambda: small_tree(path_weight=1.0, tail_rank=0.3, beam=2).fit(features(), assignments())),
    Case(
        "XRLinear/bf16", lambda: small_tree(precision="bf16", score_transform="sigmoid").fit(features(), assignments())
    ),
    Case(
        "XRLinear/fp32",
        lambda: small_tree(precision="fp32", loss="hinge", threshold=0.0).fit(features(), assignments()),
    ),
    Case(
        "XRLinear/unbalanced",
        lambda: small_tree(balanced=False, path_weight=0.0).fit(features(), assignments()),
        last=2,
    ),
    Case("XRLinear/own-tree", lambda: fitted("XRLinear", indexer=tree(), merge_copies="sum")),
    Case("XRLinear/not-normalized", lambda: fitted("XRLinear", normalize=False), first=2),
    Case("Ensemble/trees", lambda: fitted("Ensemble", models=part("XRLinear", max_leaf=4), trees=2, candidates=7)),
    Case(
        "Ensemble/mixed",
        lambda: fitted(
            "Ensemble", models=[part("XRLinear"), part("NearestInstances")], combine="rank", weights=[0.7, 0.3]
        ),
    ),
    Case("Blend/tail", lambda: fitted("Blend", trees=1, tail_cost=0.5, tail_rank=0.5)),
    Case("Disentangled/tree", lambda: fitted("Disentangled", model=small_tree(), rounds=2, cap=2)),
    Case(
        "Disentangled/partitioned",
        lambda: fitted("Disentangled", model=partitioned(small_tree(), "linear"), copies=2),
    ),
    Case(
        "Partitioned/linear-linear",
        lambda: partitioned("linear", "linear", path_weight=0.7).fit(features(), assignments()),
    ),
    Case("Partitioned/popular-cosine", lambda: partitioned("popular", "cosine").fit(features(), assignments())),
    Case(
        "Partitioned/nearest-mixed",
        lambda: partitioned(part("NearestInstances", neighbours=9), "mixed", beam=3).fit(features(), assignments()),
    ),
    Case("Partitioned/dense-linear", lambda: partitioned("dense", "linear").fit(features(), assignments())),
    Case("NearestInstances/unweighted", lambda: fitted("NearestInstances", neighbours=5, power=1.0, weighting="none")),
    Case("DenseNeighbours/instances", lambda: fitted("DenseNeighbours", dimensions=4, neighbours=7)),
    Case("DenseNeighbours/labels", lambda: fitted("DenseNeighbours", among="labels")),
    Case("PopularLabels/default", lambda: fitted("PopularLabels")),
    Case(
        "LabelChain/frequent-first",
        lambda: chain(order="frequent-first", longest=2, sampled=5).fit(features(), assignments()),
    ),
    Case("ReinforcedChain/default", lambda: reinforced().fit(features(), assignments())),
    Case("CompositeChain/default", lambda: fitted("CompositeChain", resequenced=chain(), reinforced=reinforced())),
    Case("Tagger/tree", lambda: tagger(part("XRLinear"))),
    Case(
        "Tagger/ensemble",
        lambda: tagger(part("Ensemble", models=[part("XRLinear"), part("PopularLabels")], combine="softmax")),
    ),
    Case("Tagger/blend", lambda: tagger(part("Blend", trees=1, max_leaf=8))),
    Case("Tagger/copies", lambda: tagger(part("Disentangled", model=part("XRLinear", max_leaf=4)))),
    Case("Tagger/partitioned", lambda: tagger(partitioned("nearest", "cosine"))),
    Case("Tagger/nearest", lambda: tagger(part("NearestInstances"))),
    Case("Tagger/dense", lambda: tagger(part("DenseNeighbours", dimensions=4)), first=2),
    Case("Tagger/chain", lambda: tagger(chain())),
    Case(
        "Tagger/tfidf-characters",
        lambda: tagger(vectorizer=part("Tfidf", words=None, characters=(2, 2), max_features=40, sublinear=False)),
    ),
    Case(
        "Tagger/stems-and-runs",
        lambda: tagger(vectorizer=part("Tfidf", language="de", min_df=1, runs=(1, 2), characters=(4, 4))),
        first=4,
    ),
    Case("Tagger/hashing", lambda: tagger(vectorizer=part("Hashing", n_features=64, idf=True))),
    Case(
        "Tagger/hashing-unsigned",
        lambda: tagger(vectorizer=part("Hashing", n_features=64, characters=(2, 3), signed=False, norm=None)),
    ),
    Case("Tagger/sklearn-tfidf", lambda: tagger(vectorizer=sklearn("TfidfVectorizer", min_df=2, sublinear_tf=True))),
    Case("Tagger/sklearn-counts", lambda: tagger(vectorizer=sklearn("CountVectorizer", min_df=2, lowercase=False))),
    Case("Tagger/sklearn-hashing", lambda: tagger(vectorizer=sklearn("HashingVectorizer", n_features=64))),
    Case("Tagger/x-transformer", lambda: transformer("XTransformer", max_leaf=3), first=4),
    Case("Tagger/xr-transformer", lambda: transformer("XRTransformer", branching=3), first=4),
    Case("Tagger/flat-transformer", lambda: transformer("FlatTransformer"), first=4),
    Case("Tagger/xlgen", lambda: generator(variant="bcl"), first=5),
    Case("Tagger/xlgen-two-steps", lambda: generator(variant="mcg"), first=5),
    Case("Tagger/fusion", lambda: tagger(part("Fusion", members="xr-linear,popular-labels,nearest-texts")), first=5),
    Case("Tagger/fused", fused, first=5),
    Case("Tagger/fusion-with-vectorizer", fusion_with_vectorizer, first=5),
    Case("Tagger/lexical", lambda: tagger(part("LexicalMatcher")), first=5),
    Case("Tagger/dense-features", tagger_of_dense_features, first=4),
    Case("Tagger/features", tagger_of_features, last=1),
    Case("Tagger/unused-columns", tagger_of_unused_columns, first=2),
    Case("Tagger/keys-and-fields", tagger_of_keys_and_fields, first=2),
    Case("Tagger/calibrated", calibrated_tagger, first=5),
    Case("Tagger/xlgen-constrained", lambda: generator_with_tree(candidates=4), first=5),
    Case("Tagger/xlgen-reranked", lambda: generator_with_tree(way="rerank", candidates=3, share=0.3), first=5),
    Case("Tagger/label-matrix", lambda: part("Tagger").fit(features(), assignments()), first=2),
]


def queries(model: Any) -> dict[str, Any]:
    """Texts for a model that takes them, else features as (data, indices, indptr) and their shape."""
    if getattr(model, "vectorizer_", None) is not None or getattr(model, "takes_texts_", False):
        return {"texts": list(QUESTIONS)}
    matrix = features()[[0, 7, 16]]
    width = getattr(model, "columns_", None)
    width = (
        model.model_.n_features_in_
        if hasattr(model, "model_") and width is None
        else getattr(width, "width", matrix.shape[1])
    )
    arrays = (matrix.data.astype(float).round(6), matrix.indices + width - matrix.shape[1], matrix.indptr)
    return {"features": [array.tolist() for array in arrays], "shape": [matrix.shape[0], width]}


def answers(model: Any, asked: dict[str, Any]) -> list[list[list[Any]]]:
    """The best labels of each query: [label, score], a name where the model has names, else an id."""
    if "texts" in asked:
        questions: Any = asked["texts"]
    else:
        data, indices, indptr = asked["features"]
        questions = sp.csr_matrix((np.array(data, np.float32), indices, indptr), shape=tuple(asked["shape"]))
    if getattr(model, "decisions_", None) is not None:
        return [[[name, nine_digits(p)] for name, p in row] for row in model.decide(questions, "micro-f1")]
    if hasattr(model, "tag"):
        return [[[name, nine_digits(score)] for name, score in row] for row in model.tag(questions, K)]
    top = model.predict_topk(questions, K)
    pairs = (
        zip(labels.tolist(), scores.tolist(), strict=True)
        for labels, scores in zip(top.labels, top.scores, strict=True)
    )
    return [[[label, nine_digits(score)] for label, score in row if label >= 0] for row in pairs]


def nine_digits(score: float) -> float:
    """A float32 in the shortest form that keeps its value."""
    return float(f"{score:.9g}")


def write(directory: Path, model: Any) -> None:
    """Write a golden model: its directory and answers.json, from the model as it opens again."""
    shutil.rmtree(directory, ignore_errors=True)
    model.save(directory / "model")
    opened = import_module("ramify").load(directory / "model")
    asked = queries(opened)
    lines = {"queries": asked, "answers": answers(opened, asked)}
    (directory / "answers.json").write_text(json.dumps(lines, ensure_ascii=False) + "\n", "utf-8")


def main() -> None:
    """Write every case that the installed version has."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="directory of the format-N directories")
    parser.add_argument("--only", default="", help="beginning of the names of the cases to write, such as Tagger/")
    given = parser.parse_args()
    number = import_module("ramify.store").FORMAT
    warnings.simplefilter("ignore")
    if not given.only:
        shutil.rmtree(given.out / f"format-{number}", ignore_errors=True)
    for case in CASES:
        if case.first <= number <= case.last and case.name.startswith(given.only):
            write(given.out / f"format-{number}" / case.name, case.make())
            print(f"format-{number}/{case.name}")


if __name__ == "__main__":
    main()
