"""Interfaces of other software: requests that they sent are sent again, and the answers have the form they expect."""

import json
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("httpx")

from ramify import Tagger, Tfidf, XRLinear
from ramify.serve import create_app, host
from ramify.serve.dialects import annif
from ramify.values import Vocabulary
from serving_models import saved
from serving_tools import ask, problem

EXCHANGES = Path(__file__).parents[1] / "serving_exchanges"
BATCH = {"documents": [{"text": "water"}]}
PATHS = ["/health", "/setup", "/predict", "/webhook"]
CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="subject" toName="text" choice="{choice}">'
    '<Choice value="Water law"/><Choice value="No such label"/></Choices></View>'
)


def exchanges(name):
    return [json.loads(line) for line in (EXCHANGES / f"{name}.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return create_app(host(list(saved(tmp_path_factory.mktemp("dialects")).items())))


def again(app, exchange):
    path = exchange["path"].replace("/ramify", "/topics")
    return ask(app, exchange["method"], path, content=exchange["body"].encode(), headers=exchange["headers"])


def shape(value):
    """Names and types; of a list the set of those of its items."""
    if isinstance(value, dict):
        return tuple(sorted((name, shape(one)) for name, one in value.items()))
    return sorted({str(shape(one)) for one in value}) if isinstance(value, list) else type(value).__name__


def test_requests_of_annif_are_answered(app):
    requests = exchanges("annif_1.4.3_client")
    assert {one["headers"]["User-Agent"] for one in requests} == {"Annif/1.4.3"}
    suggested = [again(app, one).json() for one in requests if one["method"] == "POST"]
    assert suggested[0]["results"][0]["label"] == "Water law"
    for found in suggested:
        scores = [one["score"] for one in found["results"]]
        assert scores == sorted(scores, reverse=True)
        assert all(one["uri"].startswith("http://example.org/subjects/") for one in found["results"])
    [project] = [again(app, one).json() for one in requests if one["method"] == "GET"]
    assert project["is_trained"] is True


def test_answers_have_the_form_of_annif(app):
    compared = 0
    for one in exchanges("annif_1.4.3_server"):
        answer = again(app, one)
        assert answer.status_code == one["status"]
        assert shape(answer.json()) == shape(one["answer"])
        if one["status"] != 200:
            problem(answer, one["status"])
            assert answer.json()["title"] == one["answer"]["title"]
        compared += 1
    assert compared == 7


def test_subjects_of_annif_have_the_notations_of_the_vocabulary(tmp_path):
    names = ["water", "fire", "earth"]
    vocabulary = Vocabulary(uris=[f"u:{n}" for n in range(3)], names={"en": names}, notations=["W 1", "", "E 2"])
    texts = [f"report on {name}" for name in names]
    tagger = Tagger(XRLinear(threads=1), vectorizer=Tfidf(min_df=1))
    tagger.fit(texts, [[name] for name in names], vocabulary=vocabulary).save(tmp_path / "m")
    app = create_app(host([("topics", tmp_path / "m")]))
    for path, request in (("suggest", {"data": {"text": "water"}}), ("suggest-batch", {"json": BATCH})):
        answer = ask(app, "POST", f"/v1/projects/topics/{path}", **request).json()
        results = (answer if path == "suggest" else answer[0])["results"]
        found = {one["label"]: one["notation"] for one in results}
        assert found == {"water": "W 1", "fire": None, "earth": "E 2"}
    [document] = ask(app, "POST", "/v1/tag", json={"texts": ["water"]}).json()["documents"]
    assert "notation" not in document["labels"][0]


@pytest.mark.parametrize(
    ("key", "uri"), [("http://x/1", "http://x/1"), (None, "urn:ramify:Water%20law%20%28EU%29%2Fice%20%E2%82%AC")]
)
def test_subjects_of_annif_have_valid_uris(key, uri):
    label = {"label": "Water law (EU)/ice €", "key": key, "score": 0.5, "probability": None}
    assert annif._suggestion(label).uri == uri


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        ("suggest", {"data": {"text": "a", "limit": "many"}}),
        ("suggest", {"data": {"text": "a", "threshold": "2"}}),
        ("suggest", {"content": b"text=%ff"}),
        ("suggest", {"content": b"text=\xff"}),
        ("suggest-batch?limit=-1", {"json": {"documents": []}}),
        ("suggest-batch", {"json": {"documents": [{"text": "a"}] * 33}}),
        ("suggest-batch", {"json": {"documents": [{"document_id": "1"}]}}),
        ("suggest-batch", {"content": b"{"}),
    ],
)
def test_invalid_requests_have_the_status_that_annif_gives_them(app, path, request_):
    answer = ask(app, "POST", f"/v1/projects/topics/{path}", **request_)
    assert problem(answer, 400)
    assert answer.json()["title"] == "Bad Request"


