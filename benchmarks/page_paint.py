"""First paint of the page of ``ramify serve`` on this machine, with nothing in the cache of the browser.

    python benchmarks/page_paint.py MODEL [MODEL ...]

Each load is in a new context of Chromium, which has neither a cache nor a connection. ``first_paint_ms`` is the first
contentful paint of the Performance API, from the start of the navigation; ``floor_ms`` is that of a page of one line
without a server, which the same browser paints in turn. ``ready_ms`` is the time until the names of the models are
there, so that a text can be sent. One row goes to ``benchmarks/results/serving.jsonl``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from racing.machine import machine
from racing.places import HERE
from racing.rows import Row, add_stamped

ROWS = HERE / "results" / "serving.jsonl"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLOOR = "data:text/html,<p>ramify"
QUIET_MS = 600
PAINTED = """async () => {
  while (!performance.getEntriesByName("first-contentful-paint").length) await new Promise(requestAnimationFrame);
  return performance.getEntriesByName("first-contentful-paint")[0].startTime;
}"""
TIMES = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const files = performance.getEntriesByType("resource").filter((one) => one.name.includes("/page/"));
  return {
    ready_ms: performance.getEntriesByName("ready")[0].startTime,
    html_ms: page.responseEnd,
    files: files.length + 1,
    kilobytes: [page, ...files].reduce((sum, one) => sum + one.encodedBodySize, 0) / 1000,
  };
}"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL", type=Path)
    parser.add_argument("--loads", type=int, default=10)
    parser.add_argument("--rows", type=Path, default=ROWS, help="file that gets the row")
    chosen = parser.parse_args(arguments)
    from playwright.sync_api import sync_playwright

    with served(chosen.models) as address, sync_playwright() as playwright:
        browser = launched(playwright)
        found = measured(browser, address, chosen.loads)
        found |= {"browser": f"Chromium {browser.version}", "models": [model.name for model in chosen.models]}
        browser.close()
    row = {"kind": "page", "machine": machine(), **found, "load_average": round(os.getloadavg()[0], 2)}
    print(add_stamped(chosen.rows, row))


def launched(playwright: Any) -> Any:
    """The Chromium of the system."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        sys.exit("there is no Chromium on this machine: install it")
    # Chromium refuses to run as root with its sandbox.
    return playwright.chromium.launch(executable_path=found, args=["--no-sandbox"] if os.geteuid() == 0 else [])


@contextmanager
def served(models: Sequence[Path]) -> Iterator[str]:
    """Address of a service in a process of its own."""
    command = [sys.executable, "-m", "ramify", "serve", *map(str, models), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            if "://" not in line:
                sys.exit(line)
            yield line.split()[-1] + "/"
        finally:
            process.terminate()
            process.communicate()


def measured(browser: Any, address: str, loads: int) -> Row:
    """Medians over several loads, after one that does not count; and the smallest and largest first paint."""
    found = [times(browser, address) for _ in range(loads + 1)][1:]
    paints = [one["first_paint_ms"] for one in found]
    medians = {name: round(statistics.median(one[name] for one in found), 1) for name in found[0]}
    return {"loads": loads, **medians, "first_paint_ms_range": [round(min(paints), 1), round(max(paints), 1)]}


def times(browser: Any, address: str) -> Row:
    """Times of one load."""
    with loaded(browser, address) as page:
        page.wait_for_timeout(QUIET_MS)  # a wait for an element would run scripts in the page while it is painted
        page.locator("#model:not([disabled])").wait_for(state="attached")
        found: Row = {"first_paint_ms": page.evaluate(PAINTED), **page.evaluate(TIMES)}
    with loaded(browser, FLOOR) as page:
        return found | {"floor_ms": page.evaluate(PAINTED)}


@contextmanager
def loaded(browser: Any, address: str) -> Iterator[Any]:
    """A page in a context of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        page = context.new_page()
        page.goto(address)
        yield page
    finally:
        context.close()


if __name__ == "__main__":
    main()
