"""Models that store training instances or label counts."""
