"""The page of the service in a real browser: tag, read reasons, correct, download, compare, browse the tree."""

from __future__ import annotations

import json

import pytest

import ramify
from ramify.cli.entry import run

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("fastapi", reason="the extra serve is not installed")
from page_models import LABELS
from page_steps import TEXT, row, shown, tag

expect = sync_api.expect


def marked(page):
    """Words that are strongly for the label."""
    return page.locator("#document-text :is(.for.s3, .for.s4)").all_inner_texts()


def read_download(page, tmp_path):
    with page.expect_download() as download:
        page.locator("#export").click()
    path = tmp_path / "corrections.jsonl"
    assert download.value.suggested_filename.startswith("corrections-")
    download.value.save_as(path)
    return path


def test_labels_have_probabilities_and_the_words_of_each_are_highlighted(opened, service):
    page = opened(service)
    tag(page)
    assert "Water pollution" in shown(page)
    assert page.locator(".label .value").first.inner_text().endswith("%")
    row(page, "Water pollution").hover()
    expect(page.locator("#legend")).to_contain_text("Water pollution")
    assert {"toxic", "sewage"} <= set(marked(page)) <= {"river", "lake", "toxic", "sewage"}
    row(page, "Nurses").locator(".label-name").focus()
    expect(page.locator("#legend")).to_contain_text("Nurses")
    assert set(marked(page)) <= {"nurse", "ward", "shift", "licence"}
    assert page.locator("#document-text").evaluate("one => one.textContent") == TEXT


def test_a_card_shows_words_path_senses_and_neighbours(opened, service):
    page = opened(service)
    tag(page)
    name = row(page, "Water pollution").locator(".label-name")
    name.click()
    expect(name).to_have_attribute("aria-expanded", "true")
    card = page.locator(f"#{name.get_attribute('aria-controls')}")
    expect(card).to_contain_text("Words for it")
    assert "sewage" in card.locator(".chips .for bdi").all_inner_texts()
    expect(card).to_contain_text("senses: places in the label tree")
    expect(card.locator(".used")).to_have_count(1)
    expect(card.locator(".path .end").first).to_have_text("Water pollution")
    expect(card).to_contain_text("In the same cluster")
    expect(card).to_contain_text("training documents")
    name.click()
    expect(card).to_be_hidden()


def test_the_slider_goes_from_few_precise_labels_to_many(opened, service):
    page = opened(service)
    tag(page, "freight sea clinic deficit river station degree interest dose")
    slider = page.get_by_label("Operating point")
    slider.focus()
    page.keyboard.press("Home")
    precise, first = len(shown(page)), slider.get_attribute("aria-valuetext")
    page.keyboard.press("End")
    complete, last = len(shown(page)), slider.get_attribute("aria-valuetext")
    assert precise < complete
    assert "precision" in first and "recall" in last and first != last
    assert int(first.split("%")[0].strip(">")) > int(last.split("%")[0])
    expect(page.locator("#labels h3")).to_have_text(f"{complete} labels")


def test_corrections_are_read_by_ramify(opened, service, tmp_path):
    page = opened(service)
    tag(page)
    row(page, "Water pollution").get_by_role("button", name="Accept").click()
    row(page, "Nurses").get_by_role("button", name="Reject").click()
    page.locator("#add").fill("elec")
    page.get_by_role("option", name="Élections").click()
    page.locator("#add").fill("Sludge \N{PILE OF POO}")
    page.get_by_role("option", name="New label").click()
    expect(page.locator("#export-summary")).to_contain_text("3 labels of 1 document")
    second = 'A "quoted" text\u2028with \t signs \N{GRINNING FACE} fish boat net sea'
    tag(page, second)
    page.get_by_role("button", name="Accept all").click()
    accepted = shown(page)
    tag(page, "a third document without decisions: judge")
    path = read_download(page, tmp_path)
    data = ramify.read(path)
    assert list(data.texts) == [TEXT, second]
    assert run(["train", str(path), "--out", str(tmp_path / "model"), "--quiet"]) == 0
    assert set(ramify.load(tmp_path / "model").label_names_) == {*data.labels_of(0), *data.labels_of(1)}
    assert set(data.labels_of(0)) == {"Water pollution", "Élections", "Sludge \N{PILE OF POO}"}
    assert set(data.labels_of(1)) == set(accepted) != set()
    assert all(set(json.loads(line)) == {"text", "labels"} for line in path.read_text("utf-8").split("\n")[:-1])


def test_a_decision_is_taken_back_and_an_added_label_goes_away(opened, service):
    page = opened(service)
    tag(page)
    accept = row(page, "Water pollution").get_by_role("button", name="Accept")
    accept.click()
    expect(accept).to_have_attribute("aria-pressed", "true")
    accept.click()
    expect(accept).to_have_attribute("aria-pressed", "false")
    page.locator("#add").fill("New thing")
    page.get_by_role("option", name="New label").click()
    row(page, "New thing").get_by_role("button", name="Reject").click()
    assert "New thing" not in shown(page)
    expect(page.locator("#export")).to_be_disabled()


