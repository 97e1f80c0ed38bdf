"""ComBat against R's sva, and where it must refuse or leave values as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.transformers.combat import apply_combat, fit_combat

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "harmonisation"


@pytest.fixture(scope="module")
def given():
    table = pd.read_csv(GOLDEN / "values.csv")
    values = table[[name for name in table if name.startswith("f")]].to_numpy()
    return values, table["batch"].to_numpy(dtype=str), table[["age"]].to_numpy()


@pytest.mark.parametrize(
    ("file", "with_age", "reference"),
    [("sva_plain", False, None), ("sva_age", True, None), ("sva_age_reference_b", True, "b")],
)
def test_values_are_those_of_sva(given, file, with_age, reference):
    values, sites, age = given
    kept = age if with_age else age[:, :0]
    fitted = fit_combat(values, sites, kept, reference)
    expected = pd.read_csv(GOLDEN / f"{file}.csv").to_numpy()
    # The files hold 15 digits.
    assert apply_combat(fitted, values, sites, kept) == pytest.approx(expected, rel=1e-11)
    if reference is not None:
        rows = sites == reference
        assert (apply_combat(fitted, values, sites, kept)[rows] == values[rows]).all()


def test_units_do_not_count(given):
    values, sites, age = given
    plain = apply_combat(fit_combat(values, sites, age), values, sites, age)
    other = values * 1e-3 + 7
    moved = apply_combat(fit_combat(other, sites, age), other, sites, age)
    assert moved == pytest.approx(plain * 1e-3 + 7, rel=1e-9)


def test_a_feature_that_does_not_vary_at_a_site_stays_as_it_is(given):
    values, sites, age = (each.copy() for each in given)
    values[sites == "a", 2] = 4.0
    fitted = fit_combat(values, sites, age)
    assert fitted.adjusted.tolist() == [True, True, False, *[True] * 5]
    moved = apply_combat(fitted, values, sites, age)
    assert (moved[:, 2] == values[:, 2]).all()
    # The others are what they are without it.
    rest = [0, 1, 3, 4, 5, 6, 7]
    alone = values[:, rest]
    assert moved[:, rest] == pytest.approx(
        apply_combat(fit_combat(alone, sites, age), alone, sites, age), rel=1e-12
    )


def test_two_features_are_not_shrunken(given):
    """A prior over two features is none; each site then gets one mean and one variance."""
    values, sites, _ = given
    two, no = values[:, :2], np.empty((len(values), 0))
    moved = apply_combat(fit_combat(two, sites, no), two, sites, no)
    means = pd.DataFrame(moved).groupby(sites).mean()
    spreads = pd.DataFrame(moved).groupby(sites).std()
    assert np.ptp(means.to_numpy(), axis=0) == pytest.approx([0, 0], abs=1e-10)
    assert np.ptp(spreads.to_numpy(), axis=0) == pytest.approx([0, 0], abs=1e-10)


def test_another_site_stays_as_it_is(given):
    values, sites, age = given
    known = sites != "c"
    fitted = fit_combat(values[known], sites[known], age[known])
    moved = apply_combat(fitted, values, sites, age)
    assert (moved[~known] == values[~known]).all()
    assert (moved[known] != values[known]).any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda sites, age: (np.where(np.arange(30) == 0, "z", sites), age, None), "one row"),
        (lambda sites, age: (sites, age, "d"), "none of the sites"),
        (lambda sites, age: (sites, (sites == "a").astype(float)[:, None], None), "determine"),
    ],
)
def test_refused(given, change, words):
    values, sites, age = given
    with pytest.raises(ValueError, match=words):
        fit_combat(values, *change(sites, age))
