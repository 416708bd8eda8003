"""Two vectorizers side by side: sparse columns together, dense columns together.

X = [sparse columns of first | of second | dense columns of first | of second]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from ramify.catalogue import VECTORIZER
from ramify.checks import THREADS, Checked, Own, Rules
from ramify.errors import damage_reported
from ramify.features.addable import METHODS, Addable
from ramify.features.dense_text import DenseText
from ramify.features.hashing import Hashing
from ramify.features.sklearn_text import SklearnText
from ramify.features.static import StaticEncoder
from ramify.features.tfidf import Tfidf
from ramify.store.parts import parts_to_state, stored_part
from ramify.values import Features, Hybrid, as_csr, empty_csr

_PART = Own(METHODS, role=VECTORIZER, optional=True)


class Concatenated(Checked, Addable, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The columns of two vectorizers; ``Tfidf() + StaticEncoder()`` makes one.

    Parameters
    ----------
    first : Vectorizer, optional
        ``Tfidf()`` when None.
    second : Vectorizer, optional
        ``StaticEncoder()`` when None.
    threads : int or None, default None
        Threads of both parts; their own settings when None.

    Attributes
    ----------
    first_, second_ : Vectorizer
        Fitted copies.
    """

    RULES: ClassVar[Rules] = {"first": _PART, "second": _PART, "threads": THREADS}
    PARTS: ClassVar[Mapping[str, Callable[[], Any]]] = {"first": Tfidf, "second": StaticEncoder}

    def __init__(self, first: Any = None, second: Any = None, *, threads: int | None = None) -> None:
        self.first = first
        self.second = second
        self.threads = threads

    def set_params(self, **params: Any) -> Concatenated:
        """Set settings; ``threads`` also applies to the fitted parts."""
        super().set_params(**params)
        if "threads" in params and hasattr(self, "first_"):
            _set_threads(self.first_, self.threads)
            _set_threads(self.second_, self.threads)
        return self

    def fit(self, texts: Sequence[str], y: Any = None) -> Concatenated:
        """Fit copies of both parts.

        Parameters
        ----------
        texts : sequence of str, length n
        y : ignored

        Raises
        ------
        InputError
            A part that is no vectorizer, or a setting of a part that is out of range.
        """
        self.fit_transform(texts)
        return self

    def fit_transform(self, texts: Sequence[str], y: Any = None) -> Features:
        """Fit copies of both parts, and return their features.

        Returns
        -------
        Hybrid, shape (n, d + m), or csr_matrix, shape (n, d)
            A ``Hybrid`` if a part has dense columns. Columns of sparse parts come first.
        """
        self.check_settings()
        first, second = (self._unfitted(name) for name in ("first", "second"))
        joined = _joined(first.fit_transform(texts), second.fit_transform(texts))
        self.first_, self.second_ = first, second
        return joined

    def transform(self, texts: Sequence[str]) -> Features:
        """Features of texts, as by ``fit_transform``."""
        check_is_fitted(self)
        return _joined(self.first_.transform(texts), self.second_.transform(texts))

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the columns, an object array of shape (d + m,); those of dense columns are numbered."""
        check_is_fitted(self)
        sparse, dense = _names(self)
        return np.array([*sparse, *dense], dtype=object)

    @property
    def n_columns(self) -> int | None:
        """Number of columns d + m; None for a vectorizer of a user's own."""
        widths = [width_of(part) for part in (self.first_, self.second_)]
        return None if None in widths else sum(width for width in widths if width is not None)

    def _unfitted(self, name: str) -> Any:
        given = getattr(self, name)
        part = self.PARTS[name]() if given is None else clone(given, safe=False)
        if self.threads is not None:
            _set_threads(part, self.threads)
        return part

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """(config, arrays) of the fitted parts.

        Raises
        ------
        InputError
            A part that cannot be saved.
        """
        check_is_fitted(self)
        return parts_to_state({"first": self.first_, "second": self.second_})

    @classmethod
    def from_state(cls, config: dict[str, Any], arrays: dict[str, Any], parts: Sequence[type] = ()) -> Concatenated:
        """Restore the parts.

        Raises
        ------
        ModelFileError
            A part that is missing, damaged or no vectorizer.
        """
        with damage_reported("the concatenated features are"):
            first, second = (stored_part(name, config[name], arrays, parts) for name in ("first", "second"))
            concatenated = cls(first, second)
            concatenated.check_settings()
            concatenated.first_, concatenated.second_ = first, second
        return concatenated


def _set_threads(part: Any, threads: int | None) -> None:
    if "threads" in getattr(part, "get_params", dict)():
        part.set_params(threads=threads)


def width_of(vectorizer: Any) -> int | None:
    """Number of columns of a fitted vectorizer of ramify or scikit-learn; None for other vectorizers."""
    if isinstance(vectorizer, Concatenated | DenseText):
        return vectorizer.n_columns
    if not isinstance(vectorizer, Tfidf | Hashing) and not SklearnText.takes(vectorizer):
        return None
    return len(vectorizer.vocabulary_) if hasattr(vectorizer, "vocabulary_") else int(vectorizer.n_features)


def _joined(first: Any, second: Any) -> Features:
    blocks = [_blocks(first), _blocks(second)]
    sparse = [block for block, _ in blocks if block is not None]
    dense = [block for _, block in blocks if block is not None]
    n = blocks[0][0 if blocks[0][1] is None else 1].shape[0]
    columns = as_csr(sparse[0] if len(sparse) == 1 else sp.hstack(sparse, format="csr")) if sparse else empty_csr(n, 0)
    return Hybrid(columns, dense[0] if len(dense) == 1 else np.hstack(dense)) if dense else columns


def _blocks(X: Any) -> tuple[Any, Any]:
    """The sparse and the dense columns of features, None where there are none."""
    if isinstance(X, Hybrid):
        return X.sparse, X.dense
    return (X, None) if sp.issparse(X) else (None, np.asarray(X, np.float32))


def _names(vectorizer: Any) -> tuple[list[str], list[str]]:
    """Names of the sparse and of the dense columns of a fitted vectorizer."""
    if isinstance(vectorizer, Concatenated):
        parts = [_names(vectorizer.first_), _names(vectorizer.second_)]
        return [*parts[0][0], *parts[1][0]], [*parts[0][1], *parts[1][1]]
    if hasattr(vectorizer, "get_feature_names_out"):
        names = [str(name) for name in vectorizer.get_feature_names_out()]
    else:
        names = [f"{type(vectorizer).__name__.lower()}[{column}]" for column in range(width_of(vectorizer) or 0)]
    return ([], names) if isinstance(vectorizer, DenseText) else (names, [])
