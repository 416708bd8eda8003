"""What a tagger keeps of its held-out documents: their predictions, the calibration, and the rules fitted so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.evaluation.grid import Grid, percent
from ramify.tagger.decide.calibration import Calibration
from ramify.tagger.decide.choice import chosen_kinds
from ramify.tagger.decide.evidence import BUCKETS, Evidence
from ramify.tagger.decide.fitting import CHOSEN, check_rule, fit_rule
from ramify.tagger.decide.reliability import reliability
from ramify.tagger.decide.rules import Rule
from ramify.values import Bool, Float32, TopK

MOST_RULES = 64
"""Rules that are kept."""


@dataclass(frozen=True)
class Decisions:
    """Calibration and rules of a tagger.

    Parameters
    ----------
    evidence : Evidence
        Predictions for held-out documents, from which a rule is fitted on first use.
    calibration : Calibration
    chosen : dict of str to str
        Kind of rule for each measure (``choice.chosen_kinds``).
    """

    evidence: Evidence
    calibration: Calibration
    chosen: Mapping[str, str]
    _rules: dict[str, Rule] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def fit(cls, evidence: Evidence, kind: str = "isotonic") -> Decisions:
        """Fit the calibration, and choose the kind of rule for each measure.

        Raises
        ------
        InputError
            See ``Calibration.fit``.
        """
        return cls(evidence, Calibration.fit(evidence, kind), chosen_kinds(evidence, kind))

    @property
    def k(self) -> int:
        """Predicted labels per document, on which the rules are fitted."""
        return int(self.evidence.labels.shape[1])

    def rule(self, name: str) -> Rule:
        """The rule of a name (``fitting.fit_rule``), or for a measure of ``chosen``; fitted once.

        Raises
        ------
        InputError
            See ``fit_rule``.
        """
        if name in CHOSEN:
            return self.rule(self.chosen[name])
        check_rule(name)
        rule = self._rules.get(name)
        if rule is None:  # another thread may clear the rules at any time
            if len(self._rules) >= MOST_RULES:
                self._rules.clear()
            rule = self._rules[name] = fit_rule(name, self.evidence, self._probabilities)
        return rule

    @cached_property
    def _probabilities(self) -> Float32:
        """Of the held-out predictions, for the rules."""
        return self.calibration.probabilities(self.evidence.top)

    def decided(self, top: TopK, name: str | None) -> TopK:
        """The labels of the sets with their probabilities as scores, in the order of the probabilities.

        Parameters
        ----------
        top : TopK, shape (n, k)
        name : str or None
            Name of a rule; None keeps all labels.
        """
        probabilities = self.calibration.probabilities(top)
        kept = top.labels >= 0
        if name is not None:
            kept &= self.rule(name).kept(top, probabilities)
        return _ordered(np.where(kept, top.labels, np.int32(-1)), np.where(kept, probabilities, np.float32(-np.inf)))

    def errors(self) -> dict[str, dict[str, float]]:
        """Expected calibration errors of scores and of probabilities, by group of labels; "" is all labels.

        The documents are divided into two halves, and each half has the probabilities of a calibration that was fitted
        on the other. A group without predictions, and probabilities where a half is too small, have NaN. Scores
        outside 0..1 have no error.
        """
        evidence = self.evidence
        probabilities = np.full(evidence.scores.shape, np.nan)
        for part in evidence.halves():
            try:
                fitted = Calibration.fit(evidence.of_rows(~part), self.calibration.kind)
            except InputError:
                continue
            probabilities[part] = fitted.probabilities(evidence.of_rows(part).top)
        found = {}
        for name, chosen in zip(("", *BUCKETS), self._chosen(), strict=True):
            pairs = (("scores", evidence.scores), ("probabilities", probabilities))
            found[name] = {kind: _error(values[chosen], evidence.hits[chosen]) for kind, values in pairs}
        return found

    def grid(self) -> Grid:
        """The errors as a table."""
        rows = [
            (name or "all", f"{int(which.sum()):,}", percent(one["scores"]), percent(one["probabilities"]))
            for (name, one), which in zip(self.errors().items(), self._chosen(), strict=True)
        ]
        n = len(self.evidence.labels)
        title = f"{self.calibration.kind} calibration on {n:,} documents, {self.k} labels each (error in percent)"
        return Grid(title, ("labels", "predictions", "error of scores", "error of probabilities"), tuple(rows))

    def _chosen(self) -> list[Bool]:
        groups = self.evidence.buckets()
        return [self.evidence.valid, *(groups == number for number in range(len(BUCKETS)))]

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        config, arrays = self.calibration.to_state()
        truth = self.evidence.truth
        own = {
            "labels": self.evidence.labels,
            "scores": self.evidence.scores,
            "hits": self.evidence.hits.astype(np.uint8),
        }
        own |= {"truth/indices": truth.indices.astype(np.int32), "truth/indptr": truth.indptr.astype(np.int64)}
        own |= {f"calibration/{name}": array for name, array in arrays.items()}
        return {"calibration": config, "n_labels": int(truth.shape[1]), "chosen": dict(self.chosen)}, own

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any]) -> Decisions:
        """Restore decisions from :meth:`to_state`.

        Raises
        ------
        InputError, KeyError, ValueError, TypeError
            Missing or inconsistent parts.
        """
        prefix = "calibration/"
        own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        calibration = Calibration.from_state(config["calibration"], own)
        labels, scores, hits = arrays["labels"], arrays["scores"], arrays["hits"]
        n_labels = config["n_labels"]
        ones = np.ones(len(arrays["truth/indices"]), np.float32)
        truth = sp.csr_matrix((ones, arrays["truth/indices"], arrays["truth/indptr"]), shape=(len(labels), n_labels))
        truth.check_format(full_check=True)
        if not len(labels) or not truth.nnz:
            raise InputError("there are no held-out documents with labels")
        if labels.ndim != 2 or labels.dtype != np.int32 or not labels.shape == scores.shape == hits.shape:
            raise InputError(
                f"held-out labels {labels.shape}, scores {scores.shape} and hits {hits.shape} do not agree"
            )
        if scores.dtype != np.float32 or hits.dtype != np.uint8 or np.isnan(scores).any():
            raise InputError(f"held-out scores and hits are {scores.dtype} and {hits.dtype}, or scores are NaN")
        if labels.size and not -1 <= labels.min() <= labels.max() < n_labels:
            raise InputError(f"held-out labels are not in -1..{n_labels - 1}")
        groups = calibration.bucket_of
        if (
            groups.shape != (n_labels,)
            or groups.dtype != np.int8
            or not 0 <= groups.min() <= groups.max() < len(BUCKETS)
        ):
            raise InputError(f"the groups of the labels must be {n_labels} numbers in 0..{len(BUCKETS) - 1}")
        chosen = {name: config["chosen"][name] for name in CHOSEN}
        for kind in chosen.values():
            check_rule(kind)
        return cls(Evidence(labels, scores, hits.astype(np.bool_), truth, groups), calibration, chosen)


def _error(values: Any, hits: Bool) -> float:
    outside = not len(values) or not np.isfinite(values).all() or values.min() < 0 or values.max() > 1
    return float("nan") if outside else reliability(values, hits).ece


def _ordered(labels: Any, probabilities: Float32) -> TopK:
    """By descending probability; equal ones in their order."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    return TopK(np.take_along_axis(labels, order, axis=1), np.take_along_axis(probabilities, order, axis=1))
