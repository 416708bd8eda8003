"""The tables of ``benchmarks/disentanglement.py``: labels in several clusters, and senses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
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
`python benchmarks/disentanglement.py copies`. λ is the maximum number of clusters of a label; 1 only moves labels. A
positive of a label counts for each cluster that it reaches 1 ("by count", as in the paper) or 1 / rank of the cluster
("by rank"). Means over the seeds on the test documents ± sample standard deviation. "2 trees": an ensemble of two
trees with different seeds. CPU seconds of the whole training; CPU µs per document of `predict_topk`, the faster of two
calls, in which all rows of a seed take turns; medians over the seeds. Recall: share of the labels of the training
documents among the candidates of the cross-fitted matchers. "n / m documents": n random training documents and the
first m test documents."""
DIFFERENCES_TEXT = """\
Differences in points; **bold** and <u>underlined</u>: significant gain or loss (5%) by a paired bootstrap that
resamples documents and seeds. λ above 1 and ensembles are compared with the widest beam of each kind of λ = 1 that
costs no more in prediction. The last columns are CPU µs per document of both."""
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


@dataclass(frozen=True, order=True, kw_only=True)
class System:
    """A row of the study.

    Parameters
    ----------
    trees : int
        Number of trees, each with its own seed.
    copies : int
        λ; 0: the plain tree.
    weighting : str
        Weight of a positive in the choice of the clusters.
    path_weight : float
        Exponent of the score of the path above a leaf.
    merge : str
        Score of a label with several leaves.
    beam : int
        Beam of the prediction.
    """

    trees: int = 1
    copies: int = 0
    weighting: str = "count"
    path_weight: float = PATH_WEIGHT
    merge: str = "max"
    beam: int = 10

    @classmethod
    def of(cls, row: Row) -> System:
        """The system of a row."""
        return cls(**{one.name: row[one.name] for one in fields(cls)})

    @property
    def name(self) -> str:
        """Its name in the tables, without the beam."""
        copies = f"λ = {self.copies} by {self.weighting}" if self.copies else "plain"
        merge = f", {self.merge}" if self.copies > 1 else ""
        weight = f", path weight {self.path_weight}" if self.path_weight != PATH_WEIGHT else ""
        return f"{f'{self.trees} trees, ' if self.trees > 1 else ''}{copies}{merge}{weight}"


def shown_pairs(spent: dict[System, float]) -> list[tuple[System, System]]:
    """The pairs of systems that are compared: a system, and the one to subtract.

    Parameters
    ----------
    spent : dict
        CPU µs per document of each system.
    """
    trees = [one for one in sorted(spent) if one.trees == 1]
    ensembles = [one for one in sorted(spent) if one.trees > 1]
    plain = [one for one in trees if one.copies == 0]
    moved = [one for one in trees if one.copies == 1]
    copied = [one for one in trees if one.copies > 1]
    default = [one for one in moved if one.path_weight == PATH_WEIGHT]
    narrow = default[0].beam if default else 0
    found = [(own, peer) for own in default for peer in plain if own.beam == peer.beam]
    found += [(own, peer) for own in default for peer in plain[-1:] if own.beam == narrow < peer.beam]
    found += [(own, replace(own, weighting="count")) for own in default if own.weighting == "rank"]
    for own in (*copied, *ensembles):
        widest = {peer.weighting: peer for peer in default if spent[peer] <= spent[own]}
        found += [(own, peer) for peer in widest.values()]
    found += [(own, peer) for own in (*copied, *ensembles[1:]) for peer in ensembles[:1] if own.beam == narrow]
    return [(own, peer) for own, peer in found if peer in spent]


def _by_system(rows: Sequence[Row]) -> dict[System, list[Row]]:
    """The latest row of each seed, by system."""
    latest = {(System.of(row), row["seed"]): row for row in rows if row["kind"] == "copies"}
    groups: dict[System, list[Row]] = {}
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
    spent = costs(rows)
    made = {(System.of(row), System.of(row["peer"])): row for row in rows if row["kind"] == "compared"}
    lines = []
    for own, peer in shown_pairs(spent):
        if (own, peer) not in made:
            continue
        differences = made[own, peer]["differences"]
        names = [f"{one.name}, beam {one.beam}" for one in (own, peer)]
        cells = [_marked(differences[name][0], differences[name][3]) for name in SIX]
        lines.append([*names, *cells, number(spent[own]), number(spent[peer])])
    header = ("model", "minus", *SIX, "µs", "µs")
    return markdown(header, lines) if lines else ""


def costs(rows: Sequence[Row]) -> dict[System, float]:
    """CPU µs per document of each system, the median over the seeds."""
    return {system: _us(own) for system, own in _by_system(rows).items()}


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
