"""Files → Dataset: one file per format; splitting; the demo's data."""
