"""Files → Dataset: one file per format; splitting."""

from ramify.data.fields import Fields
from ramify.data.files import (
    Document,
    convert,
    holds_texts,
    read,
    read_column,
    read_features,
    read_texts,
    refuse_same_file,
    write,
)
from ramify.data.groups import looks_long
from ramify.data.hidden import hide_labels
from ramify.data.labels import align
from ramify.data.names import read_names, renamed
from ramify.data.splits import split_by_column, split_by_cutoff, split_label_aware, split_random

__all__ = [
    "Document",
    "Fields",
    "align",
    "convert",
    "hide_labels",
    "holds_texts",
    "looks_long",
    "read",
    "read_column",
    "read_features",
    "read_names",
    "read_texts",
    "refuse_same_file",
    "renamed",
    "split_by_column",
    "split_by_cutoff",
    "split_label_aware",
    "split_random",
    "write",
]
