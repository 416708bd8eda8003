"""inspect_data counts what is in the data, and names what is wrong with them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.sparse as sp

from ramify.data import split_grouped
from ramify.data.labels import NumberNames
from ramify.errors import InputError
from ramify.features.languages import CODES
from ramify.health import inspect_data
from ramify.health.frequencies import Frequencies
from ramify.health.language_names import LANGUAGE_NAMES
from ramify.health.languages import language_name
from ramify.values import Dataset


def dataset(rows) -> Dataset:
    """Rows of (text, labels)."""
    names = sorted({name for _, labels in rows for name in labels})
    Y = sp.csr_matrix((len(rows), len(names)), dtype=np.float32).tolil()
    for row, (_, labels) in enumerate(rows):
        for name in labels:
            Y[row, names.index(name)] = 1
    return Dataset(Y=Y.tocsr(), label_names=names, texts=[text for text, _ in rows])


TRAIN = dataset(
    [
        ("the discharge of waste into the rivers of the country", ["Water", "Law"]),
        ("The discharge of waste into the rivers of the country", ["Water"]),
        ("the discharge of waste into the rivers of the country, 2", ["Water", "waters"]),
        ("a tax on the income of large banks and of small ones", ["Tax"]),
        ("  ", ["Tax"]),
        ("support for farms after a drought in the south of the country", []),
    ]
)
TEST = dataset(
    [
        ("the discharge of waste into the rivers of the country", ["Water"]),
        ("the discharge of waste into the rivers of the country, no. 3", ["Fish"]),
        ("a licence for vessels that catch salmon in the north", ["Fish", "Tax"]),
        ("a licence for vessels that catch salmon in the north", ["Fish", "Tax"]),
    ]
)


def test_known_numbers():
    health = inspect_data(TRAIN, TEST)
    train, test = health.train, health.test
    assert (train.documents, train.labels, train.unlabelled, train.empty) == (6, 4, 1, 1)
    assert train.histogram[:4] == (1, 3, 2, 0)
    assert (train.per_document.mean, train.per_document.median, train.per_document.largest) == (7 / 6, 1, 2)
    assert (test.documents, test.labels, test.unlabelled, test.empty) == (4, 3, 0, 0)
    assert train.length.largest == max(map(len, TRAIN.texts))
    frequencies = health.frequencies
    assert frequencies.frequent == (("Water", 3), ("Tax", 2), ("Law", 1), ("waters", 1))
    assert [(band.fewest, band.most, band.labels, band.assignments) for band in frequencies.bands] == [
        (1, 1, 2, 2),
        (2, 5, 2, 5),
        (6, 20, 0, 0),
        (21, None, 0, 0),
    ]
    assert (frequencies.half, frequencies.half_documents) == (2, 2)
    unseen = health.unseen
    assert (unseen.labels, unseen.test_labels) == (1, 3)
    assert (unseen.assignments, unseen.test_assignments) == (3, 6)
    assert (unseen.documents, unseen.test_documents) == (1, 4)
    exact, near = health.overlap.exact, health.overlap.near
    assert (exact.groups, exact.largest, exact.train, exact.test, exact.across) == (2, 3, 1, 1, 1)
    assert (near.groups, near.largest, near.train, near.test, near.across) == (2, 5, 2, 2, 2)
    assert health.overlap.contradictory == 1
    assert [(one.kind, one.names) for one in health.similar_names] == [("plural", (("Water", 4), ("waters", 1)))]


def test_examples_show_groups_across_first():
    first, second = inspect_data(TRAIN, TEST).overlap.examples
    assert (first.train, first.test, second.train, second.test) == (3, 2, 0, 2)
    assert [(part, number) for part, number, _ in first.documents] == [("test", 1), ("train", 1), ("train", 2)]
    assert 0.8 <= first.similarity < 1 and second.similarity == 1


def test_findings_name_each_problem_and_the_serious_ones_first():
    health = inspect_data(TRAIN, TEST)
    topics = [finding.topic for finding in health.findings]
    assert set(topics) == {
        *("test documents with a near duplicate in training", "repeated training documents"),
        "equal documents with different labels",
        *("test labels without training document", "labels with one document", "similar label names"),
        *("documents without text", "documents without label"),
    }
    serious = [finding.serious for finding in health.findings]
    assert serious == sorted(serious, reverse=True)
    assert "2 of 4 test documents (50.0%) have a near duplicate in training, 1 of these an equal one" in str(health)
    clean = inspect_data(
        dataset([("red roses in the garden", ["a1"]), ("blue sky and sun", ["b2"]), ("x", ["a1", "b2"])])
    )
    assert clean.findings == ()
    assert "no findings" in str(clean)


def test_the_command_splits_both_files_again():
    health = inspect_data(TRAIN, TEST, sources=["all data.csv.gz", "t.csv"], flags="--text body")
    assert health.split_command == (
        "ramify convert 'all data.csv.gz' grouped-train.csv.gz --test grouped-test.csv.gz --add t.csv "
        "--test-size 0.4 --keep-together near-duplicates --text body"
    )
    assert health.as_dict()["split_command"] == health.split_command
    assert "--similarity" not in health.split_command
    assert "--keep-together near-duplicates --similarity 0.6" in inspect_data(TRAIN, similarity=0.6).split_command
    alone = inspect_data(TRAIN, sources=["X.npz:Y.npz"])
    assert alone.split_command.startswith(
        "ramify convert X.npz:Y.npz grouped-train.npz --test grouped-test.npz --test-size 0.2 "
    )


def test_a_grouped_split_has_no_duplicates_across():
    from ramify.data import duplicate_groups, joined

    whole = joined(TRAIN, TEST)
    train, test = split_grouped(whole, duplicate_groups(whole), 0.5, seed=1)
    assert inspect_data(train, test).overlap.near.across == 0
    assert inspect_data(TRAIN, TEST).overlap.near.across == 2


def test_json_text_and_page_have_all_parts():
    pytest.importorskip("jinja2")
    health = inspect_data(TRAIN, TEST)
    body = json.loads(json.dumps(health.as_dict(), ensure_ascii=False))
    assert body["overlap"]["near"]["across"] == 2
    assert body["findings"][0]["serious"] is True
    text, markdown, html = str(health).lower(), health.page().markdown().lower(), health.page().html().lower()
    for words in ("water / waters", "0.8", "grouped-train", "documents by number of labels"):
        assert words in text and words in markdown and words in html
    assert html.count('<svg class="chart"') >= 2
    assert "<script" not in html
    assert health._repr_html_().startswith("<div")


COMMON = "the discharge of the waste of towns and of factories into the rivers and lakes of the country in the year"
TOPICS = ("salmon", "taxes", "farms", "banks", "vessels", "drought", "sewage", "income", "credit", "deposits")
OTHERS = [(f"{topic} {topic[::-1]} {topic[1:]}", ["a"]) for topic in TOPICS] * 4
OTHERS = [(f"{text} {'xyzw'[row // 10] * 12}", labels) for row, (text, labels) in enumerate(OTHERS)]


@pytest.mark.parametrize(
    ("repeats", "serious", "words"),
    [
        ([f"{COMMON} 2001"], False, "none of these an equal one"),
        ([COMMON], True, "1 of these an equal one"),
        ([f"{COMMON} {year}" for year in (2001, 2002, 2003)], True, "none of these an equal one"),
    ],
    ids=["one near", "one equal", "many near"],
)
def test_near_duplicates_are_serious_by_equal_ones_or_a_large_share(repeats, serious, words):
    test = dataset([(text, ["a"]) for text in repeats] + [(text[::-1], labels) for text, labels in OTHERS])
    [finding] = [one for one in inspect_data(dataset([(COMMON, ["a"])]), test).findings if "duplicate" in one.topic]
    assert (finding.topic, finding.serious) == ("test documents with a near duplicate in training", serious)
    assert words in finding.text and "may overstate" in finding.text


def test_a_page_shows_file_names_and_beginnings_of_documents_only():
    pytest.importorskip("jinja2")
    text = " ".join(f"secret{number}" for number in range(40))
    both = dataset([(text, ["a"])])
    health = inspect_data(both, both, sources=["/home/me/private/train.jsonl", "/home/me/other/test.jsonl"])
    for shown in (health.page().html(), health.page().markdown()):
        assert "train.jsonl" in shown and "/home" not in shown and "private" not in shown
        assert "secret8" in shown and "secret13" not in shown
        assert "The page contains the beginnings of some documents." in shown
        assert "first those with documents in both parts:" in shown
        assert "seen in training" not in shown
    pair = inspect_data(both, sources=["/a/b/X.npz:/a/b/Y.npz"]).page().markdown()
    assert "X.npz:Y.npz" in pair and "/a/b" not in pair and "both parts" not in pair


def test_columns_of_documents_name_their_part():
    headers = {grid.title.split(" (")[0]: grid.header for grid in inspect_data(TRAIN, TEST).grids()}
    assert headers["labels by number of training documents"][0] == "training documents"
    assert headers["most frequent labels"][1] == "training documents"
    assert headers["label names that may mean one label"][2] == "documents, both parts"
    alone = {grid.title: grid.header for grid in inspect_data(TRAIN).grids()}
    assert alone["label names that may mean one label"][2] == "documents"


def test_every_language_code_has_a_name():
    assert set(LANGUAGE_NAMES) == CODES
    assert [language_name(code) for code in ("om", "ha", "de", "??")] == [
        "Oromo (om)",
        "Hausa (ha)",
        "German (de)",
        "??",
    ]


def test_hostile_texts_are_escaped():
    pytest.importorskip("jinja2")
    bad = "<script>alert('x')</script> & | `code` of the long text"
    rows = [
        (bad, ["<b>"]),
        (bad, ["<B>"]),
        ("\ud800 half of a pair in a text", ["\ud800"]),
        ("line\nbreak\x1b[31m", ["a\nb"]),
    ]
    health = inspect_data(dataset(rows), dataset(rows))
    html = health.page().html()
    assert "<script" not in html and "&lt;script" in html
    assert "\x1b" not in str(health)
    assert health.page().markdown()


def one_label(texts) -> Dataset:
    return Dataset(Y=sp.csr_matrix(np.ones((len(texts), 1), np.float32)), label_names=["x"], texts=texts)


@pytest.mark.parametrize(
    "data",
    [
        one_label([]),
        one_label(["one text"]),
        one_label(["the same text"] * 30),
        one_label([""] * 30),
        one_label(["日本語の本" * 5, "👩‍👩‍👧" * 9, "हिन्दी की किताब"]),
        Dataset(Y=sp.csr_matrix((2, 0), dtype=np.float32), label_names=[], texts=["a text", "b text"]),
        Dataset(Y=sp.csr_matrix((2, 3), dtype=np.float32), label_names=["a", "A", "b"], texts=["a text", "b text"]),
        Dataset(
            Y=sp.csr_matrix(np.eye(3, dtype=np.float32)),
            label_names=NumberNames(3),
            X=sp.csr_matrix((3, 4), dtype=np.float32),
        ),
    ],
    ids=["none", "one", "equal", "empty", "scripts", "no label names", "no labels", "no features"],
)
def test_odd_data(data):
    pytest.importorskip("jinja2")
    for health in (inspect_data(data), inspect_data(data, data)):
        assert str(health)
        assert json.dumps(health.as_dict())
        assert health.page().html().count("<section") >= 4
        assert health.page().markdown()


def test_a_million_labels():
    n = 1_000_000
    names = [f"label {number:x}" for number in range(n)]
    rows = np.arange(1000)
    Y = sp.csr_matrix((np.ones(1000, np.float32), (rows, rows * 7)), shape=(1000, n))
    health = inspect_data(Dataset(Y=Y, label_names=names, texts=[f"text {number}" for number in range(1000)]))
    assert health.frequencies.labels == 1000
    assert len(health.frequencies.curve) <= 60


def test_features_have_no_languages():
    X = sp.csr_matrix(np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], np.float32))
    health = inspect_data(Dataset(Y=sp.csr_matrix(np.eye(3, dtype=np.float32)), label_names=["a", "b", "c"], X=X))
    assert health.languages == ()
    assert (health.overlap.exact.train, health.train.length.largest) == (1, 2)
    assert "features per row, most" in str(health)


def test_languages_are_those_of_the_texts():
    german = "der Fluss und die Bäume sind an diesem Morgen sehr schön, und die Kinder spielen im Garten des Hauses"
    english = "the river and the trees are very beautiful this morning, and the children play in the garden"
    texts = [f"{german} {i}" if i % 4 == 0 else f"{english} {i}" for i in range(80)]
    [mix] = inspect_data(one_label(texts)).languages
    assert mix.sampled == 80
    shares = dict(mix.shares)
    assert shares["en"] == pytest.approx(0.75, abs=0.03) and shares["de"] == pytest.approx(0.25, abs=0.03)


def test_the_curve_descends_from_the_most_frequent_to_the_rarest():
    counts = np.random.default_rng(0).zipf(1.6, 5000)
    frequencies = Frequencies.of(counts, [str(i) for i in range(5000)], 3)
    ranks, sizes = np.array(frequencies.curve).T
    assert (ranks[0], ranks[-1]) == (1, 5000)
    assert (sizes[0], sizes[-1]) == (counts.max(), counts.min())
    assert (np.diff(ranks) > 0).all() and (np.diff(sizes) <= 0).all()
    ordered = np.sort(counts)[::-1]
    assert ordered[: frequencies.half].sum() >= counts.sum() / 2 > ordered[: frequencies.half - 1].sum()
    assert frequencies.half_documents == ordered[frequencies.half - 1]


def test_settings_out_of_range():
    for settings, words in (
        ({"similarity": 0.1}, "similarity is 0.1"),
        ({"top": 0}, "top is 0"),
        ({"seed": -1}, "seed"),
    ):
        with pytest.raises(InputError, match=words):
            inspect_data(TRAIN, **settings)


def test_stages_are_reported_in_order():
    seen: dict[str, list[float]] = {}
    inspect_data(TRAIN, TEST, progress=lambda stage, done: seen.setdefault(stage, []).append(done))
    assert list(seen) == ["duplicates", "labels", "names", "languages"]
    assert seen["duplicates"] == sorted(seen["duplicates"]) and seen["duplicates"][-1] == 1
