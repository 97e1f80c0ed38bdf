"""Formulas of the fast engine: a region in bins, its matrices, and the features of each class."""
