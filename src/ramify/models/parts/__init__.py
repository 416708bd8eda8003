"""Label clusters, matcher and ranker as replaceable parts."""
