"""The model card of a push, and the reports that it is made of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("huggingface_hub", reason="needs the extra hub")
pytest.importorskip("jinja2", reason="needs the extra hub")

from huggingface_hub import ModelCard

from ramify import Dataset, InputError, Tagger, XRLinear
from ramify.errors import DataFileError
from ramify.evaluation import EvaluationConfig
from ramify.hub.card import CardOptions, extras_of, model_card, read_report
from ramify.hub.files import ModelFiles

WORDS = ["river lake", "flame smoke", "soil stone", "wind cloud"]
NAMES = ["water", "fire | flame", "earth <b>", "air"]


def dataset(n=120):
    """Documents of which the last label has one only."""
    rows = [min(number % 3, 2) for number in range(n)] + [3]
    Y = sp.csr_matrix(np.eye(4, dtype=np.float32)[rows])
    return Dataset(Y=Y, label_names=NAMES, texts=[f"{WORDS[row]} {number}" for number, row in enumerate(rows)])


@pytest.fixture(scope="module")
def tagger():
    return Tagger().fit_dataset(dataset())


@pytest.fixture(scope="module")
def report(tagger):
    return tagger.evaluate(dataset(), EvaluationConfig(bootstrap=20))


def card_of(tagger, directory: Path, options=None) -> ModelCard:
    tagger.save(directory)
    return ModelCard(model_card(tagger, "ann/bills", ModelFiles.of(directory), options))


def test_metadata_and_measures(tagger, report, tmp_path):
    options = CardOptions(report=report, test_data="CRS bills", license="cc-by-4.0")
    card = card_of(tagger, tmp_path / "m", options)
    assert card.data.library_name == "ramify"
    assert card.data.license == "cc-by-4.0"
    assert {"ramify", "extreme-multilabel-classification"} <= {*card.data.tags}
    assert card.data.pipeline_tag == "text-classification"
    found = {one.metric_type: one for one in card.data.eval_results}
    assert found["P@1"].metric_value == round(report["P@1"], 4)
    assert found["PSP@5"].dataset_name == "CRS bills"
    assert not {"tail/P@1", "Hit@1"} & {*found}
    text = card.text
    low, high = report.intervals["P@1"]
    assert f"| P | {100 * report['P@1']:.2f} \\[{100 * low:.2f}, {100 * high:.2f}\\] |" in text
    assert "Measured on 121 documents (CRS bills)" in text
    assert "| 1-shot | 1 | 1 |" in text


def test_the_model_is_described(tagger, tmp_path):
    text = card_of(tagger, tmp_path / "m").text
    assert text.startswith("\n# bills\n") or text.startswith("# bills\n")
    assert "It ranks 4 possible labels" in text
    assert "trained on 121 documents with 1.0 labels each" in text
    assert "| fire \\| flame | 40 |" in text
    assert "earth &lt;b&gt;" in text
    assert "25% of the labels (1 of 4) have at most 5 training documents" in text
    assert "The model is not calibrated" in text
    assert "published without an evaluation" in text
    assert "no pickle and no code" in text
    assert not any(word in text for word in WORDS)  # no text of a document
    code = text.split("```python\n")[1].split("```")[0]
    assert code.splitlines() == [
        "from ramify import Tagger",
        "",
        'tagger = Tagger.from_pretrained("ann/bills")',
        'print(tagger.tag(["text of a document"], k=5))',
    ]


def test_the_same_model_gives_the_same_card(tagger, report, tmp_path):
    options = CardOptions(report=report)
    cards = [str(card_of(tagger, tmp_path / name, options)) for name in "ab"]
    assert cards[0] == cards[1]


def test_calibrated_models_and_models_of_features(tmp_path):
    texts = [f"{WORDS[number % 3]} {number % 7}" for number in range(200)]
    labels = [[NAMES[(number if number % 5 else number + 1) % 3]] for number in range(200)]
    calibrated = Tagger().fit(texts, labels).calibrate(texts, labels, k=3)
    text = card_of(calibrated, tmp_path / "calibrated").text
    assert "The scores are calibrated (isotonic) on 200 held-out documents" in text
    assert "`tagger.predict(texts)` returns a set of labels" in text
    features = Tagger(XRLinear()).fit(np.eye(8, dtype=np.float32), [["a"], ["b"]] * 4)
    card = card_of(features, tmp_path / "features")
    assert "assigns labels to feature vectors" in card.text
    assert "`X` is a sparse matrix with 8 columns" in card.text
    assert card.data.pipeline_tag is None
    bare = Tagger.of(features.model_, ["a", "b"])
    assert "Examples: a, b." in card_of(bare, tmp_path / "bare").text


def test_needed_extras_are_named():
    body = {"class": "Tagger", "config": {"model": {"class": "Ensemble", "config": {"members": [{"class": "XLGen"}]}}}}
    assert extras_of(body) == {"torch"}
    assert extras_of({"class": "Tagger", "config": {"other": "XLGen"}}) == set()


def test_a_report_of_another_model_is_refused(tagger, tmp_path):
    small = Tagger().fit(["river", "flame"] * 3, [["x"], ["y"]] * 3)
    other = small.evaluate(Dataset(Y=sp.csr_matrix(np.eye(2)), label_names=["x", "y"], texts=["river", "flame"]))
    with pytest.raises(InputError, match="the report is of a model with at most 2 labels, but this one has 4"):
        card_of(tagger, tmp_path / "m", CardOptions(report=other))


def test_a_report_is_read_from_json(report, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report.as_dict() | {"stage_seconds": {}}))
    found = read_report(path)
    assert found.as_dict() == report.as_dict()
    assert str(found) == str(report)
    with pytest.raises(InputError, match="was read from a file has no values per document"):
        found.per_document("P@1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"values": {}}, "is missing"),
        ({"values": {"P@1": 7}}, "not in 0..1"),
        ({"values": {"X@1": 0.5, "P@1": 0.5}}, "no report of an evaluation"),
        ({"values": [1]}, "no report of an evaluation"),
        ({"ks": []}, "no report of an evaluation"),
        ({"ks": ["1"]}, "is no count"),
        ({"intervals": {"P@1": [0.1]}}, "no report of an evaluation"),
        ({"buckets": {"tail": {}}}, "is missing"),
        ({"n_documents": -1}, "is no count"),
        ({"n_labels": True}, "is no count"),
    ],
)
def test_damaged_reports_get_one_sentence(report, tmp_path, change, words):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report.as_dict() | change))
    with pytest.raises(DataFileError, match=words) as caught:
        read_report(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no json", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[]", "no result of ramify evaluate --json for one model"),
        (b'{"comparisons": {}}', "without --compare and --decide"),
    ],
)
def test_other_files_are_refused(tmp_path, content, words):
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=words):
        read_report(path)
    with pytest.raises(DataFileError, match="cannot be read"):
        read_report(tmp_path / "no.json")
