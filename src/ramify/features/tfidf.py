"""Texts → tf-idf of n-grams of words and characters, with the results of scikit-learn.

X[i, j] = tf(i, j) · idf(j), rows of length 1; tf = 1 + log(count), idf(j) = log((1 + n) / (1 + df(j))) + 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import NotFittedError

from ramify.checks import Real, Rule, Rules, Whole, thread_count, whole_number
from ramify.errors import InputError, damage_reported
from ramify.features.weighted_text import (
    DEFAULT_NORM,
    DEFAULT_WORDS,
    LARGEST_COUNT,
    LARGEST_IDF,
    SHARED_RULES,
    WeightedText,
    stored_settings,
)
from ramify.kernels.text import CountedTexts, TextWeigher, Vocabulary, Weighting, checked_texts
from ramify.strings import StringTable
from ramify.values import CSR, Float32, Int64
from ramify.wording import quoted


@dataclass(frozen=True)
class DocumentLimit(Rule):
    """A number of texts, as a whole number, or a share of them, as a float."""

    @property
    def wanted(self) -> str:
        """See ``Rule``."""
        return "a whole number of at least 1 or a share from 0.0 to 1.0"

    def fits(self, value: Any) -> bool:
        """See ``Rule``."""
        whole = isinstance(value, int | np.integer)
        return Whole(1, math.inf).fits(value) if whole else Real(0, 1).fits(value)

    def from_text(self, text: str) -> float:
        """See ``Rule``."""
        return int(text) if text.strip().isdecimal() else float(text)

    def plain(self, value: Any) -> float:
        """See ``Rule``."""
        return int(value) if isinstance(value, int | np.integer) else float(value)


DEFAULT_MIN_DF = 2
DEFAULT_MAX_DF = 1.0
DEFAULT_MAX_FEATURES = 200_000


class Tfidf(WeightedText):
    r"""tf-idf features of texts.

    Parameters
    ----------
    words : (int, int) or None, default (1, 2)
        Shortest and longest n-gram of words; a word is ``\b\w\w+\b``: two or more word characters.
    characters : (int, int) or None, default None
        Shortest and longest n-gram of characters; their columns come after those of words.
    within_words : bool, default True
        Character n-grams stay within words padded with blanks (scikit-learn's "char_wb"), else run across ("char").
    lowercase : bool, default True
        Apply ``str.lower`` first.
    sublinear : bool, default True
        tf = 1 + log(count) in place of the count.
    min_df : int or float, default 2
        Texts that an n-gram must be in at least; a float is a share of the texts.
    max_df : int or float, default 1.0
        Texts that an n-gram may be in at most; a float is a share of the texts.
    max_features : int or None, default 200,000
        Most frequent n-grams kept, of words and of characters each; ties are broken by name.
    norm : "l2" or None, default "l2"
        Divide rows by their Euclidean length.
    threads : int or None, default None
        None uses all CPUs. The result is the same for any number.

    Attributes
    ----------
    vocabulary_ : StringTable, length d
        The n-gram of each column: words first, each kind in ascending order of its strings.
    idf_ : float32 array, shape (d,)
        Inverse document frequencies.
    n_documents_ : int
        Number of texts fitted on.

    Notes
    -----
    With the same settings the result equals that of ``TfidfVectorizer``, including vocabulary and order of columns,
    except for ties at ``max_features``, which scikit-learn breaks by an unstable sort.
    """

    RULES: ClassVar[Rules] = SHARED_RULES | {
        "min_df": DocumentLimit(),
        "max_df": DocumentLimit(),
        "max_features": Whole(1, math.inf, optional=True),
    }
    FLAGS = ("words", "characters", "min_df", "max_df", "max_features")

    def __init__(
        self,
        *,
        words: tuple[int, int] | None = DEFAULT_WORDS,
        characters: tuple[int, int] | None = None,
        within_words: bool = True,
        lowercase: bool = True,
        sublinear: bool = True,
        min_df: float = DEFAULT_MIN_DF,
        max_df: float = DEFAULT_MAX_DF,
        max_features: int | None = DEFAULT_MAX_FEATURES,
        norm: str | None = DEFAULT_NORM,
        threads: int | None = None,
    ) -> None:
        self.words = words
        self.characters = characters
        self.within_words = within_words
        self.lowercase = lowercase
        self.sublinear = sublinear
        self.min_df = min_df
        self.max_df = max_df
        self.max_features = max_features
        self.norm = norm
        self.threads = threads

    def fit(self, texts: Sequence[str], y: Any = None) -> Tfidf:
        """Learn vocabulary and idf.

        Parameters
        ----------
        texts : sequence of str, length n
        y : ignored

        Returns
        -------
        Tfidf
            This object.

        Raises
        ------
        InputError
            A setting out of range, a single string instead of a list, an item that is not a str, or no n-gram at all.
        """
        self._count(texts, keep_rows=False)
        return self

    def fit_transform(self, texts: Sequence[str], y: Any = None) -> CSR:
        """Learn from the texts and return their features: the same as ``fit(texts).transform(texts)``, read once.

        Returns
        -------
        csr_matrix, shape (n, d)
            float32, indices sorted.

        Raises
        ------
        InputError
            As ``fit``.
        """
        return self._count(texts, keep_rows=True).rows(self._weighting())

    def _count(self, texts: Sequence[str], *, keep_rows: bool) -> CountedTexts:
        self.check_settings()
        grams = self._grams()
        checked = checked_texts(texts)
        low = math.ceil(_document_limit(self.min_df, len(checked)))
        high = math.floor(_document_limit(self.max_df, len(checked)))
        if high < low and checked:
            raise InputError(
                f"max_df={quoted(self.max_df)} keeps fewer texts than min_df={quoted(self.min_df)}: lower min_df"
            )
        counted = CountedTexts(checked, grams, keep_rows=keep_rows, threads=thread_count(self.threads))
        columns, documents = counted.choose(min_documents=low, max_documents=high, max_terms=self.max_features)
        if len(columns.hashes) == 0:
            raise InputError(self._no_columns(counted.n_grams, len(checked)))
        self._set_columns(columns, _smooth_idf(documents, len(checked)), len(checked))
        return counted

    def _no_columns(self, n_grams: int, n_texts: int) -> str:
        if n_grams:
            limits = f"min_df={self.min_df}, max_df={self.max_df}"
            return f"no n-grams remain of {n_texts} text(s) with {limits}: lower min_df or raise max_df"
        if self.characters is None:
            remedy = "words have two or more letters, so give longer texts or set characters=(1, 3)"
        else:
            remedy = "give longer texts or allow shorter n-grams"
        ranges = f"words={self.words}, characters={self.characters}"
        return f"no n-grams are in {n_texts} text(s) with {ranges}: {remedy}"

    def _set_columns(self, columns: Vocabulary, idf: Float32, n_documents: int) -> None:
        self._columns = columns
        self._weigher = None
        self.vocabulary_ = columns.names
        self.idf_ = idf
        self.n_documents_ = n_documents

    def _weighting(self) -> Weighting:
        return Weighting(idf=self.idf_, sublinear=bool(self.sublinear), normalise=self.norm is not None)

    def _make_weigher(self) -> TextWeigher:
        if not hasattr(self, "idf_"):
            raise NotFittedError("this Tfidf is not fitted yet: call fit first")
        return TextWeigher(self._grams(), self._columns, self._weighting())

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the columns, an object array of shape (d,)."""
        if not hasattr(self, "idf_"):
            raise NotFittedError("this Tfidf is not fitted yet: call fit first")
        return np.array(list(self.vocabulary_), dtype=object)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """(config, arrays) of the fitted object; ``threads`` is not saved."""
        if not hasattr(self, "idf_"):
            raise NotFittedError("this Tfidf is not fitted yet: call fit first")
        sizes = {"n_documents": self.n_documents_, "n_words": self._columns.n_words}
        names = self._columns.names
        arrays = {"names": names.blob, "name_offsets": names.offsets, "hashes": self._columns.hashes}
        arrays |= {"slots": self._columns.slots, "idf": self.idf_}
        return {"settings": self._plain_settings(), **sizes}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> Tfidf:
        """The object that ``to_state`` described; arrays may be read-only and memory-mapped.

        Raises
        ------
        ModelFileError
            Settings or arrays that are missing or inconsistent.
        """
        with damage_reported("the saved tf-idf is"):
            tfidf = cls(**stored_settings(cls, config))
            tfidf.check_settings()
            tfidf._restore(config, arrays)
        return tfidf

    def _restore(self, config: dict[str, Any], arrays: dict[str, Any]) -> None:
        n_documents = whole_number("n_documents", config["n_documents"], 0, LARGEST_COUNT)
        names = StringTable(_vector(arrays, "names", np.uint8), _vector(arrays, "name_offsets", np.int64))
        columns = Vocabulary(
            names=names,
            hashes=_vector(arrays, "hashes", np.uint64),
            slots=_vector(arrays, "slots", np.int32),
            n_words=whole_number("n_words", config["n_words"], 0, len(names)),
        )
        idf = _vector(arrays, "idf", np.float32)
        if idf.shape != columns.hashes.shape or not ((idf > 0) & (idf <= LARGEST_IDF)).all():
            raise InputError(f"idf must be {len(columns.hashes)} positive numbers of at most {LARGEST_IDF:g}")
        self._set_columns(columns, idf, n_documents)
        self._new_weigher()


def _vector(arrays: dict[str, Any], name: str, dtype: Any) -> npt.NDArray[Any]:
    array = np.ascontiguousarray(arrays[name])
    if array.dtype != dtype or array.ndim != 1:
        raise InputError(f"{name} must be a vector of {np.dtype(dtype)}, not {array.dtype} of shape {array.shape}")
    return array


def _document_limit(value: Any, n_documents: int) -> float:
    """A number of texts: a whole number is one, a float is a share."""
    limit = DocumentLimit().plain(value)
    return limit if isinstance(limit, int) else limit * n_documents


def _smooth_idf(documents: Int64, n_documents: int) -> Float32:
    idf: Float32 = (np.log((1.0 + n_documents) / (1.0 + documents)) + 1.0).astype(np.float32)
    return idf
