"""Detection of scripts that n-grams of words do not suit, before training.

A word is a sequence of word characters. Chinese, Japanese, Thai, Lao, Khmer, Burmese and Tibetan have no blanks between
words, so such a sequence is a sentence. The vowel signs of the scripts of India are not word characters, so sequences
end within words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

SAMPLE_TEXTS = 1000
SAMPLE_CHARACTERS = 500
"""Number of texts sampled, and of characters of each."""

RANGES = (
    (0x0900, 0x0DFF), (0x0E00, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x20000, 0x3FFFF),
)  # fmt: skip
"""Code points of these scripts, first and last: India, South-East Asia with Tibet, Khmer, kana, Han."""


def share_unsuited(texts: Sequence[str]) -> float:
    """Share of the letters, vowel signs included, that are of such scripts, in an even sample of the texts."""
    step = max(1, len(texts) // SAMPLE_TEXTS)
    sample = "".join(text[:SAMPLE_CHARACTERS] for text in texts[::step])
    codes = np.frombuffer(sample.encode("utf-32-le", "surrogatepass"), np.uint32)
    unsuited = np.zeros(len(codes), np.bool_)
    for first, last in RANGES:
        unsuited |= (codes >= first) & (codes <= last)
    letters = unsuited | np.fromiter(map(str.isalpha, sample), np.bool_, len(sample))
    return float(unsuited.sum() / max(1, letters.sum()))


def advice_on_scripts(texts: Sequence[str], vectorizer: Any) -> str | None:
    """A warning if the vectorizer uses word n-grams only and most letters need character n-grams."""
    if getattr(vectorizer, "words", None) is None or getattr(vectorizer, "characters", None) is not None:
        return None
    share = share_unsuited(texts)
    if share <= 0.5:
        return None
    return (
        f"{share:.0%} of the letters belong to scripts that n-grams of words do not suit (no blanks between words, or "
        "vowel signs that end a word): add n-grams of characters, characters=(1, 3) or --characters 1,3"
    )
