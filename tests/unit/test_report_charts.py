"""Axes and charts: positions, ticks, texts, and well-formed SVG of any numbers and names."""

import math
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("jinja2", reason="the extra report is not installed")

from ramify.report import Axis, Mark, Series, bars, histogram, line_chart
from ramify.report.scales import number_text, percent_text

SHARE = Axis("share", 0, 1, percent=True)


def elements(chart, name):
    """The elements of a chart by their tag; ElementTree refuses what is not well-formed."""
    tree = ElementTree.fromstring(f"<div>{chart}</div>")
    return [one for one in tree.iter() if one.tag.split("}")[-1] == name]


def texts(chart):
    return ["".join(one.itertext()) for one in elements(chart, "text")]


@pytest.mark.parametrize(
    ("axis", "values", "wanted"),
    [
        (Axis("", 0, 1), [], [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (Axis(""), [3, 47], [10, 20, 30, 40]),
        (Axis("", whole=True), [1, 3], [1, 2, 3]),
        (Axis("", log=True), [1, 1000], [1, 10, 100, 1000]),
        (Axis("", log=True), [2, 90], [3, 10, 30]),
        (Axis("", log=True), [22.3, 44.9], [25, 30, 35, 40]),
        (Axis("", log=True), [5, 5], [5, 10, 20, 50]),
        (Axis(""), [7, 7], [8, 10, 12, 14]),
        (Axis(""), [], [0, 0.2, 0.4, 0.6, 0.8, 1]),
    ],
)
def test_ticks_are_round_numbers_within_the_ends(axis, values, wanted):
    assert axis.fitted(values).ticks() == pytest.approx(wanted)


def test_places_run_from_0_to_1():
    assert [Axis("", 0, 10).place(value) for value in (-5, 0, 2.5, 10, 99)] == [0, 0, 0.25, 1, 1]
    assert Axis("", 1, 10_000, log=True).place(100) == pytest.approx(0.5)
    assert Axis("", log=True).fitted([0, -3, math.nan, 4, 400]).ends == (4, 400)


@given(st.floats(1e-6, 1e6), st.floats(1.0001, 1e6), st.booleans(), st.booleans())
def test_any_range_has_ticks(low, factor, log, whole):
    axis = Axis("", low, low * factor, log=log, whole=whole)
    ticks = axis.ticks()
    assert len(ticks) <= 12
    assert ticks == sorted(ticks)
    assert all(low * 0.999 <= tick <= low * factor * 1.001 for tick in ticks)


@pytest.mark.parametrize(
    ("value", "percent", "number"),
    [(0.123, "12%", "0.123"), (0.0123, "1.2%", "0.0123"), (0, "0%", "0"), (math.nan, "–", "–"), (1, "100%", "1")],
)
def test_numbers_as_text(value, percent, number):
    assert percent_text(value) == percent
    assert number_text(value) == number


def test_large_numbers_are_short():
    assert [number_text(value) for value in (999, 12345, 2.5e6, 3e9, 0.5)] == ["999", "12,345", "2.5M", "3G", "0.5"]


def test_a_line_is_where_its_points_are():
    chart = line_chart([Series("a", [0, 0.5, 1], [0, 1, 0.5])], SHARE, SHARE, title="t")
    [line] = elements(chart, "polyline")
    assert line.get("points") == "0,1000 500,0 1000,500"
    markers = [one for one in elements(chart, "svg") if "marker" in one.get("class", "")]
    assert [one.get("x") for one in markers] == ["11.00%", "54.00%", "97.00%"]


def test_every_series_has_its_own_colour_and_dash_and_stands_in_the_legend():
    chart = line_chart([Series(f"m{i}", [0, 1], [0, i / 8]) for i in range(7)], SHARE, SHARE, title="t")
    lines = [one.get("class") for one in elements(chart, "polyline")]
    assert len(set(lines)) == 6  # the seventh repeats the first
    assert ["".join(one.itertext()).strip() for one in elements(chart, "li")] == [f"m{i}" for i in range(7)]
    assert "legend" not in line_chart([Series("alone", [0, 1], [0, 1])], SHARE, SHARE, title="t")


def test_values_without_a_position_are_left_out():
    series = Series("a", [0, 1, 10, 100], [0.1, math.nan, 0.3, 0.4], low=[0, 0, 0, 0], high=[1, 1, 1, 1])
    chart = line_chart([series], Axis("x", log=True), SHARE, title="t")
    [line] = elements(chart, "polyline")
    assert len(line.get("points").split()) == 2  # 0 has no logarithm
    assert len(elements(chart, "polygon")[0].get("points").split()) == 4
    empty = line_chart([Series("a", [], [])], SHARE, SHARE, title="t", marks=[Mark(math.nan, 0, "no")])
    assert not elements(empty, "polyline")
    assert "no" not in texts(empty)


def test_bars_have_lengths_values_and_intervals():
    chart = bars(
        ["r1", "r2"], ["a"], [[0.5, math.nan]], SHARE, title="t", intervals=[[(0.4, 0.6), (math.nan, math.nan)]]
    )
    [bar] = elements(chart, "rect")
    assert bar.get("width") == "40.00%"  # of the 80% that bars use
    whisker = next(one for one in elements(chart, "line") if one.get("class") == "whisker")
    assert (whisker.get("x1"), whisker.get("x2")) == ("32.00%", "48.00%")
    assert texts(chart) == ["r1", "50%", "r2", "no value"]


def test_a_long_name_is_shortened_and_kept_as_a_tooltip():
    name = "a very long name of a label " * 4
    shown = texts(bars([name], ["a"], [[0.5]], SHARE, title="t"))[0]
    assert shown.endswith("…")
    assert name in shown  # in the title


def test_histogram_columns_stand_on_the_axis():
    chart = histogram([0, 1, 2], ["a", "b"], [[1, 3], [2, 0]], Axis("x"), Axis("n"), title="t")
    first = elements(chart, "path")[-2]
    assert first.get("d") == "M0 1000L0 666.7L500 666.7L500 0L1000 0L1000 1000Z"


@given(st.text(max_size=60), st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=4))
def test_any_name_and_number_gives_well_formed_svg(name, values):
    name = "".join(letter for letter in name if letter.isprintable() and not "\ud800" <= letter <= "\udfff")
    series = [Series(name, values, values, tips=[name] * len(values)), Series("b", values, values)]
    chart = line_chart(series, Axis(name), Axis(name), title=name, description=name, marks=[Mark(0, 0, name)])
    assert name in [one.get("aria-label") for one in elements(chart, "svg")] or not name.strip()
    assert elements(bars([name] * len(values), [name], [values], Axis(""), title=name), "svg")