def test_files_become_documents_and_other_files_are_refused(opened, service):
    page = opened(service)
    files = [("a.txt", b"train track\r\nstation"), ("b.txt", "pupil teacher \N{GRINNING FACE}".encode())]
    page.locator("#files").set_input_files(
        [{"name": name, "mimeType": "text/plain", "buffer": body} for name, body in files]
    )
    expect(page.locator(".document-title")).to_have_text(["a.txt", "b.txt"])
    assert page.locator("#document-text").evaluate("one => one.textContent") == "train track\nstation"
    for body, sentence in ((b"\xff\xfe\x00", "is no UTF-8 text"), (b" \n", "is empty")):
        page.evaluate(
            """bytes => {
              const data = new DataTransfer();
              data.items.add(new File([new Uint8Array(bytes)], "odd.txt"));
              const init = { dataTransfer: data, bubbles: true, cancelable: true };
              document.body.dispatchEvent(new DragEvent("drop", init));
            }""",
            list(body),
        )
        expect(page.get_by_role("alert")).to_contain_text(f"odd.txt {sentence}")


def test_a_text_is_pasted_or_dropped_anywhere(opened, service):
    page = opened(service)
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.setData("text/plain", "judge court verdict appeal");
          const common = { bubbles: true, cancelable: true };
          document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, ...common }));
          data.setData("text/plain", "bond deficit treasury");
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, ...common }));
        }"""
    )
    expect(page.locator(".document-title")).to_have_text(["judge court verdict appeal", "bond deficit treasury"])
    expect(page.locator(".label-name bdi", has_text="Public debt")).to_be_visible()


def test_documents_are_switched_edited_and_removed(opened, service):
    page = opened(service)
    tag(page, "judge court verdict appeal")
    row(page, "Courts").get_by_role("button", name="Accept").click()
    tag(page, "train track station freight")
    page.locator("#documents button").first.click()
    expect(row(page, "Courts").get_by_role("button", name="Accept")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Edit text").click()
    assert page.locator("#text").input_value() == "judge court verdict appeal"
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Edit text").click()
    tag(page, "fish boat net sea")
    expect(page.locator(".document-title").first).to_have_text("fish boat net sea")
    expect(row(page, "Courts").get_by_role("button", name="Accept")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.locator("#text")).to_be_focused()
    expect(page.locator("#steps")).to_be_visible()


def test_a_model_without_calibration_has_scores(opened, service):
    page = opened(service)
    tag(page)
    page.get_by_label("Model", exact=True).select_option("neighbours")
    expect(page.locator("#operating")).to_contain_text("scores, not probabilities")
    assert all("%" not in value for value in page.locator(".value").all_inner_texts())
    assert page.locator(".value .spoken").first.evaluate("one => one.textContent") == "score "
    slider = page.get_by_label("Number of labels")
    assert len(shown(page)) == 5
    slider.press("ArrowRight")
    assert len(shown(page)) == 6


def test_spans_count_code_points(opened, service):
    page = opened(service)
    tag(page, "\N{PILE OF POO}\N{FAMILY}\N{GRINNING FACE} sewage \N{MUSICAL SYMBOL G CLEF}, toxic e\u0301 river!")
    row(page, "Water pollution").hover()
    expect(page.locator("#legend")).to_contain_text("Water pollution")
    assert page.locator("#document-text mark.for").all_inner_texts() == ["sewage", "toxic", "river"]
    cases = page.evaluate(
        """async () => {
          const { pieces, utf16Offsets } = await import("/page/spans.js");
          const odd = "a\\u{1F600}b\\uD800c";
          return [utf16Offsets(odd, [0, 1, 2, 3, 4, 5, 99]), pieces("ab", []), pieces("", [[0, 1, 1]]),
            pieces("one two", [[4, 7, -1], [0, 3, 2], [1, 2, 9], [0, 7, 0.1]])];
        }"""
    )
    assert cases[0] == [0, 1, 3, 4, 5, 6, 6]
    assert cases[1] == [{"text": "ab", "shade": 0}]
    assert cases[2] == []
    assert "".join(piece["text"] for piece in cases[3]) == "one two"


def test_texts_and_labels_are_never_markup(opened, service):
    page = opened(service)
    tag(page, "<img src=x onerror=alert(1)> bracket tag angle quote <script>alert(2)</script>")
    row(page, "<b>Markup</b> & signs").locator(".label-name").click()
    page.locator(".card-body").wait_for()
    page.locator("#add").fill("<i>new</i>")
    page.get_by_role("option", name="New label").click()
    assert page.locator("main img, main b, main i, main script").count() == 0
    assert "<i>new</i>" in shown(page)
    assert page.messages == []


def test_two_models_are_compared(opened, service):
    page = opened(f"{service}#compare")
    expect(page.locator("#compare")).to_contain_text("There is no document yet")
    page.locator("#new-document").click()
    tag(page)
    page.get_by_role("link", name="Compare").click()
    page.get_by_label("Labels of each").select_option("5")
    expect(page.locator(".comparison tbody tr:not(.group)").first).to_be_visible()
    groups = page.locator(".comparison tbody").evaluate_all(
        "all => all.map(one => [...one.querySelectorAll('tr:not(.group) th')].map(name => name.textContent))"
    )
    both, first, second = map(set, groups)
    assert "Water pollution" in both
    assert len(both) + len(first) <= 5
    assert not (both & first or both & second or first & second)
    expect(page.locator(".summary")).to_contain_text(f"{len(both)} label")
    page.get_by_label("Second model").select_option("topics")
    expect(page.locator(".summary")).to_contain_text("Agreement: 100%")


def test_a_first_visit_offers_an_example_and_an_empty_answer_gives_advice(opened, service):
    page = opened(service)
    page.get_by_role("button", name="Try an example").click()
    expect(page.locator("#document-text")).to_contain_text("A text on")
    text = page.locator("#document-text").inner_text()
    assert sum(label in text for label in LABELS) == 3
    tag(page, "zzz qqq")
    expect(page.locator("#labels")).to_contain_text("The model suggests no label")
