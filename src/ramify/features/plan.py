"""Choice of language, stems and n-grams for a corpus, where a setting of ``Tfidf`` is "auto".

The rule was derived from held-out parts of training sets (docs/training.md, "Text features by language"):

- Words of a language with a Snowball stemmer are stemmed.
- Features are single words. Those that occur in one text only are kept for short texts (titles), where rare words are
  most of the evidence, and dropped for longer texts.
- Small corpora (``FEWEST_TEXTS_FOR_CHARACTERS`` to ``MOST_TEXTS_FOR_CHARACTERS`` texts) of short texts, or without
  stems, also give n-grams of 4 characters.
- Texts with letters of scripts without blanks between words also give n-grams of 1 to 3 characters of these scripts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ramify.checks import AUTO
from ramify.errors import InputError
from ramify.features.languages import SNOWBALL, STEMMERS, Detection, detect
from ramify.features.scripts import SAMPLE_TEXTS, share_unsuited
from ramify.kernels.grams import Grams

SHORT_TEXT = 400
"""Texts of fewer characters on average are short."""

FEWEST_TEXTS_FOR_CHARACTERS, MOST_TEXTS_FOR_CHARACTERS = 100, 5_000
"""Larger corpora have no n-grams of characters, which make training 2 to 4 times as long; the gain on smaller ones was
not measured."""

SMALLEST_SHARE_OF_RUNS = 0.01
"""Share of the letters from which n-grams of runs are added."""

WORDS, CHARACTERS, CHARACTERS_ONLY, RUNS = (1, 1), (4, 4), (3, 5), (1, 3)


@dataclass(frozen=True, kw_only=True)
class TextPlan:
    """What ``Tfidf`` makes features of.

    Parameters
    ----------
    language : str or None
        Code of the language, None if it is unknown or the corpus is mixed.
    share : float or None
        Share of the sampled texts in this language; None for a language that was given.
    stemmer : str or None
        "snowball", or None for unchanged words.
    words, characters, runs : (int, int) or None
        As the settings of ``Tfidf``.
    min_df : int or float
        As the setting of ``Tfidf``.
    """

    language: str | None = None
    share: float | None = None
    stemmer: str | None = None
    words: tuple[int, int] | None
    characters: tuple[int, int] | None
    runs: tuple[int, int] | None = None
    min_df: float

    def as_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> TextPlan:
        """The plan that ``as_dict`` described.

        Raises
        ------
        InputError
            A value out of range.
        KeyError, TypeError
            A value that is missing or unknown.
        """
        pairs = {name: tuple(stored[name]) if stored[name] else None for name in ("words", "characters", "runs")}
        plan = cls(**{**stored, **pairs})
        Grams(words=plan.words, characters=plan.characters, runs=plan.runs)
        if plan.stemmer not in (None, SNOWBALL) or (plan.stemmer and plan.language not in STEMMERS):
            raise InputError(f"the stemmer {plan.stemmer!r} does not go with the language {plan.language!r}")
        if plan.language is not None and not (isinstance(plan.language, str) and len(plan.language) in (2, 3)):
            raise InputError(f"the language is {plan.language!r}")
        return plan

    def describe(self) -> str:
        """One line for people: language, stems and n-grams."""
        language = "language unknown" if self.language is None else f"language {self.language}"
        share = "" if self.share is None or self.language is None else f" (share {self.share:.2f} of the sample)"
        kinds = {"words": self.words, "characters": self.characters, "characters of runs": self.runs}
        grams = [_grams(kind, *lengths) for kind, lengths in kinds.items() if lengths]
        share_of = f"{self.min_df:.2%} of the" if isinstance(self.min_df, float) else f"{self.min_df:,}"
        texts = "text" if self.min_df == 1 and isinstance(self.min_df, int) else "texts"
        stems = "Snowball stems" if self.stemmer else "no stems"
        return f"{language}{share}, {stems}, {', '.join(grams)}, in at least {share_of} {texts}"


def _grams(kind: str, low: int, high: int) -> str:
    if high == 1:
        return f"single {kind}"
    return f"{low} {kind}" if low == high else f"{low}-{high} {kind}"


def choose_plan(
    texts: Sequence[str],
    *,
    language: str | None,
    stemmer: str | None,
    grams: Mapping[str, Any],
    min_df: float | str,
) -> TextPlan:
    """Determine the language, and everything that is "auto".

    Parameters
    ----------
    texts : sequence of str
        The training corpus.
    language, stemmer, min_df
        As the settings of ``Tfidf``.
    grams : mapping
        The settings "words", "characters" and "runs".

    Raises
    ------
    InputError
        Stems are required, but the language is unknown or has no stemmer.
    RamifyError
        The package for the detection is not installed.
    """
    found = detect(texts) if language == AUTO else Detection({} if language is None else {language: 1.0})
    code = found.language
    short = mean_length(texts) < SHORT_TEXT
    chosen = dict(grams)
    stems = _chosen_stemmer(stemmer, found, language) if chosen["words"] is not None else None
    if chosen["characters"] == AUTO and chosen["words"] is None:
        chosen["characters"] = CHARACTERS_ONLY
    if chosen["characters"] == AUTO:
        small = FEWEST_TEXTS_FOR_CHARACTERS <= len(texts) <= MOST_TEXTS_FOR_CHARACTERS
        chosen["characters"] = CHARACTERS if small and (short or stems is None) else None
    if chosen["words"] == AUTO:
        chosen["words"] = WORDS
    if chosen["runs"] == AUTO:
        chosen["runs"] = RUNS if share_unsuited(texts) >= SMALLEST_SHARE_OF_RUNS else None
    return TextPlan(
        language=code,
        share=found.shares[code] if code is not None and language == AUTO else None,
        stemmer=stems,
        min_df=(1 if short else 2) if isinstance(min_df, str) else min_df,
        **chosen,
    )


def _chosen_stemmer(stemmer: str | None, found: Detection, given: str | None) -> str | None:
    code = found.language
    if stemmer == SNOWBALL and code is None:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in list(found.shares.items())[:3])
        reason = "language is None" if given is None else f"no language was detected ({shares or 'too few texts'})"
        raise InputError(f"stemmer is 'snowball', but {reason}: set language to a code such as 'fi'")
    if stemmer == SNOWBALL and code not in STEMMERS:
        raise InputError(
            f"stemmer is 'snowball', but Snowball has no stemmer for the language {code!r}: set stemmer to None, or "
            f"language to one of {', '.join(STEMMERS)}"
        )
    return SNOWBALL if stemmer is not None and code in STEMMERS else None


def mean_length(texts: Sequence[str]) -> float:
    """Characters of a text on average, in an even sample."""
    step = max(1, len(texts) // SAMPLE_TEXTS)
    lengths = [len(text) for text in texts[::step]]
    return float(np.mean(lengths)) if lengths else 0.0
