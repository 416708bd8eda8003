"""LexicalMatcher: label names in texts, ranked by trees; names, relations, reasons, states and errors."""

import json
import pickle

import numpy as np
import pytest

import ramify
from ramify import LexicalMatcher, PopularLabels, Tagger, XRLinear
from ramify.cli.entry import run
from ramify.errors import InputError, ModelFileError
from ramify.exchange import Request, Training
from ramify.models.lexical.features import FEATURES
from ramify.models.lexical.names import LabelNames, derived_names
from ramify.values import Dataset, as_csr

TOPICS = [f"{a} {b}" for a in ("solar", "wind", "tidal", "steam", "nuclear") for b in ("energy", "engines", "towers")]
FILLER = ["report", "about", "some", "old", "and", "new", "things", "that", "people", "built", "near", "towns"]


def documents(n, seed, topics):
    """Each text has one topic of a label as a phrase, and one as scattered words, which is no label of it."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(n):
        topic, other = (topics[at] for at in rng.choice(len(topics), 2, replace=False))
        words = list(rng.choice(FILLER, 6))
        first, second = other.split()
        texts.append(f"{' '.join(words[:3])} {topic} {words[3]}. The {second} and {words[4]} {first} {words[5]}.")
        labels.append([topic])
    return texts, labels


def matrix(labels, names):
    return as_csr([[float(name in given) for name in names] for given in labels])


@pytest.fixture(scope="module")
def trained():
    texts, labels = documents(300, 0, TOPICS[:12])
    training = Training(texts=texts, Y=matrix(labels, TOPICS), label_names=TOPICS)
    return training, LexicalMatcher(language="en", threads=1, ranking_trees=30).fit_training(training)


def precision(top, Y):
    return float(np.asarray(Y[np.arange(len(top)), top.labels[:, 0]]).mean())


def test_it_learns_that_phrases_count_more_than_scattered_words(trained):
    training, model = trained
    texts, labels = documents(100, 1, TOPICS[:12])
    Y = matrix(labels, TOPICS)
    top = model.answer(Request(texts=texts, k=2))
    assert precision(top, Y) > 0.95
    popular = PopularLabels().fit(np.ones((300, 1)), training.Y)
    assert precision(popular.predict_topk(np.ones((100, 1)), 1), Y) < 0.3
    assert (top.scores[:, 0] > 0.8).all() and (top.scores[:, 1] < 0.2).all()


def test_labels_without_training_documents_are_found(trained):
    texts, labels = documents(60, 2, TOPICS[12:])
    top = trained[1].answer(Request(texts=texts, k=1))
    assert precision(top, matrix(labels, TOPICS)) > 0.95
    train_texts, train_labels = documents(300, 0, TOPICS[:12])
    tree = Tagger(XRLinear(threads=1)).fit(train_texts, matrix(train_labels, TOPICS), label_names=TOPICS)
    assert tree.score(texts, labels) == 0


def test_same_seed_same_model_for_any_threads(trained):
    training, model = trained
    again = LexicalMatcher(language="en", threads=3, ranking_trees=30).fit_training(training)
    for name, array in model.to_state()[1].items():
        np.testing.assert_array_equal(array, again.to_state()[1][name], err_msg=name)
    other = LexicalMatcher(language="en", threads=1, ranking_trees=30, seed=5).fit_training(training)
    assert not np.array_equal(other.trees_.values, model.trees_.values)


def test_hit_rates_of_training_documents_come_from_other_documents():
    """Labels are assigned by coin: frequencies that contain a document's own labels would seem to predict them."""
    rng = np.random.default_rng(0)
    names = [f"item{number:03d}" for number in range(300)]
    draws = np.concatenate([rng.permutation(300).reshape(-1, 3) for _ in range(2)])
    texts = [" and ".join(names[label] for label in row) for row in draws]
    Y = np.zeros((len(texts), 300), np.float32)
    for row, labels in enumerate(draws):
        Y[row, labels] = rng.integers(0, 2, 3)
    model = LexicalMatcher(language=None, ranking_trees=10, threads=1)
    model.fit_training(Training(texts=texts, Y=as_csr(Y), label_names=names))
    scores = model.answer(Request(texts=names, k=1)).scores
    assert scores.min() > 0.3 and scores.max() < 0.7


def test_restrictions_and_empty_texts(trained):
    _, model = trained
    texts = ["solar energy and wind towers", "", "nothing of that kind"]
    top = model.answer(Request(texts=texts, k=3, allowed=[TOPICS.index("wind towers")]))
    assert top.labels.tolist() == [[TOPICS.index("wind towers"), -1, -1], [-1] * 3, [-1] * 3]
    top = model.answer(Request(texts=texts[:1], k=3, forbidden=[TOPICS.index("wind towers")]))
    assert TOPICS.index("solar energy") in top.labels[0] and TOPICS.index("wind towers") not in top.labels[0]
    assert len(model.answer(Request(texts=[], k=3))) == 0


