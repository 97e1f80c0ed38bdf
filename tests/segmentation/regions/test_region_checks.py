"""One region: measured on known shapes, judged by limits that real vertebrae keep."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from pipeline.imaging.geometry import Geometry
from segmentation.regions.region_checks import check_region
from segmentation.regions.region_facts import (
    Region,
    _correlated,
    describe_region,
    posterior_elements,
)

CHECKS = {"min_voxels": 30, "border_is": "warning", "region": "body"}
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
BONE, SOFT = 200, 40


def grid(shape=(80, 80, 80), spacing=(1.0, 1.0, 1.0), direction=IDENTITY) -> Geometry:
    return Geometry(shape[::-1], spacing[::-1], (0.0, 0.0, 0.0), direction)


def scene(shape=(80, 80, 80), box=((28, 52), (24, 54), (20, 60))) -> tuple[np.ndarray, np.ndarray]:
    """Return a mask of 24 x 30 x 40 voxels (28.8 ml at 1 mm) and a CT in which bone lies there."""
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(*side) for side in box)] = 1
    return mask, np.where(mask, BONE, SOFT).astype(np.int16)


def codes(facts: dict, level="L1", **checks) -> dict[str, str]:
    return {one.code: one.severity for one in check_region(facts, level, CHECKS | checks)}


def judged(mask: np.ndarray, ct: np.ndarray, level="L1", **checks) -> dict[str, str]:
    return codes(describe_region(mask, ct, grid(mask.shape)), level, **checks)


def test_measurements_of_a_block():
    mask, ct = scene()
    facts = describe_region(mask, ct, grid())
    assert facts["voxels"] == 28800
    assert facts["volume_ml"] == pytest.approx(28.8)
    assert facts["mean_hu"] == facts["tissue_hu"] == BONE
    assert (facts["components"], facts["stray_share"], facts["holes_share"]) == (1, 0, 0)
    assert (facts["gas_share"], facts["dense_share"]) == (0, 0)
    assert facts["slices"] == 24
    assert facts["touches_border"] is False
    assert [facts[f"extent_{axis}_mm"] for axis in "xyz"] == [40, 30, 24]
    assert [facts[f"centre_{axis}_mm"] for axis in "xyz"] == [39.5, 38.5, 39.5]
    assert facts["edge_hu"] == pytest.approx(BONE - SOFT)
    assert (facts["offset_mm"], facts["offset_gain_hu"]) == (0, 0)
    assert check_region(facts, "L1", CHECKS) == []


@settings(max_examples=20)
@given(
    order=st.permutations([0, 1, 2]),
    signs=st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3),
    origin=st.tuples(*[st.floats(-300, 300)] * 3),
)
def test_facts_do_not_depend_on_the_order_of_the_voxels(order, signs, origin):
    """The same voxels in any of the 48 orders: equal facts, along the patient's axes."""
    mask, ct = scene((60, 66, 70), ((20, 40), (18, 42), (14, 54)))
    mask[30, 42:58, 30:34] = 1  # a process, so that no axis looks like another
    mask[22:24, 20:22, 60] = 1
    plain = Geometry((70, 66, 60), (0.8, 1.0, 1.5), origin, IDENTITY)
    expected = describe_region(mask, ct, plain)
    direction = np.zeros((3, 3))
    for index_axis, patient_axis in enumerate(order):
        direction[patient_axis, index_axis] = signs[index_axis]
    size, spacing = np.array(plain.size), np.array(plain.spacing)
    corner = np.array(origin) + [
        0 if direction[axis].sum() > 0 else (size[axis] - 1) * spacing[axis] for axis in range(3)
    ]
    turned = Geometry(
        tuple(int(size[axis]) for axis in order),
        tuple(float(spacing[axis]) for axis in order),
        tuple(corner),
        tuple(direction.ravel()),
    )

    def turn(array: np.ndarray) -> np.ndarray:
        by_xyz = array.transpose(2, 1, 0).transpose(order)
        flips = [axis for axis in range(3) if signs[axis] < 0]
        return np.flip(by_xyz, flips).transpose(2, 1, 0)

    facts = describe_region(turn(mask), turn(ct), turned)
    for name, value in expected.items():
        assert facts[name] == pytest.approx(value, abs=1e-4), name


