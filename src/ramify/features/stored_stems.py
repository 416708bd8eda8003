"""Stemmers of a text plan, and the stems that a model directory has for the check of the installed stemmer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ramify.errors import InputError, ModelFileError
from ramify.features.languages import snowball, snowball_version
from ramify.features.plan import TextPlan
from ramify.kernels.grams import MAX_TEXT_LENGTH
from ramify.kernels.stems import Stems
from ramify.kernels.text import MOST_KNOWN_WORDS
from ramify.strings import StringTable
from ramify.wording import quoted


def vector(arrays: dict[str, Any], name: str, dtype: Any) -> npt.NDArray[Any]:
    """A stored array; InputError unless it is a vector of this type."""
    array = np.ascontiguousarray(arrays[name])
    if array.dtype != dtype or array.ndim != 1:
        raise InputError(f"{name} must be a vector of {np.dtype(dtype)}, not {array.dtype} of shape {array.shape}")
    return array


def stemmer_of(plan: TextPlan) -> Callable[[Sequence[str]], list[str]]:
    """The function that stems the words of the language of a plan."""
    return snowball(str(plan.language))


def stems_of(plan: TextPlan, known: Sequence[str] = ()) -> Stems | None:
    """Stems for the kernels, with a table of known words; None if the plan has no stemmer."""
    return None if plan.stemmer is None else Stems(stemmer_of(plan), known)


def stored_words(plan: TextPlan, config: dict[str, Any], arrays: dict[str, Any]) -> list[str]:
    """The known words, if the installed stemmer gives the stored stems.

    Raises
    ------
    InputError
        Words and stems that do not correspond, or too many.
    ModelFileError
        Other stems.
    """
    words, stems = (
        list(StringTable(vector(arrays, f"{name}/blob", np.uint8), vector(arrays, f"{name}/offsets", np.int64)))
        for name in ("known_words", "known_stems")
    )
    if len(words) != len(stems) or len(words) > MOST_KNOWN_WORDS or max(map(len, words), default=0) > MAX_TEXT_LENGTH:
        raise InputError(f"{len(words)} known words do not go with {len(stems)} stems")
    for word, stem, now in zip(words, stems, stemmer_of(plan)(words), strict=True):
        if stem != now:
            raise ModelFileError(
                f"the model was trained with PyStemmer {quoted(config['stemmer_version'])}, which stems {quoted(word)} "
                f"to {quoted(stem)}, but the installed {snowball_version()} to {quoted(now)}: install that version, or "
                "train the model again"
            )
    return words
