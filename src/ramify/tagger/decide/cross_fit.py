"""Cross-fitting: held-out predictions for the training documents themselves, from models trained on the others.

The documents are divided into folds. For a fold, a model of the same settings, including those that the tagger's model
chose, is trained on all other documents and predicts the fold. Folds are used until enough documents have a prediction;
one is enough for large data, so that the cost is one more training. Equal documents are in one fold. The vectorizer is
the tagger's own.

The models have less training data than the tagger's model. A label whose documents are all in the fold counts as true
and is never predicted; recall and coverage are therefore slightly underestimated.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ramify.data import align
from ramify.data.equal import equal_instances
from ramify.data.equal import folds as equal_folds
from ramify.errors import InputError, RamifyWarning
from ramify.exchange import Request, Training, part_of
from ramify.models.base.adapter import as_model, unfitted
from ramify.protocols import Compute
from ramify.tagger.assessment import instances_of, named_by, training_counts
from ramify.tagger.decide.calibration import KINDS
from ramify.tagger.decide.decisions import Decisions
from ramify.tagger.decide.evidence import Evidence
from ramify.tagger.decide.held_out import labels_per_document
from ramify.tagger.instances import empty_instances, without_empty
from ramify.values import Dataset, Int64, StageProgress, TopK

if TYPE_CHECKING:
    from ramify.tagger.tagger import Tagger

SHARE = 0.2
"""Largest share of the documents in a fold."""
ENOUGH = 2_500
"""Documents with a prediction from which no further fold is used."""
MOST_HELD = 10_000
"""Largest number of documents in a fold; more cost training data and hardly change a calibration."""
FEWEST_DOCUMENTS = 100
"""With fewer documents, no fold is tried."""


def cross_fitted_decisions(
    tagger: Tagger,
    training: Dataset,
    *,
    kind: str = "isotonic",
    k: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: StageProgress | None = None,
    compute: Compute | None = None,
) -> Decisions:
    """Calibration of a tagger by its training documents, with the evidence for its rules.

    Parameters
    ----------
    tagger : Tagger
        A fitted tagger.
    training : Dataset
        The documents that it was trained on.
    kind : {"isotonic", "platt", "beta"}, default "isotonic"
    k : int, optional
        Predicted labels per document; see ``held_out.labels_per_document`` when None.
    seed : int, default 0
        Of the folds.
    threads : int, optional
        The model's setting when None.
    progress : callable, optional
        Called with ("calibrate", share done).
    compute : Compute, optional
        Where the classifiers of label trees are trained.

    Raises
    ------
    InputError
        Fewer than 100 documents, other documents than those of training, or too few predictions to calibrate.
    """
    kind, k = KINDS.check("calibration", kind), labels_per_document(tagger, k)
    everything = replace(_training(tagger, training, threads), compute=compute)
    chosen = folds(equal_instances(training), seed)
    evidence = []
    for number, held in enumerate(chosen):
        fold = replace(everything, progress=_of_training(part_of(progress, number, len(chosen))))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RamifyWarning)  # the training of the tagger has given them already
            evidence.append((everything.Y[held], _predicted(tagger.model_, fold, held, k, threads)))
    truth = sp.vstack([Y for Y, _ in evidence], format="csr")
    top = TopK(*(np.vstack([getattr(one, name) for _, one in evidence]) for name in ("labels", "scores")))
    found = Evidence.of(truth, top, training_counts(tagger, tagger.label_names_, None))
    return Decisions.fit(found, kind)


def folds(groups: Int64, seed: int) -> list[Int64]:
    """Rows of each fold that is used; a fold has about a fifth of the documents, and at most 10,000.

    Parameters
    ----------
    groups : int64 array, shape (n,)
        Number of each document; documents with the same number are in one fold (``data.equal.equal_instances``).
    seed : int

    Raises
    ------
    InputError
        Fewer than 100 documents, or most of them in one group.
    """
    n = len(groups)
    if n < FEWEST_DOCUMENTS:
        raise InputError(
            f"there are {n} training documents, but a calibration needs at least {FEWEST_DOCUMENTS}: use ramify "
            "calibrate with other documents"
        )
    found = equal_folds(groups, seed, share=SHARE, most=MOST_HELD, enough=ENOUGH)
    if not found:
        raise InputError(
            f"{np.bincount(groups).max()} of {n} training documents are equal, so a calibration cannot hold some out: "
            "use ramify calibrate with other documents"
        )
    return found


def _training(tagger: Tagger, dataset: Dataset, threads: int | None) -> Training:
    """The training documents as the tagger's model was given them, in the tagger's label space."""
    named = align(named_by(tagger, dataset), tagger.label_names_)
    counts: Any = tagger.label_counts_
    given = np.bincount(named.Y.indices, minlength=named.n_labels)
    if len(named) != tagger.n_documents_ or not np.array_equal(given, counts):
        raise InputError(
            f"cross-fitting needs the {tagger.n_documents_} documents that the tagger was trained on, but other "
            f"documents or labels are given ({len(named)} documents): give the training documents, or use calibrate"
        )
    needs = as_model(tagger.model_).needs
    instances = instances_of(tagger, named)
    X = tagger.features(instances) if "X" in needs else None
    texts = named.texts if "texts" in needs else None
    return Training(
        X=X,
        Y=named.Y,
        texts=texts,
        label_names=named.label_names,
        vocabulary=tagger.vocabulary_,
        threads=threads,
    )


def _predicted(model: Any, everything: Training, held: Int64, k: int, threads: int | None) -> TopK:
    """Predictions for held-out rows by a model that is trained on the others."""
    rest = np.setdiff1d(np.arange(len(everything)), held, assume_unique=True)
    training, held_out = everything.take(rest), everything.take(held)
    adapted = as_model(model)
    if "refitted" in adapted.abilities:
        twin = model.refitted(training)
    else:
        twin = as_model(unfitted(model)).fit_training(training)
    request = Request(X=held_out.X, texts=held_out.texts, k=k, threads=threads)
    return without_empty(as_model(twin, adapted.size()).answer(request), empty_instances(request))


def _of_training(progress: StageProgress | None) -> StageProgress | None:
    """A callback that reports the stage "train" of a model as "calibrate", and no other stage."""
    if progress is None:
        return None
    report = progress

    def of_training(stage: str, done: float) -> None:
        if stage == "train":
            report("calibrate", done)

    return of_training
