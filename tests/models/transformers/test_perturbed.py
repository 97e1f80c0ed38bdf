"""The filter of robust features: what passes, what it looks at, and what it refuses."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.base import clone

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models.selection import report_selection, training_chain
from models.split import split_table
from models.transformers.ccc_filter import CCCFilter
from models.transformers.chain import block_pipeline, chain_notes, selection_chain, steps_off
from models.transformers.columns import Columns
from models.transformers.perturbed import PerturbedRows
from pipeline.comparison.agreement.perturbed_units import moments_table
from pipeline.comparison.agreement.repeated import lower_limit, moments, spread
from pipeline.core.errors import StudyError
from tests.support.options import typed

NAMES = ["steady", "shaky", "noise"]
UNITS = [f"u{number:02d}" for number in range(60)]
LIMITS = {"threshold": 0.9, "bound": "lower", "confidence": 0.95, "resamples": 100}


def perturbed_of(
    truth: pd.DataFrame, spreads: dict[str, float], seed: int = 1, times: int = 10
) -> PerturbedRows:
    """Return perturbed extractions around the values of units, by feature."""
    rng = np.random.default_rng(seed)
    rows = pd.concat([truth] * times, keys=range(1, times + 1), names=["repetition", "case_id"])
    rows = rows + rng.normal(size=rows.shape) * [spreads[name] for name in truth]
    rows = rows.reset_index().assign(reader="A")
    own = pd.Series(truth.index, index=truth.index)
    return PerturbedRows(moments_table([rows], own, own, list(truth), None))


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(60, 3)), index=UNITS, columns=NAMES)


@pytest.fixture(scope="module")
def perturbed(truth):
    # True ICCs of 0.98 and 0.69; what is pure noise is another value in each repetition.
    rows = truth.assign(noise=0.0)
    return perturbed_of(rows, {"steady": 0.14, "shaky": 0.67, "noise": 1.0})


def readings(truth: pd.DataFrame, readers: str) -> pd.DataFrame:
    """Return X of readers who agree on all but `shaky`... and `noise`, which they copy."""
    rng = np.random.default_rng(5)
    parts = []
    for reader in readers:
        values = truth + rng.normal(size=truth.shape) * [1.5, 0.02, 0.02]
        parts.append(values.add_prefix(f"{reader}:"))
    return pd.concat(parts, axis=1)


def fitted(truth, rows, readers="A", **options):
    known = {"robustness": "perturbations", "perturbed": rows, "perturbations": LIMITS}
    reader = "A" if len(readers) > 1 else None
    return CCCFilter(tuple(readers), NAMES, reader, **(known | options)).fit(
        readings(truth, readers)
    )


def test_one_reader_no_longer_goes_without(truth, perturbed):
    found = fitted(truth, perturbed)
    assert found.kept_ == ["steady"]
    assert found.skipped_
    assert not found.unperturbed_
    assert found.icc_["steady"] > 0.95
    assert 0.5 < found.icc_["shaky"] < 0.85
    assert abs(found.icc_["noise"]) < 0.15
    assert (found.icc_low_ < found.icc_).all()
    assert found.transform(readings(truth, "A")).columns.tolist() == ["steady"]


def test_readers_perturbations_and_both(truth, perturbed):
    kept = {
        asked: fitted(truth, perturbed, "AB", robustness=asked).kept_
        for asked in ("readers", "perturbations", "both")
    }
    assert kept == {"readers": ["shaky", "noise"], "perturbations": ["steady"], "both": []}


def test_readers_alone_look_at_no_perturbation(truth):
    alone = CCCFilter(("A", "B"), NAMES, "A").fit(readings(truth, "AB"))
    assert alone.unperturbed_
    assert alone.icc_.isna().all()


def test_a_threshold_of_null_lets_everything_pass_and_measures(truth, perturbed):
    found = fitted(truth, perturbed, perturbations=LIMITS | {"threshold": None})
    assert found.kept_ == NAMES
    assert found.unperturbed_
    assert found.icc_.notna().all()


def test_the_bound_decides(truth, perturbed):
    low, estimate = (
        fitted(truth, perturbed, perturbations=LIMITS | {"threshold": 0.55, "bound": bound}).kept_
        for bound in ("lower", "estimate")
    )
    assert low == ["steady"]
    assert estimate == ["steady", "shaky"]


def test_only_the_rows_that_are_fitted_to_are_looked_at(truth, perturbed):
    """No value of a held-out patient's perturbed extractions reaches what is learned."""
    training, held_out = UNITS[:40], UNITS[40:]
    found = fitted(truth.loc[training], perturbed)
    # Whatever held-out rows hold: the same.
    rng = np.random.default_rng(9)
    spoiled = truth.assign(noise=0.0)
    spoiled.loc[held_out] = rng.normal(size=(20, 3)) * 1e6
    whole = perturbed.take(training, NAMES)[0]
    other = perturbed_of(spoiled, {"steady": 0.14, "shaky": 0.67, "noise": 1.0})
    for one, two in zip(whole, other.take(training, NAMES)[0], strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)
    again = fitted(truth.loc[training], other)
    pd.testing.assert_series_equal(found.icc_, again.icc_)
    pd.testing.assert_series_equal(found.icc_low_, again.icc_low_)
    assert fitted(truth, other).icc_["shaky"] > 0.999  # it would show


