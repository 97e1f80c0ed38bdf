"""Gantry tilt: refused, or undone along the columns; a sheared phantom says how well."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from pipeline.core.errors import CaseError
from pipeline.imaging.ct_options import CtOptions
from pipeline.imaging.dicom.dicom_tilt import unshear
from tests.support.dicom_files import load, uid, write_slice
from tests.support.refusals import refusal

CORRECT = {
    kind: CtOptions(gantry_tilt="correct", tilt_interpolation=kind)
    for kind in ("linear", "bspline")
}
DEGREES = 12.0


def body(x, y, z):
    """Return HU of a smooth phantom at places in mm (LPS)."""
    return (
        300 * np.exp(-((x - 20) ** 2 + (y - 22) ** 2 + (z - 15) ** 2) / 300) + 2 * y - 3 * z - 500
    )


def write_tilted(folder, degrees: float = DEGREES, sideways=(0.0, 0.0)) -> None:
    """Write the phantom as a tilted gantry sees it: slices turned about x, stacked along z."""
    turn = np.radians(degrees)
    rows, columns = np.array([1.0, 0, 0]), np.array([0.0, np.cos(turn), np.sin(turn)])
    j, i = np.mgrid[:40, :44]
    for k in range(12):
        corner = np.array([0.0, 0.0, 3.0 * k]) + np.array([*sideways, 0]) * k
        places = corner + i[..., None] * rows + j[..., None] * columns
        stored = np.rint(body(*np.moveaxis(places, -1, 0))) + 1024
        write_slice(
            folder / str(k),
            stored.astype(np.int16),
            corner,
            InstanceNumber=k + 1,
            PixelSpacing=[1, 1],
            ImageOrientationPatient=[f"{v:.9g}" for v in (*rows, *columns)],
        )


def test_tilt_is_refused_unless_asked_for(tmp_path):
    write_tilted(tmp_path)
    with refusal("gantry-tilt", CaseError, match=r"a tilt of 12\.0 degrees") as caught:
        load(tmp_path)
    assert "gantry_tilt" in caught.value.remedy


@pytest.mark.parametrize(("kind", "tolerance"), [("linear", 2.0), ("bspline", 1.3)])
@pytest.mark.parametrize("degrees", [DEGREES, -DEGREES, 25.0])
def test_a_sheared_phantom_becomes_the_phantom(tmp_path, kind, tolerance, degrees):
    write_tilted(tmp_path, degrees)
    volume, _ = load(tmp_path, options=CORRECT[kind])
    grid = np.stack(np.meshgrid(*map(np.arange, volume.voxels.shape[::-1]), indexing="ij"), -1)
    places = grid @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    expected = body(*np.moveaxis(places, -1, 0)).T
    inside = volume.voxels != -1024
    # A spline is a little less exact at the two ends of a slice's columns.
    inner = ndimage.binary_erosion(inside, np.ones((1, 7, 1)))
    assert np.abs(volume.voxels - expected)[inner].max() < tolerance
    assert np.abs(volume.voxels - expected)[inside].max() < 3
    # Every slice's 40 rows are there, less one where they lie between two of the new grid.
    assert inside.any(axis=2).sum(axis=1).min() >= 39
    axes = volume.affine[:3, :3]
    np.testing.assert_allclose(axes.T @ axes, np.diag(np.diag(axes.T @ axes)), atol=1e-9)
    np.testing.assert_allclose(axes[:, 2] @ axes[:, 2], (3 * np.cos(np.radians(degrees))) ** 2)
    assert [one.code for one in volume.findings] == ["tilt-corrected"]
    assert f"{abs(degrees):.1f} degrees" in volume.findings[0].message
    assert kind in volume.findings[0].message


def test_what_a_slice_does_not_hold_is_the_stated_value(tmp_path):
    write_tilted(tmp_path)
    options = CtOptions(gantry_tilt="correct", padding_hu=-2000)
    volume, _ = load(tmp_path, options=options)
    assert (volume.voxels[0, -1] == -2000).all() or (volume.voxels[0, 0] == -2000).all()


def test_a_shift_along_rows_is_no_tilt(tmp_path):
    write_tilted(tmp_path, sideways=(0.5, 0.0))
    with refusal("slices-not-in-line", CaseError):
        load(tmp_path, options=CORRECT["linear"])


def test_a_single_moved_slice_is_no_tilt(tmp_path):
    write_tilted(tmp_path)
    turn = np.radians(DEGREES)
    stored = np.zeros((40, 44), np.int16)
    corner = np.array([0, 2 * np.cos(turn), 3.0 * 5 + 2 * np.sin(turn)])
    write_slice(
        tmp_path / "5",
        stored,
        corner,
        SOPInstanceUID=uid("moved"),
        PixelSpacing=[1, 1],
        ImageOrientationPatient=[1, 0, 0, 0, f"{np.cos(turn):.9g}", f"{np.sin(turn):.9g}"],
    )
    with refusal("slices-not-in-line", CaseError):
        load(tmp_path, options=CORRECT["linear"])


@given(
    shift=st.floats(-3, 3),
    seed=st.integers(0, 99),
    kind=st.sampled_from(["linear", "bspline"]),
    whole=st.booleans(),
)
def test_undoing_a_shear(shift, seed, kind, whole):
    """Whole pixels move without change; nothing leaves the range of HU that 16 bits hold."""
    voxels = np.random.default_rng(seed).integers(-1024, 3071, (4, 9, 5)).astype(np.int16)
    shifts = np.arange(4) * (round(shift) if whole else shift)
    moved, first = unshear(voxels, shifts, -1024, kind)
    assert moved.dtype == np.int16
    assert moved.shape[1] == 9 + int(np.ceil(shifts.max())) - first
    assert first == int(np.floor(shifts.min()))
    if whole:
        for plane, source, shifted in zip(moved, voxels, shifts, strict=True):
            start = int(shifted) - first
            np.testing.assert_array_equal(plane[start : start + 9], source)
            assert (np.delete(plane, np.s_[start : start + 9], axis=0) == -1024).all()


# --- public data -------------------------------------------------------------------------------


def test_a_public_tilted_series_is_corrected(testdata):
    volume, _ = load(testdata / "dcm_qa_ct" / "Philips_S21610", options=CORRECT["linear"])
    assert "18.5 degrees" in volume.findings[0].message
    np.testing.assert_allclose(
        np.linalg.norm(volume.affine[:3, :3], axis=0),
        [0.482421875, 0.482421875, 2.37081],
        atol=1e-5,
    )
