"""Shapes and picture of the synthetic spine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.anatomy import BODY_SIZE_MM, Grid, Vertebra, arch_distance, body_distance, draw_spine
from demo.painting import HU, paint

GRID = Grid((24, 144, 110), (3.0, 0.7, 0.7), (-34.5, -33.0, -38.15))


@pytest.fixture(scope="module")
def vertebra() -> Vertebra:
    return Vertebra(
        level="L1",
        centre=(0.0, 0.0, 0.0),
        axes=np.eye(3),
        half=(19.0, 14.5, 12.0),
        concavity=1.5,
        wedge=0.0,
        depression=0.0,
        density=110.0,
        texture_mm=2.0,
        cleft=False,
    )


def lattice(step: float = 0.5) -> tuple[np.ndarray, ...]:
    """Return own coordinates around a body, every `step` mm."""
    u, v, w = (np.arange(-reach, reach, step) for reach in (26, 20, 18))
    return np.meshgrid(u, v, w, indexing="ij")


def spine_of(texture_mm: float, **options: object) -> list[Vertebra]:
    fixed = {"size": 1.0, "density": 110.0, "cleft": False} | options
    return draw_spine(["L1"], np.random.default_rng(3), texture_mm=texture_mm, **fixed)


def target(spine: list[Vertebra]) -> Vertebra:
    return next(vertebra for vertebra in spine if vertebra.wedge > 0)


def mask_of(vertebra: Vertebra, grid: Grid) -> np.ndarray:
    whole = (slice(None),) * 3
    return body_distance(vertebra, *vertebra.local(grid, whole))[0] < 0


def test_body_has_about_the_volume_of_its_box_less_waist_and_hollows(vertebra):
    inside = body_distance(vertebra, *lattice())[0] < 0
    volume = inside.sum() * 0.5**3
    box = 8 * np.prod(vertebra.half)
    assert 0.6 * box < volume < 0.85 * box


@settings(max_examples=60)
@given(st.floats(-30, 30), st.floats(-25, 25), st.floats(-20, 20), st.floats(0.0, 0.38))
def test_moving_the_contour_outwards_keeps_every_point_that_was_inside(u, v, w, wedge):
    body = Vertebra(
        "L1", (0, 0, 0), np.eye(3), (19, 14.5, 12), 1.5, wedge, 1.0, 110, 2.0, cleft=False
    )
    point = [np.array([value]) for value in (u, v, w)]
    here = body_distance(body, *point)[0]
    nearer = body_distance(body, *(0.9 * value for value in point))[0]
    assert np.isfinite(here).all()
    # Toward the middle of the body, the distance falls or the point is inside already.
    assert (nearer <= here + 1e-6).all() or (nearer < 0).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_distance_is_in_mm_outside_the_flat_faces(vertebra, axis):
    start = np.zeros(3)
    start[axis] = -(vertebra.half[axis] + 6.0)
    further = start.copy()
    further[axis] -= 4.0
    near, far = (
        body_distance(vertebra, *(np.array([value]) for value in point))[0][0]
        for point in (start, further)
    )
    assert far - near == pytest.approx(4.0, abs=0.3)


def test_wedge_lowers_the_front_and_leaves_the_back(vertebra):
    broken = replace(vertebra, wedge=0.3)
    u, v, w = lattice()

    def height(body: Vertebra, where: float) -> float:
        inside = body_distance(body, u, v, w)[0] < 0
        return float(inside[u.shape[0] // 2, np.abs(v[0, :, 0] - where).argmin()].sum() * 0.5)

    assert height(broken, -11.0) < 0.8 * height(vertebra, -11.0)
    assert height(broken, 9.0) > 0.9 * height(vertebra, 9.0)


def test_arch_encloses_the_canal_and_leaves_it_free(vertebra):
    depth = vertebra.half[1]
    middle = arch_distance(vertebra, *(np.array([x]) for x in (0.0, depth + 8.0, 0.0)))
    pedicle = arch_distance(vertebra, *(np.array([x]) for x in (11.0, depth + 4.0, 3.6)))
    assert middle > 4.0
    assert pedicle < 0


def test_finer_slices_fill_the_same_slab():
    fine = GRID.finer_slices(3)
    assert fine.shape == (72, 144, 110)
    assert fine.axis(0).reshape(24, 3).mean(axis=1) == pytest.approx(GRID.axis(0), abs=1e-4)


def test_box_holds_the_voxels_within_reach_and_no_others():
    box = GRID.box(np.array([0.0, 0.0, 0.0]), (5, 5, 5), (5, 5, 5))
    for index in range(3):
        inside = np.abs(GRID.axis(index)) <= 5
        assert np.array_equal(np.flatnonzero(inside), np.arange(GRID.shape[index])[box[index]])
    outside = GRID.box(np.array([500.0, 0.0, 0.0]), (5, 5, 5), (5, 5, 5))
    assert outside[0].stop == outside[0].start


def test_spine_runs_from_head_to_foot_with_the_target_in_the_middle():
    spine = draw_spine(
        ["T12", "L1"], np.random.default_rng(0), size=1, density=90, texture_mm=2, cleft=True
    )
    assert [vertebra.level for vertebra in spine] == ["T10", "T11", "T12", "L1", "L2", "L3"]
    heights = [vertebra.centre[2] for vertebra in spine]
    assert heights == sorted(heights, reverse=True)
    assert [vertebra.wedge > 0 for vertebra in spine] == [False, False, True, True, False, False]
    assert [vertebra.cleft for vertebra in spine] == [False, False, True, False, False, False]
    for vertebra in spine:
        assert vertebra.axes @ vertebra.axes.T == pytest.approx(np.eye(3), abs=1e-12)
        size = 2 * np.array(vertebra.half)
        assert size == pytest.approx(BODY_SIZE_MM[vertebra.level], rel=0.1)


def test_tissues_have_their_hounsfield_units():
    spine = spine_of(0.7)  # fine texture, whose mean over a body hardly varies
    volume = paint(spine, GRID, np.random.default_rng(0), fatty_muscle=0.05, noise_hu=16.0)
    body = target(spine)
    whole = (slice(None),) * 3
    u, v, w = body.local(GRID, whole)
    distance, below = body_distance(body, u, v, w)
    assert volume.dtype == np.int16
    inner = volume[(distance < -4) & (below > 9)]
    shell = volume[(np.abs(distance + 0.6) < 0.4) & (np.abs(w) < 6)]
    assert inner.mean() == pytest.approx(body.density, abs=25)
    assert 300 < np.median(shell) < HU["cortex"]
    canal = volume[(np.hypot(u / 7, (v - body.half[1] - 8) / 5) < 1) & (np.abs(w) < 8)]
    assert np.median(canal) == pytest.approx(HU["canal"], abs=12)
    assert np.median(volume[:, -3:, :8]) == pytest.approx(HU["air"], abs=60)


def test_texture_length_is_in_the_voxels():
    """The planted variable can be measured: neighbours are more alike where it is larger."""

    def likeness(texture_mm: float) -> float:
        spine = spine_of(texture_mm)
        volume = paint(spine, GRID, np.random.default_rng(1), fatty_muscle=0.05, noise_hu=16.0)
        body = target(spine)
        whole = (slice(None),) * 3
        distance, below = body_distance(body, *body.local(GRID, whole))
        inner = (distance < -3) & (below > 8)
        pairs = inner[:, :, :-3] & inner[:, :, 3:]
        left, right = volume[:, :, :-3][pairs], volume[:, :, 3:][pairs]
        return float(np.corrcoef(left, right)[0, 1])

    short, middle, long = (likeness(mm) for mm in (1.0, 2.0, 4.0))
    assert short + 0.1 < middle < long - 0.05


def test_cleft_holds_gas_inside_the_body():
    spine = spine_of(2.0, cleft=True)
    volume = paint(spine, GRID, np.random.default_rng(0), fatty_muscle=0.05, noise_hu=16.0)
    assert volume[mask_of(target(spine), GRID)].min() < -300
    assert (volume[mask_of(target(spine), GRID)] < -300).mean() < 0.1
