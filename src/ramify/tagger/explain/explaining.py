"""The explanation of a tagger's labels for one text: reasons of the model, named and traced to the words of the text.

strength of a word = Σ of the strengths of the features that come from it (``models.base.reasons.strengths``)

A model without reasons is explained by leaving out words (``occlusion``), as is a dense block on request.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ramify.errors import InputError
from ramify.exchange import Request
from ramify.models.base.reasons import Reason, TreeReason, dense_strength, name_places, reasons_of, strengths
from ramify.tagger.explain.explanation import Explanation, LabelExplanation, Term, Word
from ramify.tagger.explain.left_out import LeftOut
from ramify.tagger.explain.names import FeatureNames, Names, model_column_numbers
from ramify.tagger.explain.occlusion import Occlusion
from ramify.tagger.explain.pieces import Pieces, has_stems
from ramify.values import Hybrid
from ramify.wording import quoted

if TYPE_CHECKING:
    from ramify.tagger.fitted import FittedTagger

MARGINS = "contribution to the margin of the label, plus path_weight times that to the margins above it"
UNITS = {
    "TreeReason": MARGINS,
    "MixtureReason": "contributions to margins and votes, times the weights of the members",
    "VoteReason": "part of the vote",
    "NameReason": "the score, divided among the occurrences of names of the label",
    "StagesReason": "contribution to the ranker, plus path_weight times that to the matcher",
}
LEFT_OUT = {
    "score": "what the word adds to the score, on average over orders of the words",
    "dense block": f"{MARGINS}, with the dense block divided among the words",
}
DENSE_BLOCK, EMPTY_TEXT = "(dense block)", "(dense block of an empty text)"

MOST_FORMS = 4
"""Forms of a word that are shown together; a feature of more words is divided among them."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is explained.

    Parameters
    ----------
    k, beam, threads
        Of the prediction that is explained (``FittedTagger.predict_topk``).
    allowed, forbidden : list of int, optional
        Its restrictions.
    occlusion : bool or None
        Whether words are left out; None: only for a model without reasons.
    """

    k: int
    beam: int | None = None
    allowed: list[int] | None = None
    forbidden: list[int] | None = None
    threads: int | None = None
    occlusion: bool | None = None


def explain(tagger: FittedTagger, text: Any, label: str | Iterable[str] | None, asked: Asked) -> Explanation:
    """Explain labels for one text; see ``Tagger.explain``."""
    if tagger.takes_texts_ and not isinstance(text, str):
        raise InputError(f"text is {quoted(text)}, but must be a single str")
    instances = [text] if tagger.takes_texts_ else text
    request, _ = tagger._request(instances)
    if len(request) != 1:
        raise InputError(f"the features have {len(request)} rows, but reasons are given for one instance: give one row")
    request = replace(
        request,
        k=asked.k,
        beam=asked.beam,
        allowed=asked.allowed,
        forbidden=asked.forbidden,
        threads=asked.threads,
    )
    numbers = _numbers(tagger, label, instances, asked)
    method = reasons_of(tagger.model_)
    reasons: Sequence[Reason | None] = [None] * len(numbers) if method is None else method(request, numbers)[0]
    one = _OneText(tagger, text if tagger.takes_texts_ else None, request, asked)
    occlusions = one.occlusions(numbers, reasons)
    found = [one.explained(*row) for row in zip(numbers, reasons, occlusions, strict=True)]
    return Explanation(text=one.text, model=type(tagger.model_).__name__, labels=tuple(found))


def _numbers(tagger: FittedTagger, label: Any, instances: Any, asked: Asked) -> list[int]:
    """Ids of the labels to explain: the given ones, or the best."""
    if label is not None:
        numbers = tagger.label_ids([label] if isinstance(label, str) else label)
        if not numbers:
            raise InputError("label is an empty list: name a label, or leave it out for the best one")
        return numbers
    top = tagger.predict_topk(instances, asked.k, **_restrictions(tagger, asked))
    if top.labels[0, 0] < 0:
        raise InputError("no label is predicted for the text, because it has no known feature: name the label")
    return [int(top.labels[0, 0])]


def _restrictions(tagger: FittedTagger, asked: Asked) -> dict[str, Any]:
    names = tagger.label_names_
    given = {name: getattr(asked, name) for name in ("allowed", "forbidden")}
    named = {name: None if ids is None else [names[number] for number in ids] for name, ids in given.items()}
    return {"beam": asked.beam, "threads": asked.threads, **named}


class _OneText:
    """One text with the request to the model."""

    def __init__(self, tagger: FittedTagger, text: str | None, request: Request, asked: Asked) -> None:
        self.tagger, self.text, self.request, self.asked = tagger, text, request, asked
        self.model = tagger._adapted_model()

    def explained(self, number: int, reason: Reason | None, occlusion: Occlusion | None) -> LabelExplanation:
        """The explanation of one label."""
        name = self.tagger.label_names_[number]
        if isinstance(reason, TreeReason) and not reason.paths:
            raise InputError(f"the label {quoted(name)} has no reasons, because no training document has it")
        pieces, names = self._traced
        shares = _Shares(pieces, stemmed=has_stems(self.tagger.vectorizer_))
        for column, strength in [] if reason is None else _summed(reason):
            shares.add(strength, pieces.places.get(column) if pieces else None, names.feature(column))
        for begin, end, strength in name_places(reason):
            spans = pieces.tokens_in(begin, end) if pieces else []
            shares.add(strength, spans, self.text[begin:end] if self.text else "")
        if occlusion is not None and (reason is None or occlusion.of == "dense block"):
            for span, value in zip(occlusion.spans, occlusion.values.tolist(), strict=True):
                shares.add(value, [span], "", occlusion.error)
        dense = None if reason is None else dense_strength(reason, reason)
        if dense is not None:
            shares.add(*((dense, None, DENSE_BLOCK) if occlusion is None else (occlusion.empty, None, EMPTY_TEXT)))
        return LabelExplanation(
            label=name,
            number=number,
            score=self._score(number) if reason is None else reason.score,
            ranked=True if reason is None else reason.ranked,
            reason=reason,
            terms=shares.terms(),
            words=shares.words(),
            unit=_unit(reason, occlusion),
            occlusion=occlusion,
            names=names,
        )

    @cached_property
    def _traced(self) -> tuple[Pieces | None, Names]:
        """The words that columns of the model come from, and the names of the columns."""
        tagger, X = self.tagger, self.request.X
        columns: list[int] = [] if X is None else (X.sparse if isinstance(X, Hybrid) else X).indices.tolist()
        numbers = model_column_numbers(tagger, columns)
        pieces = None
        if self.text is not None:
            found = Pieces.of(tagger.vectorizer_, self.text, numbers)
            known = [(column, found.places.get(number)) for column, number in zip(columns, numbers, strict=True)]
            pieces = replace(found, places={column: spans for column, spans in known if spans is not None})
        names, features = {}, FeatureNames(tagger.vectorizer_)
        for column, number in zip(columns, numbers, strict=True):
            name = features.name(number)
            spans = pieces.places.get(column, []) if pieces else []
            if name is None and pieces and spans:
                name = " / ".join(dict.fromkeys(pieces.phrase(span) for span in spans))
            names[column] = f"feature {number}" if name is None else name
        return pieces, Names(names, tagger.label_names_, tagger.label_counts_)

    def occlusions(self, numbers: Sequence[int], reasons: Sequence[Reason | None]) -> Sequence[Occlusion | None]:
        """Attributions by leaving out words, where they are asked for or the model has no reasons."""
        bare = any(reason is None for reason in reasons)
        if not bare and not self.asked.occlusion:
            return [None] * len(numbers)
        if self.text is None:
            model = type(self.tagger.model_).__name__
            raise InputError(f"{model} has no reasons without texts: train a Tagger on texts")
        tokens = Pieces.of(self.tagger.vectorizer_, self.text, ()).tokens
        return LeftOut(self.tagger, self.text, self.request).occlusions(numbers, reasons, tokens)

    def _score(self, number: int) -> float:
        """Score of the label in the prediction; what it would be alone, where the prediction does not rank it."""
        top = self.model.answer(self.request)
        own = top.scores[0, top.labels[0] == number]
        if len(own):
            return float(own[0])
        return float(LeftOut(self.tagger, self.text or "", self.request).scores([self.text or ""], [number])[0, 0])


def _unit(reason: Reason | None, occlusion: Occlusion | None) -> str:
    """What the strengths are."""
    if occlusion is not None and (reason is None or occlusion.of == "dense block"):
        return LEFT_OUT[occlusion.of]
    return UNITS.get(type(reason).__name__, "part of the score")


def _summed(reason: Reason) -> list[tuple[int, float]]:
    """Columns with their strengths, by descending absolute strength."""
    parts = strengths(reason)
    if not parts:
        return []
    columns, places = np.unique(np.concatenate([columns for columns, _ in parts]), return_inverse=True)
    sums = np.bincount(places, np.concatenate([values for _, values in parts]), len(columns))
    order = np.argsort(-np.abs(sums), kind="stable")
    return list(zip(columns[order].tolist(), sums[order].tolist(), strict=True))


class _Shares:
    """Strengths collected by phrase and by word; a feature with several places is divided among them.

    With stems, the forms of a word are one phrase, such as "rule / rules".
    """

    def __init__(self, pieces: Pieces | None, *, stemmed: bool) -> None:
        self._pieces, self._stemmed = pieces, stemmed
        self._terms: dict[str, float] = {}
        self._tokens: dict[int, float] = {}
        self._variances: dict[str, float] = {}
        self._errors: dict[int, float] = {}  # a token is in one unit of an occlusion, which is added last

    def add(self, strength: float, spans: Sequence[tuple[int, int]] | None, name: str, error: float = 0.0) -> None:
        """Add a strength with its standard error to the places that it comes from; without places, to its name only."""
        if not spans or self._pieces is None:
            self._terms[name] = self._terms.get(name, 0.0) + strength
            return
        phrases = [self._pieces.phrase(span) for span in spans]
        if self._stemmed and len(set(phrases)) <= MOST_FORMS:
            phrases = [" / ".join(dict.fromkeys(phrases))] * len(phrases)
        share = strength / len(spans)
        for (first, last), phrase in zip(spans, phrases, strict=True):
            self._terms[phrase] = self._terms.get(phrase, 0.0) + share
            self._variances[phrase] = self._variances.get(phrase, 0.0) + (error / len(spans)) ** 2
            for token in range(first, last + 1):
                self._tokens[token] = self._tokens.get(token, 0.0) + share / (last - first + 1)
                self._errors[token] = error / len(spans) / (last - first + 1)

    def terms(self) -> tuple[Term, ...]:
        """Phrases and names by descending absolute strength."""
        order = sorted(self._terms.items(), key=lambda term: -abs(term[1]))
        errors = {text: variance**0.5 for text, variance in self._variances.items()}
        return tuple(
            Term(text=text, strength=strength, error=errors.get(text, 0.0)) for text, strength in order if strength != 0
        )

    def words(self) -> tuple[Word, ...]:
        """Words of the text in their order."""
        if self._pieces is None:
            return ()
        places = [(*self._pieces.tokens[token], token) for token in sorted(self._tokens)]
        return tuple(
            Word(begin=begin, end=end, strength=self._tokens[token], error=self._errors[token])
            for begin, end, token in places
        )
