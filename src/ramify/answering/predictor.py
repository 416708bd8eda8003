"""Batches of documents in, their labels out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import scipy.sparse as sp

from ramify.data.streams import without_surrogates
from ramify.tagger import Tagger


class Tag(NamedTuple):
    """One label of a document; ``key`` is its identifier in the training file, where names replaced identifiers."""

    label: str
    score: float
    key: str | None


class Answer(NamedTuple):
    """The labels of one document: its number from 1, its id or None, and its text, or a name in place of it."""

    number: int
    id: Any
    text: Any
    tags: list[Tag]

    @property
    def identity(self) -> Any:
        """The id, or the number where there is none."""
        return self.number if self.id is None else self.id


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """An open model with what it is asked for.

    Parameters
    ----------
    tagger : Tagger
    k : int, default 5
        Labels per document at most.
    threshold : float, optional
        Labels with a lower score are left out.
    beam, threads : int, optional
        In place of the model's.
    allowed, forbidden : list of str, or None
        Label names.
    """

    tagger: Tagger
    k: int = 5
    threshold: float | None = None
    beam: int | None = None
    threads: int | None = None
    allowed: list[str] | None = None
    forbidden: list[str] | None = None

    def answers(self, batch: Sequence[tuple[Any, Any]], n_before: int = 0) -> list[Answer]:
        """The labels of a batch of (identity, text or row of features); ``n_before`` documents came before it."""
        ids, texts = zip(*batch, strict=True)
        asked: Any = texts
        if not self.tagger.takes_texts_:
            asked = sp.vstack(texts, format="csr")
            texts = tuple(f"document {number}" for number in range(n_before + 1, n_before + 1 + len(batch)))
        found = self.tagger.tag(
            asked, self.k, allowed=self.allowed, forbidden=self.forbidden, beam=self.beam, threads=self.threads
        )
        least = float("-inf") if self.threshold is None else self.threshold
        return [
            Answer(number, identity, text, [self._tag(*tag) for tag in tags if tag[1] >= least])
            for number, (identity, text, tags) in enumerate(zip(ids, texts, found, strict=True), n_before + 1)
        ]

    def _tag(self, label: str, score: float) -> Tag:
        keys = self.tagger.label_keys_
        key = None if keys is None else without_surrogates(keys[self.tagger.label_ids([label])[0]])
        return Tag(without_surrogates(label), score, key)
