"""Proposals on a phantom whose body is known, on public vertebrae, and as files for 3D Slicer."""

from __future__ import annotations

import logging
import subprocess
import sys

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk
import slicerio

from pipeline.core.errors import CaseError, StudyError, VertebromicsError
from pipeline.imaging.geometry import Geometry
from segmentation import propose as module
from segmentation.propose import propose, write_proposal
from segmentation.regions.compare import dice
from segmentation.regions.placement import DEFAULTS, Case, place_mask
from tests.support.refusals import refusal

SEED = (5.0, -3.0, 12.0)


#: Size of the phantom along x, y, z.
SIZE_MM = (110, 110, 110)


def phantom(
    spacing=(1.0, 1.0, 1.0), tilt_degrees=0.0, trabecular=170.0, cleft=False
) -> tuple[sitk.Image, np.ndarray]:
    """Return a CT of three vertebrae in LPS with the middle one at `SEED`, and its body's mask.

    A body is 44 mm wide, 32 mm deep and 26 mm high with a cortex of 1.5 mm; discs of 9 mm, a canal
    of 16 mm behind the bodies, pedicles of 9 mm, and an arch.
    """
    shape = [round(full / step) for full, step in zip(SIZE_MM, spacing, strict=True)][::-1]
    measures = zip(SEED, SIZE_MM, spacing, strict=True)
    origin = [at - full / 2 + step / 2 for at, full, step in measures]
    z, y, x = np.meshgrid(
        *(start - at + step * np.arange(n) for start, at, step, n in
          zip(origin[::-1], SEED[::-1], spacing[::-1], shape, strict=True)),
        indexing="ij",
    )  # fmt: skip
    turn = np.radians(tilt_degrees)
    y, z = np.cos(turn) * y + np.sin(turn) * z, -np.sin(turn) * y + np.cos(turn) * z
    rng = np.random.default_rng(0)
    hu = rng.normal(40, 12, shape)
    outline = np.maximum(np.abs(x / 22) ** 2.5 + np.abs(y / 16) ** 2.5, 0) ** (1 / 2.5)
    middle = None
    for centre in (-35, 0, 35):
        high = np.abs(z - centre)
        body = (outline <= 1) & (high <= 13)
        cortex = body & ((outline > 1 - 1.5 / 16) | (high > 11.5))
        arch = (high <= 7) & (np.hypot(x, y - 24) <= 14) & (np.hypot(x, y - 24) >= 9) & (y > 16)
        pedicle = (high <= 7) & (np.abs(np.abs(x) - 13) <= 4.5) & (y > 10) & (y < 26) & ~body
        process = (high <= 6) & (np.abs(x) > 12) & (np.abs(x) < 34) & (np.abs(y - 24) < 4)
        for part, value in ((body, trabecular), (cortex, 500.0), (arch | pedicle | process, 420.0)):
            hu[part] = rng.normal(value, 25, np.count_nonzero(part))
        if centre == 0:
            middle = body
    discs = (outline <= 1) & (np.abs(np.abs(z) - 17.5) < 4.5)
    hu[discs] = rng.normal(80, 15, np.count_nonzero(discs))
    if cleft:
        hu[(np.abs(x) < 12) & (np.abs(y) < 8) & (np.abs(z - 6) < 2)] = -650
    image = sitk.GetImageFromArray(hu.astype(np.float32))
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    return sitk.Cast(image, sitk.sitkInt16), middle


@pytest.mark.parametrize(
    ("options", "least"),
    [
        ({}, 0.92),
        ({"tilt_degrees": 20}, 0.91),
        ({"tilt_degrees": -20}, 0.91),
        ({"spacing": (0.7, 0.7, 3.0)}, 0.92),
        ({"trabecular": 90}, 0.92),
        ({"spacing": (2.5, 2.5, 2.5)}, 0.88),
    ],
)
def test_the_body_of_a_phantom_is_found(options, least):
    """The threshold lies below half of the way to the cortex, so that masks are a little large."""
    image, body = phantom(**options)
    mask, notes = propose(image, SEED)
    assert dice(mask, body) >= least
    assert notes == []
    # Neighbours, arch and pedicles stay out: nothing lies 5 mm outside of the body.
    geometry = Geometry.of(image)
    truth = sitk.GetImageFromArray(body.astype(np.uint8))
    geometry.apply_to(truth)
    far = sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(truth, useImageSpacing=True)) > 5
    assert np.count_nonzero(mask.astype(bool) & far) <= 0.002 * body.sum()


def test_an_enclosed_cleft_is_filled():
    image, body = phantom(cleft=True)
    mask, _ = propose(image, SEED)
    gas = sitk.GetArrayFromImage(image) < -300
    assert gas.sum() > 1000
    assert mask[gas].mean() > 0.99
    assert dice(mask, body) > 0.92
    alone, _ = propose(image, SEED, closing_mm=0)
    assert alone[gas].mean() > 0.99


