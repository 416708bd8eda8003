"""Nearest texts: votes of similar training texts, and direct similarity to the vectors of the labels.

x      = vector of a text, by a vectorizer of the model's own, fitted on the training texts and the label names
z_l    = unit(name_share · unit(vector of the name of l) + (1 - name_share) · unit(mean vector of the texts of l))
score(l) = (1 - label_share) · votes(l) + label_share · cosine(x, z_l)

The votes are those of ``NearestInstances``. The label vectors are searched by the same kernel: each label is an
instance of its own. A label without a training text has only its name, and is found by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ramify import catalogue
from ramify.checks import AUTO, COUNT, THREADS, Parsed, Real, Rules, rules_of
from ramify.errors import InputError, damage_reported
from ramify.exchange import CheckedRequest, CheckedTraining, Training
from ramify.features.languages import LanguageRule
from ramify.kernels.neighbours import NeighbourSearcher, VoteConfig
from ramify.label_vectors import PIFA, unit_vectors
from ramify.models.base.adapter import set_known, settings_of
from ramify.models.base.model import RankingModel
from ramify.models.mixtures.merging import Merger
from ramify.models.neighbours.nearest import NearestInstances
from ramify.store.parts import parts_to_state, stored_part
from ramify.values import CSR, Float64, TopK, as_csr
from ramify.wording import nearest_name, quoted

FEATURES_PER_LABEL = 200
"""Largest number of features in the mean vector of a label's texts; more take longer and change little."""

INSTANCES, LABELS = "instances", "labels"


def _vectorizer(given: Any) -> Any:
    """The vectorizer, or the name of one; InputError for anything else."""
    if isinstance(given, str):
        known = catalogue.named(catalogue.VECTORIZER)
        if given not in known:
            near = nearest_name(given, known)
            hint = "choose one of these" if near is None else f"did you mean {near!r}?"
            raise InputError(f"vectorizer is {quoted(given)}, but must be one of {', '.join(known)}: {hint}")
        return given
    if isinstance(given, type) or not callable(getattr(given, "fit_transform", None)):
        raise InputError(f"vectorizer is {quoted(given)}, but must be a name or an object such as Tfidf()")
    return given


