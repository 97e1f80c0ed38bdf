"""Sections of what is read from images and masks, and measured in them.

How a CT is read is `pipeline.imaging.ct_options`: commands beside the study take it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pipeline.core.sections import Rule, option
from pipeline.imaging.ct_options import CtChecks

Level = Annotated[
    str, Rule("vertebral level", bounds={"pattern": "^(C[1-7]|T([1-9]|1[0-3])|L[1-6]|S1)$"})
]
Label = Annotated[
    Annotated[int, Rule(bounds={"ge": 1})] | Annotated[str, Rule(bounds={"min_length": 1})],
    Rule("label number or segment name of the level"),
]
Convention = Literal[
    "none", "totalsegmentator_v1", "totalsegmentator", "totalsegmentator_pp", "verse"
]


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """Settings of the feature extraction."""

    params: str = option(
        "radiomics_params/ge2025.yaml",
        "path of the PyRadiomics parameter file",
        "PyRadiomics parameter file",
        min_length=1,
    )
    engine: Literal["fast", "pyradiomics"] = option(
        "fast",
        "who computes the features; both give PyRadiomics' values",
        "fast | pyradiomics: the same features; fast is many times quicker, pyradiomics calls the "
        "library plainly (docs/extraction.md)",
    )
    verify_fraction: float = option(
        0.02,
        "share of case x reader rows that plain PyRadiomics computes a second time",
        "share of case x reader rows, from 0 to 1, that plain PyRadiomics computes a second time "
        "in the same run, and at least one row of the study; above 1e-6 the run stops. 2% take "
        "about a third of the fast engine's time for all",
        unit="share of rows",
        ge=0,
        le=1,
    )


@dataclass(frozen=True, kw_only=True)
class Masks:
    """How mask files are read."""

    convention: Convention | Annotated[dict[Level, Label], Rule(bounds={"min_length": 1})] = option(
        "none",
        "which label of a mask file means which level, where column label is blank",
        "none | totalsegmentator_v1 | totalsegmentator (version 2) | totalsegmentator_pp | verse | "
        "own map {L1: 20, ...}: which label a level has where column `label` is blank and no name "
        "in the file tells; none takes a file's one structure",
        accepts="the name of a convention, or a map of levels (C1-C7, T1-T13, L1-L6, S1) to labels",
        remedy="none, totalsegmentator_v1, totalsegmentator, totalsegmentator_pp, verse, or a map "
        "such as {L1: 20, L2: 21}",
        replaced=True,
    )
    fractional_threshold: float = option(
        0.5,
        "share of the largest fraction from which on a voxel belongs to a mask",
        "share of the largest fraction: fractional DICOM segmentations are cut there",
        unit="share",
        gt=0,
        le=1,
    )


@dataclass(frozen=True, kw_only=True)
class Checks(CtChecks):
    """Limits of the checks of images and masks."""

    min_voxels: int = option(
        30,
        "fewest voxels of a mask on its own grid",
        "mask voxels on the original grid; fewer give unstable texture matrices",
        unit="voxels",
        ge=1,
    )
    border_is: Literal["warning", "error"] = option(
        "warning",
        "severity of a mask that touches the edge of the volume",
        "warning | error: a mask that touches the edge of the volume is truncated",
    )
    region: Literal["body", "vertebra"] = option(
        "body",
        "what a mask shows, the vertebral body or the whole vertebra",
        "body | vertebra: what masks show; posterior elements in a body are a warning",
    )


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """Checks of a mask against the study's other tables."""

    treated_level: str | None = option(
        None,
        "clinical column that names the treated level or levels",
        "clinical column with the treated level ('L1', 'T12, L1'): other masks are refused",
        min_length=1,
    )
    max_dense_share: float = option(
        0.005,
        "largest share of cement or metal in a region",
        "share of the region above 1,500 HU (cement, metal) that is too much",
        unit="share of the region",
        ge=0,
        le=1,
    )


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Comparison of the readers' masks."""

    surface_tolerance_mm: float = option(
        1.0,
        "distance in mm up to which two surfaces count as the same (surface Dice)",
        "mm; surfaces closer than that count as one: a voxel after resampling",
        unit="mm",
        gt=0,
        le=10,
    )
