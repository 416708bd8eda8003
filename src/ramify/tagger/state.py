"""Conversion of a tagger to settings and arrays of a model directory, and back with checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ramify.checks import Whole
from ramify.errors import InputError, damage_reported
from ramify.features.columns import Columns
from ramify.features.concatenated import width_of
from ramify.models.base.adapter import as_model, is_model
from ramify.models.base.stored import stored_size
from ramify.store.parts import parts_to_state, stored_part
from ramify.strings import StringTable
from ramify.tagger.parts import is_vectorizer
from ramify.tagger.vocabulary import vocabulary_from_state, vocabulary_to_state
from ramify.values import Int64, Vocabulary
from ramify.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ramify.tagger.decide.decisions import Decisions
    from ramify.tagger.tagger import Tagger

LABEL_FORMS = ("names", "matrix")

DECISIONS = "decisions/"
"""Prefix of the arrays of calibration and rules in a model directory."""
VOCABULARY = "vocabulary/"


def to_state(tagger: Tagger) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and arrays of a fitted tagger."""
    parts = {"model": tagger.model_} | ({} if tagger.vectorizer_ is None else {"vectorizer": tagger.vectorizer_})
    states, arrays = parts_to_state(parts)
    config: dict[str, Any] = {
        "vectorizer": None,
        "n_documents": tagger.n_documents_,
        "n_columns": None if tagger.columns_ is None else tagger.columns_.width,
        "n_dense": None if tagger.columns_ is None else tagger.columns_.n_dense,
        "takes_texts": tagger.takes_texts_,
        "fields": dict(tagger.fields_),
        "label_form": tagger.label_form_,
        **states,
    }
    for name, strings in (("labels", tagger.label_names_), ("keys", tagger.label_keys_)):
        if strings is not None:
            table = strings if isinstance(strings, StringTable) else StringTable.of(strings)
            arrays |= {f"{name}/blob": table.blob, f"{name}/offsets": table.offsets}
    if tagger.label_counts_ is not None:
        arrays["labels/counts"] = tagger.label_counts_
    if tagger.columns_ is not None and tagger.columns_.used is not None:
        arrays["columns/used"] = tagger.columns_.used
    if tagger.vocabulary_ is not None:
        config["vocabulary"], own = vocabulary_to_state(tagger.vocabulary_)
        arrays |= {VOCABULARY + name: array for name, array in own.items()}
    if tagger.decisions_ is not None:
        config["decisions"], own = tagger.decisions_.to_state()
        arrays |= {DECISIONS + name: array for name, array in own.items()}
    return config, arrays


def from_state(kind: type[Tagger], config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type]) -> Tagger:
    """Restore a tagger from the result of ``to_state``.

    Raises
    ------
    ModelFileError
        Missing, invalid or inconsistent parts.
    """
    with damage_reported("the tagger is"):
        model = stored_part("model", config["model"], arrays, parts)
        vectorizer = config["vectorizer"]
        if vectorizer is not None:
            vectorizer = stored_part("vectorizer", vectorizer, arrays, parts)
        columns = _columns(config, arrays, model)
        takes_texts = _takes_texts(config, model, vectorizer)
        _check_parts(model, vectorizer, columns)
        names = StringTable(arrays["labels/blob"], arrays["labels/offsets"])
        tagger = kind.of(model, names, vectorizer=vectorizer)
        tagger.label_keys_, tagger.columns_, tagger.takes_texts_ = _keys(tagger, arrays), columns, takes_texts
        counts, n_documents = arrays.get("labels/counts"), config["n_documents"]
        tagger.label_counts_, tagger.n_documents_ = _counts(tagger, counts, n_documents)
        tagger.fields_ = _fields(config["fields"])
        tagger.label_form_ = _label_form(config["label_form"])
        tagger.vocabulary_ = _vocabulary(config.get("vocabulary"), arrays, tagger)
        tagger.decisions_ = _decisions(config.get("decisions"), arrays, len(names))
    return tagger


