"""Checks that only the whole cohort allows: what serves two patients, and odd orientations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import pandas as pd

from pipeline.checks.mask_rules import Findings, groups
from pipeline.core.findings import Finding
from pipeline.core.problems import listing


def copied_masks(masks: pd.DataFrame) -> Findings:
    """Find masks that serve two cases: equal voxel by voxel, or one label of one file.

    Parameters
    ----------
    masks : pandas.DataFrame
        ``patient_id, scan_id, case_id, reader, mask_hash, source_hash, label``.
    """
    found: Findings = defaultdict(list)
    for columns in (["mask_hash"], ["source_hash", "label"]):
        for _, group in groups(masks.dropna(subset=columns), columns):
            for row in group.to_dict("records"):
                # Within a scan their places tell already (`levels_along_spine`).
                others = group[group["scan_id"] != row["scan_id"]]
                key = row["case_id"], row["reader"]
                if not others.empty and key not in found:
                    found[key].append(_copied(row, others))
    return found


def _copied(row: Mapping, others: pd.DataFrame) -> Finding:
    cases = listing(sorted(set(others["case_id"])), 3)
    foreign = (others["patient_id"] != row["patient_id"]).any()
    whose = "of another patient" if foreign else "of the same patient"
    return Finding(
        "mask-copied",
        "error" if foreign else "warning",
        f"The mask is also that of {cases} {whose}",
        "name the file and label that belong to this case",
    )


def copied_scans(scans: pd.DataFrame) -> dict[str, list[Finding]]:
    """Find CTs that serve two scans, by the hash of their voxels and geometry.

    Parameters
    ----------
    scans : pandas.DataFrame
        ``scan_id, patient_id, image_hash``.

    Returns
    -------
    dict
        Findings by scan.
    """
    found: dict[str, list[Finding]] = defaultdict(list)
    for _, group in groups(scans.dropna(subset="image_hash"), ["image_hash"]):
        for row in group.to_dict("records"):
            others = group[group["scan_id"] != row["scan_id"]]
            if others.empty:
                continue
            foreign = (others["patient_id"] != row["patient_id"]).any()
            whose = "of another patient" if foreign else "of the same patient"
            found[row["scan_id"]].append(
                Finding(
                    "ct-copied",
                    "error" if foreign else "warning",
                    f"The same voxels are scan {listing(sorted(others['scan_id']), 3)} {whose}",
                    "name the CT that belongs to this scan",
                    about="ct",
                )
            )
    return found


def other_orientation(scans: pd.DataFrame) -> dict[str, list[Finding]]:
    """Find CTs whose voxels run in another order than most of the cohort's.

    Filters such as wavelets follow the order of the voxels, so that equal anatomy gives other
    features.

    Parameters
    ----------
    scans : pandas.DataFrame
        ``scan_id, orientation``, axis codes such as ``LPS``.

    Returns
    -------
    dict
        Findings by scan.
    """
    known = scans.dropna(subset="orientation")
    counts = known["orientation"].value_counts()
    if len(counts) < 2:
        return {}
    usual = min(counts.index[counts == counts.max()])
    return {
        row["scan_id"]: [
            Finding(
                "orientation-differs",
                "warning",
                f"Its voxels run {row['orientation']}, those of {counts[usual]} of "
                f"{len(known)} scans {usual}: wavelet and other directed features would differ",
                f"convert it to {usual} with its masks, from the DICOM series if possible",
                about="ct",
            )
        ]
        for row in known.to_dict("records")
        if row["orientation"] != usual
    }
