"""A fitted model outside of its study: plain numbers in one file; loading executes nothing.

From a notebook::

    from models.frozen.model import load_frozen

    model = load_frozen("pain.vbm")
    model.predictors              # what a table has to hold
    model.risk(table)             # as the study's own model predicts
    model.calibrated(model.risk(table))

``vertebromics freeze`` writes such a file (`models.freeze`), docs/frozen_models.md describes it.
This room knows no learning: it applies what was learned from arrays.
"""
