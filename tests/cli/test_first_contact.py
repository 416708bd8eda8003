"""What strangers do first: one text, other columns, label ids, feature files, spreadsheets, other languages."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from cli_tools import SOURCE, demo_script

import ramify
from ramify.cli.entry import INTERRUPTED, run

TEXT = "river lake rain flood"


def test_a_text_on_the_command_line_is_tagged(call, model):
    done = call("predict", model, TEXT, "-k", 2)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == f"> {TEXT}"
    assert len(lines) == 3
    assert lines[1].split()[1] == "water"
    asked = call("predict", model, "--ask", TEXT, "--ask", "smoke", "-k", 1, "--format", "jsonl")
    assert [json.loads(line)["labels"][0]["label"].split()[0] for line in asked.out.splitlines()] == ["water", "fire"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["smoke"], "there is no file 'smoke': check the path, or use --ask 'smoke'"),
        (["new.jsonl"], "new.jsonl: no such file"),
        (["a folder/new.csv"], "new.csv: no such file"),
        ([TEXT, "--ask", TEXT], "--ask is given: choose one"),
    ],
)
def test_what_is_neither_file_nor_text(arguments, words, refused, model):
    assert words in refused("predict", model, *arguments)


def test_the_extension_of_the_output_gives_its_format(call, documents, model, tmp_path):
    def written(name):
        assert call("predict", model, documents, "-k", 2, "--out", tmp_path / name).code == 0
        return (tmp_path / name).read_bytes()

    lines = [json.loads(line) for line in written("a.jsonl").splitlines()]
    assert gzip.decompress(written("a.jsonl.gz")) == (tmp_path / "a.jsonl").read_bytes()
    rows = [[str(one["id"]), tag["label"], str(tag["score"])] for one in lines for tag in one["labels"]]
    assert list(csv.reader(written("a.csv").decode().splitlines())) == [["id", "label", "score"], *rows]
    assert [line.split("\t") for line in written("a.tsv").decode().splitlines()] == rows
    parquet = pytest.importorskip("pyarrow.parquet")
    written("a.parquet")
    table = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert table == [{"id": str(one["id"]), "labels": one["labels"]} for one in lines]


def test_any_id_and_label_comes_back_from_a_table(call, refused, tmp_path):
    names = ["two\nlines", "a\rreturn", 'quote " and, comma', "half \ud83d of a pair"]
    texts = ["river lake", "smoke fire", "tax bank", "word text"]
    model, data = tmp_path / "m", tmp_path / "d.jsonl"
    ramify.Tagger(vectorizer=ramify.Tfidf(min_df=1)).fit(texts * 4, [[name] for name in names] * 4).save(model)
    data.write_text("".join(json.dumps({"id": f"{text}\n", "text": text}) + "\n" for text in texts))
    rows = [[f"{text}\n", name] for text, name in zip(texts, [*names[:3], "half \ufffd of a pair"], strict=True)]
    assert call("predict", model, data, "-k", 1, "--out", tmp_path / "a.csv").code == 0
    with (tmp_path / "a.csv").open(newline="") as file:
        assert [row[:2] for row in csv.reader(file)] == [["id", "label"], *rows]
    parquet = pytest.importorskip("pyarrow.parquet")
    assert call("predict", model, data, "-k", 1, "--out", tmp_path / "a.parquet").code == 0
    table = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert [[row["id"], row["labels"][0]["label"]] for row in table] == rows
    packed = tmp_path / "a.parquet.gz"
    assert "file without .gz" in refused("predict", model, data, "--out", packed)
    assert not packed.exists()


def test_an_empty_id_counts_as_none(call, model, tmp_path):
    (tmp_path / "d.csv").write_text(f"id,text\n,{TEXT}\nb,{TEXT}\n")
    done = call("predict", model, tmp_path / "d.csv", "-k", 1, "--format", "csv")
    assert [line.split(",")[0] for line in done.out.splitlines()] == ["id", "1", "b"]


def test_predictions_never_replace_their_input(refused, documents, model, tmp_path):
    data = tmp_path / "new.jsonl"
    data.write_bytes(documents.read_bytes())
    (tmp_path / "link.jsonl").symlink_to(data)
    names = tmp_path / "names.csv"
    names.write_text("water\n")
    assert "both input and output" in refused("predict", model, data, "--out", data)
    assert "both input and output" in refused("predict", model, data, "--out", tmp_path / "link.jsonl")
    assert "both input and output" in refused("predict", model, data, "--allow", names, "--out", names)
    with data.open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-m", "ramify", "predict", str(model), "-", "--out", str(data)],
            stdin=file, capture_output=True, env=os.environ | {"PYTHONPATH": str(SOURCE)}, check=False, timeout=60,
        )  # fmt: skip
    assert (done.returncode, b"both input and output" in done.stderr) == (2, True)
    assert data.read_bytes() == documents.read_bytes()


BAD = '{"text": "river lake"}\n{"text": 3}\nno json\n{"text": "smoke"}\n'


def test_answers_before_a_bad_line_are_given(call, model):
    done = call("predict", model, "-", "-k", 1, stdin=BAD)
    assert done.code == 2
    assert len(done.out.splitlines()) == 1
    assert ":2:" in done.err


def test_bad_lines_can_be_skipped(call, model):
    done = call("predict", model, "-", "-k", 1, "--skip-bad", stdin=BAD)
    assert done.code == 0
    assert len(done.out.splitlines()) == 2
    assert "lines skipped: 2; the first: <stream>:2:" in done.err
    assert ":2:" in done.err


def test_k_beyond_the_labels_gives_all_of_them(call, documents, model):
    done = call("predict", model, documents, "-k", 99)
    assert done.code == 0
    assert len(json.loads(done.out.splitlines()[0])["labels"]) == len(ramify.load(model).label_names_)


def test_a_model_keeps_the_fields_of_its_training(call, documents, tmp_path):
    rows = [json.loads(line) for line in documents.read_text().splitlines()]
    with (tmp_path / "d.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["id", "body", "tags"], *([r["id"], r["text"], ";".join(r["labels"])] for r in rows)]
        )
    flags = ["--text", "body", "--labels", "tags", "--separator", ";"]
    assert call("train", tmp_path / "d.csv", "--out", tmp_path / "m", "-q", *flags).code == 0
    assert ramify.load(tmp_path / "m").fields_ == {"text": "body", "labels": "tags", "separator": ";"}
    done = call("predict", tmp_path / "m", tmp_path / "d.csv", "-k", 1)
    assert (done.code, len(done.out.splitlines())) == (0, len(rows))
    report = call("evaluate", tmp_path / "m", tmp_path / "d.csv", "--json")
    assert json.loads(report.out)["values"]["P@1"] == 1.0
    assert (
        call("predict", tmp_path / "m", documents, "-k", 1, "--text", "text").code == 0
    )  # the command line goes first


@pytest.fixture
def identified(documents, tmp_path):
    """Documents whose labels are identifiers, and a file of their names."""
    rows = [json.loads(line) for line in documents.read_text().splitlines()]
    names = sorted({label for row in rows for label in row["labels"]})
    ids = {name: f"p{number}" for number, name in enumerate(names)}
    lines = [json.dumps({**row, "labels": [ids[label] for label in row["labels"]]}) for row in rows]
    (tmp_path / "ids.jsonl").write_text("\n".join(lines))
    (tmp_path / "labels.jsonl").write_text("\n".join(json.dumps({"id": ids[name], "name": name}) for name in names))
    return tmp_path, ids


def test_label_ids_get_names(call, identified):
    folder, ids = identified
    data, model = folder / "ids.jsonl", folder / "m"
    assert call("train", data, "--names", folder / "labels.jsonl", "--out", model, "-q").code == 0
    done = call("predict", model, data, "-k", 2)
    for line in done.out.splitlines():
        assert all(ids[tag["label"]] == tag["key"] for tag in json.loads(line)["labels"])
    assert call("predict", model, data, "-k", 1, "--format", "csv").out.splitlines()[0] == "id,label,score,key"
    for names in ([], ["--names", folder / "labels.jsonl"]):  # the model has the names
        report = json.loads(call("evaluate", model, data, "--json", *names).out)
        assert report["values"]["P@1"] == 1.0
        assert report["n_labels"] == len(ids)
    (folder / "allowed.txt").write_text(f"{ids['fire']}\nwater\n")
    some = call("predict", model, data, "-k", 2, "--allow", folder / "allowed.txt")
    assert {tag["label"] for line in some.out.splitlines() for tag in json.loads(line)["labels"]} == {"fire", "water"}
    shown = call("inspect", model, "--label", ids["fire"], "--data", data)
    assert shown.out.startswith("fire (label")


def test_results_are_utf8_in_any_locale(tmp_path):
    texts = ["銀行の新しい税金", "川の魚と水質汚染"] * 6
    rows = [json.dumps({"text": text, "labels": ["税" if "税" in text else "魚"]}) for text in texts]
    (tmp_path / "d.jsonl").write_text("\n".join(rows), "utf-8")
    assert run(["train", str(tmp_path / "d.jsonl"), "--out", str(tmp_path / "m"), "-q", "--characters", "1,3"]) == 0
    for encoding in ("ascii", "latin-1"):
        environment = os.environ | {"PYTHONPATH": str(SOURCE), "PYTHONIOENCODING": encoding}
        done = subprocess.run(
            [sys.executable, "-m", "ramify", "predict", "m", "-", "--plain", "-k", "1"],
            input="銀行\n".encode(), capture_output=True, env=environment, cwd=tmp_path, check=False, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b"")
        assert json.loads(done.stdout.decode())["labels"][0]["label"] == "税"


def test_words_alone_of_scripts_without_blanks_get_a_note(call, tmp_path):
    rows = [json.dumps({"text": text, "labels": [text[0]]}) for text in ("銀行の新しい税金", "川の魚と水質汚染") * 6]
    (tmp_path / "d.jsonl").write_text("\n".join(rows), "utf-8")
    train = ("train", tmp_path / "d.jsonl", "--out", tmp_path / "m", "--calibrate", "no")
    words = ("--set", "vectorizer.runs=none", "--set", "vectorizer.min_df=1")
    assert "--characters 1,3" in call(*train, *words).err
    assert "--characters" not in call(*train, *words, "-q").err
    assert call(*train, *words, "--characters", "1,3").err == ""
    done = call(*train)
    assert done.err == ""
    assert "1-3 characters of runs" in done.out


def test_a_row_per_document_and_label_gets_a_note_and_can_be_grouped(call, documents, tmp_path):
    rows = [json.loads(line) for line in documents.read_text().splitlines()]
    long = [
        {"id": row["id"], "text": f"{row['text']} {row['id']}a", "labels": [x]} for row in rows for x in row["labels"]
    ]
    (tmp_path / "long.jsonl").write_text("\n".join(map(json.dumps, long)))
    done = call("train", tmp_path / "long.jsonl", "--out", tmp_path / "m")
    assert "60 different documents" in done.err
    assert "--group FIELD" in done.err
    done = call(
        "train", tmp_path / "long.jsonl", "--out", tmp_path / "m", "--group", "id", "--json", "--calibrate", "no"
    )
    assert (json.loads(done.out)["documents"], done.err) == (60, "")


def test_rows_of_feature_files_are_normalised_and_reported(call, tmp_path):
    rng = np.random.default_rng(0)
    lines = []
    for number in range(40):
        scale = 10 ** rng.uniform(-2, 2)
        features = {number % 4: scale, 4 + number % 3: 0.3 * scale}
        lines.append(f"{number % 4} " + " ".join(f"{name}:{value:.6g}" for name, value in sorted(features.items())))
    (tmp_path / "d.txt").write_text("\n".join([f"{len(lines)} 7 4", *lines]))
    done = call("train", tmp_path / "d.txt", "--out", tmp_path / "m", "--test", tmp_path / "d.txt")
    assert "40 of 40 to length 1 (--normalize no disables scaling)" in done.out
    as_json = json.loads(call("train", tmp_path / "d.txt", "--out", tmp_path / "m", "--json").out)
    assert as_json["normalized_rows"] == 40
    kept = json.loads(call("train", tmp_path / "d.txt", "--out", tmp_path / "m", "--json", "--normalize", "no").out)
    assert kept["normalized_rows"] == 0


def test_answers_to_features_can_be_read(call, tmp_path):
    (tmp_path / "d.txt").write_text("4 2 2\n0 0:1\n1 1:1\n0 0:2\n1 1:3\n")
    assert call("train", tmp_path / "d.txt", "--out", tmp_path / "m", "-q").code == 0
    done = call("predict", tmp_path / "m", tmp_path / "d.txt", "-k", 1, "--format", "text", "--batch", 3)
    lines = done.out.splitlines()
    assert lines[::2] == ["> document 1", "> document 2", "> document 3", "> document 4"]
    assert [line.split()[1] for line in lines[1::2]] == ["0", "1", "0", "1"]


def test_label_numbers_are_the_columns_of_a_model_with_names(call, tmp_path):
    (tmp_path / "d.txt").write_text("4 2 2\n0 0:1\n1 1:1\n0 0:2\n1 1:3\n")
    (tmp_path / "names.txt").write_text("zero\none\n")
    named = tmp_path / "named.npz"
    assert call("convert", tmp_path / "d.txt", named, "--names", tmp_path / "names.txt").code == 0
    assert call("train", named, "--out", tmp_path / "m", "-q").code == 0
    report = json.loads(call("evaluate", tmp_path / "m", tmp_path / "d.txt", "--ks", "1", "--json").out)
    assert report["values"]["P@1"] == 1.0
    shown = call("inspect", tmp_path / "m", "--label", "one", "--data", tmp_path / "d.txt")
    assert "example: document 2" in shown.out


def test_announced_sizes_cost_nothing(call, tmp_path):
    """Hashed features: a header of 2**31 - 1 features and 50,000,000 labels over four documents."""
    lines = ["4 2147483647 50000000", "7 5:1 2147483640:1", "49999999 9:1", "7 5:1", "49999999 9:2 11:1"]
    (tmp_path / "d.txt").write_text("\n".join(lines) + "\n")
    done = call("train", tmp_path / "d.txt", "--out", tmp_path / "m", "--json", "--threads", 1)
    facts = json.loads(done.out)
    assert (facts["labels"], facts["features"]) == (2, 4)
    assert facts["bytes"] < 20_000
    answers = [
        json.loads(line) for line in call("predict", tmp_path / "m", tmp_path / "d.txt", "-k", 1).out.splitlines()
    ]
    assert [one["labels"][0]["label"] for one in answers] == ["7", "49999999", "7", "49999999"]
    report = json.loads(call("evaluate", tmp_path / "m", tmp_path / "d.txt", "--ks", "1", "--json").out)
    assert report["values"]["P@1"] == 1.0


def test_documents_without_a_label_of_training_are_counted(call, model, tmp_path):
    rows = [{"text": TEXT, "labels": ["water"]}, {"text": TEXT, "labels": ["unheard of"]}]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done = call("evaluate", model, tmp_path / "t.jsonl")
    assert "\n1 document has no label that occurs in training: every prediction for it counts as wrong" in done.out
    done = call("evaluate", model, tmp_path / "t.jsonl", "--seen-only")
    assert "\n1 document has no label that occurs in training: it is left out" in done.out
    assert json.loads(call("evaluate", model, tmp_path / "t.jsonl", "--json").out)["n_unseen"] == 1
    compared = call("evaluate", model, tmp_path / "t.jsonl", "--compare", model, "--bootstrap", 10)
    assert "1 document has no label" in compared.out


def test_an_interrupt_within_an_import_is_an_interrupt(capsys, monkeypatch):
    def broken(options):
        raise ImportError("initialization failed")

    monkeypatch.setattr("ramify.cli.inspect.run", broken)
    assert run(["inspect", "m"], was_interrupted=lambda: True) == INTERRUPTED
    assert capsys.readouterr().err == "ramify: interrupted; no partial output is left\n"


def test_queries_piped_to_the_demo_are_answered(documents, tmp_path):
    script = demo_script(tmp_path, documents)
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "PYTHONIOENCODING": "utf-8"}
    queries = ((b"river lake\nsmoke burn\n", "ask> river lake"), (b"", "ask> read a csv file"), (b"\xff fire", "fire"))
    for piped, asked in queries:
        done = subprocess.run(
            [sys.executable, str(script)],
            input=piped, capture_output=True, env=environment, timeout=90, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b"")
        assert asked in done.stdout.decode()


def test_a_picture_appears_whole_or_not_at_all(refused, model, tmp_path, monkeypatch):
    target = tmp_path / "tree.svg"
    target.write_text("old")
    monkeypatch.setattr("ramify.data.streams.os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "full")))
    assert "tree.svg" in refused("inspect", model, "--draw", target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
@pytest.mark.parametrize(
    "command", ["predict m -", "predict m d.jsonl", "inspect m", "train d.jsonl --out n", "--help"]
)
def test_closed_streams_are_no_bug(closed, command, documents, model, tmp_path):
    (tmp_path / "m").symlink_to(model)
    (tmp_path / "d.jsonl").symlink_to(documents)
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    script = f"{sys.executable} -m ramify {command} {closed}"
    stdin = None if closed == "<&-" else subprocess.DEVNULL
    done = subprocess.run(
        script, shell=True, stdin=stdin, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "bug" not in done.stderr
