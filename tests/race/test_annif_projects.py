"""Projects of Annif for the benchmark of back ends: without Annif."""

import gzip
import json

import numpy as np
import pytest
import scipy.sparse as sp

from annif_backends import documents_of, identity, readable_names
from racing import annif_tables
from racing.annif_projects import PROJECTS, Place
from racing.annif_tables import annif_section


class Matrices:
    def __init__(self, folder):
        self.folder = folder
        self.Y = self.Y_test = sp.csr_matrix(np.array([[1, 0], [1, 1], [0, 1]], np.float32))


@pytest.fixture
def matrices(tmp_path):
    for part in ("train", "test"):
        (tmp_path / f"{part}.json").write_text(json.dumps(["one", "two", "three"]))
    (tmp_path / "labels.json").write_text(json.dumps(["p1", "p2"]))
    return Matrices(tmp_path)


def test_documents_have_their_labels(matrices):
    assert documents_of(matrices, "train", 1) == [("one", [0]), ("two", [0, 1]), ("three", [1])]
    assert documents_of(matrices, "test", 2) == [("one", [0]), ("two", [0, 1])]


def test_labels_have_readable_names_where_a_file_has_them(matrices, tmp_path):
    file = tmp_path / "labels.jsonl.gz"
    assert readable_names(matrices, file) == ["p1", "p2"]
    with gzip.open(file, "wt", encoding="utf-8") as lines:
        lines.write(json.dumps({"id": "p2", "name": "käsityö"}) + "\n")
    assert readable_names(matrices, file) == ["p1", "käsityö"]


def test_every_project_has_the_same_analyzer_unless_it_says_otherwise(tmp_path):
    place = Place(tmp_path, "fi")
    for name in PROJECTS:
        section = place._section(name)
        assert f"[{name}]" in section and "language=fi" in section and "vocab=labels" in section
        own = name in ("ramify-own-words", "ramify-lexical", "ramify-library")
        assert ("analyzer=snowball(finnish)" in section) != own


def test_rows_of_ramify_are_of_its_sources():
    assert identity("ramify") != identity("ramify-best")
    assert json.loads(identity("omikuji-bonsai"))[1] == "" != json.loads(identity("ramify"))[1]


def test_the_section_has_the_latest_row_of_each_project(tmp_path, monkeypatch):
    rows = tmp_path / "fusion.jsonl"
    monkeypatch.setattr(annif_tables, "FUSION", rows)
    assert annif_section() == ""
    measures = {"F1@5": 30.0, "NDCG@10": 40.0, "Precision@1": 50.0, "Precision@3": 45.0, "Precision@5": 35.0}
    head = {"kind": "annif", "dataset": "a", "tests": 10}
    times = {"eval_wall_s": 2.0, "eval_cpu_s": 1.0, "documents_per_s": 5.0, "eval_peak_bytes": 100e6}
    trained = {"train_wall_s": 3.0, "train_cpu_s": 4.0, "train_peak_bytes": 200e6, "model_bytes": 7e6}
    old = head | {"system": "ramify", "measures": measures | {"F1@5": 99.0}} | times | trained
    written = [
        {"kind": "other"},
        old,
        old | {"measures": measures},
        head | {"system": "ensemble", "measures": measures | {"F1@5": 31.0}, "busy": True} | times,
        head | {"system": "mllm", "failed": "no documents"},
    ]
    rows.write_text("".join(json.dumps(row) + "\n" for row in written))
    section = annif_section()
    assert "99.00" not in section and "| ramify | 30.00 | **40.00** |" in section
    assert "| ensemble \\* | **31.00** |" in section and "mllm: no documents" in section
    widths = {line.count("|") for line in section.splitlines() if line.startswith("|")}
    assert len(widths) == 1
