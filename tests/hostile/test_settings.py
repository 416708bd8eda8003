"""Every setting of every class with wrong values: success, or one sentence before anything is changed.

``wrong_settings(seed, count)`` yields the cases in random order, without end; a long run takes as many as it likes.
"""

import inspect
import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, clone

import ramify
import ramify.chains
import ramify.features
import ramify.index
import ramify.label_vectors.vectors
import ramify.models
import ramify.transformers
from ramify import catalogue
from ramify.checks import Checked
from ramify.errors import InputError, MissingExtraError, ModelFileError
from ramify.evaluation import EvaluationConfig
from ramify.evaluation.config import checked_ks
from ramify.features import Concatenated, Hashing, StaticEncoder, Tfidf
from ramify.features.static_vectors import StaticVectors
from ramify.features.tfidf import DocumentLimit
from ramify.index import FixedTree, KMeansIndexer, NeighbourIndexer, tree_from_assignment
from ramify.label_vectors import PIFA, PII, Concatenation, Given, GraphSpectrum, LabelText, Mixture
from ramify.models import (
    Blend,
    CosineRanker,
    DenseNeighbours,
    Disentangled,
    Ensemble,
    LinearRanker,
    MixedRanker,
    NearestInstances,
    Partitioned,
    PopularLabels,
    XRLinear,
)
from ramify.strings import StringTable
from ramify.wording import quoted

LONGEST = 400
"""Characters of a sentence at most."""

WRONG: dict[str, Any] = {
    "None": None,
    "x": "x",
    "empty text": "",
    "list": [],
    "dict": {},
    "object": object(),
    "class": int,
    "own class": XRLinear,
    "nan": float("nan"),
    "inf": float("inf"),
    "-inf": -float("inf"),
    "-1": -1,
    "0": 0,
    "1.5": 1.5,
    "2**40": 2**40,
    "10**30": 10**30,
    "10**5000": 10**5000,
    "True": True,
    "bytes": b"x",
    "function": lambda: 1,
    "long text": "long\n" * 2_000,
    "array": np.arange(6.0).reshape(2, 3),
    "empty array": np.array([]),
    "numpy nan": np.float64("nan"),
    "numpy int": np.int64(3),
    "list of None": [None],
    "pair of text": ("a", "b"),
    "sparse": sp.identity(3, format="csr"),
}

_rng = np.random.default_rng(0)
Y = sp.csr_matrix((np.arange(12)[:, None] % 6 == np.arange(6)).astype(np.float32))
X = sp.csr_matrix((Y @ _rng.random((6, 8)) * (_rng.random((12, 8)) < 0.7)).astype(np.float32) + 0.05)
TEXTS = [f"word{row % 6} word{row % 4} and more words" for row in range(12)]
TREE = tree_from_assignment([0, 0, 0, 1, 1, 1])
QUICK = {"epochs": 1, "warmup": 0, "embedding": 4, "hidden": 4, "draws": 2}


_VECTORS = StaticVectors(np.eye(3, dtype=np.float32), words=StringTable.of(["word0", "and", "more"]))


def _fit(model: Any) -> Any:
    return model.fit(X, Y)


def _use_ranker(ranker: Any) -> Any:
    return Partitioned(ranker=ranker, threads=1).fit(X, Y)


def _represent(made: Any) -> Any:
    return made.represent(X, Y, threads=1)


def _build(made: Any) -> Any:
    return made.build(PIFA().represent(X, Y, threads=1), Y, seed=0, threads=1)


def _chain(order: Any) -> Any:
    from ramify.chains import LabelChain

    return LabelChain(order=order, threads=1, **QUICK).fit(X, Y)


