"""The model card: ``README.md`` of a repository, with metadata for the hub (YAML) and a description for people.

The description has the form of an evaluation page (``ramify.report``) as Markdown. The same model and report give the
same card, so that a second push changes nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ramify import __version__
from ramify.catalogue import by_class
from ramify.errors import DataFileError, InputError
from ramify.evaluation import EvaluationConfig, Report
from ramify.evaluation.grid import FAMILIES, Grid
from ramify.hub.files import ModelFiles
from ramify.report.markdown import markdown
from ramify.report.markup import Markup
from ramify.report.page import Fragment, Page, Section
from ramify.report.words import BUCKETS, MEANINGS
from ramify.tagger import Tagger
from ramify.tagger.explain.sizes import ModelCard, describe
from ramify.wording import counted, isolated, quoted, shortened

TASK = "text-classification"
TAGS = ("ramify", "extreme-multilabel-classification", "multilabel-classification")
INDEXED = ("P", "nDCG", "PSP", "R", "microF1", "macroF1")
"""Measures of the model index; the text of the card has all."""
FEW_DOCUMENTS = EvaluationConfig.tail_at_most
"""Labels with at most this number of training documents are called rare."""
LONGEST_NAME = 80
LONGEST_REPORT = 50_000_000
UNNAMED_TEST_DATA = "held-out documents"


@dataclass(frozen=True, kw_only=True)
class CardOptions:
    """What a card contains beyond the model.

    Parameters
    ----------
    report : Report, optional
        Result of an evaluation on documents that the model was not trained on (``Tagger.evaluate``).
    test_data : str, optional
        Name of these documents.
    license : str, optional
        Licence of the model by its identifier on the hub, such as "apache-2.0" or "cc-by-4.0".

    Raises
    ------
    InputError
        A value of another type, or an empty name.
    """

    report: Report | None = None
    test_data: str | None = None
    license: str | None = None

    def __post_init__(self) -> None:
        if self.report is not None and not isinstance(self.report, Report):
            raise InputError(f"report is {quoted(self.report)}, but must be a Report, as Tagger.evaluate returns it")
        for name in ("test_data", "license"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and value.strip()):
                raise InputError(f"{name} is {quoted(value)}, but must be a name: give a str that is not empty")


def read_report(path: str | Path) -> Report:
    """The report in a file that ``ramify evaluate --json`` printed.

    Raises
    ------
    DataFileError
        The file cannot be read, is not JSON, or holds something else, such as a comparison or measures of label sets.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LONGEST_REPORT:
            raise DataFileError("is too large for the result of ramify evaluate --json", path)
        facts = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DataFileError(f"cannot be read ({error.strerror or error}): check the path", path) from None
    except (ValueError, RecursionError):
        raise DataFileError("is not JSON: give the output of ramify evaluate --json", path) from None
    if not isinstance(facts, dict) or "values" not in facts or "ks" not in facts:
        raise DataFileError(
            "is no result of ramify evaluate --json for one model: evaluate without --compare and --decide", path
        )
    try:
        return Report.from_dict(facts)
    except InputError as error:
        raise DataFileError(str(error), path) from None


def model_card(tagger: Tagger, repo_id: str, files: ModelFiles, options: CardOptions | None = None) -> str:
    """The text of the card.

    Parameters
    ----------
    tagger : Tagger
        The model.
    repo_id : str
        Repository, as in "ann/bills".
    files : ModelFiles
        The files that the repository gets.
    options : CardOptions, optional
        Measures, licence and names.

    Raises
    ------
    InputError
        The report has fewer labels than the model, so that it is one of another model.
    """
    options = options or CardOptions()
    facts = describe(tagger)
    report = options.report
    if report is not None and report.n_labels < facts.n_labels:
        raise InputError(
            f"the report is of a model with at most {report.n_labels:,} labels, but this one has {facts.n_labels:,}: "
            "evaluate this model"
        )
    name = repo_id.rpartition("/")[2]
    sections = [
        _prediction_section(tagger, facts),
        _use_section(tagger, repo_id, files.body),
        *_quality_sections(options),
        _limit_section(tagger, options),
        _file_section(facts, files),
    ]
    texts = "texts" if tagger.takes_texts_ else "feature vectors"
    summary = (
        f"This model assigns labels to {texts}. It ranks {counted(facts.n_labels, 'possible label')} and returns the "
        f"best ones with scores. It was made with ramify {files.body['ramify']}, a library for extreme multilabel "
        "classification."
    )
    return _metadata(tagger, name, options) + markdown(Page(title=name, summary=summary, sections=sections))


