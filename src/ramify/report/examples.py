"""Example documents: well and badly predicted ones, with the suggestions of each model and the reasons of some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ramify.errors import InputError
from ramify.evaluation.judgement import restrict_columns
from ramify.report.judged import Judged
from ramify.tagger import Tagger
from ramify.tagger.assessment import Assessment
from ramify.tagger.explain.explanation import Explanation
from ramify.tagger.explain.plain import term_lines
from ramify.values import Bool, Int64

GOOD = 0.5
"""F1 from which a document is shown as well predicted."""
LETTERS = 600
"""Maximum number of characters that are shown of a document."""
SHOWN = 12
"""Maximum number of labels that are listed."""
TERMS = 5
"""Words for and against a label."""
MOST_HTML = 20_000
"""Maximum number of characters of a reason, so that the page stays small for many features and long names."""


@dataclass(frozen=True)
class Suggestion:
    """A suggested label of a document, with its probability or score."""

    name: str
    value: float
    right: bool


@dataclass(frozen=True)
class Answer:
    """What a model suggests for a document; ``more``: number of suggestions that are not listed."""

    model: str
    suggestions: Sequence[Suggestion]
    more: int


@dataclass(frozen=True)
class Missed:
    """A true label that no model suggests; ``known``: whether it occurs in the training data of a model."""

    name: str
    known: bool


@dataclass(frozen=True)
class Reason:
    """Why a model suggests a label.

    Parameters
    ----------
    label : str
    right : bool
        Whether the label is true.
    html : str or None
        The explanation as HTML (``Explanation.to_html``), with the beginning of the text; None if it is long.
    text : str
        The strongest words of the whole text.
    """

    label: str
    right: bool
    html: str | None
    text: str


@dataclass(frozen=True)
class Example:
    """A test document.

    Parameters
    ----------
    number : int
        Place in the file, from 1.
    text : str
        Its beginning; empty for features.
    n_true : int
        Number of true labels.
    answers : sequence of Answer, one per model
    missed : sequence of Missed
        True labels that no model suggests.
    more_missed : int
        Number of these that are not listed.
    reasons : sequence of Reason
        Of the first model.
    """

    number: int
    text: str
    n_true: int
    answers: Sequence[Answer]
    missed: Sequence[Missed]
    more_missed: int
    reasons: Sequence[Reason]


@dataclass(frozen=True)
class Examples:
    """Documents on which the first model does well, and documents on which it does badly."""

    right: Sequence[Example]
    wrong: Sequence[Example]

    @property
    def texts(self) -> bool:
        """Whether an example has a text."""
        return any(one.text for one in (*self.right, *self.wrong))


def examples_of(found: Assessment, names: Sequence[str], each: Sequence[Judged], count: int = 3) -> Examples:
    """Documents drawn from the best and from the worst tenth by F1 of the first model.

    Parameters
    ----------
    found : Assessment
        Its seed is that of the random choice.
    names : sequence of str
        Names of the models.
    each : sequence of Judged, one per model
    count : int, default 3
        Documents of each kind at most.
    """
    f1, known = each[0].f1(), _with_known_labels(found, each[0])
    rng = np.random.default_rng(found.config.seed)
    order = rng.permutation(np.flatnonzero(known))
    order = order[np.argsort(-f1[order], kind="stable")]
    tenth = max(count, len(order) // 10)
    best = [row for row in order[:tenth].tolist() if f1[row] >= GOOD]
    worst = [row for row in order[-tenth:].tolist() if f1[row] < GOOD]
    picked = [sorted(rng.permutation(rows)[:count].tolist()) for rows in (best, worst)]
    return Examples(*([_example(found, names, each, int(row)) for row in rows] for rows in picked))


def _with_known_labels(found: Assessment, one: Judged) -> Bool:
    """Documents with a label that occurs in training, shape (n,): only these can be predicted."""
    counts = found.truth.counts
    if counts is None:
        return np.ones(len(one.rows), bool)
    return np.asarray(np.diff(restrict_columns(one.truth, counts > 0).indptr) > 0)


def _example(found: Assessment, names: Sequence[str], each: Sequence[Judged], row: int) -> Example:
    labels = found.dataset.label_names
    true = each[0].truth.indices[each[0].truth.indptr[row] : each[0].truth.indptr[row + 1]]
    answers = [_answer(labels, model, one, row) for model, one in zip(names, each, strict=True)]
    suggested = np.concatenate([one.labels[row][one.chosen[row]] for one in each])
    missed = np.setdiff1d(true, suggested)
    document = int(each[0].rows[row])
    texts = found.dataset.texts
    text = "" if texts is None else " ".join(texts[document].split())
    return Example(
        number=document + 1,
        text=text[: _excerpt(text)] + (" …" if len(text) > LETTERS else ""),
        n_true=len(true),
        answers=answers,
        missed=_missed(labels, missed, found),
        more_missed=max(len(missed) - SHOWN, 0),
        reasons=[]
        if texts is None
        else _reasons(found.taggers[0], texts[document], answers[0].suggestions, each[0].labels.shape[1]),
    )


def _excerpt(text: str) -> int:
    """Number of characters that are shown of a text: whole words, except of a word that is longer than the excerpt."""
    if len(text) <= LETTERS:
        return len(text)
    end = text.rfind(" ", 0, LETTERS - 1)
    return end if end > 0 else LETTERS - 1


def _answer(labels: Sequence[str], model: str, one: Judged, row: int) -> Answer:
    places = np.flatnonzero(one.chosen[row])
    places = places[np.argsort(-one.values[row][places], kind="stable")]
    listed = [
        Suggestion(labels[one.labels[row, at]], float(one.values[row, at]), bool(one.hits[row, at]))
        for at in places[:SHOWN].tolist()
    ]
    return Answer(model, listed, max(len(places) - SHOWN, 0))


def _missed(labels: Sequence[str], missed: Int64, found: Assessment) -> list[Missed]:
    """The most frequent ones first, by the training documents of the first model."""
    counts = found.truth.counts
    if counts is not None:
        missed = missed[np.argsort(-counts[missed], kind="stable")]
    shown = missed[:SHOWN].tolist()
    return [Missed(labels[at], any(one is None or one.labels[at] > 0 for one in found.own_counts)) for at in shown]


def _reasons(tagger: Tagger, text: str, suggestions: Sequence[Suggestion], k: int) -> list[Reason]:
    """Reasons of the first true and of the first wrong suggestion."""
    wanted = [next((one for one in suggestions if one.right == right), None) for right in (True, False)]
    found = [reason_of(tagger, text, one, k) for one in wanted if one is not None]
    return [one for one in found if one is not None]


def reason_of(tagger: Tagger, text: str, suggestion: Suggestion, k: int) -> Reason | None:
    """Why a tagger suggests a label; None for a model without reasons.

    Parameters
    ----------
    tagger : Tagger
    text : str
    suggestion : Suggestion
    k : int
        Predicted labels of the explained prediction.
    """
    try:
        explanation = tagger.explain(text, [suggestion.name], k=k, occlusion=False)
    except InputError:  # a model without reasons
        return None
    words = "; ".join(f"{name}: {terms}" for name, terms in term_lines(explanation.labels[0], TERMS))
    html = _beginning(explanation).to_html(TERMS, style=False)
    return Reason(suggestion.name, suggestion.right, html if len(html) <= MOST_HTML else None, words)


def _beginning(explanation: Explanation) -> Explanation:
    """The explanation with the beginning of its text, as long as that of an example."""
    text = explanation.text
    if text is None or len(text) <= LETTERS:
        return explanation
    end = _excerpt(text)
    labels = tuple(
        replace(one, words=tuple(word for word in one.words if word.end <= end)) for one in explanation.labels
    )
    return replace(explanation, text=text[:end] + " …", labels=labels)
