"""Labels, their tokens and clusters from a model directory, checked before they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ramify.checks import Whole
from ramify.errors import InputError
from ramify.generate.label_tokens import LabelTokens
from ramify.models.base.stored import check_rows, matrix_over, stored_array, stored_size
from ramify.strings import StringTable

if TYPE_CHECKING:
    from ramify.generate.xlgen import XLGen


def labels_from_state(model: XLGen, config: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Set the fitted attributes of labels, tokens and clusters.

    Raises
    ------
    KeyError, TypeError, ValueError
        Missing or inconsistent values; ``errors.damage_reported`` converts these.
    """
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
