"""Draw features voxel by voxel on the CT of typical and extreme cases of a study.

One page a case, as for readers, with the maps over the CT; and a NRRD a map for 3D Slicer. What is
mapped is, unless said otherwise, what the study's model selected.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import SimpleITK as sitk

from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table, whole_file
from pipeline.extraction import ENGINES, Parameters, load_params, read_crop
from pipeline.extraction.maps import feature_maps, mapped_features, unit_of, why_no_map
from pipeline.extraction.maps.names import UNKNOWN
from pipeline.extraction.maps.voxelwise import MOST_RADIUS
from pipeline.imaging.stored_volumes import read_nrrd, write_nrrd
from pipeline.study.study import Study, open_study
from pipeline.tables.readers import latest_versions
from pipeline.tables.schemas.features.features import Features
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks
from pipeline.tables.schemas.images.resample import Resample
from pipeline.tables.schemas.prediction.training import Importance
from segmentation.pages.map_overlay import colour_limits, page_map
from segmentation.pages.viewer_page import Neighbours, case_page, map_index_page
from segmentation.pages.viewer_volume import case_volume

logger = logging.getLogger("vertebromics")

#: Features of a model that are drawn, where none are named: each is a map on every page.
MOST_FEATURES = 6

#: Features whose lowest and highest case are drawn, where no case is named.
EXTREMES_OF = 3


class Chosen(NamedTuple):
    """A case to draw.

    Attributes
    ----------
    case_id : str
        Case.
    why : str
        Why it is drawn.
    """

    case_id: str
    why: str


def selected_features(folder: Path) -> tuple[list[str], str]:
    """Return the radiomic features of a study's best model, and what to call that model.

    The features come in the order of what the model relies on.

    Parameters
    ----------
    folder : path
        ``results/<study>``.

    Raises
    ------
    StudyError
        If no model was trained yet, or its signature holds no radiomic feature.
    """
    remedy = "name features: --features original_firstorder_Mean original_glcm_Contrast"
    path = folder / "evaluation" / "winner.json"
    winner = read_json(path) if path.exists() else {"model": None}
    if winner["model"] is None:
        raise StudyError(
            "Without --features a map needs the features that a model of the study selected",
            found="no fitted model",
            where=str(path),
            remedy=remedy,
            code="no-model-to-map",
        )
    model = folder / "models" / winner["model"]
    importance = read_table(model / "importance.parquet", Importance)
    names = importance.loc[importance["block"] == "radiomics", "feature"].tolist()
    if not names:
        raise StudyError(
            "Without --features a map needs a model that selected radiomic features",
            found=f"{winner['model']} selected none",
            where=str(model / "importance.parquet"),
            remedy=remedy,
            code="model-without-features-to-map",
        )
    return names, read_json(model / "model.json")["label"]


def choose_cases(features: pd.DataFrame, names: Sequence[str]) -> list[Chosen]:
    """Return the most typical case, and those with the least and greatest value of features.

    Parameters
    ----------
    features : pandas.DataFrame
        One row per case: ``case_id`` and the columns `names`.
    names : sequence of str
        Mapped features, the most important first.

    Returns
    -------
    list of Chosen
        Each case once. Typical is the case whose features lie nearest to their medians, in units
        of their interquartile ranges (root mean square); extremes are those of the first
        `EXTREMES_OF` features.
    """
    values = features.set_index("case_id")[list(names)]
    spread = values.quantile(0.75) - values.quantile(0.25)
    apart = ((values - values.median()) / spread.where(spread > 0)).pow(2).mean(axis=1)
    why: dict[str, list[str]] = {}
    if apart.notna().any():
        why[apart.idxmin()] = ["typical: nearest to the medians of the mapped features"]
    for name in names[:EXTREMES_OF]:
        known = values[name].dropna()
        if known.empty:
            continue
        for word, case_id in (("lowest", known.idxmin()), ("highest", known.idxmax())):
            why.setdefault(case_id, []).append(f"{word} {name} ({known[case_id]:.4g})")
    return [Chosen(case_id, "; ".join(reasons)) for case_id, reasons in why.items()]


def drawn_reader(study: Study, asked: str | None) -> str:
    """Return whose masks are drawn on: the reader asked for, the model's, or the first one."""
    if asked is None:
        asked = study.config["model_reader"]
        return asked if asked in study.readers else study.readers[0]
    if asked not in study.readers:
        raise StudyError(
            "The option --reader must name a reader of the study",
            found=asked,
            where=f"study {study.name}",
            remedy=f"name one of {', '.join(study.readers)}",
            code="map-reader-unknown",
        )
    return asked


