"""Fitted scikit-learn vectorizers as plain settings and arrays: a model directory holds no pickle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ramify.errors import InputError, ModelFileError
from ramify.strings import StringTable

_KINDS = ("CountVectorizer", "HashingVectorizer", "TfidfVectorizer")


class SklearnText:
    """A text vectorizer of scikit-learn in a form that can be saved.

    Parameters
    ----------
    vectorizer : CountVectorizer, HashingVectorizer or TfidfVectorizer
        Fitted, with plain settings: no functions of the user's.
    """

    def __init__(self, vectorizer: Any) -> None:
        self.vectorizer = vectorizer

    @staticmethod
    def takes(part: Any) -> bool:
        """Whether ``part`` is one of scikit-learn's text vectorizers."""
        return type(part).__module__.startswith("sklearn.feature_extraction") and type(part).__name__ in _KINDS

    def transform(self, texts: Sequence[str]) -> Any:
        """Features, shape (n, d)."""
        return self.vectorizer.transform(texts)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays.

        Raises
        ------
        InputError
            A setting that is a function or another object.
        """
        arrays: dict[str, Any] = {}
        settings = self.vectorizer.get_params(deep=False)
        settings["dtype"] = np.dtype(settings["dtype"]).name
        settings.pop("vocabulary", None)  # the fitted one is saved
        try:
            json.dumps(settings)
        except TypeError:
            kind = type(self.vectorizer).__name__
            raise InputError(f"a {kind} with functions as settings cannot be saved: use plain settings") from None
        if hasattr(self.vectorizer, "vocabulary_"):
            terms = sorted(self.vectorizer.vocabulary_, key=self.vectorizer.vocabulary_.get)
            table = StringTable.of(terms)
            arrays |= {"terms/blob": table.blob, "terms/offsets": table.offsets}
        if getattr(self.vectorizer, "use_idf", False):
            arrays["idf"] = np.asarray(self.vectorizer.idf_)
        return {"kind": type(self.vectorizer).__name__, "settings": settings}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> Any:
        """The vectorizer itself again."""
        from sklearn.feature_extraction import text

        if config["kind"] not in _KINDS:
            raise ModelFileError(f"the model names the vectorizer {config['kind']!r}: restore the model directory")
        settings = dict(config["settings"])
        settings["dtype"] = np.dtype(settings["dtype"]).type
        if isinstance(settings.get("ngram_range"), list):
            settings["ngram_range"] = tuple(settings["ngram_range"])
        if "terms/blob" in arrays:
            table = StringTable(arrays["terms/blob"], arrays["terms/offsets"])
            settings["vocabulary"] = {term: column for column, term in enumerate(table)}
        vectorizer = getattr(text, config["kind"])(**settings)
        if "terms/blob" in arrays:
            vectorizer._validate_vocabulary()
        if "idf" in arrays:
            vectorizer.idf_ = np.array(arrays["idf"])
        elif config["kind"] == "TfidfVectorizer":
            vectorizer.fit([""])  # learns nothing, as the vocabulary is given, but must have been called
        return vectorizer
