"""The computation of a score as nested sections, each with an equation in numbers; shared by all views."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ramify.models.base.name_reasons import NameReason
from ramify.models.base.reasons import (
    CosineReason,
    MemberReason,
    MixtureReason,
    NodeReason,
    PathReason,
    Reason,
    StagesReason,
    TreeReason,
    Vote,
    VoteReason,
)
from ramify.tagger.explain.names import Names
from ramify.wording import counted

if TYPE_CHECKING:
    from ramify.tagger.explain.explanation import LabelExplanation
    from ramify.tagger.explain.occlusion import Occlusion
    from ramify.values import Float64, Int32

POINTS = {"document": "training document", "vector": "stored vector", "label": "label vector"}


@dataclass(frozen=True)
class Row:
    """A summand with its name, and a note."""

    name: str
    number: float
    note: str = ""


@dataclass(frozen=True)
class Section:
    """One step of a computation.

    Parameters
    ----------
    title : str
        What is computed.
    equation : str
        The result with its operands, in numbers.
    rows : tuple of Row
        The largest summands by absolute value.
    inner : tuple of Section
        The computation of the operands.
    """

    title: str
    equation: str
    rows: tuple[Row, ...] = ()
    inner: tuple[Section, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return asdict(self)


def number(value: float) -> str:
    """Three significant digits, with a minus sign; -0 becomes 0."""
    return f"{value + 0.0:.3g}"


def signed(value: float) -> str:
    """As ``number``, with a plus sign."""
    return f"{value + 0.0:+.3g}"


def label_section(one: LabelExplanation, top: int) -> Section:
    """The computation of a label's score."""
    inner = [] if one.reason is None else [section_of(one.reason, one.names, top)]
    inner += [] if one.occlusion is None else [_occlusion(one.occlusion)]
    note = "" if one.ranked else " (the prediction does not reach this label)"
    return Section(one.label, f"score {number(one.score)}{note}", inner=tuple(inner))


def section_of(reason: Reason, names: Names, top: int) -> Section:
    """The computation of a reason's score."""
    if isinstance(reason, TreeReason):
        return _tree(reason, names, top)
    if isinstance(reason, MixtureReason):
        return _mixture(reason, names, top)
    if isinstance(reason, VoteReason):
        return _votes(reason, names, top)
    if isinstance(reason, StagesReason):
        return _stages(reason, names, top)
    if isinstance(reason, NameReason):
        return _names_in_text(reason, top)
    return _cosine(reason, names, top)


def _tree(reason: TreeReason, names: Names, top: int) -> Section:
    if not reason.paths:
        return Section("tree", "the label has no leaf, because no training document has it")
    n_reached = sum(path.reached for path in reason.paths)
    nodes = reason.paths[0].nodes
    if len(reason.paths) == len(nodes) == 1 and reason.factor == 1:
        return replace(_node(nodes[0], True, names, top), title="classifier of the label")
    if len(reason.paths) == 1:
        return _path(reason.paths[0], reason, names, top, "path in the tree")
    inner = tuple(
        _path(path, reason, names, top, f"copy {at} of {len(reason.paths)}") for at, path in enumerate(reason.paths, 1)
    )
    rule = {"max": "the best", "mean": "the mean", "sum": "the sum"}[reason.copies]
    return Section("copies in the tree", f"{number(reason.score)} = {rule} of {n_reached} reached copies", inner=inner)


def _path(path: PathReason, reason: TreeReason, names: Names, top: int, title: str) -> Section:
    missed = "" if path.reached else ", not reached by the beam"
    inner = tuple(_node(node, node is path.nodes[-1], names, top) for node in path.nodes)
    return Section(title + missed, _path_equation(path, reason), inner=inner)


def _path_equation(path: PathReason, reason: TreeReason) -> str:
    """Score of the leaf = leaf score × (product above) ^ path_weight × label factor; sums for log scores."""
    *above, leaf = (node.score for node in path.nodes)
    product = math.prod(above)
    power = f" ^ {number(reason.path_weight)}" if reason.path_weight != 1 else ""
    if not reason.transform.startswith("log-"):
        tail = f" × {number(product)}{power} (path above)" if above else ""
        factor = f" × {number(reason.factor)} (label factor)" if reason.factor != 1 else ""
        return f"{number(path.score)} = {number(leaf)} (leaf){tail}{factor}"
    logs = [math.log(value) if value > 0 else -math.inf for value in (leaf, product, reason.factor)]
    tail = f" + {number(reason.path_weight)} × ({number(logs[1])}) (path above)" if above else ""
    factor = f" + ({number(logs[2])}) (label factor)" if reason.factor != 1 else ""
    return f"{number(path.score)} = {number(logs[0])} (log of the leaf){tail}{factor}"


def _node(node: NodeReason, leaf: bool, names: Names, top: int) -> Section:
    total = float(node.contributions.sum())
    dense = "" if node.dense is None else f" {signed(node.dense)} (dense block)"
    equation = f"margin {number(node.margin)} = {number(node.bias)} (bias) {signed(total)} (features){dense}"
    equation += f", score {number(node.score)}"
    rows = [Row("(bias)", node.bias), *_features(node.columns, node.contributions, names, top)]
    rows += [] if node.dense is None else [Row("(dense block)", node.dense)]
    size = counted(len(np.unique(node.labels)), "label")
    several = f"level {node.level + 1}, cluster of {size}: {names.cluster(node.labels)}"
    return Section("the label itself" if leaf else several, equation, tuple(rows))


