"""Calibration of scores: a monotone map from the score of a predicted label to the probability that it is true.

isotonic   the non-decreasing step function of least squares, interpolated linearly between its steps (scikit-learn)
platt      p = σ(a s + c)                          Platt 1999
beta       p = σ(a ln s - b ln(1 - s) + c)         Kull, Silva Filho, Flach, AISTATS 2017; scores in 0..1

One map for all labels, or one per group of labels by training frequency where the group has enough predictions: a model
is usually surer of rare labels than their frequency warrants. All maps are stored as points of a piecewise linear
function, so that applying them is one ``numpy.interp``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ramify.checks import OneOf
from ramify.errors import InputError
from ramify.tagger.decide.evidence import BUCKETS, Evidence
from ramify.values import Bool, Float32, Float64, Int8, TopK
from ramify.wording import quoted

KINDS = OneOf(("isotonic", "platt", "beta"))
FEWEST = 50
"""True, and false, predictions that a map is fitted on at least."""
POINTS = 512
"""Points of the piecewise linear function of a map with a formula."""


@dataclass(frozen=True)
class Calibration:
    """A fitted calibration.

    Parameters
    ----------
    kind : {"isotonic", "platt", "beta"}
    points : dict of str to float64 array, shape (2, m)
        Scores, ascending, and their probabilities: of all labels (""), and of groups of labels (``BUCKETS``).
    bucket_of : int8 array, shape (L,)
        Group of each label.
    """

    kind: str
    points: Mapping[str, Float64]
    bucket_of: Int8

    @classmethod
    def fit(cls, evidence: Evidence, kind: str = "isotonic", *, by_frequency: bool = True) -> Calibration:
        """Fit the maps on held-out predictions.

        Parameters
        ----------
        evidence : Evidence
        kind : {"isotonic", "platt", "beta"}, default "isotonic"
        by_frequency : bool, default True
            Whether groups with at least 50 true and 50 false predictions have maps of their own.

        Raises
        ------
        InputError
            Too few predictions, a score that is not finite, or scores outside 0..1 for "beta".
        """
        kind = KINDS.check("calibration", kind)
        if not np.isfinite(evidence.scores[evidence.valid]).all():
            raise InputError("a held-out document has a score that is no finite number: check the model")
        groups, fitted = evidence.buckets(), {}
        chosen: dict[str, Bool] = {"": evidence.valid}
        if by_frequency:
            chosen |= {name: groups == number for number, name in enumerate(BUCKETS)}
        for name, which in chosen.items():
            hits = evidence.hits[which]
            if min(hits.sum(), (~hits).sum()) >= FEWEST:
                fitted[name] = FITS[kind](evidence.scores[which].astype(np.float64), hits)
        if "" not in fitted:
            raise InputError(
                f"the held-out documents have {int(evidence.hits.sum())} correct and "
                f"{int((evidence.valid & ~evidence.hits).sum())} wrong predictions, but a calibration needs {FEWEST} "
                "of each: hold out more documents, or leave scores uncalibrated"
            )
        return cls(kind, fitted, evidence.bucket_of)

    def probabilities(self, top: TopK) -> Float32:
        """Probability that each predicted label is true: float32, shape (n, k); 0 where there is no label."""
        found = np.zeros(top.labels.shape, np.float32)
        valid = top.labels >= 0
        groups = np.where(valid, self.bucket_of[top.labels], np.int8(-1))
        found[valid] = np.interp(top.scores[valid], *self.points[""])
        for number, name in enumerate(BUCKETS):
            if name in self.points and (which := groups == number).any():
                found[which] = np.interp(top.scores[which], *self.points[name])
        return np.nan_to_num(found, copy=False)  # a score that is NaN has the probability 0

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """JSON values and arrays for a model directory."""
        names = list(self.points)
        return {"kind": self.kind, "maps": names}, {
            "buckets": self.bucket_of,
            **{f"points-{number}": self.points[name] for number, name in enumerate(names)},
        }

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> Calibration:
        """Restore a calibration; see :meth:`to_state`."""
        maps = {name: _checked(arrays[f"points-{number}"]) for number, name in enumerate(config["maps"])}
        if "" not in maps or not set(maps) <= {"", *BUCKETS}:
            raise InputError(f"a calibration has maps for {quoted(list(maps))}, but needs one for all labels")
        return cls(KINDS.check("the kind of the calibration", config["kind"]), maps, arrays["buckets"])


def _checked(points: Float64) -> Float64:
    """Points of a stored map; InputError if they are no non-decreasing function with values in 0..1."""
    ascending = points.ndim == 2 and points.shape[0] == 2 and points.size and np.isfinite(points).all()
    if not ascending or (np.diff(points) < 0).any() or points[1, 0] < 0 or points[1, -1] > 1:
        raise InputError("a map of scores to probabilities is not a non-decreasing function")
    return points


def _isotonic(scores: Float64, hits: Bool) -> Float64:
    from sklearn.isotonic import IsotonicRegression

    edge = 1 / (len(hits) + 2)  # no probability is 0 or 1 for what a finite number of documents shows
    fitted = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip").fit(scores, hits)
    return np.stack([fitted.X_thresholds_, fitted.y_thresholds_]).astype(np.float64)


def _platt(scores: Float64, hits: Bool) -> Float64:
    return _logistic_points(scores, hits, lambda s: s[:, None])


def _beta(scores: Float64, hits: Bool) -> Float64:
    if scores.min() < 0 or scores.max() > 1:
        raise InputError(
            f"calibration is 'beta', but scores are between {scores.min():g} and {scores.max():g}: "
            "use 'isotonic' or 'platt'"
        )

    def logs(s: Float64) -> Float64:
        s = np.clip(s, 1e-9, 1 - 1e-9)
        return np.column_stack([np.log(s), -np.log1p(-s)])

    return _logistic_points(scores, hits, logs)


def _logistic_points(scores: Float64, hits: Bool, features: Any) -> Float64:
    """Points of a logistic regression on features of the score, at quantiles of the scores; non-decreasing.

    A feature with a negative coefficient is left out, as Kull et al. do; without a feature, the map is constant.
    """
    from sklearn.linear_model import LogisticRegression

    at = np.unique(np.quantile(scores, np.linspace(0, 1, POINTS)))
    given, wanted = features(scores), features(at)
    centre, scale = given.mean(axis=0), given.std(axis=0) + 1e-12
    given, wanted = (given - centre) / scale, (wanted - centre) / scale
    used = np.arange(given.shape[1])
    while len(used):
        model = LogisticRegression(C=1e6, max_iter=1000).fit(given[:, used], hits)
        if (model.coef_[0] >= 0).all():
            probabilities = model.predict_proba(wanted[:, used])[:, 1]
            return np.stack([at, np.maximum.accumulate(probabilities)])  # but for rounding, it rises
        used = used[model.coef_[0] >= 0]
    return np.stack([at, np.full(len(at), hits.mean())])


FITS = {"isotonic": _isotonic, "platt": _platt, "beta": _beta}
