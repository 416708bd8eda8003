"""(label representation, Y) → LabelTree."""
