"""Prediction of labels for batches of documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ramify.data.streams import without_surrogates
from ramify.errors import InputError
from ramify.tagger import Tagger
from ramify.tagger.fitted import Tags
from ramify.tagger.vocabulary import NAME
from ramify.values import TopK

if TYPE_CHECKING:
    from ramify.tagger.explain.explanation import Explanation


class Tag(NamedTuple):
    """One label of a document.

    ``key`` is its identifier in the training file if names replaced identifiers, ``probability`` that of a calibrated
    model; None for others, and where a rule chose the labels, whose scores are probabilities then.
    """

    label: str
    score: float
    key: str | None
    probability: float | None = None


class Answer(NamedTuple):
    """The labels of one document, with its number from 1, its id or None, and its text or a placeholder.

    ``why`` has the reasons of the labels, if requested and if there are labels; ``proposals`` names of new labels with
    scores, None if not requested.
    """

    number: int
    id: Any
    text: Any
    tags: list[Tag]
    why: Explanation | None = None
    proposals: Tags | None = None

    @property
    def identity(self) -> Any:
        """The id, or the number if the document has no id."""
        return self.number if self.id is None else self.id


def refuse_beside_rule(rule: str, others: Mapping[str, Any]) -> None:
    """Refuse options that a rule for label sets does not use.

    Parameters
    ----------
    rule : str
        Name of the option with the rule, as the user knows it.
    others : mapping of str to any
        The other options by their names; None for those that are not given.

    Raises
    ------
    InputError
        One of them is given.
    """
    for name, value in others.items():
        if value is not None:
            raise InputError(f"{name} and {rule} are given, but the rule chooses the labels: leave one out")


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """A fitted tagger with the options of prediction.

    Parameters
    ----------
    tagger : Tagger
        Fitted.
    k : int, default 5
        Maximum number of labels, and of proposals, per document.
    threshold : float, optional
        Labels and proposals with a lower score are dropped.
    beam, threads : int, optional
        Beam and number of threads; the model's settings when None.
    allowed, forbidden : list of str, optional
        Names of the only labels that may be predicted, and of labels that must not be predicted.
    rule : str, optional
        Rule for the label set of each document, whose labels have probabilities as scores (``Tagger.decide``); none of
        the other options but ``threads``, the reasons and the proposals is used for the labels then.
    why : bool, default False
        Whether the answers have the reasons of their labels (``Tagger.explain``).
    occlusion : bool, optional
        As in ``Tagger.explain``.
    probabilities : bool, default False
        Whether the labels of a calibrated tagger have probabilities.
    proposals : bool, default False
        Whether the answers have names of new labels (``Tagger.proposals``). They are written in a decoding of their
        own; the labels are those without proposals.
    answer : {"name", "uri", "notation"}, default "name"
        What stands for a label in the answers (``Tagger.answers``).
    language : str, optional
        Language code of the names; that of training when None.
    """

    tagger: Tagger
    k: int = 5
    threshold: float | None = None
    beam: int | None = None
    threads: int | None = None
    allowed: list[str] | None = None
    forbidden: list[str] | None = None
    rule: str | None = None
    why: bool = False
    occlusion: bool | None = None
    probabilities: bool = False
    proposals: bool = False
    answer: str = NAME
    language: str | None = None

    def answers(self, batch: Sequence[tuple[Any, Any]], n_before: int = 0) -> list[Answer]:
        """The labels of a batch of (identity, text or row of features), numbered from ``n_before + 1``."""
        ids, texts = zip(*batch, strict=True)
        instances: Any = texts
        if not self.tagger.takes_texts_:
            instances = sp.vstack(texts, format="csr")
            texts = tuple(f"document {number}" for number in range(n_before + 1, n_before + 1 + len(batch)))
        found = self._found(instances)
        kept = [self._above(tags) for tags in found]
        reasons = [self._reasons(instances, row, tags) for row, tags in enumerate(kept)]
        parts = zip(ids, texts, self._tags(kept), reasons, self._proposals(instances), strict=True)
        return [Answer(number, *fields) for number, fields in enumerate(parts, n_before + 1)]

    def _above(self, tags: Tags) -> Tags:
        """Those with a score of at least the threshold."""
        return tags if self.threshold is None else [tag for tag in tags if tag[1] >= self.threshold]

    def _proposals(self, instances: Any) -> Sequence[Tags | None]:
        """The k best proposals of each document; None without proposals."""
        if not self.proposals:
            return [None] * (len(instances) if self.tagger.takes_texts_ else instances.shape[0])
        written = self.tagger.proposals(instances, beam=self.beam, threads=self.threads)
        return [
            [(without_surrogates(name), score) for name, score in self._above(one.new)[: self.k]] for one in written
        ]

    def _reasons(self, instances: Any, row: int, tags: Tags) -> Explanation | None:
        if not self.why or not tags:
            return None
        restrictions: dict[str, Any] = {"allowed": self.allowed, "forbidden": self.forbidden}
        return self.tagger.explain(
            instances[row],
            [label for label, _ in tags],
            k=self.k,
            occlusion=self.occlusion,
            beam=self.beam,
            threads=self.threads,
            **(restrictions if self.rule is None else {}),
        )

    def _found(self, instances: Any) -> list[Tags]:
        if self.rule is not None:
            return self.tagger.decide(instances, self.rule, threads=self.threads)
        return self.tagger.tag(
            instances, self.k, allowed=self.allowed, forbidden=self.forbidden, beam=self.beam, threads=self.threads
        )

    def _tags(self, found: list[Tags]) -> list[list[Tag]]:
        """The labels with their identifiers and probabilities."""
        keys, decisions = self.tagger.label_keys_, self.tagger.decisions_
        calibrated = self.probabilities and decisions is not None and self.rule is None
        shown = (
            None if (self.answer, self.language) == (NAME, None) else self.tagger.answers(self.answer, self.language)
        )
        if keys is None and not calibrated and shown is None:
            return [[Tag(without_surrogates(label), score, None) for label, score in tags] for tags in found]
        pairs = [tag for tags in found for tag in tags]
        labels = self.tagger.label_ids(label for label, _ in pairs)
        probabilities: Any = repeat(None)
        if calibrated and decisions is not None:
            scores = np.array([[score for _, score in pairs]], np.float32)
            top = TopK(np.array([labels], np.int32).reshape(scores.shape), scores)
            probabilities = iter(decisions.calibration.probabilities(top)[0].tolist())
        strings = iter([name for name, _ in pairs] if shown is None else [shown[label] for label in labels])
        identifiers = iter([None if keys is None else without_surrogates(keys[label]) for label in labels])
        return [
            [Tag(without_surrogates(next(strings)), score, next(identifiers), next(probabilities)) for _, score in tags]
            for tags in found
        ]
