"""Every model of the catalogue and every model of a user's own, through everything that takes a model.

Tagger, save and load, predict, inspect, evaluate, the command line: what a model cannot do is listed in ``CANNOT`` and
checked to be refused by one sentence.
"""

import json
import tempfile
from functools import lru_cache

import numpy as np
import pytest

import ramify
from ramify import Tagger, TopK, XRLinear, catalogue
from ramify.catalogue import MATCHER, MODEL, RANKER, VECTORIZER, WRAPPER
from ramify.cli.entry import run
from ramify.errors import InputError
from ramify.exchange import Request, Sizes
from ramify.index import KMeansIndexer
from ramify.models.base.adapter import as_model, is_model
from ramify.tagger.explain.sizes import describe, parts_of
from ramify.values import Dataset, as_csr

pytestmark = pytest.mark.filterwarnings("ignore:the fusion has .* with a label:ramify.RamifyWarning")
"""36 texts are too few to fit weights of a fusion."""

TOPICS = {"water": "river lake rain flood", "fire": "flame smoke heat burn", "earth": "soil stone clay sand"}
WORDS = {name: words.split() for name, words in TOPICS.items()}
NAMES = list(TOPICS)
TEXTS = [f"{WORDS[name][n % 4]} {WORDS[name][(n + 1) % 4]}" for n in range(12) for name in NAMES]
LABELS = [[name, f"{name} {n % 2}"] if n % 3 else [name] for n in range(12) for name in NAMES]
"""Six labels, of which five exist: few enough for defects at L < k."""

CHAIN = {"embedding": 8, "hidden": 16, "epochs": 12, "draws": 3, "batch_size": 12, "held_out": 0.0, "dropout": 0.0}
CHAIN |= {"feature_dropout": 0.0, "learning_rate": 0.05, "average": 0.0, "threads": 1}


@lru_cache(maxsize=1)
def tiny_encoder():
    """A small encoder of the words of the texts; its temporary directory is removed at the end of the process."""
    from tiny_encoder import save_tiny_encoder

    directory = tempfile.TemporaryDirectory()
    return directory, save_tiny_encoder(directory.name, [*TEXTS, "water fire earth 0 1"])


def transformer(**settings):
    return {"encoder": tiny_encoder()[1], "steps": 2, "batch_size": 8, "threads": 1} | settings


def generator():
    learning = {"epochs": 40, "batch_size": 8, "decoder_learning_rate": 0.01}
    return {"encoder": tiny_encoder()[1], "held_out": 0.0, "threads": 1} | learning


SETTINGS = {
    "XRTransformer": lambda: transformer(branching=2),
    "XTransformer": lambda: transformer(max_leaf=2),
    "FlatTransformer": lambda: transformer(chunk=2),
    "XLGen": generator,
    "XLGenWithTree": lambda: {"generator": ramify.XLGen(**generator()), "threads": 1},
    "LabelChain": lambda: CHAIN,
    "ReinforcedChain": lambda: {"chain": ramify.LabelChain(**CHAIN), "epochs": 1, "samples": 1},
    "CompositeChain": lambda: {
        "resequenced": ramify.LabelChain(**CHAIN),
        "reinforced": ramify.ReinforcedChain(ramify.LabelChain(**CHAIN), epochs=1, samples=1),
    },
    "Disentangled": lambda: {"model": XRLinear(branching=2, max_leaf=2), "rounds": 2},
    "LexicalMatcher": lambda: {"alternative_names": WORDS, "language": "en"},
    "Partitioned": lambda: {"indexer": KMeansIndexer(branching=2, max_leaf=2)},
}
NOTHING_LEARNT = {"PopularLabels": "it gives every text the same labels"}
"""Models without a minimum P@1."""
NO_WEIGHTS = {"NearestInstances", "NearestTexts", "DenseNeighbours", "PopularLabels"}


