"""The three stages as parts to combine freely: clusters of labels, a matcher that finds some, a ranker within them."""

from ramify.models.partitioned.cosine_ranker import CosineRanker
from ramify.models.partitioned.linear_ranker import LinearRanker
from ramify.models.partitioned.mixed_ranker import MixedRanker
from ramify.models.partitioned.model import Partitioned
from ramify.models.partitioned.popular import PopularLabels

__all__ = ["CosineRanker", "LinearRanker", "MixedRanker", "Partitioned", "PopularLabels"]
