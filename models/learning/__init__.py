"""Estimators, their search over processes, and the whole procedure on given rows."""
