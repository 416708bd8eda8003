"""Prediction of labels for batches of documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import scipy.sparse as sp

from ramify.data.streams import without_surrogates
from ramify.tagger import Tagger
from ramify.tagger.fitted import Tags

if TYPE_CHECKING:
    from ramify.tagger.explain.explanation import Explanation


class Tag(NamedTuple):
    """One label of a document; ``key`` is its identifier in the training file if names replaced identifiers."""

    label: str
    score: float
    key: str | None


class Answer(NamedTuple):
    """The labels of one document, with its number from 1, its id or None, and its text or a placeholder.

    ``why`` has the reasons of the labels, if they are asked for and there are labels.
    """

    number: int
    id: Any
    text: Any
    tags: list[Tag]
    why: Explanation | None = None

    @property
    def identity(self) -> Any:
        """The id, or the number if the document has no id."""
        return self.number if self.id is None else self.id


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """A fitted tagger with the options of prediction.

    Parameters
    ----------
    tagger : Tagger
        Fitted.
    k : int, default 5
        Maximum number of labels per document.
    threshold : float, optional
        Labels with a lower score are dropped.
    beam, threads : int, optional
        Beam and number of threads; the model's settings when None.
    allowed, forbidden : list of str, optional
        Names of the only labels that may be predicted, and of labels that must not be predicted.
    rule : str, optional
        Rule for the label set of each document, whose labels have probabilities as scores (``Tagger.decide``); none of
        the other options but ``threads`` and the reasons is used then.
    why : bool, default False
        Whether the answers have the reasons of their labels (``Tagger.explain``).
    occlusion : bool, optional
        As in ``Tagger.explain``.
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

    def answers(self, batch: Sequence[tuple[Any, Any]], n_before: int = 0) -> list[Answer]:
        """The labels of a batch of (identity, text or row of features), numbered from ``n_before + 1``."""
        ids, texts = zip(*batch, strict=True)
        instances: Any = texts
        if not self.tagger.takes_texts_:
            instances = sp.vstack(texts, format="csr")
            texts = tuple(f"document {number}" for number in range(n_before + 1, n_before + 1 + len(batch)))
        found = self._found(instances)
        least = float("-inf") if self.threshold is None else self.threshold
        kept = [[tag for tag in tags if tag[1] >= least] for tags in found]
        reasons = [self._reasons(instances, row, tags) for row, tags in enumerate(kept)]
        return [
            Answer(number, identity, text, [self._tag(*tag) for tag in tags], why)
            for number, (identity, text, tags, why) in enumerate(
                zip(ids, texts, kept, reasons, strict=True), n_before + 1
            )
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

    def _tag(self, label: str, score: float) -> Tag:
        keys = self.tagger.label_keys_
        key = None if keys is None else without_surrogates(keys[self.tagger.label_ids([label])[0]])
        return Tag(without_surrogates(label), score, key)
