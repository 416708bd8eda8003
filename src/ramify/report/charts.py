"""Charts as inline SVG, computed from numbers: lines, points, bars and histograms.

A chart is as wide as its place. Horizontal positions are percentages of the width and vertical ones are pixels, so that
the text keeps its size on a narrow screen. Lines are drawn in a nested coordinate system of 1000 by 1000 that is
stretched over the plot. Colours, fonts and dashes are classes of ``templates/style.css``, in light and dark. Each
series has its own colour, dash and marker, because colour alone does not distinguish series for every reader.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ramify.report.markup import Markup, escape, name_html
from ramify.report.scales import Axis
from ramify.wording import shortened

LEFT, WIDTH = 11.0, 86.0
"""Left edge and width of the plot, in percent of the chart."""
TOP, HEIGHT, BELOW = 30, 230, 48
"""Space above the plot, its height, and the space below, in pixels."""
INNER = 1000
COLOURS = 6
"""Number of colours; further series repeat them."""
MARKERS = (
    '<circle r="4"/>',
    '<path d="M-4-4H4V4H-4Z"/>',
    '<path d="M0-5L5 4H-5Z"/>',
    '<path d="M0-6L5 0L0 6L-5 0Z"/>',
    '<path d="M0 5L5-4H-5Z"/>',
    '<path d="M-4-1.5H-1.5V-4H1.5V-1.5H4V1.5H1.5V4H-1.5V1.5H-4Z"/>',
)


@dataclass(frozen=True)
class Series:
    """Points of one name in a chart.

    Parameters
    ----------
    name : str
    x, y : sequence of float
        Points, in order; those that are not finite are left out.
    low, high : sequence of float, optional
        Interval of each y, drawn as a band.
    line, points : bool, default True
        What is drawn.
    tips : sequence of str, optional
        Text of each point, shown by a browser when the mouse is over it.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    line: bool = True
    points: bool = True
    tips: Sequence[str] | None = None


@dataclass(frozen=True)
class Mark:
    """A single labelled point, such as a chosen setting.

    Parameters
    ----------
    x, y : float
    text : str
        Short; written beside the point.
    series : int, default 0
        Number of the series whose colour it has.
    """

    x: float
    y: float
    text: str
    series: int = 0


def line_chart(
    series: Sequence[Series],
    x: Axis,
    y: Axis,
    *,
    title: str,
    description: str = "",
    marks: Sequence[Mark] = (),
    diagonal: bool = False,
) -> Markup:
    """Lines, points or both over two axes.

    Parameters
    ----------
    series : sequence of Series
    x, y : Axis
    title : str
        Name of the chart for screen readers.
    description : str, default ""
        What it shows, for screen readers.
    marks : sequence of Mark, optional
        Labelled points.
    diagonal : bool, default False
        Whether the line y = x is drawn, as in reliability diagrams.

    Returns
    -------
    Markup
        A legend, if there are several series, and the SVG element.
    """
    x = x.fitted([*(value for one in series for value in one.x), *(mark.x for mark in marks)])
    bands = [value for one in series for edge in (one.low, one.high) for value in edge or ()]
    y = y.fitted([*(value for one in series for value in one.y), *bands, *(mark.y for mark in marks)])
    parts = [*_frame(x, y)]
    if diagonal:
        parts.append(_stretched('<line class="guide" x1="0" y1="1000" x2="1000" y2="0"/>'))
    parts += [_series(one, number, x, y) for number, one in enumerate(series)]
    shown = [mark for mark in marks if x.shows(mark.x) and y.shows(mark.y)]
    parts += [_mark(mark, number, x, y) for number, mark in enumerate(shown)]
    return legend([one.name for one in series]) + svg(parts, TOP + HEIGHT + BELOW, title, description)


def histogram(
    edges: Sequence[float],
    names: Sequence[str],
    heights: Sequence[Sequence[float]],
    x: Axis,
    y: Axis,
    *,
    title: str,
    description: str = "",
) -> Markup:
    """Columns between edges; the outlines of several series lie over each other.

    Parameters
    ----------
    edges : sequence of float, length bins + 1
        Ascending.
    names : sequence of str
        Names of the series.
    heights : sequence of sequence of float, one of length bins per series
    x, y : Axis
        y begins at 0 unless it has another low end.
    title, description
        As in :func:`line_chart`.
    """
    x = x.fitted(edges)
    y = replace(y, low=0.0 if y.low is None else y.low).fitted([value for one in heights for value in one])
    parts = [*_frame(x, y)]
    for number, one in enumerate(heights):
        path = [f"M{_inner(x.place(edges[0])):g} {INNER}"]
        for left, right, height in zip(edges[:-1], edges[1:], one, strict=True):
            top = INNER - _inner(y.place(height))
            path.append(f"L{_inner(x.place(left)):g} {top:g}L{_inner(x.place(right)):g} {top:g}")
        path.append(f"L{_inner(x.place(edges[-1])):g} {INNER}Z")
        parts.append(_stretched(f'<path class="area c{number % COLOURS}" d="{"".join(path)}"/>'))
    return legend(names, boxes=True) + svg(parts, TOP + HEIGHT + BELOW, title, description)


