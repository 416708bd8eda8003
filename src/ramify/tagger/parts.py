"""Parts of an unfitted tagger: copies of model and vectorizer, and the fit of the vectorizer."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from ramify.errors import InputError, RamifyWarning
from ramify.features import Concatenated, Tfidf
from ramify.features.dense_text import DenseText
from ramify.features.scripts import advice_on_scripts
from ramify.features.shards import fit_transform_shards
from ramify.models.base.adapter import as_model, own_method, unfitted
from ramify.protocols import Model
from ramify.spill import Spill
from ramify.values import Dataset, Features, Hybrid, StageProgress, as_features, empty_csr
from ramify.wording import quoted


def is_vectorizer(part: Any) -> bool:
    """Whether an object has the methods of a vectorizer."""
    return callable(getattr(part, "fit_transform", None)) and callable(getattr(part, "transform", None))


def unfitted_part(name: str, given: Any, is_valid: Callable[[Any], bool], default: type) -> Any:
    """An unfitted copy of a part; a new default part if it is None.

    Raises
    ------
    InputError
        An object without the required methods, a class instead of an object, or a setting that breaks its rule.
    """
    if given is None:
        return default()
    if isinstance(given, type):
        raise InputError(f"{name} is the class {given.__name__}, but must be an object: give {given.__name__}()")
    if not is_valid(given):
        raise InputError(f"{name} is {quoted(given)}, but must be an object such as {default.__name__}()")
    return unfitted(given)


def features_for(model: Model, X: Any) -> Features:
    """The features of a vectorizer as X of a model; an array becomes the dense block if the model takes one."""
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind == "f" and "hybrid" in model.abilities:
        return Hybrid(empty_csr(X.shape[0], 0), X)
    return as_features(X)


def check_texts(model: Any, dataset: Dataset) -> None:
    """Raise InputError if a model, or a member of it, needs texts that a Dataset lacks."""
    if dataset.texts is not None or "texts" not in as_model(model).needs:
        return
    name, members = type(model).__name__, own_method(model, "members_needing")
    found = [] if members is None else members("texts")
    if not found:
        raise InputError(f"{name} needs texts, but the data contain features only: give texts")
    which = (
        f"the member {found[0]} of {name} needs"
        if len(found) == 1
        else (f"the members {', '.join(found)} of {name} need")
    )
    raise InputError(f"{which} texts, but the data contain features only: give texts, or leave such members out")


def features_of(
    dataset: Dataset, vectorizer: Any, model: Model, progress: StageProgress | None, spill: Spill | None = None
) -> tuple[Any, Features]:
    """The vectorizer, fitted on the texts, and their features for a model; (None, X) for a Dataset without texts.

    With ``spill``, the features of ``Tfidf`` are in its files.

    Raises
    ------
    InputError
        A Dataset without texts, and a vectorizer with an encoder.
    """
    if dataset.texts is None:
        if isinstance(vectorizer, DenseText | Concatenated):
            raise InputError(
                f"{type(vectorizer).__name__} needs texts, but the data contain features only: give texts, or leave "
                "the vectorizer out"
            )
        return None, cast(Features, dataset.X)  # a Dataset has texts or X
    if dataset.X is not None:
        warnings.warn(
            "the data contain texts and X: the features are computed from the texts, and X is ignored",
            RamifyWarning,
            stacklevel=4,
        )
    report_progress = progress or (lambda stage, done: None)
    report_progress("features", 0.0)
    if spill is not None and type(vectorizer) is Tfidf:
        X = features_for(model, fit_transform_shards(vectorizer, dataset.texts, spill))
    else:
        X = features_for(model, vectorizer.fit_transform(dataset.texts))
    report_progress("features", 1.0)
    advice = advice_on_scripts(dataset.texts, vectorizer)
    if advice is not None:
        warnings.warn(advice, RamifyWarning, stacklevel=4)
    return vectorizer, X
