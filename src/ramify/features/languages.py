"""The language of a corpus, and Snowball stems of its words.

The language is detected once, when a vectorizer is fitted, and stored with it. py3langid gives the log-likelihood of a
text in each language (naive Bayes over byte n-grams: Marco Lui, Timothy Baldwin: langid.py, ACL 2012). Titles are too
short to be identified one by one, so the shares of the languages in the corpus are estimated jointly: they are the
weights of a mixture, fitted to all likelihoods by expectation-maximization.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ramify.checks import AUTO, Rule
from ramify.errors import RamifyError
from ramify.values import Float64
from ramify.wording import nearest_name

SNOWBALL = "snowball"

STEMMERS: dict[str, str] = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian",
    "lt": "lithuanian", "nb": "norwegian", "nl": "dutch", "nn": "norwegian", "no": "norwegian", "pl": "polish",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "st": "sesotho", "sv": "swedish",
    "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
"""Name of the Snowball algorithm by language. Hindi, Nepali and Tamil are absent: their vowel signs end words."""

_ISO_639_1 = """
aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es
et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki
kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no
nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te
tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""
CODES = frozenset(_ISO_639_1.split())
"""Two-letter codes of ISO 639-1."""

SAMPLE_TEXTS = 500
SAMPLE_CHARACTERS = 400
"""Number of texts sampled, and of characters of each."""

FEWEST_LETTERS, FEWEST_LETTERS_OF_A_TEXT = 1000, 8
"""Samples with fewer letters are too small for a detection; texts with fewer are left out of it."""

SMALLEST_SHARE = 0.75
"""Share of the corpus that its language has at least; a corpus with a smaller largest share is mixed."""

_SURROGATE = re.compile("[\ud800-\udfff]")

LONGEST_WORD = 64
"""Longer words are no words of a language and stay as they are."""


@dataclass(frozen=True)
class LanguageRule(Rule):
    """The code of a language, or "auto"."""

    @property
    def wanted(self) -> str:
        """See ``Rule``."""
        return "'auto' or a two-letter code of ISO 639-1 such as 'fi'"

    def or_none(self, wanted: str, none: str = "None") -> str:
        """See ``Rule``; None goes first, because "such as 'fi' or None" would make it a code."""
        return f"{none}, {wanted}" if self.optional else wanted

    def fits(self, value: Any) -> bool:
        """See ``Rule``."""
        return isinstance(value, str) and (value == AUTO or value in CODES)

    def hint(self, value: Any) -> str:
        """See ``Rule``; the code for the name of a language."""
        codes = {name: code for code, name in STEMMERS.items()}
        near = nearest_name(value.lower(), codes) if isinstance(value, str) else None
        return "" if near is None else f": did you mean {codes[near]!r}?"


@dataclass(frozen=True)
class Detection:
    """Languages of a corpus.

    Parameters
    ----------
    shares : dict of str to float
        Estimated share of the sampled texts by language, in descending order; empty for a sample that is too small.
    """

    shares: Mapping[str, float] = field(default_factory=dict)

    @property
    def language(self) -> str | None:
        """The language of at least ``SMALLEST_SHARE`` of the corpus; None for a mixed or small one."""
        first = next(iter(self.shares), None)
        return first if first is not None and self.shares[first] >= SMALLEST_SHARE else None


def detect(texts: Sequence[str]) -> Detection:
    """The languages of a corpus, from an even sample of the texts; the same corpus always has the same result.

    Parameters
    ----------
    texts : sequence of str

    Returns
    -------
    Detection
    """
    step = max(1, len(texts) // SAMPLE_TEXTS)
    cut = [text[:SAMPLE_CHARACTERS] for text in texts[::step]]
    letters = [sum(map(str.isalpha, text)) for text in cut]
    sample = [text for text, n in zip(cut, letters, strict=True) if n >= FEWEST_LETTERS_OF_A_TEXT]
    if sum(letters) < FEWEST_LETTERS or not sample:
        return Detection()
    langid = _package("py3langid.langid", "the detection of languages", "py3langid")
    identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE)  # 100 MB, freed after the detection
    names = identifier.labels
    place = {name: number for number, name in enumerate(names)}
    likelihoods = np.zeros((len(sample), len(names)))
    for row, text in zip(likelihoods, sample, strict=True):
        ranked = identifier.rank(text)
        scores = np.array([score for _, score in ranked]) - ranked[0][1]
        # Divided by the root of the length, as in py3langid: naive Bayes overstates the differences of long texts.
        row[[place[name] for name, _ in ranked]] = scores / max(1, len(text.encode("utf-8", "surrogatepass"))) ** 0.5
    shares = mixture_shares(likelihoods)
    order = np.argsort(-shares, kind="stable")
    return Detection({names[i]: round(float(shares[i]), 4) for i in order if shares[i] >= 0.01})


def mixture_shares(log_likelihoods: Float64, rounds: int = 50) -> Float64:
    """Weights of the components of a mixture that maximize the likelihood, by expectation-maximization.

    Parameters
    ----------
    log_likelihoods : float64 array, shape (n, components)
    rounds : int, default 50

    Returns
    -------
    float64 array, shape (components,)
        They sum to 1.
    """
    likelihoods = np.exp(log_likelihoods - log_likelihoods.max(axis=1, keepdims=True))
    shares: Float64 = np.full(likelihoods.shape[1], 1.0 / likelihoods.shape[1])
    for _ in range(rounds):
        joint = likelihoods * shares
        shares = (joint / joint.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares


def snowball(language: str) -> Callable[[Sequence[str]], list[str]]:
    """A function that maps words to their Snowball stems (PyStemmer).

    Parameters
    ----------
    language : str
        A key of ``STEMMERS``.

    Raises
    ------
    RamifyError
        PyStemmer is not installed, or its version lacks the language.
    """
    package = _package("Stemmer", "stems", "PyStemmer")
    try:
        stemmer = package.Stemmer(STEMMERS[language])
    except KeyError:
        raise RamifyError(
            f"PyStemmer {package.version()} has no stemmer for the language {language!r}: pip install -U PyStemmer"
        ) from None
    stemmer.maxCacheSize = 0  # each distinct word comes once

    def stems(words: Sequence[str]) -> list[str]:
        found = stemmer.stemWords([word if len(word) <= LONGEST_WORD else "" for word in words])
        return [stem or word for stem, word in zip(found, words, strict=True)]

    def each(words: Sequence[str]) -> list[str]:
        try:
            return stems(words)
        except UnicodeEncodeError:  # a lone surrogate
            encodable = [word for word in words if not _SURROGATE.search(word)]
            known = dict(zip(encodable, stems(encodable), strict=True))
            return [known.get(word, word) for word in words]

    return each


def snowball_version() -> str:
    """Version of PyStemmer."""
    return str(_package("Stemmer", "stems", "PyStemmer").version())


def _package(module: str, feature: str, package: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        raise RamifyError(f"{feature} need the package {package}: pip install {package}") from None
