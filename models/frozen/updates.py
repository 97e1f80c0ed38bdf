"""An updated frozen model: its calibrated risks are moved on the logit scale, and nothing else.

The file of the update holds what it changed as it was before, so that the file before can be made
again, byte for byte, and the digest proves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.special import expit, logit

from models.frozen.container import MODEL, object_bytes, read_members, read_object, write_members
from models.frozen.model import LOGIT_MARGIN, check_facts
from pipeline.core.errors import StudyError

CHANGED = ("recalibration", "performance")
"""What an update changes beside the quantiles of the training risks."""


def write_updated(
    path: str | Path,
    out: str | Path,
    *,
    method: str,
    intercept: float,
    slope: float,
    validation: str,
    rows: int,
    events: int,
) -> str:
    """Write a frozen model whose calibrated risks have another intercept and slope.

    Parameters
    ----------
    path : path-like
        The model as it is.
    out : path-like
        File to write.
    method : {'intercept', 'intercept and slope'}
        What was estimated.
    intercept, slope : float
        The logit of a calibrated risk becomes intercept + slope x itself.
    validation : {'geographical', 'temporal', 'internal'}
        Which patients it was estimated on.
    rows, events : int
        How many.

    Returns
    -------
    str
        Digest of the new file.

    Raises
    ------
    StudyError
        If the slope is not above 0: higher risks would become lower ones.
    """
    if slope <= 0:
        raise StudyError(
            "An update must keep the order of the risks: its slope is above 0",
            found=f"{slope:.3g}",
            where=Path(path).name,
            remedy="do not use the model in these patients; update by the intercept alone, or "
            "develop another one",
            code="update-reverses-risks",
        )
    members, digest = read_members(path)
    facts = read_object(members[MODEL], MODEL)
    before = {name: facts[name] for name in CHANGED}
    before |= {"quantiles": facts["training"]["quantiles"], "digest": digest}
    own = facts["recalibration"]
    line = (own["intercept"], own["slope"]) if own["kind"] == "logistic" else (0.0, 1.0)
    facts["recalibration"] = {
        "kind": "logistic",
        "intercept": float(intercept + slope * line[0]),
        "slope": float(slope * line[1]),
        "rows": int(rows),
        "events": int(events),
    }
    # What is known of the old model is not known of the new one.
    facts["performance"] = []
    moved = expit(intercept + slope * logit(np.clip(before["quantiles"], LOGIT_MARGIN,
                                                    1 - LOGIT_MARGIN)))  # fmt: skip
    facts["training"]["quantiles"] = moved.tolist()
    told = {"method": method, "intercept": float(intercept), "slope": float(slope)}
    told |= {"validation": validation, "rows": int(rows), "events": int(events)}
    facts["updates"] = [*facts.get("updates", ()), told | {"before": before}]
    check_facts(facts, Path(out).name)
    return write_members({**members, MODEL: object_bytes(facts)}, out)


def members_before(members: Mapping[str, bytes]) -> tuple[dict[str, bytes], str]:
    """Return the members of a model before its last update, and the digest that they must have.

    Parameters
    ----------
    members : mapping of str to bytes
        Of an updated model.
    """
    facts = read_object(members[MODEL], MODEL)
    *earlier, last = facts["updates"]
    before = last["before"]
    facts |= {name: before[name] for name in CHANGED}
    facts["training"]["quantiles"] = before["quantiles"]
    del facts["updates"]
    if earlier:
        facts["updates"] = earlier
    return {**members, MODEL: object_bytes(facts)}, before["digest"]


def update_sentences(facts: Mapping) -> list[str]:
    """Say what each update of a model changed, the last one last."""
    return [
        f"Updated by the {one['method']} on {one['rows']} rows, {one['events']} with the outcome, "
        f"of a {one['validation']} validation: the logit of the calibrated risk became "
        f"{one['intercept']:.4g} + {one['slope']:.4g} x itself. It has no figures of its own: it "
        f"is to be validated on further patients. Before: digest {one['before']['digest']}."
        for one in facts.get("updates", ())
    ]