class NearestTexts(RankingModel):
    """Votes of the most similar training texts, mixed with the similarity of text and label.

    It takes texts and label names, and finds labels without training texts by their names.

    Parameters
    ----------
    vectorizer : str or Vectorizer, default "tfidf"
        Vectors of texts and names: a vectorizer, or its name; its vectors must be sparse.
    language : str or None, default "auto"
        Setting ``language`` of a vectorizer that is given by its name, where it has one.
    neighbours : int, default 30
        Number of training texts that vote: those with the largest cosine, above 0.
    power : float, default 3.0
        A text of similarity s votes with weight s**power.
    label_share : float, default 0.5
        Share of the similarity to the label vector in the score; 0: votes only, 1: no votes.
    name_share : float, default 0.5
        Share of the name in the label vector; the rest is the mean of the label's texts.
    candidates : int, default 100
        Number of labels of either kind that are mixed, at least k.
    threads : int, optional
        Number of threads; None uses every CPU.

    Attributes
    ----------
    vectorizer_ : Vectorizer
        Fitted on the training texts and the names.
    instances_ : NearestInstances
        The training texts.
    labels_ : NearestInstances
        The label vectors.
    n_labels_ : int
        Number of labels L.
    """

    RULES: ClassVar[Rules] = {
        "vectorizer": Parsed(_vectorizer, wanted_text="the name of a vectorizer, such as tfidf"),
        "language": LanguageRule(optional=True),
        **rules_of(NearestInstances, "neighbours", "power"),
        "label_share": Real(0, 1),
        "name_share": Real(0, 1),
        "candidates": COUNT,
        "threads": THREADS,
    }
    FLAGS = ("neighbours", "power", "label_share", "name_share")

    n_features_in_ = None  # type: ignore[assignment]

    def __init__(
        self,
        *,
        vectorizer: Any = "tfidf",
        language: str | None = AUTO,
        neighbours: int = 30,
        power: float = 3.0,
        label_share: float = 0.5,
        name_share: float = 0.5,
        candidates: int = 100,
        threads: int | None = None,
    ) -> None:
        self.vectorizer = vectorizer
        self.language = language
        self.neighbours = neighbours
        self.power = power
        self.label_share = label_share
        self.name_share = name_share
        self.candidates = candidates
        self.threads = threads

    @property
    def needs(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return frozenset({"texts", "label_names"})

    def fit(self, X: Any, Y: Any, *, progress: Any = None) -> NearestTexts:
        """Raise InputError: a matrix has no texts; use a ``Tagger``, or ``fit_training``."""
        return self.fit_training(Training(X=X, Y=Y, progress=progress))

    def _learn(self, training: CheckedTraining) -> None:
        """Vectorize texts and names, and store them."""
        texts: Any = training.texts
        names: Any = training.label_names
        training.report("index", 0.0)
        vectorizer = self._unfitted_vectorizer()
        everything = self._sparse(vectorizer.fit_transform([*texts, *names]))
        X, N = everything[: len(texts)], everything[len(texts) :]
        Z = self._label_vectors(X, N, training.Y, training.threads)
        training.report("index", 0.5)
        inner = replace(training, X=X, texts=None, label_names=None, progress=None)
        self.instances_ = self._votes().fit_training(inner)
        every = sp.identity(training.Y.shape[1], np.float32, format="csr")
        similar = NearestInstances(neighbours=self.candidates, power=1.0, weighting="none")
        self.labels_ = similar.fit_training(replace(inner, X=Z, Y=every))
        self.vectorizer_, self.n_labels_ = vectorizer, int(training.Y.shape[1])
        training.report("index", 1.0)

    def _unfitted_vectorizer(self) -> Any:
        if not isinstance(self.vectorizer, str):
            return clone(self.vectorizer)
        entry = catalogue.find(catalogue.VECTORIZER, self.vectorizer, "vectorizer")
        entry.check_installed()
        made = set_known(entry.load()(), threads=self.threads)
        known = "language" in settings_of(made) and self.language != AUTO
        return made.set_params(language=self.language) if known else made

    def _votes(self) -> NearestInstances:
        return NearestInstances(neighbours=self.neighbours, power=self.power)

    def _label_vectors(self, X: CSR, N: CSR, Y: CSR, threads: int) -> CSR:
        """Label vectors of length 1, shape (L, d)."""
        mean: Any = PIFA(max_features_per_label=FEATURES_PER_LABEL).represent(X, Y, threads=threads)
        mixed = self.name_share * unit_vectors(N) + (1 - self.name_share) * mean
        return as_csr(unit_vectors(as_csr(sp.csr_matrix(mixed))))

    def _sparse(self, vectors: Any) -> CSR:
        if not sp.issparse(vectors):
            raise InputError(
                f"the vectorizer {type(self.vectorizer).__name__} gives dense vectors, but NearestTexts needs sparse "
                "ones: use Tfidf, or DenseNeighbours on dense vectors"
            )
        return as_csr(vectors)

    def _rank(self, request: CheckedRequest) -> TopK:
        """Mix votes and similarities; restrictions drop labels, not neighbours."""
        self.check_settings()
        width = min(max(request.k, self.candidates), self.n_labels_)
        X = self._sparse(self.vectorizer_.transform(request.texts))
        parts: list[tuple[float, TopK]] = []
        if self.label_share < 1:
            vote = VoteConfig(neighbours=self.neighbours, power=self.power)
            votes = self._searched(self.instances_.searcher_, X, width, vote, request.part_of_progress(0, 2))
            parts.append((1 - self.label_share, votes))
        if self.label_share > 0:
            parts.append((self.label_share, self._similar(X, width, request.part_of_progress(1, 2))))
        labels, scores = (np.stack([getattr(top, name) for _, top in parts], 1) for name in ("labels", "scores"))
        merger = Merger(combine="average", weights=np.array([share for share, _ in parts]), candidates=width)
        return merger.merge(labels, scores, request.k)

    def _searched(
        self, searcher: NeighbourSearcher, X: CSR, k: int, config: VoteConfig, request: CheckedRequest
    ) -> TopK:
        rules = {"allowed": request.allowed, "forbidden": request.forbidden, "threads": request.threads}
        progress = None if request.progress is None else request.report
        return TopK(*searcher.search(X, k, config, progress=progress, **rules))

    def _similar(self, X: CSR, k: int, request: CheckedRequest) -> TopK:
        """The labels with the most similar vectors, with their cosines.

        The scores of one text are proportional to the cosines, so that one cosine per text is computed.
        """
        restricted = request.allowed is not None or request.forbidden is not None
        vote = VoteConfig(neighbours=self.n_labels_ if restricted else k, power=1.0)
        top = self._searched(self.labels_.searcher_, X, k, vote, request)
        found = top.labels[:, 0] >= 0
        best = self._label_rows()[np.where(found, top.labels[:, 0], 0)]
        cosines = np.asarray(as_csr(unit_vectors(X)).multiply(best).sum(axis=1), np.float64).ravel()
        first: Float64 = np.where(found, top.scores[:, 0], 1.0).astype(np.float64)
        shares = np.where(top.labels >= 0, top.scores, 0.0)
        scores = np.clip(shares * (cosines / np.maximum(first, 1e-30))[:, None], 0.0, 1.0)
        scores[top.labels < 0] = -np.inf
        return TopK(top.labels, scores.astype(np.float32))

    def _label_rows(self) -> CSR:
        """The label vectors by row, shape (L, d), computed once per fit."""
        columns = self.labels_.searcher_.columns
        kept: tuple[CSR, CSR] | None = self.__dict__.get("_rows")
        if kept is None or kept[0] is not columns:
            kept = columns, as_csr(sp.csr_matrix(columns.T))
            self._rows = kept
        return kept[1]

    def __getstate__(self) -> Any:
        return {name: value for name, value in super().__getstate__().items() if name != "_rows"}

    def inside(self) -> Mapping[str, Any]:
        """The training texts and the label vectors."""
        return {INSTANCES: self.instances_, LABELS: self.labels_}

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        inside, arrays = parts_to_state({"vectorizer": self.vectorizer_, **self.inside()})
        settings = {name: value for name, value in self._plain_settings().items() if name != "vectorizer"}
        named = self.vectorizer if isinstance(self.vectorizer, str) else None
        return {"settings": settings, "named": named, **inside}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> NearestTexts:
        """Restore the model from a model directory.

        Raises
        ------
        ModelFileError
            Invalid settings or parts.
        """
        with damage_reported("the nearest texts are"):
            vectorizer = stored_part("vectorizer", config["vectorizer"], arrays, parts)
            named = config.get("named")
            model = cls(vectorizer=vectorizer if named is None else named, **config["settings"])
            model.check_settings()
            inside = {name: stored_part(name, config[name], arrays, parts) for name in (INSTANCES, LABELS)}
            if not all(isinstance(part, NearestInstances) for part in inside.values()):
                raise InputError("the texts or the labels are not stored as instances")
            n_labels = {part.n_labels_ for part in inside.values()}
            if len(n_labels) > 1 or len({part.n_features_in_ for part in inside.values()}) > 1:
                raise InputError("texts and labels have different numbers of features or labels")
            model.vectorizer_, model.n_labels_ = vectorizer, n_labels.pop()
            model.instances_, model.labels_ = inside[INSTANCES], inside[LABELS]
        return model
