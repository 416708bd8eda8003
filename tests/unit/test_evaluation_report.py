"""What a report and a comparison show: names, tables, JSON."""

import json
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from ramify import InputError, TopK
from ramify.evaluation import compare, evaluate

Y = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]])
TOP = TopK(np.array([[0, 1], [1, 0], [2, 1]], np.int32), np.full((3, 2), 0.5, np.float32))
WORSE = TopK(np.array([[1, 0], [0, 1], [2, 1]], np.int32), np.full((3, 2), 0.5, np.float32))


def shown(renderable):
    out = StringIO()
    Console(file=out, width=200).print(renderable)
    return out.getvalue()


def test_plain_table():
    assert str(evaluate(Y, TOP, ks=(1, 2))).splitlines() == [
        "2 of 3 documents, 3 labels (percent)",
        "              @1      @2",
        "------------------------",
        "P         100.00   50.00",
        "nDCG      100.00   80.66",
        "R          75.00   75.00",
        "Hit       100.00  100.00",
        "microF1    80.00   57.14",
        "macroF1    66.67   44.44",
        "Coverage   66.67   66.67",
    ]


def test_tables_show_intervals_and_buckets_plain_and_rich():
    report = evaluate(Y, TOP, Y_train=Y, ks=(1, 2), bootstrap=20)
    low, high = report.intervals["R@2"]
    cell = f"{100 * report['R@2']:.2f} [{100 * low:.2f}, {100 * high:.2f}]"
    for text in (str(report), shown(report.table())):
        assert cell in text
        assert "PSnDCG" in text
        assert "1-shot" in text
        assert "95% intervals" in text


def test_json_holds_every_value_and_no_nan():
    report = evaluate(Y, TOP, Y_train=Y, ks=(1, 2), bootstrap=20)
    loaded = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert loaded["values"]["P@1"] == report["P@1"]
    assert loaded["values"]["0-shot/P@1"] is None
    assert loaded["intervals"]["R@2"] == list(report.intervals["R@2"])
    assert loaded["buckets"]["1-shot"] == {"labels": 3, "test_labels": 3, "documents": 2}
    assert (loaded["n_documents"], loaded["n_counted"], loaded["n_labels"], loaded["ks"]) == (3, 2, 3, [1, 2])


def test_names_and_their_errors():
    report = evaluate(Y, TOP, Y_train=Y, ks=(1, 2))
    assert report.bucket("tail")["R@2"] == report["tail/R@2"]
    assert report.bucket("") == report.values_of_all()
    assert list(report.values_of_all())[:4] == ["P@1", "P@2", "nDCG@1", "nDCG@2"]
    with pytest.raises(InputError, match="no measure 'P@7'"):
        report["P@7"]
    with pytest.raises(InputError, match="no bucket 'tails'"):
        report.bucket("tails")
    with pytest.raises(InputError, match="mean over labels"):
        report.per_document("tail/macroF1@1")


def test_values_per_document():
    report = evaluate(Y, TOP, ks=(1, 2))
    assert report.per_document("R@2").tolist()[:2] == [0.5, 1.0]
    assert np.isnan(report.per_document("R@2")[2])  # no true label


def test_without_training_labels_there_is_neither_propensity_nor_bucket():
    report = evaluate(Y, TOP, ks=(1,))
    assert not any(name.startswith("PS") or "/" in name for name in report.values)
    assert report.buckets == {}


def test_comparison_shows_and_stores_its_differences():
    comparison = compare(Y, TOP, WORSE, Y_train=Y, ks=(1, 2), bootstrap=50)
    assert comparison["P@1"].difference == -1
    assert comparison.significant["P@1"]
    assert not comparison.significant["P@2"]
    row = next(line for line in str(comparison).splitlines() if line.startswith("P@1 "))
    assert row.split() == ["P@1", "100.00", "0.00", "-100.00", "[-100.00,", "-100.00]", "0.039", "*"]
    assert "1-shot/R@1" in str(comparison)
    assert "0-shot" not in str(comparison)  # nothing to measure
    assert "[-100.00, -100.00]" in shown(comparison.table())
    loaded = json.loads(json.dumps(comparison.as_dict(), allow_nan=False))
    assert loaded["differences"]["P@1"]["difference"] == -1
    assert loaded["differences"]["0-shot/P@1"]["p"] is None
    with pytest.raises(InputError, match="no measure"):
        comparison["MAP"]
