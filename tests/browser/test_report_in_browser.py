"""The evaluation page in a real browser: light and dark, wide and narrow, printed, by keyboard, for screen readers."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.sparse import csr_matrix

pytest.importorskip("jinja2", reason="the extra report is not installed")

from ramify import Dataset, NearestInstances, Tagger, Tfidf, XRLinear
from ramify.evaluation import EvaluationConfig
from ramify.report import evaluation_report

pytest.importorskip("playwright", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

LABELS = [f"subject heading number {number} with a rather long name" for number in range(24)]
LOOKS = [(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")]
BOX = "one => { const box = one.getBoundingClientRect(); return [box.left, box.right, box.height] }"
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"


def documents(n: int, seed: int, labels: list[str] = LABELS) -> Dataset:
    rng = np.random.default_rng(seed)
    texts, rows = [], []
    for _ in range(n):
        own = rng.choice(24, rng.integers(1, 4), replace=False)
        words = [f"word{label if rng.random() < 0.7 else rng.integers(24)}" for label in own for _ in range(3)]
        texts.append(" ".join(words))
        rows.append(np.isin(np.arange(24), own))
    return Dataset(csr_matrix(np.array(rows, np.float32)), labels, texts=texts)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    training, test = documents(400, 0), documents(120, 1)
    tree = Tagger(XRLinear(max_leaf=4, branching=3, threads=1), vectorizer=Tfidf(min_df=1)).fit_dataset(training)
    tree.calibrate_dataset(documents(300, 2), k=8)
    near = Tagger(NearestInstances(threads=1), vectorizer=Tfidf(min_df=1)).fit_dataset(training)
    path = tmp_path_factory.mktemp("page") / "report.html"
    evaluation_report({"tree": tree, "neighbours": near}, test, EvaluationConfig(bootstrap=50)).save(path)
    return path


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_no_barrier_is_found_and_nothing_is_wider_than_the_screen(opened, page_file, width, scheme):
    page = opened(page_file, width, scheme)
    page.evaluate(OPEN_ALL)
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.querySelectorAll('svg.chart').length") >= 6


def test_colours_follow_the_preference(opened, page_file):
    def lightness(scheme: str) -> list[float]:
        body = opened(page_file, 1280, scheme).locator(".ramify-report")
        colours = [body.evaluate(f"one => getComputedStyle(one).{name}") for name in ("backgroundColor", "color")]
        return [sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 765 for colour in colours]

    paper, ink = lightness("light")
    assert paper > 0.9
    assert ink < 0.2
    paper, ink = lightness("dark")
    assert paper < 0.2
    assert ink > 0.8


@pytest.mark.parametrize("width", [1280, 400])
def test_charts_stay_within_the_page(opened, page_file, width):
    page = opened(page_file, width)
    boxes = page.evaluate(f"[...document.querySelectorAll('.chart text')].map({BOX})")
    assert len(boxes) > 50
    assert min(left for left, _, _ in boxes) >= 0
    assert max(right for _, right, _ in boxes) <= width
    assert min(height for _, _, height in boxes) > 11  # legible: the text does not shrink with the chart


def test_the_page_loads_nothing_and_works_without_scripts(opened, page_file):
    page = opened(page_file, scripts=False)
    assert page.requests == [page_file.as_uri()]
    assert page.messages == []
    assert page.locator("section").count() >= 10
    details = page.locator("details").first
    assert not details.locator("table").is_visible()
    details.locator("summary").click()
    assert details.locator("table").is_visible()


def test_links_details_and_wide_tables_are_reached_by_keyboard(opened, page_file):
    page = opened(page_file, 400)
    reached = []
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.tagName"))
    assert reached[0] == "A"
    assert {"A", "SUMMARY", "DIV"} <= set(reached)
    page.reload()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    page.keyboard.press("Enter")
    target = page.evaluate("document.activeElement.getAttribute('href') || location.hash")
    top = page.evaluate("selector => document.querySelector(selector).getBoundingClientRect().top", target)
    assert abs(top) < 5


def test_print_has_white_paper_and_no_contents(opened, page_file):
    page = opened(page_file, 1280, "dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert (
        page.locator(".ramify-report").evaluate("one => getComputedStyle(one).backgroundColor") == "rgb(255, 255, 255)"
    )
    assert not page.locator("nav").is_visible()
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 20


def test_a_notebook_shows_two_pages_with_different_ids(opened, page_file, tmp_path):
    training, test = documents(60, 3), documents(20, 4)
    tagger = Tagger(XRLinear(threads=1), vectorizer=Tfidf(min_df=1)).fit_dataset(training)
    config = EvaluationConfig(bootstrap=5)
    pages = [evaluation_report({name: tagger}, test, config)._repr_html_() for name in ("first", "second")]
    path = tmp_path / "notebook.html"
    html = f'<!doctype html><html lang="en"><title>Notebook</title><body data-jp-theme-light="false">{"".join(pages)}'
    path.write_text(html, encoding="utf-8")
    page = opened(path)
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids)) > 10
    assert page.locator(".ramify-report").first.evaluate("one => getComputedStyle(one).colorScheme") == "dark"


@pytest.mark.parametrize("width", [1280, 400])
def test_long_names_and_names_from_right_to_left_fit(opened, tmp_path, width):
    names = [f"{letter}\N{RIGHT-TO-LEFT OVERRIDE}{number}" for number, letter in enumerate("אבגדהוזחטיכל")]
    names += [f"{number}{'x' * 10_000}" for number in range(12)]
    data = documents(200, 0, names)
    tagger = Tagger(XRLinear(max_leaf=4, branching=3, threads=1), vectorizer=Tfidf(min_df=1)).fit_dataset(data)
    evaluation_report({"y" * 200: tagger}, data, EvaluationConfig(bootstrap=5)).save(tmp_path / "odd.html")
    page = opened(tmp_path / "odd.html", width)
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    chips = "[...document.querySelectorAll('.labels li')]"
    assert page.evaluate(f"{chips}.every(one => one.scrollWidth <= one.clientWidth + 1)")
    # The score of a chip in one line stands to the right of the name.
    ends = page.evaluate(
        f"{chips}.filter(one => one.querySelector('bdi') && one.querySelector('small') && one.offsetHeight < 32)"
        ".map(one => [one.querySelector('bdi'), one.querySelector('small')].map(part => part.getBoundingClientRect()))"
        ".map(([name, score]) => [name.right, score.left])"
    )
    assert ends
    assert all(score >= name for name, score in ends)
    texts = page.evaluate("[...document.querySelectorAll('.labels small')].map(one => getComputedStyle(one).direction)")
    assert set(texts) == {"ltr"}
