"""The files of the page of the service: complete, small, without anything from elsewhere, and sent with a policy."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from importlib.resources import files

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from ramify.serve.page_files import HEADERS, POLICY, page_file, page_files

INDEX = "index.html"
MODULES = sorted(name for name in page_files() if name.endswith(".js"))
FOLDER = files("ramify.serve").joinpath("page")
STYLES = sorted(file.name for file in FOLDER.iterdir() if file.name.endswith(".css"))


def text(name):
    return page_file(name).body.decode("utf-8")


def test_every_file_is_served_with_its_type():
    on_disk = {file.name for file in FOLDER.iterdir()}
    assert set(page_files()) == on_disk - set(STYLES)
    assert page_file("main.js").media_type == "text/javascript; charset=utf-8"
    assert page_file("icon.svg").media_type == "image/svg+xml"
    assert page_file(INDEX).media_type == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../page_files.py", "page/main.js", "/etc/passwd", "MAIN.JS", "main.js\0"]
)
def test_other_names_are_no_files(name):
    assert page_file(name) is None


def test_tags_tell_contents_apart():
    tags = {file.etag for file in page_files().values()}
    assert len(tags) == len(page_files())
    assert all(re.fullmatch(r'"[0-9a-f]{32}"', tag) for tag in tags)


def test_the_index_has_one_script_that_preloads_every_other_module():
    """Otherwise the browser finds a module only when another one that imports it has arrived."""
    assert re.findall(r"<script[^>]*>", text(INDEX)) == [
        '<script type="module" fetchpriority="low" src="page/start.js">'
    ]
    [names] = re.findall(r"const MODULES = \[(.*?)\];", text("start.js"), re.DOTALL)
    assert sorted(re.findall(r'"([^"]+)"', names)) == sorted({*MODULES} - {"start.js"})


def test_the_index_contains_every_style_sheet_and_the_policy_allows_no_other():
    html = text(INDEX)
    [style] = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert all(FOLDER.joinpath(name).read_text("utf-8") in style for name in STYLES)
    assert 'rel="stylesheet"' not in html
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in POLICY


@pytest.mark.parametrize("name", MODULES)
def test_imports_of_modules_exist_and_none_is_unused(name):
    code = text(name)
    assert len(code.splitlines()) <= 300
    for names, source in re.findall(r'^import \{([^}]+)\} from "\./([^"]+)";', code, re.M):
        assert source in MODULES
        for imported in map(str.strip, names.split(",")):
            assert re.search(rf"^export (async )?(class|function|const) {imported}\b", text(source), re.M), imported
            assert len(re.findall(rf"\b{imported}\b", code)) > 1, imported


def test_nothing_needs_the_network_or_an_exception_from_the_policy():
    for name in page_files():
        body = text(name).replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|//cdn|@import|url\(", body), name
        assert not re.search(r"\b(innerHTML|outerHTML|insertAdjacentHTML|eval|document\.write)\b", body), name
        assert not re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie", body), name
    html = text(INDEX)
    assert "style=" not in html
    assert not re.search(r"\son\w+=", html)
    assert "unsafe" not in POLICY
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]


def test_links_are_relative():
    """So that a proxy may serve the page below a prefix."""
    for link in re.findall(r'(?:href|src)="([^"]+)"', text(INDEX)):
        assert not link.startswith("/")
    for path in re.findall(r'"(/?v1/[^"]*)"', text("api.js")):
        assert not path.startswith("/")


def test_the_page_is_small():
    assert sum(len(file.body) for file in page_files().values()) < 120_000
