"""The mesh of a region, measured as PyRadiomics measures it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from radiomics import cShape

from pipeline.extraction.formulas.shape import mesh, principal_moments


def assert_as_in_the_library(inside: np.ndarray, spacing: tuple[float, ...]) -> None:
    area, volume, diameters = cShape.calculate_coefficients(inside, np.array(spacing))
    found = mesh(inside, spacing)
    assert found[0] == pytest.approx(area, rel=1e-12)
    assert found[1] == pytest.approx(volume, rel=1e-11, abs=1e-11)
    assert found[2] == pytest.approx(diameters, rel=1e-13)


@settings(max_examples=60)
@given(
    shape=st.tuples(*[st.integers(1, 12)] * 3),
    spacing=st.tuples(*[st.sampled_from([1.0, 0.7, 2.5])] * 3),
    filled=st.floats(0.1, 1.0),
    seed=st.integers(0, 10**6),
)
def test_any_region_has_the_librarys_area_volume_and_diameters(shape, spacing, filled, seed):
    # Scattered voxels hold every case of a cube, and those where the library's triangles leave
    # gaps, so that its volume depends on where the region lies.
    inside = np.pad(np.random.default_rng(seed).random(shape) < filled, 1)
    inside[1, 1, 1] = True
    assert_as_in_the_library(inside, spacing)


def test_a_box_away_from_the_corner():
    inside = np.zeros((9, 12, 15), bool)
    inside[3:5, 4:9, 7:13] = True
    assert_as_in_the_library(inside, (3.0, 0.5, 0.75))
    # The mesh cuts the corners off a box of 2 x 5 x 6 voxels, whose vertices lie on its faces.
    assert mesh(inside, (1.0, 1.0, 1.0))[2][3] == pytest.approx(np.sqrt(1 + 16 + 36))


@settings(max_examples=60)
@given(
    shape=st.tuples(*[st.integers(1, 12)] * 3),
    spacing=st.tuples(*[st.sampled_from([1.0, 0.7, 0.75, 2.5])] * 3),
    filled=st.floats(0.1, 1.0),
    seed=st.integers(0, 10**6),
)
def test_any_region_has_the_librarys_moments_in_every_bit(shape, spacing, filled, seed):
    # Flat and thin ones among them, whose smallest moment is nothing but rounding.
    inside = np.pad(np.random.default_rng(seed).random(shape) < filled, 1)
    inside[1, 1, 1] = True
    coordinates = np.array(np.nonzero(inside), dtype=int).T * np.array(spacing)
    coordinates -= np.mean(coordinates, axis=0)
    coordinates /= np.sqrt(len(coordinates))
    values = np.linalg.eigvals(np.dot(coordinates.T.copy(), coordinates))
    values[(values < 0) & (values > -1e-10)] = 0
    np.testing.assert_array_equal(principal_moments(inside, spacing), np.sort(values))
