"""Steps on the page that several tests share."""

from __future__ import annotations

from typing import Any

TEXT = "The river and the lake are toxic: sewage.\nA new act on the nurse, her ward, shift and licence."


def tag(page: Any, text: str = TEXT) -> None:
    """Give a text as a new document, and wait for its labels."""
    if not page.locator("#text").is_visible():
        page.locator("#new-document").click()
    page.locator("#text").fill(text)
    page.locator("#submit").click()
    page.locator(".labels .label, #labels .hint:visible").first.wait_for()


def row(page: Any, label: str) -> Any:
    """The row of a label."""
    return page.locator(".label").filter(has=page.get_by_text(label, exact=True)).first


def shown(page: Any) -> Any:
    """The labels at the operating point."""
    return page.locator(".label-lists > .labels > .label .label-name bdi").all_inner_texts()


def unlock(page: Any, key: str = "secret") -> None:
    """Give the API key."""
    page.get_by_role("dialog", name="API key").get_by_label("Key").fill(key)
    page.get_by_role("button", name="Use this key").click()
