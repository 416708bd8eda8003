"""Several models whose rankings are merged."""
