"""Remedies of masks that fail in a stage, and of what a study then does (`on_bad_case`)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import SimpleITK as sitk

from pipeline import extract
from pipeline.core.errors import CaseError
from pipeline.core.files import read_table
from pipeline.core.findings import Finding, from_json
from pipeline.core.keeping.store import Store
from pipeline.extract import extract_crops
from pipeline.extraction import extract_features, load_crop, load_params
from pipeline.extraction.verification import check_verified, quarantine, verify
from pipeline.preflight import stop_on_errors
from pipeline.resample import resample_masks
from tests.pipeline import test_extract, test_preflight, test_resample
from tests.pipeline.extraction import test_extraction, test_verification
from tests.remedies import Given, Remedy, entries, refused, says
from tests.remedies.doors import SECTION, rule_of
from tests.segmentation import test_masks as masks

# --- One region ----------------------------------------------------------------------------------

CT, MASK = test_extraction.ct_and_mask(spacing=(1, 1, 1))
SMALL = test_extraction.SMALL
AS_IT_IS = SMALL | {"setting": SMALL["setting"] | {"resampledPixelSpacing": None}}
OFF = sitk.Image(MASK)
OFF.SetSpacing((0.7, 0.8, 3.0))

REGIONS: dict[str, Given] = {
    "The extraction finds no voxel of the label": (
        lambda _, given: load_crop(CT, given[0], load_params(SMALL), label=given[1]),
        [(MASK * 0, None), (MASK, 5)],
        "(draw the region|name the region's value in the column `label`)",
        [(MASK, None), (MASK, 1), (MASK * 5, 5)],
    ),
    "PyRadiomics cannot compute a feature of the region": (
        lambda _, mask: [
            extract_features(CT, mask, AS_IT_IS, engine=engine)
            for engine in ("fast", "pyradiomics")
        ],
        [OFF],
        "look at the mask on the page of the preflight; correct it",
        [MASK],
    ),
}


# --- A row of a stage quotes the error of its case; its remedy mends it ---------------------------


def mask_failed(folder: Path) -> None:
    masks.write_files(folder)

    def found() -> list[list[Finding]]:
        rows = [
            masks.case(folder, reader, f"{name}.nrrd")
            for reader, name in zip("AB", ("mine", "plain"), strict=True)
        ]
        return [from_json(text) for text in masks.prepare(rows, Store(folder / "s"))["findings"]]

    (folder / "mine.nrrd").write_bytes((folder / "empty.nrrd").read_bytes())
    (failed,), other = found()
    assert (failed.code, failed.severity) == ("mask-failed", "error")
    says(failed.message, "the file is empty")
    says(failed.remedy, "draw|save|hand in")
    assert "error" not in {one.severity for one in other}
    (folder / "mine.nrrd").write_bytes((folder / "plain.nrrd").read_bytes())
    assert found()[0] == other


def resample_failed(folder: Path) -> None:
    """A stray click is drawn again."""
    store = test_resample.store_in(folder)

    def found(name: str) -> list[Finding]:
        table = test_resample.masks_table(name)
        return from_json(
            resample_masks(table, store, load_params(test_resample.PARAMS))["findings"][0]
        )

    (failed,) = found("click")
    assert (failed.code, failed.severity) == ("resample-failed", "error")
    says(failed.message, "more than one voxel wide")
    says(failed.remedy, "stray click")
    assert "error" not in {one.severity for one in found("a")}


def extract_failed(folder: Path) -> None:
    store = test_extract.store_in(folder)
    params = load_params(test_extract.PARAMS)
    test_extract.spoil(store)
    (failed,) = from_json(
        extract_crops(test_extract.crops_table(), store, params)[1]["findings"][0]
    )
    assert (failed.code, failed.severity) == ("extract-failed", "error")
    says(failed.remedy, "draw the whole region")
    drawn = test_extract.store_in(folder / "drawn")
    status = extract_crops(test_extract.crops_table(), drawn, params)[1]
    assert status["findings"].tolist() == ["[]", "[]"]


# --- `on_bad_case: stop` -------------------------------------------------------------------------


def gate(_: Path) -> None:
    """Mended files have no error; with `exclude` the gate is not asked, and they are left out."""
    table = test_preflight.verdicts()
    refused(
        SECTION, "Masks with errors, `on_bad_case: stop`", lambda: stop_on_errors(table),
        "mend the files that the page report/preflight/index.html names, or set on_bad_case: excl",
    )  # fmt: skip
    mended = test_preflight.judge(
        *test_preflight.tables(
            {"s1": [], "s2": []}, [("c1", "s1", "A", [], "h"), ("c2", "s2", "A", [], "i")]
        ),
        {},
    )
    stop_on_errors(mended)


def without_features(folder: Path) -> None:
    """Both ways: the mask is drawn again, or its case is left out."""
    name = "Cases without features, `on_bad_case: stop`"
    bad = test_extract.store_in(folder)
    test_extract.spoil(bad)
    stop = test_extract.command_of(bad, folder, "stop")
    refused(
        SECTION, name, lambda: extract.main(stop),
        "mend them, see the lines above, or set on_bad_case: exclude", CaseError,
    )  # fmt: skip
    leave = test_extract.command_of(bad, folder, "exclude")
    extract.main(leave)
    assert read_table(leave.out)["reader"].tolist() == ["B"]
    good = test_extract.store_in(folder / "drawn")
    mended = test_extract.command_of(good, folder / "drawn", "stop")
    extract.main(mended)
    assert read_table(mended.out)["reader"].tolist() == ["A", "B"]


def differs(folder: Path) -> None:
    """PyRadiomics' own values are not compared with themselves: nothing is left to differ."""
    store, sources = test_verification.store_in(folder), test_verification.both_sources()
    params = load_params(test_verification.PARAMS)
    crops = resample_masks(sources.masks.merge(sources.ingest, on="scan_id"), store, params)
    features, extraction = extract_crops(crops, store, params)
    wrong = test_verification.wrong(features)
    table = verify(extraction, wrong, sources, store, params)
    finding = from_json(quarantine(extraction, wrong, table)[0]["findings"][1])[-1]
    assert (finding.code, finding.severity) == ("differs-from-pyradiomics", "error")
    says(finding.message, rule_of("Features that plain PyRadiomics computes otherwise"))
    says(finding.remedy, "set extraction.engine: pyradiomics, and report it")
    features, extraction = extract_crops(crops, store, params, "pyradiomics")
    assert set(extraction["engine"]) == {"pyradiomics"}
    table = verify(extraction, features, sources, store, params)
    assert check_verified(table)["verified"] == 2
    pd.testing.assert_frame_equal(quarantine(extraction, features, table)[1], features)


REMEDIES: dict[str, Remedy] = {
    **entries(SECTION, REGIONS),
    "A mask that could not be read for a reason of its own (a finding that quotes the error)": (
        mask_failed
    ),
    "A mask that could not be cut out and resampled (a finding that quotes the error)": (
        resample_failed
    ),
    "A mask whose features could not be computed (a finding that quotes the error)": (
        extract_failed
    ),
    "Masks with errors, `on_bad_case: stop`": gate,
    "Cases without features, `on_bad_case: stop`": without_features,
    "Features that plain PyRadiomics computes otherwise": differs,
}
