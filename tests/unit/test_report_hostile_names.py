"""The evaluation page with names and texts that are odd: right to left, control characters, long, few or unseen."""

import re

import numpy as np
import pytest
from scipy.sparse import csr_matrix

pytest.importorskip("jinja2", reason="the extra report is not installed")

from ramify import Dataset, NearestInstances, Tagger, Tfidf, XRLinear
from ramify.evaluation import EvaluationConfig
from ramify.evaluation.grid import Grid
from ramify.report import Axis, Page, Section, evaluation_report, line_chart
from ramify.report.charts import Series
from ramify.report.evaluation import evaluation_page
from ramify.report.examples import LETTERS, Suggestion, reason_of
from ramify.report.facts import facts_of, page_width
from ramify.report.labels import confusions
from ramify.report.page import table
from ramify.report.scales import percent_text
from ramify.report.words import points
from ramify.tagger.assessment import assess
from ramify.wording import closed, isolated, without_controls

CONFIG = EvaluationConfig(ks=(1, 3), bootstrap=10)
PLAIN = EvaluationConfig(ks=(1, 3))
OVERRIDE, RIGHT, END = "\N{RIGHT-TO-LEFT OVERRIDE}", "\N{RIGHT-TO-LEFT ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"


def documents(n, seed, names, filler=""):
    """Documents of one to three labels, which their words name with some errors."""
    rng = np.random.default_rng(seed)
    texts, rows = [], []
    for _ in range(n):
        own = rng.choice(len(names), rng.integers(1, min(4, len(names) + 1)), replace=False)
        words = [f"word{label if rng.random() < 0.7 else rng.integers(len(names))}" for label in own for _ in range(2)]
        texts.append(" ".join([*words, filler]))
        rows.append(np.isin(np.arange(len(names)), own))
    return Dataset(csr_matrix(np.array(rows, np.float32)), list(names), texts=texts)


def tree(data):
    return Tagger(XRLinear(threads=1), vectorizer=Tfidf(min_df=1)).fit_dataset(data)


def near(data):
    return Tagger(NearestInstances(threads=1), vectorizer=Tfidf(min_df=1)).fit_dataset(data)


def facts(taggers, data, config=CONFIG, training=None, names=("a", "b")):
    found = assess(taggers, data, config, k=page_width(taggers), training=training)
    return facts_of(found, list(names)[: len(taggers)])


NAMES = [f"label {number}" for number in range(8)]


def test_each_model_has_its_own_training_counts():
    first, second = documents(200, 0, NAMES), documents(90, 1, NAMES[::-1])
    taggers, test = [tree(first), near(second)], documents(60, 2, NAMES)
    found = facts(taggers, test)
    for model, tagger in zip(found.models, taggers, strict=True):
        own = dict(zip(tagger.label_names_, tagger.label_counts_.tolist(), strict=True))
        assert model.weak.records
        assert {record.name: record.training for record in model.weak.records}.items() <= own.items()
    text = evaluation_page(found).markdown()
    assert "| training documents of a | labels |" in text
    assert "by training documents of a (percent)" in text
    assert "training documents of" not in evaluation_page(facts(taggers, test, training=first)).markdown()
    assert "training documents of" not in evaluation_page(facts(taggers[:1], test)).markdown()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain", "plain"),
        (f"a{END}b", "ab"),
        (f"a{RIGHT}b", f"a{RIGHT}b{END}"),
        (f"{RIGHT}a{END}b{END}", f"{RIGHT}a{END}b"),
    ],
)
def test_isolates_end_within_their_text(text, wanted):
    assert closed(text) == wanted
    assert isolated("plain 1") == "plain 1"
    assert (isolated("שלום")[0], isolated("שלום")[-1]) == ("\N{FIRST STRONG ISOLATE}", END)


