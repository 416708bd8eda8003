"""The benchmark of the first paint runs, and its figures are plausible; there is no limit on a busy machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from ramify.serve.page_files import page_files


def test_the_first_paint_is_measured(browser, service):
    from page_paint import measured

    found = measured(browser, service, loads=1)
    low, high = found["first_paint_ms_range"]
    assert 0 < found["html_ms"] < low == found["first_paint_ms"] == high < 60_000
    assert found["first_paint_ms"] > 0 and found["ready_ms"] > 0
    assert found["files"] == len(page_files())  # all of them, each once
    assert found["kilobytes"] == pytest.approx(sum(len(one.body) for one in page_files().values()) / 1000, abs=0.1)
