"""Languages of a sample of the documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ramify.features.languages import SAMPLE_TEXTS, detect
from ramify.health.language_names import LANGUAGE_NAMES


@dataclass(frozen=True)
class LanguageMix:
    """Estimated share of the documents by language.

    Parameters
    ----------
    sampled : int
        Documents of the sample, taken at equal distances.
    shares : tuple of (str, float)
        Code and share of each language with at least 1%, in descending order; empty if the sample has too few letters.
    """

    sampled: int
    shares: tuple[tuple[str, float], ...]

    @classmethod
    def of(cls, texts: Sequence[str]) -> LanguageMix:
        """Detect the languages of an even sample of the texts, see ``features.languages.detect``."""
        step = max(1, len(texts) // SAMPLE_TEXTS)
        return cls(len(range(0, len(texts), step)), tuple(detect(texts).shares.items()))


def language_name(code: str) -> str:
    """The code with the name of the language, where that is known."""
    name = LANGUAGE_NAMES.get(code)
    return code if name is None else f"{name} ({code})"