class Plain:
    """A model of a user's own with the two documented methods, and nothing else."""

    def fit(self, X, Y):
        self.means = np.asarray((Y.T @ X).todense())

    def predict_topk(self, X, k):
        scores = np.asarray(X @ self.means.T, np.float32)
        labels = np.argsort(-scores, axis=1, kind="stable")[:, :k].astype(np.int32)
        return TopK(labels, np.take_along_axis(scores, labels, axis=1))


class Saveable(Plain):
    """The same with what a model directory needs."""

    def to_state(self):
        return {}, {"means": self.means}

    @classmethod
    def from_state(cls, config, arrays):
        model = cls()
        model.means = arrays["means"]
        return model


class OfTexts:
    """A model of texts and label names, without features: the score of a label counts the words that it shares."""

    needs = frozenset({"texts", "label_names"})

    def fit_training(self, training):
        assert training.X is None
        self.names = list(training.label_names)
        Y = as_csr(training.Y)
        self.words = [set() for _ in self.names]
        for row, text in enumerate(training.texts):
            for label in Y.indices[Y.indptr[row] : Y.indptr[row + 1]]:
                self.words[label] |= set(text.split())

    def answer(self, request):
        assert request.X is None
        shared = [[len(words & set(text.split())) for words in self.words] for text in request.texts]
        scores = np.asarray(shared, np.float32)
        for label in set(range(len(self.names))) - set(request.allowed if request.allowed is not None else range(9999)):
            scores[:, label] = -np.inf
        labels = np.argsort(-scores, axis=1, kind="stable")[:, : request.k].astype(np.int32)
        best = np.take_along_axis(scores, labels, axis=1)
        return TopK(np.where(np.isneginf(best), -1, labels).astype(np.int32), best)

    def size(self):
        return Sizes(features=None, labels=len(self.names), weights=sum(map(len, self.words)))

    def to_state(self):
        return {"names": self.names, "words": [sorted(words) for words in self.words]}, {}

    @classmethod
    def from_state(cls, config, arrays):
        model = cls()
        model.names, model.words = config["names"], [set(words) for words in config["words"]]
        return model


def _entries(*roles):
    return {entry.name: entry for entry in catalogue.ENTRIES if any(role in entry.roles for role in roles)}


def _made(name):
    if name in OWN:
        return OWN[name]()
    entry = catalogue.by_class(name)
    if entry.extra is not None:
        pytest.importorskip({"ann": "usearch"}.get(entry.extra, entry.extra))
    return entry.load()(**SETTINGS.get(name, dict)())


OWN = {"Plain": Plain, "Saveable": Saveable, "OfTexts": OfTexts}
TRANSFORMERS = {"XRTransformer", "XTransformer", "FlatTransformer"}
ROUNDED = {*TRANSFORMERS, "XLGen", "XLGenWithTree"}
"""Scores depend on the batch by rounding."""
CANNOT = {"save": {"Plain"}, "features": {"OfTexts", "LexicalMatcher", "NearestTexts", *ROUNDED}}
MODELS = [*_entries(MODEL, WRAPPER), *OWN]


@pytest.fixture(scope="module")
def fitted():
    """Taggers by the name of their model's class, each fitted once."""
    made = {}

    def tagger(name):
        if name not in made:
            made[name] = Tagger(_made(name)).fit(TEXTS, LABELS)
        return made[name]

    return tagger


@pytest.mark.parametrize("name", MODELS)
def test_tagger(fitted, name):
    tagger = fitted(name)
    rows = tagger.tag(TEXTS, 9)
    assert len(rows) == len(TEXTS)
    assert all(row and len({label for label, _ in row}) == len(row) for row in rows)
    hits = [row[0][0] in labels for row, labels in zip(rows, LABELS, strict=True)]
    assert np.mean(hits) > 0.9 or name in NOTHING_LEARNT
    for alone, together in zip([tagger.tag([text], 3)[0] for text in TEXTS[:4]], tagger.tag(TEXTS[:4], 3), strict=True):
        assert alone == (close(together) if name in ROUNDED else together)
    assert tagger.tag([""], 3) == [[]]
    assert tagger.tag(["river"], 2, threads=2) == tagger.tag(["river"], 2)
    assert tagger.tag([], 2) == []