def _features(columns: Int32, contributions: Float64, names: Names, top: int) -> list[Row]:
    """The largest contributions by absolute value, and the sum of the others."""
    order = np.argsort(-np.abs(contributions), kind="stable")
    rows = [Row(names.feature(int(columns[at])), float(contributions[at])) for at in order[:top].tolist()]
    rest = order[top:]
    if not len(rest):
        return rows
    return [*rows, Row(f"({counted(len(rest), 'other feature')})", float(contributions[rest].sum()))]


def _mixture(reason: MixtureReason, names: Names, top: int) -> Section:
    parts = " + ".join(f"{number(one.weight)} × {number(one.value)}" for one in reason.members)
    parts = f"({parts}) × {number(reason.factor)} (label factor)" if reason.factor != 1 else parts
    inner = tuple(_member(one, reason.combine, names, top) for one in reason.members)
    return Section("weighted members", f"{number(reason.score)} = {parts}", inner=inner)


def _member(one: MemberReason, combine: str, names: Names, top: int) -> Section:
    known = "not among its candidates" if one.score is None else f"score {number(one.score)}"
    place = "" if one.rank is None else f", rank {one.rank}"
    value = "" if combine == "average" else f", {combine} {number(one.value)}"
    inner = () if one.reason is None else (section_of(one.reason, names, top),)
    return Section(f"{one.name}, {one.model}, weight {number(one.weight)}", known + place + value, inner=inner)


def _votes(reason: VoteReason, names: Names, top: int) -> Section:
    voters = _voters(reason)
    point = POINTS[reason.points]
    rows = [
        Row(
            f"{point} {vote.point + 1}",
            vote.part,
            f"similarity {number(vote.similarity)}, weight {number(vote.weight)}: {names.cluster(vote.labels)}",
        )
        for vote in voters[:top]
    ]
    several = f"{len(voters)} of the {len(reason.votes)} nearest {point}s"
    shared = Section(
        "features shared with the voters",
        f"{number(reason.score)} = the sum over all features",
        tuple(_features(reason.columns, reason.contributions, names, top)),
    )
    inner = (shared,) if len(reason.columns) else ()
    return Section("votes", f"{number(reason.score)} = the votes of {several}", tuple(rows), inner)


def _voters(reason: VoteReason) -> list[Vote]:
    """The neighbours with the label, by descending part of the score."""
    return sorted((vote for vote in reason.votes if vote.part > 0), key=lambda vote: -vote.part)


def votes_of(reason: Reason | None, names: Names, top: int, place: str = "") -> Iterator[dict[str, Any]]:
    """The strongest votes of each model of neighbours in a reason, in JSON types; points are counted from 1."""
    if isinstance(reason, VoteReason):
        for vote in _voters(reason)[:top]:
            facts = {"number": vote.point + 1, "similarity": vote.similarity, "weight": vote.weight, "part": vote.part}
            labels = [names.labels[label] for label in vote.labels.tolist()]
            yield {**({"of": place} if place else {}), "point": POINTS[reason.points], **facts, "labels": labels}
    if isinstance(reason, MixtureReason):
        for member in reason.members:
            yield from votes_of(member.reason, names, top, _inside(place, member.name))
    if isinstance(reason, StagesReason):
        for cluster in reason.clusters:
            inside = _inside(place, f"matcher, cluster {cluster.cluster}")
            yield from votes_of(cluster.reason, names.of_clusters(), top, inside)
        yield from votes_of(reason.ranker, names, top, _inside(place, "ranker"))


def _inside(place: str, name: str) -> str:
    return f"{place}, {name}" if place else name


def _stages(reason: StagesReason, names: Names, top: int) -> Section:
    inner: list[Section] = []
    for one in reason.clusters:
        title = f"matcher, cluster {one.cluster} ({names.cluster(one.labels)})"
        score = f"score {number(one.score)}"
        inside = () if one.reason is None else (section_of(one.reason, names.of_clusters(), top),)
        inner.append(Section(title, score, inner=inside))
    inside = () if reason.ranker is None else (section_of(reason.ranker, names, top),)
    inner.append(Section("ranker", f"score {number(reason.rank)}", inner=inside))
    if not reason.clusters:
        return Section("matcher and ranker", "0: the matcher returns no cluster with the label", inner=tuple(inner))
    match = float(np.mean([one.score for one in reason.clusters]))
    equation = f"{number(reason.score)} = {number(match)} ^ {number(reason.path_weight)} (matcher)"
    return Section("matcher and ranker", f"{equation} × {number(reason.rank)} (ranker)", inner=tuple(inner))


def _cosine(reason: CosineReason, names: Names, top: int) -> Section:
    rows = _features(reason.columns, reason.contributions, names, top)
    return Section("cosine of text and label", f"{number(reason.score)} = the sum over all features", tuple(rows))


def _names_in_text(reason: NameReason, top: int) -> Section:
    if not reason.matches:
        return Section("names in the text", "0: no name of the label occurs")
    kinds = ", ".join(dict.fromkeys(one.kind for one in reason.matches))
    phrases = sum(one.phrase for one in reason.matches)
    places = f"{phrases} as a phrase, {len(reason.matches) - phrases} with other words between or in another order"
    equation = f"{number(reason.score)} = the trees on these features; names: {kinds}; occurrences: {places}"
    rows = tuple(Row(name.replace("_", " "), value) for name, value in list(reason.features.items())[: 2 * top])
    return Section("names in the text", equation, rows)


def _occlusion(found: Occlusion) -> Section:
    what = {"score": "score", "dense block": "dense block's contribution to the margins"}[found.of]
    equation = f"{what} {number(found.whole)} = {number(found.empty)} (empty text) {signed(float(found.values.sum()))} "
    equation += f"(words), standard error of a word {number(found.error)}"
    group = f", {found.words_per_unit} words at a time" if found.words_per_unit > 1 else ""
    return Section(f"words left out{group}", equation)
