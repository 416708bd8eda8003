"""The page as the service sends it: at its addresses, with its headers, without a key, and from the cache."""

import re

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("httpx")

from ramify import Tagger
from ramify.serve import Hosted, Keys, create_app
from ramify.serve.page_files import HEADERS, page_file, page_files
from serving_tools import ask, problem


@pytest.fixture(scope="module")
def app():
    tagger = Tagger().fit(["a river", "a lake", "a tax"] * 4, [["Water"], ["Water"], ["Taxes"]] * 4)
    return create_app({"tiny": Hosted("tiny", tagger, "0" * 12)}, keys=Keys(["secret"]))


def test_every_file_is_sent_with_its_headers_and_needs_no_key(app):
    for name in page_files():
        answer = ask(app, "GET", "/" if name == "index.html" else f"/page/{name}")
        assert (answer.status_code, answer.content) == (200, page_file(name).body)
        assert answer.headers["content-type"] == page_file(name).media_type
        assert {key: answer.headers[key] for key in HEADERS} == dict(HEADERS)
    problem(ask(app, "GET", "/v1/models"), 401)


def test_a_browser_that_has_a_file_gets_no_copy(app):
    first = ask(app, "GET", "/page/main.js")
    for tag in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = ask(app, "GET", "/page/main.js", headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    other = ask(app, "GET", "/page/main.js", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


def test_head_has_the_headers_only(app):
    answer = ask(app, "HEAD", "/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("name", ["absent.js", "..%2fapp.py", "%2e%2e/app.py", "main.js%00", "page/main.js", ""])
def test_other_names_are_not_found(app, name):
    problem(ask(app, "GET", f"/page/{name}"), 404)


def test_the_client_of_the_page_uses_routes_of_the_service(app):
    schema = ask(app, "GET", "/openapi.json", headers={"Authorization": "Bearer secret"}).json()
    used = set(re.findall(r'"(v1/[a-z-]+)"', page_file("api.js").body.decode()))
    assert len(used) == 6
    assert {f"/{path}" for path in used} <= set(schema["paths"])