def close(tags):
    """Tags whose scores may differ by rounding: an encoder's sums depend on the batch."""
    return [(label, pytest.approx(score, abs=1e-4)) for label, score in tags]


@pytest.mark.parametrize("name", MODELS)
def test_restrictions(fitted, name):
    tagger = fitted(name)
    for row in tagger.tag(TEXTS[:6], 5, allowed=["fire", "earth"]):
        assert {label for label, _ in row} <= {"fire", "earth"}
    if name != "OfTexts":  # takes allowed labels only
        assert all(label != "water" for row in tagger.tag(TEXTS[:6], 5, forbidden=["water"]) for label, _ in row)


@pytest.mark.parametrize("name", MODELS)
def test_predict_and_score(fitted, name):
    tagger = fitted(name)
    found = tagger.predict(TEXTS[:7])
    assert len(found) == 7
    assert all(set(labels) <= set(tagger.label_names_) for labels in found)
    assert tagger.score(TEXTS, LABELS) > 0.9 or name in NOTHING_LEARNT


@pytest.mark.parametrize("name", MODELS)
def test_evaluate(fitted, name):
    tagger = fitted(name)
    dataset = Dataset(*_truth(), texts=TEXTS)
    assert float(tagger.evaluate(dataset)["P@1"]) > 0.9 or name in NOTHING_LEARNT


def _truth():
    names = sorted({label for labels in LABELS for label in labels})
    return as_csr([[label in labels for label in names] for labels in LABELS]), names


@pytest.mark.parametrize("name", MODELS)
def test_save_and_load(fitted, name, tmp_path):
    tagger = fitted(name)
    if name in CANNOT["save"]:
        with pytest.raises(InputError, match=f"{name} cannot be saved: implement to_state and from_state"):
            tagger.save(tmp_path / "m")
        return
    tagger.save(tmp_path / "m")
    loaded = ramify.load(tmp_path / "m", parts=[OWN[name]] if name in OWN else [])
    assert loaded.tag(TEXTS, 3) == tagger.tag(TEXTS, 3)
    assert loaded.tag([TEXTS[5]], 3) == tagger.tag([TEXTS[5]], 3)
    assert loaded.takes_texts_


@pytest.mark.parametrize("name", MODELS)
def test_inspect(fitted, name):
    tagger = fitted(name)
    card = describe(tagger) if name not in CANNOT["save"] else None
    size, parts = as_model(tagger.model_).size(), list(parts_of(tagger.model_))
    assert size.labels in (0, len(tagger.label_names_))  # 0: not known
    assert size.weights > 0 or name in NO_WEIGHTS | {"Plain", "Saveable"}
    if card is not None:
        assert card.n_weights == size.weights
        assert len(card.members) == (0 if len(parts) < 2 else sum(part.last for part in parts))
    if "tree" in as_model(tagger.model_).abilities:
        assert tagger.model_.tree_.n_labels == size.labels


NO_REASONS = {"PopularLabels": "PopularLabels has no reasons, because it gives every instance the same scores"}


