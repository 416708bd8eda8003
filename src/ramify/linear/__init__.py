"""One level of linear classifiers: negatives, fit, pruning."""
