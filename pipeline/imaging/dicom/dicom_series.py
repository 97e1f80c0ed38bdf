"""CT series in DICOM folders: which ones there are, and which one is meant.

``vertebromics series FOLDER`` lists them for whoever fills in the table of
cases. What it prints names series by UID and description, and so stays on the screen; findings and
results name them by what a viewer shows: number, slices, spacing, thickness, kernel.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pydicom

from pipeline.core import command
from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from pipeline.imaging.dicom.dicom_headers import (
    CT_IMAGE_STORAGE,
    ENHANCED_CT_STORAGES,
    Slice,
    digest_of,
    quiet,
    read_headers,
)
from pipeline.imaging.dicom.dicom_phases import NAMED, numbers_of, of_phase, parted
from pipeline.imaging.sources import source_files

Rule = Literal["thinnest", "most-slices", "refuse"]

#: Values of ImageType that are no slices of a volume.
NO_SLICES = frozenset(("LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW", "MIP", "MINIP", "DOSE_INFO"))
#: Values of ImageType of slices that were computed from other slices of the same scan.
COMPUTED = frozenset(("MPR", "REFORMATTED", "AVERAGE", "PROJECTION IMAGE", "PERFUSION"))
#: Fewest places of slices that make a volume.
FEWEST_PLACES = 3
#: Slices closer than this, in mm, lie at the same place.
SAME_PLACE_MM = 0.01
#: Spacings of two series that differ by less count as the same, relative.
SAME_SPACING = 0.01
#: Series that an error lists.
MOST_LISTED = 8
#: Smallest cosine between a slice's normal and the patient's long axis that counts as axial; a
#: tilted gantry reaches 30 degrees.
AXIAL_COSINE = 0.8


@dataclass(frozen=True)
class Series:
    """One CT series of a folder.

    Attributes
    ----------
    slices : tuple of Slice
        In no particular order.
    """

    slices: tuple[Slice, ...]

    @property
    def number(self) -> int | None:
        """Series number, as a viewer shows it."""
        return self.slices[0].series_number

    @property
    def original(self) -> bool:
        """Whether the slices were reconstructed from measured data, not from other slices."""
        kind = self.slices[0].image_type
        return not (kind[:1] == ("DERIVED",) and "SECONDARY" in kind) and not (COMPUTED & set(kind))

    @cached_property
    def normal(self) -> np.ndarray | None:
        """Unit vector (LPS) across the first slice's plane, None where no orientation is stated."""
        stated = self.slices[0].orientation
        if stated is None:
            return None
        normal = np.cross(stated[:3], stated[3:])
        length = np.linalg.norm(normal)
        return normal / length if length else None

    @property
    def axial(self) -> bool:
        """Whether the slices lie across the patient."""
        return self.normal is not None and abs(self.normal[2]) >= AXIAL_COSINE

    @cached_property
    def places(self) -> np.ndarray:
        """Positions along the normal at which slices lie, in mm, sorted, each once."""
        if self.normal is None:
            return np.empty(0)
        along = sorted(float(np.dot(s.position, self.normal)) for s in self.slices if s.position)
        return np.array(
            [one for k, one in enumerate(along) if not k or one - along[k - 1] > SAME_PLACE_MM]
        )

    @property
    def spacing(self) -> float | None:
        """Median distance of neighbouring slices in mm, by their positions."""
        return float(np.median(np.diff(self.places))) if len(self.places) > 1 else None

    def __str__(self) -> str:
        first = self.slices[0]
        facts = [f"{len(self.slices)} slices"]
        if self.spacing:
            facts.append(f"{self.spacing:.4g} mm apart")
        if first.facts["slice_thickness_mm"]:
            facts.append(f"{first.facts['slice_thickness_mm']:g} mm thick")
        if first.facts["kernel"]:
            facts.append(f"kernel {first.facts['kernel']}")
        facts += ["multi-frame"] if first.frame is not None else []
        facts += [] if self.axial else ["not axial"]
        facts += [] if self.original else ["derived"]
        number = "without number" if self.number is None else self.number
        return f"series {number} ({', '.join(facts)})"