@pytest.mark.parametrize("orientation", ["RAS", "PIR", "SAL", "ILA"])
def test_every_orientation_gives_the_same_mask(orientation):
    image, _ = phantom(spacing=(1.0, 1.0, 2.0))
    expected, _ = propose(image, SEED)
    turned = sitk.DICOMOrient(image, orientation)
    mask, _ = propose(turned, SEED)
    found = sitk.GetImageFromArray(mask)
    found.CopyInformation(turned)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.DICOMOrient(found, "LPS")), expected)


@pytest.mark.parametrize("shift", [(4, 0, 0), (0, 4, 0), (0, -4, 0), (0, 0, 4), (0, 0, -4)])
def test_a_seed_beside_the_middle_will_do(shift):
    image, body = phantom()
    seed = tuple(a + b for a, b in zip(SEED, shift, strict=True))
    assert dice(propose(image, seed)[0], body) > 0.93


def test_a_box_bounds_the_mask_and_replaces_the_seed():
    image, body = phantom()
    box = tuple(a - b for a, b in zip(SEED, (30, 25, 15), strict=True))
    box += tuple(a + b for a, b in zip(SEED, (30, 25, 15), strict=True))
    mask, _ = propose(image, box_mm=box)
    assert dice(mask, body) > 0.92
    half = (*box[:3], box[3], box[4], SEED[2] + 5)
    low, _ = propose(image, SEED, box_mm=half)
    tops = np.nonzero(low)[0].max()
    assert image.TransformIndexToPhysicalPoint((0, 0, int(tops)))[2] <= SEED[2] + 5


def test_limits_replace_the_discs():
    image, body = phantom()
    mask, _ = propose(image, SEED, limits_mm=(SEED[2] - 6.0, SEED[2] + 6.0))
    slices = np.unique(np.nonzero(mask)[0])
    assert len(slices) == 12
    inside = np.zeros_like(body)
    inside[slices] = body[slices]
    assert dice(mask, inside) > 0.95


def test_a_level_at_the_edge_of_the_volume_says_what_is_missing():
    image, body = phantom()
    cut = sitk.RegionOfInterest(image, (110, 110, 62), (0, 0, 48))  # ends 7 mm below the seed
    mask, notes = propose(cut, SEED, threshold_hu=130)
    assert notes == ["No endplate below was found near the seed: the box is the limit there"]
    assert dice(mask, body[48:]) > 0.93


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({}, "proposal-without-seed"),
        ({"seed_mm": (500, 0, 0)}, "seed-outside-image"),
        ({"seed_mm": SEED, "threshold_hu": 2000.0}, "no-bone-at-seed"),
        ({"seed_mm": SEED, "threshold_hu": float("nan")}, "proposal-numbers-invalid"),
        ({"seed_mm": SEED, "closing_mm": -1.0}, "proposal-numbers-invalid"),
        ({"seed_mm": SEED, "box_mm": (0, -11, 0, 9, 5, 24)}, "proposal-too-narrow"),
        ({"box_mm": (0, 0, 0, 0.2, 0.2, 0.2)}, "box-outside-image"),
        ({"seed_mm": SEED, "box_mm": (20, 20, 20, 40, 40, 40)}, "seed-outside-box"),
        ({"seed_mm": SEED, "limits_mm": (20.0, 30.0)}, "seed-outside-limits"),
    ],
)  # fmt: skip
def test_impossible_requests(options, code):
    image, _ = phantom(spacing=(2.0, 2.0, 2.0))
    with refusal(code, CaseError):
        propose(image, **options)


# --- the file ----------------------------------------------------------------------------------


def test_the_file_is_a_segmentation_for_slicer_and_for_the_masks_stage(tmp_path):
    image = sitk.DICOMOrient(phantom(spacing=(1.5, 1.5, 2.0))[0], "PIR")
    tilted = np.radians(7)
    image.SetDirection(
        (np.array([[1, 0, 0], [0, np.cos(tilted), -np.sin(tilted)],
                   [0, np.sin(tilted), np.cos(tilted)]])
         @ np.reshape(image.GetDirection(), (3, 3))).ravel()
    )  # fmt: skip
    mask = np.zeros(image.GetSize()[::-1], np.uint8)
    mask[10:20, 12:30, 5:9] = 1
    path = tmp_path / "x.seg.nrrd"
    write_proposal(mask, Geometry.of(image), "L2", path)
    read = slicerio.read_segmentation(str(path))
    (segment,) = read["segments"]
    assert (segment["name"], segment["id"], segment["status"]) == ("L2", "Segment_L2", "inprogress")
    assert segment["extent"] == [5, 8, 12, 29, 10, 19]
    assert segment["terminology"]["type"] == ["SCT", "51282000", "Vertebra"]
    assert len(segment["color"]) == 3
    header = nrrd.read_header(str(path))
    assert header["Segmentation_MasterRepresentation"] == "Binary labelmap"
    assert header["Segmentation_ContainedRepresentationNames"] == "Binary labelmap|"
    assert header["space"] == "left-posterior-superior"
    for label in ("L2", "1", None):
        placed, _, findings = place_mask(Case(path, label, "L2"), Geometry.of(image), DEFAULTS)
        np.testing.assert_array_equal(placed.voxels, mask)
        assert findings == []
    itk = sitk.ReadImage(str(path))
    np.testing.assert_allclose(itk.GetDirection(), image.GetDirection(), atol=1e-9)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(itk), mask)
    assert [one.name for one in tmp_path.iterdir()] == ["x.seg.nrrd"]


