"""NIfTI and NRRD files are read as they stand, or refused in words."""

from __future__ import annotations

import gzip
import logging
import math
import struct
import tempfile
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pipeline.core.errors import CaseError, MachineError
from pipeline.imaging.geometry import Geometry
from pipeline.imaging.stored_volumes import TYPES, read_nrrd, write_nrrd
from pipeline.imaging.volume_headers import skew, straightened
from pipeline.imaging.volumes import (
    _check_agreement,
    check_finite,
    image_hash,
    read_volume,
    volume_suffix,
    without_metadata,
)
from tests.support.refusals import refusal

VOXELS = np.arange(60, dtype=np.int16).reshape(3, 4, 5) - 1000


@pytest.fixture
def image() -> sitk.Image:
    image = sitk.GetImageFromArray(VOXELS)
    image.SetSpacing((0.7, 0.7, 3.0))
    image.SetOrigin((-100.0, -90.5, 12.25))
    image.SetDirection((1, 0, 0, 0, -1, 0, 0, 0, -1))
    return image


@pytest.mark.parametrize("name", ["ct.nrrd", "ct.nii", "ct.nii.gz", "CT.NII.GZ"])
def test_voxels_and_geometry_arrive_unchanged(image, tmp_path, name):
    image.SetMetaData("PatientName", "PHI-CANARY-0010-0010")
    sitk.WriteImage(image, str(tmp_path / name.lower()))
    (tmp_path / name.lower()).rename(tmp_path / name)
    read, findings = read_volume(tmp_path / name)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read), VOXELS)
    assert read.GetPixelID() == sitk.sitkInt16
    np.testing.assert_allclose(Geometry.of(read).affine, Geometry.of(image).affine, atol=1e-5)
    assert not read.GetMetaDataKeys()
    assert findings == []


def test_written_nrrd_holds_no_metadata_and_reads_back(image, tmp_path):
    image.SetMetaData("PatientName", "PHI-CANARY-0010-0010")
    write_nrrd(image, tmp_path / "ct.nrrd")
    content = (tmp_path / "ct.nrrd").read_bytes()
    assert b"CANARY" not in content
    assert b"CANARY" not in gzip.decompress(content.split(b"\n\n", 1)[1])
    read = read_nrrd(tmp_path / "ct.nrrd")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read), VOXELS)
    assert Geometry.of(read) == Geometry.of(image)
    assert not read.GetMetaDataKeys()


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("dtype", TYPES)
def test_itk_reads_every_type_of_stored_volume_as_it_was(image, tmp_path, dtype, compressed):
    voxels = sitk.GetImageFromArray(VOXELS.astype(dtype))
    voxels.CopyInformation(image)
    write_nrrd(voxels, tmp_path / "ct.nrrd", compressed=compressed)
    for read in (sitk.ReadImage(tmp_path / "ct.nrrd"), read_nrrd(tmp_path / "ct.nrrd")):
        assert read.GetPixelID() == voxels.GetPixelID()
        np.testing.assert_array_equal(sitk.GetArrayFromImage(read), VOXELS.astype(dtype))
        np.testing.assert_allclose(Geometry.of(read).affine, Geometry.of(image).affine, atol=1e-12)


@given(
    # No angles of 1e-300, over whose sines ITK stumbles.
    angles=st.tuples(*[st.integers(-3000, 3000).map(lambda n: n / 1000)] * 3),
    spacing=st.tuples(*[st.floats(0.1, 9)] * 3),
    origin=st.tuples(*[st.floats(-900, 900)] * 3),
)
def test_an_oblique_geometry_reads_back_to_the_last_bit(angles, spacing, origin):
    image = sitk.GetImageFromArray(VOXELS)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(Rotation.from_euler("xyz", angles).as_matrix().ravel().tolist())
    with tempfile.TemporaryDirectory() as folder:
        write_nrrd(image, Path(folder, "ct.nrrd"))
        read = read_nrrd(Path(folder, "ct.nrrd"))
    assert Geometry.of(read) == Geometry.of(image)


