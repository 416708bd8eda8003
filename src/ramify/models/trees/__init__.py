"""Models over one label tree."""
