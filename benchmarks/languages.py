"""Features of texts by language and size of the corpus: what the rule of ``Tfidf`` was derived from.

    python benchmarks/languages.py held-out
    python benchmarks/languages.py held-out --only kirjastonhoitaja-fi gutenberg-lcsh/de
    python benchmarks/languages.py test

``held-out`` compares the ways of making features on parts of the training sets: a fifth of the documents, 3,000 at
most, is ranked by models trained on the others or on the first SIZE of them. ``test`` compares the former default with
the present one on the test documents of the Finnish set. Rows that are in ``benchmarks/results/languages.jsonl`` are
not measured again.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from racing.language_tables import LANGUAGES
from racing.matrices import PLAIN_TFIDF
from racing.places import DATA
from racing.rows import Row, add_stamped, read_rows

SINGLE = PLAIN_TFIDF | {"words": (1, 1)}
STEMS = SINGLE | {"language": "given"}
WAYS: dict[str, dict[str, Any]] = {
    "pairs": PLAIN_TFIDF,
    "words": SINGLE,
    "stems": STEMS,
    "stem pairs": STEMS | {"words": (1, 2)},
    "rare stems": STEMS | {"min_df": 1},
    "rare stem pairs": STEMS | {"words": (1, 2), "min_df": 1},
    "rare stems, characters": STEMS | {"min_df": 1, "characters": (4, 4)},
    "stems, characters": STEMS | {"characters": (4, 4)},
    "words, characters": SINGLE | {"characters": (4, 4)},
    "characters": SINGLE | {"words": None, "characters": (3, 5)},
    "auto": {},
}
MOST_HELD_OUT = 3000
LARGE = 40_000


class Task(NamedTuple):
    """A part of a training set: its language where it has several, words of each text kept, training documents."""

    dataset: str
    language: str = ""
    cut: int = 0
    size: int = 0
    splits: int = 3

    @property
    def code(self) -> str:
        """The language that ``Tfidf`` is given where the way has stems, because the detection takes half a second."""
        known = {"kirjastonhoitaja-fi": "fi", "gutenberg-lcsh": "auto"}
        return self.language or known.get(self.dataset, "en")

    @property
    def name(self) -> str:
        """Name in the rows and for ``--only``."""
        parts = (self.language, f"first {self.cut} words" if self.cut else "", f"{self.size}" if self.size else "")
        return "/".join([self.dataset, *filter(None, parts)])


TASKS = (
    Task("kirjastonhoitaja-fi", splits=5),
    Task("kirjastonhoitaja-fi", size=500, splits=5),
    *(Task("kirjastonhoitaja-fi", cut=cut) for cut in (10, 20, 40, 80)),
    Task("crs-bills-mini", splits=5),
    Task("crs-bills-mini", size=500, splits=5),
    *(Task("crs-bills-mini", cut=cut) for cut in (10, 20, 40, 80)),
    *(Task("gutenberg-lcsh", language, splits=5) for language in ("de", "fi", "fr", "hu", "it", "nl", "es", "pt")),
    *(Task("gutenberg-lcsh", "en", size=size) for size in (500, 2000, 10_000)),
    *(Task("yso-finna-en", size=size) for size in (2000, 10_000)),
    Task("crs-bills-104-110", size=8000),
    Task("yso-finna-en", size=40_000, splits=2),
    Task("gutenberg-lcsh", splits=2),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("held-out", "test"))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", nargs="*", default=[], help="beginnings of names such as gutenberg-lcsh/de")
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS), metavar="WAY")
    chosen = parser.parse_args()
    known = {_key(row) for row in read_rows(LANGUAGES)}
    for row, measure in test_runs(chosen.data) if chosen.what == "test" else held_out_runs(chosen):
        if _key(row) not in known:
            print(json.dumps(add_stamped(LANGUAGES, row | measure())))


def held_out_runs(chosen: argparse.Namespace) -> Iterator[tuple[Row, Callable[[], Row]]]:
    for task in TASKS:
        if chosen.only and not any(task.name.startswith(begin) for begin in chosen.only):
            continue
        texts, labels = read_part(chosen.data, task)
        for split in range(task.splits):
            order = np.random.default_rng(100 + split).permutation(len(texts))
            held = min(len(order) // 5, MOST_HELD_OUT)
            train = order[held : held + task.size] if task.size else order[held:]
            for way in chosen.ways:
                if len(train) >= LARGE and WAYS[way].get("characters"):
                    continue
                row = {"kind": "held-out", "task": task.name, "way": way, "split": split}
                yield row, partial(measured, settings_of(way, task), texts, labels, train, order[:held])


def test_runs(data: Path) -> Iterator[tuple[Row, Callable[[], Row]]]:
    task = Task("kirjastonhoitaja-fi")
    texts, labels = read_part(data, task)
    more, more_labels = read_part(data, task, "test")
    train, test = np.arange(len(texts)), np.arange(len(texts), len(texts) + len(more))
    for way in ("pairs", "words", "characters", "auto"):
        row = {"kind": "test", "task": task.name, "way": way, "split": 0}
        yield row, partial(measured, settings_of(way, task), texts + more, labels + more_labels, train, test)


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in ("kind", "task", "way", "split"))


def read_part(data: Path, task: Task, part: str = "train") -> tuple[list[str], list[list[str]]]:
    with gzip.open(data / task.dataset / f"{part}.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    if task.language:
        rows = [row for row in rows if row["language"] == task.language]
    texts = [" ".join(row["text"].split()[: task.cut]) if task.cut else row["text"] for row in rows]
    return texts, [row["labels"] for row in rows]


def settings_of(way: str, task: Task) -> dict[str, Any]:
    settings = WAYS[way]
    return settings | {"language": task.code} if settings.get("language") == "given" else settings


def measured(
    settings: dict[str, Any], texts: list[str], labels: list[list[str]], train: Any, held: Any
) -> dict[str, Any]:
    from ramify import Tfidf, XRLinear, evaluate

    numbers: dict[str, int] = {}
    for i in train:
        for label in labels[i]:
            numbers.setdefault(label, len(numbers))
    Y, Y_held = (matrix([labels[i] for i in rows], numbers) for rows in (train, held))
    kept = np.flatnonzero(np.diff(Y_held.indptr))
    begun = cpu_seconds()
    vectorizer = Tfidf(**settings, threads=1)
    X = vectorizer.fit_transform([texts[i] for i in train])
    fitted = cpu_seconds()
    model = XRLinear(threads=1).fit(X, Y)
    trained = cpu_seconds()
    X_held = vectorizer.transform([texts[i] for i in held])
    report = evaluate(Y_held[kept], model.predict_topk(X_held[kept], 10), Y_train=Y)
    measures = {name: round(100 * float(report[name]), 3) for name in ("P@1", "P@3", "P@5", "PSP@1", "PSP@5")}
    sizes = {"documents": len(train), "features": X.shape[1], "plan": vectorizer.plan_.describe()}
    return sizes | {"features_s": round(fitted - begun, 3), "training_s": round(trained - fitted, 3)} | measures


def matrix(labels: Sequence[Sequence[str]], numbers: dict[str, int]) -> sp.csr_matrix:
    rows = [sorted({numbers[label] for label in one if label in numbers}) for one in labels]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    indices = np.array([number for row in rows for number in row], np.int32)
    return sp.csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=(len(rows), len(numbers)))


def cpu_seconds() -> float:
    used = os.times()
    return used.user + used.system


if __name__ == "__main__":
    main()
