"""Each command, called in this process on small files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from ramify import Tagger, XRLinear, evaluate, read
from ramify.data import align
from ramify.migrations import FORMAT


def test_train_saves_what_the_library_would_have_trained(call, documents, tmp_path):
    done = call("train", documents, "--out", tmp_path / "m", "--threads", 1, "--max-leaf", 2, "--branching", 2, "-q")
    assert done.code == 0
    data = read(documents)
    by_hand = Tagger(XRLinear(threads=1, max_leaf=2, branching=2)).fit_dataset(data)
    saved = Tagger.load(tmp_path / "m")
    assert saved.tag(data.texts, 3) == by_hand.tag(data.texts, 3)
    assert saved.model_.get_params()["max_leaf"] == 2


def test_train_reports_numbers_as_json(call, documents, tmp_path):
    done = call("train", documents, "--out", tmp_path / "m", "--json", "--holdout", 0.2, "--seed", 3)
    facts = json.loads(done.out)
    assert facts["documents"] == 48
    assert facts["evaluation"]["n_documents"] == 12
    assert facts["settings"]["seed"] == 3
    assert {"read", "features", "choose", "train", "save"} <= set(facts["stage_seconds"])
    assert facts["bytes"] == sum(file.stat().st_size for file in (tmp_path / "m").iterdir())
    assert facts["peak_memory_bytes"] > 10_000_000
    assert facts["wall_seconds"] >= facts["stage_seconds"]["train"]


def test_train_table_names_sizes_and_stages(call, documents, tmp_path):
    done = call("train", documents, "--out", tmp_path / "m", "--test", documents, "--calibrate", "no")
    assert done.code == 0
    for words in ("documents    60", "train  ", "documents/s", "nDCG", f"saved in {tmp_path / 'm'}"):
        assert words in done.out
    assert done.err == ""


def test_settings_go_from_file_to_flags_and_back(call, documents, tmp_path):
    shown = call("train", "--show-config", "--words", "1,1", "--negatives", "tfn+man", "--max-features", "none")
    settings = json.loads(shown.out)
    assert settings["vectorizer_settings"]["words"] == [1, 1]
    assert settings["vectorizer_settings"]["max_features"] is None
    assert settings["model_settings"]["negatives"] == "tfn+man"
    file = tmp_path / "settings.json"
    file.write_text(shown.out, "utf-8")
    again = json.loads(call("train", "--config", file, "--show-config").out)
    assert again == settings
    changed = json.loads(call("train", "--config", file, "--show-config", "--words", "1,3", "--seed", "7").out)
    assert changed["vectorizer_settings"]["words"] == [1, 3]
    assert changed["seed"] == 7
    assert changed["model_settings"] == settings["model_settings"]
    assert call("train", documents, "--config", file, "--out", tmp_path / "m", "-q").code == 0
    assert Tagger.load(tmp_path / "m").vectorizer_.words == (1, 1)


def test_a_file_of_features_is_trained_on_directly(call, tmp_path):
    lines = ["6 4 3", *(f"{row % 3} {row % 3}:1 3:0.5" for row in range(6))]
    (tmp_path / "data.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "names.txt").write_text("ant\nbee\ncow\n")
    names = ("--names", tmp_path / "names.txt")
    assert call("train", tmp_path / "data.txt", *names, "--out", tmp_path / "m", "-q").code == 0
    predicted = call("predict", tmp_path / "m", tmp_path / "data.txt", "-k", 1)
    labels = [json.loads(line)["labels"][0]["label"] for line in predicted.out.splitlines()]
    assert labels == ["ant", "bee", "cow"] * 2
    assert json.loads(call("evaluate", tmp_path / "m", tmp_path / "data.txt", "--json").out)["values"]["P@1"] == 1


def test_predict_gives_the_taggers_labels_line_by_line(call, documents, model):
    done = call("predict", model, documents, "-k", 3, "--batch", 7)
    lines = [json.loads(line) for line in done.out.splitlines()]
    tags = Tagger.load(model).tag(read(documents).texts, 3)
    assert [line["id"] for line in lines] == list(range(60))
    assert [[one["label"] for one in line["labels"]] for line in lines] == [[name for name, _ in row] for row in tags]
    scores = [one["score"] for line in lines for one in line["labels"]]
    np.testing.assert_allclose(scores, [score for row in tags for _, score in row], rtol=1e-5)


def test_predict_reads_stdin_as_json_lines_and_as_plain_text(call, model):
    as_json = call("predict", model, "-", "-k", 1, stdin='{"text": "river lake flood"}\n{"text": "smoke burn"}\n')
    as_plain = call("predict", model, "--plain", "-k", 1, stdin="river lake flood\nsmoke burn\n")
    assert as_json.out == as_plain.out
    assert [json.loads(line)["labels"][0]["label"].split()[0] for line in as_plain.out.splitlines()] == [
        "water",
        "fire",
    ]


def test_predict_writes_tsv_leaves_out_low_scores_and_notes_bare_documents(call, model):
    text = "river lake flood\n\nzzz qqq\n"
    done = call("predict", model, "--plain", "--format", "tsv", "--threshold", 0.5, stdin=text)
    rows = [line.split("\t") for line in done.out.splitlines()]
    assert rows
    assert all(row[0] == "1" and float(row[2]) >= 0.5 for row in rows)
    assert done.err == "note: 2 of 3 documents have no predicted label\n"
    assert call("predict", model, "--plain", "-q", stdin=text).err == ""


def test_predict_obeys_lists_of_labels(call, model, tmp_path):
    (tmp_path / "names.txt").write_text("fire\n\nearth \n")
    allowed = call("predict", model, "--plain", "--allow", tmp_path / "names.txt", "-k", 6, stdin="river lake\n")
    assert {one["label"] for one in json.loads(allowed.out)["labels"]} == {"fire", "earth"}
    forbidden = call("predict", model, "--plain", "--forbid", tmp_path / "names.txt", stdin="flame smoke heat\n")
    assert "fire" not in {one["label"] for one in json.loads(forbidden.out)["labels"]}


def test_predict_writes_a_file_whole_or_not_at_all(call, documents, model, tmp_path):
    out = tmp_path / "tags.jsonl.gz"
    printed = call("predict", model, documents, "-k", 2).out
    assert call("predict", model, documents, "-k", 2, "--out", out).out == ""
    assert gzip.decompress(out.read_bytes()).decode() == printed
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"text": "river"}\n' * 2000 + "oops\n")
    assert call("predict", model, broken, "--out", out).code == 2
    assert gzip.decompress(out.read_bytes()).decode() == printed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.jsonl", "tags.jsonl.gz"]


def test_evaluate_equals_the_library_and_needs_no_training_file(call, documents, model):
    found = json.loads(call("evaluate", model, documents, "--ks", "1,2", "--json").out)
    tagger, data = Tagger.load(model), read(documents)
    by_hand = evaluate(data.Y, tagger.predict_topk(data.texts, 2), Y_train=data.Y, ks=(1, 2)).as_dict()
    assert {key: found[key] for key in by_hand} == by_hand
    with_file = json.loads(call("evaluate", model, documents, "--train", documents, "--ks", "1,2", "--json").out)
    assert with_file["values"] == found["values"]


def test_evaluate_counts_labels_that_the_model_never_saw(call, model, tmp_path):
    (tmp_path / "test.jsonl").write_text('{"text": "river lake rain", "labels": ["water", "air"]}\n')
    found = json.loads(call("evaluate", model, tmp_path / "test.jsonl", "--ks", "1,10", "--json").out)
    assert found["values"]["R@10"] == 0.5
    assert found["buckets"]["0-shot"]["labels"] == 1
    seen = json.loads(call("evaluate", model, tmp_path / "test.jsonl", "--ks", "10", "--seen-only", "--json").out)
    assert seen["values"]["R@10"] == 1


def test_evaluate_with_intervals_prints_them(call, documents, model):
    done = call("evaluate", model, documents, "--bootstrap", 20)
    assert "95% intervals" in done.out
    assert "[" in done.out


def test_evaluate_compares_models_of_other_labels(call, documents, model, tmp_path):
    (tmp_path / "few.jsonl").write_text("".join(documents.read_text().splitlines(True)[:6]))
    call("train", tmp_path / "few.jsonl", "--out", tmp_path / "weak", "-q")
    found = json.loads(call("evaluate", model, documents, "--compare", tmp_path / "weak", "--json").out)
    assert found["bootstrap"] == 1000
    recall = found["differences"]["R@5"]
    assert recall["a"] > recall["b"]
    data, weak = read(documents), Tagger.load(tmp_path / "weak")
    truth = align(data, weak.label_names_)
    alone = evaluate(truth.Y, weak.predict_topk(data.texts, 3), ks=(3,))
    assert found["differences"]["R@3"]["b"] == pytest.approx(alone["R@3"])


def test_inspect_tells_sizes_levels_and_settings(call, model):
    tagger = Tagger.load(model)
    facts = json.loads(call("inspect", model, "--json").out)
    assert facts["n_labels"] == len(tagger.label_names_) == facts["levels"][-1]["nodes"]
    assert facts["n_documents"] == 60
    assert facts["n_weights"] == sum(level.n_weights for level in tagger.model_.search_.levels)
    assert facts["frequent"][0][1] == 20
    assert facts["settings"]["model"]["branching"] == 64
    assert (facts["format"], facts["model"], facts["vectorizer"]) == (FORMAT, "XRLinear", "Tfidf")
    text = call("inspect", model).out
    for words in ("XRLinear, features by Tfidf", "most frequent labels", "leaves", "branching"):
        assert words in text


def test_inspect_shows_the_features_of_a_label(call, documents, tmp_path):
    call("train", documents, "--out", tmp_path / "m", "--max-leaf", 2, "--branching", 2, "-q")
    card = json.loads(call("inspect", tmp_path / "m", "--label", "water", "--json").out)
    tagger = Tagger.load(tmp_path / "m")
    [sense] = card["senses"]
    path = sense["path"]
    assert [step["level"] for step in path] == list(range(tagger.model_.tree_.depth))
    assert path[-1]["labels"] == 1
    assert [step["labels"] for step in path] == sorted((step["labels"] for step in path), reverse=True)
    leaf, bottom = path[-1]["node"], tagger.model_.tree_.depth - 1
    assert tagger.label_names_[tagger.model_.tree_.leaf_labels[leaf]] == "water"
    column = tagger.model_.search_.weights(bottom).matrix()[:, leaf].toarray().ravel()
    name, weight = path[-1]["features"][0]
    assert name == tagger.vectorizer_.get_feature_names_out()[column.argmax()]
    assert weight == pytest.approx(column.max(), abs=1e-4)
    assert "path from the top" in call("inspect", tmp_path / "m", "--label", "water").out


def test_inspect_says_names_with_line_breaks_on_one_line(call, tmp_path):
    names = ["water\nclean", "roads\r\nand\tcars", "wells"]
    lines = [json.dumps({"text": f"{name} of {k}", "labels": [name]}) for name in names for k in range(4)]
    (tmp_path / "odd.jsonl").write_text("\n".join(lines))
    call("train", tmp_path / "odd.jsonl", "--out", tmp_path / "m", "-q")
    assert "  water clean      4 documents\n" in call("inspect", tmp_path / "m").out
    out = call("inspect", tmp_path / "m", "--label", "roads\r\nand\tcars").out
    assert out.startswith("roads  and cars (label ") and "water clean" in out


def test_a_bare_model_is_asked_by_label_numbers(call, tmp_path):
    X = np.eye(4, dtype=np.float32)
    XRLinear(threads=1).fit(X, X).save(tmp_path / "bare")
    np.savez(tmp_path / "x.npz", X=X)
    sp.save_npz(tmp_path / "rows.npz", sp.csr_matrix(X))
    done = call("predict", tmp_path / "bare", tmp_path / "rows.npz", "-k", 1)
    assert [json.loads(line)["labels"][0]["label"] for line in done.out.splitlines()] == ["0", "1", "2", "3"]
    assert "most frequent labels" not in call("inspect", tmp_path / "bare").out


def test_convert_keeps_texts_and_labels(call, documents, tmp_path):
    table = tmp_path / "table.csv.gz"
    into = ("--target-text", "title", "--target-labels", "tags", "--target-separator", ";")
    assert call("convert", documents, table, *into).code == 0
    back = tmp_path / "back.jsonl"
    assert call("convert", table, back, "--text", "title", "--labels", "tags", "--separator", ";").code == 0
    before, after = read(documents), read(back)
    assert list(before.texts) == list(after.texts)
    assert (before.Y != after.Y).nnz == 0
    assert list(before.label_names) == list(after.label_names)


def test_fields_can_be_named(call, tmp_path):
    (tmp_path / "books.csv").write_text("title,sub,subjects\n" + "big river,of rain,a;b\nhot fire,of wood,c\n" * 3)
    fields = ("--text", "title,sub", "--separator", ";")
    done = call("train", tmp_path / "books.csv", *fields, "--labels", "subjects", "--out", tmp_path / "m", "--json")
    assert json.loads(done.out)["labels"] == 3
    predicted = call("predict", tmp_path / "m", tmp_path / "books.csv", "--text", "title,sub", "-k", 1)
    assert len(predicted.out.splitlines()) == 6


def test_odd_data_are_kept_and_noted(call, tmp_path):
    Path(tmp_path / "odd.jsonl").write_text(
        '{"text": "red rose", "labels": ["x"]}\n{"text": "red rose", "labels": []}\n{"text": "", "labels": ["x"]}\n'
    )
    done = call("train", tmp_path / "odd.jsonl", "--out", tmp_path / "m")
    assert done.code == 0
    assert "1 of 3 documents have no label" in done.err
    assert "1 of 3 documents have no text" in done.err
    assert "only one label, 'x'" in done.err
