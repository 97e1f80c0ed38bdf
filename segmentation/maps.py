"""Draw features voxel by voxel on the CT of typical and extreme cases of a study.

One page a case, as for readers, with the maps over the CT; and a NRRD a map for 3D Slicer. What is
mapped is, unless said otherwise, what the study's model selected.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import read_table, whole_file
from pipeline.core.keeping.store import Store
from pipeline.core.sections import taken
from pipeline.extraction import ENGINES, Parameters, load_params, read_crop
from pipeline.extraction.maps import feature_maps, mapped_features, unit_of, why_no_map
from pipeline.extraction.maps.names import UNKNOWN
from pipeline.extraction.maps.voxelwise import MOST_RADIUS
from pipeline.imaging.stored_volumes import read_nrrd, write_nrrd
from pipeline.study.sections.imaging import Agreement, Extraction
from pipeline.study.study import open_study
from pipeline.tables.readers import latest_versions
from pipeline.tables.schemas.features.features import Features
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks
from pipeline.tables.schemas.images.resample import Resample
from segmentation.pages.drawn_cases import Chosen, choose_cases, drawn_reader, selected_features
from segmentation.pages.map_overlay import colour_limits, page_map
from segmentation.pages.viewer_page import Neighbours, case_page, map_index_page
from segmentation.pages.viewer_volume import case_volume

logger = logging.getLogger("vertebromics")

#: Features of a model that are drawn, where none are named: each is a map on every page.
MOST_FEATURES = 6


@dataclass(frozen=True, kw_only=True)
class MapOptions:
    """What the maps read of a study.

    Attributes
    ----------
    study, title, threads, model_reader
        Options of these names.
    extraction, agreement : section
        The configuration's sections of these names.
    """

    study: str
    title: str | None
    threads: int
    model_reader: str | None
    extraction: Extraction = taken(Extraction)
    agreement: Agreement = taken(Agreement)


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
    options: MapOptions,
    results: Path,
    crops: Mapping[str, str],
    store: Store,
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
    options : MapOptions
        Of the frozen study.
    results : path
        ``results/<study>``.
    crops : mapping of str to str
        Where the crop of each case lies in the store, as `crops_of` returns it.
    store : Store
        Holds crops, volumes and masks.
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
        If no feature has a map.
    """
    params = load_params(options.extraction.params)
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
    tables = results / "tables"
    masks = latest_versions(read_table(tables / "masks.parquet", Masks))
    masks = masks[masks["reader"] == reader].set_index("case_id")
    images = read_table(tables / "ingest.parquet", Ingest).set_index("scan_id")["image"]
    found: dict[str, dict[str, sitk.Image]] = {}
    for done, case in enumerate(cases, start=1):
        crop = read_crop(store.path(crops[case.case_id]))
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
        ct, mask = (read_nrrd(store.path(each)) for each in (images[row.scan_id], row["mask"]))
        volume = case_volume(ct, {reader: mask})
        page = case_page(
            f"{case.case_id} ({row['level']}): {case.why}",
            volume,
            [],
            Neighbours(before, after),
            "maps",
            options.agreement.surface_tolerance_mm,
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
    title = options.title or options.study
    _write(folder / "index.html", map_index_page(title, rows, shown, words))
    return rows


def _like(values: np.ndarray, grid: sitk.Image) -> sitk.Image:
    image = sitk.GetImageFromArray(values.astype(np.float32))
    image.CopyInformation(grid)
    return image


def _write(path: Path, text: str) -> None:
    with whole_file(path) as beside:
        beside.write_text(text, encoding="utf-8")


def crops_of(
    batches: Sequence[Path], cases: Sequence[Chosen], reader: str, study: str
) -> dict[str, str]:
    """Return where the crop of each case lies in the store.

    Parameters
    ----------
    batches : sequence of path
        Tables of the stage resample.
    cases : sequence of Chosen
        What is drawn.
    reader : str
        Whose latest masks.
    study : str
        Name of the study.

    Raises
    ------
    StudyError
        If a case is none of the study's, or has no usable crop of the reader.
    """
    known = pd.concat([read_table(path, Resample) for path in batches])
    known = latest_versions(known[known["crop"].notna()])
    crops = known[known["reader"] == reader].set_index("case_id")["crop"].to_dict()
    if missing := [case.case_id for case in cases if case.case_id not in crops]:
        raise StudyError(
            f"Every mapped case must have a usable mask of reader {reader}",
            found=", ".join(missing),
            where=f"study {study}",
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
    how, tables = study.options(MapOptions), study.folder / "tables"
    batches = study.batch_files(study.folder / "batches", "resample.parquet")
    needed = [tables / f"{each}.parquet" for each in ("ingest", "masks", "features")]
    needed += batches
    if missing := [path.relative_to(study.folder) for path in needed if not path.exists()]:
        raise StudyError(
            "Maps need a study whose features were computed",
            found=f"no {missing[0]}",
            where=str(study.folder),
            remedy="run `snakemake features --configfile <your study>.yaml`, then this command",
            code="maps-without-features",
        )
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(how.threads)
    names, of_model = options.features, ""
    if names is None:
        names, of_model = selected_features(study.folder)
        mappable = [name for name in names if why_no_map(name) is None][:MOST_FEATURES]
        names = [name for name in names if name in mappable or why_no_map(name) is not None]
    reader = drawn_reader(study.readers, options.reader, how.model_reader, study.name)
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
    drawing = cases, names, reader, folder, options.radius, options.engine
    crops = crops_of(batches, cases, reader, study.name)
    rows = write_maps(how, study.folder, crops, study.store, *drawing)
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
