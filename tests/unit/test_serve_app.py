"""The routes of the HTTP service: answers equal the library's, and hostile requests get one sentence."""

import json

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("httpx")

from ramify import Tagger, XRLinear
from ramify.answering import Predictor, open_tagger
from ramify.errors import InputError
from ramify.serve import Limits, create_app, host, named_place
from ramify.serve.search import LabelSearch
from serving_tools import ask, problem

WORDS = {"Water": "river lake rain flood", "Fire": "flame smoke heat burn", "Earth": "soil stone clay sand"}
TEXTS = ["a river and rain", "smoke on the clay", "", "flame of the lake é 🔥 burn"]


def _documents(n):
    random = np.random.default_rng(0)
    names = list(WORDS)
    for _ in range(n):
        first, second = random.integers(0, 3, 2)
        words = [*random.choice(WORDS[names[first]].split(), 3), *random.choice(WORDS[names[second]].split(), 1)]
        yield " ".join(words), [names[first]] + ([names[second]] if random.random() < 0.5 else [])


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    texts, labels = zip(*_documents(300), strict=True)
    plain = Tagger(XRLinear(threads=1)).fit(texts[:150], labels[:150])
    plain.save(folder / "plain")
    plain.calibrate(texts[150:], labels[150:]).save(folder / "calibrated")
    return {name: folder / name for name in ("plain", "calibrated")}


@pytest.fixture(scope="module")
def app(places):
    return create_app(host(list(places.items())), Limits(documents=10, characters=100, k=50, body=20_000))


