"""A fusion: members of any kind, with one fitted weight and one fitted exponent each.

held-out = documents that the members of the trial were not trained on (folds, as many as needed)
w, e     = fitted on the members' rankings of the held-out documents (``mixtures.fusion_fit``)
members  = those with w > 0, trained on all documents
score(l) = Σ_m w_m · v_m(l)^e_m                                       (``mixtures.merging``, rule "power")

A fusion with optimised weights and exponents was first in a shared task on subject indexing: Suominen, Inkinen,
Lehtinen: Annif at the GermEval-2025 LLMs4Subjects Task, 2025, arXiv:2508.15877.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ramify.checks import COUNT, SEED, THREADS, OneOf, Parsed, Rules, real_number
from ramify.data.equal import equal_rows, folds
from ramify.errors import InputError, RamifyWarning, damage_reported
from ramify.exchange import CheckedTraining, Request, Sizes, Training, VectorCache
from ramify.models.base.adapter import as_model, unfitted
from ramify.models.mixtures.fusion_fit import FEWEST, MEASURES, NDCG, Candidates, Fit, fit, power_of
from ramify.models.mixtures.fusion_report import LARGEST, FusionReport
from ramify.models.mixtures.fusion_trial import Trial, joined
from ramify.models.mixtures.given_members import listed_members, made_member, member_names
from ramify.models.mixtures.member_reasons import for_member
from ramify.models.mixtures.merged import MergedModel, stored_sizes
from ramify.models.mixtures.merging import POWER, Merger, Power
from ramify.store.parts import parts_to_state, stored_part
from ramify.values import CSR, Float64, Int64, TopK
from ramify.wording import counted

SHARE = 0.2
"""Largest share of the documents in a fold."""

MOST_HELD = 5_000
ENOUGH = 2_500
"""Largest number of held-out documents per fold, and number from which no further fold is used."""

MOST_FOR_RANGE = 1_000
"""Training documents by which scores are made comparable if there are too few documents to hold some out."""

UNUSED = 0.01
"""Share of the labels without a training document from which the labels count as a vocabulary.

