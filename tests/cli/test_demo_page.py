"""The demo's page: colours and the terminal's width on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import sys

import pytest

from ramify.cli.demo_page import answer, document, heading, page, table

TAGS = [("package.module." + "long_name" * 4, 0.5), ("csv.reader", 0.25), ("[red]os.stat", 0.0)]
TABLE = "title\n     P@1\n--------\nother  1\nramify 2"


class Stream(io.TextIOWrapper):
    """Standard output of a terminal, or of a pipe."""

    def __init__(self, *, terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.fixture
def on(monkeypatch):
    """Replace standard output."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return lambda **settings: monkeypatch.setattr(sys, "stdout", Stream(**settings))


def whole_page() -> str:
    parts = (heading("Heading"), table(TABLE), document("word " * 60, {"csv.reader"}, TAGS), *answer("query", TAGS))
    return page(*parts)


def test_a_pipe_gets_plain_lines_that_do_not_wrap(on):
    on(terminal=False)
    lines = whole_page().splitlines()
    assert lines[:6] == ["Heading", *TABLE.splitlines()]
    assert [line.split()[0] for line in lines[6:9]] == ["text", "calls", "predicted"]
    assert lines[8].endswith("+csv.reader, -[red]os.stat")
    assert [line.split() for line in lines[9:]] == [["ask>", "query"]] + [
        [f"{score:.3f}", name] for name, score in TAGS
    ]
    assert "\x1b" not in whole_page()


def test_a_terminal_gets_colours_and_bars_within_its_width(on, monkeypatch):
    on(terminal=True)
    assert "\x1b[32m+csv.reader" in whole_page()
    assert f"{'█' * 20}" in whole_page() and "█" * 21 not in whole_page()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = whole_page().replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= 80


def test_a_terminal_without_utf_8_gets_no_bars(on):
    on(terminal=True, encoding="latin-1")
    whole_page().encode("latin-1")


def test_an_answer_without_labels_is_a_sentence(on):
    on(terminal=False)
    assert page(*answer("zzz", [])) == "ask> zzz\n  no word of this is known"
