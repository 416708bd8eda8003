"""Texts → tf-idf of n-grams of words, stems and characters, chosen by language and size of the corpus.

X[i, j] = tf(i, j) · idf(j), rows of length 1; tf = 1 + log(count), idf(j) = log((1 + n) / (1 + df(j))) + 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import NotFittedError

from ramify.checks import AUTO, OneOf, OrAuto, Rules, Whole, thread_count, whole_number
from ramify.errors import InputError, damage_reported
from ramify.features.document_limit import DocumentLimit, document_limit
from ramify.features.languages import SNOWBALL, LanguageRule, snowball_version
from ramify.features.plan import TextPlan, choose_plan
from ramify.features.stored_stems import stemmer_of, stems_of, stored_words, vector
from ramify.features.weighted_text import (
    DEFAULT_NORM,
    LARGEST_COUNT,
    LARGEST_IDF,
    SHARED_RULES,
    WeightedText,
    stored_settings,
)
from ramify.kernels.grams import Grams
from ramify.kernels.text import CountedTexts, TextWeigher, Vocabulary, Weighting, checked_texts
from ramify.strings import StringTable
from ramify.values import CSR, Float32, Int64
from ramify.wording import quoted

DEFAULT_MAX_DF = 1.0
DEFAULT_MAX_FEATURES = 200_000


class Tfidf(WeightedText):
    r"""tf-idf features of texts.

    Parameters
    ----------
    words : "auto", (int, int) or None, default "auto"
        Shortest and longest n-gram of words; a word is ``\b\w\w+\b``: two or more word characters. "auto": (1, 1).
    characters : "auto", (int, int) or None, default "auto"
        Shortest and longest n-gram of characters; their columns come after those of words. "auto": (4, 4) for 100
        to 5,000 texts that are short (less than 400 characters on average) or not stemmed, (3, 5) without ``words``,
        else None.
    runs : "auto", (int, int) or None, default "auto"
        Shortest and longest n-gram of characters in runs of scripts whose words have no blanks between them or
        contain vowel signs (Chinese, Japanese, Thai, Lao, Khmer, Burmese, Tibetan, scripts of India). Such runs then
        contain no words. "auto": (1, 3) if at least 1% of the letters belong to these scripts, else None.
    language : "auto", str or None, default "auto"
        Language, a code of ISO 639-1. It selects the stemmer. "auto": detected in ``fit`` (py3langid); unknown if the
        texts have fewer than 1,000 letters, or if less than 75% of a sample are in one language. None: unknown.
    stemmer : "auto", "snowball" or None, default "auto"
        Words are replaced by their Snowball stems (PyStemmer). "auto": if there is a stemmer for the language.
        "snowball": as "auto", but an error without one. None: words stay as they are.
    within_words : bool, default True
        Character n-grams stay within words padded with blanks (scikit-learn's "char_wb"), else run across ("char").
    lowercase : bool, default True
        Apply ``str.lower`` first.
    sublinear : bool, default True
        tf = 1 + log(count) in place of the count.
    min_df : "auto", int or float, default "auto"
        Texts that an n-gram must be in at least; a float is a share of the texts. "auto": 1 for short texts, else 2.
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
    plan_ : TextPlan
        The language that was detected, and the values used for the settings that are "auto".

    Notes
    -----
    Without ``runs`` and ``stemmer`` the result equals that of ``TfidfVectorizer`` with the same settings, including
    vocabulary and order of columns, except for ties at ``max_features``, which scikit-learn breaks by an unstable sort.
    """

    RULES: ClassVar[Rules] = SHARED_RULES | {
        **{name: OrAuto(Grams.RULES[name], optional=True) for name in ("words", "characters", "runs")},
        "language": LanguageRule(optional=True),
        "stemmer": OneOf((AUTO, SNOWBALL), optional=True),
        "min_df": OrAuto(DocumentLimit()),
        "max_df": DocumentLimit(),
        "max_features": Whole(1, math.inf, optional=True),
    }
    FLAGS = ("words", "characters", "language", "min_df", "max_df", "max_features")

    def __init__(
        self,
        *,
        words: tuple[int, int] | str | None = AUTO,
        characters: tuple[int, int] | str | None = AUTO,
        runs: tuple[int, int] | str | None = AUTO,
        language: str | None = AUTO,
        stemmer: str | None = AUTO,
        within_words: bool = True,
        lowercase: bool = True,
        sublinear: bool = True,
        min_df: float | str = AUTO,
        max_df: float = DEFAULT_MAX_DF,
        max_features: int | None = DEFAULT_MAX_FEATURES,
        norm: str | None = DEFAULT_NORM,
        threads: int | None = None,
    ) -> None:
        self.words = words
        self.characters = characters
        self.runs = runs
        self.language = language
        self.stemmer = stemmer
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
            A setting out of range, a single string instead of a list, an item that is not a str, no n-gram at all, or
            ``stemmer="snowball"`` without a stemmer for the language.
        RamifyError
            py3langid or PyStemmer is not installed.
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
        checked = checked_texts(texts)
        plan = self.plan_of(checked)
        low, high = self.document_limits(plan, len(checked))
        counted = self.counted(checked, plan, keep_rows=keep_rows)
        columns, documents = counted.choose(min_documents=low, max_documents=high, max_terms=self.max_features)
        sizes = {"n_grams": counted.n_grams, "n_texts": len(checked)}
        self.set_counted(plan, columns, documents, **sizes, known_words=counted.known_words)
        return counted

    def plan_of(self, texts: Sequence[str]) -> TextPlan:
        """The language of the texts, and the values of the settings that are "auto"."""
        return choose_plan(
            texts,
            language=self.language,
            stemmer=self.stemmer,
            grams={name: self.RULES[name].check(name, getattr(self, name)) for name in ("words", "characters", "runs")},
            min_df=self.RULES["min_df"].check("min_df", self.min_df),
        )

    def document_limits(self, plan: TextPlan, n_texts: int) -> tuple[int, int]:
        """Numbers of texts that an n-gram must and may be in, of so many texts.

        Raises
        ------
        InputError
            The limits exclude every n-gram.
        """
        low = math.ceil(document_limit(plan.min_df, n_texts))
        high = math.floor(document_limit(self.max_df, n_texts))
        if high < low and n_texts:
            raise InputError(
                f"max_df={quoted(self.max_df)} keeps fewer texts than min_df={quoted(plan.min_df)}: lower min_df"
            )
        return low, high

    def counted(
        self,
        texts: tuple[str, ...],
        plan: TextPlan,
        *,
        keep_rows: bool = False,
        keep_words: bool = False,
        threads: int | None = None,
    ) -> CountedTexts:
        """The n-grams of some texts of a corpus; ``texts`` from ``checked_texts``."""
        return CountedTexts(
            texts,
            self._grams_of(plan),
            keep_rows=keep_rows,
            threads=thread_count(self.threads if threads is None else threads),
            stems=stems_of(plan),
            keep_words=keep_words,
        )

    def set_counted(
        self,
        plan: TextPlan,
        columns: Vocabulary,
        documents: Int64,
        *,
        n_grams: int,
        n_texts: int,
        known_words: Sequence[str],
    ) -> Tfidf:
        """Set the fitted attributes.

        Parameters
        ----------
        plan : TextPlan
            From ``plan_of``.
        columns : Vocabulary
            The chosen n-grams.
        documents : int64 array, shape (d,)
            Number of texts that contain each of them.
        n_grams, n_texts : int
            Distinct n-grams before any limit, and texts.
        known_words : sequence of str
            See ``CountedTexts``.

        Raises
        ------
        InputError
            No column.
        """
        if len(columns.hashes) == 0:
            raise InputError(self._no_columns(plan, n_grams, n_texts))
        self._set_columns(columns, _smooth_idf(documents, n_texts), n_texts)
        self._set_plan(plan, known_words)
        return self

    def _no_columns(self, plan: TextPlan, n_grams: int, n_texts: int) -> str:
        if n_grams:
            limits = f"min_df={plan.min_df}, max_df={self.max_df}"
            return f"no n-grams remain of {n_texts} text(s) with {limits}: lower min_df or raise max_df"
        if plan.characters is None:
            remedy = "words have two or more letters, so give longer texts or set characters=(1, 3)"
        else:
            remedy = "give longer texts or allow shorter n-grams"
        ranges = f"words={plan.words}, characters={plan.characters}"
        return f"no n-grams are in {n_texts} text(s) with {ranges}: {remedy}"

    def _grams(self) -> Grams:
        """Settings of the n-grams; those that are "auto" and not chosen yet have some valid value."""
        valid = {"words": (1, 1), "characters": (4, 4), "runs": None}
        given = {name: getattr(self, name) for name in valid}
        chosen = {name: valid[name] if given[name] == AUTO else given[name] for name in valid}
        return Grams(**chosen, within_words=self.within_words, lowercase=self.lowercase)

    def _grams_of(self, plan: TextPlan) -> Grams:
        kinds = {"words": plan.words, "characters": plan.characters, "runs": plan.runs}
        return Grams(**kinds, within_words=self.within_words, lowercase=self.lowercase)

    def _set_plan(self, plan: TextPlan, known_words: Sequence[str]) -> None:
        self.plan_ = plan
        self._known_words = StringTable.of(known_words)

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
        stems = stems_of(self.plan_, list(self._known_words))
        return TextWeigher(self._grams_of(self.plan_), self._columns, self._weighting(), stems)

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
        config = {"settings": self._plain_settings(), "plan": self.plan_.as_dict(), **sizes}
        if self.plan_.stemmer is not None:
            known = list(self._known_words)
            stems = StringTable.of(stemmer_of(self.plan_)(known))
            config["stemmer_version"] = snowball_version()
            arrays |= {"known_words/blob": self._known_words.blob, "known_words/offsets": self._known_words.offsets}
            arrays |= {"known_stems/blob": stems.blob, "known_stems/offsets": stems.offsets}
        return config, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> Tfidf:
        """The object that ``to_state`` described; arrays may be read-only and memory-mapped.

        Raises
        ------
        ModelFileError
            Settings or arrays that are missing or inconsistent, or the installed PyStemmer gives other stems.
        RamifyError
            PyStemmer is required and not installed.
        """
        with damage_reported("the saved tf-idf is"):
            tfidf = cls(**stored_settings(cls, config))
            tfidf.check_settings()
            tfidf._restore(config, arrays)
        return tfidf

    def _restore(self, config: dict[str, Any], arrays: dict[str, Any]) -> None:
        n_documents = whole_number("n_documents", config["n_documents"], 0, LARGEST_COUNT)
        names = StringTable(vector(arrays, "names", np.uint8), vector(arrays, "name_offsets", np.int64))
        columns = Vocabulary(
            names=names,
            hashes=vector(arrays, "hashes", np.uint64),
            slots=vector(arrays, "slots", np.int32),
            n_words=whole_number("n_words", config["n_words"], 0, len(names)),
        )
        idf = vector(arrays, "idf", np.float32)
        if idf.shape != columns.hashes.shape or not ((idf > 0) & (idf <= LARGEST_IDF)).all():
            raise InputError(f"idf must be {len(columns.hashes)} positive numbers of at most {LARGEST_IDF:g}")
        self._set_columns(columns, idf, n_documents)
        plan = TextPlan.from_dict(config["plan"])
        DocumentLimit().check("min_df", plan.min_df)
        self._set_plan(plan, stored_words(plan, config, arrays) if plan.stemmer else [])
        self._new_weigher()


def _smooth_idf(documents: Int64, n_documents: int) -> Float32:
    idf: Float32 = (np.log((1.0 + n_documents) / (1.0 + documents)) + 1.0).astype(np.float32)
    return idf
