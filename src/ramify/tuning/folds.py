"""Held-out parts of the training documents, and the features of each, which are computed once per setting.

Documents are divided into folds at random. A fold is held out, and a model is trained on all other documents. The
training documents are never sampled: a sample would have fewer instances of every label, and the settings that are best
for it are those of another, longer tail. Equal documents are in one fold.

A vectorizer is fitted on the training part of a fold only, as the tagger is. Its features are kept for later trials, up
to ``MOST_BYTES``; the features used least recently are dropped first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold

from ramify.checks import AUTO
from ramify.data.equal import equal_instances
from ramify.errors import InputError
from ramify.features.columns import Columns
from ramify.features.languages import detect
from ramify.tagger.assessment import predictions
from ramify.tagger.given_labels import of_used_labels
from ramify.tagger.tagger import Tagger
from ramify.tuning.evidence import Judged, Objective
from ramify.tuning.settings import Settings
from ramify.values import Dataset, Features, Hybrid, StageProgress, as_features

FOLDS = 5
FEWEST_DOCUMENTS = 50
MOST_HELD_OUT = 5_000
"""Documents of a fold; of larger data, only the first ``FOLDS`` folds of this size are held out."""

MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class Fold:
    """Numbers of the documents of a fold.

    Parameters
    ----------
    rest, held : int64 arrays
        Documents to train on, and held-out documents.
    """

    rest: Any
    held: Any


class HeldOut:
    """The folds of a data set.

    Parameters
    ----------
    dataset : Dataset
        Training documents.
    seed : int
        Seed of the division.

    Raises
    ------
    InputError
        Fewer than 50 documents with a label.
    """

    def __init__(self, dataset: Dataset, *, seed: int) -> None:
        self.dataset = of_used_labels(dataset)
        self.seed = seed
        n_labelled = int(np.count_nonzero(np.diff(self.dataset.Y.indptr)))
        if n_labelled < FEWEST_DOCUMENTS:
            raise InputError(
                f"the data have {n_labelled} documents with a label, but tuning holds some out and needs at least "
                f"{FEWEST_DOCUMENTS}: give more documents, or train with the defaults"
            )
        self._features = _Kept()
        self._languages: dict[int, str | None] = {}

    @cached_property
    def folds(self) -> list[Fold]:
        """At most five folds; documents without a label are never held out, because nothing is measured on them."""
        n = len(self.dataset)
        labelled = np.flatnonzero(np.diff(self.dataset.Y.indptr))
        count = max(FOLDS, -(-len(labelled) // MOST_HELD_OUT))
        groups = np.unique(equal_instances(self.dataset)[labelled], return_inverse=True)[1]
        count = min(count, int(groups.max()) + 1)
        if count < 2:
            raise InputError("all documents with a label are equal, so none can be held out: check the data")
        divided = GroupKFold(count, shuffle=True, random_state=self.seed % 2**32).split(groups, groups=groups)
        held = [labelled[rows] for _, rows in islice(divided, FOLDS)]
        return [Fold(np.setdiff1d(np.arange(n), rows, assume_unique=True), rows) for rows in held]

    def judge(
        self, settings: Settings, number: int, objective: Objective, *, threads: int | None, progress: StageProgress
    ) -> Judged:
        """Train with some settings on the rest of a fold, and measure the rankings of its held-out documents.

        Parameters
        ----------
        settings : Settings
            The settings.
        number : int
            Number of the fold.
        objective : Objective
            The measures.
        threads : int or None
            Of training and prediction.
        progress : callable
            Called with (stage, share done); an exception of it ends the training.

        Raises
        ------
        InputError
            Settings that do not suit the data.
        """
        fold, names = self.folds[number], self.dataset.label_names
        rest, held = (
            Dataset(Y=self.dataset.Y[rows], label_names=names, X=X)  # type: ignore[arg-type]
            for rows, X in zip((fold.rest, fold.held), self.features(settings, number, threads, progress), strict=True)
        )
        tagger = Tagger(settings.build_model(seed=self.seed, threads=threads)).fit_dataset(rest, progress=progress)
        progress("predict", 0.0)
        top = predictions(tagger, held, max(objective.ks), names, threads)
        progress("predict", 1.0)
        return Judged.of(objective, held.Y, top, rest.Y)

    def features(
        self, settings: Settings, number: int, threads: int | None, progress: StageProgress
    ) -> tuple[Features, Features]:
        """Features of the training and of the held-out documents of a fold."""
        fold = self.folds[number]
        vectorizers = settings.vectorizers(threads=threads)
        if not vectorizers:
            return self._features.get(f"{number}", lambda: _columns_of(self.dataset.X, fold))
        pairs = []
        for name, vectorizer in vectorizers.items():
            progress("features", 0.0)
            pairs.append(self._features.get(f"{number} {name}", partial(self._vectorized, vectorizer, number)))
            progress("features", 1.0)
        if len(pairs) == 1:
            return pairs[0]
        (rest, held), (dense_rest, dense_held) = pairs
        return Hybrid(rest, dense_rest), Hybrid(held, dense_held)

    def _vectorized(self, vectorizer: Any, number: int) -> tuple[Any, Any]:
        texts: Any = self.dataset.texts
        fold = self.folds[number]
        rest, held = ([texts[row] for row in rows.tolist()] for rows in (fold.rest, fold.held))
        if getattr(vectorizer, "language", None) == AUTO:  # detected once, because it takes half a second
            if number not in self._languages:
                self._languages[number] = detect(rest).language
            vectorizer.set_params(language=self._languages[number])
        return vectorizer.fit_transform(rest), vectorizer.transform(held)


class _Kept:
    """Pairs of matrices by name, up to a number of bytes."""

    def __init__(self) -> None:
        self._pairs: OrderedDict[str, tuple[Any, Any]] = OrderedDict()

    def get(self, name: str, make: Callable[[], tuple[Any, Any]]) -> tuple[Any, Any]:
        """The pair of this name, made if it is not kept."""
        if name not in self._pairs:
            pair = make()
            self._pairs[name] = pair
            while len(self._pairs) > 1 and sum(map(_bytes_of, self._pairs.values())) > MOST_BYTES:
                self._pairs.popitem(last=False)
        self._pairs.move_to_end(name)
        return self._pairs[name]


def _bytes_of(pair: tuple[Any, Any]) -> int:
    total = 0
    for part in pair:
        total += part.nbytes if isinstance(part, np.ndarray) else 0
        blocks = (part.sparse, part.dense) if isinstance(part, Hybrid) else (part,)
        for block in blocks:
            arrays = () if isinstance(block, np.ndarray) else (block.data, block.indices, block.indptr)
            total += sum(array.nbytes for array in arrays)
    return total


def _columns_of(X: Any, fold: Fold) -> tuple[Features, Features]:
    """Rows of a matrix of features, without the columns that a wide matrix does not use in training."""
    features = as_features(X)
    rest = features[fold.rest]
    columns = Columns.of(rest)
    return columns.select(rest), columns.select(features[fold.held])
