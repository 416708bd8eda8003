"""``ramify train DIR --memory SIZE``: the same model as in memory, and one sentence for what cannot be done."""

import gzip
import json
import re
import resource
import signal
import time
from pathlib import Path

import pytest
from cli_tools import ramify_process

from ramify.data import read_shards
from ramify.data import shards as shards_of_texts
from ramify.errors import InputError
from ramify.scale import limited
from ramify.spill import Spill
from ramify.strings import StringTable

TOPICS = {"water": "river lake rain flood", "fire": "flame smoke heat burn", "earth": "soil stone clay sand"}


def lines_of(n):
    topics = list(TOPICS.items())
    for number in range(n):
        name, words = topics[number % 3]
        yield json.dumps({"text": f"{words} word{number % 40}", "labels": [name, f"{name} {number % 30}"]})


@pytest.fixture
def shards(tmp_path):
    """A directory of three shards and the file of all their lines."""
    lines = list(lines_of(300))
    (tmp_path / "all.jsonl").write_text("\n".join(lines) + "\n")
    folder = tmp_path / "shards"
    folder.mkdir()
    (folder / "a.jsonl").write_text("\n".join(lines[:120]) + "\n")
    (folder / "b.jsonl").write_text("")
    (folder / "c.jsonl.gz").write_bytes(gzip.compress(("\n".join(lines[120:]) + "\n").encode()))
    (folder / "_SUCCESS").write_text("")
    return folder


def contents(model: Path):
    return {path.name: path.read_bytes() for path in model.iterdir()}


def test_the_model_has_the_bytes_of_a_training_in_memory(call, shards, tmp_path):
    assert call("train", tmp_path / "all.jsonl", "--out", tmp_path / "m", "--calibrate", "no").code == 0
    wanted = contents(tmp_path / "m")
    for name, arguments in {"n": (), "o": ("--memory", "500MB"), "p": ("--memory", "0.5 GiB")}.items():
        done = call("train", shards, "--out", tmp_path / name, "--calibrate", "no", *arguments)
        assert done.code == 0, done.err
        assert contents(tmp_path / name) == wanted
    done = call("train", tmp_path / "all.jsonl", "--out", tmp_path / "q", "--memory", "500MB")
    assert done.code == 0, done.err
    assert contents(tmp_path / "q") == wanted
    assert len(list(shards.iterdir())) == 4


@pytest.fixture
def corpora(tmp_path):
    """The same 120 documents as corpora of Annif: a directory of texts, and files."""
    folder = tmp_path / "folder"
    folder.mkdir()
    tsv, csv, jsonl = [], ["text,subject_uris"], []
    for number, line in enumerate(lines_of(120)):
        text, (first, second) = json.loads(line).values()
        uris = [f"http://x/{name}".replace(" ", "-") for name in (first, second)]
        (folder / f"{number:03}.txt").write_text(text)
        (folder / f"{number:03}.tsv").write_text("".join(f"<{uri}>\t{uri[-5:]}\n" for uri in uris))
        tsv.append(f"{text}\t{' '.join(f'<{uri}>' for uri in uris)}")
        csv.append(f"{text},{' '.join(f'<{uri}>' for uri in uris)}")
        jsonl.append(json.dumps({"text": text, "subjects": [{"uri": uri} for uri in uris]}))
    for name, lines in {"c.tsv": tsv, "c.csv": csv, "c.jsonl": jsonl}.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    return tmp_path


def test_corpora_of_annif_give_the_model_of_a_training_in_memory(call, corpora):
    assert call("train", corpora / "c.tsv", "--out", corpora / "m", "--calibrate", "no").code == 0
    wanted = contents(corpora / "m")
    for name in ("folder", "c.tsv", "c.csv", "c.jsonl"):
        done = call("train", corpora / name, "--out", corpora / "n", "--calibrate", "no", "--memory", "1GB")
        assert done.code == 0, done.err
        assert contents(corpora / "n") == wanted, name


def test_shards_of_a_corpus_of_annif_are_read(call, corpora):
    lines = (corpora / "c.tsv").read_text().splitlines(keepends=True)
    (corpora / "shards").mkdir()
    plain = ["words of no subject\t\n", "more words\t\n"]
    (corpora / "c.tsv").write_text("".join([*lines[:50], *plain, *lines[50:], *plain]))
    parts = {"0.tsv": ["\n"], "a.tsv": lines[:50], "b.tsv": [], "b2.tsv": plain, "c.tsv": lines[50:], "d.tsv": plain}
    for name, part in parts.items():
        (corpora / "shards" / name).write_text("".join(part))
    for name, arguments in {"m": (), "n": ("--memory", "1GB")}.items():
        done = call("train", corpora / "shards", "--out", corpora / name, "--calibrate", "no", *arguments)
        assert done.code == 0, done.err
    assert call("train", corpora / "c.tsv", "--out", corpora / "o", "--calibrate", "no").code == 0
    assert contents(corpora / "m") == contents(corpora / "n") == contents(corpora / "o")


