"""The demo's data: calls are read right from sources, cached safely, and plentiful on this installation."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from ramify.demo import demo_dataset, documents
from ramify.demo.api_calls import read_module
from ramify.demo.api_names import public_names
from ramify.errors import InputError

SOURCE = b'''
import numpy as np, os.path
from .core import helper as assist, _hidden
from ..other import *
try:
    import fast as engine
except ImportError:
    import slow as engine

def readCSVFile(path, callback):
    """Read a ``comma-separated`` file,
    row by row.

    Parameters
    ----------
    path : str
    """
    import json as notation
    rows = np.asarray(notation.load(open(os.path.join(path))))
    assist(rows); _hidden(); engine.run(); unknown(); len(rows)
    callback(rows)
    rows.append(", ".join(rows))
    raise ValueError(np.wrong())

class Reader:
    """Reads."""
    @np.decorated()
    def next_line(self):
        """Give the next line."""
        self.close()
        return readCSVFile(self.path, self.other())
    def close(self):
        np.zeros(1)
    def silent(self):
        """Parameters
        ----------
        """
'''


def test_calls_are_written_out_through_imports():
    module = read_module(SOURCE, "pack.sub.mod")
    functions = {function.name: function for function in module.functions}
    assert list(functions) == ["pack.sub.mod.readCSVFile", "pack.sub.mod.Reader", "pack.sub.mod.Reader.next_line"]
    reading = functions["pack.sub.mod.readCSVFile"]
    assert reading.text == "read csv file: Read a comma-separated file, row by row."
    assert reading.calls == ("fast.run", "json.load", "numpy.asarray", "open", "os.path.join", "pack.sub.core._hidden",
                             "pack.sub.core.helper", "str.join")  # fmt: skip
    following = functions["pack.sub.mod.Reader.next_line"]
    assert following.text == "reader next line: Give the next line."
    assert following.calls == ("pack.sub.mod.Reader.close", "pack.sub.mod.readCSVFile")
    assert functions["pack.sub.mod.Reader"].calls == (*sorted(("numpy.zeros", *following.calls)),)
    assert module.star_imports == ["pack.other"]


def test_relative_imports_start_from_a_package_itself():
    module = read_module(b"from . import a\nfrom .b import c\nfrom .. import d", "pack.sub", is_package=True)
    assert module.aliases == {"a": "pack.sub.a", "c": "pack.sub.b.c", "d": "pack.d"}


@pytest.mark.parametrize("source", [b"def f(:", b"\0", b"\xff\xfe", b"x = '\\d'", b"(" * 5000, b""])
def test_sources_that_do_not_parse_give_nothing(source):
    assert read_module(source, "broken").functions == []


def test_spellings_become_the_public_name():
    modules = {
        "p": read_module(b"from ._core import f, Thing\nfrom .star import *", "p", is_package=True),
        "p._core": read_module(b"def f(): ...\ndef hidden(): ...\nclass Thing: ...", "p._core"),
        "p.star": read_module(b"def g(): ...", "p.star"),
        "user": read_module(b"from p._core import hidden as shown", "user"),
    }
    spellings = Counter({"p.f": 1, "p._core.f": 9, "p.star.g": 3, "p._core.hidden": 2, "user.shown": 1,
                         "p._core.Thing.run": 2, "time.time": 4, "_csv.reader": 1, "p._core._private": 1})  # fmt: skip
    assert public_names(modules, spellings) == {
        "p.f": "p.f",
        "p._core.f": "p.f",
        "p.star.g": "p.g",
        "p._core.hidden": "user.shown",
        "user.shown": "user.shown",
        "p._core.Thing.run": "p.Thing.run",
        "time.time": "time.time",
    }


def test_circular_imports_end():
    modules = {"a": read_module(b"from b import x", "a"), "b": read_module(b"from a import x", "b")}
    assert public_names(modules, Counter({"a.x": 2, "b.x": 1}))["b.x"] in ("a.x", "b.x")


def test_no_sources_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="no sources of documented functions"):
        documents.build_demo([("gone", tmp_path / "gone.py")])


@pytest.fixture
def few_sources(monkeypatch, tmp_path):
    """A small library in place of the installation, and an empty cache."""
    function = 'def f{0}(x):\n    """Number {0} of all."""\n    os.stat(x); os.path.join(x); {1}(x)\n'
    body = "".join(function.format(i, "os.stat" if i % 2 else "open") for i in range(40))
    path = tmp_path / "lib.py"
    path.write_text("import os\n" + body)
    monkeypatch.setattr(documents, "source_files", lambda: [("lib", path)])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def contents(parts):
    return [(part.texts, [part.labels_of(row) for row in range(len(part))]) for part in parts]


def test_cache_is_used_and_a_damaged_one_is_rebuilt(few_sources, monkeypatch):
    calls = []
    fresh = contents(demo_dataset(progress=lambda done, total: calls.append((done, total))))
    assert calls == [(1, 1)]
    (cached,) = (few_sources / "cache" / "ramify").iterdir()
    assert contents(demo_dataset(progress=lambda *_: calls.append("again"))) == fresh
    assert calls == [(1, 1)]
    whole = cached.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"nonsense"):
        cached.write_bytes(damaged)
        assert contents(demo_dataset()) == fresh
        assert cached.read_bytes() == whole
    monkeypatch.setattr(documents, "FORMAT", documents.FORMAT + 1)
    demo_dataset()
    assert len(list(cached.parent.iterdir())) == 2


def test_unwritable_cache_is_no_obstacle(few_sources):
    fresh = contents(demo_dataset(cache=False))
    assert not (few_sources / "cache").exists()
    (few_sources / "cache").write_text("a file where the directory should be")
    assert contents(demo_dataset()) == fresh


def test_this_installation_gives_thousands_of_documents_and_labels(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    train, test = demo_dataset()
    assert len(train) + len(test) >= 8000 and train.n_labels >= 3000
    counts = np.bincount(train.Y.indices, minlength=train.n_labels)
    assert counts[np.unique(test.Y.indices)].min() >= 1
    assert np.mean(counts <= 5) > 0.5, "no long tail"
    assert {"csv.reader", "numpy.asarray", "os.path.join", "json.loads", "open"} <= set(train.label_names)
    assert all(text.partition(": ")[2] for text in train.texts)


def test_descriptions_have_the_function_as_label_and_uses_the_rarer_calls(tmp_path):
    path = tmp_path / "lib.py"
    path.write_text(
        "import os, json\n"
        + "".join(f'def f{i}(x):\n    """Number {i}."""\n    json.dumps(x); os.{"stat" if i % 2 else "lstat"}(x)\n'
                  for i in range(2 * documents.MOST_CALLERS))
    )  # fmt: skip
    found = documents.build_demo([("lib", path)])
    rows = {}
    for row, function in enumerate(found.ids):
        rows.setdefault(function, []).append((found.texts[row], found.labels_of(row)))
    assert rows["math.gcd"] == [("math gcd: Greatest Common Divisor.", ["math.gcd"])]
    assert rows["lib.f3"] == [("f 3: Number 3.", ["os.stat"])]
    whole, sentence = rows["json.dumps"]
    assert whole[0].startswith(sentence[0]) and whole[1] == sentence[1] == ["json.dumps"]


def test_held_out_documents_are_uses_by_functions_that_are_no_labels(few_sources):
    train, test = demo_dataset()
    assert len(test) >= 4
    assert not set(test.ids) & set(train.label_names)
    assert not set(test.texts) & set(train.texts)
