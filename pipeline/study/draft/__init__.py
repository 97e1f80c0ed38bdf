"""A dictionary and a configuration proposed for a clinical table, and the questions left open."""
