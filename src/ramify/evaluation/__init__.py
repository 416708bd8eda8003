"""How good predictions are: metrics, propensities, tail buckets, intervals, the report."""