def test_names_from_right_to_left_do_not_reorder_what_is_beside_them():
    names = [f"{letter}{OVERRIDE} evil" for letter in "אבגדהוזח"]
    data = documents(120, 0, names, filler="שלום")
    html = evaluation_report({f"m{OVERRIDE}": tree(data), "b": near(data)}, data, CONFIG).html()
    outside = re.sub(r"<bdi[^>]*>[^<]*</bdi>|<blockquote.*?</blockquote>|<div class=\"rw-text\".*?</div>", "", html)
    outside = re.sub("\N{FIRST STRONG ISOLATE}[^\N{POP DIRECTIONAL ISOLATE}]*\N{POP DIRECTIONAL ISOLATE}", "", outside)
    assert OVERRIDE in html
    assert OVERRIDE not in re.sub(r"<p dir=\"auto\">.*?</p>", "", outside)
    assert '<blockquote dir="auto">' in html


def test_control_characters_are_replaced():
    names = [f"n{number}\x00\x1b[31m\x07\x85" for number in range(8)]
    data = documents(120, 0, names, filler="a\x00b\x1bc")
    html = evaluation_report({"m\x07": tree(data)}, data, CONFIG).html()
    assert without_controls(html) == html
    assert "n0??[31m??" in html
    assert without_controls("a\tb\nc\rd") == "a\tb\nc?d"
    chart = line_chart([Series("\x00", [0, 1], [0, 1]), Series("b", [0], [0])], Axis("\x1b"), Axis("y"), title="\x07")
    assert without_controls(chart) == chart
    assert "\x00" not in Page("t", "s", [Section("a", "b", ["p\x00"])]).html()


def test_reasons_contain_the_beginning_of_the_text_only():
    filler = " ".join(f"filler{number}" for number in range(400)) + " secretend"
    data = documents(60, 0, NAMES, filler=filler)
    html = evaluation_report(tree(data), data, PLAIN).html()
    shown = [re.sub("<[^>]+>", "", one) for one in re.findall(r'<div class="rw-text"[^>]*>(.*?)</div>', html, re.S)]
    assert shown
    assert max(map(len, shown)) <= LETTERS + 2
    assert all(one.endswith(" …") for one in shown)
    assert "secretend" not in html
    one_word = reason_of(tree(data), "word1" + "x" * 5000, Suggestion(NAMES[1], 1.0, True), 3)
    assert len(one_word.html) < 3000


def test_confusions_are_ranked_by_lift_over_chance():
    from test_evaluation_page import judged

    # 5 is suggested wrongly everywhere; 1 only where 0 is missed
    labels = [[5, 1]] * 3 + [[5, 3]] * 6
    truth = [[0]] * 3 + [[2]] * 6
    truth[-1] = [0]
    pairs = confusions(judged(labels, truth, 6), NAMES, None).pairs
    found = {(pair.missed, pair.instead): pair for pair in pairs}
    assert found["label 0", "label 1"].lift == pytest.approx(3 * 9 / (4 * 3))
    assert found["label 0", "label 5"].lift == pytest.approx(1)
    assert found["label 0", "label 1"].missing == 4
    assert next(iter(found)) == ("label 0", "label 1")


def test_pairs_below_chance_are_not_confused():
    from test_evaluation_page import judged

    labels, truth = [[1, 4]] * 3 + [[3, 4]] * 7, [[0]] * 5 + [[2]] * 5
    pairs = confusions(judged(labels, truth, 6, chosen=1), NAMES, None).pairs
    assert [(pair.missed, pair.instead) for pair in pairs] == [("label 0", "label 1"), ("label 2", "label 3")]


def test_synonyms_are_mentioned_for_siblings_only():
    data = documents(120, 0, NAMES)
    assert "synonyms" not in evaluation_report(near(data), data, PLAIN).markdown()
    tagger = Tagger(XRLinear(max_leaf=3, branching=2, threads=1), vectorizer=Tfidf(min_df=1)).fit_dataset(data)
    assert "synonyms" in evaluation_report(tagger, data, PLAIN).markdown()


def test_differences_have_two_decimals():
    assert [points(value) for value in (-0.0004, 0.0123, 0, -0.000001)] == ["-0.04", "+1.23", "0.00", "0.00"]


