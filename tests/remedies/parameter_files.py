"""Remedies of the section of docs/bad_inputs.md of this name."""

from __future__ import annotations

import copy
import functools
import re
import warnings
from pathlib import Path

import yaml

from pipeline.core.installed.own_files import OWN_FILES
from pipeline.extract import extract_crops
from pipeline.extraction import feature_names, load_params
from pipeline.extraction.params import parameter_notes
from pipeline.extraction.verification import check_verified, verify
from pipeline.resample import resample_masks
from pipeline.study.config import resolve_config
from tests.docs.test_bad_inputs_doc import ROWS
from tests.pipeline.extraction.test_extraction_params import WRONG, WRONG_FILES
from tests.pipeline.extraction.test_verification import PARAMS, both_sources, store_in, wrong
from tests.pipeline.test_validate import Files
from tests.remedies import Remedy, refused, rule_of, says

SECTION = "Parameter files"
PUBLISHED = load_params(OWN_FILES / "radiomics_params" / "ge2025.yaml").content
OUT = "leave {} out for PyRadiomics' default"

#: Case of test_extraction_params.py: what the remedy says, and the section's entries after it
#: (`...`: left out).
ENTRIES: dict[str, tuple[str, list[dict]]] = {
    "a misspelt setting": ("perhaps binWidth", [{"binWdth": ..., "binWidth": 25}]),
    "an image type without settings": (r"write `Wavelet: \{\}`", [{"Wavelet": {}}]),
    "padding below a filter": ("move it there", [{"LoG": {"sigma": [5.0]}}]),
    "LoG without sigma": (r"LoG: \{sigma: \[1\.0, 3\.0, 5\.0\]\}", [
        {"LoG": {"sigma": [1.0, 3.0, 5.0]}}]),
    "a negative sigma": (r"such as \[1\.0, 3\.0, 5\.0\]", [{"LoG": {"sigma": [1.0, 3.0, 5.0]}}]),
    "one sigma without a list": (r"as a list: \[3\.0\]", [{"LoG": {"sigma": [3.0]}}]),
    "a continuous wavelet": (OUT.format("wavelet"), [
        {"Wavelet": {}}, {"Wavelet": {"wavelet": "coif1"}}]),
    "an empty list of features": ("write nothing behind the colon", [{"glcm": None}]),
    "a deprecated feature": ("take Idm", [{"glcm": ["Idm"]}]),
    "a feature named twice": ("remove the second", [{"glcm": ["Id"]}]),
    "shape2D in three dimensions": ("take `shape` in its place", [{"shape2D": ..., "shape": None}]),
    "a negative bin width": (OUT.format("binWidth"), [{"binWidth": 1}, {"binWidth": ...}]),
    "a bin width with a comma": ("write 0.5, with a point", [{"binWidth": 0.5}]),
    "a number with exponent": ("write 1.0e-6", [{"geometryTolerance": 1.0e-6}]),
    "bin width and bin count": ("remove one of them", [{"binWidth": ...}, {"binCount": ...}]),
    "one bin for everything": ("normalizeScale to 100.*or a smaller binWidth", [
        {"normalizeScale": 100}, {"binWidth": 0.1}]),
    "a yes in quotes": ("true or false, without quotes", [{"normalize": True}]),
    "a spacing of two numbers": (OUT.format("resampledPixelSpacing"), [
        {"resampledPixelSpacing": [1, 1, 0]}, {"resampledPixelSpacing": ...}]),
    "an unknown interpolator": (OUT.format("interpolator"), [
        {"interpolator": "sitkLinear"}, {"interpolator": ...}]),
    "resampling without interpolator": ("`interpolator: sitkBSpline`", [
        {"interpolator": "sitkBSpline"}]),
    "half a voxel of padding": (OUT.format("padDistance"), [{"padDistance": 2}]),
    "a distance of zero": (OUT.format("distances"), [{"distances": [1]}, {"distances": ...}]),
    "a range upside down": (OUT.format("resegmentRange"), [{"resegmentRange": [-100, 300]}]),
    "a label of zero": (OUT.format("label"), [{"label": 1}, {"label": ...}]),
    "four dimensions": (OUT.format("minimumROIDimensions"), [{"minimumROIDimensions": 3}]),
}  # fmt: skip

#: The same of whole files, and the text after it.
FILES = {
    "a list": ("start from a file of radiomics_params", "setting: {}"),
    "feature maps": ("leave the section voxelSetting out", "setting: {}"),
    "a setting outside its section": ("write `setting:` and, indented", "setting:\n  binWidth: 25"),
    "a section that names nothing": ("leave it out", "setting: {}"),
    "a list in a section": ("write `name: value`", "setting:\n  binWidth: 25"),
    "no YAML": ("write `name: value`", "setting:\n  binWidth: 25"),
    "a tab": ("YAML wants blanks", "setting:\n  binWidth: 25"),
    "a setting twice": ("remove one of the two", "setting:\n  binWidth: 25"),
}