def test_a_volume_that_cannot_be_written_is_the_machines_fault(image, tmp_path):
    (tmp_path / "ct.nrrd").mkdir()
    with refusal("disk-full-for-volume", MachineError, match="MB free on its disk") as raised:
        write_nrrd(image, tmp_path / "ct.nrrd")
    assert str(tmp_path) not in str(raised.value)


def nifti(path, qform=None, sform=None, voxels=VOXELS.T):
    """Write a NIfTI with the forms given as (affine, code)."""
    written = nibabel.Nifti1Image(voxels, None)
    written.header.set_zooms((0.7, 0.7, 3.0)[: voxels.ndim] + (1.0,) * (voxels.ndim - 3))
    written.set_qform(*(qform or (None, 0)))
    written.set_sform(*(sform or (None, 0)))
    nibabel.save(written, path)
    return path


AFFINE = np.diag([-0.7, -0.7, 3.0, 1.0])


def test_qform_against_sform_is_refused(tmp_path):
    shifted = AFFINE.copy()
    shifted[2, 3] = 0.5
    with refusal("nifti-forms-differ", CaseError, match=r"0\.500 mm apart \(codes 1 and 2\)"):
        read_volume(nifti(tmp_path / "a.nii", (AFFINE, 1), (shifted, 2)))


@pytest.mark.parametrize("forms", [{"qform": (AFFINE, 1)}, {"sform": (AFFINE, 2)}])
def test_one_form_is_enough(tmp_path, forms):
    read, findings = read_volume(nifti(tmp_path / "a.nii", **forms))
    np.testing.assert_allclose(np.diag(Geometry.of(read).affine), [0.7, 0.7, 3.0, 1], rtol=1e-6)
    assert findings == []


def test_no_form_is_a_warning(tmp_path):
    _, findings = read_volume(nifti(tmp_path / "a.nii"))
    assert [(one.code, one.severity) for one in findings] == [("no-patient-space", "warning")]


def test_a_sheared_sform_is_refused(tmp_path):
    sheared = AFFINE.copy()
    sheared[1, 2] = 1.0
    with refusal("volume-axes-skewed", CaseError, match=" Found: an angle that is 18 degrees off"):
        read_volume(nifti(tmp_path / "a.nii", sform=(sheared, 2)))


def test_the_voxels_of_an_uncompressed_sibling_are_not_read(tmp_path):
    """ITK takes the header of a.nii.gz and the voxels of a.nii: the trap exists, and is closed."""
    nifti(tmp_path / "a.nii.gz", sform=(AFFINE, 2))
    nifti(tmp_path / "a.nii", sform=(AFFINE, 2), voxels=VOXELS.T * 0 + 7)
    assert sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.nii.gz"))).min() == 7
    with refusal("nifti-packed-and-plain", CaseError):
        read_volume(tmp_path / "a.nii.gz")
    read, _ = read_volume(tmp_path / "a.nii")
    assert sitk.GetArrayFromImage(read).min() == 7


def test_four_dimensions_are_refused(tmp_path):
    voxels = np.stack([VOXELS.T, VOXELS.T], axis=-1)
    with refusal("volume-not-scalar-3d", CaseError, match="4 dimensions of size 5 x 4 x 3 x 2"):
        read_volume(nifti(tmp_path / "a.nii", sform=(AFFINE, 2), voxels=voxels))


def test_a_fourth_dimension_of_one_does_not_matter(tmp_path):
    read, findings = read_volume(
        nifti(tmp_path / "a.nii", sform=(AFFINE, 2), voxels=VOXELS.T[..., None])
    )
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read), VOXELS)
    assert findings == []


def test_complex_numbers_are_refused(tmp_path):
    path = nifti(tmp_path / "a.nii", sform=(AFFINE, 2), voxels=VOXELS.T * 1j)
    with refusal("volume-not-scalar-3d", CaseError, match=r"2 value\(s\) per voxel"):
        read_volume(path)


@pytest.mark.parametrize("unit", ["meter", "micron"])
def test_a_nifti_in_another_unit_is_refused(tmp_path, unit):
    written = nibabel.Nifti1Image(VOXELS.T, AFFINE)
    written.header.set_xyzt_units(unit)
    nibabel.save(written, tmp_path / "a.nii")
    with refusal("nifti-unit", CaseError, match=rf"Found: {unit}"):
        read_volume(tmp_path / "a.nii")


