"""Code shared by all models: the estimator interface, input checks, saving and loading."""