def test_values_are_described_per_model():
    data = documents(200, 0, NAMES)
    calibrated = tree(data).calibrate_dataset(documents(200, 1, NAMES), k=5)
    fewer = near(documents(100, 3, NAMES[:6]))
    text = evaluation_page(facts([calibrated, fewer], data)).markdown()
    assert "The number after a label is its probability for a, and its score for b." in text
    assert "chosen from 8 possible labels (a) and 6 possible labels (b)." in text
    assert "The number after a label is its score." in evaluation_page(facts([fewer], data)).markdown()
    assert "### b" in text  # above its chart of values


def test_the_highest_possible_recall_is_named():
    Y = csr_matrix(np.array([[1, 1, 1, 1, 0], [1, 0, 0, 0, 0]] * 20, np.float32))
    data = Dataset(Y, NAMES[:5], texts=["one two three four", "one"] * 20)
    config = EvaluationConfig(ks=(1, 2))
    page = evaluation_report(tree(data), data, config)
    assert page.markdown().count("(at most 75% is possible with 2 suggestions)") == 2  # the sentence and the tile
    few = Dataset(csr_matrix(np.eye(5, dtype=np.float32)), NAMES[:5], texts=["aa", "bb", "cc", "dd", "ee"])
    assert "at most" not in evaluation_report(near(few), few, config).markdown().split("## Measures")[0]


def test_one_label_and_labels_that_no_model_knows():
    only = Dataset(csr_matrix(np.ones((4, 1), np.float32)), ["only"], texts=["some word"] * 4)
    text = evaluation_report(tree(only), only, PLAIN).markdown()
    assert "its only label is scored for each document" in text
    assert "The only label with at least 1 test document has an F1 of 100%." in text
    assert "The best label of each document" in text
    assert not re.search(r"\b1 (possible )?(labels|documents|test documents)\b", text)
    unseen = Dataset(csr_matrix(np.ones((4, 1), np.float32)), ["unseen"], texts=["some word"] * 4)
    text = evaluation_report(tree(only), unseen, PLAIN).markdown()
    assert "No label that occurs in the training data has a test document." in text
    assert "0 labels" not in text
    assert "None of them is true; the area of the others adds up to 100%." in text


def test_long_names_are_shortened_and_the_page_stays_small():
    names = [f"label {number} " + "x" * 10_000 for number in range(12)]
    data = documents(200, 0, names)
    html = evaluation_report({"a": tree(data), "b": near(data)}, data, CONFIG).html()
    assert len(html) < 500_000
    assert 'title="label' in html
    assert "x" * 401 not in html
    assert "…" in table(Grid("t", ("a",), (("y" * 500,),)))


def test_without_intervals_or_texts_the_page_does_not_speak_of_them():
    data = documents(60, 0, NAMES)
    assert "The thin line" in evaluation_report(near(data), data, CONFIG).markdown()
    assert "The thin line" not in evaluation_report(near(data), data, PLAIN).markdown()
    assert "the beginning of the text of" in evaluation_report(near(data), data, PLAIN).markdown()
    X = Tfidf(min_df=1).fit_transform(data.texts)
    features = Dataset(data.Y, NAMES, X=X)
    page = evaluation_report(Tagger(XRLinear(threads=1)).fit_dataset(features), features, PLAIN)
    assert "Example documents" not in [section.heading for section in page.sections]
    assert "of the text of" not in page.markdown()


def test_shares_are_written_alike():
    assert [percent_text(value) for value in (0, 0.0001, 0.02, 0.03004, 0.12)] == ["0%", "<0.1%", "2.0%", "3.0%", "12%"]
    assert Axis("", 0, 0.1, percent=True).tick_texts() == ["0%", "2%", "4%", "6%", "8%", "10%"]
    assert Axis("", 0, 0.012, percent=True).tick_texts() == ["0.0%", "0.5%", "1.0%"]
    assert Axis("", 0, 0.64, percent=True).to_tick().ends == (0, pytest.approx(0.8))
    numbers = Grid("t", ("a", "b"), (("x", "<0.1%"), ("y", "3.0%")))
    assert '<th scope="col" class="number">b</th>' in table(numbers)
