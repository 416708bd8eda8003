"""What an evaluation page contains, as numbers and names, without any layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ramify.evaluation import Comparison, EvaluationConfig, Report, SetReport, TrainingCounts, evaluate_sets_with
from ramify.models.base.adapter import as_model
from ramify.report.curves import ByFrequency, PrecisionRecall, Scores, precision_recall, reliabilities, scores_of
from ramify.report.examples import Examples, examples_of
from ramify.report.judged import Judged, judged, rule_of
from ramify.report.labels import Confusions, WeakLabels, cluster_sizes, confusions, weak_labels
from ramify.tagger import Tagger
from ramify.tagger.assessment import Assessment
from ramify.tagger.decide.reliability import Reliability
from ramify.tagger.explain.sizes import ModelCard, describe
from ramify.tagger.fitted import DEFAULT_RULE
from ramify.values import Int64, LabelTree
from ramify.wording import isolated

FEWEST_PREDICTIONS = 20
"""Labels per document, at least, from which the curves are computed."""


@dataclass(frozen=True)
class Operating:
    """Precision and recall of the suggested labels.

    Parameters
    ----------
    rule : str or None
        Name of the rule that chooses them; None: the first labels.
    precision, recall : float
        Over all documents.
    mean_size : float
        Suggested labels per document.
    """

    rule: str | None
    precision: float
    recall: float
    mean_size: float


@dataclass(frozen=True)
class TreeFacts:
    """Shape of a label tree.

    Parameters
    ----------
    level_sizes : tuple of int
        Nodes per level, from the top; the last are the leaves.
    cluster_sizes : int64 array, shape (clusters,)
        Labels of each leaf cluster.
    n_trees : int
        Trees of the model; the shape is that of the first.
    n_labels : int
        Labels with a leaf.
    """

    level_sizes: tuple[int, ...]
    cluster_sizes: Int64
    n_trees: int
    n_labels: int


@dataclass(frozen=True)
class ModelFacts:
    """Everything that the page shows of one model.

    Parameters
    ----------
    name : str
    card : ModelCard
    report : Report
        Measures of the rankings.
    sets : SetReport
        Measures of the sets of the rule, or of the first labels; without intervals.
    comparison : Comparison or None
        Against the first model; None for the first.
    operating : Operating
    curve : PrecisionRecall
    reliability : dict of str to Reliability
        Of scores in 0..1 ("score"), and of probabilities ("probability").
    scores : Scores
    by_frequency : ByFrequency or None
        None without training frequencies.
    tree : TreeFacts or None
    weak : WeakLabels
    confusions : Confusions
    seconds : float
        Wall time of the prediction.
    """

    name: str
    card: ModelCard
    report: Report
    sets: SetReport
    comparison: Comparison | None
    operating: Operating
    curve: PrecisionRecall
    reliability: dict[str, Reliability]
    scores: Scores
    by_frequency: ByFrequency | None
    tree: TreeFacts | None
    weak: WeakLabels
    confusions: Confusions
    seconds: float

    @property
    def calibrated(self) -> bool:
        """Whether the values of the model are probabilities."""
        return self.operating.rule is not None


@dataclass(frozen=True)
class EvaluationFacts:
    """The content of an evaluation page.

    Parameters
    ----------
    models : sequence of ModelFacts
    data : str
        Name of the test data.
    n_documents : int
        Test documents.
    mean_true : float
        True labels per document with a label.
    k : int
        Predicted labels per document of the curves.
    config : EvaluationConfig
    examples : Examples
    base : str
        Name of the model whose training documents are counted for groups of labels; empty if those of all models, or
        of training data, are the same.
    reachable : float
        Highest recall, mean over documents, that the suggestions up to the last cut-off can have.
    """

    models: Sequence[ModelFacts]
    data: str
    n_documents: int
    mean_true: float
    k: int
    config: EvaluationConfig
    examples: Examples
    base: str
    reachable: float


def page_width(taggers: Sequence[Tagger]) -> int:
    """Labels per document that the page of these taggers needs: those of their decisions, at least 20."""
    widths = [tagger.decisions_.k for tagger in taggers if tagger.decisions_ is not None]
    return min(max(FEWEST_PREDICTIONS, *widths, 0), max(len(tagger.label_names_) for tagger in taggers))


def facts_of(found: Assessment, names: Sequence[str], *, data: str = "", rule: str | None = None) -> EvaluationFacts:
    """Compute the content of a page.

    Parameters
    ----------
    found : Assessment
        Predictions of all models (``assess`` with ``page_width`` labels).
    names : sequence of str
        Names of the models.
    data : str, default ""
        Name of the test data.
    rule : str, optional
        Rule of the label sets; "micro-f1" for calibrated models when None.

    Raises
    ------
    InputError
        A rule for a model that is not calibrated, or one that cannot be fitted.
    """
    names = list(map(isolated, names))
    numbers = range(len(names))
    rules = [rule_of(found, number, rule, DEFAULT_RULE) for number in numbers]
    # Sets of a rule and first labels are of different sizes, so that models are not compared by them.
    mixed = len({one is None for one in rules}) > 1
    suggested = [judged(found, rules[number], number, first_labels=mixed) for number in numbers]
    models = [_model_facts(found, name, rules[number], suggested[number], number) for number, name in enumerate(names)]
    same = all(_same_counts(found.own_counts[0], other) for other in found.own_counts)
    return EvaluationFacts(
        models=models,
        data=data,
        n_documents=len(found.dataset),
        mean_true=suggested[0].n_true / max(len(suggested[0].rows), 1),
        k=min(found.tops[0].k, max(len(tagger.label_names_) for tagger in found.taggers)),
        config=found.config,
        examples=examples_of(found, names, suggested),
        base="" if same else names[0],
        reachable=_reachable(suggested[0], found.config.ks[-1]),
    )


def _same_counts(one: TrainingCounts | None, other: TrainingCounts | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one.labels, other.labels)


def _reachable(one: Judged, k: int) -> float:
    """The recall at k of a perfect ranking, mean over documents: min(k, n) / n for n true labels."""
    sizes = np.diff(one.truth.indptr)
    return float(np.mean(np.minimum(sizes, k) / sizes)) if len(sizes) else float("nan")


def _model_facts(found: Assessment, name: str, rule: str | None, one: Judged, number: int) -> ModelFacts:
    """The facts of one model; ``one`` has the labels that are suggested in comparisons of models."""
    tagger, labels, counts = found.taggers[number], found.dataset.label_names, found.truth.counts
    own = found.own_counts[number]
    chosen = judged(found, rule, number)
    trees = trees_of(tagger)
    tree = _in_joint_labels(trees[0], tagger, labels) if trees else None
    return ModelFacts(
        name=name,
        card=describe(tagger),
        report=found.report(number),
        sets=evaluate_sets_with(replace(found.config, bootstrap=0), chosen.truth, chosen.sets(), found.counts),
        comparison=found.comparison(number) if number else None,
        operating=Operating(rule, chosen.precision, chosen.recall, chosen.mean_size),
        curve=precision_recall(chosen),
        reliability=reliabilities(chosen),
        scores=scores_of(chosen),
        by_frequency=None if counts is None else ByFrequency.of(one, counts),
        tree=None if tree is None else _tree_facts(tree, len(trees)),
        weak=weak_labels(one, labels, None if own is None else own.labels),
        confusions=confusions(one, labels, tree),
        seconds=found.seconds[number],
    )


def trees_of(tagger: Tagger) -> list[LabelTree]:
    """The label trees of the model and of the parts inside it that rank the same labels."""
    return _trees(tagger.model_, len(tagger.label_names_))


def _trees(model: object, n_labels: int) -> list[LabelTree]:
    adapted = as_model(model)
    if "tree" in adapted.abilities and model.tree_.n_labels == n_labels:  # type: ignore[attr-defined]
        return [model.tree_]  # type: ignore[attr-defined]
    return [tree for part in adapted.inside().values() for tree in _trees(part, n_labels)]


def _in_joint_labels(tree: LabelTree, tagger: Tagger, labels: Sequence[str]) -> LabelTree:
    """The tree with the label ids of the evaluation."""
    columns = {name: column for column, name in enumerate(labels)}
    own = np.array([columns[name] for name in tagger.label_names_], np.int32)
    return LabelTree(tree.parents, own[tree.leaf_labels], len(labels))


def _tree_facts(tree: LabelTree, n_trees: int) -> TreeFacts:
    return TreeFacts(tree.level_sizes, cluster_sizes(tree), n_trees, len(np.unique(tree.leaf_labels)))


def named_models(taggers: Tagger | Mapping[str, Tagger]) -> Mapping[str, Tagger]:
    """Taggers by name; a single one is named "model"."""
    return taggers if isinstance(taggers, Mapping) else {"model": taggers}