def test_the_coefficient_is_that_of_the_rows(truth, perturbed):
    measured, patients = perturbed.take(UNITS, NAMES)
    found = fitted(truth, perturbed, seed=4)
    np.testing.assert_array_equal(found.icc_, spread(measured).icc)
    np.testing.assert_array_equal(found.icc_low_, lower_limit(measured, patients, 0.95, 100, 4))


def test_rows_drawn_twice_and_rows_never_perturbed(perturbed):
    measured, patients = perturbed.take(["u03", "u03", "nobody"], ["shaky"])
    assert measured.count.ravel().tolist() == [10, 10, 0]
    assert patients.tolist() == ["u03", "u03", "nobody"]


def test_copies_of_a_chain_share_the_rows(perturbed):
    step = CCCFilter(("A",), NAMES, None, robustness="perturbations", perturbed=perturbed)
    assert clone(step).perturbed is perturbed
    assert copy.deepcopy(step).perturbed is perturbed
    assert repr(perturbed) == "PerturbedRows(60 units)"


def test_pure_noise_does_not_pass_beyond_chance():
    """Of 400 features that are noise alone, none reaches even a lenient limit."""
    rng = np.random.default_rng(3)
    rows = moments(rng.normal(size=(60 * 10, 400)), np.repeat(np.arange(60), 10), 60)
    low = lower_limit(rows, np.arange(60), 0.95, 100, 1)
    assert not (low >= 0.3).any()
    assert (low > 0).mean() < 0.05  # a two-sided interval of 95% lies above 0 in 2.5%


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"perturbed": None}, "perturbed-rows-missing"),
        ({"perturbations": None}, "perturbed-rows-missing"),
        ({"robustness": "none"}, "robustness-unknown"),
    ],
)
def test_what_is_missing_is_named(truth, perturbed, options, code):
    with pytest.raises(StudyError) as error:
        fitted(truth, perturbed, **options)
    assert error.value.code == code


def test_a_feature_that_was_not_perturbed_is_named(perturbed):
    with pytest.raises(StudyError) as error:
        perturbed.take(UNITS, ["steady", "unknown"])
    assert error.value.code == "feature-not-perturbed"


@pytest.fixture(scope="module")
def study():
    simulated = simulate_tables(120, 7, features=feature_names()[:60])
    table, info = simulated.analysis()
    columns = Columns.from_info(info)
    truth = table.set_index("unit_id")[[f"A:{name}" for name in columns.features]].astype(float)
    truth = truth.set_axis(columns.features, axis=1)
    # Every second feature is destroyed by a shift.
    noise = {name: float(truth[name].std()) * (0.05 if at % 2 else 2.0)
             for at, name in enumerate(truth)}  # fmt: skip
    return table, replace(columns, perturbed=perturbed_of(truth, noise))


def test_the_chain_and_its_funnel_follow_the_configuration(repository, study):
    table, columns = study
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    config["selection"] |= {"robustness": "both", "permutations": 0}
    config["split"]["folds"] = 2
    parts = split_table(table, typed(config).split, config["seed"])
    rows = table.merge(parts[["unit_id", "part", "fold"]], on="unit_id")
    selection, summary = report_selection(
        columns, rows, typed(config), training_chain(columns, rows, typed(config))
    )
    assert summary["funnel"][1]["label"] == (
        "CCC between readers >= 0.85; ICC between perturbed extractions (lower limit) >= 0.9"
    )
    features = selection[selection["block"] == "radiomics"].reset_index(drop=True)
    assert features["kept_perturbed"].tolist() == [bool(at % 2) for at in range(60)]
    both = features["kept_ccc"] & features["kept_perturbed"]
    assert summary["funnel"][1]["radiomics"] == int(both.sum())
    assert (features.loc[features["test"].notna(), "kept_perturbed"]).all()
    assert features["icc"].notna().all()
    chain = selection_chain(columns, typed(config)).fit(columns.take(table), table["outcome"])
    assert block_pipeline(chain, "radiomics")["ccc"].robustness == "both"
    assert steps_off(chain) == []
    config["selection"]["perturbations"]["threshold"] = None
    chain = selection_chain(columns, typed(config)).fit(columns.take(table), table["outcome"])
    assert steps_off(chain) == ["ICC filter"]
    assert not any("One reader" in note for note in chain_notes(chain))
