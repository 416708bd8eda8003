"""Models of replaceable parts: indexer, matcher and ranker."""
