"""Conclusions from the numbers of the data: one sentence each, and the remedy."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ramify.health.data_health import DataHealth

SERIOUS_SHARE = 0.01
"""Share of the documents above which a finding is serious."""
RARE_SHARE = 0.5
"""Share of labels with one document above which there is a finding."""


@dataclass(frozen=True)
class Finding:
    """A property of the data that needs attention.

    Parameters
    ----------
    topic : str
        What it is about, such as "test documents seen in training".
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


def split_command(health: DataHealth) -> str:
    """The command line of a grouped split, see `DataHealth.split_command`."""
    train, *test = health.sources
    suffixes = Path(train.rpartition(":")[2] if ".npz:" in train else train).suffixes
    extension = "".join(suffixes[-2:] if suffixes[-1:] == [".gz"] else suffixes[-1:])
    share = 0.2
    if health.test is not None:
        share = health.test.documents / (health.test.documents + health.train.documents)
    words = ["ramify", "convert", shlex.quote(train), f"grouped-train{extension}", "--test", f"grouped-test{extension}"]
    words += [word for path in test for word in ("--add", shlex.quote(path))]
    words += ["--test-size", f"{max(share, 0.001):.3g}", "--keep-together", "near-duplicates"]
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
        equal = f", of these {overlap.exact.across:,} an equal one" if overlap.exact.across else ""
        yield Finding(
            "test documents seen in training",
            overlap.near.across >= SERIOUS_SHARE * test.documents,
            f"{_of(overlap.near.across, test.documents, 'test document')} {_have(overlap.near.across)} a near "
            f"duplicate in training{equal}: measures on this test part overstate the quality for new documents",
            "split the data anew, with all near duplicates on one side",
        )
    if overlap.near.train:
        equal = f", of these {overlap.exact.train:,} equal to it" if overlap.exact.train else ""
        is_one = "is a near duplicate" if overlap.near.train == 1 else "are near duplicates"
        yield Finding(
            "repeated training documents",
            test is None and overlap.near.train >= SERIOUS_SHARE * train.documents,
            f"{_of(overlap.near.train, train.documents, 'training document')} {is_one} of an earlier one{equal}: a "
            "random held-out part would contain copies of training documents",
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


def _of(number: int, whole: int, name: str) -> str:
    """The number and its share, as in "2 of 100 labels (2.0%)"."""
    return f"{number:,} of {counted(whole, name)} ({percent(number, whole)})"


def _have(number: int) -> str:
    return "has" if number == 1 else "have"