def test_files_with_a_header_beside_a_corpus_of_annif_keep_their_form(tmp_path):
    (tmp_path / "0.tsv").write_text("nothing here\t\n")
    (tmp_path / "1.tsv").write_text("text\tlabels\nlake\twater|rain\n")
    (tmp_path / "2.tsv").write_text("flame\t<http://x/fire>\n")
    dataset = read_shards(tmp_path)
    assert list(dataset.texts) == ["nothing here", "lake", "flame"]
    assert list(dataset.label_names) == ["http://x/fire", "rain", "water"]
    (tmp_path / "2.tsv").unlink()
    with pytest.raises(InputError, match=r"0\.tsv:1: "):  # without a corpus, the line is a header
        read_shards(tmp_path)


def test_long_texts_are_written_before_there_are_many(tmp_path, monkeypatch):
    lines = [json.dumps({"text": f"{number} {'word ' * 200}", "labels": ["x"]}) for number in range(100)]
    (tmp_path / "all.jsonl").write_text("\n".join(lines))
    sizes = []
    of = StringTable.of
    monkeypatch.setattr(StringTable, "of", lambda texts: sizes.append(len(texts)) or of(texts))
    monkeypatch.setattr(shards_of_texts, "BLOCK_CHARACTERS", 10_000)
    dataset = read_shards(tmp_path / "all.jsonl", spill=Spill(tmp_path))
    assert sizes == [10] * 10 + [0]
    assert list(dataset.texts) == [json.loads(line)["text"] for line in lines]


@pytest.mark.parametrize("arguments", [(), ("--memory", "1GB")])
def test_empty_files_of_a_directory_are_left_out_with_a_note(call, refused, tmp_path, arguments):
    folder = tmp_path / "parts"
    folder.mkdir()
    train = ("train", folder, "--out", tmp_path / "m", "--calibrate", "no", *arguments)
    (folder / "part-0.csv").write_text("")
    (folder / "part-1.jsonl").write_text("")
    (folder / "part-2.csv.gz").write_bytes(gzip.compress(b""))
    (folder / "part-3.parquet").write_text("")
    (folder / "part-4.jsonl.gz").write_text("")
    assert "parts: holds no documents: give at least one" in refused(*train)
    (folder / "part-5.csv").write_text("text,labels\n" + "".join(f"word{n % 9} lake,l{n % 9}\n" for n in range(90)))
    done = call(*train)
    assert done.code == 0, done.err
    assert f"note: 5 of 6 files in {folder} are empty and left out, the first is part-0.csv\n" in done.err
    (folder / "part-6.csv").write_text("text,labels\n")  # a header only
    assert "part-0.csv: has no header" in refused("train", folder / "part-0.csv", "--out", tmp_path / "n", *arguments)
    for number in (1, 2, 3, 4):
        next(folder.glob(f"part-{number}.*")).unlink()
    (folder / "part-0.csv").write_text(" \n")  # a blank line
    done = call(*train)
    assert done.code == 0, done.err
    assert f"note: 1 of 3 files in {folder} is empty and left out: part-0.csv\n" in done.err


