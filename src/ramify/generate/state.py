"""A generator as settings and arrays of a model directory, and back with checks; see ``stored`` for its network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ramify.checks import Whole
from ramify.errors import InputError
from ramify.generate.label_tokens import LabelTokens
from ramify.models.base.stored import check_rows, matrix_over, stored_array, stored_size
from ramify.strings import StringTable
from ramify.torchloop import History

if TYPE_CHECKING:
    from ramify.generate.xlgen import XLGen


NETWORK = "network/"
"""Prefix of the network's arrays in a model directory."""


def to_state(model: XLGen) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and arrays of a fitted generator."""
    settings = {name: value for name, value in model._plain_settings().items() if name != "cluster_tree"}
    config: dict[str, Any] = {
        "settings": settings,
        "network": model.network_config_,
        "n_labels": model.n_labels_,
        "n_clusters": model.clusters_.shape[1],
        "histories": [history.to_json() for history in model.histories_],
    }
    arrays = {NETWORK + name: array for name, array in model.network_arrays_.items()}
    arrays |= {"tokens/ids": model.label_tokens_.ids, "tokens/indptr": model.label_tokens_.indptr}
    arrays |= {"labels/blob": model.label_names_.blob, "labels/offsets": model.label_names_.offsets}
    arrays |= {"clusters/indices": model.clusters_.indices.astype(np.int32)}
    arrays |= {"clusters/indptr": model.clusters_.indptr.astype(np.int64), "generated": model.generated_}
    return config, arrays


def from_state(model: XLGen, config: dict[str, Any], arrays: dict[str, Any]) -> XLGen:
    """Set the fitted attributes of an unfitted generator; the network is not loaded.

    Raises
    ------
    KeyError, TypeError, ValueError
        Missing or inconsistent values; ``errors.damage_reported`` converts these.
    """
    model.check_settings()
    model.network_config_ = dict(config["network"])
    model.network_arrays_ = {
        name.removeprefix(NETWORK): array for name, array in arrays.items() if name.startswith(NETWORK)
    }
    _set_labels(model, config, arrays)
    if model.network_config_["n_clusters"] != model.clusters_.shape[1]:
        raise InputError(f"the network has other clusters than the {model.clusters_.shape[1]} of the labels")
    model.histories_ = tuple(History.from_json(rows) for rows in config["histories"])
    return model


def _set_labels(model: XLGen, config: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Set the attributes of labels, their tokens and their clusters."""
    n_labels = stored_size(config["n_labels"], "n_labels")
    n_clusters = Whole(0, n_labels).check("n_clusters", config["n_clusters"])
    ids = stored_array(arrays, "tokens/ids", np.int32, (None,))
    indptr = stored_array(arrays, "tokens/indptr", np.int64, (n_labels + 1,))
    if indptr[0] != 0 or indptr[-1] != len(ids) or (np.diff(indptr) < 1).any() or ids.min(initial=0) < 0:
        raise InputError("the tokens of the labels do not match their number")
    generated = stored_array(arrays, "generated", np.int64, (None,))
    if len(generated) == 0 or generated[0] < 0 or generated[-1] >= n_labels or (np.diff(generated) < 1).any():
        raise InputError("the generated labels are out of order or out of range")
    names = StringTable(arrays["labels/blob"], arrays["labels/offsets"])
    if len(names) != n_labels:
        raise InputError(f"there are {len(names)} names for {n_labels} labels")
    columns = stored_array(arrays, "clusters/indices", np.int32, (None,))
    rows = stored_array(arrays, "clusters/indptr", np.int64, (n_labels + 1,))
    check_rows(rows, columns, (n_labels, n_clusters))
    model.label_tokens_, model.generated_, model.label_names_ = LabelTokens(ids, indptr), generated, names
    model.clusters_ = matrix_over((np.ones(len(columns), np.float32), columns, rows), (n_labels, n_clusters))
    model.n_labels_ = n_labels


def check_tokens(tokens: LabelTokens, size: int) -> None:
    """Raise InputError for tokens of labels that a vocabulary of a given size does not have."""
    if tokens.ids.max(initial=-1) >= size:
        raise InputError(f"the labels have the token {tokens.ids.max()}, but there are {size} output tokens")
