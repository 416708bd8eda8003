"""The stages glued into estimators, one file each."""
