"""The tables of ``benchmarks/disentanglement.py``: labels in several clusters, and senses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from racing.places import HERE
from racing.rows import Row, read_rows
from racing.senses import SPLITS
from racing.tables import markdown, number

DISENTANGLE = HERE / "results" / "disentangle.jsonl"
SIX = ("P@1", "P@3", "P@5", "PSP@1", "PSP@3", "PSP@5")
SETUP = ("dataset", "settings", "folds", "positives", "warm_start", "threads")
PATH_WEIGHT = 0.25
"""Default of ``XRLinear``."""
SMALLER = (10, 20, 50)
"""Lower ends of the groups of merged labels, by the instances of the smaller of the two."""
COPIES_TEXT = """\
`python benchmarks/disentanglement.py copies`. λ is the maximum number of clusters of a label; 1 only moves labels.
Means over the seeds on the test documents ± sample standard deviation. "2 trees": an ensemble of two trees with
different seeds. CPU seconds of the whole training; CPU µs per document of `predict_topk`, the fastest of three calls,
in which all rows of a seed take turns; medians over the seeds. Recall: share of the labels of the training documents
among the candidates of the cross-fitted matchers."""
DIFFERENCES_TEXT = """\
Differences in points; **bold** and <u>underlined</u>: significant gain or loss (5%) by a paired bootstrap that
resamples documents and seeds. Each λ above 1 is compared with λ = 1 with beam 10, and with the widest beam of λ = 1
that costs no more in prediction. The last columns are CPU µs per document of both."""
SENSES_TEXT = """\
`python benchmarks/disentanglement.py senses`. Pairs of labels below one node of the first level, each with at least 10
training documents, are merged into labels with two senses, and `Disentangled(copies=2)` is trained on them. A training
document belongs to the copy with the highest score. This split is compared with the true one, as are a random split
with the sizes of the copies' split, and no split. Variation of information (bits): lower is better. Mutual information
(bits) and accuracy (share of the documents in the right part; without a split, the share of the larger sense): higher
is better. ± one standard error over the merged labels. Last column: share of the merged labels whose variation of
information is lower than without a split. "Smaller sense": training documents of the smaller of the two labels.
"company": each positive trains only the copy whose cluster's other labels it is most similar to."""


def copies_section() -> str:
    """Markdown, or an empty string without rows."""
    rows = read_rows(DISENTANGLE)
    latest = {_setup(row): (row["matrices"], row["costs"]) for row in rows if row["kind"] == "copies"}
    current = [row for row in rows if latest.get(_setup(row)) == (row["matrices"], row["costs"])]
    parts = ["## Labels in several clusters", COPIES_TEXT, DIFFERENCES_TEXT] if latest else []
    for setup in latest:
        own = [row for row in current if _setup(row) == setup]
        parts += [f"### {_title(own[0])}", _means(own), _comparisons(own)]
    return "\n\n".join(part for part in parts if part)


def senses_section() -> str:
    """Markdown, or an empty string without rows."""
    latest = {(*_setup(row), row["seed"]): row for row in read_rows(DISENTANGLE) if row["kind"] == "senses"}
    groups = _grouped(latest.values(), "dataset", "positives").items()
    lines = [line for key, own in groups for line in _senses_lines(key, own)]
    names = ("variation of information", "mutual information", "accuracy")
    header = ("set", "positives", "smaller sense", "split", *names, "better than none", "labels", "seeds")
    return "\n\n".join(["## Senses", SENSES_TEXT, markdown(header, lines)]) if lines else ""


def _setup(row: Row) -> tuple[str, ...]:
    return tuple(str(row.get(name)) for name in SETUP)


def _title(row: Row) -> str:
    settings = [f"{name} {value}" for name, value in row["settings"].items()]
    company = ["positives company"] if row["positives"] == "company" else []
    return ", ".join([row["dataset"], *settings, *company, *(["warm start"] if row["warm_start"] else [])])


def _grouped(rows: Iterable[Row], *names: str) -> dict[tuple[Any, ...], list[Row]]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return groups


@dataclass(frozen=True, order=True)
class _System:
    trees: int
    copies: int
    path_weight: float
    merge: str
    beam: int

    @classmethod
    def of(cls, row: Row) -> _System:
        return cls(*(row[name] for name in ("trees", "copies", "path_weight", "merge", "beam")))

    @property
    def name(self) -> str:
        merge = f", {self.merge}" if self.copies > 1 else ""
        trees = f"{self.trees} trees, " if self.trees > 1 else ""
        weight = f", path weight {self.path_weight}" if self.path_weight != PATH_WEIGHT else ""
        return f"{trees}{f'λ = {self.copies}' if self.copies else 'plain'}{merge}{weight}"


