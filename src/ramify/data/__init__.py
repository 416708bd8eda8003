"""Files → Dataset: one file per format; splitting; the demo's data."""

from ramify.data.fields import Fields
from ramify.data.files import (
    Document,
    convert,
    holds_texts,
    read,
    read_column,
    read_features,
    read_texts,
    write,
)
from ramify.data.labels import align

__all__ = [
    "Document",
    "Fields",
    "align",
    "convert",
    "holds_texts",
    "read",
    "read_column",
    "read_features",
    "read_texts",
    "write",
]
