"""Remedies of what is noted of a mask and keeps its case: pieces, gas, axes, names, fractions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from models.transformers.imputation import Imputer
from pipeline.core.findings import Finding, from_json, status_of
from pipeline.core.keeping.store import Store
from pipeline.extract import check_features
from pipeline.extraction import features_of_crop, load_crop, load_params
from pipeline.resample import check_clipping
from segmentation.formats.mask_files import read_mask_file
from segmentation.structures.label_conventions import (
    TOTALSEGMENTATOR,
    VERSE,
    choose_segment,
    convention_of,
)
from tests.pipeline import test_extract
from tests.pipeline.test_resample import PARAMS
from tests.remedies import Remedy, says
from tests.remedies.doors import rule_of, warned
from tests.remedies.masks_of_dicom import exported, grid_of
from tests.remedies.masks_on_ct import WHOLE, judged, painted, readers
from tests.segmentation import test_masks as masks
from tests.segmentation.regions.test_region_checks import BONE
from tests.segmentation.structures.test_label_tables import label_map, xml

REMEDIES: dict[str, Remedy] = {}


def noted(bad_input: str, before: Callable, words: str, after: Callable) -> Remedy:
    """Return the entry of a note: the case is kept as it is, and without its cause it is gone.

    Where the remedy says that nothing is to be done, `after` shows what it was about.
    """

    def remedy(folder: Path) -> None:
        (finding,) = before(folder)
        assert finding.code == CODES[bad_input]
        assert finding.severity == "info"
        assert status_of([finding]) == "ok"
        says(finding.message, rule_of(bad_input))
        says(finding.remedy or NOTHING[bad_input], words)
        assert after(folder) == []

    return remedy


PIECES = "A mask in several pieces, the smaller ones in bone"
CLEFT = "Gas in the region (vacuum cleft)"
NAMES = "The label's name and its number say different levels"
FRACTIONS = "A DICOM segmentation of fractions instead of yes and no"
CODES = {
    PIECES: "fragments",
    CLEFT: "vacuum-cleft",
    NAMES: "names-over-numbers",
    FRACTIONS: "mask-was-fractional",
}
#: Notes that print no remedy: what the page says.
NOTHING = {PIECES: "nothing to do", CLEFT: "nothing to do"}


def numbered(number: int, convention: str) -> Callable:
    """Return what is said of a file whose label of this number is named L1."""

    def of(folder: Path) -> list[Finding]:
        path = label_map(folder / f"{number}.nii.gz", xml({number: "vertebrae_L1"}), (number,))
        held = read_mask_file(path)
        return choose_segment(held, None, "L1", convention_of(convention))[1]

    return of


def stored(kind: str) -> Callable:
    """Return what is said of a DICOM segmentation of this kind."""

    def of(folder: Path) -> list[Finding]:
        held = read_mask_file(exported(folder, kind))
        return held.on_grid(held.segments[0], grid_of(folder)).findings

    return of


REMEDIES |= {
    PIECES: noted(
        PIECES, judged(painted(1, slice(28, 52), slice(20, 22), slice(30, 45), hu=BONE)),
        "nothing to do", WHOLE,
    ),
    CLEFT: noted(
        CLEFT, judged(painted(1, slice(38, 42), slice(36, 42), slice(30, 50), hu=-900)),
        "nothing to do", WHOLE,
    ),
    NAMES: noted(
        NAMES, numbered(VERSE["L1"], "totalsegmentator"),
        "nothing to do if the names are right",
        numbered(TOTALSEGMENTATOR["L1"], "totalsegmentator"),
    ),
    FRACTIONS: noted(
        FRACTIONS, stored("FRACTIONAL"),
        "hand in a binary segmentation, or check masks.fractional_threshold", stored("BINARY"),
    ),
    "Two readers' masks whose centres lie far apart": warned(
        "Two readers' masks whose centres lie far apart", readers(10.0),
        "look whether one of the masks is shifted or holds more than the vertebra", readers(1.0),
    ),
}  # fmt: skip


def axes_run_otherwise(folder: Path) -> None:
    """Nothing is to be done: the voxels that the study uses are those of the other mask."""
    masks.write_files(folder)
    rows = [masks.case(folder, "A", "plain.nrrd"), masks.case(folder, "B", "flipped.nii.gz")]
    table = masks.prepare(rows, Store(folder / "store"))
    plain, flipped = (from_json(text) for text in table["findings"])
    (note,) = [one for one in flipped if one not in plain]
    assert (note.code, note.severity) == ("mask-reoriented", "info")
    says(note.message, rule_of("A mask whose axes run otherwise than those of the CT"))
    says(note.remedy, "nothing to do; plain PyRadiomics")
    assert table["mask_hash"].nunique() == 1


UNDEFINED = (
    "A region in which some features are not defined, such as one of voxels that do not touch"
)


def undefined(_: Path) -> None:
    """Both ways: the region is drawn again, or a model imputes the values from the others'."""
    params = load_params(test_extract.PARAMS)
    drawn = test_extract.crop_of(0)
    apart = np.zeros_like(sitk.GetArrayFromImage(drawn.mask))
    apart[1:8:2, 1:9:2, 1:10:2] = 1
    crops = {"drawn": drawn, "apart": drawn._replace(mask=sitk.GetImageFromArray(apart))}
    values = {name: features_of_crop(crop, params).values for name, crop in crops.items()}
    (finding,) = check_features(values["apart"])
    assert (finding.code, finding.severity) == ("features-undefined", "warning")
    says(finding.message, rule_of(UNDEFINED))
    says(finding.remedy, "draw it again if it is not meant so; models impute the values")
    assert check_features(values["drawn"]) == []
    table = pd.DataFrame(values).T.astype(float)
    imputed = Imputer("median").fit(table).transform(table)
    assert np.isfinite(np.asarray(imputed)).all()


def cut_off(_: Path) -> None:
    """A larger field of view, in which air and fat lie, widens the limit."""
    params = load_params(PARAMS)

    def findings(voxels: np.ndarray) -> list[Finding]:
        mask = np.zeros(voxels.shape, np.uint8)
        mask[3:7, 11:15, 11:15] = 1
        voxels[mask == 1] = 600
        images = [sitk.GetImageFromArray(each) for each in (voxels.astype(np.int16), mask)]
        return check_clipping(load_crop(*images, params).clipped_share, params)

    muscle = np.random.default_rng(0).normal(50, 20, (10, 26, 26))
    (finding,) = findings(muscle.copy())
    assert (finding.code, finding.severity) == ("clipped-by-normalisation", "warning")
    says(finding.message, rule_of("Voxels of the region that the normalisation cut off"))
    says(finding.remedy, "or reconstruct a larger field of view")
    air = np.pad(muscle, ((0, 0), (10, 10), (10, 10)), constant_values=-1000)
    air[:, :13, :13] = air[:, 33:, 33:] = -1000
    assert findings(np.roll(air, (-10, -10), (1, 2))) == []


REMEDIES |= {
    "A mask whose axes run otherwise than those of the CT": axes_run_otherwise,
    UNDEFINED: undefined,
    "Voxels of the region that the normalisation cut off": cut_off,
}
