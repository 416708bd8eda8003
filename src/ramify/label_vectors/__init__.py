"""Labels → Z: one vector per label, by which the indexer groups labels and the cosine ranker scores them."""

from ramify.label_vectors.vectors import (
    PIFA,
    PII,
    Concatenation,
    Given,
    GraphSpectrum,
    LabelText,
    Mixture,
    names_as_instances,
    unit_vectors,
)
from ramify.label_vectors.word_vectors import from_word_vectors

__all__ = [
    "PIFA",
    "PII",
    "Concatenation",
    "Given",
    "GraphSpectrum",
    "LabelText",
    "Mixture",
    "from_word_vectors",
    "names_as_instances",
    "unit_vectors",
]