@pytest.mark.parametrize("name", MODELS)
def test_explain(fitted, name):
    """Reasons of every label of a text, whose scores are those of ``tag``, or one sentence."""
    tagger, text = fitted(name), TEXTS[4]
    tags = dict(tagger.tag([text], 3)[0])
    if name in NO_REASONS:
        with pytest.raises(InputError, match=NO_REASONS[name]):
            tagger.explain(text, list(tags), k=3)
        return
    explanation = tagger.explain(text, list(tags), k=3)
    assert {one.label: one.score for one in explanation.labels} == pytest.approx(tags, abs=1e-4)
    for one in explanation.labels:
        assert one.ranked
        assert (one.reason is None) == ("reasons" not in as_model(tagger.model_).abilities)
        assert (one.reason is None) == (one.occlusion is not None)
    best = tagger.explain(text).labels[0]
    assert best.label == next(iter(tags))
    # words are listed where their share is larger than its error
    assert {term.text for term in best.strongest()[0]} & set(text.split()) or name in TRANSFORMERS or best.n_uncertain
    assert str(explanation)
    assert explanation.to_markdown()
    assert explanation.to_html()
    json.dumps(explanation.as_dict(), allow_nan=False)


@pytest.mark.parametrize("name", MODELS)
def test_explain_by_leaving_out_words(fitted, name):
    if name in NO_REASONS:
        pytest.skip(NO_REASONS[name])
    one = fitted(name).explain(TEXTS[4], occlusion=True).labels[0]
    found = one.occlusion
    assert found.of == ("dense block" if name in TRANSFORMERS else "score")
    assert len(found.values) == 2
    assert found.gap < 1e-5
    assert np.isfinite([found.whole, found.empty, *found.values]).all()


@pytest.mark.parametrize("name", MODELS)
def test_features_in_place_of_texts(fitted, name):
    X = fitted("XRLinear").vectorizer_.transform(TEXTS)
    if name in CANNOT["features"]:
        with pytest.raises(InputError, match=f"{name} needs texts, but the data contain features only"):
            Tagger(_made(name)).fit(X, LABELS)
        return
    tagger = Tagger(_made(name)).fit(X, LABELS)
    assert tagger.tag(X, 3) == fitted(name).tag(TEXTS, 3)


@pytest.mark.parametrize("name", [name for name in MODELS if name not in CANNOT["features"]])
def test_members_of_an_ensemble(fitted, name):
    X, Y = fitted("XRLinear").vectorizer_.transform(TEXTS), _truth()[0]
    ensemble = ramify.Ensemble([_made(name), XRLinear(threads=1)], threads=1).fit(X, Y)
    top = ensemble.predict_topk(X, 3, allowed=[0, 1, 2])
    assert set(np.unique(top.labels)) <= {-1, 0, 1, 2}
    one = X[4]
    labels, scores = ensemble.single(3)(one.indices, one.data)
    wanted = ensemble.predict_topk(one, 3)
    np.testing.assert_array_equal(labels, wanted.labels)
    np.testing.assert_array_equal(scores, wanted.scores)


@pytest.mark.parametrize("name", [*_entries(MATCHER), "Plain", "Saveable"])
def test_matchers(fitted, name):
    X, Y = fitted("XRLinear").vectorizer_.transform(TEXTS), _truth()[0]
    matcher = _made(name)
    settings = {
        **SETTINGS["Partitioned"](),
        "ranker": ramify.CosineRanker(),
        "beam": 1 if name != "PopularLabels" else 9,
    }
    model = ramify.Partitioned(matcher=matcher, **settings).fit(X, Y)
    top = model.predict_topk(X, 2)
    assert (Y[np.arange(len(top)), top.labels[:, 0]] > 0).mean() > 0.7
    assert not hasattr(matcher, "means"), "the user's own matcher stays unfitted"


def test_a_single_text_follows_later_settings():
    """tag([text]) once kept the beam of the first call."""
    tagger = Tagger(XRLinear(branching=2, max_leaf=2, threads=1)).fit(TEXTS, LABELS)
    before = tagger.tag(TEXTS[:1], 5)
    tagger.model_.set_params(beam=1)
    assert tagger.tag(TEXTS[:1], 5) == tagger.tag(TEXTS[:2], 5)[:1] != before


