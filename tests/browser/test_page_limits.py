"""The page with less than everything: a key, failures, slow answers, long texts, models without some abilities."""

from __future__ import annotations

import json

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("fastapi", reason="the extra serve is not installed")
from page_models import LABELS, TOPICS
from page_service import refuse, service_thread
from page_steps import TEXT, row, shown, tag, unlock

from ramify.serve import Limits, create_app, host

expect = sync_api.expect


def test_a_key_is_asked_for_until_it_is_right(opened, guarded):
    page = opened(guarded)
    dialog = page.get_by_role("dialog", name="API key")
    unlock(page, "wrong")
    expect(dialog).to_contain_text("refused this key")
    unlock(page)
    expect(dialog).to_be_hidden()
    tag(page)
    assert "Water pollution" in shown(page)
    kept = "[localStorage.length, sessionStorage.length, document.cookie, document.body.innerHTML.includes('secret')]"
    assert page.evaluate(kept) == [0, 0, "", False]
    page.reload()
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("The request has no valid API key")


def test_below_a_prefix_the_page_stays_there_and_breaks_no_policy(opened, guarded):
    page = opened(guarded)
    unlock(page)
    page.messages.clear()  # Chromium reports the status 401
    tag(page, " ".join(TOPICS.values()))
    page.locator(".label-name").first.click()
    page.locator(".card-body").wait_for()
    page.get_by_role("link", name="Label tree").click()
    page.locator(".tree [role=treeitem]").first.wait_for()
    assert len(page.requests) > 30
    assert all(address.startswith(guarded) for address in page.requests)
    assert page.messages == []


def test_problems_are_shown_as_one_sentence_and_a_busy_service_is_tried_again(opened, service):
    page = opened(service)
    refuse(page, 400, "the text has 9 characters too many")
    page.locator("#text").fill(TEXT)
    page.locator("#submit").click()
    expect(page.get_by_role("alert")).to_have_text("The text has 9 characters too many.")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_role("alert")).to_be_empty()
    refuse(page, 503, "busy", {"Retry-After": "0"})
    tag(page, "fish boat net")
    assert "Fisheries" in shown(page)
    page.route("**/v1/tag", lambda route: route.abort())
    page.locator("#new-document").click()
    page.locator("#text").fill("train track")
    page.locator("#submit").click()
    expect(page.get_by_role("alert")).to_contain_text("The service does not answer")
    page.unroute("**/v1/tag")
    page.get_by_role("button", name="Try again").click()
    expect(row(page, "Railways")).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()
    expect(page.get_by_role("alert")).to_be_empty()


def test_labels_of_another_text_are_out_of_sight_while_an_answer_is_awaited(opened, service):
    page = opened(service)
    tag(page)
    held = []
    page.route("**/v1/tag", lambda route: held.append(route))  # noqa: PLW0108 - playwright marks the function
    page.locator("#new-document").click()
    page.locator("#text").fill("fish boat net sea")
    page.locator("#submit").click()
    expect(page.locator("#reading")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#labels")).to_be_hidden()
    page.locator("#documents button").first.click()
    expect(row(page, "Water pollution")).to_be_visible()
    for route in held:
        route.continue_()
    page.locator("#documents button").last.click()
    expect(row(page, "Fisheries")).to_be_visible()


def test_long_texts_are_tagged_without_reasons_and_longer_ones_refused(opened, service):
    page = opened(service)
    tag(page, "river sewage toxic lake \N{GRINNING FACE} " * 5_000)
    expect(page.locator("#legend")).to_have_text("The text is too long for reasons.")
    row(page, "Water pollution").locator(".label-name").click()
    card = page.locator(".card-body")
    expect(card).to_contain_text("The text is too long for reasons.")
    expect(card.locator(".path").first).to_contain_text("Water pollution")
    asked = len(page.requests)
    page.locator(".more summary").click()
    page.locator(".more .label").first.hover()
    page.locator("#new-document").click()
    page.locator("#text").fill("river " * 200_000)
    page.locator("#submit").click()
    expect(page.get_by_role("alert")).to_contain_text("1200000 characters, but at most 1000000 are allowed")
    asked = [address for address in page.requests[asked:] if "/v1/" in address]
    assert asked == [f"{service}v1/tag"]  # none for the words of the label under the pointer


def test_an_empty_text_is_no_request(opened, service):
    page = opened(service)
    page.locator("#text").fill(" \n")
    page.locator("#submit").click()
    expect(page.get_by_role("alert")).to_have_text("There is no text: paste or type one.")
    expect(page.locator("#text")).to_be_focused()


def test_one_model_without_abilities(opened, plain):
    """Neither probabilities nor reasons nor a tree; and there is nothing to choose or to compare."""
    page = opened(plain)
    tag(page)
    expect(page.locator("#model")).to_be_hidden()
    expect(page.locator("#model-facts")).to_have_text(f"bare · {len(LABELS)} labels · not calibrated")
    expect(page.locator("#legend")).to_have_text("This model gives no reasons for its labels.")
    row(page, "Water pollution").locator(".label-name").click()
    expect(page.locator(".card-body")).to_contain_text("training documents")
    expect(page.locator("#operating")).to_contain_text("scores, not probabilities")
    page.get_by_role("link", name="Compare").click()
    expect(page.locator("#compare")).to_contain_text("ramify serve FIRST SECOND")
    page.get_by_role("link", name="Label tree").click()
    expect(page.locator("#tree-view")).to_contain_text("This model has no label tree")
    page.locator("#find").fill("water")
    page.get_by_role("option", name="Water law").click()
    expect(page.locator(".tree-card")).to_contain_text("training documents")
    assert page.get_by_role("alert").inner_text() == ""
    assert page.messages == []


def test_what_a_service_leaves_out_is_no_problem(opened, service):
    page = opened(service)

    def shorter(route):
        models = route.fetch().json()["models"]
        kept = [{key: one[key] for key in ("name", "labels", "calibrated")} for one in models]
        route.fulfill(body=json.dumps({"models": kept}), content_type="application/json")

    page.route("**/v1/models", shorter)
    page.reload()
    page.locator("#model-facts:not(:empty)").wait_for()
    tag(page)
    row(page, "Water pollution").locator(".label-name").click()
    page.locator(".card-body").wait_for()
    assert page.get_by_role("alert").inner_text() == ""
    assert page.messages == []


def test_the_page_asks_for_no_more_labels_than_the_service_allows(opened, page_models):
    limited = create_app(host(list(page_models.items())[:1]), Limits(k=3))
    with service_thread(limited) as address:
        page = opened(address)
        tag(page)
        assert len(shown(page)) <= 3
        assert "Water pollution" in shown(page)
        expect(page.get_by_role("alert")).to_be_empty()


def test_kept_answers_of_a_replaced_model_are_asked_for_again(opened, service):
    page = opened(service)
    tag(page)

    def replaced(route):
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"version": "replaced"})

    page.route("**/v1/tag", replaced)
    page.locator("#new-document").click()
    page.locator("#text").fill("fish boat net sea")
    page.locator("#submit").click()
    expect(row(page, "Fisheries")).to_be_visible()
    asked = len(page.requests)
    page.locator("#documents button").first.click()
    expect(row(page, "Water pollution")).to_be_visible()
    assert any(address.endswith("/v1/tag") for address in page.requests[asked:])
    page.unroute_all(behavior="wait")  # a route that is under way at the end fails in a later test
