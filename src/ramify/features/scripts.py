"""Share of letters of scripts that n-grams of words do not suit.

A word is a sequence of word characters. Chinese, Japanese, Thai, Lao, Khmer, Burmese and Tibetan have no blanks between
words, so such a sequence is a sentence. The vowel signs of the scripts of India are not word characters, so sequences
end within words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ramify.kernels.grams import RUN_SCRIPTS

SAMPLE_TEXTS = 1000
SAMPLE_CHARACTERS = 500
"""Number of texts sampled, and of characters of each."""


def share_unsuited(texts: Sequence[str]) -> float:
    """Share of the letters, vowel signs included, that are of such scripts, in an even sample of the texts."""
    step = max(1, len(texts) // SAMPLE_TEXTS)
    sample = "".join(text[:SAMPLE_CHARACTERS] for text in texts[::step])
    if sample.isascii():
        return 0.0
    codes = np.frombuffer(sample.encode("utf-32-le", "surrogatepass"), np.uint32)
    unsuited = np.zeros(len(codes), np.bool_)
    for first, last in RUN_SCRIPTS:
        unsuited |= (codes >= first) & (codes <= last)
    letters = unsuited | np.fromiter(map(str.isalpha, sample), np.bool_, len(sample))
    return float(unsuited.sum() / max(1, letters.sum()))


def advice_on_scripts(texts: Sequence[str], vectorizer: Any) -> str | None:
    """A warning if the vectorizer uses word n-grams only and most letters need character n-grams."""
    used = getattr(vectorizer, "plan_", vectorizer)  # the settings of a Tfidf may be "auto"
    if getattr(used, "words", None) is None or any(getattr(used, kind, None) for kind in ("characters", "runs")):
        return None
    share = share_unsuited(texts)
    if share <= 0.5:
        return None
    return (
        f"{share:.0%} of the letters belong to scripts that n-grams of words do not suit (no blanks between words, or "
        "vowel signs that end a word): add n-grams of characters, characters=(1, 3) or --characters 1,3"
    )