def edited(section: str, *changes: dict) -> dict:
    content = copy.deepcopy(PUBLISHED)
    for one in changes:
        content[section] |= one
    content[section] = {key: value for key, value in content[section].items() if value is not ...}
    return content


def entry(name: str, case: str, _: Path) -> None:
    section, bad = WRONG[case][:2]
    remedy, goods = ENTRIES[case]
    refused(SECTION, name, lambda: load_params(edited(section, bad)), remedy)
    for good in goods:
        load_params(edited(section, bad, good))


def file(name: str, case: str, folder: Path) -> None:
    remedy, good = FILES[case]
    path = folder / "p.yaml"
    path.write_text(WRONG_FILES[case][0], encoding="utf-8")
    refused(SECTION, name, lambda: load_params(path), remedy)
    path.write_text(good, encoding="utf-8")
    load_params(path)


def missing(folder: Path) -> None:
    name = "A parameter file that does not exist"
    refused(SECTION, name, lambda: load_params(folder / "p.yaml"), "correct the path")
    (folder / "right.yaml").write_text("setting: {}")
    load_params(folder / "right.yaml")


def a_folder(folder: Path) -> None:
    name = "A folder in place of the file"
    refused(SECTION, name, lambda: load_params(folder), "name the .yaml file in it")
    (folder / "p.yaml").write_text("setting: {}")
    load_params(folder / "p.yaml")


def unconfirmed(folder: Path) -> None:
    """Spoil one value that the fast engine computed, and compute it by the engine of the remedy."""
    name = "Features that plain PyRadiomics does not confirm (`extraction.verify_fraction`)"
    store, sources, params = store_in(folder), both_sources(), load_params(PARAMS)
    crops = resample_masks(sources.masks.merge(sources.ingest, on="scan_id"), store, params)
    features, extraction = extract_crops(crops, store, params)
    table = verify(extraction, wrong(features), sources, store, params)
    error = refused(SECTION, name, lambda: check_verified(table), r"set extraction\.engine: (\w+)")
    engine = re.search(r"extraction\.engine: (\w+)", error.remedy)[1]
    options = resolve_config({"study": "s", "cases": "c.csv", "extraction": {"engine": engine}})
    features, anew = extract_crops(crops, store, params, options["extraction"]["engine"])
    assert set(anew["engine"]) == {engine} != set(extraction["engine"])
    assert check_verified(verify(anew, features, sources, store, params))["verified"] == 2


def no_library(_: Path) -> None:
    """Ask for an image type whose library is not installed; take it out again."""
    name = "An image type whose library is not installed (LBP)"
    types = PUBLISHED["imageType"]
    for image_type in ("LBP2D", "LBP3D"):
        asked = load_params(edited("imageType", {image_type: {}}))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of the library that is there
            refused(SECTION, name, lambda asked=asked: feature_names(asked),
                    f"take {image_type} out of `imageType`")  # fmt: skip
        without = load_params(edited("imageType", {image_type: {}}, {image_type: ...}))
        assert without.content["imageType"] == types
        assert len(feature_names(without)) == 1223


def outliers(_: Path) -> None:
    """Cut outliers without normalisation; each of both remedies ends the note."""
    bad = {"normalize": False, "removeOutliers": 3}
    (note,) = parameter_notes(load_params(edited("setting", bad)))
    says(note, rule_of(SECTION, "Outliers to cut without normalisation"))
    says(note, "write `normalize: true`, or leave removeOutliers out")
    for good in ({"normalize": True}, {"removeOutliers": ...}):
        assert parameter_notes(load_params(edited("setting", bad, good))) == []


def of_a_study(folder: Path) -> None:
    """Let validation, which comes before any rule, find the mistake in a study's file."""
    name, files = "A mistake in a study's file, before any rule runs", Files(folder, 12)
    path = folder / "mine.yaml"
    options = {"extraction": {"params": str(path)}}
    path.write_text(yaml.safe_dump(edited("setting", {"binWidth": 0})), encoding="utf-8")
    error = refused(SECTION, name, lambda: files.study(**options), OUT.format("binWidth"))
    says(error, "binWidth. must be a number above 0", "mine.yaml")
    assert not (folder / "results").exists()
    path.write_text(yaml.safe_dump(edited("setting", {"binWidth": ...})), encoding="utf-8")
    assert files.study(**options).config["extraction"]["params"] == str(path)


REMEDIES: dict[str, Remedy] = {
    "Features that plain PyRadiomics does not confirm (`extraction.verify_fraction`)": unconfirmed,
    "An image type whose library is not installed (LBP)": no_library,
    "Outliers to cut without normalisation": outliers,
    "A mistake in a study's file, before any rule runs": of_a_study,
    "A parameter file that does not exist": missing,
    "A folder in place of the file": a_folder,
}
for _row in ROWS:
    _case = _row.test.partition("[")[2].removesuffix("]")
    if _row.section == SECTION and _case in ENTRIES | FILES:
        _driver = entry if _case in ENTRIES else file
        REMEDIES[_row.bad_input] = functools.partial(_driver, _row.bad_input, _case)
