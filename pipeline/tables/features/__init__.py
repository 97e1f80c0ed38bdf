"""Feature tables that people hand in, and the names of features."""