def tagged(app, **body):
    answer = ask(app, "POST", "/v1/tag", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(app, status=422, **body):
    return problem(ask(app, "POST", "/v1/tag", json=body), status)


OPTIONS = [
    ("plain", {}),
    ("plain", {"k": 1}),
    ("plain", {"threshold": 0.3}),
    ("plain", {"allowed": ["Water", "Fire"]}),
    ("plain", {"forbidden": ["Water"]}),
    ("calibrated", {"probabilities": True}),
    ("calibrated", {"rule": "micro-f1"}),
    ("calibrated", {"rule": "threshold=0.4"}),
]


@pytest.mark.parametrize(("model", "options"), OPTIONS)
def test_answers_are_those_of_the_library(app, places, model, options):
    tagger = open_tagger(places[model])
    expected = Predictor(tagger=tagger, **options).answers([(None, text) for text in TEXTS])
    answer = tagged(app, texts=TEXTS, model=model, **options)
    found = [[(one["label"], one["score"]) for one in document["labels"]] for document in answer["documents"]]
    assert found == [[(tag.label, tag.score) for tag in one.tags] for one in expected]
    assert any(found)
    probabilities = [one["probability"] for document in answer["documents"] for one in document["labels"]]
    if model == "plain":
        assert not any(probabilities)
    elif "rule" not in options:
        assert probabilities == [tag.probability for one in expected for tag in one.tags]
        assert all(0 < p < 1 for p in probabilities)
    singles = [tagged(app, text=text, model=model, **options)["documents"][0] for text in TEXTS]
    assert singles == answer["documents"]


def test_reasons_have_words_and_spans(app, places):
    text = TEXTS[3]
    [document] = tagged(app, text=text, why=True, k=1)["documents"]
    [label] = document["labels"]
    reasons = open_tagger(places["plain"]).explain(text)[label["label"]]
    positive, negative = reasons.strongest()
    assert label["why"]["for"] == [[term.text, term.strength] for term in positive]
    assert label["why"]["against"] == [[term.text, term.strength] for term in negative]
    begin, end, strength = max(label["why"]["spans"], key=lambda span: span[2])
    assert (text[begin:end], strength > 0) == ("flame", True) or (text[begin:end], strength > 0) == ("burn", True)
    assert [one["why"] for one in tagged(app, text=text)["documents"][0]["labels"]] == [None] * 3


def test_models_are_listed(app):
    found = ask(app, "GET", "/v1/models").json()
    assert found["most_k"] == 50
    plain, calibrated = found["models"]
    assert (plain["name"], plain["kind"], plain["labels"], plain["calibrated"]) == ("plain", "XRLinear", 3, False)
    assert plain["rules"] == []
    assert "micro-f1" in calibrated["rules"]
    assert plain["version"] != calibrated["version"]
    assert tagged(app, text="rain")["version"] == plain["version"]
    for rule in calibrated["rules"]:
        assert tagged(app, text="rain", model="calibrated", rule=rule)["documents"]


def test_a_request_without_k_is_within_a_small_limit(places):
    small = create_app(host([("plain", places["plain"])]), Limits(k=2))
    assert len(tagged(small, text=TEXTS[0])["documents"][0]["labels"]) == 2


def test_labels_are_found(app):
    found = ask(app, "GET", "/v1/labels", params={"q": "wAT"}).json()["labels"]
    assert [one["label"] for one in found] == ["Water"]
    assert found[0]["documents"] > 10
    assert len(ask(app, "GET", "/v1/labels", params={"limit": 2}).json()["labels"]) == 2
    assert "limit is '0'" in problem(ask(app, "GET", "/v1/labels", params={"limit": 0}), 422)
    problem(ask(app, "GET", "/v1/labels", params={"model": "../plain"}), 404)


def test_search_ignores_case_and_accents_and_finds_words():
    names = ["Élan vital", "Water pollution", "Clean-water act", "Watercolour", "Straße", "élan"]
    search = LabelSearch(names)
    assert [names[n] for n in search.find("ELAN", 9)] == ["élan", "Élan vital"]
    assert [names[n] for n in search.find("water", 9)] == ["Water pollution", "Watercolour", "Clean-water act"]
    assert [names[n] for n in search.find("water", 2)] == ["Water pollution", "Watercolour"]
    assert [names[n] for n in search.find("STRASSE", 9)] == ["Straße"]
    assert search.find("aterc", 9) == []


BODIES = [
    (b"", 400, "not valid JSON"),
    (b'{"text": "\xff"}', 400, "not valid JSON"),
    (b'{"text": "\\ud800"}', 400, "not valid JSON"),
    (b'{"text": ' + b"[" * 9_000, 400, "not valid JSON"),
    (b"[]", 422, "object"),
    (b"{}", 422, "either text or texts"),
    (b'{"text": "a", "texts": ["b"]}', 422, "either text or texts"),
    (b'{"texts": []}', 422, "texts is []"),
    (b'{"texts": ["a", 3]}', 422, "texts.1 is 3"),
    (b'{"text": "a", "threshold": NaN}', 422, "threshold is nan"),
    (b'{"text": "a", "k": "3"}', 422, "k is '3'"),
    (b'{"text": "a", "k": 0}', 422, "k is 0"),
    (b'{"text": "a", "k": 51}', 422, "k is 51, but must be at most 50"),
    (b'{"text": "a", "k": 1e400}', 422, "k is"),
    (b'{"text": "a", "why": 1}', 422, "why is 1"),
    (b'{"text": "a", "depth": 1}', 422, "depth is not a field"),
    (b'{"text": "a", "allowed": []}', 422, "allowed is []"),
    (b'{"text": "a", "rule": "micro-f1", "k": 3}', 422, "k and rule"),
]


@pytest.mark.parametrize(("body", "status", "part"), BODIES)
def test_hostile_bodies_get_one_sentence(app, body, status, part):
    assert part in problem(ask(app, "POST", "/v1/tag", content=body), status)


def test_requests_over_a_limit_are_refused(app):
    answer = ask(app, "POST", "/v1/tag", json={"texts": ["a"] * 12})
    assert answer.json()["title"] == "Unprocessable Content"
    assert problem(answer, 422) == "there are 12 texts, but at most 10 are allowed"
    assert refused(app, texts=["a", "b" * 101]) == "text 1 has 101 characters, but at most 100 are allowed"


def test_sentences_of_the_library_are_passed_on(app, places):
    with pytest.raises(InputError) as error:
        open_tagger(places["plain"]).tag(["rain"], allowed=["Watr"])
    assert refused(app, text="rain", allowed=["Watr"]) == str(error.value)
    assert "not calibrated" in refused(app, text="rain", rule="micro-f1")
    assert "not calibrated" in refused(app, text="rain", probabilities=True)
    assert "best" in refused(app, text="rain", rule="best", model="calibrated")


def test_duplicate_labels_count_once(app):
    once = tagged(app, text="rain", allowed=["Water", "Fire"])
    assert tagged(app, text="rain", allowed=["Water", "Fire", "Water"]) == once


@pytest.mark.parametrize("name", ["../plain", "/etc/passwd", "", "plain\u0000", "Plain"])
def test_unknown_models_and_paths_are_not_found(app, name):
    assert "use one of plain, calibrated" in refused(app, 404, text="a", model=name)
    problem(ask(app, "GET", "/v1/../../etc/passwd"), 404)
    problem(ask(app, "GET", "/v1/tag"), 405)


def test_unexpected_errors_are_neutral_and_logged(places, caplog, monkeypatch):
    app = create_app(host([("plain", places["plain"])]))
    monkeypatch.setattr("ramify.serve.tagging.tagged", lambda *_: 1 / 0)
    assert refused(app, 500, text="secret") == "the service failed to answer this request: see its log"
    assert "ZeroDivisionError" in caplog.text


def test_models_that_cannot_be_hosted_are_refused(places, tmp_path):
    plain = places["plain"]
    for given, part in [
        ([], "no model"),
        ([("a", plain), ("a", plain)], "two models have the name 'a'"),
        ([("../a", plain)], "name of a model is '../a'"),
        ([("", plain)], "name of a model is ''"),
    ]:
        with pytest.raises(InputError, match=part.replace(".", "[.]")):
            host(given)
    X = np.eye(6, dtype=np.float32)
    Tagger(XRLinear(threads=1)).fit(X, [["a"], ["b"]] * 3).save(tmp_path / "features")
    with pytest.raises(InputError, match="takes features"):
        host([("features", tmp_path / "features")])


def test_places_may_have_names(places, tmp_path):
    assert named_place(f"bills={places['plain']}") == ("bills", places["plain"])
    assert named_place(str(places["plain"]))[0] == "plain"
    (tmp_path / "a=b").mkdir()
    assert named_place(str(tmp_path / "a=b"))[0] == "a=b"
    for text in ("", "bills="):
        with pytest.raises(InputError):
            named_place(text)


def test_the_schema_describes_the_request(app):
    schema = ask(app, "GET", "/openapi.json").json()
    body = schema["paths"]["/v1/tag"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"text", "texts", "rule", "why"} <= set(body["properties"])
    assert json.dumps(schema)
