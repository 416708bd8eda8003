"""The page of ``ramify evaluate --report``: how good a model is, where it fails, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ramify import __version__
from ramify.evaluation import EvaluationConfig
from ramify.report.cases import confusion_section, example_section, weak_section
from ramify.report.facts import EvaluationFacts, ModelFacts, facts_of, named_models, page_width
from ramify.report.measures import frequency_section, measure_section, overview_section
from ramify.report.page import Page, Section
from ramify.report.shape import cost_section, tree_section
from ramify.report.thresholds import precision_section, reliability_section, score_section
from ramify.report.words import best_labels, of_training
from ramify.tagger import Tagger
from ramify.tagger.assessment import RESAMPLES, assess
from ramify.tagger.explain.html import style_sheet
from ramify.values import Dataset, StageProgress
from ramify.wording import counted


def evaluation_report(
    taggers: Tagger | Mapping[str, Tagger],
    dataset: Dataset,
    config: EvaluationConfig | None = None,
    *,
    rule: str | None = None,
    training: Dataset | None = None,
    threads: int | None = None,
    progress: StageProgress | None = None,
) -> Page:
    """Evaluate taggers on labelled documents and describe the result on a page.

    Parameters
    ----------
    taggers : Tagger or mapping of str to Tagger
        A fitted tagger, or several by name. The others are compared with the first.
    dataset : Dataset
        Test documents, which no tagger was trained or calibrated on.
    config : EvaluationConfig, optional
        Cut-offs, propensities, resamples and seed; 1000 resamples when None. Several taggers need resamples.
    rule : str, optional
        Rule of the label sets (``tagger.decide.fitting``), which needs calibrated taggers; when None, "micro-f1" for
        those that are calibrated.
    training : Dataset, optional
        Training documents for the label frequencies; the counts of the first tagger when None.
    threads : int, optional
        Number of threads of the prediction; the model's setting when None.
    progress : callable, optional
        Called with ("predict", share done).

    Returns
    -------
    Page
        Shown by a notebook; ``save("report.html")`` or ``save("report.md")`` writes it.

    Raises
    ------
    InputError
        Data of another kind than in training, documents without labels, taggers without a label in common, or a rule
        for a tagger that is not calibrated.
    MissingExtraError
        jinja2 is not installed.

    Notes
    -----
    The page contains the beginning of the text of up to six test documents, and words from all of their texts.
    """
    named = named_models(taggers)
    for tagger in named.values():
        if rule is not None:
            tagger.decisions_or_error().rule(rule)  # an unknown one is refused before the prediction
    models = list(named.values())
    config = config or EvaluationConfig(bootstrap=RESAMPLES)
    k = page_width(models)
    found = assess(models, dataset, config, k=k, training=training, threads=threads, progress=progress)
    return evaluation_page(facts_of(found, list(named), rule=rule))


def evaluation_page(facts: EvaluationFacts) -> Page:
    """The page of facts that were computed before (``facts_of``)."""
    makers = (
        overview_section,
        measure_section,
        frequency_section,
        precision_section,
        reliability_section,
        score_section,
        weak_section,
        confusion_section,
        example_section,
        tree_section,
        cost_section,
        _method_section,
    )
    made = [maker(facts) for maker in makers]
    names = " and ".join(model.name for model in facts.models)
    return Page(
        title=f"Evaluation of {names}" if len(facts.models) < 4 else f"Evaluation of {len(facts.models)} models",
        summary=_summary(facts),
        sections=[section for section in made if section is not None],
        facts=_head(facts.models, facts),
        style=style_sheet(),
    )


def _summary(facts: EvaluationFacts) -> str:
    subject = "The model assigns" if len(facts.models) == 1 else "The models assign"
    return (
        f"{subject} labels to documents, chosen from {_possible(facts.models)}. This page compares "
        f"the labels suggested for {counted(facts.models[0].report.n_counted, 'test document')} with the labels in the "
        f"test data, {facts.mean_true:.1f} per document. The latter are called true labels."
    )


def _possible(models: Sequence[ModelFacts]) -> str:
    """Number of labels of the models."""
    sizes = [model.card.n_labels for model in models]
    if len(set(sizes)) == 1:
        return counted(sizes[0], "possible label")
    first, *others = (
        f"{counted(size, 'possible label')} ({model.name})" for size, model in zip(sizes, models, strict=True)
    )
    return f"{', '.join([first, *others[:-1]])} and {others[-1]}"


def _head(models: Sequence[ModelFacts], facts: EvaluationFacts) -> list[tuple[str, str]]:
    found = [("Test data", facts.data)] if facts.data else []
    found.append(("Test documents", f"{facts.n_documents:,}"))
    for model in models:
        documents = f", trained on {model.card.n_documents:,} documents" if model.card.n_documents else ""
        found.append((f"Model {model.name}" if len(models) > 1 else "Model", f"{model.card.model}{documents}"))
    return [*found, ("Made with", f"ramify {__version__}")]


def _texts_of(facts: EvaluationFacts) -> str:
    """The texts that the page contains."""
    examples = facts.examples
    if not examples.texts:
        return ""
    documents = counted(len(examples.right) + len(examples.wrong), "test document")
    return f", the beginning of the text of {documents}, and words of the reasons, which may come from the whole text"


def _method_section(facts: EvaluationFacts) -> Section:
    config, report = facts.config, facts.models[0].report
    left_out = facts.n_documents - report.n_counted
    a, b = config.propensity
    unseen = report.unseen
    nobody = "" if facts.base else " No model can suggest them."
    notes = [
        f"{counted(left_out, 'test document')} without a true label: left out." if left_out else "",
        f"True labels that do not occur in {of_training(facts)} are left out."
        if config.seen_labels_only
        else f"True labels that do not occur in {of_training(facts)} are included.{nobody}",
        f"Documents with only such labels: {unseen.count:,}." if unseen.count and unseen.counted else "",
    ]
    resampled = (
        f"Intervals contain the value with 95% confidence. They come from {config.bootstrap:,} resamples of the test "
        f"documents (seed {config.seed}); they describe how much the value would change with other documents of the "
        "same kind. Differences between models are measured on the same resamples.\n\n"
    )
    text = (
        f"{resampled if config.bootstrap else ''}{' '.join(filter(None, notes))}\n\n"
        f"Curves, thresholds and score charts use {best_labels(facts)} of each document. The weights of rare "
        f"labels in PSP and PSnDCG have the parameters {a:g} and {b:g} (Jain, Prabhu, Varma, KDD 2016). Test documents "
        "should not have been used to train or to calibrate the model; otherwise all values are too high.\n\n"
        f"This page was made by ramify {__version__}. It is one file, and loads nothing from the network. It contains "
        f"names of labels{_texts_of(facts)}."
    )
    return Section("How this was measured", text)
