"""What every model shares: the estimator interface, input checks, saving and loading."""