@pytest.mark.parametrize(("axis", "end"), [*itertools.product([0, 1, 2], [0, -1])])
def test_every_face_is_a_border(axis, end):
    mask, ct = scene()
    index = [40, 40, 40]
    index[axis] = end
    mask[tuple(index)] = 1
    assert judged(mask, ct)["mask-touches-border"] == "warning"
    assert judged(mask, ct, border_is="error")["mask-touches-border"] == "error"


def test_a_volume_that_ends_at_the_mask_is_measured_too():
    mask, ct = np.ones((5, 6, 7), np.uint8), np.full((5, 6, 7), BONE, np.int16)
    facts = describe_region(mask, ct, grid((5, 6, 7)))
    assert facts["touches_border"]
    assert facts["edge_hu"] == pytest.approx(0, abs=1e-3)


def test_too_few_voxels():
    mask, ct = scene(box=((40, 43), (40, 43), (40, 43)))
    assert judged(mask, ct, min_voxels=28)["mask-too-small"] == "error"
    assert "mask-too-small" not in judged(mask, ct, min_voxels=27)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_slice_along_any_axis(axis):
    mask, ct = scene()
    index = [slice(None)] * 3
    index[axis] = slice(41, None)
    mask[tuple(index)] = 0
    index[axis] = slice(None, 40)
    mask[tuple(index)] = 0
    assert judged(mask, ct)["mask-one-slice"] == "error"
    index[axis] = slice(39, 40)
    mask[tuple(index)] = scene()[0][tuple(index)]
    assert "mask-one-slice" not in judged(mask, ct)


def test_a_stray_piece_is_a_warning_and_a_fragment_of_bone_a_note():
    mask, ct = scene()
    mask[60:70, 60:70, 10:16] = 1  # 600 of 29,400 voxels, in soft tissue
    assert judged(mask, ct)["mask-in-pieces"] == "warning"
    ct[60:70, 60:70, 10:16] = BONE  # bone, but far away
    assert judged(mask, ct)["mask-in-pieces"] == "warning"
    mask, ct = scene()
    mask[28:52, 20:22, 30:45] = 1  # bone two voxels in front of the body
    ct[28:52, 20:22, 30:45] = BONE
    found = judged(mask, ct)
    assert found["fragments"] == "info"
    assert "mask-in-pieces" not in found
    mask, ct = scene()
    mask[60, 60, 10] = 1  # a slip of the brush
    assert judged(mask, ct) == {}
    mask[60:66, 60:66, 10:16] = 1  # 0.2 ml: less than a hundredth, and no slip
    assert judged(mask, ct)["mask-in-pieces"] == "warning"


def test_holes_are_enclosed_background():
    mask, ct = scene()
    mask[36:44, 34:42, 36:44] = 0
    facts = describe_region(mask, ct, grid())
    assert facts["holes_share"] == pytest.approx(512 / 28288)
    assert codes(facts)["mask-has-holes"] == "warning"
    assert facts["holes_gas_share"] == 0
    ct[36:44, 34:42, 36:44] = -600
    assert describe_region(mask, ct, grid())["holes_gas_share"] == 1
    mask, ct = scene(box=((20, 60), (20, 60), (20, 60)))
    mask[37:43, 34:41, 35:43] = 0  # 0.3 ml of 64 ml
    assert judged(mask, ct)["mask-has-holes"] == "warning"
    mask, ct = scene()
    mask[:, 36:40, 36:40] = 0  # open above and below: no hole
    assert describe_region(mask, ct, grid())["holes_share"] == 0


def test_a_cleft_is_a_note_and_leaves_the_density_alone():
    mask, ct = scene()
    ct[44:48, 30:48, 26:54] = -700
    facts = describe_region(mask, ct, grid())
    assert facts["gas_share"] == pytest.approx(2016 / 28800)
    assert facts["tissue_hu"] == BONE
    assert facts["mean_hu"] < BONE
    assert codes(facts) == {"vacuum-cleft": "info"}


