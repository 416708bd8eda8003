"""The Chromium of the system, driven by playwright; tests are skipped where either is absent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("there is no Chromium on this machine")
    # Chromium refuses to run as root with its sandbox.
    flags = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a file or address: width in pixels, "light" or "dark"; the page keeps its requests and messages."""
    contexts = []

    def opened(path: Path | str, width: int = 1280, scheme: str = "light", *, scripts: bool = True) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.requests, page.messages = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("console", lambda message: page.messages.append(message.text))
        page.on("pageerror", lambda error: page.messages.append(str(error)))
        page.goto(path if isinstance(path, str) else path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def page_taggers() -> dict[str, Any]:
    from page_models import taggers

    return taggers()


@pytest.fixture
def service(page_taggers: dict[str, Any]) -> Iterator[Any]:
    """A stand-in for the service, with two models; a test may change its key, its faults and its models."""
    pytest.importorskip("fastapi", reason="the extra serve is not installed")
    from stand_in_service import StandIn

    started = StandIn(page_taggers)
    yield started
    started.close()
