"""Checks of a mask beside others of its scan: other readers, other levels, the clinical table.

Every function takes a table with one row per mask and returns findings by case and reader.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, pairwise

import numpy as np
import pandas as pd

from pipeline.core.findings import Finding
from pipeline.core.problems import listing
from pipeline.imaging.levels import distance_mm, levels_in, order
from pipeline.tables.readers import is_original, split_label

Findings = dict[tuple[str, str], list[Finding]]

#: Centres of two readers' masks of one vertebra lie within a few mm; half a vertebra's height apart
#: they are not of the same one.
READERS_FAR_MM, READERS_APART_MM = 6.0, 15.0
#: Centres of two vertebrae of one patient never lie this close, in mm.
SAME_PLACE_MM = 8.0
#: Distance of two vertebrae as a multiple of the usual one. Collapse brings them nearer; a level
#: that is off by one gives a half or a double between neighbours.
SPACING_LIMITS = (0.6, 1.6)

CENTRE = ["centre_x_mm", "centre_y_mm", "centre_z_mm"]


def equal_masks(masks: pd.DataFrame) -> Findings:
    """Warn of masks that equal another reader's of the same case: two readers never draw alike.

    Corrected masks are compared with their reader's own versions only, since readers may well agree
    on one corrected mask.

    Parameters
    ----------
    masks : pandas.DataFrame
        ``case_id, reader, mask_hash``.
    """
    found: Findings = defaultdict(list)
    for (case_id, _), group in groups(masks.dropna(subset="mask_hash"), ["case_id", "mask_hash"]):
        for reader in group["reader"]:
            comparable = [
                other
                for other in group["reader"]
                if (is_original(other) and is_original(reader)) or _of_one(other, reader)
            ]
            if len(comparable) < 2:
                continue
            found[case_id, reader].append(
                Finding(
                    "masks-equal",
                    "warning",
                    f"The mask equals that of reader {_others(comparable, reader)} voxel by voxel",
                    "check that each reader drew a mask and that the right file is named",
                )
            )
    return found


def readers_apart(masks: pd.DataFrame) -> Findings:
    """Find readers whose masks of a case lie apart: one of them drew something else.

    The latest versions of the readers' masks are compared with each other. A version that was
    corrected is compared with its correction, and alone is to blame where they lie apart.

    Parameters
    ----------
    masks : pandas.DataFrame
        ``case_id, reader`` and centres in mm.
    """
    found: Findings = defaultdict(list)
    for (case_id,), group in groups(masks.dropna(subset=CENTRE), ["case_id"]):
        labels = sorted(group["reader"], key=split_label)
        newest = {split_label(label)[0]: label for label in labels}
        for one, other in combinations(group.to_dict("records"), 2):
            apart = _apart(one, other)
            if apart <= READERS_FAR_MM:
                continue
            superseded = _of_one(one["reader"], other["reader"])
            for row, second in ((one, other), (other, one)):
                corrected = row["reader"] not in newest.values()
                if corrected != superseded or second["reader"] not in newest.values():
                    continue
                if apart > READERS_APART_MM:
                    finding = Finding(
                        "readers-apart",
                        "error",
                        f"The mask lies {apart:.0f} mm from that of reader {second['reader']}: "
                        "they do not show the same vertebra",
                        "find out which reader drew the vertebra of this case, and correct the "
                        "other mask or its label",
                    )
                else:
                    finding = Finding(
                        "readers-far",
                        "warning",
                        f"The mask's centre lies {apart:.0f} mm from that of reader "
                        f"{second['reader']}",
                        "look whether one of the masks is shifted or holds more than the vertebra",
                    )
                found[case_id, row["reader"]].append(finding)
    return found


def _of_one(label: str, other: str) -> bool:
    """Return whether two labels mean versions of one reader."""
    return split_label(label)[0] == split_label(other)[0]


def levels_along_spine(masks: pd.DataFrame) -> Findings:
    """Compare the places of a scan's vertebrae with the order and distance of their levels.

    Parameters
    ----------
    masks : pandas.DataFrame
        ``scan_id, case_id, level, reader`` and centres in mm (LPS: z to the head).
    """
    found: Findings = defaultdict(list)
    for (_, reader), group in groups(masks.dropna(subset=CENTRE), ["scan_id", "reader"]):
        rows = sorted(group.to_dict("records"), key=lambda row: order(row["level"]))
        for upper, lower in pairwise(rows):
            for row, other in ((upper, lower), (lower, upper)):
                finding = _beside(row, other, upper, lower)
                if finding:
                    found[row["case_id"], reader].append(finding)
    return found


def _beside(row: Mapping, other: Mapping, upper: Mapping, lower: Mapping) -> Finding | None:
    """Judge one mask beside the next level's of the same scan and reader."""
    apart = _apart(upper, lower)
    named = f"{other['case_id']} ({other['level']})"
    if apart < SAME_PLACE_MM:
        return Finding(
            "same-vertebra-twice",
            "error",
            f"The mask lies where that of {named} lies, {apart:.0f} mm away",
            "correct the label, segment or file of one of them",
        )
    if upper["centre_z_mm"] < lower["centre_z_mm"]:
        side = "below" if row is upper else "above"
        return Finding(
            "level-order",
            "error",
            f"{row['level']} lies {side} {named} in this scan",
            "correct the levels or labels: they seem to be swapped",
        )
    usual = distance_mm(upper["level"], lower["level"])
    if usual and not SPACING_LIMITS[0] <= apart / usual <= SPACING_LIMITS[1]:
        return Finding(
            "level-distance",
            "warning",
            f"The mask lies {apart:.0f} mm from that of {named}; usual are about {usual:.0f} mm",
            "count the vertebrae: one of the two levels may be off by one",
        )
    return None