CATALOGUE: list[tuple[type, dict[str, Any], Callable[[Any], Any]]] = [
    (XRLinear, {"threads": 1}, _fit),
    (NearestInstances, {"threads": 1}, _fit),
    (DenseNeighbours, {"threads": 1}, _fit),
    (Blend, {"threads": 1, "trees": 1}, _fit),
    (Ensemble, {"threads": 1}, _fit),
    (Disentangled, {"threads": 1}, _fit),
    (Partitioned, {"threads": 1}, _fit),
    (PopularLabels, {}, _fit),
    (LinearRanker, {}, _use_ranker),
    (CosineRanker, {}, _use_ranker),
    (MixedRanker, {}, _use_ranker),
    (Tfidf, {"threads": 1, "min_df": 1}, lambda made: made.fit_transform(TEXTS)),
    (Hashing, {"threads": 1, "n_features": 64}, lambda made: made.fit_transform(TEXTS)),
    (StaticEncoder, {"vectors": _VECTORS, "threads": 1}, lambda made: made.fit_transform(TEXTS)),
    (Concatenated, {"first": Hashing(n_features=64), "second": Hashing(n_features=8)}, lambda made: made.fit(TEXTS)),
    (ramify.transformers.Encoder, {}, lambda made: made.check_settings()),
    (ramify.XTransformer, {"threads": 1}, lambda made: made.check_settings()),
    (ramify.XRTransformer, {"threads": 1}, lambda made: made.check_settings()),
    (ramify.FlatTransformer, {"threads": 1}, lambda made: made.check_settings()),
    (ramify.XLGen, {"threads": 1}, lambda made: made.check_settings()),
    (ramify.Fusion, {"threads": 1}, lambda made: made.check_settings()),
    (ramify.LexicalMatcher, {"threads": 1}, lambda made: made.check_settings()),
    (ramify.NearestTexts, {"threads": 1}, lambda made: made.check_settings()),
    (PII, {}, _represent),
    (PIFA, {}, _represent),
    (GraphSpectrum, {}, _represent),
    (LabelText, {"names": list("abcdef"), "vectorizer": Hashing(n_features=64, threads=1)}, _represent),
    (Given, {"Z": np.eye(6)}, _represent),
    (Mixture, {"first": PIFA(), "second": PIFA()}, _represent),
    (Concatenation, {}, _represent),
    (KMeansIndexer, {}, _build),
    (NeighbourIndexer, {}, _build),
    (FixedTree, {"tree": TREE}, _build),
    (EvaluationConfig, {}, lambda made: checked_ks(made.ks)),
    (ramify.chains.FixedOrder, {}, _chain),
    (ramify.chains.OwnOrder, {"labels": list(range(6))}, _chain),
    (ramify.chains.LabelChain, {"threads": 1, **QUICK}, _fit),
    (ramify.chains.ReinforcedChain, {"threads": 1, "epochs": 1}, _fit),
    (ramify.chains.CompositeChain, {"threads": 1}, _fit),
    (ramify.XLGenWithTree, {"threads": 1}, lambda made: made.check_settings()),
]
SLOW = {"LabelChain", "ReinforcedChain", "CompositeChain", "FixedOrder", "OwnOrder", "Blend", "Disentangled"}
"""Classes whose training takes tens of milliseconds and more: values that obey the rule are not tried here."""


def _settings(kind: type) -> list[str]:
    return list(inspect.signature(kind).parameters)


def _make(kind: type, given: dict[str, Any]) -> Any:
    if kind is Concatenation:
        parts = given.get("parts", (PIFA(),))
        return Concatenation(*parts) if isinstance(parts, tuple) else Concatenation(parts)
    return kind(**given)


def _case(kind: type, base: dict[str, Any], use: Callable[[Any], Any], name: str, value: Any, *, train: bool) -> Any:
    """Make, set and use; where the value obeys the rules and training is not wanted, the rules alone are applied."""
    made = _make(kind, base | {name: value})
    if train or kind.__name__ not in SLOW:
        return use(made)
    return made.check_settings()