@dataclass(frozen=True)
class Choice:
    """The series that is meant, and why.

    Attributes
    ----------
    slices : list of Slice
        In no particular order.
    rule : str
        What chose it, in words.
    findings : list of Finding
        A warning where a rule had to choose between several series.
    """

    slices: list[Slice]
    rule: str
    findings: list[Finding] = field(default_factory=list)


def is_ct_slice(one: Slice) -> bool:
    """Return whether a file or frame is a slice of a CT: no localizer, capture or other modality.

    An empty SOPClassUID occurs in anonymised archives; the modality decides then.
    """
    return (
        one.modality == "CT"
        and one.sop_class in ("", CT_IMAGE_STORAGE, *ENHANCED_CT_STORAGES)
        and not NO_SLICES & set(one.image_type)
    )


def ct_series(slices: Iterable[Slice]) -> list[Series]:
    """Return the CT series among the images of a folder, by series number.

    Slices without a SeriesInstanceUID are one series where they also share number, description and
    frame of reference.
    """
    found: dict[object, list[Slice]] = {}
    for one in slices:
        if is_ct_slice(one):
            beside = (one.series_number, one.description_digest, one.frame_of_reference)
            found.setdefault(one.series or beside, []).append(one)
    series = [Series(tuple(slices)) for slices in found.values()]
    return sorted(series, key=lambda one: (one.number is None, one.number or 0, len(one.slices)))


def choose_series(
    slices: Sequence[Slice], series: str | None = None, rule: Rule = "thinnest"
) -> Choice:
    """Return the slices of the series that is meant.

    A series named in the table is taken. Otherwise the one CT series of the folder is. Of several,
    those that can be no volume (fewer than `FEWEST_PLACES` places) are left out, then derived ones
    beside original ones, and others beside axial ones; `rule` decides between the rest.
    Localizers, projections, secondary captures and other modalities are no candidates.

    Parameters
    ----------
    slices : sequence of Slice
        Headers of all images in the folder.
    series : str, optional
        SeriesInstanceUID or SeriesDescription from the table of cases; letter case and the number
        of blanks of a description do not count. Behind it, or alone, it may name a phase, such as
        ``AcquisitionNumber=2`` (`dicom_phases`).
    rule : {'thinnest', 'most-slices', 'refuse'}, optional
        ``thinnest``: the smallest spacing of slices, then the most slices; ``most-slices``: the
        most slices; ``refuse``: of several series one must be named.

    Returns
    -------
    Choice
        The slices and what chose them.

    Raises
    ------
    CaseError
        If there is no CT series, none of the name, or several between which nothing decides.
    """
    name, phase = parted(series)
    choice = _chosen(slices, name, rule)
    if phase is not None:
        left = of_phase(choice.slices, *phase)
        choice = replace(choice, slices=left, rule=f"{choice.rule}, phase of the table")
    return replace(choice, findings=choice.findings + _left_out(choice.slices, slices))


def _chosen(slices: Sequence[Slice], series: str | None, rule: Rule) -> Choice:
    candidates = ct_series(slices)
    if series is not None:
        return _named(candidates, series)
    if not candidates:
        raise CaseError(
            "A DICOM folder must hold a CT series",
            found=f"{len(slices)} DICOM image(s), none of them a CT slice",
            remedy="point column `image` to the folder of the CT series",
            code="ct-series-missing",
        )
    if len(candidates) == 1:
        return Choice(list(candidates[0].slices), "the only CT series")
    single = [one for one in candidates if len(one.slices) == 1 and one.slices[0].frame is None]
    if len(single) >= FEWEST_PLACES and len(single) == len(candidates):
        raise CaseError(
            "The slices of a CT must share one SeriesInstanceUID",
            found=f"{len(single)} slices, each with a SeriesInstanceUID of its own",
            remedy="export the series again from the archive; a program that anonymises may have "
            "given each slice a new UID, and must give all slices of a series the same",
            code="slices-of-several-series",
        )
    left = [] if rule == "refuse" else _narrowed(candidates, rule)
    if len(left) != 1:
        raise CaseError(
            "Of several CT series in a folder one must be named, or be the one that "
            "ingest.series_rule chooses",
            found=f"{listed(left or candidates)} (rule {rule})",
            remedy="write the SeriesInstanceUID or the SeriesDescription into column `series`; "
            "vertebromics series FOLDER lists them",
            code="series-ambiguous",
        )
    chosen = left[0]
    return Choice(
        list(chosen.slices),
        f"rule {rule}, of {len(candidates)} CT series",
        [
            Finding(
                "series-chosen",
                "warning",
                f"Of {len(candidates)} CT series the rule {rule} took {chosen}, not "
                + listed(one for one in candidates if one is not chosen),
                "write the SeriesInstanceUID or the SeriesDescription into column `series` to be "
                "sure",
            )
        ],
    )


