"""What a fitted tagger holds: sizes and settings of its parts, and the place of a label in its trees."""
