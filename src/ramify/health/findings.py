"""Conclusions from the numbers of the data: one sentence each, and the remedy."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ramify.data.duplicates import SIMILARITY

if TYPE_CHECKING:
    from ramify.health.data_health import DataHealth

SERIOUS_SHARE = 0.01
"""Share of the documents above which a finding is serious."""
SERIOUS_NEAR_SHARE = 0.05
"""The same for near duplicates: a part of them are different documents with much text in common."""
RARE_SHARE = 0.5
"""Share of labels with one document above which there is a finding."""


@dataclass(frozen=True)
class Finding:
    """A property of the data that needs attention.

    Parameters
    ----------
    topic : str
        What it is about, such as "similar label names".
    serious : bool
        Whether it changes measures or models visibly.
    text : str
        The property, in one sentence.
    remedy : str
        What can be done, in one sentence.
    """

    topic: str
    serious: bool
    text: str
    remedy: str


def findings_of(health: DataHealth) -> tuple[Finding, ...]:
    """The findings, the serious ones first."""
    found = [*_duplicates(health), *_labels(health), *_documents(health)]
    return tuple(sorted(found, key=lambda finding: not finding.serious))


def split_command(health: DataHealth, sources: Sequence[str] | None = None) -> str:
    """The command line of a grouped split, see `DataHealth.split_command`; with other names of the files if given."""
    train, *test = health.sources if sources is None else sources
    suffixes = Path(train.rpartition(":")[2] if ".npz:" in train else train).suffixes
    extension = "".join(suffixes[-2:] if suffixes[-1:] == [".gz"] else suffixes[-1:])
    share = 0.2
    if health.test is not None:
        share = health.test.documents / (health.test.documents + health.train.documents)
    words = ["ramify", "convert", shlex.quote(train), f"grouped-train{extension}", "--test", f"grouped-test{extension}"]
    words += [word for path in test for word in ("--add", shlex.quote(path))]
    words += ["--test-size", f"{max(share, 0.001):.3g}", "--keep-together", "near-duplicates"]
    if health.overlap.similarity != SIMILARITY:
        words += ["--similarity", f"{health.overlap.similarity:g}"]
    return " ".join([*words, *([health.flags] if health.flags else [])])


def percent(part: int, whole: int) -> str:
    """The share as text; "under 0.1%" instead of "0.0%"."""
    share = part / whole if whole else 0.0
    return "under 0.1%" if 0 < share < 0.0005 else f"{share:.1%}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """1 → "1 label", 2000 → "2,000 labels"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _duplicates(health: DataHealth) -> Iterator[Finding]:
    overlap, train, test = health.overlap, health.train, health.test
    if test is not None and overlap.near.across:
        yield Finding(
            "test documents with a near duplicate in training",
            _is_serious(overlap.exact.across, overlap.near.across, test.documents),
            f"{_of(overlap.near.across, test.documents, 'test document')} {_have(overlap.near.across)} a near "
            f"duplicate in training, {_none_or(overlap.exact.across)} of these an equal one: a model often predicts "
            "the labels of the duplicate, so that measures on this test part may overstate the quality for new "
            "documents",
            "split the data anew, with all near duplicates on one side",
        )
    if overlap.near.train:
        is_one = "is a near duplicate" if overlap.near.train == 1 else "are near duplicates"
        yield Finding(
            "repeated training documents",
            test is None and _is_serious(overlap.exact.train, overlap.near.train, train.documents),
            f"{_of(overlap.near.train, train.documents, 'training document')} {is_one} of an earlier one, "
            f"{_none_or(overlap.exact.train)} of these equal to it: a random held-out part would contain near "
            "duplicates of training documents",
            "hold out documents with a grouped split",
        )
    if overlap.contradictory:
        yield Finding(
            "equal documents with different labels",
            False,
            f"{counted(overlap.contradictory, 'group')} of equal documents {_have(overlap.contradictory)} different "
            "label sets",
            "unite the labels of equal documents, or correct them",
        )


def _labels(health: DataHealth) -> Iterator[Finding]:
    unseen, frequencies = health.unseen, health.frequencies
    if unseen is not None and unseen.labels:
        only = f", and {counted(unseen.documents, 'test document')} {_have(unseen.documents)} no other label"
        yield Finding(
            "test labels without training document",
            unseen.assignments >= SERIOUS_SHARE * unseen.test_assignments,
            f"{_of(unseen.labels, unseen.test_labels, 'test label')} {_have(unseen.labels)} no training document"
            f"{only if unseen.documents else ''}: a model cannot learn these labels from examples",
            "measure without these labels as well (ramify evaluate --seen-only), or use a model that finds labels by "
            "their names",
        )
    single = frequencies.bands[0]
    if frequencies.share(single) >= RARE_SHARE:
        yield Finding(
            "labels with one document",
            False,
            f"{_of(single.labels, frequencies.labels, 'label')} {_have(single.labels)} one training document only",
            "report measures by label frequency, and try the preset tail",
        )
    if health.similar_names:
        n = len(health.similar_names)
        yield Finding(
            "similar label names",
            n >= SERIOUS_SHARE * frequencies.labels,
            f"{counted(n, 'group')} of label names {'differs' if n == 1 else 'differ'} only in case, spacing or number",
            "unite the names that mean one label",
        )


def _documents(health: DataHealth) -> Iterator[Finding]:
    what = "text" if health.holds_texts else "feature"
    remedy = "remove these rows"
    if health.holds_texts:
        remedy = "remove them, or name further text fields (as in --text title,abstract)"
    for name, part in health.parts.items():
        if part.empty:
            yield Finding(
                f"documents without {what}",
                part.empty >= SERIOUS_SHARE * part.documents,
                f"{_of(part.empty, part.documents, f'{name} document')} {_have(part.empty)} no {what}",
                remedy,
            )
        if part.unlabelled:
            yield Finding(
                "documents without label",
                part.unlabelled >= SERIOUS_SHARE * part.documents,
                f"{_of(part.unlabelled, part.documents, f'{name} document')} {_have(part.unlabelled)} no label",
                "remove them, unless no label is a true answer",
            )


def _is_serious(exact: int, near: int, documents: int) -> bool:
    """Whether equal documents, or near duplicates, are a large share."""
    return (exact > 0 and exact >= SERIOUS_SHARE * documents) or near >= SERIOUS_NEAR_SHARE * documents


def _none_or(number: int) -> str:
    return f"{number:,}" if number else "none"


def _of(number: int, whole: int, name: str) -> str:
    """The number and its share, as in "2 of 100 labels (2.0%)"."""
    return f"{number:,} of {counted(whole, name)} ({percent(number, whole)})"


def _have(number: int) -> str:
    return "has" if number == 1 else "have"