def _by_system(rows: Sequence[Row]) -> dict[_System, list[Row]]:
    """The latest row of each seed, by system."""
    latest = {(_System.of(row), row["seed"]): row for row in rows if row["kind"] == "copies"}
    groups: dict[_System, list[Row]] = {}
    for (system, _), row in sorted(latest.items(), key=lambda one: one[0]):
        groups.setdefault(system, []).append(row)
    return groups


def _means(rows: Sequence[Row]) -> str:
    lines = []
    for system, own in _by_system(rows).items():
        values = [[row["measures"][name] for row in own] for name in SIX]
        spread = [f" ±{np.std(seeds, ddof=1):.2f}" if len(own) > 1 else "" for seeds in values]
        cells = [f"{np.mean(seeds):.2f}{sd}" for seeds, sd in zip(values, spread, strict=True)]
        recall = f"{100 * np.mean([row['recall_after'] for row in own]):.1f}" if "recall_after" in own[0] else "–"
        training = float(np.median([_training(row) for row in own]))
        costs = [number(training), number(_us(own)), f"{own[0]['leaves']:,}", recall]
        lines.append([system.name, str(system.beam), *cells, *costs, str(len(own))])
    header = ("model", "beam", *SIX, "train CPU s", "µs per document", "leaves", "recall", "seeds")
    return markdown(header, lines)


def _training(row: Row) -> float:
    return float(sum(row.get(name, 0.0) for name in ("first_cpu_s", "reassign_cpu_s", "again_cpu_s")))


def _us(rows: Sequence[Row]) -> float:
    return float(np.median([row["batch_cpu_us"] for row in rows]))


def _comparisons(rows: Sequence[Row]) -> str:
    spent = {system: _us(own) for system, own in _by_system(rows).items()}
    made = {(_System.of(row), _System.of(row["peer"])): row for row in rows if row["kind"] == "compared"}
    lines = []
    for own, peer in _pairs(spent):
        row, sign = made.get((own, peer)), 1
        if row is None:
            row, sign = made.get((peer, own)), -1
        if row is None:
            continue
        cells = [_marked(sign * row["differences"][name][0], row["differences"][name][3]) for name in SIX]
        names = [f"{one.name}, beam {one.beam}" for one in (own, peer)]
        lines.append([*names, *cells, number(spent[own]), number(spent[peer])])
    header = ("model", "minus", *SIX, "µs", "µs")
    return markdown(header, lines) if lines else ""


def _pairs(spent: dict[_System, float]) -> Iterator[tuple[_System, _System]]:
    """The pairs that the table shows."""
    weighted = [one for one in spent if (one.trees, one.copies) == (1, 1)]
    moved = [one for one in weighted if one.path_weight == PATH_WEIGHT]
    plain = [one for one in spent if (one.trees, one.copies) == (1, 0)]
    copied = [one for one in spent if one.copies > 1]
    ensembles = [one for one in spent if one.trees > 1]
    yield from ((own, peer) for own in moved for peer in plain if own.beam == peer.beam)
    yield from ((own, peer) for own in moved[:1] for peer in plain[-1:])
    for own in (*copied, *ensembles):
        yield from ((own, peer) for peer in moved[:1])
        for weight in sorted({PATH_WEIGHT, own.path_weight}):
            peers = [peer for peer in weighted if peer.path_weight == weight and peer != moved[0]]
            affordable = [peer for peer in peers if spent[peer] <= spent[own]]
            yield from ((own, peer) for peer in affordable[-1:])
    yield from ((own, peer) for own in ensembles[1:] for peer in ensembles[:1])
    yield from ((own, peer) for own in copied for peer in ensembles[:1])


def _marked(difference: float, p: float) -> str:
    text = f"{difference:+.2f}"
    if p >= 0.05:
        return text
    return f"**{text}**" if difference > 0 else f"<u>{text}</u>"


def _senses_lines(key: tuple[Any, ...], rows: Sequence[Row]) -> Iterator[list[str]]:
    smaller = np.concatenate([row["smaller"] for row in rows])
    values = {name: np.concatenate([row[name] for row in rows]) for name in SPLITS}
    groups = [("all", smaller > 0)]
    for low, high in zip(SMALLER, [*SMALLER[1:], np.inf], strict=True):
        name = f"{low} to {high - 1:.0f}" if high < np.inf else f"from {low}"
        groups.append((name, (smaller >= low) & (smaller < high)))
    for name, inside in groups:
        for split in SPLITS if inside.any() else ():
            chosen, none = values[split][inside], values["none"][inside]
            cells = [_with_error(chosen[:, 0], 3), _with_error(chosen[:, 1], 3), _with_error(100 * chosen[:, 2], 1)]
            better = "–" if split == "none" else f"{100 * np.mean(chosen[:, 0] < none[:, 0]):.0f}%"
            yield [*key, name, split, *cells, better, str(inside.sum()), str(len(rows))]


def _with_error(values: Any, digits: int) -> str:
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{np.mean(values):.{digits}f} ±{error:.{digits}f}"