def test_nifti_2_is_refused(tmp_path):
    nibabel.save(nibabel.Nifti2Image(VOXELS.T, AFFINE), tmp_path / "a.nii")
    with refusal("nifti-version", CaseError, match="Found: version 2"):
        read_volume(tmp_path / "a.nii")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize(
    ("slope", "intercept", "accepted"),
    [(0.5, 3, True), (0, 0, True), (math.nan, math.nan, True), (0, 5, False), (math.nan, 5, False)],
)
def test_rescaling_of_a_nifti(tmp_path, name, slope, intercept, accepted):
    """Where slope is zero ITK adds the intercept, and the standard does not."""
    path = nifti(tmp_path / "a.nii", sform=(AFFINE, 2))
    content = bytearray(path.read_bytes())
    struct.pack_into("<ff", content, 112, slope, intercept)
    path.write_bytes(content)
    if name != "a.nii":
        path.unlink()
        path = tmp_path / name
        path.write_bytes(gzip.compress(content))
    if accepted:
        read, _ = read_volume(path)
        expected = np.asanyarray(nibabel.load(path).dataobj).T
        np.testing.assert_array_equal(sitk.GetArrayFromImage(read), expected)
    else:
        with refusal("nifti-rescaling-ambiguous", CaseError):
            read_volume(path)


def test_colours_are_refused(tmp_path):
    colours = sitk.GetImageFromArray(np.zeros((2, 3, 4, 3), np.uint8), isVector=True)
    sitk.WriteImage(colours, str(tmp_path / "a.nrrd"))
    with refusal("volume-not-scalar-3d", CaseError, match=r"3 value\(s\) per voxel"):
        read_volume(tmp_path / "a.nrrd")


@pytest.mark.parametrize("name", ["a.nrrd", "a.nii", "a.nii.gz"])
@pytest.mark.parametrize("kept", [0, 20, 0.7, 0.97])
@pytest.mark.parametrize("compressed", [True, False])
def test_a_damaged_file_is_refused_without_its_path(tmp_path, name, kept, compressed):
    """ITK reads a NIfTI that was cut short as if the rest were zeros; here it is an error."""
    noise = np.random.default_rng(1).integers(-1000, 1000, (9, 30, 30)).astype(np.int16)
    sitk.WriteImage(sitk.GetImageFromArray(noise), str(tmp_path / name), useCompression=compressed)
    content = (tmp_path / name).read_bytes()
    length = int(kept * len(content)) if isinstance(kept, float) else kept
    (tmp_path / name).write_bytes(content[:length])
    with pytest.raises(CaseError) as caught:
        read_volume(tmp_path / name)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(("name", "wrong"), [("a.nii", "b.nii.gz"), ("a.nii.gz", "b.nii")])
def test_a_name_that_hides_the_packing_is_refused(tmp_path, name, wrong):
    sitk.WriteImage(sitk.GetImageFromArray(VOXELS), str(tmp_path / name), useCompression=True)
    read_volume(tmp_path / name)
    (tmp_path / name).rename(tmp_path / wrong)
    with refusal("nifti-name-misleads", CaseError):
        read_volume(tmp_path / wrong)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("a.nrrd", "compressed-volume-damaged"),
        ("a.nii", "nifti-cut-short"),
        ("a.nii.gz", "nifti-header-damaged"),
    ],
)
def test_one_byte_less_is_refused(tmp_path, name, code):
    sitk.WriteImage(sitk.GetImageFromArray(VOXELS), str(tmp_path / name), useCompression=True)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:-1])
    with refusal(code, CaseError):
        read_volume(tmp_path / name)


