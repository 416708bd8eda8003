"""What is written takes a file's place whole; what is no regular file is written to; inputs are never replaced."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import ramify
from ramify.data import convert, read, refuse_same_file, write
from ramify.data.streams import writing
from ramify.errors import DataFileError, InputError
from ramify.values import Dataset

DATASET = Dataset(
    Y=sp.csr_matrix(np.eye(2, dtype=np.float32)),
    label_names=["x", "y"],
    texts=["one", "two"],
    X=sp.csr_matrix(np.eye(2, dtype=np.float32)),
)
SOURCE = str(Path(ramify.__file__).parents[1])
FORMATS = ["d.jsonl", "d.jsonl.gz", "d.csv", "d.tsv", "d.parquet", "d.txt", "d.npz"]


@pytest.mark.parametrize("name", FORMATS)
def test_a_fifo_reader_gets_the_bytes(tmp_path, name):
    if name == "d.parquet":
        pytest.importorskip("pyarrow")
    (tmp_path / "copy").mkdir()
    fifo, copy = tmp_path / name, tmp_path / "copy" / name
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: copy.write_bytes(fifo.read_bytes()), daemon=True)
    reader.start()
    write(DATASET, fifo)
    reader.join(30)
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    np.testing.assert_array_equal(read(copy).Y.toarray(), DATASET.Y.toarray())


def test_a_device_stays_a_device(tmp_path):
    null = tmp_path / "null.jsonl"
    try:
        os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except OSError:
        null.symlink_to(os.devnull)
    try:
        write(DATASET, null)
    except DataFileError:  # a file system without devices
        pytest.skip("no devices here")
    assert stat.S_ISCHR(null.stat().st_mode)
    assert [one.name for one in tmp_path.iterdir()] == ["null.jsonl"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_device_gets_its_sentence(tmp_path):
    (tmp_path / "full.jsonl").symlink_to("/dev/full")
    with pytest.raises(DataFileError, match=r"full\.jsonl: cannot be written .No space left on device"):
        write(DATASET, tmp_path / "full.jsonl")


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no /dev/fd")
@pytest.mark.parametrize("target", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
@pytest.mark.parametrize("mode", ["pipe", "append"])
def test_own_descriptors_are_written_to(tmp_path, target, mode):
    if target == "link":
        (tmp_path / "link").symlink_to("/dev/stdout")
    kept = tmp_path / "kept.txt"
    kept.write_text("before\n")
    code = "from pathlib import Path; from ramify.data.streams import writing\n"
    code += f"with writing(Path({target!r})) as stream: stream.write(b'new')"
    environment = os.environ | {"PYTHONPATH": SOURCE}
    with kept.open("ab") as stream:
        stdout = stream if mode == "append" else subprocess.PIPE
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, stdout=stdout, check=True)
    assert (kept.read_bytes(), done.stdout) == ((b"before\nnew", None) if mode == "append" else (b"before\n", b"new"))


def test_a_broken_link_leads_to_the_new_file(tmp_path):
    (tmp_path / "link.jsonl").symlink_to("real.jsonl")
    write(DATASET, tmp_path / "link.jsonl")
    assert (tmp_path / "link.jsonl").is_symlink() and not (tmp_path / "real.jsonl").is_symlink()
    write(DATASET, tmp_path / "link.jsonl")
    assert read(tmp_path / "real.jsonl").texts == ["one", "two"]
    (tmp_path / "a.jsonl").symlink_to("b.jsonl")
    (tmp_path / "b.jsonl").symlink_to("a.jsonl")
    with pytest.raises(DataFileError, match="cannot be written"):
        write(DATASET, tmp_path / "a.jsonl")


def test_directories_and_model_directories_are_refused_before_anything_is_written(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.json").write_text(json.dumps({"format": 1, "ramify": "0.1.0", "class": "Tagger"}))
    other = tmp_path / "other"
    other.mkdir()
    (other / "model.json").write_text('{"xgboost": 1}')
    pipe = tmp_path / "pipe"
    pipe.mkdir()
    os.mkfifo(pipe / "model.json")
    for path, sentence in [(model / "d.jsonl", "into the directory of a model"), (model, "it is a directory")]:
        with pytest.raises(DataFileError, match=f"cannot be written .*{sentence}"), writing(path):
            pytest.fail("nothing may be written")
    write(DATASET, other / "d.jsonl")
    write(DATASET, pipe / "d.jsonl")
    assert [one.name for one in model.iterdir()] == ["model.json"]


def spellings(folder: Path) -> list[str]:
    (folder / "sub").mkdir()
    os.link(folder / "d.jsonl", folder / "hard.jsonl")
    (folder / "soft.jsonl").symlink_to("d.jsonl")
    names = ["d.jsonl", "./d.jsonl", "sub/../d.jsonl", "hard.jsonl", "soft.jsonl"]
    return [f"{folder}/{name}" for name in names]


def test_an_input_is_no_output(tmp_path):
    write(DATASET, tmp_path / "d.jsonl")
    write(DATASET, tmp_path / "Y.npz")
    before = (tmp_path / "d.jsonl").read_bytes()
    for target in spellings(tmp_path):
        with pytest.raises(InputError, match="is both input and output: write to another file"):
            convert(tmp_path / "d.jsonl", target)
        with (tmp_path / "d.jsonl").open("rb") as stream, pytest.raises(InputError, match="both input and output"):
            refuse_same_file(target, None, "-", stream)
    with pytest.raises(InputError, match="both input and output"):
        refuse_same_file(tmp_path / "Y.npz", f"X.npz:{tmp_path / 'Y.npz'}")
    refuse_same_file(os.devnull, os.devnull)
    refuse_same_file(tmp_path / "new.jsonl", tmp_path / "d.jsonl", tmp_path / "absent", "nul\0")
    assert (tmp_path / "d.jsonl").read_bytes() == before


@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".parquet"])
def test_convert_keeps_ids_and_lists_what_it_leaves_out(tmp_path, kind):
    if kind == ".parquet":
        pytest.importorskip("pyarrow")
    lines = [
        {"id": 1, "text": "a", "labels": ["x"], "date": "2020"},
        {"id": 2, "text": "b", "labels": ["y"], "price": 3},
    ]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert convert(tmp_path / "d.jsonl", tmp_path / f"e{kind}") == ("date", "price")
    assert convert(tmp_path / f"e{kind}", tmp_path / "f.jsonl") == ()
    assert [str(one) for one in read(tmp_path / "f.jsonl").ids] == ["1", "2"]
    named = Dataset(Y=DATASET.Y, X=DATASET.X, label_names=["x", "y"])
    write(named, tmp_path / "d.npz")
    assert convert(tmp_path / "d.npz", tmp_path / "d.txt") == ("label names",)
    assert convert(tmp_path / "d.txt", tmp_path / "e.npz") == ()