def _metadata(tagger: Tagger, name: str, options: CardOptions) -> str:
    """The YAML block at the head of the card."""
    from huggingface_hub import ModelCardData

    plan = getattr(tagger.vectorizer_, "plan_", None)
    data = ModelCardData(
        library_name="ramify",
        tags=list(TAGS),
        license=options.license,
        language=getattr(plan, "language", None),
        pipeline_tag=TASK if tagger.takes_texts_ else None,
        model_name=name,
        eval_results=list(_results(options)) or None,
    )
    return f"---\n{data.to_yaml()}\n---\n\n"


def _results(options: CardOptions) -> Iterator[Any]:
    """The measures of all labels for the model index."""
    from huggingface_hub import EvalResult

    if options.report is None:
        return
    for name, value in options.report.values_of_all().items():
        if name.partition("@")[0] in INDEXED and not math.isnan(value):
            yield EvalResult(
                task_type=TASK,
                task_name="Extreme multilabel classification",
                dataset_type="custom",
                dataset_name=options.test_data or UNNAMED_TEST_DATA,
                metric_type=name,
                metric_name=name,
                metric_value=round(value, 4),
            )


def _prediction_section(tagger: Tagger, facts: ModelCard) -> Section:
    counts = tagger.label_counts_
    texts = []
    if facts.n_documents and counts is not None:
        mean = counts.sum() / facts.n_documents
        texts.append(
            f"The model was trained on {counted(facts.n_documents, 'document')} with {mean:.1f} labels each on average."
        )
    texts.append(f"It can assign {counted(facts.n_labels, 'label')}, and no others.")
    rows = tuple((isolated(shortened(name, LONGEST_NAME)), f"{count:,}") for name, count in facts.frequent)
    if rows:
        table = [Grid("Most frequent labels", ("label", "training documents"), rows)]
        return Section("What the model predicts", " ".join(texts), table)
    some = [isolated(shortened(name, LONGEST_NAME)) for name in tagger.label_names_[:10]]
    texts.append(f"Examples: {', '.join(some)}.")
    return Section("What the model predicts", " ".join(texts))


def _use_section(tagger: Tagger, repo_id: str, body: Mapping[str, Any]) -> Section:
    extras = ",".join(sorted({"hub", *extras_of(body)}))
    blocks = [f'```text\npip install "ramify[{extras}]"\n```']
    if body["class"] == Tagger.__name__:
        instances = '["text of a document"]' if tagger.takes_texts_ else "X"
        load = f'tagger = Tagger.from_pretrained("{repo_id}")'
        blocks.append(f"```python\nfrom ramify import Tagger\n\n{load}\nprint(tagger.tag({instances}, k=5))\n```")
    if not tagger.takes_texts_ and tagger.columns_ is not None:
        blocks.append(f"`X` is a sparse matrix with {tagger.columns_.width:,} columns.")
    if tagger.decisions_ is not None:
        blocks.append(
            "The model is calibrated: `tagger.predict(texts)` returns a set of labels for each document, and "
            "`tagger.decide(texts)` returns it with probabilities."
        )
    documents = "documents.jsonl" if tagger.takes_texts_ else "features.txt"
    blocks.append("On the command line:")
    blocks.append(f"```text\nramify pull {repo_id} --out model\nramify predict model {documents}\n```")
    return Section("How to use it", "", [Fragment(Markup(""), "\n\n".join(blocks))])


