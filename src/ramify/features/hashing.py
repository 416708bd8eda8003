"""Texts → hashed n-grams: column = hash mod d, without a vocabulary and with fixed memory.

Kilian Weinberger, Anirban Dasgupta, John Langford, Alex Smola, Josh Attenberg: Feature Hashing for Large Scale
Multitask Learning, ICML 2009 (docs/papers.md): with signs, the expected contribution of collisions is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.exceptions import NotFittedError

from ramify.checks import COUNT, Rules, YesNo, thread_count, whole_number
from ramify.errors import InputError, damage_reported
from ramify.features.weighted_text import (
    DEFAULT_NORM,
    DEFAULT_WORDS,
    LARGEST_COUNT,
    SHARED_RULES,
    WeightedText,
    stored_settings,
)
from ramify.kernels.text import HashedColumns, TextWeigher, Weighting, checked_texts
from ramify.values import CSR, Float32

DEFAULT_HASHED_FEATURES = 2**18


class Hashing(WeightedText):
    r"""Hashed features of texts; columns have no names.

    Parameters
    ----------
    n_features : int, default 2**18
        Number of columns.
    words : (int, int) or None, default (1, 2)
        Shortest and longest n-gram of words; a word is ``\b\w\w+\b``: two or more word characters.
    characters : (int, int) or None, default None
        Shortest and longest n-gram of characters.
    within_words : bool, default True
        Character n-grams stay within words padded with blanks (scikit-learn's "char_wb"), else run across ("char").
    lowercase : bool, default True
        Apply ``str.lower`` first.
    signed : bool, default True
        Half of the n-grams have negative values.
    sublinear : bool, default True
        tf = ±(1 + log|count|) instead of the count.
    idf : bool, default False
        Weight columns by inverse document frequency; needs ``fit`` or ``partial_fit``. Without, nothing is learned.
    norm : "l2" or None, default "l2"
        Divide rows by their Euclidean length.
    threads : int or None, default None
        None uses all CPUs. The result is the same for any number.

    Attributes
    ----------
    document_frequencies_ : int64 array, shape (n_features,)
        With ``idf``: texts that have the column.
    n_documents_ : int
        With ``idf``: number of texts fitted on.
    """

    RULES: ClassVar[Rules] = SHARED_RULES | {"n_features": COUNT, "signed": YesNo(), "idf": YesNo()}
    FLAGS = ("n_features", "words", "characters", "idf")

    def __init__(
        self,
        *,
        n_features: int = DEFAULT_HASHED_FEATURES,
        words: tuple[int, int] | None = DEFAULT_WORDS,
        characters: tuple[int, int] | None = None,
        within_words: bool = True,
        lowercase: bool = True,
        signed: bool = True,
        sublinear: bool = True,
        idf: bool = False,
        norm: str | None = DEFAULT_NORM,
        threads: int | None = None,
    ) -> None:
        self.n_features = n_features
        self.words = words
        self.characters = characters
        self.within_words = within_words
        self.lowercase = lowercase
        self.signed = signed
        self.sublinear = sublinear
        self.idf = idf
        self.norm = norm
        self.threads = threads

    def fit(self, texts: Sequence[str], y: Any = None) -> Hashing:
        """Reset, then ``partial_fit``.

        Parameters
        ----------
        texts : sequence of str, length n
        y : ignored

        Returns
        -------
        Hashing
            This object.

        Raises
        ------
        InputError
            A setting out of range, a single string instead of a list, an item that is not a str.
        """
        self.check_settings()
        for learned in ("document_frequencies_", "n_documents_"):
            self.__dict__.pop(learned, None)
        return self.partial_fit(texts)

    def partial_fit(self, texts: Sequence[str], y: Any = None) -> Hashing:
        """Count more texts for the idf; without ``idf`` only the settings and texts are checked.

        Raises
        ------
        InputError
            As ``fit``.
        """
        self.check_settings()
        self._weigher = None
        checked = checked_texts(texts)
        counter = self._plain_weigher()
        if not self.idf:
            return self
        before = getattr(self, "document_frequencies_", np.zeros(self._n_columns(), np.int64))
        frequencies = before.copy()
        counter.document_frequencies(checked, frequencies, thread_count(self.threads))
        self.document_frequencies_ = frequencies
        self.n_documents_ = getattr(self, "n_documents_", 0) + len(checked)
        return self

    def fit_transform(self, texts: Sequence[str], y: Any = None) -> CSR:
        """``fit(texts).transform(texts)``, shape (n, n_features)."""
        checked = checked_texts(texts)
        return self.fit(checked).transform(checked)

    def _n_columns(self) -> int:
        n: int = COUNT.check("n_features", self.n_features)
        return n

    def _plain_weigher(self, idf: Float32 | None = None) -> TextWeigher:
        weighting = Weighting(idf=idf, sublinear=bool(self.sublinear), normalise=self.norm is not None)
        columns = HashedColumns(n_columns=self._n_columns(), signed=bool(self.signed))
        return TextWeigher(self._grams(), columns, weighting)

    def _make_weigher(self) -> TextWeigher:
        if not self.idf:
            return self._plain_weigher()
        if not hasattr(self, "n_documents_"):
            raise NotFittedError("this Hashing with idf is not fitted yet: call fit first")
        smooth = np.log((1.0 + self.n_documents_) / (1.0 + self.document_frequencies_)) + 1.0
        return self._plain_weigher(smooth.astype(np.float32))

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """(config, arrays); ``threads`` is not saved.

        Raises
        ------
        NotFittedError
            With ``idf``, before fit.
        """
        if self.idf and not hasattr(self, "n_documents_"):
            raise NotFittedError("this Hashing with idf is not fitted yet: call fit first")
        config = {"settings": self._plain_settings(), "n_documents": getattr(self, "n_documents_", 0)}
        return config, {"document_frequencies": self.document_frequencies_} if hasattr(self, "n_documents_") else {}

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> Hashing:
        """The object that ``to_state`` described; arrays may be read-only and memory-mapped.

        Raises
        ------
        ModelFileError
            Settings or arrays that are missing or inconsistent.
        """
        with damage_reported("the saved hashing is"):
            hashing = cls(**stored_settings(cls, config))
            hashing._restore(config, arrays)
        return hashing

    def _restore(self, config: dict[str, Any], arrays: dict[str, Any]) -> None:
        self.check_settings()
        n_documents = whole_number("n_documents", config["n_documents"], 0, LARGEST_COUNT)
        if not self.idf:
            return
        frequencies = np.ascontiguousarray(arrays["document_frequencies"])
        if frequencies.dtype != np.int64 or frequencies.shape != (self._n_columns(),):
            raise InputError(f"document_frequencies must be int64 of shape ({self.n_features},)")
        if frequencies.min() < 0 or frequencies.max() > n_documents:
            raise InputError(f"document_frequencies must lie in 0..{n_documents}")
        self.document_frequencies_ = frequencies
        self.n_documents_ = n_documents