def wrong_settings(seed: int, count: int, *, train: bool = True) -> Iterator[tuple[str, Callable[[], Any]]]:
    """``count`` cases (label, call) drawn at random; a call returns, or raises InputError or MissingExtraError."""
    rng = np.random.default_rng(seed)
    cases = list(_all_cases())
    for at in rng.integers(len(cases), size=count).tolist():
        kind, base, use, name, label = cases[at]
        yield (
            f"{kind.__name__}({name}={label})",
            lambda kind=kind, base=base, use=use, name=name, value=WRONG[label]: _case(
                kind, base, use, name, value, train=train
            ),
        )


def _all_cases() -> Iterator[tuple[type, dict[str, Any], Callable[[Any], Any], str, str]]:
    for kind, base, use in CATALOGUE:
        for name, label in itertools.product(_settings(kind), WRONG):
            yield kind, base, use, name, label


def sentence_of(call: Callable[[], Any]) -> str | None:
    """The message of the InputError that a call raises; None if it succeeds or an extra is missing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            call()
    except MissingExtraError:
        return None
    except InputError as error:
        return str(error)
    return None


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a checkpoint called "x" is a directory here


@pytest.mark.parametrize(("kind", "base", "use"), CATALOGUE, ids=lambda one: getattr(one, "__name__", ""))
def test_a_wrong_value_gets_one_sentence(kind, base, use):
    before = (X.copy(), Y.copy())
    for name, label in itertools.product(_settings(kind), WRONG):
        value = WRONG[label]
        try:
            message = sentence_of(lambda name=name, value=value: _case(kind, base, use, name, value, train=False))
        except Exception as error:
            raise AssertionError(f"{kind.__name__}({name}={label}) raises {type(error).__name__}: {error}") from error
        if message is not None:
            assert "\n" not in message, message
            assert len(message) < LONGEST, message
    for matrix, copy in zip((X, Y), before, strict=True):
        assert (matrix != copy).nnz == 0


SENTENCES = [
    (
        XRLinear,
        "max_leaf",
        "x",
        "max_leaf is 'x', but must be a whole number of at least 1 and at most 2147483647 or None",
    ),
    (XRLinear, "branching", None, "branching is None, but must be a whole number of at least 2"),
    (XRLinear, "branching", float("nan"), "branching is nan, but must be a whole number of at least 2"),
    (XRLinear, "branching", float("inf"), "branching is inf, but must be a whole number of at least 2"),
    (XRLinear, "cluster_iterations", [], "cluster_iterations is [], but must be a whole number"),
    (XRLinear, "indexer", "x", "indexer is 'x', but must be an object with build or None"),
    (XRLinear, "representation", "x", "representation is 'x', but must be an object with represent or None"),
    (XRLinear, "normalize", "no", "normalize is 'no', but must be True or False"),
    (XRLinear, "tail_cost", float("nan"), "tail_cost is nan, but must be a number of at least 0 and at most 10"),
    (XRLinear, "loss", "x" * 10_000, "x', but must be one of squared-hinge, hinge, logistic"),
    (Tfidf, "lowercase", None, "lowercase is None, but must be True or False"),
    (Tfidf, "min_df", "two", "min_df is 'two', but must be 'auto' or a whole number of at least 1 or a share"),
    (Disentangled, "warm_start", 2, "warm_start is 2, but must be True or False"),
    (Partitioned, "ranker", int, "ranker is <class 'int'>, but must be one of linear, cosine, mixed, or an object"),
]


@pytest.mark.parametrize(("kind", "name", "value", "sentence"), SENTENCES)
def test_sentences(kind, name, value, sentence):
    [use] = [use for other, _, use in CATALOGUE if other is kind]
    message = sentence_of(lambda: use(kind(**{name: value})))
    assert message is not None
    assert sentence in message


def test_a_part_inside_is_checked_before_the_work_begins():
    stages = []
    for model in (
        Ensemble([XRLinear(), XRLinear(max_leaf="x")]),
        Disentangled(XRLinear(max_leaf="x")),
        Partitioned(matcher=XRLinear(max_leaf="x")),
    ):
        with pytest.raises(InputError, match="max_leaf is 'x'"):
            model.fit(X, Y, progress=lambda stage, done: stages.append(stage))
    assert stages == []


@pytest.mark.parametrize(
    ("kind", "base"),
    [(kind, base) for kind, base, use in CATALOGUE if use is _fit and kind.RULES and kind.__name__ not in SLOW],
)
def test_a_refused_refit_leaves_the_model_as_it_was(kind, base):
    if kind is DenseNeighbours:
        pytest.importorskip("usearch")
    model = kind(**base).fit(X, Y)
    before = model.predict_topk(X, 3)
    [name, *_] = kind.RULES
    good = getattr(model, name)
    model.set_params(**{name: object()})
    with pytest.raises(InputError):
        model.fit(X, Y)
    after = model.set_params(**{name: good}).predict_topk(X, 3)
    np.testing.assert_array_equal(before.labels, after.labels)
    np.testing.assert_array_equal(before.scores, after.scores)


@pytest.mark.parametrize("kind", [kind for kind, _, _ in CATALOGUE], ids=lambda kind: kind.__name__)
def test_every_setting_has_a_rule(kind):
    assert set(kind.RULES) == set(_settings(kind))


def test_every_class_with_settings_is_in_the_catalogue():
    homes = (ramify.features, ramify.label_vectors, ramify.index, ramify.chains)
    named = [entry.load() for entry in catalogue.ENTRIES]
    found = {
        one
        for one in [*named, *(one for home in homes for one in vars(home).values())]
        if isinstance(one, type) and issubclass(one, BaseEstimator | Checked) and one.__module__.startswith("ramify.")
    }
    abstract = {"Checked", "CheckedWhenMade", "Tagger"}
    names = {one.__name__ for one in found} - abstract - {kind.__name__ for kind, _, _ in CATALOGUE}
    assert names == set()


def test_defaults_obey_the_rules():
    for kind, base, _ in CATALOGUE:
        made = _make(kind, base)
        made.check_settings()
        if isinstance(made, BaseEstimator):
            clone(made).check_settings()


def test_values_are_shown_short():
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    for value in [*WRONG.values(), Broken(), "\n" * 100, list(range(10**6)), {"a": "b" * 10_000}]:
        assert len(quoted(value)) <= 62
        assert "\n" not in quoted(value)
    assert quoted("it") == "'it'"
    assert DocumentLimit().wanted.startswith("a whole number")


def test_cases_for_a_long_run():
    cases = list(wrong_settings(3, 20, train=False))
    assert len(cases) == 20
    assert [label for label, _ in cases] == [label for label, _ in wrong_settings(3, 20, train=False)]
    for _, call in cases:
        sentence_of(call)


@pytest.mark.parametrize("kind", [PopularLabels, DenseNeighbours])
def test_every_model_reports_progress(kind):
    if kind is DenseNeighbours:
        pytest.importorskip("usearch")
    shares = []
    kind().fit(X, Y, progress=lambda stage, done: shares.append(done))
    assert shares[-1] == 1.0


def test_stored_settings_obey_the_same_rules():
    for kind, base, use in CATALOGUE:
        if use is not _fit or kind.__name__ in SLOW or kind in (DenseNeighbours, Ensemble):
            continue
        config, arrays = kind(**base).fit(X, Y).to_state()
        for name in config["settings"]:
            for label in ("x", "-1", "nan", "list", "dict", "long text", "2**40"):
                spoilt = config | {"settings": config["settings"] | {name: WRONG[label]}}
                try:
                    kind.from_state(spoilt, arrays)
                except ModelFileError as error:
                    assert "\n" not in str(error)
                    assert len(str(error)) < LONGEST
