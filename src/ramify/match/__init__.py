"""Beam search over the levels of a tree."""