def bars(
    rows: Sequence[str],
    names: Sequence[str],
    values: Sequence[Sequence[float]],
    axis: Axis,
    *,
    title: str,
    description: str = "",
    intervals: Sequence[Sequence[tuple[float, float]]] | None = None,
) -> Markup:
    """Horizontal bars below the name of their row, one for each series.

    Parameters
    ----------
    rows : sequence of str
        Names of the rows, from the top.
    names : sequence of str
        Names of the series.
    values : sequence of sequence of float, one of length ``len(rows)`` per series
        A value that is not finite has no bar.
    axis : Axis
        Low end 0 unless given; its label is not drawn.
    title, description
        As in :func:`line_chart`.
    intervals : as ``values``, of (low, high), optional
    """
    highest = [edge[1] for one in intervals or () for edge in one]
    axis = replace(axis, low=0.0 if axis.low is None else axis.low).fitted(
        [*(value for one in values for value in one), *highest]
    )
    bar, gap, parts, top = 14, 3, [], 0
    for row, name in enumerate(rows):
        parts.append(f'<text class="name" x="0" y="{top + 14}">{_shortened(name)}</text>')
        top += 21
        for number, one in enumerate(values):
            edge = None if intervals is None else intervals[number][row]
            parts.append(_bar(axis, one[row], edge, top, bar, number))
            top += bar + gap
        top += 9
    return legend(names, boxes=True) + svg(parts, top, title, description)


def legend(names: Sequence[str], *, boxes: bool = False) -> Markup:
    """Names of the series beside their marker or colour; empty for a single series."""
    if len(names) < 2:
        return Markup("")
    entries = []
    for number, name in enumerate(names):
        colour = number % COLOURS
        shape = '<path d="M-9-6H9V6H-9Z"/>' if boxes else f'<path class="stroke" d="M-11 0H11"/>{MARKERS[colour]}'
        key = f'<svg class="key c{colour} d{colour}" viewBox="-12 -8 24 16" aria-hidden="true">{shape}</svg>'
        entries.append(f"<li>{key} {name_html(name)}</li>")
    return Markup(f'<ul class="legend">{"".join(entries)}</ul>')


def svg(parts: Sequence[str], height: float, title: str, description: str) -> Markup:
    """The SVG element of a chart: as wide as its place, with a name for screen readers."""
    described = f"<desc>{escape(description)}</desc>" if description else ""
    return Markup(
        f'<svg class="chart" role="img" aria-label="{escape(title)}" width="100%" height="{height:g}" '
        f'xmlns="http://www.w3.org/2000/svg">{described}{"".join(parts)}</svg>'
    )


def _frame(x: Axis, y: Axis) -> list[str]:
    """Grid lines, tick labels and names of both axes."""
    bottom = TOP + HEIGHT
    parts = [f'<text class="axis" x="0" y="14">{escape(y.label)}</text>']
    for value, text in zip(y.ticks(), y.tick_texts(), strict=True):
        at = bottom - HEIGHT * y.place(value)
        parts.append(f'<line class="grid" x1="{LEFT}%" x2="{LEFT + WIDTH}%" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="tick end" x="{LEFT}%" dx="-7" y="{at + 4:.1f}">{escape(text)}</text>')
    for value, text in zip(x.ticks(), x.tick_texts(), strict=True):
        place = _x(x, value)
        parts.append(f'<line class="grid" x1="{place}" x2="{place}" y1="{bottom}" y2="{bottom + 5}"/>')
        parts.append(f'<text class="tick middle" x="{place}" y="{bottom + 19}">{escape(text)}</text>')
    middle = LEFT + WIDTH / 2
    parts.append(f'<text class="axis middle" x="{middle}%" y="{bottom + 41}">{escape(x.label)}</text>')
    parts.append(f'<line class="base" x1="{LEFT}%" x2="{LEFT + WIDTH}%" y1="{bottom}" y2="{bottom}"/>')
    return parts


