"""Fusion of trained taggers and of predictions of other programs."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest

import ramify
from ramify import Tagger, XRLinear
from ramify.data import with_vocabulary
from ramify.data.predictions import Predictions, read_predictions
from ramify.errors import DataFileError, InputError, ModelFileError, RamifyWarning
from ramify.tagger.fusing import fuse
from ramify.tagger.fusing.fuse import _check_common
from ramify.tagger.fusing.labels import JointLabels
from ramify.tagger.fusing.members import SavedMember, StoredPredictions, digests_of
from ramify.values import Dataset, TopK, Vocabulary, as_csr

TOPICS = {"water": "river lake rain flood", "fire": "flame smoke heat burn", "earth": "soil stone clay sand"}
NAMES = list(TOPICS)
RNG = np.random.default_rng(0)


def documents(n, topics=NAMES, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(topics), n)
    texts = [" ".join(rng.choice(TOPICS[topics[label]].split(), 3)) + f" {row}" for row, label in enumerate(labels)]
    return Dataset(as_csr(np.eye(len(topics), dtype=np.float32)[labels]), list(topics), texts=texts)


@pytest.fixture(scope="module")
def parts():
    """Two taggers that lack one label each, and held-out documents of all three labels."""
    a = Tagger(XRLinear(threads=1)).fit_dataset(documents(60, ["water", "fire"]))
    b = Tagger(XRLinear(threads=1)).fit_dataset(documents(60, ["fire", "earth"], 1))
    return a, b, documents(150, NAMES, 2)


def test_labels_are_aligned_by_name(parts, tmp_path):
    a, b, held = parts
    tagger = fuse({"a": a, "b": b}, held, threads=1)
    assert list(tagger.label_names_) == ["water", "fire", "earth"]
    for topic, words in TOPICS.items():
        assert tagger.tag([words], 1)[0][0][0] == topic
    assert tagger.model_.report_.how in ("fitted", "equal")
    assert min(one.added for one in tagger.model_.report_.members) > 0.05
    tagger.save(tmp_path / "m")
    loaded = ramify.load(tmp_path / "m")
    assert loaded.tag(held.texts[:20], 3) == tagger.tag(held.texts[:20], 3)
    assert loaded.label_counts_.tolist() == [*a.label_counts_.tolist(), 0]


def test_restrictions_hold_in_every_member(parts):
    a, b, held = parts
    tagger = fuse({"a": a, "b": b}, held, threads=1)
    texts = [" ".join(TOPICS.values())]
    assert {name for name, _ in tagger.tag(texts, 3)[0]} == set(NAMES)
    assert {name for name, _ in tagger.tag(texts, 3, allowed=["earth"])[0]} == {"earth"}
    assert {name for name, _ in tagger.tag(texts, 3, forbidden=["earth"])[0]} == {"water", "fire"}
    assert {name for name, _ in tagger.tag(texts, 3, allowed=["earth", "fire"], forbidden=["fire"])[0]} == {"earth"}


def test_predictions_of_another_program_are_a_member(parts, tmp_path):
    a, _, held = parts
    new = documents(20, NAMES, 7)
    texts = [*held.texts, *new.texts]
    truth = np.concatenate([held.Y.indices, new.Y.indices]).astype(np.int32)
    other = Predictions(texts, NAMES, TopK(truth[:, None], RNG.uniform(5, 9, (len(truth), 1)).astype(np.float32)))
    with pytest.warns(RamifyWarning, match="no labels for other documents"):
        tagger = fuse({"a": a, "other": other}, held, threads=1)
    assert tagger.score(list(new.texts), [[NAMES[label]] for label in new.Y.indices]) == 1.0
    assert tagger.tag(["sand clay soil"], 3)[0] == tagger.tag(["sand clay soil"], 3)[0]
    assert "earth" not in dict(tagger.tag(["unknown to the other program: clay rain"], 3)[0])
    tagger.save(tmp_path / "m")
    assert ramify.load(tmp_path / "m").tag(list(new.texts), 2) == tagger.tag(list(new.texts), 2)


def test_members_of_features():
    rng = np.random.default_rng(0)
    X = as_csr(rng.random((150, 6), np.float32))
    labels = [[NAMES[int(row.argmax()) % 3]] for row in X.toarray()]
    a, b = (Tagger(XRLinear(threads=1, seed=seed)).fit(X, labels) for seed in (0, 1))
    names, Y = ["earth", "fire", "water"], None
    Y = as_csr([[name == one[0] for name in names] for one in labels])
    with pytest.warns(RamifyWarning, match=r"saved members \(a, b\) were trained on 150 documents, as many as"):
        tagger = fuse({"a": a, "b": b}, Dataset(Y, names, X=X), threads=1)
    assert not tagger.takes_texts_
    assert tagger.score(X, labels) >= a.score(X, labels) - 0.01


def test_a_frozen_member_is_trained_beside_others(parts):
    a, _, held = parts
    model = ramify.Fusion([SavedMember(a, "a"), XRLinear(threads=1)], threads=1)
    tagger = Tagger(model).fit_dataset(held)
    assert [one.name for one in tagger.model_.report_.members] == ["a", "XRLinear"]
    assert tagger.tag([TOPICS["earth"]], 1)[0][0][0] == "earth"
    assert all(member is not a.model_ for member in tagger.model_.members_)
    with pytest.warns(RamifyWarning, match="equal weights"):
        few = Tagger(model).fit_dataset(held.take(np.arange(61)))
    assert few.tag([TOPICS["earth"]], 1)[0][0][0] == "earth"


def test_wrong_members(parts):
    a, _, held = parts
    other = Tagger(XRLinear(threads=1)).fit(["xx yy", "zz ww"] * 4, [["p"], ["q"]] * 4)
    with pytest.raises(InputError, match="the members a and other have no label in common"):
        fuse({"a": a, "other": other}, held)
    with pytest.raises(InputError, match="no held-out document has a label of the members"):
        fuse({"other": other}, held)
    of_features = Tagger(XRLinear(threads=1)).fit(np.eye(4, dtype=np.float32), [["water"], ["fire"]] * 2)
    with pytest.raises(InputError, match="the member f takes features, but others take texts"):
        fuse({"a": a, "f": of_features}, held)
    predictions = Predictions(["t"], ["water"], TopK(np.zeros((1, 1), np.int32), np.ones((1, 1), np.float32)))
    with pytest.raises(InputError, match="no member is a model"):
        fuse({"p": predictions}, held)


def write(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


LABELS = [{"label": "water", "score": 0.1}, {"label": "fire", "score": 0.9}]


def test_files_of_predictions(tmp_path):
    data = Dataset(as_csr(np.eye(2)), ["fire", "water"], texts=["first", "second"], ids=["x", "y"])
    for number, records in enumerate(
        (
            [{"labels": LABELS}, {"labels": []}],
            [{"id": "y", "labels": []}, {"id": "x", "labels": LABELS}],
            [{"text": "first", "labels": LABELS}, {"text": "another", "labels": []}, {"text": "second", "labels": []}],
        )
    ):
        found = read_predictions(write(tmp_path / f"{number}.jsonl", records), data)
        at = list(found.texts).index("first")
        assert [found.label_names[label] for label in found.top.labels[at]] == ["fire", "water"]
        assert found.top.labels[list(found.texts).index("second")].tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([{"labels": LABELS}], "has 1 lines for 2 documents"),
        ([{"labels": [{"label": "water"}]}] * 2, "p.jsonl:1: holds the label"),
        ([{"labels": [["water", 0.2]]}] * 2, "holds the label"),
        ([{"labels": [{"label": "water", "score": float("nan")}]}] * 2, "holds the label"),
        ([{"labels": [{"label": 1.5, "score": 1}]}] * 2, "must be a string or a whole number"),
        ([{"text": "a"}], "labels"),
    ],
)
def test_damaged_files_of_predictions(tmp_path, records, message):
    data = Dataset(as_csr(np.eye(2)), ["fire", "water"], texts=["first", "second"])
    with pytest.raises(DataFileError, match=message):
        read_predictions(write(tmp_path / "p.jsonl", records), data)


def test_damaged_members_are_refused(parts):
    a, _, held = parts
    config, arrays = SavedMember(a).fit_training(_training(held)).to_state()
    for places in (np.array([0, 0], np.int32), np.array([0, 9], np.int32), np.array([0], np.int32)):
        with pytest.raises(ModelFileError, match="a member is"):
            SavedMember.from_state(config, arrays | {"places": places})
    top = TopK(np.zeros((2, 1), np.int32), np.ones((2, 1), np.float32))
    stored = StoredPredictions.of(Predictions(["t", "u"], ["water"], top)).fit_training(_training(held))
    config, arrays = stored.to_state()
    for damage in ({"digests": arrays["digests"][::-1].copy()}, {"labels": np.full((2, 1), 5, np.int32)}):
        with pytest.raises(ModelFileError, match="stored predictions are"):
            StoredPredictions.from_state(config, arrays | damage)


def _training(dataset):
    return ramify.exchange.Training(Y=dataset.Y, texts=dataset.texts, label_names=dataset.label_names)


def test_digests_depend_on_the_text_only():
    assert digests_of(["a", "b", "a"]).tolist()[::2] == digests_of(["a", "a"]).tolist()
    assert len(set(digests_of([str(n) for n in range(1000)]).tolist())) == 1000
    assert len(digests_of([])) == 0


def test_ids_that_no_document_has_are_refused(tmp_path):
    data = Dataset(as_csr([[1, 0], [0, 1]]), ["a", "b"], texts=["one", "two"], ids=["x", "y"])
    lines = [{"id": name, "labels": [{"label": "a", "score": 1.0}]} for name in ("y", "typo")]
    path = tmp_path / "predictions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(DataFileError, match=r"predictions\.jsonl:2: the id is 'typo', but no document has it"):
        read_predictions(path, data)
    for wrong in (
        {"id": [1]},
        {"labels": [{"label": "a", "score": 10**400}]},
        {"labels": [{"label": "a", "score": 1e300}]},
    ):
        path.write_text(json.dumps(lines[0] | wrong) + "\n")
        with pytest.raises(DataFileError, match=r"predictions\.jsonl:1"):
            read_predictions(path, data)


GERMAN = {"water": "Wasser", "fire": "Feuer", "earth": "Erde"}


def identified(dataset, names=None):
    """The Dataset with identifiers "u:water", ... of its labels, and other names."""
    keys = [f"u:{name}" for name in dataset.label_names]
    return replace(dataset, label_keys=keys, label_names=[(names or {}).get(one, one) for one in dataset.label_names])


def test_labels_with_one_identifier_are_one_label(parts):
    _, _, held = parts
    a = Tagger(XRLinear(threads=1)).fit_dataset(identified(documents(60, ["water", "fire"])))
    b = Tagger(XRLinear(threads=1)).fit_dataset(identified(documents(60, ["fire", "earth"], 1), GERMAN))
    of_keys = replace(held, label_names=[f"u:{name}" for name in held.label_names])
    for data in (of_keys, identified(held, GERMAN), identified(held)):
        tagger = fuse({"a": a, "b": b}, data, threads=1)
        assert list(tagger.label_names_) == ["water", "fire", "Erde"]
        assert list(tagger.label_keys_) == ["u:water", "u:fire", "u:earth"]
        assert [tagger.tag([words], 1)[0][0][0] for words in TOPICS.values()] == ["water", "fire", "Erde"]
        assert min(one.added for one in tagger.model_.report_.members) > 0.05


def test_a_label_of_another_program_may_be_an_identifier(parts):
    a = Tagger(XRLinear(threads=1)).fit_dataset(identified(documents(60, ["water", "fire"])))
    held = parts[2]
    top = TopK(held.Y.indices.astype(np.int32)[:, None], np.ones((len(held), 1), np.float32))
    predicted = Predictions(held.texts, [f"u:{name}" for name in NAMES], top)
    with pytest.warns(RamifyWarning, match="no labels for other documents"):
        tagger = fuse({"a": a, "p": predicted}, held, threads=1)
    assert list(tagger.label_names_) == ["water", "fire", "u:earth"]
    both = replace(predicted, label_names=["water", "fire", "u:water"])
    with pytest.raises(InputError, match="the labels 'water' and 'u:water' of the member p are one label"):
        fuse({"a": a, "p": both}, held)


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_name_with_two_identifiers_is_two_labels(parts, order):
    """u:fire is "fire" in a, and "fire (hot)" in b, where "fire" is u:earth."""
    members = {
        "a": Tagger(XRLinear(threads=1)).fit_dataset(identified(documents(60, ["water", "fire"]))),
        "b": Tagger(XRLinear(threads=1)).fit_dataset(
            identified(documents(60, ["fire", "earth"], 1), {"fire": "fire (hot)", "earth": "fire"})
        ),
    }
    of_keys = replace(parts[2], label_names=[f"u:{name}" for name in parts[2].label_names])
    tagger = fuse({name: members[name] for name in order}, of_keys, threads=1)
    names = {"ab": ["water", "fire", "fire (u:earth)"], "ba": ["fire (hot)", "fire", "water"]}[order]
    assert list(tagger.label_names_) == names
    key_of = dict(zip(tagger.label_names_, tagger.label_keys_, strict=True))
    assert [key_of[tagger.tag([words], 1)[0][0][0]] for words in TOPICS.values()] == [f"u:{name}" for name in TOPICS]
    assert min(one.added for one in tagger.model_.report_.members) > 0.05


def test_a_name_with_an_identifier_is_never_that_of_another_label():
    labels = JointLabels.of({"a": (["x", "x (2)"], ["1", "3"]), "b": (["x", "y"], ["2", "1"])})
    assert labels.names_of == {"a": ["x", "x (2)"], "b": ["x (2) (2)", "x"]}
    with pytest.raises(InputError, match="no label in common"):
        _check_common(JointLabels.of({"a": (["x"], ["1"]), "b": (["x"], ["2"])}))


def test_a_vocabulary_of_all_labels_is_kept(parts):
    table = [(f"u:{name}", name) for name in NAMES]
    vocabulary = Vocabulary(
        uris=[key for key, _ in table], names={"en": [name for _, name in table], "de": list(GERMAN.values())}
    )
    a, b = (
        Tagger(XRLinear(threads=1)).fit_dataset(with_vocabulary(documents(60, NAMES, seed), vocabulary, "en"))
        for seed in (0, 1)
    )
    tagger = fuse({"a": a, "b": b}, parts[2], threads=1)
    assert tagger.tag([TOPICS["earth"]], 1, answer="name", language="de")[0][0][0] == "Erde"


def test_predictions_of_other_texts_are_refused(parts, tmp_path):
    a, _, held = parts
    records = [{"text": f"another text {row}", "labels": LABELS} for row in range(3)]
    path = write(tmp_path / "other.jsonl", records)
    wanted = r"other\.jsonl has predictions for 3 texts, but none of them is among the 150 held-out documents: give"
    with pytest.raises(InputError, match=wanted):
        fuse({"a": a, "p": read_predictions(path, held)}, held)
    path = write(tmp_path / "few.jsonl", [*records, {"text": held.texts[0], "labels": LABELS}])
    with pytest.warns(RamifyWarning, match=r"few\.jsonl has predictions for only 1 of the 150 held-out documents"):
        fuse({"a": a, "p": read_predictions(path, held)}, held, threads=1)
    half = Predictions(held.texts[:75], ["water"], TopK(np.zeros((75, 1), np.int32), np.ones((75, 1), np.float32)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fuse({"a": a, "p": half}, held, threads=1)


def test_a_member_with_a_vectorizer_of_its_own(parts, tmp_path):
    held = parts[2]
    tagger = Tagger(ramify.Fusion("nearest-instances,semantic:max_leaf=7", threads=1)).fit_dataset(held)
    report = {one.name: one for one in tagger.model_.report_.members}
    assert list(report) == ["nearest-instances", "semantic"]
    assert report["semantic"].weight > 0
    member = tagger.model_.members_[tagger.model_.names_.index("semantic")]
    assert member.tagger.model_.max_leaf == 7
    assert member.tagger.vectorizer_.second_.n_columns == 256
    words = ["cinders", "rivers"]  # no training document has these words
    assert [found[0][0] for found in tagger.tag(words, 1)] == ["fire", "water"]
    tagger.save(tmp_path / "m")
    assert ramify.load(tmp_path / "m").tag(words, 3) == tagger.tag(words, 3)
