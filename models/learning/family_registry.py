"""The registry of the model families as code, under the names of `pipeline.study.model_families`.

Files are imported by name, so that a fingerprint of the code sees each: an edited family is trained
again.
"""

from __future__ import annotations

from models.learning.families import lr, rf, svm, tabnet, xgboost
from models.learning.family import Family
from models.learning.options import FitOptions
from models.learning.tabnet import resolve_device
from pipeline.core.errors import StudyError

FAMILIES: dict[str, Family] = {
    file.FAMILY.name: file.FAMILY for file in (lr, svm, rf, xgboost, tabnet)
}


def family_of(model: str) -> Family:
    """Return the family that the config calls `model`."""
    if model not in FAMILIES:
        raise StudyError(
            f"A model is one of {', '.join(FAMILIES)}",
            found=model,
            where="config key models",
            code="model-unknown",
        )
    return FAMILIES[model]


def device_of(model: str, options: FitOptions) -> str:
    """Return where `model` trains: ``cpu``, or ``cuda`` where there is a GPU that it can use.

    The option ``device`` is read for families that can use one alone: others do not depend on it.
    """
    return resolve_device(options.device) if family_of(model).facts.on_gpu else "cpu"
