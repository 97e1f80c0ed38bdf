"""Draws hang on the study's seed and on names, and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import StudyError
from pipeline.extraction import load_params
from pipeline.extraction.perturbations.drawing import STEPS, Strength, check_chain, draws_of

ALL = Strength(STEPS)


def test_a_repetition_is_the_same_in_any_set_and_order():
    of_hundred = draws_of(ALL, range(1, 101), 2025, "S1", "S1_L1")
    assert draws_of(ALL, [7, 3], 2025, "S1", "S1_L1") == [of_hundred[6], of_hundred[2]]
    assert len({draw.move for draw in of_hundred}) == 100


def test_another_case_scan_or_seed_draws_anew():
    known = draws_of(ALL, [1], 2025, "S1", "S1_L1")
    for seed, scan, case in ((2026, "S1", "S1_L1"), (2025, "S2", "S1_L1"), (2025, "S1", "S1_L2")):
        (other,) = draws_of(ALL, [1], seed, scan, case)
        assert other.move != known[0].move
        assert other.noise_seed != known[0].noise_seed


def test_a_step_left_out_moves_no_other():
    (whole,) = draws_of(ALL, [4], 1, "S", "C")
    (fewer,) = draws_of(Strength(("volume", "contour")), [4], 1, "S", "C")
    assert (fewer.volume, fewer.contour_seed) == (whole.volume, whole.contour_seed)
    assert fewer.move.is_none
    assert fewer.noise_seed is None
    assert not Strength(("volume", "contour")).moves_image
    assert ALL.moves_image


def test_draws_fill_their_ranges():
    drawn = draws_of(ALL, range(1, 401), 3, "S", "C")
    for values, largest in (
        ([draw.move.shift[0] for draw in drawn], 0.5),
        ([draw.move.degrees for draw in drawn], 13.0),
        ([draw.volume for draw in drawn], 0.05),
    ):
        assert np.abs(values).max() <= largest
        assert np.min(values) < -0.9 * largest
        assert np.max(values) > 0.9 * largest


def test_what_decides_about_draws_leaves_other_steps_out():
    assert Strength(("noise", "volume")).as_json() == {"chain": ["noise", "volume"], "volume": 0.05}
    options = {"chain": ["contour", "noise"], "translation_voxels": 0.3, "rotation_degrees": 5,
               "volume_fraction": 0.1}  # fmt: skip
    assert Strength.of(options) == Strength(("noise", "contour"), 0.3, 5, 0.1)


@pytest.mark.parametrize("step", ["noise", "translation", "rotation"])
@pytest.mark.parametrize(
    "setting",
    [{}, {"resampledPixelSpacing": [1, 1, 1], "interpolator": "sitkLinear"}],
    ids=["no grid", "linear"],
)
def test_a_chain_of_images_needs_a_grid(step, setting):
    params = load_params({"setting": setting, "featureClass": {"firstorder": ["Mean"]}})
    with pytest.raises(StudyError) as error:
        check_chain(["volume", step], params)
    assert error.value.code == "perturbation-without-grid"
    check_chain(["volume", "contour"], params)
    spline = {"resampledPixelSpacing": [1, 1, 1], "interpolator": "sitkBSpline"}
    check_chain([step], load_params({"setting": spline, "featureClass": {"firstorder": ["Mean"]}}))
