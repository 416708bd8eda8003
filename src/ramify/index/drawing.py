"""A label tree as a picture: an icicle of nested boxes, from the root on the left to the leaf clusters on the right.

The height of a box is its share of the leaves; its text shows some of its labels. The file is SVG; a tooltip shows the
size of a box and more labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from colorsys import hls_to_rgb
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from ramify.errors import DataFileError, InputError
from ramify.index.outline import TreeSummary
from ramify.values import LabelTree
from ramify.wording import one_line, quoted

_LETTER = 6.1  # width of an average letter of the font below, in pixels
_LINE = 13  # height of a line of text
_TOP = 44
_MARGIN = 12


@dataclass(frozen=True)
class _Box:
    level: int
    node: int
    x: float
    y: float
    width: float
    height: float
    hue: float  # 0 to 1


def draw(
    tree: LabelTree,
    path: str | PathLike[str],
    label_names: Sequence[str],
    *,
    frequencies: Any = None,
    width: int = 1200,
    height: int | None = None,
) -> None:
    """Write the picture of a tree.

    Parameters
    ----------
    tree : LabelTree
        The tree; boxes of less than half a pixel are left out.
    path : path-like
        Output file; must end in ``.svg``.
    label_names : sequence of str, length L
        Names of the labels.
    frequencies : array, shape (L,), optional
        Number of occurrences per label; the most frequent are shown.
    width : int, default 1200
        Pixels, at least 200.
    height : int, optional
        Pixels, at least 200; by default enough for a line in every leaf cluster, at most 6,000.

    Raises
    ------
    InputError
        Another ending, sizes too small, or lengths that differ from the tree's label space.
    DataFileError
        The file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".svg":
        raise InputError(f"the picture is an SVG file, but its path is {quoted(path.name)}: let it end in .svg")
    svg = picture(tree, label_names, frequencies=frequencies, width=width, height=height)
    try:
        path.write_text(svg, encoding="utf-8")
    except OSError as error:
        raise DataFileError(f"the picture cannot be written ({error})", path) from None


def picture(
    tree: LabelTree,
    label_names: Sequence[str],
    *,
    frequencies: Any = None,
    width: int = 1200,
    height: int | None = None,
) -> str:
    """The picture of a tree as SVG text; parameters and errors as in ``draw``."""
    if height is None:
        height = _TOP + _MARGIN + min(max(30, tree.level_sizes[-2] if tree.depth > 1 else 30), 420) * (_LINE + 1)
    if min(width, height) < 200:
        raise InputError(f"the picture is {width} by {height} pixels, but must be at least 200 by 200")
    summary = TreeSummary(tree, label_names, frequencies)
    parts = [_head(tree, width, height)]
    if not summary.first_leaves:
        parts += _leaf_list(tree, label_names, width, height)
    parts += [_element(summary, box) for box in _boxes(summary, width, height)]
    return "\n".join([*parts, "</svg>", ""])


def _head(tree: LabelTree, width: int, height: int) -> str:
    clusters = " → ".join(f"{size:,}" for size in tree.level_sizes[:-1]) or "none"
    title = f"{len(np.unique(tree.leaf_labels)):,} labels; clusters per level: {clusters}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="11">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n'
        f'<text x="{_MARGIN}" y="26" font-size="16" font-weight="bold" fill="#222">{title}</text>'
    )


def _boxes(summary: TreeSummary, width: int, height: int) -> Iterator[_Box]:
    """Boxes of at least half a pixel; deeper levels are wider, because their boxes have one line each."""
    n_levels = len(summary.first_leaves)
    shares = np.linspace(1.0, 1.6, n_levels) if n_levels else np.zeros(0)
    edges = _MARGIN + np.concatenate([[0], np.cumsum(shares)]) * (width - 2 * _MARGIN) / max(shares.sum(), 1)
    scale = (height - _TOP - _MARGIN) / summary.tree.n_leaves
    tops = summary.first_leaves[0] if n_levels else np.zeros(1)
    for level, first in enumerate(summary.first_leaves):
        middles = (first[:-1] + first[1:]) / 2
        branch = np.searchsorted(tops, middles, side="right") - 1
        for node, (begin, end) in enumerate(zip(first[:-1].tolist(), first[1:].tolist(), strict=True)):
            if (end - begin) * scale < 0.5:
                continue
            yield _Box(
                level=level,
                node=node,
                x=float(edges[level]),
                y=_TOP + begin * scale,
                width=float(edges[level + 1] - edges[level]),
                height=(end - begin) * scale,
                hue=_hue(int(branch[node]), len(tops) - 1, (begin + end) / 2, tops),
            )


def _hue(branch: int, n_branches: int, middle: float, tops: Any) -> float:
    """Each top cluster has its own range of hues, divided among its descendants by position."""
    begin, end = float(tops[branch]), float(tops[branch + 1])
    return (branch + 0.75 * (middle - begin) / (end - begin)) / n_branches


def _element(summary: TreeSummary, box: _Box) -> str:
    size = summary.size(box.level, box.node)
    names = summary.examples(box.level, box.node, 8)
    tip = f"cluster {box.node} of level {box.level}, {size:,} labels: {', '.join(names)}" + ", ..." * (
        size > len(names)
    )
    light = 0.74 + 0.14 * (box.level + 1) / (len(summary.first_leaves) + 1)
    edge = ' stroke="white" stroke-width="0.8"' if box.height > 3 else ""
    shape = (
        f'<rect x="{box.x:.1f}" y="{box.y:.2f}" width="{box.width:.1f}" height="{box.height:.2f}" '
        f'fill="{_colour(box.hue, light)}"{edge}/>'
    )
    texts = "".join(_texts(box, size, names))
    return f"<g><title>{_safe(tip)}</title>{shape}{texts}</g>"


def _colour(hue: float, light: float) -> str:
    red, green, blue = (round(255 * part) for part in hls_to_rgb(hue, light, 0.6))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _texts(box: _Box, size: int, names: Sequence[str]) -> Iterator[str]:
    """One line per label as far as they fit; the first line begins with the size."""
    room = int(box.height // _LINE)
    letters = int((box.width - 8) / _LETTER)
    if room < 1:
        return
    lines = [f"{size:,}: {', '.join(names)}"] if room < 3 else [f"{size:,} labels", *names][:room]
    y = box.y + (box.height - _LINE * len(lines)) / 2 + 10
    for number, line in enumerate(lines):
        text = line if len(line) <= letters else line[: max(letters - 1, 0)] + "…"
        weight = ' font-weight="bold"' if number == 0 and len(lines) > 1 else ""
        yield f'<text x="{box.x + 4:.1f}" y="{y + number * _LINE:.1f}" fill="#222"{weight}>{_safe(text)}</text>'


def _leaf_list(tree: LabelTree, label_names: Sequence[str], width: int, height: int) -> Iterator[str]:
    """Labels of a flat tree, which has no boxes: one below the other, as many as fit."""
    room = (height - _TOP - _MARGIN) // _LINE
    names = [label_names[label] for label in tree.leaf_labels[:room].tolist()]
    if tree.n_leaves > room:
        names[-1] = f"... {tree.n_leaves - room + 1:,} more"
    letters = int((width - 2 * _MARGIN) / _LETTER)
    for number, name in enumerate(names):
        yield f'<text x="{_MARGIN}" y="{_TOP + 10 + number * _LINE}" fill="#222">{_safe(name[:letters])}</text>'


def _safe(text: str) -> str:
    """Text for XML, without the characters that XML forbids."""
    return escape(one_line(text))
