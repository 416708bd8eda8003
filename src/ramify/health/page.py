"""Data health as a page (extra ``report``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ramify.data.formats import paths_of
from ramify.evaluation.grid import Grid
from ramify.health.findings import Finding, percent, split_command
from ramify.health.languages import language_name
from ramify.health.overlap import Example
from ramify.health.parts import BINS, range_name, used_bins
from ramify.health.tables import (
    band_grid,
    duplicate_grid,
    frequent_grid,
    group_name,
    histogram_grid,
    language_grid,
    part_grid,
    shortened,
    variant_grid,
)
from ramify.report import Axis, Figure, Fragment, Page, Section, Series, Tiles, bars, line_chart
from ramify.report.markdown import plain
from ramify.report.markup import Markup
from ramify.report.page import Part

if TYPE_CHECKING:
    from ramify.health.data_health import DataHealth

SHOWN_VARIANTS = 25
SHOWN_TEXT = 100


def page_of(health: DataHealth) -> Page:
    """The page of a `DataHealth`."""
    from ramify import __version__

    sections = [_findings(health), _documents(health), _frequencies(health), _duplicates(health)]
    if health.similar_names:
        sections.append(_names(health))
    if any(mix.shares for mix in health.languages):
        sections.append(_languages(health))
    names = dict(zip(("Training data", "Test data"), _file_names(health), strict=False))
    return Page(
        title="State of the data",
        summary=_summary(health),
        sections=sections,
        facts=[*names.items(), ("Written by", f"ramify {__version__}")],
    )


def _file_names(health: DataHealth) -> list[str]:
    """The sources without their directories, because a page is passed on."""
    pairs = (paths_of(source) for source in health.sources)
    return [":".join(path.name for path in pair if path is not None) for pair in pairs]


def _summary(health: DataHealth) -> str:
    serious = sum(finding.serious for finding in health.findings)
    others = len(health.findings) - serious
    documents = f"{health.train.documents:,} training documents"
    if health.test is not None:
        documents += f" and {health.test.documents:,} test documents"
    found = f"{serious or 'no'} serious {'finding' if serious == 1 else 'findings'}"
    verb = "is" if serious == 1 else "are"
    more = f" and {others} {'note' if others == 1 else 'notes'}" if others else ""
    return f"{documents} with {health.frequencies.labels:,} labels. There {verb} {found}{more}."


def _findings(health: DataHealth) -> Section:
    return Section("Findings", "", [_tiles(health), *_finding_list(health.findings)])


def _tiles(health: DataHealth) -> Tiles:
    frequencies, near, exact = health.frequencies, health.overlap.near, health.overlap.exact
    single = frequencies.bands[0].labels
    tiles = [
        (f"{frequencies.labels:,}", "labels", "with at least one training document"),
        (f"{health.train.per_document.mean:.1f}", "labels per document", "mean of the training documents"),
        (percent(single, frequencies.labels), "labels with one document", f"{single:,} of {frequencies.labels:,}"),
    ]
    if health.test is None:
        share = percent(near.train, health.train.documents)
        text = f"{near.train:,} near duplicates of an earlier document, {exact.train:,} of them equal to it"
        tiles.append((share, "repeated documents", text))
    else:
        share = percent(near.across, health.test.documents)
        text = f"{near.across:,} test documents, {exact.across:,} of them with an equal one"
        tiles.append((share, "near duplicates in training", text))
    return Tiles(tiles)


def _finding_list(findings: tuple[Finding, ...]) -> Iterator[Fragment | str]:
    if not findings:
        yield "No duplicates, unseen labels, empty texts or doubtful label names were found."
    for finding in findings:
        kind = "serious" if finding.serious else "note"
        title, text = _sentence(finding.topic), f"{_sentence(finding.text)}."
        html = Markup(
            "<article class='card'><p class='card-head'>{} <span>{}</span></p><p>{}</p>"
            "<p class='card-name'>Remedy: {}.</p></article>"
        ).format(title, kind, text, finding.remedy)
        yield Fragment(html, f"**{plain(title)} ({kind}).** {plain(text)} Remedy: {plain(finding.remedy)}.")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _titled(grid: Grid) -> Grid:
    """A table of the terminal with a title as those of pages."""
    return replace(grid, title=_sentence(grid.title))


def _documents(health: DataHealth) -> Section:
    parts = health.parts
    used = used_bins(*parts.values())
    shares = [[part.histogram[bin_] / max(part.documents, 1) for bin_ in used] for part in parts.values()]
    rows = [f"{range_name(*BINS[bin_])} {'label' if BINS[bin_] == (1, 1) else 'labels'}" for bin_ in used]
    chart = bars(
        rows,
        list(parts),
        shares,
        Axis("share of the documents", percent=True),
        title="Share of the documents by number of labels",
    )
    text = """
    Documents without a label or without content do not contribute to training. If the number of labels per document
    differs between training and test, one of the parts was probably labelled or sampled in another way.
    """
    figure = Figure("Share of the documents by number of their labels.", chart, _titled(histogram_grid(parts)))
    return Section("Documents", text, [_titled(part_grid(health)), figure])


def _frequencies(health: DataHealth) -> Section:
    frequencies = health.frequencies
    text = """
    A model learns a label from the documents that have it. Labels with one to five documents are the hardest, and
    usually the majority. Measures of all labels together hide them: report measures by label frequency as well.
    """
    ranks = [rank for rank, _ in frequencies.curve]
    sizes = [size for _, size in frequencies.curve]
    half = (
        [
            Series(
                f"the first {frequencies.half:,} have half of all assignments",
                [frequencies.half],
                [frequencies.half_documents],
                line=False,
            )
        ]
        if ranks
        else []
    )
    chart = line_chart(
        [Series("all labels", ranks, sizes, points=False), *half],
        Axis("label, by descending frequency", low=1, log=True),
        Axis("training documents", low=1, log=True),
        title="Training documents per label",
        description="Both axes are logarithmic.",
    )
    caption = (
        f"Training documents of each label; both axes are logarithmic. The {frequencies.half:,} most frequent labels "
        f"have half of the {frequencies.assignments:,} assignments of labels to documents."
    )
    rows = tuple((f"{rank:,}", f"{size:,}") for rank, size in frequencies.curve)
    points = Grid("Points of the curve", ("label, by descending frequency", "training documents"), rows)
    return Section(
        "Label frequencies",
        text,
        [_titled(band_grid(frequencies)), Figure(caption, chart, points), _titled(frequent_grid(frequencies))],
    )


def _duplicates(health: DataHealth) -> Section:
    overlap = health.overlap
    unit = "character sequences of length 5" if health.holds_texts else "features"
    text = f"""
    If a test document has a near duplicate in training, a model often predicts the labels of the duplicate. Measures on
    such documents may be higher than those on new documents. The same holds for a random held-out part of data with
    duplicates. Near duplicates include the equal documents; the others can be different documents with much in common,
    such as the volumes of a series.

    Two documents are near duplicates if their sets of {unit} have a Jaccard similarity (shared ÷ all) of at least
    {overlap.similarity:g}. A group consists of documents that such pairs connect. A pair at the limit is found with a
    probability of {overlap.recall:.1%}, a more similar pair with a higher one. The probability can be lower among
    thousands of similar but different documents, because not all pairs of a large set of candidates are compared.
    """
    parts: list[Part] = [_titled(duplicate_grid(overlap, has_test=health.test is not None))]
    if overlap.examples:
        parts.append(_command(split_command(health, _file_names(health))))
        parts += [_lead_of_examples(health), *map(_example, overlap.examples)]
    return Section("Duplicates", text, parts)


def _lead_of_examples(health: DataHealth) -> str:
    first = "" if health.test is None else ", first those with documents in both parts"
    quote = "The page contains the beginnings of some documents. " if health.holds_texts else ""
    return f"{quote}The largest groups{first}:"


def _command(command: str) -> Fragment:
    lead = (
        "This command, run in the directory of the data, writes a training and a test file in which all near "
        "duplicates are on one side:"
    )
    lines = command.replace(" --", " \\\n  --").replace(" grouped-train", " \\\n  grouped-train", 1)
    html = Markup(
        "<p>{}</p><div class='scroll' role='group' aria-label='Command' tabindex='0'>"
        "<pre style='margin:0'>{}</pre></div>"
    )
    return Fragment(html.format(lead, lines), f"{lead}\n\n```\n{lines}\n```")


def _example(example: Example) -> Fragment:
    size, facts = group_name(example)
    names = {"train": "Training document", "test": "Test document"}
    named = [(f"{names[part]} {number:,}", shortened(text, SHOWN_TEXT)) for part, number, text in example.documents]
    item = Markup("<p class='card-name'>{}</p><blockquote>{}</blockquote>")
    items = Markup("").join(item.format(name, text) for name, text in named)
    html = Markup("<article class='card'><p class='card-head'>{} <span>{}</span></p>{}</article>")
    lines = [f"- {plain(name)}: {plain(text)}" for name, text in named]
    return Fragment(html.format(size, facts, items), "\n".join([f"**{plain(size)}** ({plain(facts)})", "", *lines]))


def _names(health: DataHealth) -> Section:
    text = """
    These names differ only in case, in spacing (blanks, hyphens, forms of Unicode) or in number (singular and plural).
    If they mean one label, its documents are divided, and a correct prediction can count as wrong. Some pairs are
    different labels: decide one by one.
    """
    return Section(
        "Label names",
        text,
        [_titled(variant_grid(health.similar_names, SHOWN_VARIANTS, has_test=health.test is not None))],
    )


def _languages(health: DataHealth) -> Section:
    text = """
    The shares are estimated from a sample of the documents, taken at equal distances, so that small shares are
    uncertain. A language that is rare in training and frequent in test lowers the measures.
    """
    grid = language_grid(health)
    shares = [dict(mix.shares) for mix in health.languages]
    total = {code: sum(part.get(code, 0.0) for part in shares) for part in shares for code in part}
    codes = sorted(total, key=lambda code: -total[code])
    chart = bars(
        [language_name(code) for code in codes],
        list(health.parts)[: len(shares)],
        [[part.get(code, 0.0) for code in codes] for part in shares],
        Axis("share of the documents", percent=True),
        title="Languages",
    )
    caption = f"{_sentence(grid.title)}. Shares under 1% are drawn as 0%."
    return Section("Languages", text, [Figure(caption, chart, _titled(grid))])