def test_stems_join_the_forms_of_a_word(trained):
    _, model = trained
    found = model.answer(Request(texts=["A SOLAR ENGINE"], k=1)).labels[0, 0]
    assert TOPICS[found] == "solar engines"
    bare = LexicalMatcher(language=None, threads=1).fit_training(trained[0])
    assert bare.language_ is None
    assert bare.answer(Request(texts=["A SOLAR ENGINE"], k=1)).labels[0, 0] == -1


def test_names_derived_from_headings():
    assert derived_names(["Alice (Fictitious character) -- Juvenile fiction"]) == [
        "Alice -- Juvenile fiction",
        "Alice",
    ]
    assert derived_names(["Lincoln, Abraham, 1809-1865"]) == ["Lincoln, Abraham"]
    assert derived_names(["water"]) == []
    names = LabelNames.of(["Bank (river)", "x"], [["Shore (river)"], []])
    rows = list(zip(names.names, names.labels.tolist(), names.kinds.tolist(), strict=True))
    assert rows == [("Bank (river)", 0, 0), ("Shore (river)", 0, 1), ("Bank", 0, 2), ("Shore", 0, 2), ("x", 1, 0)]
    assert len(LabelNames.of(["Bank (river)"], derive=False).names) == 1


def test_alternative_names(trained):
    model = LexicalMatcher(language="en", threads=1, alternative_names={"wind towers": ["Dutch mills"]})
    model.fit_training(trained[0])
    [[match]] = model.matches(["An old dutch mill."])
    assert (TOPICS[match.label], match.kind, match.phrase) == ("wind towers", "alternative", True)
    assert "An old dutch mill."[match.begin : match.end] == "dutch mill"


def test_relations_are_features(trained):
    pairs = {"broader": [("solar energy", "wind energy"), ("absent", "wind energy")]}
    pairs["related"] = [("tidal energy", "solar energy")]
    model = LexicalMatcher(language="en", threads=1, **pairs).fit_training(trained[0])
    assert len(model.relations_) == 2
    text, columns = "Solar energy, wind energy, tidal energy", [FEATURES.index(n) for n in FEATURES[-3:]]
    labels = [TOPICS.index(f"{name} energy") for name in ("solar", "wind", "tidal")]
    reasons = model.reasons(Request(texts=[text], k=3), labels)[0]
    found = [[list(one.features.values())[column] for column in columns] for one in reasons]
    assert found == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]  # broader, narrower, related candidates


def test_reasons_are_the_names_in_the_text():
    texts, labels = documents(120, 0, TOPICS[:12])
    tagger = Tagger(LexicalMatcher(language="en", threads=1, ranking_trees=20)).fit(texts, labels)
    text = "Towns like solar energy. The energy is solar; solar energy!"
    explanation = tagger.explain(text)
    one = explanation.labels[0]
    assert (one.label, one.score) == tagger.tag([text], 1)[0][0]
    assert [(text[m.begin : m.end], m.phrase) for m in one.reason.matches] == [
        ("solar energy", True),
        ("energy is solar", False),
        ("solar energy", True),
    ]
    assert one.terms[0].text == "solar energy"
    assert sum(term.strength for term in one.terms) == pytest.approx(one.score)
    assert "names: preferred; occurrences: 2 as a phrase, 1 with other words" in str(explanation)
    json.dumps(explanation.as_dict(), allow_nan=False)
    absent = tagger.explain("solar energy", "wind energy").labels[0]
    assert (absent.score, absent.ranked, absent.terms) == (0, False, ())
    assert "no name of the label occurs" in str(tagger.explain("solar energy", "wind energy"))


def test_reasons_in_a_mixture():
    texts, labels = documents(120, 0, TOPICS[:12])
    tagger = Tagger(ramify.Ensemble([XRLinear(), LexicalMatcher(language="en", ranking_trees=20)], threads=1)).fit(
        texts, labels
    )
    one = tagger.explain(texts[0], labels[0][0]).labels[0]
    member = one.reason.members[1]
    assert (member.model, member.reason.ranked) == ("LexicalMatcher", True)
    assert any(term.text == labels[0][0] for term in one.terms)


def test_saving_and_copying(trained, tmp_path):
    training, model = trained
    model.save(tmp_path / "m")
    loaded = LexicalMatcher.load(tmp_path / "m")
    request = Request(texts=training.texts[:40], k=4)
    wanted = model.answer(request)
    for copy in (loaded, pickle.loads(pickle.dumps(model))):
        found = copy.answer(request)
        np.testing.assert_array_equal(found.labels, wanted.labels)
        np.testing.assert_array_equal(found.scores, wanted.scores)
    assert loaded.get_params() == model.get_params()
    assert loaded.matches(training.texts[:3]) == model.matches(training.texts[:3])


def test_names_with_a_stop_are_found_by_a_saved_model(tmp_path):
    """The entry of a name with a stop is that of the name without it; the first gap at each place counts."""
    names = ["St. Louis", "St Louis", "Bora Bora", "Mt. St. Helens"]
    texts = ["a visit to St. Louis", "St Louis at night", "Bora Bora", "Mt. St. Helens"]
    model = LexicalMatcher(language=None, threads=1)
    model.fit_training(Training(texts=texts, Y=as_csr(np.eye(4)), label_names=names))
    model.save(tmp_path / "m")
    for one in (model, LexicalMatcher.load(tmp_path / "m")):
        found = [{names[match.label] for match in row if match.phrase} for row in one.matches(texts)]
        assert found == [{"St. Louis", "St Louis"}, {"St. Louis", "St Louis"}, {"Bora Bora"}, {"Mt. St. Helens"}]
        assert one.matches(["bora", "Mt! St. Helens"]) == [[], []]


