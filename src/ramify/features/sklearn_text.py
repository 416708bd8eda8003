"""Fitted scikit-learn vectorizers as plain settings and arrays, because a model directory contains no pickle.

A model directory may be untrusted, so every setting is compared with a table of permitted values before the vectorizer
is made. Saving uses the same table, so every saved vectorizer can be loaded.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ramify.checks import real_number, whole_number
from ramify.errors import InputError, damage_reported
from ramify.features.token_pattern import check_token_pattern
from ramify.features.weighted_text import LARGEST_IDF
from ramify.strings import StringTable
from ramify.wording import quoted

MAX_GRAM = 20
"""Longest n-gram, of words or of characters."""

LARGEST_COUNT = 2**31 - 1

Check = Callable[[str, Any], Any]


def _one_of(*allowed: Any) -> Check:
    def check(name: str, value: Any) -> Any:
        if not any(type(value) is type(known) and value == known for known in allowed):
            known = ", ".join(repr(one) for one in allowed)
            raise InputError(f"{name} is {quoted(value)}, but must be one of {known}")
        return value

    return check


def _nothing(name: str, value: Any) -> None:
    if value is not None:
        raise InputError(f"{name} is {quoted(value)}, but functions and other objects cannot be saved")


def _encoding(name: str, value: Any) -> Any:
    try:
        if re.fullmatch(r"[A-Za-z0-9_-]{1,40}", value) and codecs.lookup(value):
            return value
    except (LookupError, TypeError):
        pass
    raise InputError(f"{name} is {quoted(value)}, but must be the name of an encoding like 'utf-8'")


def _stop_words(name: str, value: Any) -> Any:
    if value is None or value == "english" or (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        return value
    raise InputError(f"{name} is {quoted(value)}, but must be None, 'english' or a list of strings")


def _gram_range(name: str, value: Any) -> tuple[int, int]:
    if isinstance(value, list | tuple) and len(value) == 2 and all(type(one) is int for one in value):
        shortest, longest = value
        if 1 <= shortest <= longest <= MAX_GRAM:
            return shortest, longest
    raise InputError(f"{name} is {quoted(value)}, but must be two whole numbers from 1 to {MAX_GRAM}, like (1, 2)")


def _document_limit(name: str, value: Any) -> Any:
    if isinstance(value, float):
        return real_number(name, value, 0, 1)
    return whole_number(name, value, 1, LARGEST_COUNT)


def _term_limit(name: str, value: Any) -> Any:
    return None if value is None else whole_number(name, value, 1, LARGEST_COUNT)


_BOOLEAN = _one_of(True, False)

_SHARED: dict[str, Check] = {
    "input": _one_of("content"),  # "filename" would open the files that documents name
    "encoding": _encoding,
    "decode_error": _one_of("strict", "ignore", "replace"),
    "strip_accents": _one_of(None, "ascii", "unicode"),
    "lowercase": _BOOLEAN,
    "preprocessor": _nothing,
    "tokenizer": _nothing,
    "stop_words": _stop_words,
    "token_pattern": lambda name, value: value,  # together with the analyzer
    "ngram_range": _gram_range,
    "analyzer": _one_of("word", "char", "char_wb"),
    "binary": _BOOLEAN,
    "dtype": _one_of("float32", "float64", "int64"),
}
_COUNTING: dict[str, Check] = {
    "max_df": _document_limit,
    "min_df": _document_limit,
    "max_features": _term_limit,
}
_NORM: dict[str, Check] = {"norm": _one_of(None, "l1", "l2")}
_IDF: dict[str, Check] = {"use_idf": _BOOLEAN, "smooth_idf": _BOOLEAN, "sublinear_tf": _BOOLEAN}
_HASHED: dict[str, Check] = {
    "n_features": lambda name, value: whole_number(name, value, 1, LARGEST_COUNT),
    "alternate_sign": _BOOLEAN,
}

_SETTINGS: dict[str, dict[str, Check]] = {
    "CountVectorizer": _SHARED | _COUNTING,
    "HashingVectorizer": _SHARED | _NORM | _HASHED,
    "TfidfVectorizer": _SHARED | _COUNTING | _NORM | _IDF,
}


class SklearnText:
    """Adapter that saves a text vectorizer of scikit-learn.

    Parameters
    ----------
    vectorizer : CountVectorizer, HashingVectorizer or TfidfVectorizer
        Fitted, with plain settings, without functions.
    """

    def __init__(self, vectorizer: Any) -> None:
        self.vectorizer = vectorizer

    @staticmethod
    def takes(part: Any) -> bool:
        """Whether ``part`` is one of scikit-learn's text vectorizers."""
        return type(part).__module__.startswith("sklearn.feature_extraction") and type(part).__name__ in _SETTINGS

    def transform(self, texts: Sequence[str]) -> Any:
        """Features, shape (n, d)."""
        return self.vectorizer.transform(texts)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays.

        Raises
        ------
        InputError
            A setting that could not be loaded again: a function, input other than "content", an n-gram of more than 20,
            a token pattern that backtracks, stop words that are not a list.
        """
        kind = type(self.vectorizer).__name__
        arrays: dict[str, Any] = {}
        settings = self.vectorizer.get_params(deep=False)
        settings = {name: value.item() if isinstance(value, np.generic) else value for name, value in settings.items()}
        settings.pop("vocabulary", None)  # the fitted one is saved
        try:
            settings["dtype"] = np.dtype(settings["dtype"]).name
            settings = checked_settings(kind, settings)
        except (InputError, TypeError) as error:
            remedy = "use plain settings, or ramify's Tfidf or Hashing"
            raise InputError(f"the {kind} cannot be saved: {error}; {remedy}") from None
        if hasattr(self.vectorizer, "vocabulary_"):
            terms = sorted(self.vectorizer.vocabulary_, key=self.vectorizer.vocabulary_.get)
            table = StringTable.of(terms)
            arrays |= {"terms/blob": table.blob, "terms/offsets": table.offsets}
        if getattr(self.vectorizer, "use_idf", False):
            arrays["idf"] = np.asarray(self.vectorizer.idf_)
        return {"kind": kind, "settings": settings}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> Any:
        """Restore the vectorizer.

        Raises
        ------
        ModelFileError
            A class, setting or array that is not among those that can be saved.
        """
        with damage_reported("the vectorizer is"):
            kind = config["kind"]
            if kind not in _SETTINGS:
                raise InputError(f"its class is {quoted(kind)}, but must be one of {', '.join(_SETTINGS)}")
            settings = checked_settings(kind, config["settings"])
            settings["dtype"] = np.dtype(settings["dtype"]).type
            if kind == "HashingVectorizer":
                return _unfitted(kind, settings)
            terms = _stored_terms(arrays)
            vectorizer = _unfitted(kind, settings | {"vocabulary": terms})
            vectorizer._validate_vocabulary()
            if kind == "CountVectorizer":
                return vectorizer
            if settings["use_idf"]:
                vectorizer.idf_ = _stored_idf(arrays["idf"], len(terms))
            else:
                vectorizer.fit([""])  # the vocabulary is given, but scikit-learn requires the call
            return vectorizer


def checked_settings(kind: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a class of scikit-learn, each compared with its permitted values.

    Raises
    ------
    InputError
        One that is missing, unknown or out of range.
    """
    checks = _SETTINGS[kind]
    unequal = sorted(checks.keys() ^ settings.keys())
    if unequal:
        raise InputError(f"the setting {quoted(unequal[0])} of a {kind} is missing or unknown")
    checked = {name: check(name, settings[name]) for name, check in checks.items()}
    if checked["analyzer"] == "word" or checked["token_pattern"] is not None:
        check_token_pattern(checked["token_pattern"])
    return checked


def _unfitted(kind: str, settings: dict[str, Any]) -> Any:
    from sklearn.feature_extraction import text

    return getattr(text, kind)(**settings)


def _stored_terms(arrays: dict[str, Any]) -> dict[str, int]:
    table = StringTable(arrays["terms/blob"], arrays["terms/offsets"])
    terms = {term: column for column, term in enumerate(table)}
    if not 0 < len(terms) == len(table):
        raise InputError(f"its {len(table)} terms are {len(terms)} different ones")
    return terms


def _stored_idf(idf: Any, n_terms: int) -> Any:
    if idf.shape != (n_terms,) or idf.dtype not in (np.float32, np.float64):
        raise InputError(f"idf is {idf.dtype} {idf.shape}, but must be a float vector of length {n_terms}")
    if not ((idf >= 0) & (idf <= LARGEST_IDF)).all():
        raise InputError(f"idf must lie in 0..{LARGEST_IDF:g}")
    return np.array(idf)
