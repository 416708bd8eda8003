"""Models that past versions saved open and give the answers that those versions gave."""

import json
from pathlib import Path

import pytest
from make import CASES, answers

import ramify
from ramify import catalogue
from ramify.store import FORMAT, MANIFEST

HERE = Path(__file__).parent
GOLDEN = sorted(path.parent for path in HERE.glob("format-*/*/*/answers.json"))
TRANSFORMERS = {"XTransformer", "XRTransformer", "FlatTransformer", "Encoder"}
GENERATORS = {"XLGen", "XLGenWithTree"}
TORCH = {"LabelChain", "ReinforcedChain", "CompositeChain", *TRANSFORMERS, *GENERATORS}
SINCE: dict[str, int] = dict.fromkeys([*TRANSFORMERS, "StaticEncoder", "Concatenated"], 4)
SINCE |= dict.fromkeys([*GENERATORS, "Fusion", "LexicalMatcher", "NearestTexts"], 5)
SINCE |= dict.fromkeys(["SavedMember", "StoredPredictions", "TrainedMember"], 5)
"""First format of the classes that are newer than format 1."""


def classes_in(state):
    """Names of the classes in the settings of a model directory."""
    found = {state["class"]} if isinstance(state, dict) and "class" in state else set()
    inside = state.values() if isinstance(state, dict) else state if isinstance(state, list) else ()
    return found.union(*map(classes_in, inside))


def manifest(golden):
    return json.loads((golden / "model" / MANIFEST).read_text("utf-8"))


def check_answers(model, recorded, tolerance):
    found = answers(model, recorded["queries"])
    assert [[label for label, _ in row] for row in found] == [
        [label for label, _ in row] for row in recorded["answers"]
    ]
    for row, wanted in zip(found, recorded["answers"], strict=True):
        assert [score for _, score in row] == pytest.approx([score for _, score in wanted], abs=tolerance)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.relative_to(HERE).as_posix())
def test_a_golden_model_gives_its_recorded_answers_and_is_saved_in_the_current_format(golden, tmp_path):
    classes = classes_in(manifest(golden))
    if "DenseNeighbours" in classes:
        pytest.importorskip("usearch", reason="DenseNeighbours needs the extra ann")
    if classes & TORCH:
        pytest.importorskip("torch", reason="chains need the extra torch")
    recorded = json.loads((golden / "answers.json").read_text("utf-8"))
    tolerance = 1e-5 if classes & TORCH else 1e-6
    model = ramify.load(golden / "model")
    check_answers(model, recorded, tolerance)
    model.save(tmp_path / "again")
    assert json.loads((tmp_path / "again" / MANIFEST).read_text("utf-8"))["format"] == FORMAT
    again = ramify.load(tmp_path / "again")
    check_answers(again, recorded, tolerance)
    assert again.get_params(deep=False).keys() == model.get_params(deep=False).keys()


@pytest.mark.parametrize("number", range(1, FORMAT + 1))
def test_every_class_that_can_be_saved_has_golden_models_of_every_format(number):
    """A format whose models are missing is made by tests/golden/make.py, run under a version that writes it."""
    states = [manifest(golden) for golden in GOLDEN if golden.relative_to(HERE).parts[0] == f"format-{number}"]
    assert all(state["format"] == number for state in states)
    used_in_training = {catalogue.INDEXER, catalogue.REPRESENTATION}
    saved = [entry.name for entry in catalogue.ENTRIES if not used_in_training & entry.roles.keys()]
    wanted = {name for name in saved if SINCE.get(name, 1) <= number}
    assert wanted - set().union(*map(classes_in, states)) == set()


@pytest.mark.parametrize("number", range(1, FORMAT + 1))
def test_every_case_of_the_generator_is_there(number):
    wanted = {case.name for case in CASES if case.first <= number <= case.last}
    assert {
        path.relative_to(HERE / f"format-{number}").as_posix() for path in (HERE / f"format-{number}").glob("*/*")
    } == wanted


@pytest.mark.parametrize("number", [1, 2, 3])
def test_labels_of_older_disentangled_models_were_assigned_by_count(number):
    assert ramify.load(HERE / f"format-{number}" / "Disentangled" / "tree" / "model").weighting == "count"
