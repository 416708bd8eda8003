"""Settings of an evaluation: cut-offs, propensity, buckets, documents, resampling."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ramify.checks import CheckedWhenMade, Parsed, Real, Rules, Whole, YesNo, whole_number
from ramify.errors import InputError
from ramify.wording import quoted

POSITIVE = Real(sys.float_info.min, sys.float_info.max)


def checked_ks(ks: Any) -> tuple[int, ...]:
    """The cut-offs, sorted, without repetition."""
    if isinstance(ks, str) or not isinstance(ks, Iterable):
        raise InputError(f"ks is {quoted(ks)}, but must be a sequence of cut-offs, such as (1, 3, 5)")
    cuts = tuple(sorted({whole_number("a cut-off in ks", k, 1) for k in ks}))
    if not cuts:
        raise InputError("ks is empty, but must contain at least one cut-off, such as (1, 3, 5)")
    return cuts


def checked_propensity(propensity: Any) -> tuple[float, float]:
    """(A, B), both finite and above 0."""
    pair = tuple(propensity) if isinstance(propensity, Iterable) and not isinstance(propensity, str) else ()
    if len(pair) != 2 or not all(POSITIVE.fits(value) for value in pair):
        given = quoted(propensity)
        raise InputError(f"propensity is {given}, but must be two numbers (A, B) above 0, such as (0.55, 1.5)")
    return float(pair[0]), float(pair[1])


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig(CheckedWhenMade):
    """Settings of an evaluation.

    Parameters
    ----------
    ks : sequence of int, default (1, 3, 5)
        The cut-offs; sorted, without repetition.
    propensity : (float, float), default (0.55, 1.5)
        A and B of the propensity model: (0.5, 0.4) for Wikipedia sets, (0.6, 2.6) for Amazon sets.
    bootstrap : int, default 0
        Resamples of the documents; 0 gives no intervals. 1000 are customary.
    seed : int, default 0
        Seed of the resampling.
    head_share : float, default 1/3
        Head labels are the most frequent ones, with this share of the training assignments together.
    tail_at_most : int, default 5
        Tail labels have 1 to this many training instances.
    count_unlabelled : bool, default False
        False excludes test documents without a true label from all measures. True includes them with measures of 0, as
        the scripts of the Extreme Classification Repository do.
    seen_labels_only : bool, default False
        True removes true labels without a training instance first, which a supervised model cannot predict; documents
        without a remaining label are unlabelled. Needs Y_train.

    Raises
    ------
    InputError
        A setting outside its range.
    """

    ks: Sequence[int] = (1, 3, 5)
    propensity: tuple[float, float] = (0.55, 1.5)
    bootstrap: int = 0
    seed: int = 0
    head_share: float = 1 / 3
    tail_at_most: int = 5
    count_unlabelled: bool = False
    seen_labels_only: bool = False

    RULES: ClassVar[Rules] = {
        "ks": Parsed(checked_ks),
        "propensity": Parsed(checked_propensity),
        "bootstrap": Whole(0, 1_000_000),
        "seed": Whole(0),
        "head_share": Real(0, 1),
        "tail_at_most": Whole(0),
        "count_unlabelled": YesNo(),
        "seen_labels_only": YesNo(),
    }
