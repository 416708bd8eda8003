"""The values that the stages exchange; frozen, and validated when they are made.

``Dataset`` (texts or X, Y, label names) → X → ``LabelTree`` → candidates → scores → ``TopK``
"""

from ramify.values.dataset import Dataset
from ramify.values.hybrid import Features, Hybrid, as_features, empty_rows, row_products, row_sums
from ramify.values.matrices import as_csr, as_label_matrix, csr_of, empty_csr, nonzero, row_lengths
from ramify.values.topk import TopK
from ramify.values.tree import LabelTree
from ramify.values.types import CSR, Bool, Float32, Float64, Int8, Int32, Int64, StageProgress
from ramify.values.vocabulary import Groups, Vocabulary

__all__ = [
    "CSR",
    "Bool",
    "Dataset",
    "Features",
    "Float32",
    "Float64",
    "Groups",
    "Hybrid",
    "Int8",
    "Int32",
    "Int64",
    "LabelTree",
    "StageProgress",
    "TopK",
    "Vocabulary",
    "as_csr",
    "as_features",
    "as_label_matrix",
    "csr_of",
    "empty_csr",
    "empty_rows",
    "nonzero",
    "row_lengths",
    "row_products",
    "row_sums",
]
