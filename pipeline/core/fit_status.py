"""Whether a stage of modelling could fit its model: written by the stages, read by the report.

A model that cannot be fitted to a study's rows drops out of it, and the other models go on. Each
JSON file of a stage that fits one model (``model.json``, ``nested/<model>.json``,
``optimism/<model>.json``, ``ablation/<model>.json``) says by `STATUS` whether it was fitted, and by
`REASON` why not.
"""

from __future__ import annotations

from collections.abc import Mapping

STATUS, REASON = "status", "reason"
FITTED, NOT_FITTED = "fitted", "not_fitted"

#: Entries of a JSON file whose model was fitted.
WAS_FITTED = {STATUS: FITTED, REASON: None}


def not_fitted(reason: object) -> dict[str, str]:
    """Return the entries of a JSON file whose model could not be fitted.

    Parameters
    ----------
    reason : Exception or str
        Why not, as people read it.
    """
    return {STATUS: NOT_FITTED, REASON: str(reason)}


def is_fitted(info: Mapping) -> bool:
    """Return whether a stage could fit the model that its JSON file is about."""
    return info[STATUS] == FITTED
