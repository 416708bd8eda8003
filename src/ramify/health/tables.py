"""Data health on a terminal: findings, tables, examples."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ramify.evaluation.grid import Grid
from ramify.health.findings import Finding, counted, percent
from ramify.health.frequencies import Frequencies
from ramify.health.label_names import Variants
from ramify.health.languages import language_name
from ramify.health.overlap import Example, Overlap
from ramify.health.parts import BINS, PartFacts, range_name, used_bins
from ramify.wording import one_line

if TYPE_CHECKING:
    from ramify.health.data_health import DataHealth

SHOWN_VARIANTS = 10
SHOWN_NAME = 40
WIDTH = 100


def grids_of(health: DataHealth) -> tuple[Grid, ...]:
    """All tables that have rows."""
    grids = [
        part_grid(health),
        histogram_grid(health.parts),
        band_grid(health.frequencies),
        frequent_grid(health.frequencies),
        duplicate_grid(health.overlap, has_test=health.test is not None),
        variant_grid(health.similar_names, SHOWN_VARIANTS, has_test=health.test is not None),
        language_grid(health),
    ]
    return tuple(grid for grid in grids if grid.rows)


def text_of(health: DataHealth) -> str:
    """The terminal output."""
    parts = [_finding_text(health.findings)]
    parts += map(str, grids_of(health))
    if health.overlap.examples:
        parts.append(_example_text(health.overlap))
        parts.append(f"a split with all near duplicates on one side:\n  {one_line(health.split_command)}")
    return "\n\n".join(parts)


def _finding_text(findings: tuple[Finding, ...]) -> str:
    lines = ["findings" if findings else "no findings"]
    for finding in findings:
        texts = (f"{'serious' if finding.serious else 'note'}: {finding.text}", f"  remedy: {finding.remedy}")
        lines += [
            textwrap.fill(one_line(text), WIDTH, subsequent_indent="  ", break_on_hyphens=False) for text in texts
        ]
    return "\n".join(lines)


def part_grid(health: DataHealth) -> Grid:
    """Numbers of both parts."""
    parts = health.parts.values()
    content, length = ("text", "characters per text") if health.holds_texts else ("feature", "features per row")
    rows = [
        ("documents", *(f"{part.documents:,}" for part in parts)),
        ("labels", *(f"{part.labels:,}" for part in parts)),
        ("labels per document, mean", *(f"{part.per_document.mean:.2f}" for part in parts)),
        ("labels per document, median", *(f"{part.per_document.median:g}" for part in parts)),
        ("labels per document, most", *(f"{part.per_document.largest:,}" for part in parts)),
        ("documents without label", *(f"{part.unlabelled:,}" for part in parts)),
        (f"documents without {content}", *(f"{part.empty:,}" for part in parts)),
        (f"{length}, median", *(f"{part.length.median:,.0f}" for part in parts)),
        (f"{length}, 95th percentile", *(f"{part.length.p95:,.0f}" for part in parts)),
        (f"{length}, most", *(f"{part.length.largest:,}" for part in parts)),
    ]
    unseen = health.unseen
    if unseen is not None:
        rows.append(("labels without training document", "", f"{unseen.labels:,}"))
        rows.append(("documents with such labels only", "", f"{unseen.documents:,}"))
    return Grid("documents and labels", ("", *health.parts), tuple(rows))


def histogram_grid(parts: dict[str, PartFacts]) -> Grid:
    """Documents by number of labels."""
    header = [column for name in parts for column in (name, "share")]
    rows = [
        (
            range_name(*BINS[number]),
            *(
                cell
                for part in parts.values()
                for cell in (f"{part.histogram[number]:,}", percent(part.histogram[number], part.documents))
            ),
        )
        for number in used_bins(*parts.values())
    ]
    return Grid("documents by number of labels", ("labels", *header), tuple(rows))


def band_grid(frequencies: Frequencies) -> Grid:
    """Labels by number of training documents."""
    rows = [
        (
            range_name(band.fewest, band.most),
            f"{band.labels:,}",
            percent(band.labels, frequencies.labels),
            percent(band.assignments, frequencies.assignments),
        )
        for band in frequencies.bands
    ]
    header = ("training documents", "labels", "share", "share of assignments")
    return Grid("labels by number of training documents", header, tuple(rows))


def frequent_grid(frequencies: Frequencies) -> Grid:
    """The most frequent labels."""
    rows = [(shortened(name), f"{count:,}") for name, count in frequencies.frequent]
    return Grid("most frequent labels", ("", "training documents"), tuple(rows))


def duplicate_grid(overlap: Overlap, *, has_test: bool) -> Grid:
    """Duplicates within and across the parts."""
    kinds = (overlap.exact, overlap.near)
    rows = [
        ("groups", [kind.groups for kind in kinds]),
        ("documents of the largest group", [kind.largest for kind in kinds]),
        ("training documents with an earlier duplicate in training", [kind.train for kind in kinds]),
    ]
    if has_test:
        rows.append(("test documents with an earlier duplicate in test", [kind.test for kind in kinds]))
        rows.append(("test documents with a duplicate in training", [kind.across for kind in kinds]))
    cells = tuple((name, *(f"{number:,}" for number in numbers)) for name, numbers in rows)
    return Grid("duplicate documents", ("", "equal", f"similarity ≥ {overlap.similarity:g}"), cells)


def variant_grid(variants: tuple[Variants, ...], most: int, *, has_test: bool) -> Grid:
    """Label names that differ only in case, spacing or number."""
    more = "" if len(variants) <= most else f" ({most} of {len(variants):,} groups)"
    rows = [
        (
            " / ".join(shortened(name) for name, _ in one.names[:4]),
            one.kind,
            " / ".join(f"{count:,}" for _, count in one.names[:4]),
        )
        for one in variants[:most]
    ]
    counts = "documents, both parts" if has_test else "documents"
    return Grid(f"label names that may mean one label{more}", ("", "difference", counts), tuple(rows))


def language_grid(health: DataHealth) -> Grid:
    """Languages of the samples."""
    shares = [dict(mix.shares) for mix in health.languages]
    codes = {code: sum(part.get(code, 0) for part in shares) for part in shares for code in part}
    rows = [
        (language_name(code), *(_share(part, code) for part in shares))
        for code in sorted(codes, key=lambda code: -codes[code])
    ]
    sampled = " and ".join(f"{mix.sampled:,}" for mix in health.languages)
    title = f"languages, estimated from a sample of {sampled} documents"
    return Grid(title, ("", *list(health.parts)[: len(shares)]), tuple(rows))


def _share(shares: dict[str, float], code: str) -> str:
    if not shares:
        return "–"  # the sample is too small
    return f"{shares[code]:.1%}" if code in shares else "under 1%"


def shortened(name: str, letters: int = SHOWN_NAME) -> str:
    """A name of at most ``letters`` characters."""
    return name if len(name) <= letters else name[: letters - 1] + "…"


def _example_text(overlap: Overlap) -> str:
    lines = ["examples of near duplicates"]
    for example in overlap.examples:
        lines.append("  {}: {}".format(*group_name(example)))
        for part, number, text in example.documents:
            lines.append(f"    {part} {number:,}: {one_line(text)}" if text else f"    {part} {number:,}")
    return "\n".join(lines)


def group_name(example: Example) -> tuple[str, str]:
    """The size of a group, and its size in both parts with its least similarity."""
    parts = (("training", example.train), ("test", example.test))
    sides = ", ".join(f"{count:,} in {name}" for name, count in parts if count)
    return counted(example.train + example.test, "document"), f"{sides}; similarity from {example.similarity:.2f}"