@pytest.mark.parametrize("name", ["a.nrrd", "a.nii.gz"])
def test_one_wrong_bit_of_a_compressed_file_is_refused(tmp_path, name):
    """ITK does not look at the checksum: half of the voxels may change."""
    rng = np.random.default_rng(0)
    # Of 4 MiB exactly, as many slices of 512 x 512 are: what is read in whole chunks has no rest.
    voxels = np.tile(rng.integers(-1000, 1000, (8, 64, 64)).astype(np.int16), (1, 8, 8))
    sitk.WriteImage(sitk.GetImageFromArray(voxels), str(tmp_path / name), useCompression=True)
    content = (tmp_path / name).read_bytes()
    read_volume(tmp_path / name)
    for place in rng.integers(len(content) // 4, len(content), 12):
        changed = bytearray(content)
        changed[place] ^= 1 << int(rng.integers(8))
        (tmp_path / name).write_bytes(changed)
        with refusal("compressed-volume-damaged", CaseError):
            read_volume(tmp_path / name)


def test_another_format_is_refused(tmp_path):
    with refusal("volume-of-unknown-kind", CaseError, match=r"one of \.nrrd, \.nii, \.nii\.gz"):
        read_volume(tmp_path / "a.mha")
    assert volume_suffix("a.nii.gz") == ".nii.gz"
    assert volume_suffix("nrrd") is None


def test_a_detached_nrrd_is_refused(tmp_path):
    nrrd.write(str(tmp_path / "a.nhdr"), VOXELS, detached_header=True)
    (tmp_path / "a.nhdr").rename(tmp_path / "a.nrrd")
    with refusal("nrrd-detached", CaseError):
        read_volume(tmp_path / "a.nrrd")


def test_a_nrrd_without_patient_space_is_a_warning(tmp_path):
    nrrd.write(str(tmp_path / "a.nrrd"), VOXELS, {"spacings": [1.0, 1.0, 3.0]})
    _, findings = read_volume(tmp_path / "a.nrrd")
    assert [one.code for one in findings] == ["no-patient-space"]


SPACE = {
    "space": "left-posterior-superior",
    "space directions": np.diag([0.7, 0.8, 2.0]),
    "space origin": [1.0, 2.0, 3.0],
}


@pytest.mark.parametrize("encoding", ["raw", "gzip", "ascii"])
@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize("kind", [np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_a_nrrd_reads_as_pynrrd_reads_it(tmp_path, encoding, endian, kind):
    voxels = (VOXELS.T + 1000).astype(kind) / (2 if np.dtype(kind).kind == "f" else 1)
    header = SPACE | {"encoding": encoding, "endian": endian}
    nrrd.write(str(tmp_path / "a.nrrd"), voxels.astype(kind), header)
    read, findings = read_volume(tmp_path / "a.nrrd")
    found = sitk.GetArrayFromImage(read).T
    assert found.dtype == kind
    np.testing.assert_array_equal(found, nrrd.read(str(tmp_path / "a.nrrd"))[0])
    assert Geometry.of(read).affine.tolist()[0] == [0.7, 0.0, 0.0, 1.0]
    assert findings == []


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (1, 1, 1)),
        ("LPS", (1, 1, 1)),
        ("RAS", (-1, -1, 1)),
        ("right-anterior-superior", (-1, -1, 1)),
        ("LAS", (1, -1, 1)),
        ("scanner-xyz", None),
    ],
)
def test_spaces_of_a_nrrd(tmp_path, space, signs):
    nrrd.write(str(tmp_path / "a.nrrd"), VOXELS.T, SPACE | {"space": space})
    read, findings = read_volume(tmp_path / "a.nrrd")
    if signs is None:
        assert [one.code for one in findings] == ["no-patient-space"]
        return
    assert findings == []
    expected = np.diag([*np.multiply(signs, [0.7, 0.8, 2.0]), 1.0])
    expected[:3, 3] = np.multiply(signs, [1, 2, 3])
    np.testing.assert_allclose(Geometry.of(read).affine, expected)


def test_an_encoding_that_itk_does_not_know_is_refused_by_name(tmp_path):
    nrrd.write(str(tmp_path / "a.nrrd"), VOXELS.T, SPACE | {"encoding": "bzip2"})
    with refusal("nrrd-encoding", CaseError, match="Found: encoding bzip2"):
        read_volume(tmp_path / "a.nrrd")


