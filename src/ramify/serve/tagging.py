"""Answers of one model to a batch of requests: those with equal options are predicted in one call."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pydantic_core import to_json

from ramify.answering import Answer as Predicted
from ramify.answering import Predictor, Tag
from ramify.data.streams import without_surrogates
from ramify.errors import InputError, RamifyError
from ramify.models.base.reasons import TreeReason
from ramify.serve.hosting import Hosted
from ramify.serve.jobs import Answer, Call, Job, Options, Refusal
from ramify.serve.lookups import LOOKUPS, RefusedError
from ramify.serve.places import Node
from ramify.serve.problems import UNEXPECTED
from ramify.tagger.explain.explanation import STANDARD_ERRORS, LabelExplanation

log = logging.getLogger("ramify.serve")


def answers(one: Hosted, jobs: Sequence[Job]) -> list[Answer]:
    """The answers to requests, in their order."""
    found: list[Answer | None] = [None] * len(jobs)
    groups: dict[Options, list[int]] = {}
    for number, job in enumerate(jobs):
        if isinstance(job, Call):
            found[number] = _refusing(lambda call: [_looked_up(one, call)], job)[0]
        else:
            groups.setdefault(job.options, []).append(number)
    for options, numbers in groups.items():
        for number, answer in zip(numbers, _group(one, options, [jobs[n] for n in numbers]), strict=True):
            found[number] = answer
    return [Refusal(500, UNEXPECTED) if answer is None else answer for answer in found]


def _group(one: Hosted, options: Options, group: Sequence[Any]) -> list[Answer]:
    """The answers to requests with equal options; after an error each on its own, so that one cannot fail others."""
    answers = _refusing(lambda requests: tagged(one, options, requests), [job.texts for job in group])
    if len(answers) == len(group):
        return answers
    return [_refusing(lambda requests: tagged(one, options, requests), [job.texts])[0] for job in group]


def _refusing(work: Any, argument: Any) -> list[Answer]:
    """The result of a function, or a list of one refusal."""
    try:
        found: list[Answer] = work(argument)
        return found
    except RefusedError as error:
        return [error.refusal]
    except RamifyError as error:
        return [Refusal(422, str(error))]
    except Exception:
        log.exception("unexpected error")
        return [Refusal(500, UNEXPECTED)]


def _looked_up(one: Hosted, call: Call) -> bytes:
    return to_json(LOOKUPS[call.name](one, *call.arguments), inf_nan_mode="null")


def tagged(one: Hosted, options: Options, requests: Sequence[list[str]]) -> list[Answer]:
    """The JSON answers to several lists of texts, predicted in one call.

    Raises
    ------
    RefusedError
        Probabilities of a model that is not calibrated.
    InputError
        As in ``Tagger.tag``, ``Tagger.decide`` and ``Tagger.explain``.
    """
    if options.probabilities and not one.calibrated:
        sentence = f"the model {one.name!r} is not calibrated, so it has no probabilities: leave them out"
        raise RefusedError(422, sentence)
    predictor = Predictor(
        tagger=one.tagger,
        k=options.k,
        threshold=options.threshold,
        threads=1,
        allowed=None if options.allowed is None else list(options.allowed),
        forbidden=None if options.forbidden is None else list(options.forbidden),
        rule=options.rule,
        why=options.why,
        probabilities=options.probabilities is not False,
    )
    documents = iter(predictor.answers([(None, text) for texts in requests for text in texts]))
    head: dict[str, Any] = {"model": one.name, "version": one.version, "calibrated": one.calibrated}
    return [
        to_json(head | {"documents": [_document(one, options, next(documents)) for _ in texts]}, inf_nan_mode="null")
        for texts in requests
    ]


def _document(one: Hosted, options: Options, answer: Predicted) -> dict[str, Any]:
    reasons: Sequence[LabelExplanation | None] = [None] * len(answer.tags) if answer.why is None else answer.why.labels
    return {"labels": [_label(one, options, tag, reason) for tag, reason in zip(answer.tags, reasons, strict=True)]}


def _label(one: Hosted, options: Options, tag: Tag, reason: LabelExplanation | None) -> dict[str, Any]:
    label: dict[str, Any] = {
        "label": tag.label,
        "key": tag.key,
        "score": tag.score,
        "probability": tag.probability,
        "why": None if reason is None else _why(reason),
    }
    if options.path:
        label["path"] = _path(one, tag.label, reason)
    if options.notation:
        label["notation"] = _notation(one, tag.label)
    return label


def _notation(one: Hosted, name: str) -> str | None:
    """The notation of a label in the vocabulary of the model; None without one."""
    vocabulary = one.tagger.vocabulary_
    if vocabulary is None or vocabulary.notations is None:
        return None
    with suppress(InputError):  # a name that is not UTF-8 was changed for the answer
        return without_surrogates(vocabulary.notations[one.tagger.label_ids([name])[0]]) or None
    return None


def _why(reason: LabelExplanation) -> dict[str, Any]:
    positive, negative = reason.strongest()
    return {
        "unit": reason.unit,
        "for": [(term.text, term.strength) for term in positive],
        "against": [(term.text, term.strength) for term in negative],
        "spans": [
            (word.begin, word.end, word.strength)
            for word in reason.words
            if word.strength != 0 and abs(word.strength) >= STANDARD_ERRORS * word.error
        ],
    }


def _path(one: Hosted, name: str, reason: LabelExplanation | None) -> list[Node] | None:
    """The path to the leaf that the text reaches, if its reasons are there; else to the first leaf of the label."""
    places = one.places
    if places is None:
        return None
    if reason is not None and isinstance(reason.reason, TreeReason) and reason.reason.paths:
        return places.path(reason.reason.paths[0].leaf)
    with suppress(InputError):  # a name that is not UTF-8 was changed for the answer
        for leaf in places.leaves(one.tagger.label_ids([name])[0])[:1].tolist():
            return places.path(leaf)
    return []