With fewer, labels that occur only in held-out documents are left out of rankings and truth: the members that find
labels by their names would else get a weight for labels that the final model does not have.
"""

DEFAULT_MEMBERS = "xr-linear,nearest-instances"


class Fusion(MergedModel):
    """Models of any kind, with one weight and one exponent each, fitted on held-out documents.

    Parameters
    ----------
    members : str, or sequence of str and estimators, optional
        Names of models and presets, and directories of saved models, separated by commas; or estimators.
        "xr-linear,nearest-instances" when None. Settings follow a name: "nearest-texts:label_share=1:power=2". A saved
        model is not trained, and must have been trained on other documents.
    measure : {"ndcg", "f1"}, default "ndcg"
        Quality that the weights maximize; "ndcg": nDCG@10; "f1": the mean F1 of the first 5 labels.
    candidates : int, default 50
        Number of labels requested from each member, at least k.
    seed : int, default 0
        Random seed of the folds and of the members that are given by name.
    threads : int, optional
        Number of threads; overrides the setting of the members. None uses every CPU.

    Attributes
    ----------
    members_ : list of estimators
        The members with a weight above 0, trained on all documents.
    names_ : list of str
        Their names.
    weights_ : float64 array, shape (members,)
        Their weights, which sum to 1.
    powers_ : tuple of Power
        Conversion of their scores, with the exponents.
    report_ : FusionReport
        Quality on held-out documents, and what each member adds.
    n_features_in_ : int or None
        Number of features d; None if no member states its features.
    n_labels_ : int
        Number of labels L.

    Notes
    -----
    The members are trained twice for large data: without a fold of at most 5,000 documents, and with all documents. Up
    to five folds are used where a fold has fewer than 2,500 documents. Frozen members (``SavedMember``) are not
    trained; if all are frozen, all documents are held-out ones. With fewer than 100 held-out documents the members have
    equal weights, and a RamifyWarning is given.
    """

    RULES: ClassVar[Rules] = {
        "members": Parsed(listed_members, wanted_text="names such as xr-linear,nearest-instances", optional=True),
        "measure": OneOf(MEASURES),
        "candidates": COUNT,
        "seed": SEED,
        "threads": THREADS,
    }
    FLAGS = ("members", "measure")

    def __init__(
        self,
        members: Any = None,
        *,
        measure: str = NDCG,
        candidates: int = 50,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.members = members
        self.measure = measure
        self.candidates = candidates
        self.seed = seed
        self.threads = threads

    @property
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``: a beam used by any member; X may be a ``Hybrid`` if all that need X take one."""
        parts = self._parts()
        hybrid = {"hybrid"} if all("hybrid" in part.abilities for part in parts if "X" in part.needs) else set()
        beam = {"beam"} if any("beam" in part.abilities for part in parts) else set()
        return frozenset(hybrid | beam | {"reasons", "refitted"})

    def _given(self) -> list[Any]:
        return listed_members(DEFAULT_MEMBERS if self.members is None else self.members)

    def _models(self) -> list[Any]:
        return [self._made(one) if isinstance(one, str) else one for one in self._given()]

    def _made(self, text: str) -> Any:
        """The member of a text; kept, so that a saved model is read once."""
        kept, key = self.__dict__.setdefault("_opened", {}), (text, self.seed, self.threads)
        if key not in kept:
            kept[key] = made_member(text, seed=self.seed, threads=self.threads)
        return kept[key]

    def __getstate__(self) -> Any:
        return {name: value for name, value in super().__getstate__().items() if name != "_opened"}

    def _learn(self, training: CheckedTraining) -> None:
        """Fit the parameters on held-out documents, then train the members that have a weight on all documents."""
        names = member_names(self._given())
        models = dict(zip(names, self._models(), strict=True))
        self.__dict__.get("_opened", {}).clear()  # the next fit opens saved models anew: they may have been replaced
        _check_documents(models, len(training))
        self._check_frozen(models, training)
        shared = replace(training, vectors=VectorCache())
        held = self._held_out(training, list(models.values()))
        count = (len(held) + 1) * len(models)
        twins, trials = models, []
        for number, rows in enumerate(held):
            twins, trial = self._trial(shared, models, rows, number * len(models), count)
            trials.append(trial)
        if trials:
            found, powers = self._fitted(joined(trials))
            kept = found.parameters.used
            members = [self._final(names[m], twins[names[m]], shared, count - len(models) + m, count) for m in kept]
        else:
            members = [
                self._final(name, model, shared, number, count) for number, (name, model) in enumerate(models.items())
            ]
            rows = np.arange(min(MOST_FOR_RANGE, len(training)))
            tops = [self._answer(name, member, training, rows) for name, member in zip(names, members, strict=True)]
            found, powers = self._fitted(Trial(tops, training.Y[rows[:0]]))
            kept = found.parameters.used
        self._warn(found, training.Y)
        self.report_ = FusionReport.of(found, names, self.measure, int(training.seed))
        self._set_fusion(
            members,
            names=[names[member] for member in kept],
            weights=np.array([found.parameters.weights[member] for member in kept]),
            powers=tuple(
                replace(powers[member], exponent=float(found.parameters.exponents[member])) for member in kept
            ),
            known=Sizes(features=training.n_features, labels=training.Y.shape[1]),
        )

    def _check_frozen(self, models: Mapping[str, Any], training: CheckedTraining) -> None:
        """Raise InputError for a frozen member that does not fit the data, before another one is trained."""
        quiet = replace(training, progress=None)
        for name, model in models.items():
            if "frozen" in as_model(model).abilities:
                self._answer(name, self._trained(name, unfitted(model), quiet, 0, 1), quiet, np.arange(1))

    def members_needing(self, field: str) -> list[str]:
        """Names of the given members that need a field of the training, such as "texts"."""
        pairs = zip(member_names(self._given()), self._models(), strict=True)
        return [name for name, model in pairs if field in as_model(model).needs]

    def _held_out(self, training: CheckedTraining, models: Sequence[Any]) -> list[Int64]:
        """Rows of the folds; all labelled documents at once if no member is trained; empty if there are too few."""
        labelled = np.flatnonzero(np.diff(training.Y.indptr))
        if all("frozen" in as_model(model).abilities for model in models):
            return [labelled]
        if len(labelled) < FEWEST:
            return []
        texts = None if training.texts is None else [training.texts[row] for row in labelled.tolist()]
        groups = equal_rows(len(labelled), texts, None if training.X is None else training.X[labelled])
        found = folds(groups, training.seed, share=SHARE, most=MOST_HELD, enough=ENOUGH)
        return [labelled[rows] for rows in found]

    def _trial(
        self, training: CheckedTraining, models: Mapping[str, Any], held: Int64, number: int, count: int
    ) -> tuple[dict[str, Any], Trial]:
        """Models trained without the held-out rows, by name, and their rankings of these."""
        is_trained = any("frozen" not in as_model(model).abilities for model in models.values())
        rest = training
        if is_trained:
            rest = training.take(np.setdiff1d(np.arange(len(training)), held, assume_unique=True))
            rest = replace(rest, vectors=VectorCache())
        twins = {
            name: self._trained(name, unfitted(model), rest, number + place, count)
            for place, (name, model) in enumerate(models.items())
        }
        trial = Trial([self._answer(name, twin, training, held) for name, twin in twins.items()], training.Y[held])
        if not is_trained:
            return twins, trial
        used = np.bincount(training.Y.indices, minlength=training.Y.shape[1]) > 0
        if used.mean() >= 1 - UNUSED:
            trial = trial.among(np.bincount(rest.Y.indices, minlength=rest.Y.shape[1]) > 0)
        return twins, trial

    def _trained(self, name: str, member: Any, training: CheckedTraining, number: int, count: int) -> Any:
        with _errors_of(name):
            return self._train(member, training, number, count)

    def _answer(self, name: str, member: Any, training: CheckedTraining, rows: Int64) -> TopK:
        taken = training.take(rows)
        model = as_model(member, Sizes(features=training.n_features, labels=training.Y.shape[1]))
        k = min(self.candidates, training.Y.shape[1])
        request = for_member(Request(X=taken.X, texts=taken.texts, k=k, threads=training.threads), model)
        with _errors_of(name):
            return model.answer(request)

    def _final(self, name: str, twin: Any, training: CheckedTraining, number: int, count: int) -> Any:
        """The member trained on all documents, with the settings that its twin chose."""
        is_fitted = hasattr(twin, "n_labels_")
        if is_fitted and "frozen" in as_model(twin).abilities:
            return twin
        if is_fitted and "refitted" in as_model(twin).abilities:
            own = training if "X" in as_model(twin).needs else replace(training, X=None)
            with _errors_of(name):
                return twin.refitted(own.part_of_progress(number, count))
        return self._trained(name, unfitted(twin), training, number, count)

    def _fitted(self, trial: Trial) -> tuple[Fit, list[Power]]:
        """The fit, and the conversion of each member's scores."""
        powers = [power_of(top.labels, top.scores) for top in trial.tops]
        labelled = np.flatnonzero(np.diff(trial.truth.indptr))
        labels = np.stack([top.labels[labelled] for top in trial.tops], axis=1)
        pairs = zip(powers, trial.tops, strict=True)
        values = np.stack([power.values(top.scores[labelled]) for power, top in pairs], axis=1)
        return fit(Candidates.of(labels, values, trial.truth[labelled], self.measure)), powers

    def _warn(self, found: Fit, Y: CSR) -> None:
        n = len(found.qualities)
        if n >= FEWEST:
            return
        have = counted(n, "held-out document") if n else counted(int((np.diff(Y.indptr) > 0).sum()), "document")
        warnings.warn(
            f"the fusion has {have} with a label, but fits weights from {FEWEST} on: the members have equal weights; "
            "give more documents",
            RamifyWarning,
            stacklevel=5,
        )

    def _set_fusion(
        self, members: list[Any], *, names: list[str], weights: Float64, powers: tuple[Power, ...], known: Sizes | None
    ) -> Fusion:
        self.names_, self.powers_ = names, powers
        return self._set_members(members, weights, known)

    def refitted(self, training: Training) -> Fusion:
        """A new model with the weights and exponents of this one, and members trained on other instances."""
        check_is_fitted(self)
        again: Fusion = clone(self)
        again.members = [unfitted(member) for member in self.members_]
        data = again._checked_training(training)
        shared = replace(data, vectors=VectorCache())
        members = [
            again._final(name, member, shared, number, len(self.members_))
            for number, (name, member) in enumerate(zip(self.names_, self.members_, strict=True))
        ]
        again.report_ = self.report_
        known = Sizes(features=data.n_features, labels=data.Y.shape[1])
        return again._set_fusion(
            members, names=list(self.names_), weights=self.weights_, powers=self.powers_, known=known
        )

    def _merger(self) -> Merger:
        self.check_settings()
        count = min(self.candidates, self.n_labels_)
        return Merger(combine=POWER, weights=self.weights_, candidates=count, powers=self.powers_)

    def _merger_settings(self) -> tuple[Any, ...]:
        return (id(self.powers_),)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        states, arrays = parts_to_state(self.inside())
        settings = {name: value for name, value in self._plain_settings().items() if name != "members"}
        fused = {
            "names": list(self.names_),
            "weights": self.weights_.tolist(),
            "powers": [asdict(power) for power in self.powers_],
            "report": self.report_.as_dict(),
        }
        sizes = {"n_features": self.n_features_in_, "n_labels": self.n_labels_}
        return {"settings": settings, "members": list(states.values()), "sizes": sizes, **fused}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> Fusion:
        """Restore the fusion from a model directory; its setting ``members`` are the fitted members.

        Raises
        ------
        ModelFileError
            Members or parameters that are missing or invalid.
        """
        with damage_reported("the fusion is"):
            stored = enumerate(config["members"])
            members = [stored_part(f"member{number}", state, arrays, parts) for number, state in stored]
            model = cls(members, **config["settings"])
            model.check_settings()
            model.report_ = FusionReport.from_dict(config["report"])
            names, weights, powers = _stored_parameters(config, len(members))
            return model._set_fusion(
                members, names=names, weights=weights, powers=powers, known=stored_sizes(config["sizes"])
            )