def test_a_nrrd_in_another_unit_is_refused(tmp_path):
    nrrd.write(str(tmp_path / "a.nrrd"), VOXELS.T, SPACE | {"space units": ["cm"] * 3})
    with refusal("nrrd-unit", CaseError):
        read_volume(tmp_path / "a.nrrd")
    nrrd.write(str(tmp_path / "a.nrrd"), VOXELS.T, SPACE | {"space units": ["mm"] * 3})
    assert read_volume(tmp_path / "a.nrrd")[1] == []


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("rescale", [None, (0.5, -1000)])
def test_a_nifti_reads_as_nibabel_reads_it(tmp_path, kind, name, rescale):
    written = nibabel.Nifti1Image((VOXELS.T + 1000).astype(kind), AFFINE)
    if rescale:
        written.header.set_slope_inter(*rescale)
    nibabel.save(written, tmp_path / name)
    read, findings = read_volume(tmp_path / name)
    expected = np.asanyarray(nibabel.load(tmp_path / name).dataobj).T
    np.testing.assert_allclose(sitk.GetArrayFromImage(read), expected, rtol=1e-6, atol=1e-4)
    if not rescale and np.dtype(kind).kind != "f":
        np.testing.assert_array_equal(sitk.GetArrayFromImage(read), expected)
    assert findings == []


def test_the_hash_follows_voxels_type_and_geometry(image):
    first = image_hash(image)
    assert image_hash(sitk.Image(image)) == first
    changed = sitk.Image(image)
    changed[0, 0, 0] = 5
    moved = sitk.Image(image)
    moved.SetOrigin((0, 0, 0))
    typed = sitk.Cast(image, sitk.sitkInt32)
    assert len({first, *map(image_hash, (changed, moved, typed))}) == 4


def test_not_a_number_is_refused():
    image = sitk.GetImageFromArray(np.array([[[0.0, np.nan, np.inf]]]))
    with refusal("voxels-not-finite", CaseError, match="NaN or infinite"):
        check_finite(image)
    assert check_finite(sitk.GetImageFromArray(VOXELS)) == (-1000.0, -941.0)


def test_metadata_is_erased(image):
    image.SetMetaData("a", "b")
    assert without_metadata(image).GetMetaDataKeys() == ()


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_nrrd_with_more_bytes_than_voxels_is_refused(image, tmp_path, where):
    path = tmp_path / "a.nrrd"
    sitk.WriteImage(image, str(path))
    header, _, voxels = path.read_bytes().partition(b"\n\n")
    extra = b"\0" * 5
    path.write_bytes(header + b"\n\n" + (extra + voxels if where == "before" else voxels + extra))
    with refusal(
        "nrrd-spare-bytes", CaseError, match=r"its voxels and nothing else. Found: \d+ bytes where"
    ):
        read_volume(path)


def test_odd_numbers_in_a_nrrd_header_are_refused_without_a_warning(image, tmp_path):
    path = tmp_path / "a.nrrd"
    sitk.WriteImage(image, str(path))
    path.write_bytes(path.read_bytes().replace(b"sizes: ", b"sizes: nan ", 1))
    # And no RuntimeWarning of numpy, which would be an error here.
    with refusal("volume-unreadable", CaseError):
        read_volume(path)


def test_an_odd_code_in_a_nifti_header_is_not_talked_about(tmp_path, monkeypatch):
    said = []
    (handler,) = logging.getLogger("nibabel.global").handlers  # writes to standard error
    monkeypatch.setattr(handler, "emit", said.append)
    path = tmp_path / "a.nii"
    image = nibabel.Nifti1Image(np.zeros((5, 4, 3), np.int16), np.eye(4))
    image.set_sform(np.eye(4), 1)
    image.set_qform(np.eye(4), 1)
    nibabel.save(image, path)
    content = bytearray(path.read_bytes())
    content[252:254] = (256).to_bytes(2, "little")  # qform_code: the sform decides
    path.write_bytes(content)
    nibabel.load(path)
    assert len(said) == 1
    read_volume(path)
    assert len(said) == 1


