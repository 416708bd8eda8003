"""The section of RESULTS.md about tuning."""

import json

from racing import tune_tables
from racing.tune_tables import SHOWN, key_of, tune_section

ROW = {
    "dataset": "bibtex",
    "split": None,
    "minutes": 10.0,
    "measure": "mean",
    "threads": 2,
    "machine": "m",
    "sources": "s",
    "changes": {"model": "blend", "vectorizer.words": [1, 2]},
    "difference": {name: [0.5, 0.1, 0.9, 0.01] for name in SHOWN} | {"P@1": [-0.2, -0.5, 0.1, 0.3]},
    "search_wall_s": 598.2,
    "trials": 120,
    "train_cpu_s": [0.07, 0.3],
}


def test_the_latest_row_on_test_documents_is_shown(tmp_path, monkeypatch):
    rows = tmp_path / "tune.jsonl"
    monkeypatch.setattr(tune_tables, "TUNE", rows)
    assert tune_section() == ""
    loss = ROW | {"difference": {name: [-0.5, -0.9, -0.1, 0.01] for name in SHOWN}}
    rows.write_text("".join(json.dumps(row) + "\n" for row in (loss | {"split": 0}, loss, ROW)))
    lines = tune_section().splitlines()
    assert lines[0] == "## Tuning"
    cells = "| bibtex | 10 | model blend, vectorizer.words 1–2 | -0.20 | **+0.50** | **+0.50** | **+0.50** | **+0.50** "
    assert lines[-1] == cells + "| 598 s, 120 | 0.07 / 0.3 |"
    rows.write_text(json.dumps(loss) + "\n")
    assert "<u>-0.50</u>" in tune_section()


def test_a_search_is_repeated_if_anything_that_it_depends_on_changes():
    assert key_of(ROW) == key_of(dict(ROW))
    for name in ("dataset", "split", "minutes", "measure", "threads", "machine", "sources"):
        assert key_of(ROW) != key_of(ROW | {name: "other"})