def kernel_words(params: Parameters, radius: int) -> str:
    """Return in words which voxels a value is computed from."""
    side, spacing = 2 * radius + 1, params.settings.get("resampledPixelSpacing")
    flat = params.settings.get("force2D", False)
    box = f"{side} x {side}" if flat else f"{side} x {side} x {side}"
    grid = "the CT's own grid" if spacing is None else f"the grid of {spacing[0]:g} mm"
    if spacing is not None and len(set(spacing)) > 1:
        grid = f"the grid of {' x '.join(f'{each:g}' for each in spacing)} mm"
    return (
        f"{box} voxels (radius {radius}) on {grid}, of which only those inside the mask count; "
        "grey levels are binned once, over the whole region"
    )


def write_maps(
    study: Study,
    cases: Sequence[Chosen],
    names: Sequence[str],
    reader: str,
    folder: Path,
    radius: int = 1,
    engine: str = ENGINES[0],
) -> list[dict]:
    """Map features of cases; write a page and the NRRD files of each case, and the list.

    Parameters
    ----------
    study : Study
        The frozen study, with its crops.
    cases : sequence of Chosen
        What is drawn.
    names : sequence of str
        Features; those without a map are named in the list, with the reason.
    reader : str
        Whose latest masks.
    folder : path
        Receives ``index.html``, ``<case_id>.html`` and ``<case_id>/*.nrrd``.
    radius : int, default=1
        Of the neighbourhood, in voxels.
    engine : {'fast', 'pyradiomics'}
        Who computes.

    Returns
    -------
    list of dict
        Rows of the list.

    Raises
    ------
    StudyError
        If a case is none of the study's, or has no usable crop of the reader; if no feature has a
        map.
    """
    params = load_params(study.config["extraction"]["params"])
    # A name that is mistyped is refused below; a shape is told to have no map.
    mapped = [name for name in names if why_no_map(name) in (None, UNKNOWN)]
    if not mapped:
        raise StudyError(
            "At least one of the features must have a map",
            found=", ".join(f"{name} ({why_no_map(name)})" for name in names[:3]),
            remedy="name first-order or texture features with --features",
            code="features-all-without-map",
        )
    units = {each.name: unit_of(each, params) for each in mapped_features(mapped, params)}
    crops, tables = _crops(study, cases, reader), study.folder / "tables"
    masks = latest_versions(read_table(tables / "masks.parquet", Masks))
    masks = masks[masks["reader"] == reader].set_index("case_id")
    images = read_table(tables / "ingest.parquet", Ingest).set_index("scan_id")["image"]
    found: dict[str, dict[str, sitk.Image]] = {}
    for done, case in enumerate(cases, start=1):
        crop = read_crop(study.store.path(crops[case.case_id]))
        values = feature_maps(crop, params, mapped, radius=radius, engine=engine)
        found[case.case_id] = {name: _like(values[name], crop.image) for name in mapped}
        beside = folder / case.case_id
        beside.mkdir(parents=True, exist_ok=True)
        for name, image in found[case.case_id].items():
            write_nrrd(image, beside / f"{name}.nrrd")
        write_nrrd(sitk.Cast(crop.image, sitk.sitkFloat32), beside / "image.nrrd")
        write_nrrd(crop.mask, beside / "mask.nrrd")
        command.progress("maps", done, len(cases), case.case_id)
    limits = {
        name: colour_limits([sitk.GetArrayViewFromImage(maps[name]) for maps in found.values()])
        for name in mapped
    }
    rows, words = [], kernel_words(params, radius)
    ids = [case.case_id for case in cases]
    for case, before, after in zip(cases, [None, *ids[:-1]], [*ids[1:], None], strict=True):
        row = masks.loc[case.case_id]
        ct, mask = (
            read_nrrd(study.store.path(each)) for each in (images[row.scan_id], row["mask"])
        )
        volume = case_volume(ct, {reader: mask})
        page = case_page(
            f"{case.case_id} ({row['level']}): {case.why}",
            volume,
            [],
            Neighbours(before, after),
            "maps",
            study.config["agreement"]["surface_tolerance_mm"],
            [
                page_map(name, units[name], found[case.case_id][name], limits[name], volume)
                for name in mapped
            ],
            words,
        )
        _write(folder / f"{case.case_id}.html", page)
        rows.append(
            {
                "case_id": case.case_id,
                "level": row["level"],
                "reader": reader,
                "why": case.why,
                "page": f"{case.case_id}.html",
                "folder": f"{case.case_id}/",
            }
        )
    shown = [
        {"name": name, "note": why_no_map(name)}
        if name not in units
        else {
            "name": name,
            "unit": units[name],
            "low": f"{limits[name][0]:.4g}",
            "high": f"{limits[name][1]:.4g}",
            "note": None,
        }
        for name in names
    ]
    title = study.config["title"] or study.name
    _write(folder / "index.html", map_index_page(title, rows, shown, words))
    return rows