# --- values that ITK would change, axes and names that it refuses ---------------------------------


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 29, 59])
def test_itk_reads_zero_where_a_nifti_holds_no_number(tmp_path, name, kind, value, place):
    voxels = VOXELS.T.astype(kind)
    voxels.ravel(order="F")[place] = 5  # a copy, unless the layout is that of the file
    flat = voxels.flatten(order="F")
    flat[place] = value
    path = nifti(tmp_path / name, sform=(AFFINE, 2), voxels=flat.reshape(voxels.shape, order="F"))
    assert sitk.GetArrayFromImage(sitk.ReadImage(str(path))).ravel()[place] == 0
    with refusal("voxels-not-finite", CaseError, match="Found: 1 voxels that are NaN or infinite"):
        read_volume(path)


def test_voxels_that_lie_across_two_chunks_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.imaging.nifti_headers.CHUNK", 101)
    monkeypatch.setattr("pipeline.imaging.volume_headers.CHUNK", 101)
    for place in range(0, 60, 7):
        voxels = VOXELS.T.astype("<f8").flatten(order="F")
        for name in ("a.nii", "b.nii.gz"):
            path = nifti(tmp_path / name, sform=(AFFINE, 2),
                         voxels=voxels.reshape(VOXELS.T.shape, order="F"))  # fmt: skip
            assert read_volume(path)[1] == []
        voxels[place] = math.nan
        for name in ("a.nii", "b.nii.gz"):
            path = nifti(tmp_path / name, sform=(AFFINE, 2),
                         voxels=voxels.reshape(VOXELS.T.shape, order="F"))  # fmt: skip
            with refusal("voxels-not-finite", CaseError, match="Found: 1 voxels"):
                read_volume(path)


def in_header(path: Path, offset: int, layout: str, *values) -> Path:
    content = bytearray(path.read_bytes())
    struct.pack_into(layout, content, offset, *values)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("slope", "intercept"),
    [(math.inf, 0), (-math.inf, 0), (2, math.nan), (1, math.inf), (1e-30, 0), (0, math.inf)],
)
def test_a_rescaling_that_readers_understand_otherwise_is_refused(tmp_path, slope, intercept):
    path = in_header(nifti(tmp_path / "a.nii", sform=(AFFINE, 2)), 112, "<ff", slope, intercept)
    with refusal("nifti-rescaling-ambiguous", CaseError):
        read_volume(path)


@pytest.mark.parametrize("code", [0, 1, 1536, 2048, 9999])
def test_a_voxel_type_that_itk_does_not_read_is_named(tmp_path, code):
    path = in_header(nifti(tmp_path / "a.nii", sform=(AFFINE, 2)), 70, "<h", code)
    with refusal("nifti-voxel-type", CaseError, match=rf"Found: voxels of type code {code}"):
        read_volume(path)


