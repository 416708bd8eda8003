"""P@k of label names in served answers."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from racing.rows import Row

PLACES = (1, 3, 5)


@dataclass(frozen=True)
class Documents:
    """The test documents that have a label of the training documents, as in the race.

    Parameters
    ----------
    texts : list of str
    labels : list of set of str
        Their true labels that occur in training.
    """

    texts: list[str]
    labels: list[set[str]]

    @classmethod
    def read(cls, folder: Path) -> Documents:
        """The documents of ``test.jsonl.gz`` beside ``train.jsonl.gz``."""
        known = {label for document in _lines(folder / "train.jsonl.gz") for label in document["labels"]}
        found = [(one["text"], known.intersection(one["labels"])) for one in _lines(folder / "test.jsonl.gz")]
        kept = [(text, labels) for text, labels in found if labels]
        return cls([text for text, _ in kept], [labels for _, labels in kept])


def precision(answers: Sequence[Sequence[str]], documents: Documents) -> Row:
    """P@1, P@3 and P@5 in percent: true labels among the first k of each answer, divided by k."""
    figures: Row = {"documents": len(documents.texts)}
    for k in PLACES:
        hits = (len(set(names[:k]) & true) for names, true in zip(answers, documents.labels, strict=True))
        figures[f"P@{k}"] = round(100 * sum(hits) / k / len(documents.texts), 2)
    return figures


def _lines(path: Path) -> list[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]
