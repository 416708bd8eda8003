"""Files → Dataset: one file per format; splitting."""

from ramify.data.concepts import of_vocabulary, with_vocabulary
from ramify.data.duplicates import Duplicates, duplicate_groups, find_duplicates
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
from ramify.data.joining import convert_split, joined
from ramify.data.labels import align
from ramify.data.names import read_names, renamed
from ramify.data.shards import is_sharded, read_shards
from ramify.data.splits import split_by_column, split_by_cutoff, split_grouped, split_label_aware, split_random
from ramify.data.vocabularies import read_vocabulary

__all__ = [
    "Document",
    "Duplicates",
    "Fields",
    "align",
    "convert",
    "convert_split",
    "duplicate_groups",
    "find_duplicates",
    "hide_labels",
    "holds_texts",
    "is_sharded",
    "joined",
    "looks_long",
    "of_vocabulary",
    "read",
    "read_column",
    "read_features",
    "read_names",
    "read_shards",
    "read_texts",
    "read_vocabulary",
    "refuse_same_file",
    "renamed",
    "split_by_column",
    "split_by_cutoff",
    "split_grouped",
    "split_label_aware",
    "split_random",
    "with_vocabulary",
    "write",
]