def _check_documents(models: Mapping[str, Any], n: int) -> None:
    """Warn of saved models that were trained on as many documents: their rankings of these would be too good."""
    names = [name for name, model in models.items() if getattr(model, "n_documents", 0) == n]
    if names:
        warnings.warn(
            f"saved members ({', '.join(names)}) were trained on {n:,} documents, as many as the fusion is fitted on: "
            "if they are the same, the weights are too large; give other documents",
            RamifyWarning,
            stacklevel=6,
        )


@contextmanager
def _errors_of(name: str) -> Iterator[None]:
    """Context in which an InputError names the member."""
    try:
        yield
    except InputError as error:
        raise InputError(f"the member {name}: {error}") from error


def _stored_parameters(config: Mapping[str, Any], count: int) -> tuple[list[str], Float64, tuple[Power, ...]]:
    """Names, weights and conversions of a model directory; InputError unless each member has one."""
    names, weights, powers = (list(config[key]) for key in ("names", "weights", "powers"))
    if not len(names) == len(weights) == len(powers) == count or not all(isinstance(name, str) for name in names):
        raise InputError("not every member has a name, a weight and a conversion of its scores")
    tiny = 1 / LARGEST
    found = tuple(
        Power(
            scores=OneOf(("positive", "log", "margin")).check("scores", power["scores"]),
            unit=real_number("unit", power["unit"], 1e-300, 1e300),
            exponent=real_number("exponent", power["exponent"], tiny, LARGEST),
        )
        for power in powers
    )
    return names, np.array([real_number("weight", weight, tiny, LARGEST) for weight in weights]), found
