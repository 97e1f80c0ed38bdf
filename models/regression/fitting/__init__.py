"""Predictors as columns of a model, and the fits: by maximum, Firth, or with a penalty."""
