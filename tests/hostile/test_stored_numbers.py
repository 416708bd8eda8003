"""Numbers of a model directory are compared with the arrays at hand before memory is taken by them."""

import tracemalloc

import numpy as np
import pytest
from tampering import LABELS, TEXTS

import ramify
from ramify import Partitioned, Tagger, Tfidf, XRLinear
from ramify.errors import InputError, ModelFileError
from ramify.models import CosineRanker, DenseNeighbours, MixedRanker
from ramify.store import StoredModel, save_model
from ramify.strings import StringTable
from ramify.testing.values import planted_clusters

PROBLEM = planted_clusters(4, 3)
CONFIG, ARRAYS = Partitioned(max_leaf=3, ranker=MixedRanker(), threads=1).fit(PROBLEM.X, PROBLEM.Y).to_state()


def refused(kind, config, arrays):
    """The state is refused, at a cost of less than 50 MB."""
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError) as caught:
            kind.from_state(config, arrays)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "parents",
    [[0, 2**31 - 1], [0, 7 * 10**8], [1, 1], [0, 2], [0, 1, 0], [-1, 0], []],
    ids=str,
)
def test_parents_of_a_partitioned_model(parents):
    parents = np.array(parents, np.int32)
    refused(Partitioned, CONFIG, ARRAYS | {"parents_1": parents})
    full = np.concatenate([ARRAYS["parents_1"][: 12 - len(parents)], parents]).astype(np.int32)
    if len(parents) and not np.array_equal(np.clip(np.diff(full), 0, 1), np.diff(full)):
        refused(Partitioned, CONFIG, ARRAYS | {"parents_1": full})


@pytest.mark.parametrize("wrong", [ARRAYS["parents_1"].astype(np.int64), ARRAYS["parents_1"][None], None])
def test_parents_of_another_type(wrong):
    refused(Partitioned, CONFIG, ARRAYS | {"parents_1": wrong})


@pytest.mark.parametrize("size", ["n_labels", "n_features"])
@pytest.mark.parametrize("value", [2**31 - 1, 13, 0, -1, 1.5, "12", None, True, 2**70])
def test_sizes_of_a_partitioned_model(size, value):
    refused(Partitioned, CONFIG | {size: value}, ARRAYS)


def test_a_ranker_of_other_labels():
    few = planted_clusters(3, 3)
    other = Partitioned(max_leaf=3, ranker=CosineRanker(), threads=1).fit(few.X, few.Y).to_state()
    config = CONFIG | {"ranker": other[0]["ranker"]}
    refused(Partitioned, config, ARRAYS | {name: array for name, array in other[1].items() if "ranker" in name})


def test_a_leaf_with_a_huge_label():
    config, arrays = XRLinear(branching=2, max_leaf=2, threads=1).fit(PROBLEM.X, PROBLEM.Y).to_state()
    leaf_labels = arrays["leaf_labels"].copy()
    leaf_labels[-1] = 2**31 - 3
    config["matcher"]["n_labels"] = 2**31 - 2
    tracemalloc.start()
    model = XRLinear.from_state(config, arrays | {"leaf_labels": leaf_labels})
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    assert model.predict_topk(PROBLEM.X_test, 3).labels.max() <= 2**31 - 3


NAMES = ["Wasser", "Überfluß", "日本", "\ud800", "", "last"]


def test_names_of_any_language_are_accepted():
    for names in (NAMES, ["a"], [], [""]):
        StringTable.of(names).check()


@pytest.mark.parametrize("spoilt", [b"\xff", b"\xc3", b"\x80a"])
def test_a_name_that_is_no_utf8(spoilt):
    whole = StringTable.of(NAMES)
    blob = np.concatenate([whole.blob, np.frombuffer(spoilt, np.uint8)])
    table = StringTable(blob, np.append(whole.offsets, len(blob)))
    with pytest.raises(InputError, match="string 6 "):
        table.check()


def test_names_cut_within_a_letter():
    whole = StringTable.of(NAMES)
    offsets = whole.offsets.copy()
    offsets[2] -= 1  # within ß
    with pytest.raises(InputError, match="string 2 "):
        StringTable(whole.blob, offsets).check()


@pytest.mark.parametrize("name", ["labels/blob", "vectorizer/names"])
def test_stored_names_are_checked_when_a_model_is_opened_and_verified(name, tmp_path):
    tagger = Tagger(XRLinear(threads=1), vectorizer=Tfidf(min_df=1)).fit(TEXTS, LABELS)
    config, arrays = tagger.to_state()
    blob = arrays[name].copy()
    blob[1] = 0xFE
    save_model(tmp_path / "m", StoredModel("Tagger", config, arrays | {name: blob}, "0"))
    with pytest.raises(ModelFileError, match="is not valid UTF-8"):
        ramify.load(tmp_path / "m")
    opened = ramify.load(tmp_path / "m", verify=False)  # reads no names, and refuses when one is needed
    if name == "labels/blob":
        with pytest.raises(ModelFileError, match="is not valid UTF-8"):
            opened.tag(TEXTS, k=10)


@pytest.mark.parametrize("change", [{"vectorizer": None}, {"takes_texts": False}, {"takes_texts": 1}])
def test_texts_without_the_vectorizer_that_the_model_needs(change):
    config, arrays = Tagger(XRLinear(threads=1), vectorizer=Tfidf(min_df=1)).fit(TEXTS, LABELS).to_state()
    refused(Tagger, config | change, arrays)


def test_a_label_space_out_of_proportion():
    pytest.importorskip("usearch", reason="needs the extra ann")
    config, arrays = DenseNeighbours(dimensions=4, threads=1).fit(PROBLEM.X, PROBLEM.Y).to_state()
    refused(DenseNeighbours, config | {"sizes": config["sizes"] | {"n_labels": 2**31 - 1}}, arrays)
    wide = DenseNeighbours.from_state(config | {"sizes": config["sizes"] | {"n_labels": 10_000_000}}, arrays)
    assert wide.predict_topk(PROBLEM.X_test, 3).labels.max() < 12
    wide.n_labels_ = 2**31 - 1
    with pytest.raises(InputError, match="drop unused labels"):
        wide.to_state()
