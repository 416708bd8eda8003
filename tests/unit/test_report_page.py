"""Pages of sections: HTML that loads nothing and escapes everything, Markdown, and files that are written whole."""

from html.parser import HTMLParser

import pytest

pytest.importorskip("jinja2", reason="the extra report is not installed")

from ramify.errors import DataFileError, InputError
from ramify.evaluation.grid import Grid
from ramify.report import Axis, Figure, Fragment, Page, Section, Series, Tiles, line_chart
from ramify.report.markup import Markup

EVIL = '<script>alert("x")</script> & [a](b) | *c* `d`'


def chart(title="t"):
    return line_chart([Series("a", [0, 1], [0, 1])], Axis("x"), Axis("y"), title=title)


def page(text="plain"):
    grid = Grid(text, ("", "number", text), ((text, "1,234 [1, 2]", text), ("b", "–", "c")))
    parts = [
        text,
        grid,
        Tiles([("12%", text, text)]),
        Figure(text, chart(text), grid),
        Fragment(Markup("<i>f</i>"), "_f_"),
    ]
    sections = [Section("First " + text, f"{text}\n\nnext", parts), Section("Second", "b"), Section("Third", "c")]
    return Page(text, f"{text}\n\nmore", sections, [("fact", text)])


class Tags(HTMLParser):
    VOID = ("meta",)

    def __init__(self, html):
        super().__init__()
        self.open, self.found, self.links = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "srcset", "action", "data")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_html_is_well_formed_and_loads_nothing():
    html = page().html()
    tags = Tags(html)
    assert tags.open == []
    assert html.startswith('<!doctype html>\n<html lang="en"')
    assert {"main", "nav", "section", "table", "figure", "svg", "details", "style"} <= set(tags.found)
    assert all(link.startswith("#") for link in tags.links)
    assert len(tags.links) == 3
    assert not {"script", "link", "img", "iframe"} & set(tags.found)
    assert "url(" not in html
    assert "@import" not in html


def test_all_text_is_escaped():
    html = page(EVIL).html()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") > 10
    text = page(EVIL).markdown()
    assert "<script" not in text
    assert r"\[a\](b) \| \*c\* \`d\`" in text


def test_the_contents_lead_to_the_sections():
    tags = page().body()
    for number in (1, 2, 3):
        anchor = tags.split(f'-{number}">')[0].rsplit('"#', 1)[1] + f"-{number}"
        assert f'<h2 id="{anchor}">' in tags


def test_columns_of_numbers_are_aligned_to_the_right():
    assert page().html().count('<th scope="col" class="number">number</th>') == 2
    assert '<th scope="col">plain</th>' in page().html()
    assert "| --- | ---: | --- |" in page().markdown()


def test_notebooks_show_the_same_body():
    shown = page()._repr_html_()
    assert str(page().body()) in shown
    assert str(page().body()) in page().html()
    assert "<style>" in shown
    assert "<html" not in shown


def test_markdown_has_every_part():
    lines = page("word").markdown().splitlines()
    assert lines[0] == "# word"
    assert {"## First word", "- fact: word", "- **12%** word: word", "_f_", "more", "next", "**word**"} <= set(lines)
    assert lines.count("| word | 1,234 \\[1, 2\\] | word |") == 2  # the table, and the numbers of the figure


@pytest.mark.parametrize("text", ["- a", "+ b", "1. c", "2) d", "# e", "> f", "~~~"])
def test_text_of_a_list_stays_text_in_markdown(text):
    from ramify.report.markdown import plain

    assert plain(text)[0] in "\\&12"
    assert plain(text) != text
    assert plain("3.5 and -2 and 1.5") == "3.5 and -2 and 1.5"


def test_files_are_written_whole(tmp_path):
    page().save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text("utf-8") == page().html()
    page().save(str(tmp_path / "page.md"))
    assert (tmp_path / "page.md").read_text("utf-8") == page().markdown()
    page("\ud800").save(tmp_path / "odd.html")  # half a surrogate pair of a damaged file
    with pytest.raises(InputError, match=r"report is 'page.pdf', but must be a .html or .md file"):
        page().save(tmp_path / "page.pdf")
    with pytest.raises(DataFileError, match="No such file or directory"):
        page().save(tmp_path / "nowhere" / "page.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["odd.html", "page.html", "page.md"]


def test_a_failure_keeps_the_previous_file(tmp_path):
    target = tmp_path / "page.html"
    target.write_text("previous")
    with pytest.raises(AttributeError):
        Page("t", "s", [Section("a", "b", [object()])]).save(target)
    assert target.read_text() == "previous"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
