"""Model directories of older formats: settings, classes and arrays that were renamed or removed."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ramify
from ramify import migrations, store
from ramify.errors import ModelFileError
from ramify.migrations import FORMAT, Part, Step, migrated
from ramify.models import XRLinear
from ramify.store import MANIFEST

GOLDEN = Path(__file__).parents[1] / "golden"
X = np.eye(8, dtype=np.float32) + 0.3


def edited(golden, target, edit):
    """A copy of a golden model whose config was changed, with the digest that belongs to it."""
    target.mkdir()
    for path in (GOLDEN / golden / "model").iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    body = json.loads((target / MANIFEST).read_text("utf-8"))
    edit(body["config"])
    body["sha256"] = store.format._body_digest(body)
    (target / MANIFEST).write_text(json.dumps(body), "utf-8")
    return target


@pytest.mark.parametrize(("leaf_alone", "path_weight"), [(True, 0.0), (False, 1.0)])
def test_settings_of_the_first_tree_models(leaf_alone, path_weight, tmp_path):
    def as_first(config):
        given = config["settings"]
        del given["path_weight"], given["tail_cost"], given["tail_rank"], given["merge_copies"]
        given |= {"leaf_alone": leaf_alone, "transform": given.pop("score_transform"), "beam_floor": 0.001}

    opened = ramify.load(edited("format-1/XRLinear/levels", tmp_path / "model", as_first))
    wanted = ramify.load(GOLDEN / "format-1/XRLinear/levels/model").set_params(path_weight=path_weight)
    assert (opened.path_weight, opened.score_transform, opened.normalize) == (path_weight, "l3-hinge", False)
    for name in ("labels", "scores"):
        np.testing.assert_array_equal(
            getattr(opened.predict_topk(X, 5), name), getattr(wanted.predict_topk(X, 5), name)
        )


@pytest.mark.parametrize(
    ("golden", "name", "value"),
    [
        ("XRLinear/default", "normalize", False),
        ("Blend/tail", "normalize", False),
        ("Partitioned/popular-cosine", "normalize", False),
        ("LabelChain/frequent-first", "normalize", True),
        ("NearestInstances/unweighted", "weighting", "none"),
    ],
)
def test_a_model_of_a_version_without_a_setting_does_what_that_version_did(golden, name, value, tmp_path):
    if "Chain" in golden:
        pytest.importorskip("torch", reason="chains need the extra torch")
    opened = ramify.load(edited(f"format-1/{golden}", tmp_path / "model", lambda c: c["settings"].pop(name, None)))
    assert getattr(opened, name) == value
    top = opened.predict_topk(X, 5)
    np.testing.assert_array_equal(top.scores, opened.set_params(**{name: value}).predict_topk(X, 5).scores)


def test_the_removed_setting_of_a_chain(tmp_path):
    pytest.importorskip("torch", reason="chains need the extra torch")
    path = edited("format-1/LabelChain/frequent-first", tmp_path / "model", lambda c: c["settings"].update(beam=5))
    assert ramify.load(path).normalize


@pytest.mark.parametrize("golden", ["XRLinear/default", "Tagger/tree", "Tagger/partitioned", "Ensemble/mixed"])
@pytest.mark.parametrize("number", range(2, FORMAT + 1))
def test_an_unknown_setting_is_named_with_its_likely_cause(number, golden, tmp_path):
    def change(config):
        if "settings" in config:
            config["settings"]["leaf_alone"] = True
        for inside in (config.get("model"), *config.get("members", [])):
            if inside is not None:
                change(inside["config"])

    path = edited(f"format-{number}/{golden}", tmp_path / "model", change)
    with pytest.raises(ModelFileError, match=r"^\w+ of ramify \S+ has no setting 'leaf_alone': upgrade ramify"):
        ramify.load(path)


def test_every_kind_of_change_reaches_parts_in_parts():
    step = Step(
        classes={"Old": "New"},
        settings={"New": {"old": "new", "gone": None}},
        values={"New": {"new": {"a": "b"}}},
        absent={"New": {"more": 1}},
        state={"New": {"size": 0}},
        arrays={"New": {"old": "new"}},
        changes={"Other": lambda part: Part(part.kind, {**part.config, "seen": sorted(part.arrays)}, part.arrays)},
    )
    old = {"class": "Old", "config": {"settings": {"old": "a", "gone": 2, "kept": 3}}}
    new = {"class": "New", "config": {"settings": {"more": 1, "new": "b", "kept": 3}, "size": 0}}
    part = Part(
        "Other",
        {"one": old, "deep": {"list": [old]}, "ensemble": {"class": "Ensemble", "config": {"members": [old, old]}}},
        {"one/old": 1, "own": 2, "old": 3, "deep/list/0/old": 4, "ensemble/member1/old": 5, "ensemble/old": 6},
    )
    before = copy.deepcopy(part)
    found = migrations._migrated(step, part)
    assert part == before
    assert found.config == {
        "one": new,
        "deep": {"list": [new]},
        "ensemble": {"class": "Ensemble", "config": {"members": [new, new]}},
        "seen": ["old", "own"],
    }
    wanted = {"one/new": 1, "own": 2, "old": 3, "deep/list/0/new": 4, "ensemble/member1/new": 5, "ensemble/old": 6}
    assert found.arrays == wanted


def test_a_model_of_the_current_format_stays():
    part = Part("XRLinear", {"settings": {"leaf_alone": True}}, {})
    assert migrated(FORMAT, part) is part


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(st.sampled_from(["settings", "class", "config", "members", "x"]), inside, max_size=3)
    ),
    max_leaves=12,
)
ARRAYS = st.sampled_from([np.zeros(0), np.array([np.nan]), np.array([2**31 - 1], np.int32), np.zeros((2, 2), np.int32)])
NAMES = st.sampled_from(["parents", "favour", "level0/parent", "x/parents", "member0/favour", "leaf_labels"])


@settings(max_examples=200)
@given(
    kind=st.sampled_from(["Tagger", "XRLinear", "Partitioned", "MixedRanker", "Tfidf", "Ensemble", "Blend", "?"]),
    config=st.dictionaries(st.sampled_from(["settings", "members", "words", "share", "vectorizer"]), VALUES),
    arrays=st.dictionaries(NAMES, ARRAYS),
    number=st.integers(1, FORMAT),
)
def test_a_damaged_model_passes_to_the_checks_of_its_class(kind, config, arrays, number):
    found = migrated(number, Part(kind, config, arrays))
    assert isinstance(found.config, dict)
    assert sum(array.nbytes for array in found.arrays.values()) < 1000


def test_parts_nested_too_deep_are_refused(tmp_path):
    def nest(config):
        for _ in range(800):
            config["model"] = {"class": "Ensemble", "config": config.pop("model", {})}

    with pytest.raises(ModelFileError, match=r"model\.json is nested too deep: restore"):
        ramify.load(edited("format-1/XRLinear/default", tmp_path / "model", nest))


def test_a_model_saved_again_has_only_current_names(tmp_path):
    ramify.load(GOLDEN / "format-1/XRLinear/default/model").save(tmp_path / "model")
    stored = store.open_model(tmp_path / "model")
    assert set(stored.config["settings"]) == set(XRLinear().get_params()) - {"representation", "indexer"}
    assert {"parents_0", "leaf_labels"} <= set(stored.arrays)


def test_rules_for_measures_of_format_4_are_one_threshold():
    config = {"decisions": {"calibration": {"kind": "platt", "maps": [""]}, "n_labels": 3}}
    found = migrated(4, Part("Tagger", config, {})).config["decisions"]
    assert found["chosen"] == {name: f"one-{name}" for name in ("micro-f1", "macro-f1", "example-f1")}
    assert found["n_labels"] == 3
    assert migrated(4, Part("Tagger", {"decisions": None}, {})).config["decisions"] is None
    assert "decisions" not in migrated(4, Part("Tagger", {}, {})).config