def extras_of(body: Mapping[str, Any]) -> set[str]:
    """Extras that the classes of a model need, by its manifest."""
    entries = [by_class(name) for name in _classes(body)]
    return {entry.extra for entry in entries if entry is not None and entry.extra is not None}


def _classes(value: Any) -> Iterator[str]:
    """Class names in a manifest, at any depth."""
    if isinstance(value, Mapping):
        if isinstance(value.get("class"), str):
            yield value["class"]
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _classes(part)


def _quality_sections(options: CardOptions) -> list[Section]:
    report = options.report
    if report is None:
        return [Section("Quality", "The model was published without an evaluation.")]
    grids = report.grids()
    data = isolated(options.test_data or UNNAMED_TEST_DATA)
    resampled = " Intervals contain the value with 95% confidence." if report.intervals else ""
    text = f"Measured on {counted(report.n_counted, 'document')} ({data}) at the cut-offs k of the columns.{resampled}"
    meanings = ((family, MEANINGS[family]) for family in FAMILIES if f"{family}@{report.ks[0]}" in report.values)
    sections = [Section("Quality", text, [grids[0], _listed(meanings)])]
    if len(grids) > 1:
        buckets = ((name, BUCKETS[name].format(tail=FEW_DOCUMENTS)) for name in report.buckets if name in BUCKETS)
        text = "The same measures for groups of labels by their number of training documents."
        sections.append(Section("Rare and frequent labels", text, [grids[1], _listed(buckets)]))
    return sections


def _listed(meanings: Iterator[tuple[str, str]]) -> Fragment:
    return Fragment(Markup(""), "\n".join(f"- `{name}`: {meaning}" for name, meaning in meanings))


def _limit_section(tagger: Tagger, options: CardOptions) -> Section:
    counts, decisions = tagger.label_counts_, tagger.decisions_
    texts = ["Labels that did not occur in training are not assigned."]
    rare = 0 if counts is None else int((counts <= FEW_DOCUMENTS).sum())
    if counts is not None and rare:
        texts.append(
            f"{100 * rare / len(counts):.0f}% of the labels ({rare:,} of {len(counts):,}) have at most {FEW_DOCUMENTS} "
            "training documents. The model finds such labels less often than frequent ones."
        )
    if decisions is None:
        texts.append("The model is not calibrated: its scores rank labels, and are not probabilities.")
    else:
        texts.append(
            f"The scores are calibrated ({decisions.calibration.kind}) on "
            f"{counted(len(decisions.evidence.labels), 'held-out document')}. The probabilities hold for documents "
            "of the same kind."
        )
    if options.report is not None:
        texts.append("The measures hold for documents like those of the test data.")
    return Section("Limits", "\n\n".join(texts))


def _file_section(facts: ModelCard, files: ModelFiles) -> Section:
    rows = (
        ("model", files.body["class"] if files.body["class"] != "Tagger" else facts.model),
        ("texts to features", facts.vectorizer),
        *((("language and n-grams", facts.text_features),) if facts.text_features else ()),
        ("labels", f"{facts.n_labels:,}"),
        ("features", f"{facts.n_features:,}"),
        ("weights", f"{facts.n_weights:,}"),
        ("size of the files", f"{files.bytes / 1e3:,.1f} kB" if files.bytes < 1e6 else f"{files.bytes / 1e6:,.1f} MB"),
        ("model format", str(files.body["format"])),
        ("saved by", f"ramify {files.body['ramify']}"),
        ("card made by", f"ramify {__version__}"),
    )
    text = (
        "The model consists of model.json (settings, versions and checksums) and one safetensors file of arrays. It "
        "contains no pickle and no code: loading it executes nothing from this repository. ramify compares both files "
        "with their checksums."
    )
    return Section("Files and versions", text, [Grid("Model", ("", "value"), rows)])