def test_a_region_of_gas_lies_in_the_lung():
    mask, ct = scene()
    ct[:] = -800
    found = judged(mask, ct)
    assert found["mask-mostly-gas"] == "warning"
    assert "vacuum-cleft" not in found
    assert "implausible-hu" not in found  # nothing but gas: there is no tissue to judge


def test_cement_does_not_count_as_bone():
    mask, ct = scene()
    ct[36:44, 34:42, 36:44] = 2500
    facts = describe_region(mask, ct, grid())
    assert facts["dense_share"] == pytest.approx(512 / 28800)
    assert facts["tissue_hu"] == BONE


@pytest.mark.parametrize(("level", "found"), [("L1", False), ("T12", False), ("T3", True)])
def test_a_volume_is_judged_by_the_level(level, found):
    mask, ct = scene()  # 28.8 ml
    assert ("implausible-volume" in judged(mask, ct, level)) is found


def test_a_collapsed_body_is_plausible_and_a_tiny_one_is_not():
    mask, ct = scene(box=((36, 44), (24, 54), (20, 60)))  # a third of its height: 9.6 ml
    assert "implausible-volume" not in judged(mask, ct)
    mask, ct = scene(box=((38, 42), (24, 54), (20, 60)))
    assert judged(mask, ct)["implausible-volume"] == "warning"
    assert "implausible-volume" not in judged(mask, ct, "S1")  # no reference: not judged


@pytest.mark.parametrize(("hu", "found"), [(-60, True), (60, False), (600, False), (900, True)])
def test_density_is_judged(hu, found):
    mask, ct = scene()
    ct[mask == 1] = hu
    assert ("implausible-hu" in judged(mask, ct)) is found
    assert "implausible-hu" not in judged(mask, np.where(mask, 700, SOFT), "C5")


def arch(mask: np.ndarray, ct: np.ndarray) -> None:
    """Add an arch with a canal of 16 x 20 mm behind a body, and a spinous process."""
    for array, value in ((mask, 1), (ct, BONE)):
        for side in (slice(26, 31), slice(50, 55)):
            array[34:46, 54:70, side] = value
        array[34:46, 70:76, 26:55] = value


def test_the_spinal_canal_gives_posterior_elements_away():
    mask, ct = scene()
    arch(mask, ct)
    facts = describe_region(mask, ct, grid())
    assert facts["canal_mm2"] == 16 * 19
    assert facts["posterior_elements"]
    assert codes(facts)["posterior-elements"] == "warning"
    assert "posterior-elements" not in codes(facts, region="vertebra")


def test_pedicles_leave_the_canal_open_to_the_back():
    mask, ct = scene()
    for array, value in ((mask, 1), (ct, BONE)):
        array[34:46, 54:63, 26:31] = array[34:46, 54:63, 50:55] = value
    facts = describe_region(mask, ct, grid())
    assert facts["canal_mm2"] == 9 * 19
    assert facts["behind_share"] < 0.08
    assert facts["posterior_elements"]


def test_half_an_arch_shows_behind_the_body():
    mask, ct = scene()
    mask[30:50, 54:68, 26:36] = 1
    facts = describe_region(mask, ct, grid())
    assert facts["canal_mm2"] == 0
    assert facts["behind_share"] == pytest.approx(2800 / 31600)
    assert facts["posterior_elements"]


def test_the_hollow_back_of_a_body_is_no_canal():
    mask, ct = scene()
    mask[:, 50:54, 31:49] = 0  # 4 mm deep, 18 mm wide: 72 mm2
    facts = describe_region(mask, ct, grid())
    assert facts["canal_mm2"] == 0
    assert not facts["posterior_elements"]


def test_an_island_beside_the_body_makes_no_canal():
    mask, ct = scene()
    mask[36:46, 56:66, 64:74] = 1
    assert describe_region(mask, ct, grid())["canal_mm2"] == 0


