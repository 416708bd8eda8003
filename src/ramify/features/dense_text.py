"""Base of the vectorizers whose features are dense: StaticEncoder and Encoder."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin

from ramify.checks import Checked
from ramify.features.addable import Addable


class DenseText(Checked, Addable, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Texts → float32 array of shape (n, m); a subclass defines ``fit``, ``transform`` and ``n_columns``."""

    @property
    def n_columns(self) -> int:
        """Number of columns m; NotFittedError before fit."""
        raise NotImplementedError

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Numbered names of the columns, an object array of shape (m,)."""
        name = type(self).__name__.lower()
        return np.array([f"{name}{column}" for column in range(self.n_columns)], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags
