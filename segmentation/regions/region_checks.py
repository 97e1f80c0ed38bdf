"""Judge one region by its measurements: is it whole, where it should be, and a vertebra's size.

Errors are kept for masks from which no feature can be computed; everything that a broken or
diseased vertebra may show is a warning, or no more than a note (`info`).

References
----------
.. [1] Pickhardt PJ, et al. Opportunistic screening for osteoporosis using abdominal computed
   tomography scans obtained for other indications. Ann Intern Med 2013;158:588-595.
.. [2] Relationships of cervical, thoracic, and lumbar bone mineral density by quantitative CT.
   J Comput Assist Tomogr 2001;25:146-150.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.core.findings import Finding
from pipeline.imaging.levels import body_volume_ml

#: Components besides the largest are worth a warning when they hold more than this share of the
#: mask or this volume: a stray voxel of the brush is not.
STRAY_SHARE, STRAY_ML = 0.01, 0.2
#: Enclosed holes are worth a warning when they would add more than this share to the mask, or this
#: volume: the opening of the basivertebral vein is not.
HOLE_SHARE, HOLE_ML = 0.01, 0.3
#: Gas is worth a note from this share of the mask on: less is noise beside the lung or bowel.
CLEFT_SHARE = 0.005
#: More gas than any cleft holds.
MOSTLY_GAS_SHARE = 0.5

#: A volume is plausible between these multiples of the mean body of its level. A collapsed body
#: keeps about a third; readers' masks on thick slices hold up to 1.5 times as much; arch and
#: processes double it.
VOLUME_LIMITS = {"body": (0.3, 2.0), "vertebra": (0.5, 4.0)}
#: Mean HU, without gas and dense material, that a vertebra may show. Means of trabecular bone at L1
#: lie between about 50 (osteoporosis) and 250 HU [1], cervical bone is 1.6 times as dense [2],
#: and the cortex and sclerosis add; below soft tissue's values lies no bone.
HU_LIMITS = {"C": (20.0, 900.0), "T": (20.0, 650.0), "L": (20.0, 650.0), "S": (0.0, 650.0)}

#: A mask that fits the edge of bone better elsewhere is displaced if that place is at least so far
#: away, in mm, and the difference of its shells (HU) larger by so much. Masks of public CT that
#: enclose a body loosely fit 4 mm away as well as where they are.
OFFSET_MM, OFFSET_GAIN_HU = 5.5, 10.0
#: Inside of a vertebra's boundary is denser than outside, by more than this, in HU.
LEAST_EDGE_HU = 10.0


def check_region(facts: Mapping, level: str, checks: Mapping) -> list[Finding]:
    """Judge a mask by its measurements.

    Parameters
    ----------
    facts : Mapping
        As `segmentation.regions.region_facts.describe_region` returns them.
    level : str
        Vertebral level, such as ``L1``.
    checks : Mapping
        The study's ``checks``: ``min_voxels``, ``border_is``, ``region``.
    """
    return [
        *_extent(facts, checks),
        *_wholeness(facts),
        *_gas(facts),
        *_plausibility(facts, level, checks["region"]),
        *_place(facts),
    ]


def _extent(facts: Mapping, checks: Mapping) -> list[Finding]:
    findings = []
    if facts["voxels"] < checks["min_voxels"]:
        findings.append(
            Finding(
                "mask-too-small",
                "error",
                f"The mask has {facts['voxels']} voxels; at least {checks['min_voxels']} are "
                "needed",
                "check that the label is the vertebra's, and draw the whole vertebral body",
            )
        )
    if facts["slices"] == 1:
        findings.append(
            Finding(
                "mask-one-slice",
                "error",
                "The mask lies in one slice only; features are computed in three dimensions",
                "draw the vertebra in all slices that show it",
            )
        )
    if facts["touches_border"]:
        findings.append(
            Finding(
                "mask-touches-border",
                checks["border_is"],
                "The mask touches the edge of the volume: the vertebra is probably cut off",
                "use a scan that shows the whole vertebra, or exclude the case",
            )
        )
    return findings


def _wholeness(facts: Mapping) -> list[Finding]:
    findings = []
    volume = facts["volume_ml"]
    if facts["stray_share"] > min(STRAY_SHARE, STRAY_ML / volume):
        pieces = (
            f"The mask falls into {facts['components']} pieces; {facts['stray_share']:.1%} of it "
            "lie outside the largest"
        )
        if facts["stray_bone"]:
            findings.append(Finding("fragments", "info", f"{pieces}, in bone beside it"))
        else:
            findings.append(
                Finding(
                    "mask-in-pieces",
                    "warning",
                    pieces,
                    "remove stray voxels (3D Slicer: Islands, keep largest island)",
                )
            )
    if facts["holes_share"] > min(HOLE_SHARE, HOLE_ML / volume):
        findings.append(
            Finding(
                "mask-has-holes",
                "warning",
                f"The mask has enclosed holes of {facts['holes_share']:.1%} of its volume, "
                f"{facts['holes_gas_share']:.0%} of them gas",
                "fill them if the whole vertebral body is meant, clefts included",
            )
        )
    return findings


def _gas(facts: Mapping) -> list[Finding]:
    share = facts["gas_share"]
    if share > MOSTLY_GAS_SHARE:
        return [
            Finding(
                "mask-mostly-gas",
                "warning",
                f"{share:.0%} of the mask are gas, more than a cleft holds",
                "look whether the mask lies in lung or bowel, and belongs to this CT",
            )
        ]
    if share > CLEFT_SHARE:
        return [Finding("vacuum-cleft", "info", f"{share:.1%} of the region are gas")]
    return []


def _plausibility(facts: Mapping, level: str, region: str) -> list[Finding]:
    findings = []
    mean = body_volume_ml(level)
    if mean is not None:
        low, high = (mean * factor for factor in VOLUME_LIMITS[region])
        if not low <= facts["volume_ml"] <= high:
            findings.append(
                Finding(
                    "implausible-volume",
                    "warning",
                    f"The mask holds {facts['volume_ml']:.1f} ml; at {level} a {region} has "
                    f"{low:.0f} to {high:.0f} ml",
                    "check the label and that the mask shows one vertebra, no more and no less",
                )
            )
    low, high = HU_LIMITS[level[0]]
    found = facts["tissue_hu"]
    if found is not None and not low <= found <= high:
        findings.append(
            Finding(
                "implausible-hu",
                "warning",
                f"The region's mean is {found:.0f} HU without gas and dense material; bone at "
                f"{level} has {low:.0f} to {high:.0f} HU",
                "look whether the mask lies on the vertebra, and whether the CT's values are HU",
            )
        )
    if region == "body" and facts["posterior_elements"]:
        findings.append(
            Finding(
                "posterior-elements",
                "warning",
                "The mask seems to hold posterior elements (arch or processes) beside the body: "
                f"{facts['extent_y_mm']:.0f} mm from front to back, "
                f"{facts['behind_share']:.0%} of it behind the body",
                "draw the vertebral body alone, or set checks.region: vertebra if whole "
                "vertebrae are meant",
            )
        )
    return findings


def _place(facts: Mapping) -> list[Finding]:
    if facts["offset_mm"] >= OFFSET_MM and facts["offset_gain_hu"] >= OFFSET_GAIN_HU:
        return [
            Finding(
                "mask-displaced",
                "warning",
                f"The mask would fit the edge of bone better {facts['offset_mm']:.0f} mm away",
                "look whether the mask lies on the vertebra, and was drawn on this CT",
            )
        ]
    if facts["edge_hu"] < LEAST_EDGE_HU:
        return [
            Finding(
                "mask-off-bone",
                "warning",
                "The mask's boundary follows no edge of bone: inside it is only "
                f"{facts['edge_hu']:.0f} HU denser than outside",
                "look whether the mask lies on a vertebra, and was drawn on this CT",
            )
        ]
    return []