def test_parquet_shards_give_the_same_model(call, shards, tmp_path):
    pytest.importorskip("pyarrow", reason="needs the extra data")
    folder = tmp_path / "parquet"
    folder.mkdir()
    assert call("convert", shards / "a.jsonl", folder / "a.parquet").code == 0
    assert call("convert", shards / "c.jsonl.gz", folder / "b.parquet").code == 0
    for name, source, arguments in (("m", tmp_path / "all.jsonl", ()), ("n", folder, ("--memory", "500MB"))):
        assert call("train", source, "--out", tmp_path / name, "--calibrate", "no", *arguments).code == 0
    assert contents(tmp_path / "m") == contents(tmp_path / "n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--memory", "4XB"), "--memory is '4XB', but must be a size such as 4GB or 500MB"),
        (("--memory", "0"), "--memory is '0', but must be a size such as 4GB or 500MB"),
        (("--memory", "50MB"), "the limit of memory is 50 MB, but libraries and buffers need about 200 MB"),
        (("--memory", "4"), "--memory is '4', which is 4 bytes: add a unit, as in 4GB"),
        (("--memory", "4KB"), "the limit of memory is 4,000 bytes, but libraries and buffers need about 200 MB"),
        (("--memory", "1GB", "--holdout", "0.1"), "--holdout and --memory are both given"),
        (("--memory", "1GB", "--calibrate", "yes"), "--calibrate and --memory are both given"),
        (("--memory", "1GB", "--model", "partitioned"), "Partitioned needs all data in memory: use --model xr-linear"),
        (("--memory", "1GB", "--preset", "best"), "Blend needs all data in memory: use --preset default, or leave it"),
        (("--memory", "1GB", "--copies", "2"), "(Disentangled) need all data in memory: leave --copies out"),
        (("--memory", "1GB", "--trees", "2"), "several trees (Ensemble) need all data in memory: leave --trees out"),
        (("--memory", "1GB", "--vectorizer", "hashing"), "Hashing needs all data in memory: use --vectorizer tfidf"),
        (("--memory", "1GB", "--vectorizer", "tfidf+static"), "Concatenated needs all data in memory: use --vectori"),
        (("--memory", "1GB", "--group", "text"), "group is 'text', but rows of shards are not joined"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(refused, shards, tmp_path, arguments, sentence):
    assert sentence in refused("train", shards, "--out", tmp_path / "m", "-q", *arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.jsonl", "shards"]


def test_a_limit_that_is_too_small_is_refused_before_data_are_read(refused, tmp_path):
    sentence = refused("train", tmp_path / "absent.jsonl", "--out", tmp_path / "m", "--memory", "200MB")
    assert sentence.endswith("need about 200 MB before any data: give at least 250 MB")


def test_a_limit_that_the_labels_exceed_is_refused_before_features_are_made(refused, shards, tmp_path, monkeypatch):
    monkeypatch.setattr(limited, "FIXED_BYTES", 10**9)
    monkeypatch.setattr("ramify.tagger.Tagger.fit_dataset", lambda *_, **__: pytest.fail("the training has begun"))
    sentence = refused("train", shards, "--out", tmp_path / "m", "--memory", "300MB", "-q")
    assert "the training needs at least 1,143 MB of memory, but the limit is 300 MB: raise the limit" in sentence


def test_a_folder_in_memory_is_noted(call, shards, tmp_path, monkeypatch):
    monkeypatch.setattr(Spill, "in_memory", "tmpfs")
    done = call("train", shards, "--out", tmp_path / "m", "--calibrate", "no", "--memory", "1GB")
    assert done.code == 0, done.err
    assert f"note: the folder {tmp_path} is in memory (tmpfs), so the files of the training count as memory" in done.err
    monkeypatch.setattr(Spill, "in_memory", None)
    assert "tmpfs" not in call("train", shards, "--out", tmp_path / "m", "--calibrate", "no", "--memory", "1GB").err


def test_damaged_shards_are_named_with_file_and_line(refused, shards, tmp_path):
    train = ("train", shards, "--out", tmp_path / "m", "-q", "--memory", "1GB")
    with (shards / "a.jsonl").open("a") as file:
        file.write('{"text": 3, "labels": ["x"]}\n')
    assert "a.jsonl:121: the text is 3, but must be a string" in refused(*train)
    (shards / "a.jsonl").write_text('{"text": "a"')
    assert "a.jsonl:1: is no JSON object" in refused(*train)
    (shards / "a.jsonl").write_text("")
    whole = (shards / "c.jsonl.gz").read_bytes()
    (shards / "c.jsonl.gz").write_bytes(whole[:-20])
    assert "c.jsonl.gz: the gzip data breaks off" in refused(*train)
    (shards / "c.jsonl.gz").unlink()
    assert "shards: holds no documents" in refused(*train)
    (shards / "notes.md").write_text("x")
    sentence = "notes.md: is no file of texts, as all files of a data directory must be: name it .jsonl, .csv, .tsv, "
    assert refused(*train).endswith(f"{sentence}.parquet")
    assert not (tmp_path / "m").exists()


def test_an_empty_directory_and_features_are_refused(refused, tmp_path):
    (tmp_path / "none").mkdir()
    assert "none: holds no files" in refused("train", tmp_path / "none", "--out", tmp_path / "m")
    (tmp_path / "x.txt").write_text("1 2 1\n0 0:1\n")
    sentence = refused("train", tmp_path / "x.txt", "--out", tmp_path / "m", "--memory", "1GB")
    assert "holds features, but only texts are read in parts" in sentence


@pytest.mark.parametrize("n_documents", [3000, 6000])  # after reading, and while texts are read
def test_a_full_disk_leaves_nothing(tmp_path, n_documents):
    (tmp_path / "all.jsonl").write_text("\n".join(lines_of(n_documents)) + "\n")
    process = ramify_process(["train", "all.jsonl", "--out", "m", "-q", "--memory", "1GB"], tmp_path)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (50_000, 50_000))
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert err.startswith(f"ramify: the folder {tmp_path} cannot hold ")
    assert re.search(r"[\d,]+ more bytes of the training \(File too large; [\d,]+ bytes are free\): free space", err)
    assert "or use another folder (ramify train --memory: --out on another disk)" in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["all.jsonl"]


def spilled(pid):
    """Whether a process has files without names open, in which a training within a limit keeps its arrays."""
    try:
        return any("(deleted)" in str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def test_ctrl_c_leaves_no_files(tmp_path):
    (tmp_path / "all.jsonl").write_text("\n".join(lines_of(60_000)) + "\n")
    process = ramify_process(["train", "all.jsonl", "--out", "m", "--memory", "1GB"], tmp_path)
    while process.poll() is None and not spilled(process.pid):
        time.sleep(0.002)
    assert process.poll() is None
    assert [path.name for path in tmp_path.iterdir()] == ["all.jsonl"]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert [path.name for path in tmp_path.iterdir()] == ["all.jsonl"]
