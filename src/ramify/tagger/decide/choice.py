"""The rule for a measure: the kind of rule that is best at it on held-out documents which it was not fitted on.

The held-out documents are divided into two halves. Calibration and rule are fitted on one half, and the sets are
measured on the other. Another kind than one threshold is chosen only if it is better on both halves; the one with the
largest mean is fitted on all documents. Which kind is best depends on the data: thresholds per label gain macro F1
where labels differ in difficulty and have many predictions, and lose it where most labels are rare.
"""

from __future__ import annotations

import numpy as np

from ramify.errors import InputError
from ramify.tagger.decide.calibration import Calibration
from ramify.tagger.decide.evidence import Evidence
from ramify.tagger.decide.fitting import CHOSEN, fit_rule
from ramify.tagger.decide.measures import MEASURES
from ramify.values import Bool

KINDS = ("group-f1", "group-macro-f1", "label-f1", "count", "expected-f1")
"""Kinds of rules tried for every measure, besides one threshold."""


def chosen_kinds(evidence: Evidence, calibration: str = "isotonic") -> dict[str, str]:
    """The kind of rule for each measure of ``measures.MEASURES``, by its name in ``fitting``.

    Parameters
    ----------
    evidence : Evidence
    calibration : {"isotonic", "platt", "beta"}
        Kind of the calibration.
    """
    simple = {name: f"one-{name}" for name in CHOSEN}
    parts = [evidence.of_rows(rows) for rows in evidence.halves()]
    try:
        kept = [_kept(fitted, measured, calibration) for fitted, measured in (parts, parts[::-1])]
    except InputError:  # a half is too small
        return simple
    found = {}
    for name, one in simple.items():
        values = {
            kind: np.array([MEASURES[name](part, sets[kind]) for part, sets in zip(parts[::-1], kept, strict=True)])
            for kind in (one, *KINDS)
        }
        better = [kind for kind in KINDS if (values[kind] > values[one]).all()]
        found[name] = max([one, *better], key=lambda kind: float(values[kind].mean()))
    return found


def _kept(fitted: Evidence, measured: Evidence, calibration: str) -> dict[str, Bool]:
    """Labels in the sets of documents, of each kind of rule, fitted on other documents."""
    if not measured.truth.nnz:
        raise InputError("no document of a half has a label")
    probabilities = Calibration.fit(fitted, calibration).probabilities
    kinds = (*(f"one-{name}" for name in CHOSEN), *KINDS)
    rules = {kind: fit_rule(kind, fitted, probabilities(fitted.top)) for kind in kinds}
    p = probabilities(measured.top)
    return {kind: rule.kept(measured.top, p) & measured.valid for kind, rule in rules.items()}
