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
        if scripts:
            wait_until_connected(page)
        return page

    yield opened
    for context in contexts:
        context.close()


def wait_until_connected(page: Any) -> None:
    """Wait until the page of a service takes input: its modules are loaded after its first paint."""
    if page.locator("script[src='page/start.js']").count():
        page.evaluate(
            "async () => { while (!performance.getEntriesByName('connected').length) "
            "await new Promise((done) => setTimeout(done, 5)); }"
        )


@pytest.fixture(scope="session")
def page_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Directories of the models "topics" and "neighbours"."""
    pytest.importorskip("fastapi", reason="the extra serve is not installed")
    from page_models import saved

    return saved(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def service(page_models: dict[str, Path]) -> Iterator[str]:
    """Address of the page of ``ramify serve topics neighbours``."""
    from page_service import service_process

    with service_process(*page_models.values()) as address:
        yield address


@pytest.fixture(scope="session")
def guarded(page_models: dict[str, Path]) -> Iterator[str]:
    """The page of the same models below a prefix; the API key is "secret"."""
    from page_service import service_thread

    from ramify.serve import Keys, create_app, host

    with service_thread(create_app(host(list(page_models.items())), keys=Keys(["secret"])), "/tools/ramify") as address:
        yield address


@pytest.fixture(scope="session")
def plain() -> Iterator[str]:
    """The page of one model, which has neither probabilities nor a tree nor reasons."""
    pytest.importorskip("fastapi", reason="the extra serve is not installed")
    from page_models import bare
    from page_service import service_thread

    from ramify.serve import Hosted, create_app

    with service_thread(create_app({"bare": Hosted("bare", bare(), "0" * 12)})) as address:
        yield address
