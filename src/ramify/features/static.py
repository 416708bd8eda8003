"""Texts → means of static vectors, weighted by the frequency of the tokens in the training texts.

x_i ∝ Σ_t w(t) · v(t) over the tokens t of text i        w(t) = a / (a + p(t)), p(t) the share of t among all tokens

Sanjeev Arora, Yingyu Liang, Tengyu Ma: A Simple but Tough-to-Beat Baseline for Sentence Embeddings, ICLR 2017.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError

from ramify.checks import AUTO, COUNT, THREADS, OrAuto, Parsed, Real, Rules, Whole, YesNo, thread_count
from ramify.errors import InputError, damage_reported
from ramify.features.dense_text import DenseText
from ramify.features.static_vectors import WORDLLAMA, StaticVectors, open_vectors
from ramify.features.weighted_text import stored_settings
from ramify.kernels.text import checked_texts
from ramify.strings import StringTable
from ramify.values import Float32, Int32, Int64
from ramify.wording import quoted

SMOOTHING = 1e-3
"""a of the weights, as published."""


def _source(value: Any) -> Any:
    if not isinstance(value, str | os.PathLike | StaticVectors) or not str(value):
        raise InputError(f"vectors is {quoted(value)}, but must be {WORDLLAMA}, a path, or StaticVectors")
    return value


class StaticEncoder(DenseText):
    """Mean of the static vectors of the words or sub-words of a text.

    Parameters
    ----------
    vectors : str, path-like or StaticVectors, default "wordllama"
        The package wordllama, a file of word vectors, or a directory of model2vec. "wordllama": 32,000 sub-words, 256
        dimensions. Files have the text format of word2vec and GloVe, also with .gz. ``transformers.distilled`` makes
        vectors from an encoder.
    smoothing : "auto", float or None, default "auto"
        a of the token weights a / (a + p); smaller values reduce the weight of frequent tokens more. "auto": 0.001, or
        None if the vectors are already weighted by frequency. None: all tokens have weight 1.
    max_words : int, default 100,000
        Words read from the beginning of a file of word vectors, in addition to the words of the training texts.
    threads : int or None, default None
        Threads of the sub-word tokenizer; None uses all CPUs. The result is the same for any number.

    Attributes
    ----------
    vectors_ : StaticVectors
        Vectors as float16, shape (V, m).
    weights_ : float32 array, shape (V,)
        Weight of each token.
    """

    RULES: ClassVar[Rules] = {
        "vectors": Parsed(_source, wanted_text=f"{WORDLLAMA}, a file of word vectors or a directory of model2vec"),
        "smoothing": OrAuto(Real(1e-9, 1), optional=True),
        "max_words": Whole(0, int(COUNT.high)),
        "threads": THREADS,
    }
    FLAGS = ("vectors",)

    vectors_: StaticVectors
    weights_: Float32

    def __init__(
        self,
        vectors: Any = WORDLLAMA,
        *,
        smoothing: float | str | None = AUTO,
        max_words: int = 100_000,
        threads: int | None = None,
    ) -> None:
        self.vectors = vectors
        self.smoothing = smoothing
        self.max_words = max_words
        self.threads = threads

    def fit(self, texts: Sequence[str], y: Any = None) -> StaticEncoder:
        """Read the vectors, and count the tokens of the texts.

        Parameters
        ----------
        texts : sequence of str, length n
        y : ignored

        Returns
        -------
        StaticEncoder
            This object.

        Raises
        ------
        InputError
            A setting out of range, vectors that cannot be read, or texts that are not a list of str.
        MissingExtraError
            A package that the vectors need is not installed.
        """
        self._fit(checked_texts(texts))
        return self

    def fit_transform(self, texts: Sequence[str], y: Any = None) -> Float32:
        """``fit(texts).transform(texts)``, shape (n, m)."""
        return self._means(*self._fit(checked_texts(texts)))

    def transform(self, texts: Sequence[str]) -> Float32:
        """Vectors of texts.

        Parameters
        ----------
        texts : sequence of str, length n

        Returns
        -------
        float32 array, shape (n, m)
            Rows of length 1; a text without known tokens has a row of zeros.

        Raises
        ------
        InputError
            A single string instead of a list, or an item that is not a str.
        """
        self._check_fitted()
        return self._means(*self.vectors_.ids(checked_texts(texts), thread_count(self.threads)))

    def _means(self, ids: Int32, indptr: Int64) -> Float32:
        """Weighted means of the vectors of each text, scaled to length 1."""
        used, columns = np.unique(ids, return_inverse=True)
        table = self.vectors_.vectors[used].astype(np.float32) * self.weights_[used, None]
        counts = sp.csr_matrix((np.ones(len(ids), np.float32), columns, indptr), (len(indptr) - 1, len(used)))
        return _unit(np.asarray(counts @ table, np.float32))

    @property
    def n_columns(self) -> int:
        """Number of columns m."""
        self._check_fitted()
        return int(self.vectors_.vectors.shape[1])

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """(config, arrays) of the fitted object; ``threads`` is not saved."""
        self._check_fitted()
        given = None if isinstance(self.vectors, StaticVectors) else str(self.vectors)
        settings = {name: self.RULES[name].check(name, getattr(self, name)) for name in ("smoothing", "max_words")}
        settings["vectors"] = given
        fitted = self.vectors_
        arrays = {"vectors": fitted.vectors, "weights": self.weights_}
        if fitted.tokenizer is not None:
            arrays["tokenizer"] = np.frombuffer(fitted.tokenizer.encode(), np.uint8)
        else:
            words = StringTable.of(fitted.words or ())
            arrays |= {"words/blob": words.blob, "words/offsets": words.offsets}
        return {"settings": settings, "is_weighted": fitted.is_weighted}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> StaticEncoder:
        """The object that ``to_state`` described; arrays may be read-only and memory-mapped.

        Raises
        ------
        ModelFileError
            Settings or arrays that are missing or inconsistent.
        MissingExtraError
            Vectors of sub-words, and the package tokenizers is not installed.
        """
        with damage_reported("the saved static vectors are"):
            settings = stored_settings(cls, config)
            vectors, weights = arrays["vectors"], arrays["weights"]
            if vectors.dtype != np.float16 or weights.dtype != np.float32 or weights.shape != vectors.shape[:1]:
                raise InputError("vectors must be float16 of shape (V, m), and weights float32 of shape (V,)")
            if not ((weights >= 0) & (weights <= 1)).all():
                raise InputError("the weights must lie in 0..1")
            words = StringTable(arrays["words/blob"], arrays["words/offsets"]) if "words/blob" in arrays else None
            tokenizer = None if words is not None else bytes(arrays["tokenizer"]).decode()
            fitted = StaticVectors(vectors, words, tokenizer, YesNo().check("is_weighted", config["is_weighted"]))
            fitted.check_tokenizer()
            encoder = cls(**settings | {"vectors": settings["vectors"] or fitted})
            encoder.check_settings()
            encoder.vectors_, encoder.weights_ = fitted, weights
        return encoder

    def _check_fitted(self) -> None:
        if not hasattr(self, "weights_"):
            raise NotFittedError("this StaticEncoder is not fitted yet: call fit first")

    def _opened(self, texts: Sequence[str]) -> StaticVectors:
        if isinstance(self.vectors, StaticVectors):
            return self.vectors
        return open_vectors(self.vectors, texts, self.max_words)

    def _fit(self, texts: Sequence[str]) -> tuple[Int32, Int64]:
        """Read the vectors, and weight them by the tokens of the texts; their ids, as by ``StaticVectors.ids``."""
        self.check_settings()
        opened = self._opened(texts)
        ids, indptr = opened.ids(texts, thread_count(self.threads))
        shares = np.bincount(ids, minlength=len(opened.vectors)) / max(1, len(ids))
        a: Any = self.smoothing
        if a == AUTO:
            a = None if opened.is_weighted else SMOOTHING
        weights = np.ones_like(shares) if a is None else a / (a + shares)
        self.vectors_, self.weights_ = opened.half(), weights.astype(np.float32)
        return ids, indptr


def _unit(rows: Float32) -> Float32:
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    unit: Float32 = np.divide(rows, lengths[:, None], out=np.zeros_like(rows), where=lengths[:, None] > 0)
    return unit
