"""Models that find the names of labels in texts."""
