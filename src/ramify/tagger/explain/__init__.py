"""Inspection of a fitted tagger: sizes and settings of its parts, and the paths of a label in its trees."""
