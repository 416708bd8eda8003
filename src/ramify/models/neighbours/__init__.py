"""Models that keep training instances or label counts."""