def _left_out(chosen: Sequence[Slice], slices: Sequence[Slice]) -> list[Finding]:
    """Warn of images of the chosen series that are neither slices of a CT nor projections."""
    left_out = [
        one
        for one in slices
        if one.series == chosen[0].series
        and not is_ct_slice(one)
        and not NO_SLICES & set(one.image_type)
    ]
    if not left_out:
        return []
    return [
        Finding(
            "images-left-out",
            "warning",
            f"{len(left_out)} image(s) of the series say that they are no CT slices, and were left "
            f"out beside {len(chosen)} slices",
            "count the slices in a viewer, and export the series again if some are missing",
        )
    ]


def _named(candidates: list[Series], name: str) -> Choice:
    """Return the series whose SeriesInstanceUID or SeriesDescription the table names."""
    for one in candidates:
        if one.slices[0].series == name.strip():
            return Choice(list(one.slices), "SeriesInstanceUID of the table")
    digest = digest_of(name)
    described = [one for one in candidates if one.slices[0].description_digest == digest]
    if len(described) == 1:
        return Choice(list(described[0].slices), "SeriesDescription of the table")
    if described:
        raise CaseError(
            "The description in column `series` must be that of one CT series only",
            found=listed(described),
            remedy="write the SeriesInstanceUID into column `series`; "
            "vertebromics series FOLDER lists them",
            code="series-description-ambiguous",
        )
    raise CaseError(
        "The series named in column `series` must be a CT series in the folder",
        found=f"no CT slice of it, but {listed(candidates)}",
        remedy="correct the SeriesInstanceUID or SeriesDescription, or leave the column empty",
        code="series-not-in-folder",
    )


def _narrowed(candidates: list[Series], rule: Rule) -> list[Series]:
    """Return those of `candidates` between which `rule` does not decide."""
    left = [one for one in candidates if len(one.places) >= FEWEST_PLACES] or candidates
    left = [one for one in left if one.original] or left
    left = [one for one in left if one.axial] or left
    if rule == "thinnest" and all(one.spacing for one in left):
        thinnest = min(one.spacing for one in left)
        left = [one for one in left if one.spacing <= thinnest * (1 + SAME_SPACING)]
    most = max(len(one.places) for one in left)
    return [one for one in left if len(one.places) == most]


def listed(series: Iterable[Series]) -> str:
    """Describe series by what a viewer shows of them, without UIDs and free text."""
    every = list(map(str, series))
    more = len(every) - MOST_LISTED
    return "; ".join(every[:MOST_LISTED] + [f"and {more} more"] * (more > 0)) or "no CT series"


def main(options: argparse.Namespace) -> None:
    """Print the CT series of a folder, with the UIDs and descriptions that the table may name."""
    series = ct_series(read_headers(source_files(options.folder)))
    for one in series:
        with quiet():
            first = pydicom.dcmread(
                one.slices[0].path, specific_tags=["SeriesDescription"], stop_before_pixels=True
            )
        print(one)
        print(f"    SeriesInstanceUID  {one.slices[0].series}")
        print(f"    SeriesDescription  {first.get('SeriesDescription', '')}")
        for attribute in NAMED:
            if len(phases := numbers_of(one.slices, attribute)) > 1:
                print(f"    phases             {', '.join(phases)}")
    if not series:
        print("no CT series")


if __name__ == "__main__":
    arguments = command.parser("pipeline.imaging.dicom.dicom_series", __doc__)
    arguments.add_argument("folder", type=Path, help="DICOM folder")
    command.run(main, arguments)
