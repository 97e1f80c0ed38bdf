"""How much is texture, how much shape, volume and density: the controls in plain words."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pipeline.reporting.result_files import Controls
from pipeline.reporting.wording import SIGNED, UNIT, interval

ARMS = {
    "true": "True features",
    "shuffled_inside": "Voxels shuffled inside the mask",
    "sampled_inside": "Voxels drawn from the mask's own",
    "shuffled_outside": "Voxels shuffled around the mask",
    "sampled_outside": "Voxels drawn from around the mask",
    "shape": "Shape alone",
    "volume": "Volume alone",
    "hu": "Mean CT number alone",
}
"""Arm -> what it was fitted to, as tables print it."""

INSIDE = ("shuffled_inside", "sampled_inside")
OUTSIDE = ("shuffled_outside", "sampled_outside")

CHANCE = 0.5


def control_sentences(controls: Controls) -> list[str]:
    """Return what the controls say, a sentence a question.

    Parameters
    ----------
    controls : Controls
        Arms that were judged.
    """
    arms = {row["arm"]: row for row in controls.arms.to_dict("records") if pd.notna(row["auroc"])}
    sentences = [_true(arms["true"])]
    if not arms["true"]["auroc_low"] > CHANCE:
        sentences.append(
            "The interval of the true features includes chance: there is no discrimination to be "
            "divided into texture, shape and density."
        )
        return sentences
    inside = [arms[arm] for arm in INSIDE if arm in arms]
    sentences += [_inside(row) for row in inside]
    sentences += [_outside(arms[arm]) for arm in OUTSIDE if arm in arms]
    simple = [arms[arm] for arm in ("shape", "volume", "hu") if arm in arms]
    sentences += [_simple(row) for row in simple]
    return sentences


def _area(row: Mapping) -> str:
    return interval(row["auroc"], row["auroc_low"], row["auroc_high"], bounds=UNIT)


def _lost(row: Mapping) -> str:
    return interval(row["lost"], row["lost_low"], row["lost_high"], bounds=SIGNED)


def _true(row: Mapping) -> str:
    return f"Radiomic features alone reached an AUROC of {_area(row)}."


def _name(row: Mapping) -> str:
    return ARMS[row["arm"]].lower().replace("ct number", "CT number")


def _inside(row: Mapping) -> str:
    """Say how much depends on where voxels lie, and how much does not."""
    start = f"With {_name(row)}, {_area(row)} remained (lost: {_lost(row)}). "
    falls, above = row["lost_low"] > 0, row["auroc_low"] > CHANCE
    if falls and not above:
        return start + (
            "The signal was in the arrangement of the voxels, that is, in texture: without it "
            "nothing remained that chance does not explain."
        )
    if falls:
        return start + (
            "Part of the signal was texture; what remained is shape, volume or density, which "
            "mixing does not touch."
        )
    if above:
        return start + (
            "No loss beyond chance was shown: the signal needs no texture. It lies in shape, "
            "volume or density (the histogram of the CT numbers), which mixing does not touch."
        )
    return start + (
        "The cohort is too small to say: the loss may be chance, and so may what remained."
    )


def _outside(row: Mapping) -> str:
    start = f"With {_name(row)}, {_area(row)} remained (lost: {_lost(row)}). "
    if row["lost_low"] > 0:
        return start + (
            "The features also use what lies around the mask: filters and resampling reach beyond "
            "its edge."
        )
    return start + "No loss beyond chance: the signal comes from inside the mask."


def _simple(row: Mapping) -> str:
    start = f"{ARMS[row['arm']]} reached {_area(row)}"
    if row["lost_low"] > 0:
        return f"{start}, less than the true features (by {_lost(row)})."
    if row["lost_high"] < 0:
        return f"{start}, more than the true features (difference {_lost(row)})."
    return f"{start}; whether the true features do better was not shown (difference {_lost(row)})."
