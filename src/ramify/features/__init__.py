"""Text → X: tf-idf, hashing; label representations."""
