"""Answers to requests for labels, by ``answering.Predictor``."""

from __future__ import annotations

from ramify.answering import Answer, Predictor
from ramify.serve.hosting import Hosted
from ramify.serve.problems import Problem
from ramify.serve.schemas import Document, Label, TagAnswer, TagRequest, Why
from ramify.tagger.explain.explanation import STANDARD_ERRORS, LabelExplanation

DEFAULT_K = Predictor.k


def tag(one: Hosted, asked: TagRequest) -> TagAnswer:
    """Tag the texts of a request.

    Raises
    ------
    Problem
        Probabilities of a model that is not calibrated.
    InputError
        As in ``Tagger.tag``, ``Tagger.decide`` and ``Tagger.explain``.
    """
    if asked.probabilities and not one.calibrated:
        raise Problem(422, f"the model {one.name!r} is not calibrated, so it has no probabilities: leave them out")
    predictor = Predictor(
        tagger=one.tagger,
        k=DEFAULT_K if asked.k is None else asked.k,
        threshold=asked.threshold,
        threads=1,
        allowed=asked.allowed,
        forbidden=asked.forbidden,
        rule=asked.rule,
        why=asked.why,
        probabilities=asked.probabilities is not False,
    )
    answers = predictor.answers([(None, text) for text in asked.documents])
    documents = [_document(answer) for answer in answers]
    return TagAnswer(model=one.name, version=one.version, calibrated=one.calibrated, documents=documents)


def _document(answer: Answer) -> Document:
    reasons = [None] * len(answer.tags) if answer.why is None else [_why(reason) for reason in answer.why.labels]
    labels = [
        Label(label=tag.label, key=tag.key, score=tag.score, probability=tag.probability, why=why)
        for tag, why in zip(answer.tags, reasons, strict=True)
    ]
    return Document(labels=labels)


def _why(reason: LabelExplanation) -> Why:
    positive, negative = reason.strongest()
    spans = [
        (word.begin, word.end, word.strength)
        for word in reason.words
        if word.strength != 0 and abs(word.strength) >= STANDARD_ERRORS * word.error
    ]
    record = {
        "unit": reason.unit,
        "for": [(term.text, term.strength) for term in positive],
        "against": [(term.text, term.strength) for term in negative],
        "spans": spans,
    }
    return Why.model_validate(record)
