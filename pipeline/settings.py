"""Measure a cohort, and say on one page which parameter file fits it, why, and at what cost.

Everything is read from the tables that a run up to `features` leaves; no image is opened.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import read_table, whole_file, write_csv
from pipeline.extraction.parameter_sets.advice import (
    CLIPPED,
    DOES_NOT_FIT,
    FITS,
    HELPS,
    REACH,
    Cohort,
    advise,
    file_name,
)
from pipeline.extraction.parameter_sets.robust_costs import (
    Limits,
    Robust,
    by_image_type,
    measured_by_studies,
)
from pipeline.extraction.params import Parameters, load_params
from pipeline.reporting.blocks import Items, Paragraph, Section, Table
from pipeline.reporting.study_report import render
from pipeline.study.study import open_study
from pipeline.tables.schemas.features.features import Features
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.resample import Resample

logger = logging.getLogger("vertebromics")

#: What stands behind each figure of a measurement: quantiles of the cohort.
QUANTILES = {"least": 0.0, "5%": 0.05, "median": 0.5, "95%": 0.95, "greatest": 1.0}


def measurement(what: str, unit: str, values: Iterable[float]) -> dict:
    """Return one row of the measurements: how many values, and their quantiles."""
    known = np.asarray(list(values), float)
    known = known[np.isfinite(known)]
    figures = {name: float(np.quantile(known, q)) if known.size else np.nan
               for name, q in QUANTILES.items()}  # fmt: skip
    return {"what": what, "unit": unit, "n": len(known), **figures}


def bins_of(features: pd.DataFrame, image: str, width: float) -> pd.Series:
    """Return how many bins of a width the grey values of each region reach over.

    PyRadiomics' bins begin at a multiple of the width at or below the least value.

    Parameters
    ----------
    features : pandas.DataFrame
        With ``<image>_firstorder_Minimum`` and ``Maximum``.
    image : str
        Image type, as features are named.
    width : float
        In the image's grey values.
    """
    low, high = (features[f"{image}_firstorder_{end}"] for end in ("Minimum", "Maximum"))
    return np.floor(high / width) - np.floor(low / width) + 1


def interpolated(spacing: pd.DataFrame, grid: Iterable[float]) -> pd.DataFrame:
    """Return the share of the grid's voxels that lie between measured ones, along each axis.

    Parameters
    ----------
    spacing : pandas.DataFrame
        ``spacing_x, spacing_y, spacing_z`` of each scan, in mm.
    grid : iterable of float
        Spacing of the resampled grid along x, y and z, in mm; 0 keeps an axis as it is.
    """
    shares = {}
    for axis, target in zip("xyz", grid, strict=True):
        own = spacing[f"spacing_{axis}"]
        measured = np.minimum(1, (target or own) / own)
        shares[axis] = 1 - measured
    return pd.DataFrame(shares)


def settings_of(image: str, params: Parameters) -> dict:
    """Return the settings that a parameter file gives to one type of images alone.

    Parameters
    ----------
    image : str
        Image, as features are named: ``original``, ``wavelet-LLH``, ``log-sigma-2-0-mm-3D``.
    params : Parameters
        Of the study's extraction.
    """
    kind = image.lower().partition("-")[0]
    types = params.content.get("imageType") or {}
    return next((own or {} for name, own in types.items() if name.lower() == kind), {})


def measured_bins(params: Parameters, features: pd.DataFrame) -> tuple[list[dict], float | None]:
    """Measure the bins of the regions in each image.

    Returns
    -------
    rows : list of dict
        A row an image that is binned by a width.
    median : float or None
        Bins of a region in the original image; None where no region's ends are known.
    """
    rows, median = [], None
    for name in features:
        image = str(name).removesuffix("_firstorder_Minimum")
        if image == name or f"{image}_firstorder_Maximum" not in features:
            continue
        own = {**params.settings, **settings_of(image, params)}
        width = own.get("binWidth")
        if not width or own.get("binCount") is not None:
            continue
        found = bins_of(features, image, width)
        known = found[np.isfinite(found)]
        if image == "original" and len(known):
            median = float(known.median())
        rows.append(measurement(f"bins of {width:g} in a region, {image}", "bins", found))
    return rows, median


def measure(
    params: Parameters, ingest: pd.DataFrame, resample: pd.DataFrame, features: pd.DataFrame
) -> tuple[pd.DataFrame, Cohort]:
    """Measure a cohort.

    Parameters
    ----------
    params : Parameters
        Of the study's extraction.
    ingest, resample, features : pandas.DataFrame
        The study's tables.

    Returns
    -------
    table : pandas.DataFrame
        ``what, unit, n`` and quantiles, a row a measurement.
    cohort : Cohort
        What rules go by.
    """
    setting = params.settings
    grid = setting.get("resampledPixelSpacing")
    scans = ingest[ingest["image"].notna()]
    distance = scans["spacing_z"].dropna()
    rows = [
        measurement("distance of slices", "mm", distance),
        measurement("slice thickness", "mm", scans["slice_thickness_mm"]),
        measurement("pixel spacing", "mm", scans["spacing_x"]),
    ]
    if grid is not None:
        shares = interpolated(scans, grid)
        rows += [
            measurement(f"interpolated along {axis}, grid of {target:g} mm", "share", shares[axis])
            for axis, target in zip("xyz", grid, strict=True)
        ]
    original = {**setting, **settings_of("original", params)}
    width, fixed = original.get("binWidth"), original.get("binCount") is not None
    of_images, bins = measured_bins(params, features)
    rows += of_images
    smallest = None
    if "original_shape_VoxelVolume" in features:
        voxel = float(np.prod(grid)) if grid is not None and all(grid) else np.nan
        voxels = features["original_shape_VoxelVolume"] / voxel
        smallest = None if np.isnan(voxel) else float(voxels.min())
        rows.append(measurement("size of a region on the grid", "voxels", voxels))
    width_hu = clipped = None
    if setting.get("normalize"):
        per_scan = resample.drop_duplicates("scan_id")["image_sd_hu"].dropna()
        if width and not fixed and len(per_scan):
            in_hu = per_scan * width / float(setting.get("normalizeScale", 1))
            width_hu = (float(in_hu.min()), float(in_hu.max()))
            rows.append(measurement("width of a bin, normalised scan by scan", "HU", in_hu))
        cut = resample["clipped_share"].dropna()
        if len(cut):
            clipped = float((cut > CLIPPED).mean())
            rows.append(measurement("voxels cut by the normalisation", "share of a region", cut))
    reach = margin = None
    sigmas = (params.content.get("imageType") or {}).get("LoG", {}) or {}
    if sigmas.get("sigma"):
        reach = REACH * float(max(sigmas["sigma"]))
        step = min(grid) if grid is not None and all(grid) else float(scans["spacing_x"].min())
        margin = float(setting.get("padDistance", 5)) * step
        rows.append(measurement("margin around a region", "mm", [margin]))
        rows.append(measurement(f"reach of LoG ({REACH:g} x largest sigma)", "mm", [reach]))
    ends = None
    if len(distance):
        ends = (float(distance.min()), float(distance.median()), float(distance.max()))
    cohort = Cohort(
        ends, float(grid[2]) if grid is not None else None, bins,
        width if not fixed else None, width_hu, clipped, smallest, reach, margin,
    )  # fmt: skip
    return pd.DataFrame(rows), cohort


def page_of(
    title: str,
    measured: pd.DataFrame,
    advice: pd.DataFrame,
    limits: Limits,
    families: list[str],
) -> str:
    """Return the page as HTML."""
    by = {verdict: rows["file"].tolist() for verdict, rows in advice.groupby("verdict")}
    own = advice.iloc[0]
    text = (
        f"The study's parameter file {own['file']} fits: {own['why']}."
        if own["verdict"] == FITS
        else f"The study's parameter file {own['file']} does not fit: {own['why']}."
    )
    if own["verdict"] == DOES_NOT_FIT and by.get(FITS):
        text += f" Of the project's files these answer it: {', '.join(by[FITS])}."
    elif own["verdict"] == DOES_NOT_FIT:
        helping = f": each of {', '.join(by[HELPS])} answers a part" if by.get(HELPS) else ""
        text += (
            f" None of the project's files answers all of it{helping}. Copy the nearest one and "
            "change what the table names."
        )
    shown = measured.copy()
    for name in QUANTILES:
        shown[name] = [f"{value:.3g}" if np.isfinite(value) else "–" for value in shown[name]]
    shown["n"] = shown["n"].astype(str)
    sections = [
        Section(
            "advice",
            "Which parameter file fits",
            [
                Paragraph(text),
                Table(
                    "settings-advice",
                    "The project's parameter files (radiomics_params), judged by the measurements "
                    "below. A file changes one thing, or a few, of the published one. Features "
                    "that stay robust are counted where a study of the same cases was run with "
                    f"the file: {limits.text()}. Both: of the features that both tests judged.",
                    shown_advice(advice),
                    raw=advice,
                ),
                Paragraph(
                    "A file that fits on one ground may cost features on another: compare both, as "
                    "docs/parameters.md says. Choose before looking at any outcome."
                ),
            ],
        ),
        Section(
            "measured",
            "What was measured",
            [
                Table(
                    "settings-measured",
                    "Quantiles over scans (distances, spacing, interpolation) and over masks "
                    "(bins, sizes, cut voxels).",
                    shown,
                    raw=measured,
                    numeric=("n", *QUANTILES),
                )
            ],
        ),
    ]
    if families:
        sections.append(Section("robust", "Robust features by image type", [Items(families)]))
    return render(f"Settings for {title}", sections, "Settings of the extraction")


def advice_table(cohort: Cohort, current: str, robust: Mapping[str, Robust]) -> pd.DataFrame:
    """Return what is advised, a row a parameter file.

    Returns
    -------
    pandas.DataFrame
        ``file, verdict, why, cost`` in words, and for ``agreed, survived, both`` the number of
        robust features and, with ``_of``, of those that were judged; blank where not measured.
    """
    rows = []
    for each in advise(cohort, current):
        known = robust.get(each.file, Robust())
        rows.append({**each._asdict(), "cost": known.text(), **known.columns()})
    return pd.DataFrame(rows).astype(dict.fromkeys(Robust().columns(), "Int64"))


def shown_advice(advice: pd.DataFrame) -> pd.DataFrame:
    """Return the advice as the page shows it: each count beside what it is of."""
    shown = advice[["file", "verdict", "why"]].rename(columns=str.capitalize)
    for name, title in (
        ("agreed", "Readers agree"),
        ("survived", "Survive perturbations"),
        ("both", "Both"),
    ):
        pairs = zip(advice[name], advice[f"{name}_of"], strict=True)
        shown[title] = [
            "not measured" if pd.isna(robust) else f"{robust:,} of {judged:,}"
            for robust, judged in pairs
        ]
    return shown


def main(options: argparse.Namespace) -> None:
    """Measure a study's cohort, and write the page and its tables."""
    study = open_study(options.results / "study")
    tables = study.folder / "tables"
    needed = [tables / "ingest.parquet", tables / "features.parquet"]
    batches = []
    if study.cases is not None:
        batches = study.batch_files(study.folder / "batches", "resample.parquet")
    missing = [path.relative_to(study.folder) for path in needed + batches if not path.exists()]
    features = None if missing else read_table(needed[1], Features)
    if study.cases is None or features is None or features.empty:
        found = f"no {missing[0]}" if missing else "no mask that has features"
        raise StudyError(
            "Advice on settings needs a study of images whose features were computed",
            found="a study without `cases`" if study.cases is None else found,
            where=str(study.folder),
            remedy="run `snakemake features --configfile <your study>.yaml`, then this command",
            code="settings-without-features",
        )
    resample = pd.concat([read_table(path, Resample) for path in batches], ignore_index=True)
    path = study.config["extraction"]["params"]
    measured, cohort = measure(
        load_params(path),
        read_table(needed[0], Ingest),
        resample,
        features,
    )
    limits = Limits.of(study.config["selection"])
    robust = measured_by_studies(study.folder, study.config["cases"], limits)
    advice = advice_table(cohort, file_name(path), robust.by_file)
    folder = options.out or study.folder / "report" / "settings"
    folder.mkdir(parents=True, exist_ok=True)
    page = page_of(
        study.config["title"] or study.name,
        measured,
        advice,
        limits,
        by_image_type(robust.features, limits),
    )
    with whole_file(folder / "settings.html") as beside:
        beside.write_text(page, encoding="utf-8")
    (folder / "tables").mkdir(exist_ok=True)
    write_csv(advice, folder / "tables" / "settings-advice.csv")
    write_csv(measured, folder / "tables" / "settings-measured.csv")
    for row in advice[advice["verdict"].isin([FITS, HELPS])].itertuples():
        logger.info("%s %s: %s; %s", row.file, row.verdict, row.why, row.cost)
    logger.info("open %s", folder / "settings.html")


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("pipeline.settings", __doc__)
    arguments.add_argument("results", type=Path, help="folder of the study, results/<study>")
    arguments.add_argument(
        "--out", type=Path, help="folder to write (results/<study>/report/settings)"
    )
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