def test_a_member_of_an_ensemble_gets_features_only_if_it_needs_them(tmp_path):
    tagger = Tagger(ramify.Ensemble([XRLinear(threads=1), OfTexts()], threads=1)).fit(TEXTS, LABELS)
    assert tagger.score(TEXTS, LABELS) > 0.9
    assert tagger.explain(TEXTS[4]).labels[0].reason.members[1].model == "OfTexts"
    tagger.save(tmp_path / "m")
    assert ramify.load(tmp_path / "m", parts=[OfTexts]).tag(TEXTS[:5], 3) == tagger.tag(TEXTS[:5], 3)


def test_an_ensemble_leaves_its_members_alone(fitted):
    X, Y = fitted("XRLinear").vectorizer_.transform(TEXTS), _truth()[0]
    members = [XRLinear(threads=1, seed=seed).fit(X, Y) for seed in (0, 1)]
    ramify.Ensemble.of(members).predict_topk(X, 2)
    assert [member.threads for member in members] == [1, 1]


# --- the command line ---


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "all.jsonl"
    lines = [json.dumps({"text": text, "labels": labels}) for text, labels in zip(TEXTS, LABELS, strict=True)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.mark.parametrize("name", [name for name in MODELS if name not in CANNOT["save"] and name not in OWN])
def test_command_line(fitted, name, file, tmp_path, capsys):
    fitted(name).save(tmp_path / "m")
    (tmp_path / "bare").mkdir()
    fitted(name).model_.save(tmp_path / "bare" / "m")
    bare = str(tmp_path / "bare" / "m")
    model = str(tmp_path / "m")
    assert run(["predict", model, str(file), "-k", "9", "--threads", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(TEXTS)
    for arguments in (
        ["evaluate", model, str(file), "--threads", "1"],
        ["inspect", model],
        ["inspect", model, "--json"],
        ["inspect", bare],
    ):
        assert run(arguments) == 0, capsys.readouterr().err
        assert capsys.readouterr().out


@pytest.mark.parametrize("preset", ["fast", "default", "best", "tail"])
@pytest.mark.parametrize("n_labels", [2, 3, 4])
def test_presets_with_few_labels(preset, n_labels, tmp_path):
    """Presets once failed on 2 to 4 labels, after reading all data."""
    texts, labels = TEXTS[:], [[f"label {n % n_labels}"] for n in range(len(TEXTS))]
    path = tmp_path / "few.jsonl"
    path.write_text("".join(json.dumps({"text": t, "labels": y}) + "\n" for t, y in zip(texts, labels, strict=True)))
    assert run(["train", str(path), "--preset", preset, "--out", str(tmp_path / "m"), "-q", "--threads", "1"]) == 0


# --- the catalogue itself ---


def test_every_class_is_loadable_and_has_a_summary():
    for entry in catalogue.ENTRIES:
        assert entry.load().__name__ == entry.name
        assert entry.summary.endswith(".")
        assert len(entry.summary) <= 100
        if entry.public:
            assert getattr(ramify, entry.name) is entry.load()


def test_names_are_unique_within_a_role():
    for role in (MODEL, WRAPPER, MATCHER, RANKER, VECTORIZER):
        named = [entry.roles[role] for entry in catalogue.ENTRIES if role in entry.roles]
        assert len(named) == len(set(named)) > 0


def test_what_can_serve_as_a_model():
    assert all(is_model(made()) for made in OWN.values())
    assert not any(map(is_model, [Plain, object(), "xr-linear", None, 3]))


def test_an_object_that_gives_no_topk_is_refused():
    class Bad(Plain):
        def predict_topk(self, X, k):
            return [[0]] * X.shape[0]

    with pytest.raises(InputError, match=r"Bad returned .*, but must return a ramify\.TopK of 36 rows"):
        Tagger(Bad()).fit(TEXTS, LABELS).tag(TEXTS, 2)


def test_a_request_counts_its_instances():
    assert len(Request(texts=["a", "b"])) == len(Request(X=as_csr(np.eye(2)))) == 2