@pytest.mark.parametrize("spacing", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("q_code", [0, 1])
def test_a_spacing_that_is_none_is_not_taken_for_a_millimetre(tmp_path, spacing, q_code):
    path = in_header(nifti(tmp_path / "a.nii"), 84, "<f", spacing)
    in_header(path, 252, "<h", q_code)
    with refusal("volume-axes-missing", CaseError, match="Found: pixdim"):
        read_volume(path)


def leaning(cosine: float, affine: np.ndarray = AFFINE) -> np.ndarray:
    """Return `affine` with its second axis leaning towards the third by a cosine."""
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    changed = affine.copy()
    changed[:3, 1] += cosine * lengths[1] * affine[:3, 2] / lengths[2]
    return changed


def oblique(angle: float) -> np.ndarray:
    affine = AFFINE.copy()
    affine[:3, :3] = (
        Rotation.from_euler("xyz", [angle, -angle / 2, 3 * angle]).as_matrix() @ (AFFINE[:3, :3])
    )
    return affine


@pytest.mark.parametrize("rescale", [None, (0.5, -1000)])
@pytest.mark.parametrize("kind", ["<i2", ">i2", "<f4", "<f8", "<u2"])
@pytest.mark.parametrize("angle", [0, 0.2])
def test_an_angle_within_the_tolerance_of_dicom_is_straightened(tmp_path, kind, rescale, angle):
    straight, bent = oblique(angle), leaning(3e-4, oblique(angle))
    for name, affine in (("straight.nii", straight), ("bent.nii.gz", bent)):
        written = nibabel.Nifti1Image((VOXELS.T + 1000).astype(kind), affine)
        written.set_sform(affine, 2)
        written.set_qform(straight, 0)
        if rescale:
            written.header.set_slope_inter(*rescale)
        nibabel.save(written, tmp_path / name)
    with pytest.raises(RuntimeError, match=r"orthonormal|NIFTI"):
        sitk.ReadImage(str(tmp_path / "bent.nii.gz"))
    expected, _ = read_volume(tmp_path / "straight.nii")
    read, findings = read_volume(tmp_path / "bent.nii.gz")
    assert read.GetPixelID() == expected.GetPixelID()
    np.testing.assert_array_equal(*map(sitk.GetArrayFromImage, (read, expected)))
    axes = np.reshape(read.GetDirection(), (3, 3))
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    lps = np.diag([-1.0, -1.0, 1.0, 1.0])
    moved = np.abs(Geometry.of(read).affine - lps @ bent)[:3] @ [5, 4, 3, 1]
    assert moved.max() < 0.005
    assert [(one.code, one.severity) for one in findings] == [("axes-straightened", "warning")]
    assert "0.017 degrees off right angles" in findings[0].message


def test_a_qform_beside_an_sform_that_leans_is_no_contradiction(tmp_path):
    large = np.zeros((60, 60, 60), np.int16)
    path = nifti(tmp_path / "a.nii", (AFFINE, 1), (leaning(5e-4), 2), voxels=large)
    read, findings = read_volume(path)
    assert [one.code for one in findings] in ([], ["axes-straightened"])
    assert np.abs(Geometry.of(read).affine - np.diag([-1, -1, 1, 1]) @ AFFINE).max() < 1e-2
    shifted = leaning(5e-4)
    shifted[1, 3] += 0.2
    with refusal("nifti-forms-differ", CaseError):
        read_volume(nifti(tmp_path / "b.nii", (AFFINE, 1), (shifted, 2), voxels=large))


@pytest.mark.parametrize("cosine", [1.2e-3, 0.02, 0.5])
def test_an_angle_beyond_it_is_told_in_degrees(tmp_path, cosine):
    degrees = f"{math.degrees(math.asin(cosine / math.hypot(1, cosine))):.2g}"
    path = nifti(tmp_path / "a.nii", sform=(leaning(cosine), 2))
    with refusal(
        "volume-axes-skewed",
        CaseError,
        match=rf"an angle that is {degrees} degrees off by its sform",
    ):
        read_volume(path)
    header = SPACE | {"space directions": leaning(cosine)[:3, :3].T}
    nrrd.write(str(tmp_path / "a.nrrd"), VOXELS.T, header)
    with refusal(
        "volume-axes-skewed",
        CaseError,
        match=rf"an angle that is {degrees} degrees off by the space",
    ):
        read_volume(tmp_path / "a.nrrd")


@given(
    angles=st.tuples(*[st.floats(-3, 3)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 6)] * 3),
    lean=st.tuples(*[st.floats(-3e-4, 3e-4)] * 3),
)
def test_straightening_moves_less_than_the_axes_lean(angles, spacing, lean):
    affine = np.eye(4)
    turned = Rotation.from_euler("xyz", angles).as_matrix()
    bend = np.eye(3)
    bend[[0, 0, 1], [1, 2, 2]] = lean
    affine[:3, :3] = turned @ bend * spacing
    straight = straightened(affine)
    axes = straight[:3, :3] / np.linalg.norm(straight[:3, :3], axis=0)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) > 0
    change = np.abs(straight - affine)[:3, :3] / spacing
    assert change.max() <= 2 * np.abs(lean).max() + 1e-12
    assert skew(affine[:3, :3]) <= 2.1 * np.abs(lean).max() + 1e-12


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("nifti-header-damaged", "a.nii.GZ"),
        ("nifti-header-damaged", "a.Nii.gz"),
        ("nifti-header-damaged", "a.nII.Gz"),
        ("nifti-cut-short", "a.Nii"),
        ("compressed-volume-damaged", "a.NRRD"),
        ("compressed-volume-damaged", "a.Nrrd"),
        ("nifti-cut-short", "a.NII"),
    ],
)
def test_letters_of_either_case_end_a_name(code, image, tmp_path, name, capfd):
    sitk.WriteImage(image, str(tmp_path / name.lower()), useCompression=True)
    (tmp_path / name.lower()).rename(tmp_path / name)
    read, _ = read_volume(tmp_path / name)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read), VOXELS)
    assert capfd.readouterr() == ("", "")
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-9])
    with refusal(code, CaseError) as caught:
        read_volume(tmp_path / name)
    assert str(tmp_path) not in str(caught.value)


