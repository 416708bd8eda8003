"""Base of Tfidf and Hashing: settings of n-grams and weights, and texts → X."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from sklearn.base import BaseEstimator, TransformerMixin

from ramify.checks import THREADS, Checked, OneOf, Rule, YesNo, rules_of, thread_count
from ramify.errors import InputError
from ramify.features.addable import Addable
from ramify.kernels.grams import Grams
from ramify.kernels.text import TextWeigher, checked_texts
from ramify.values import CSR, Float32, Int32
from ramify.wording import quoted

GRAM_SETTINGS = ("words", "characters", "within_words", "lowercase")
DEFAULT_WORDS = (1, 2)
LARGEST_COUNT = 2**63 - 1
LARGEST_IDF = 1e6
"""The idf of a term that one of 2**63 texts has is 45; beyond this, products with counts could leave float32."""
DEFAULT_NORM = "l2"


SHARED_RULES: dict[str, Rule] = {
    **rules_of(Grams, *GRAM_SETTINGS),
    "sublinear": YesNo(),
    "norm": OneOf(("l2",), optional=True),
    "threads": THREADS,
}
"""Rules of the settings of both classes."""


class WeightedText(Checked, Addable, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Texts → X; a subclass defines the columns and their idf."""

    words: Any
    characters: Any
    within_words: bool
    lowercase: bool
    sublinear: bool
    norm: str | None
    threads: int | None

    _weigher: TextWeigher | None = None

    @abstractmethod
    def _make_weigher(self) -> TextWeigher:
        """The kernel for the fitted columns; raises NotFittedError before fit."""

    def transform(self, texts: Sequence[str]) -> CSR:
        """Features of texts.

        Parameters
        ----------
        texts : sequence of str, length n

        Returns
        -------
        csr_matrix, shape (n, d)
            float32, indices sorted; a text without known n-grams is an empty row.

        Raises
        ------
        InputError
            A single string instead of a list, or an item that is not a str.
        """
        weigher = self._weigher or self._new_weigher()
        return weigher.weigh(checked_texts(texts), thread_count(self.threads))

    def transform_one(self, text: str) -> tuple[Int32, Float32]:
        """Features of one text without a matrix, bit-identical to its row of ``transform``.

        Returns
        -------
        (indices, values) : int32 and float32 arrays of one length
            Columns, ascending, and their values.

        Raises
        ------
        InputError
            Not a str.
        """
        return (self._weigher or self._new_weigher()).weigh_one(text)

    def check_settings(self) -> None:
        """Raise InputError if a setting is out of its range, or no n-gram is selected."""
        super().check_settings()
        self._grams()

    def _new_weigher(self) -> TextWeigher:
        self._weigher = self._make_weigher()
        return self._weigher

    def _grams(self) -> Grams:
        """The settings of n-grams."""
        return Grams(
            words=self.words, characters=self.characters, within_words=self.within_words, lowercase=self.lowercase
        )

    def _plain_settings(self) -> dict[str, Any]:
        """Settings for a model directory; ``threads`` depends on the machine and is left out."""
        return {name: self.RULES[name].check(name, getattr(self, name)) for name in _stored_names(self)}

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_weigher", None)  # the native object is made again when needed
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


def _stored_names(kind: Any) -> list[str]:
    return [name for name in kind.RULES if name != "threads"]


def stored_settings(kind: type[Checked], config: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments of a class, from a model directory; the class checks their values.

    Raises
    ------
    KeyError, AttributeError, InputError
        Settings that are missing or unknown.
    """
    settings = config["settings"]
    unequal = sorted(settings.keys() ^ set(_stored_names(kind)))
    if unequal:
        raise InputError(f"the setting {quoted(unequal[0])} is missing or unknown")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
