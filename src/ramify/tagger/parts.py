"""The parts of an unfitted tagger: copies of model and vectorizer, and the features that the vectorizer makes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, cast

from ramify.errors import InputError, RamifyWarning
from ramify.features.scripts import advice_on_scripts
from ramify.models.base.adapter import unfitted
from ramify.values import CSR, Dataset, StageProgress, as_csr
from ramify.wording import quoted


def is_vectorizer(part: Any) -> bool:
    """Whether an object makes features of texts."""
    return callable(getattr(part, "fit_transform", None)) and callable(getattr(part, "transform", None))


def unfitted_part(name: str, given: Any, serves: Callable[[Any], bool], default: type) -> Any:
    """An unfitted copy of a part, and the default where it is None.

    Raises
    ------
    InputError
        An object without the methods it needs, a class in place of one, or a setting that breaks its rule.
    """
    if given is None:
        return default()
    if isinstance(given, type):
        raise InputError(f"{name} is the class {given.__name__}, but must be an object: give {given.__name__}()")
    if not serves(given):
        raise InputError(f"{name} is {quoted(given)}, but must be an object that fits, such as {default.__name__}()")
    return unfitted(given)


def features_of(dataset: Dataset, vectorizer: Any, progress: StageProgress | None) -> tuple[Any, CSR]:
    """The vectorizer fitted on the texts, and their features; None and X where there are no texts."""
    if dataset.texts is None:
        return None, cast(CSR, dataset.X)  # a Dataset has texts or X
    if dataset.X is not None:
        warnings.warn("the data hold texts and X: features are made of the texts", RamifyWarning, stacklevel=4)
    report_progress = progress or (lambda stage, done: None)
    report_progress("features", 0.0)
    X = as_csr(vectorizer.fit_transform(dataset.texts))
    report_progress("features", 1.0)
    advice = advice_on_scripts(dataset.texts, vectorizer)
    if advice is not None:
        warnings.warn(advice, RamifyWarning, stacklevel=4)
    return vectorizer, X
