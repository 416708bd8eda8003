"""XLGen joined with a label tree: the tree limits what the generator writes, or ranks it.

T          = the ``candidates`` best labels of the tree for a text
W          = the labels that the generator writes for it
constrain    C = T           the generator may write labels of T only
rerank       C = T ∪ W       scored by the tree exactly, without a beam

score(l) = share · p(l) + (1 - share) · s(l)        for l in C

p(l)  probability of the generator (see ``answering``); 0 for a label that it does not write
s(l)  score of the tree; p(l) for a label without a leaf, which is one without a training document

Equal scores are ordered by the ranks in both parts, as in an ensemble (``models.mixtures.merging``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ramify.checks import SEED, THREADS, Instance, OneOf, Real, Rules, Whole
from ramify.errors import InputError, damage_reported
from ramify.exchange import CheckedRequest, CheckedTraining, Request, Training
from ramify.generate.open_labels import Written
from ramify.generate.xlgen import XLGen
from ramify.models.base.adapter import as_model, restricted, set_known, unfitted
from ramify.models.base.model import RankingModel
from ramify.models.mixtures.merging import Merger
from ramify.models.trees.xr_linear import XRLinear
from ramify.store.parts import parts_to_state, stored_part
from ramify.torchloop import require_torch
from ramify.values import CSR, StageProgress, TopK

WAYS = ("constrain", "rerank")

STAGE = "fine-tune"
"""Progress stage of the generator's training, whose own name is that of the tree's training."""

ROWS = 4096
"""Number of texts whose candidates are in memory at a time."""


class XLGenWithTree(RankingModel):
    """A generator of label names and a label tree: each text's labels are candidates of one, scored by both.

    Parameters
    ----------
    tree : XRLinear, optional
        ``XRLinear()`` when None.
    generator : XLGen, optional
        ``XLGen()`` when None.
    way : {"constrain", "rerank"}
        Whether the tree's candidates limit what the generator writes, or the tree ranks it.
    candidates : int, default 50
        Best labels of the tree that are candidates of a text.
    share : float, default 0.5
        Weight of the generator's probability in a score, 0 to 1; the tree's score has the rest. With 0, the tree alone
        ranks the candidates. A written label without a training document keeps the generator's probability.
    seed : int, default 0
        Random seed of both parts; overrides their settings.
    threads : int, optional
        Number of threads; overrides the settings of both parts unless None.

    Attributes
    ----------
    ranker_ : XRLinear
        The fitted tree model.
    generator_ : XLGen
        The fitted generator.
    n_features_in_, n_labels_ : int
        Number of features d and of labels L.

    Notes
    -----
    With "constrain", a text has at most ``candidates`` ranked labels, and none without a training document. The beam of
    a request is that of the tree.
    """

    RULES: ClassVar[Rules] = {
        "tree": Instance(XRLinear, "an XRLinear", optional=True),
        "generator": Instance(XLGen, "an XLGen", optional=True),
        "way": OneOf(WAYS),
        "candidates": Whole(1, 100_000),
        "share": Real(0, 1),
        "seed": SEED,
        "threads": THREADS,
    }
    FLAGS = ("way", "candidates", "share")
    PARTS = MappingProxyType({"tree": XRLinear, "generator": XLGen})

    def __init__(
        self,
        tree: XRLinear | None = None,
        generator: XLGen | None = None,
        *,
        way: str = "constrain",
        candidates: int = 50,
        share: float = 0.5,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.tree = tree
        self.generator = generator
        self.way = way
        self.candidates = candidates
        self.share = share
        self.seed = seed
        self.threads = threads

    @property
    def needs(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return frozenset({"X", "texts", "label_names"})

    @property
    def abilities(self) -> frozenset[str]:
        """See ``protocols.Model``."""
        return frozenset({"beam", "hybrid", "proposals"})

    def check_settings(self) -> None:
        """Raise InputError for a setting that breaks its rule, log scores, or a constraint in open decoding."""
        super().check_settings()
        if self.way == "constrain" and self.generator is not None and self.generator.decoding == "open":
            raise InputError(
                "decoding of the generator is 'open', but way='constrain' restricts what it writes: use "
                "decoding='closed', or way='rerank'"
            )
        transform = "" if self.tree is None else str(self.tree.score_transform)
        if transform.startswith("log-"):
            raise InputError(
                f"score_transform of the tree is {transform!r}, but logarithms cannot be averaged with probabilities: "
                f"use {transform.removeprefix('log-')!r}"
            )

    def _learn(self, training: CheckedTraining) -> None:
        """Train the tree, then the generator, on the same data."""
        require_torch(f"{type(self).__name__} and other systems on torch")
        _check_texts(training, training.Y.shape[0])
        tree, generator = (
            set_known(unfitted(usual() if given is None else given), seed=training.seed, threads=self.threads)
            for given, usual in ((self.tree, XRLinear), (self.generator, XLGen))
        )
        as_model(tree).fit_training(replace(training, texts=None, label_names=None))
        as_model(generator).fit_training(replace(training, X=None, progress=_renamed(training.progress)))
        self._set_parts(tree, generator)

    def _set_parts(self, tree: XRLinear, generator: XLGen) -> XLGenWithTree:
        self.ranker_, self.generator_ = tree, generator
        self.n_features_in_, self.n_labels_ = tree.n_features_in_, tree.n_labels_
        return self

    def inside(self) -> Mapping[str, Any]:
        """The fitted tree model and the fitted generator."""
        return {"tree": self.ranker_, "generator": self.generator_}

    def _reachable(self) -> int:
        written = 0 if self.way == "constrain" else self._most_written()
        return min(self.n_labels_, self.candidates + written)

    def _most_written(self) -> int:
        """Maximum number of labels that the generator writes for a text."""
        return as_model(self.generator_).size().reachable or self.n_labels_

    def _rank(self, request: CheckedRequest) -> TopK:
        """The labels of C by their scores (see the module), ``ROWS`` texts at a time."""
        self.check_settings()
        n = request.X.shape[0]
        _check_texts(request, n)
        n_parts = -(-n // ROWS)
        parts = [
            self._best(request.take(slice(part * ROWS, (part + 1) * ROWS)).part_of_progress(part, n_parts))
            for part in range(n_parts)
        ]
        return TopK(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("labels", "scores")))

    def _best(self, request: CheckedRequest) -> TopK:
        ranked, written = self._constrained(request) if self.way == "constrain" else self._reranked(request)
        width = max(ranked.k, written.k)
        merger = Merger(combine="average", weights=np.array([1 - self.share, self.share]), candidates=width)
        both = [restricted(top, width, None, None) for top in (ranked, written)]
        labels, scores = (np.stack([getattr(top, name) for top in both], 1) for name in ("labels", "scores"))
        return merger.merge(labels, scores, request.k)

    def _constrained(self, request: CheckedRequest) -> tuple[TopK, TopK]:
        """The tree's candidates, and those of them that the generator writes."""
        reached = self._reached(request)
        written = self._written(request, k=reached.k, allowed=_pattern(reached, self.n_labels_), forbidden=None)
        return reached, written

    def _reranked(self, request: CheckedRequest) -> tuple[TopK, TopK]:
        """The tree's candidates and the written labels by their scores s, and the written labels."""
        written = self._written(request, k=min(self.n_labels_, self._most_written()))
        both = _pattern(self._reached(request), self.n_labels_) + _pattern(written, self.n_labels_)
        k = max(1, int(np.diff(both.indptr).max()))
        exact = self._of_tree(request, k=k, allowed=both, forbidden=None)
        has_leaf = np.zeros(self.n_labels_ + 1, bool)
        has_leaf[self.ranker_.tree_.leaf_labels] = has_leaf[-1] = True  # the last entry: label -1
        alone = np.where(has_leaf[written.labels], -1, written.labels).astype(np.int32)
        scores = np.where(alone < 0, -np.inf, written.scores).astype(np.float32)
        labels, scores = np.hstack([exact.labels, alone]), np.hstack([exact.scores, scores])
        order = np.argsort(-scores, axis=1, kind="stable")
        return TopK(np.take_along_axis(labels, order, axis=1), np.take_along_axis(scores, order, axis=1)), written

    def _reached(self, request: CheckedRequest) -> TopK:
        return self._of_tree(request, k=min(self.candidates, self.n_labels_))

    def _of_tree(self, request: CheckedRequest, **changes: Any) -> TopK:
        return as_model(self.ranker_).answer(replace(request, texts=None, progress=None, **changes))

    def _written(self, request: CheckedRequest, **changes: Any) -> TopK:
        return as_model(self.generator_).answer(replace(request, X=None, beam=None, **changes))

    def proposals(self, request: Request) -> list[Written]:
        """Labels and other strings that the generator writes in open decoding; see ``XLGen.proposals``."""
        check_is_fitted(self)
        return self.generator_.proposals(replace(request, X=None, beam=None))

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings and arrays for a model directory."""
        check_is_fitted(self)
        inside, arrays = parts_to_state(self.inside())
        settings = {name: value for name, value in self._plain_settings().items() if name not in self.PARTS}
        return {"settings": settings, **inside}, arrays

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> XLGenWithTree:
        """Restore the model from a model directory.

        Raises
        ------
        ModelFileError
            Invalid settings or parts, or parts with different labels.
        """
        with damage_reported("the model of tree and generator is"):
            tree, generator = (stored_part(name, config[name], arrays, parts) for name in cls.PARTS)
            model = cls(clone(tree), clone(generator), **config["settings"])
            model.check_settings()
            if tree.n_labels_ != generator.n_labels_:
                raise InputError(f"its tree has {tree.n_labels_} labels, its generator {generator.n_labels_}")
        return model._set_parts(tree, generator)


def _check_texts(given: Training | Request, n: int) -> None:
    """Raise InputError unless there is one text for each row of X."""
    texts = given.texts or ()
    if len(texts) != n:
        raise InputError(f"there are {len(texts)} texts, but {n} rows: give one text for each row")


def _pattern(top: TopK, n_labels: int) -> CSR:
    """0/1 matrix, shape (n, L): the ranked labels."""
    return top.matrix(top.labels >= 0, np.ones_like(top.scores), n_labels)


def _renamed(progress: StageProgress | None) -> StageProgress | None:
    if progress is None:
        return None
    report = progress
    return lambda stage, done: report(STAGE if stage == "train" else stage, done)