def test_the_hollow_of_an_endplate_is_no_canal():
    mask, ct = scene()
    mask[48:52, 30:48, 26:54] = 0  # the cuts through the rim show a ring of 504 mm2
    facts = describe_region(mask, ct, grid())
    assert facts["canal_mm2"] == 0
    assert not facts["posterior_elements"]
    along = Region(mask == 1, ct, (1.0, 1.0, 1.0))
    assert posterior_elements(along)["behind_share"] < 0.03


@pytest.mark.parametrize("shift", [(10, 0, 0), (0, -10, 0), (0, 0, 10), (0, 6, 0)])
def test_a_shifted_mask_fits_better_where_the_bone_is(shift):
    mask, ct = scene()
    moved = np.roll(mask, shift, (0, 1, 2))
    facts = describe_region(moved, ct, grid())
    assert facts["offset_mm"] == pytest.approx(np.abs(shift).sum(), abs=1.1)
    assert codes(facts)["mask-displaced"] == "warning"


def test_a_mask_far_from_bone_follows_no_edge():
    mask, ct = scene()
    ct[:] = SOFT
    found = judged(mask, ct)
    assert found["mask-off-bone"] == "warning"
    assert "mask-displaced" not in found


def test_gas_beside_the_bone_is_no_edge():
    """Lung or bowel next to a vertebra must not outweigh the cortex."""
    mask, ct = scene()
    ct[:, 10:24] = -900
    facts = describe_region(mask, ct, grid())
    assert facts["offset_mm"] < 3
    assert codes(facts) == {}


# --- public data -------------------------------------------------------------------------------


def real(folder, image: str, mask: str, label: int) -> dict:
    ct, labels = sitk.ReadImage(str(folder / image)), sitk.ReadImage(str(folder / mask))
    inside = sitk.GetArrayViewFromImage(labels) == label
    return describe_region(inside.astype(np.uint8), sitk.GetArrayViewFromImage(ct), Geometry.of(ct))


SPINE = "totalseg_ct_spine/example_ct.nii.gz"


@pytest.mark.parametrize("level", ["L1", "L2", "L3", "L4", "L5"])
def test_real_bodies_are_clean_and_whole_vertebrae_are_told_apart(testdata, level):
    bodies = "totalseg_ct_spine/spine_report/totalseg_vertebrae_pp_refined.nii.gz"
    whole = "totalseg_ct_spine/spine_report/totalseg.nii.gz"
    number = int(level[1])
    assert codes(real(testdata, SPINE, bodies, 19 + number), level) == {}
    facts = real(testdata, SPINE, whole, 32 - number)
    assert codes(facts, level)["posterior-elements"] == "warning"
    assert codes(facts, level, region="vertebra") == {}


def test_a_real_body_among_subregions(testdata):
    folder = testdata / "tptbox_ct_vertebra"
    ct = sitk.ReadImage(str(folder / "sub-ct_label-22_ct.nii.gz"))
    parts, vertebrae = (
        sitk.GetArrayFromImage(
            sitk.ReadImage(str(folder / f"sub-ct_seg-{kind}_label-22_msk.nii.gz"))
        )
        for kind in ("subreg", "vert")
    )
    hu, geometry = sitk.GetArrayViewFromImage(ct), Geometry.of(ct)
    # 49 is the shell of the body, 50 what it encloses.
    body = (np.isin(parts, (49, 50)) & (vertebrae == 22)).astype(np.uint8)
    assert codes(describe_region(body, hu, geometry), "L3") == {}
    whole = (vertebrae == 22).astype(np.uint8)
    assert "posterior-elements" in codes(describe_region(whole, hu, geometry), "L3")


@pytest.mark.parametrize("sides", [((30, 31, 29), (11, 9, 10)), ((12, 40, 13), (1, 9, 3))])
def test_a_template_is_laid_on_its_field_as_scipy_does(sides):
    rng = np.random.default_rng(0)
    field, template = (rng.normal(scale=300, size=side).astype(np.float32) for side in sides)
    there = signal.correlate(field, template, mode="valid", method="fft")
    np.testing.assert_allclose(_correlated(field, template), there, atol=1e-6 * there.max())