def treated_levels(cases: pd.DataFrame, clinical: pd.DataFrame, key: str, column: str) -> Findings:
    """Compare the level of every case with the level that the clinical table says was treated.

    Parameters
    ----------
    cases : pandas.DataFrame
        ``case_id, patient_id, level, reader``.
    clinical : pandas.DataFrame
        Clinical table.
    key : str
        Its key, ``patient_id`` or ``case_id``.
    column : str
        Its column with the treated level, such as ``L1`` or ``T12, L1``.
    """
    cells = clinical.set_index(key)[column]
    found: Findings = defaultdict(list)
    for row in cases.to_dict("records"):
        cell = cells.get(row[key])
        levels = None if pd.isna(cell) else levels_in(str(cell))
        if levels is None:
            # The cell itself is not printed: free text may say anything of a person.
            why = "is blank" if pd.isna(cell) else "names no vertebral level that can be read"
            finding = Finding(
                "treated-level-unknown",
                "warning",
                f"The treated level ({column} in the clinical table) {why}",
                "write it as L1, or T12, L1 for several",
            )
        elif row["level"] not in levels:
            finding = Finding(
                "level-not-treated",
                "error",
                f"The mask shows {row['level']}; treated was {listing(levels)} ({column} in the "
                "clinical table)",
                "correct the level, the mask or the clinical table; with preflight.treated_level: "
                "null masks of other levels are accepted",
            )
        else:
            continue
        found[row["case_id"], row["reader"]].append(finding)
    return found


def dense_material(masks: pd.DataFrame, targets: set[str], timing: str, largest: float) -> Findings:
    """Find cement or metal in the masks.

    Parameters
    ----------
    masks : pandas.DataFrame
        ``case_id, reader, dense_share, days_from_surgery``.
    targets : set of str
        Cases whose vertebra is what the study is about.
    timing : str
        The study's ``timing``. In a target of a preoperative study, in a scan that is not known to
        be made after surgery, cement is an error: the scan is not what the table says.
    largest : float
        Largest share of dense material that passes.
    """
    found: Findings = defaultdict(list)
    for row in masks[masks["dense_share"] > largest].to_dict("records"):
        days = row["days_from_surgery"]
        before = timing == "preoperative" and (pd.isna(days) or days < 0)
        wrong = before and row["case_id"] in targets
        found[row["case_id"], row["reader"]].append(
            Finding(
                "dense-material",
                "error" if wrong else "warning",
                f"{row['dense_share']:.1%} of the region are above 1,500 HU (cement or metal)"
                + (", though the scan should be from before surgery" if wrong else ""),
                "use the scan from before surgery, correct days_from_surgery, or exclude the case"
                if wrong
                else "cement and metal change the features: consider to exclude the case",
            )
        )
    return found


def joined(*parts: Mapping[tuple[str, str], Iterable[Finding]]) -> Findings:
    """Return all findings of several checks by case and reader."""
    found: Findings = defaultdict(list)
    for part in parts:
        for key, findings in part.items():
            found[key] += findings
    return found


def groups(table: pd.DataFrame, columns: list[str]) -> Iterator[tuple[tuple, pd.DataFrame]]:
    """Yield the groups of more than one row, with the values that they share."""
    several = table[table.duplicated(columns, keep=False)]
    yield from several.groupby(columns, sort=True)


def _others(readers: pd.Series, reader: str) -> str:
    return ", ".join(sorted(set(readers) - {reader}))


def _apart(one: Mapping, other: Mapping) -> float:
    return float(np.linalg.norm([one[axis] - other[axis] for axis in CENTRE]))
