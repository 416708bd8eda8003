"""The systems of the race: each script runs in an environment of its own and knows nothing of ramify's other code."""