def _series(one: Series, number: int, x: Axis, y: Axis) -> str:
    colour = number % COLOURS
    shown = [at for at, (a, b) in enumerate(zip(one.x, one.y, strict=True)) if x.shows(a) and y.shows(b)]
    inner = ""
    if one.low is not None and one.high is not None and shown:
        edges = [(one.x[at], one.low[at]) for at in shown] + [(one.x[at], one.high[at]) for at in reversed(shown)]
        inner += f'<polygon class="band c{colour}" points="{_points(edges, x, y)}"/>'
    if one.line and len(shown) > 1:
        line = _points([(one.x[at], one.y[at]) for at in shown], x, y)
        inner += f'<polyline class="line c{colour} d{colour}" points="{line}"/>'
    markers = "".join(
        _marker(_x(x, one.x[at]), _y(y, one.y[at]), colour, None if one.tips is None else one.tips[at])
        for at in (shown if one.points else ())
    )
    return (_stretched(inner) if inner else "") + markers


def _points(pairs: Sequence[tuple[float, float]], x: Axis, y: Axis) -> str:
    return " ".join(f"{_inner(x.place(a)):g},{INNER - _inner(y.place(b)):g}" for a, b in pairs)


def _marker(x: str, y: float, colour: int, tip: str | None) -> str:
    title = "" if tip is None else f"<title>{escape(tip)}</title>"
    return f'<svg class="marker c{colour}" x="{x}" y="{y:.1f}" overflow="visible">{title}{MARKERS[colour]}</svg>'


def _mark(mark: Mark, number: int, x: Axis, y: Axis) -> str:
    """A ring with a text on the side with more space; the texts of several marks are above and below in turn."""
    at, height, colour = _x(x, mark.x), _y(y, mark.y), mark.series % COLOURS
    right = x.place(mark.x) > 0.5
    down = 9 + 15 * (number // 2)
    below = number % 2 == 1 or y.place(mark.y) > 0.9
    side = f'dx="{-11 if right else 11}" dy="{down + 11 if below else -down}"'
    return (
        f'<svg class="ring c{colour}" x="{at}" y="{height:.1f}" overflow="visible"><circle r="7"/></svg>'
        f'<text class="note{" end" if right else ""}" x="{at}" y="{height:.1f}" {side}>{escape(mark.text)}</text>'
    )


def _bar(axis: Axis, value: float, edge: tuple[float, float] | None, top: int, height: int, number: int) -> str:
    """One bar with its value; the bars use 80% of the width, so that the values fit beside them."""
    if not axis.shows(value):
        return f'<text class="value" x="0" y="{top + height - 3}">no value</text>'
    end, whisker = 80 * axis.place(value), ""
    if edge is not None and all(map(math.isfinite, edge)):
        low, high = (80 * axis.place(side) for side in edge)
        middle = top + height / 2
        whisker = f'<line class="whisker" x1="{low:.2f}%" x2="{high:.2f}%" y1="{middle}" y2="{middle}"/>'
        end = max(end, high)
    return (
        f'<rect class="bar c{number % COLOURS}" x="0" y="{top}" width="{80 * axis.place(value):.2f}%" '
        f'height="{height}" rx="2"/>{whisker}'
        f'<text class="value" x="{end:.2f}%" dx="6" y="{top + height - 3}">{escape(axis.text(value))}</text>'
    )


def _stretched(inner: str) -> str:
    """Elements in coordinates of 0..1000, stretched over the plot."""
    return (
        f'<svg x="{LEFT}%" y="{TOP}" width="{WIDTH}%" height="{HEIGHT}" viewBox="0 0 {INNER} {INNER}" '
        f'preserveAspectRatio="none" overflow="visible">{inner}</svg>'
    )


def _inner(place: float) -> float:
    return round(INNER * place, 1)


def _x(axis: Axis, value: float) -> str:
    return f"{LEFT + WIDTH * axis.place(value):.2f}%"


def _y(axis: Axis, value: float) -> float:
    return TOP + HEIGHT * (1 - axis.place(value))


def _shortened(name: str, letters: int = 46) -> Markup:
    """A name of at most ``letters`` characters, which fit on a screen of 400 pixels; the whole one as a tooltip."""
    if len(name) <= letters:
        return escape(name)
    return Markup("<title>{}</title>{}").format(escape(name), escape(shortened(name, letters)))