BROKEN = {
    "names/hashes": np.zeros_like,
    "names/key_ptr": lambda a: a[::-1].copy(),
    "names/entry_ptr": lambda a: a + 1,
    "names/entry_tokens": lambda a: a + 10_000,
    "names/key_places": lambda a: a + 9,
    "names/gaps": lambda a: np.zeros(len(a) + 1, a.dtype),
    "names/labels": lambda a: a - 9,
    "names/kinds": lambda a: a + 3,
    "trees/features": lambda a: np.full_like(a, len(FEATURES)),
    "trees/left": np.zeros_like,
    "trees/right": lambda a: a + 10_000,
    "trees/roots": lambda a: a + 10_000,
    "trees/values": lambda a: np.full_like(a, np.nan),
    "labels/counts": lambda a: a - 1_000,
    "broader": lambda a: np.full((1, 2), 99, np.int32),
}


@pytest.mark.parametrize("name", BROKEN)
def test_damaged_arrays_are_refused(trained, name):
    config, arrays = trained[1].to_state()
    arrays[name] = BROKEN[name](arrays[name])
    with pytest.raises(ModelFileError, match="the lexical matcher is damaged"):
        LexicalMatcher.from_state(config, arrays)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"language": "xx-yy"}, "language is 'xx-yy'"),
        ({"ranking_trees": 0}, "ranking_trees is 0"),
        ({"alternative_names": "a.json"}, "must map names of labels to lists of names"),
        ({"alternative_names": {"a": "b"}}, r"alternative_names\['a'\] is 'b', but must be a list of names"),
        ({"broader": [("a", "b", "c")]}, "must be lists of pairs of label names"),
    ],
)
def test_settings_out_of_range(trained, changes, problem):
    with pytest.raises(InputError, match=problem):
        LexicalMatcher(**changes).fit_training(trained[0])


def test_names_and_texts_are_required(trained):
    training, _ = trained
    model = LexicalMatcher(language="en", threads=1)
    with pytest.raises(InputError, match="requires label_names"):
        model.fit_training(Training(texts=training.texts, Y=training.Y))
    with pytest.raises(InputError, match="LexicalMatcher has 14 label names for 15 labels"):
        model.fit_training(Training(texts=training.texts, Y=training.Y, label_names=TOPICS[:14]))
    with pytest.raises(InputError, match="LexicalMatcher finds labels by their names, but"):
        model.fit_training(Training(texts=["a"], Y=as_csr([[1.0, 0.0]]), label_names=["1", "2"]))
    with pytest.raises(InputError, match="LexicalMatcher finds labels by their names, but no label name has a word"):
        Tagger(ramify.Fusion("xr-linear,lexical")).fit(["a text", "b text"] * 3, [["1"], ["2"]] * 3)
    with pytest.raises(InputError, match="needs texts, but the data contain features only"):
        Tagger(model).fit_dataset(Dataset(Y=as_csr([[1.0]]), label_names=["a"], X=as_csr([[1.0]])))


def test_command_line(tmp_path, capsys):
    texts, labels = documents(150, 0, TOPICS[:12])
    rows = zip(texts, labels, strict=True)
    lines = [json.dumps({"text": text, "labels": given}) for text, given in rows]
    (tmp_path / "data.jsonl").write_text("\n".join(lines), "utf-8")
    settings = {"model": "lexical", "model_settings": {"alternative_names": {"wind towers": ["mills"]}}}
    (tmp_path / "settings.json").write_text(json.dumps(settings), "utf-8")
    data, model = str(tmp_path / "data.jsonl"), str(tmp_path / "m")
    flags = ["--out", model, "--calibrate", "no", "-q", "--threads", "1"]
    assert run(["train", data, "--config", str(tmp_path / "settings.json"), "--set", "language=en", *flags]) == 0
    capsys.readouterr()
    assert run(["predict", model, "the mill", "-k", "1", "--why"]) == 0
    assert "wind towers" in capsys.readouterr().out
    assert run(["train", data, "--model", "lexical", "--set", "ranking_trees=0", *flags]) == 2
    assert "--set ranking_trees is 0, but must be a whole number" in capsys.readouterr().err
    assert run(["train", data, "--model", "lexical", "--set", "alternative_names=x", *flags]) == 2
    assert "give a settings file by --config" in capsys.readouterr().err


def test_derived_names_keep_numbers_whole():
    for name in ("20000 leagues under the sea", "1920s fashion", "10000 metres"):
        assert derived_names([name]) == []
    assert derived_names(["War, 1914-1918"]) == ["War"]
    assert derived_names(["rivers " + " " * 100_000 + "(Asia), 1999"])[-1] == "rivers"  # in linear time