def test_the_sibling_of_a_name_in_mixed_case_is_seen(image, tmp_path):
    for name in ("a.nii", "a.nii.gz"):
        sitk.WriteImage(image, str(tmp_path / name))
    (tmp_path / "a.nii.gz").rename(tmp_path / "a.nii.GZ")
    with refusal("nifti-packed-and-plain", CaseError):
        read_volume(tmp_path / "a.nii.GZ")


@pytest.mark.parametrize(
    ("field", "code", "message"),
    [
        ("space directions", "nrrd-spacing-missing", ""),
        ("endian", "nrrd-header-incomplete", "Found: no endian"),
        ("type", "nrrd-header-incomplete", "Found: no type"),
        ("space", "nrrd-space-missing", ""),
    ],
)
def test_a_nrrd_that_leaves_out_a_field_is_refused_by_its_name(tmp_path, field, code, message):
    nrrd.write(str(tmp_path / "a.nrrd"), VOXELS.T, SPACE | {"encoding": "raw"})
    lines = (tmp_path / "a.nrrd").read_bytes().split(b"\n")
    kept = [line for line in lines if not line.startswith(f"{field}:".encode())]
    assert len(kept) == len(lines) - 1
    (tmp_path / "a.nrrd").write_bytes(b"\n".join(kept))
    with refusal(code, CaseError, match=message):
        read_volume(tmp_path / "a.nrrd")


def test_a_nrrd_without_origin_is_a_warning(tmp_path):
    header = {name: value for name, value in SPACE.items() if name != "space origin"}
    nrrd.write(str(tmp_path / "a.nrrd"), VOXELS.T, header)
    assert [one.code for one in read_volume(tmp_path / "a.nrrd")[1]] == ["no-patient-space"]


def test_a_nrrd_that_may_not_be_read_is_no_damaged_one(tmp_path, monkeypatch):
    nrrd.write(str(tmp_path / "a.nrrd"), VOXELS.T, SPACE)

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("nrrd.read_header", denied)
    with pytest.raises(PermissionError, match="Permission denied"):
        read_volume(tmp_path / "a.nrrd")


@pytest.mark.parametrize("encoding", ["raw", "gzip", "text"])
def test_a_header_of_more_voxels_than_the_file_holds_asks_for_no_memory(encoding, tmp_path):
    """The file is at fault, and not the machine whose memory could not hold its voxels."""
    voxels = b"\0\0" * 100
    held = {"raw": voxels, "gzip": gzip.compress(voxels), "text": b"0 " * 100}[encoding]
    header = (
        "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\n"
        "sizes: 40000 40000 4000\nspace directions: (1,0,0) (0,1,0) (0,0,1)\n"
        f"kinds: domain domain domain\nendian: little\nencoding: {encoding}\n"
        "space origin: (0,0,0)\n\n"
    )
    (tmp_path / "ct.nrrd").write_bytes(header.encode() + held)
    with refusal(
        "nrrd-cut-short", CaseError, match=r"must hold all of its voxels\. Found: 200 of 12[78]"
    ):
        read_volume(tmp_path / "ct.nrrd")


def test_a_nifti_read_in_two_ways_is_refused():
    one = Geometry.of(sitk.GetImageFromArray(VOXELS))
    turned = sitk.GetImageFromArray(VOXELS)
    turned.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    _check_agreement(one, one)
    with refusal("nifti-orientation-ambiguous", CaseError, match="between two readers"):
        _check_agreement(one, Geometry.of(turned))