def test_requests_of_label_studio_are_answered(app):
    """What Label Studio 1.23.2 sent to this service and stored as predictions; tokens are crossed out."""
    recorded = exchanges("label_studio_1.23.2")
    assert [one["path"] for one in recorded] == ["/health", "/setup", "/predict", "/webhook", "/webhook", *PATHS[1:3]]
    for one in recorded:
        answer = again(app, one)
        assert answer.status_code == one["status"]
        assert shape(answer.json()) == shape(one["answer"])
        if one["path"] == "/predict":
            for found, stored in zip(answer.json()["results"], one["answer"]["results"], strict=True):
                assert chosen(found)[0] == chosen(stored)[0]
                assert found["score"] == pytest.approx(stored["score"], abs=0.01)


def chosen(result):
    [region] = result["result"]
    return [name if region["type"] == "choices" else name[0] for name in region["value"][region["type"]]]


def test_label_studio_predicts(app):
    body = {"tasks": [{"id": 1, "data": {"text": "river statute permit"}}], "project": "1.1732780000", "params": {}}
    config = CONFIG.format(choice="multiple")
    [result] = ask(app, "POST", "/predict", json=body | {"label_config": config}).json()["results"]
    [region] = result["result"]
    assert region == {
        "from_name": "subject",
        "to_name": "text",
        "type": "choices",
        "value": {"choices": ["Water law"]},
    }
    version = ask(app, "POST", "/setup", json={"project": "1.1", "schema": config}).json()["model_version"]
    assert result["model_version"] == version
    assert ask(app, "POST", "/webhook", json={"action": "ANNOTATION_CREATED"}).status_code == 201
    assert ask(app, "GET", "/health").json()["status"] == "UP"
    assert "no XML" in problem(ask(app, "POST", "/setup", json={"schema": "<View>"}), 422)
    entity = '<!DOCTYPE v [<!ENTITY a "b">]><View/>'
    assert "document type" in problem(ask(app, "POST", "/setup", json={"schema": entity}), 422)


def test_label_studio_gets_likely_labels(app):
    config = '<View><Text name="t" value="$t"/><Taxonomy name="l" toName="t"/></View>'
    body = {
        "tasks": [
            {"data": {"t": text}} for text in ("river statute permit train track station", "the report on this year")
        ]
    }
    for prefix, numbers in (("", [2, 1]), ("/label-studio/neighbours", [5])):
        results = ask(app, "POST", f"{prefix}/predict", json=body | {"label_config": config}).json()["results"]
        assert [len(chosen(one)) for one in results][: len(numbers)] == numbers
        assert set(chosen(results[0])[:2]) == {"Water law", "Railways"}


def test_kserve_infers(app):
    tensor = {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["river statute permit", ""]}
    answer = ask(app, "POST", "/v2/models/topics/infer", json={"inputs": [tensor], "parameters": {"k": 2}}).json()
    labels, scores = answer["outputs"]
    assert labels["shape"] == scores["shape"] == [2, 2]
    assert labels["data"][0] == "Water law"
    assert labels["data"][2:] == ["", ""]
    problem(ask(app, "POST", "/v2/models/no/infer", json={"inputs": [tensor]}), 404)
    for shape_ in ([1], [2, 1], [3]):
        body = {"inputs": [tensor | {"shape": shape_}]}
        assert "must be [2]" in problem(ask(app, "POST", "/v2/models/topics/infer", json=body), 422)
    problem(ask(app, "POST", "/v2/models/topics/infer", json={"inputs": [tensor | {"shape": [0], "data": []}]}), 422)
    assert ask(app, "GET", "/v2/models/topics/ready").json() == {"name": "topics", "ready": True}
    problem(ask(app, "GET", "/v2/models/no/ready"), 404)


def test_the_openapi_document_has_all_bodies_and_refusals(app):
    document = ask(app, "GET", "/openapi.json").json()
    known = document["components"]["schemas"]

    def references(part):
        if isinstance(part, dict):
            yield from ([part["$ref"]] if isinstance(part.get("$ref"), str) else [])
            part = list(part.values())
        if isinstance(part, list):
            for one in part:
                yield from references(one)

    assert {name.rpartition("/")[2] for name in references(document)} <= set(known)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert ("requestBody" in operation) == (method == "post"), path
            for status in ("400", "404", "413", "422", "503"):
                assert list(operation["responses"][status]["content"]) == ["application/problem+json"], path
