"""Measures of predictions, their intervals and their comparison."""