def _vocabulary(config: Any, arrays: dict[str, Any], tagger: Tagger) -> Vocabulary | None:
    if config is None:
        return None
    if tagger.label_keys_ is None:
        raise InputError("the vocabulary has no URIs")
    own = {name.removeprefix(VOCABULARY): array for name, array in arrays.items() if name.startswith(VOCABULARY)}
    return vocabulary_from_state(config, own, tagger.label_keys_)


def _decisions(config: Any, arrays: dict[str, Any], n_labels: int) -> Decisions | None:
    if config is None:
        return None
    from ramify.tagger.decide.decisions import Decisions

    own = {name.removeprefix(DECISIONS): array for name, array in arrays.items() if name.startswith(DECISIONS)}
    decisions = Decisions.from_state(config, own)
    if decisions.evidence.truth.shape[1] < n_labels:
        raise InputError(f"the held-out documents have {decisions.evidence.truth.shape[1]} of {n_labels} labels")
    return decisions


def _columns(config: dict[str, Any], arrays: dict[str, Any], model: Any) -> Columns | None:
    """The columns of the features; None for a model without features."""
    features = as_model(model).size().features
    width = config.get("n_columns", features)
    if width is None:
        return None
    n_dense = Whole(0, stored_size(width, "n_columns"), optional=True).check("n_dense", config.get("n_dense"))
    columns = Columns(width, arrays.get("columns/used"), n_dense)
    if features not in (None, columns.n_kept):
        raise InputError(f"{columns.n_kept} columns are selected, but the model has {features} features")
    return columns


def _takes_texts(config: dict[str, Any], model: Any, vectorizer: Any) -> bool:
    takes_texts = config["takes_texts"]
    if not isinstance(takes_texts, bool) or (vectorizer is not None and not takes_texts):
        raise InputError(f"takes_texts is {quoted(takes_texts)}")
    if takes_texts and vectorizer is None and "X" in as_model(model).needs:
        raise InputError("takes_texts is true, but there is no vectorizer for the features that the model needs")
    return takes_texts


def _check_parts(model: Any, vectorizer: Any, columns: Columns | None) -> None:
    """Raise an error if the parts have wrong types or different numbers of features."""
    if not is_model(model) or (vectorizer is not None and not is_vectorizer(vectorizer)):
        raise TypeError(f"a {type(model).__name__} and a {type(vectorizer).__name__} are not a model and a vectorizer")
    width = None if vectorizer is None else width_of(vectorizer)
    if columns is not None and width not in (None, columns.width):
        raise ValueError(f"the vectorizer has {width} features, but the model has {columns.width}")


def _keys(tagger: Tagger, arrays: dict[str, Any]) -> StringTable | None:
    if "keys/blob" not in arrays:
        return None
    keys = StringTable(arrays["keys/blob"], arrays["keys/offsets"])
    if len(keys) != len(tagger.label_names_):
        raise InputError(f"there are {len(keys)} label keys for {len(tagger.label_names_)} labels")
    return keys


def _counts(tagger: Tagger, counts: Int64 | None, n_documents: Any) -> tuple[Int64 | None, int]:
    if counts is None and n_documents == 0:
        return None, 0
    if counts is None:
        raise InputError(f"labels/counts is missing, but there were {n_documents} documents")
    if counts.shape != (len(tagger.label_names_),) or counts.dtype != np.int64 or counts.min() < 0:
        raise InputError(f"labels/counts must hold {len(tagger.label_names_)} whole numbers of at least 0")
    if not isinstance(n_documents, int) or counts.max() > n_documents:
        raise InputError(f"n_documents is {n_documents!r}, but a label has {counts.max()} documents")
    return counts, n_documents


def _fields(fields: Any) -> dict[str, str]:
    if not isinstance(fields, dict) or not all(isinstance(one, str) for pair in fields.items() for one in pair):
        raise InputError(f"the fields are {quoted(fields)}, but must be strings by name")
    return fields


def _label_form(form: Any) -> str:
    if form not in LABEL_FORMS:
        raise InputError(f"label_form is {quoted(form)}, but must be one of {', '.join(LABEL_FORMS)}")
    return str(form)
