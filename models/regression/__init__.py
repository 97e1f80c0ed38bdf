"""Logistic regression of a clinical table: fits, nomogram, calculator, published models."""