def _like(values: np.ndarray, grid: sitk.Image) -> sitk.Image:
    image = sitk.GetImageFromArray(values.astype(np.float32))
    image.CopyInformation(grid)
    return image


def _write(path: Path, text: str) -> None:
    with whole_file(path) as beside:
        beside.write_text(text, encoding="utf-8")


def _crops(study: Study, cases: Sequence[Chosen], reader: str) -> dict[str, str]:
    """Return where the crop of each case lies in the store."""
    batches = study.batch_files(study.folder / "batches", "resample.parquet")
    known = pd.concat([read_table(path, Resample) for path in batches])
    known = latest_versions(known[known["crop"].notna()])
    crops = known[known["reader"] == reader].set_index("case_id")["crop"].to_dict()
    if missing := [case.case_id for case in cases if case.case_id not in crops]:
        raise StudyError(
            f"Every mapped case must have a usable mask of reader {reader}",
            found=", ".join(missing),
            where=f"study {study.name}",
            remedy="name a case of tables/extraction.csv whose status is not error, or --reader",
            code="map-case-without-crop",
        )
    return crops


def main(options: argparse.Namespace) -> None:
    """Choose features and cases where none are named, and write their maps."""
    study = open_study(options.results / "study")
    if study.cases is None:
        raise StudyError(
            "Maps need a study that starts from images",
            found=f"study {study.name} starts from ready feature tables",
            remedy="run the extraction in a study with a table `cases`",
            code="maps-without-images",
        )
    tables = study.folder / "tables"
    needed = [tables / f"{each}.parquet" for each in ("ingest", "masks", "features")]
    needed += study.batch_files(study.folder / "batches", "resample.parquet")
    if missing := [path.relative_to(study.folder) for path in needed if not path.exists()]:
        raise StudyError(
            "Maps need a study whose features were computed",
            found=f"no {missing[0]}",
            where=str(study.folder),
            remedy="run `snakemake features --configfile <your study>.yaml`, then this command",
            code="maps-without-features",
        )
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(study.config["threads"])
    names, of_model = options.features, ""
    if names is None:
        names, of_model = selected_features(study.folder)
        mappable = [name for name in names if why_no_map(name) is None][:MOST_FEATURES]
        names = [name for name in names if name in mappable or why_no_map(name) is not None]
    reader = drawn_reader(study, options.reader)
    if options.case:
        cases = [Chosen(case_id, "named") for case_id in dict.fromkeys(options.case)]
    else:
        features = read_table(tables / "features.parquet", Features)
        features = latest_versions(features)
        mapped = [name for name in names if why_no_map(name) is None and name in features]
        of_reader = features[features["reader"] == reader]
        cases = choose_cases(of_reader, mapped)
        if mapped and not cases:
            raise StudyError(
                f"Maps need a case of reader {reader} with a value of a mapped feature",
                found=f"{len(of_reader)} masks with features, none with a value",
                where=str(tables / "features.parquet"),
                remedy="name another reader with --reader, other features with --features, or a "
                "case with --case",
                code="no-case-to-map",
            )
    folder = options.out or study.folder / "report" / "maps"
    folder.mkdir(parents=True, exist_ok=True)
    rows = write_maps(study, cases, names, reader, folder, options.radius, options.engine)
    logger.info(
        "%d cases, %d features%s: open %s",
        len(rows),
        len(names),
        f" of {of_model}" if of_model else "",
        folder / "index.html",
    )


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("segmentation.maps", __doc__)
    arguments.add_argument("results", type=Path, help="folder of the study, results/<study>")
    arguments.add_argument(
        "--case", nargs="+", help="cases to draw (default: a typical one and extremes)"
    )
    arguments.add_argument(
        "--features",
        nargs="+",
        help=f"features to map (default: of the best model the first {MOST_FEATURES})",
    )
    arguments.add_argument("--reader", help="reader of the masks (default: the model's)")
    arguments.add_argument(
        "--radius",
        type=int,
        default=1,
        choices=range(1, MOST_RADIUS + 1),
        help="of the neighbourhood, in voxels of the resampled grid (1)",
    )
    arguments.add_argument(
        "--engine",
        choices=ENGINES,
        default=ENGINES[0],
        help="which program computes the maps (fast)",
    )
    arguments.add_argument("--out", type=Path, help="folder to write (results/<study>/report/maps)")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