@pytest.fixture(scope="module")
def ct_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("ct") / "ct.nrrd"
    sitk.WriteImage(phantom(spacing=(1.5, 1.5, 2.0))[0], str(path))
    return path


def run(*arguments) -> None:
    module.main(module._arguments().parse_args([str(part) for part in arguments]))


def test_the_command_proposes_and_keeps_what_was_corrected(ct_file, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    out = tmp_path / "L1.seg.nrrd"
    run(ct_file, "--seed=5,-3,12", "--level", "L1", "--out", out)
    assert "ml proposed; correct it before use" in caplog.text
    first = nrrd.read(str(out))[0]
    with refusal("proposal-would-overwrite", StudyError):
        run(ct_file, "--seed=5,-3,12", "--level", "L1", "--out", out)
    run(ct_file, "--seed=-5,3,12", "--ras", "--level", "L1", "--out", out, "--overwrite")
    np.testing.assert_array_equal(nrrd.read(str(out))[0], first)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--seed=5,-3", "--level", "L1"], "coordinates-invalid", "Option --seed takes 3 numbers"),
        (["--box=1,2,3", "--level", "L1"], "coordinates-invalid", "Option --box takes 6 numbers"),
        (
            ["--seed=5,-3,nan", "--level", "L1"],
            "coordinates-invalid",
            "Option --seed takes 3 numbers",
        ),
        (
            ["--seed=5,-3,12", "--limits=a,b", "--level", "L1"],
            "coordinates-invalid",
            "Option --limits takes 2 numbers",
        ),
        (["--seed=5,-3,12", "--level", "C4"], "level-not-thoracolumbar", ""),
        (["--seed=500,-3,12", "--level", "L1"], "seed-outside-image", ""),
    ],
)
def test_the_command_refuses(ct_file, tmp_path, arguments, code, message):
    out = tmp_path / "new" / "L1.seg.nrrd"
    with refusal(code, VertebromicsError, match=message):
        run(ct_file, *arguments, "--out", out)
    assert not out.parent.exists()


def test_other_files_are_refused(ct_file, tmp_path):
    with refusal("proposal-file-name", StudyError):
        run(ct_file, "--seed=5,-3,12", "--level", "L1", "--out", tmp_path / "L1.nii.gz")
    text = tmp_path / "ct.txt"
    text.write_text("no CT")
    with refusal("ct-of-unknown-kind", CaseError):
        run(text, "--seed=5,-3,12", "--level", "L1", "--out", tmp_path / "a.seg.nrrd")
    with refusal("ct-missing", CaseError, match="Found: no such file or folder"):
        run(tmp_path / "gone", "--seed=5,-3,12", "--level", "L1", "--out", tmp_path / "a.seg.nrrd")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct.txt"]


def test_a_refusal_is_one_line(ct_file, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "segmentation.propose", ct_file, "--seed=5,-3,900", "--level", "L1",
         "--out", tmp_path / "L1.seg.nrrd"],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "3D Slicer shows RAS: pass --ras" in done.stderr
    assert str(tmp_path) not in done.stderr


# --- public vertebrae --------------------------------------------------------------------------

#: Dice against the published body masks (docs/readers.md), less 0.02.
PUBLIC = {"L1": 0.88, "L2": 0.89, "L3": 0.91, "L4": 0.90, "L5": 0.81, "TPTBox": 0.92}


def public_body(testdata, name: str) -> tuple[sitk.Image, np.ndarray]:
    if name == "TPTBox":
        folder = testdata / "tptbox_ct_vertebra"
        image = sitk.ReadImage(str(folder / "sub-ct_label-22_ct.nii.gz"))
        files = [folder / f"sub-ct_seg-{kind}_label-22_msk.nii.gz" for kind in ("subreg", "vert")]
        parts, whole = (sitk.GetArrayFromImage(sitk.ReadImage(str(file))) for file in files)
        return image, np.isin(parts, (49, 50)) & (whole == 22)  # the body's rim and inside
    folder = testdata / "totalseg_ct_spine"
    image = sitk.ReadImage(str(folder / "example_ct.nii.gz"))
    bodies, levels = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "spine_report" / f"{file}.nii.gz")))
        for file in ("totalseg_vertebrae_body", "totalseg_vertebrae_pp_refined")
    )
    return image, (bodies == 1) & (levels == 19 + int(name[1]))


@pytest.mark.parametrize("name", PUBLIC)
def test_public_vertebrae(testdata, name, caplog):
    caplog.set_level(logging.INFO)
    image, body = public_body(testdata, name)
    centre = np.argwhere(body).mean(axis=0)[::-1]
    seed = image.TransformContinuousIndexToPhysicalPoint(centre.tolist())
    mask, notes = propose(image, seed)
    assert notes == []
    assert dice(mask, body) >= PUBLIC[name]
