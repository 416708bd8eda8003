"""A model directory of an ensemble that was tampered with is refused, or answers; the process never dies."""

import json
from contextlib import suppress
from copy import deepcopy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tampering import LABELS, TEXTS, copy_of, redigest

import ramify
from ramify import Ensemble, Tagger, Tfidf, XRLinear
from ramify.errors import ModelFileError, RamifyError
from ramify.store import MANIFEST

TMP = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("hostile") / "model"
    trees = Ensemble(XRLinear(branching=2, max_leaf=1, threads=1), trees=2, threads=1)
    Tagger(trees, vectorizer=Tfidf(min_df=1, threads=1)).fit(TEXTS, LABELS).save(directory)
    return directory


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("tampered") / "model"


def ensemble_of(body):
    """The ensemble's config in a manifest."""
    return body["config"]["model"]["config"]


def drop_members(body):
    ensemble_of(body)["members"] = []


def drop_one_member(body):
    del ensemble_of(body)["members"][1]


def repeat_a_member(body):
    ensemble_of(body)["members"].append(ensemble_of(body)["members"][0])


def put_a_vectorizer_among_them(body):
    ensemble_of(body)["members"][1] = body["config"]["vectorizer"]


def put_the_tagger_among_them(body):
    ensemble_of(body)["members"][1] = {"class": "Tagger", "config": deepcopy(body["config"])}


def average_logarithms(body):
    ensemble_of(body)["members"][0]["config"]["settings"]["score_transform"] = "log-sigmoid"


def invent_a_rule(body):
    ensemble_of(body)["settings"]["combine"] = "os.system"


def claim_more_features(body):
    ensemble_of(body)["members"][1]["config"]["matcher"]["n_features"] += 1


HARMS = (
    drop_members,
    drop_one_member,
    repeat_a_member,
    put_a_vectorizer_among_them,
    put_the_tagger_among_them,
    average_logarithms,
    invent_a_rule,
    claim_more_features,
)


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_members_that_do_not_fit(model, place, harm):
    redigest(copy_of(model, place), harm)
    with pytest.raises(ModelFileError) as caught:
        ramify.load(place)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("depth", [3, 100, 300])
def test_ensembles_within_ensembles(model, place, depth):
    copy_of(model, place)

    def nest(body):
        for _ in range(depth):
            inner = {"class": "Ensemble", "config": ensemble_of(body)}
            body["config"]["model"]["config"] = {"settings": ensemble_of(body)["settings"], "members": [inner]}

    redigest(place, nest)
    with pytest.raises(ModelFileError):
        ramify.load(place)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5)
    | st.sampled_from(["Ensemble", "XRLinear", "Tfidf", "os", "rank", "log-sigmoid"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


@settings(TMP, max_examples=60)
@given(data=st.data())
def test_settings_that_make_no_sense(model, place, data):
    copy_of(model, place)
    known = ensemble_of(json.loads((place / MANIFEST).read_text("utf-8")))
    paths = [("settings",), ("members",), *(("settings", name) for name in known["settings"])]
    path = data.draw(st.sampled_from(paths))
    value = data.draw(JSON)

    def tamper(body):
        inner = ensemble_of(body)
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value

    redigest(place, tamper)
    try:
        tagger = ramify.load(place)
    except ModelFileError as error:
        assert "\n" not in str(error)
        return
    with suppress(RamifyError):
        tagger.tag(TEXTS, 3)
        tagger.tag(TEXTS[:1], 1)
        tagger.model_.predict(tagger.features(TEXTS))
