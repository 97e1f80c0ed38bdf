"""A study's models in groups of its patients: by hand, too small, and in outer folds."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from models.scoring import metrics
from models.scoring.cross_validated import HeldOut
from models.scoring.performance import Sample
from models.subgroups.groups import FEWEST
from models.subgroups.study_groups import groups_of_units, subgroup_table
from pipeline.reporting.sections.prediction import subgroups as page

UNITS = [f"P{at:03d}" for at in range(200)]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Return a risk that orders women well and men not at all, and is half the truth in men."""
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"unit_id": UNITS, "patient_id": UNITS})
    table["sex"] = np.where(np.arange(200) < 120, "female", "male")
    table["age"] = rng.integers(55, 90, 200).astype(float)
    table["level"] = np.where(np.arange(200) % 20 == 0, "T12|L1", "L1")
    table["outcome"] = rng.random(200) < 0.4
    risk = np.where(table["outcome"], 0.6, 0.3) + rng.normal(0, 0.1, 200)
    table["risk"] = np.where(table["sex"] == "male", 0.2 + 0.01 * rng.random(200), risk)
    return table.astype({"outcome": int})


@pytest.fixture(scope="module")
def study() -> SimpleNamespace:
    dictionary = pd.DataFrame(
        {
            "column": ["sex", "age", "bmi"],
            "label": ["Sex", "Age, years", "Body mass index"],
            "type": ["binary", "continuous", "continuous"],
            "role": "predictor",
        }
    )
    cases = pd.DataFrame({"patient_id": UNITS, "scan_id": [f"s{unit}" for unit in UNITS]})
    return SimpleNamespace(dictionary=dictionary, cases=cases)


def sample_of(rows: pd.DataFrame) -> Sample:
    given = (rows[name].to_numpy() for name in ("outcome", "risk", "patient_id"))
    return Sample(*given, 0.5)


def training() -> pd.Series:
    return pd.Series(True, index=UNITS)


def test_groups_have_the_figures_of_their_own_rows(rows, study):
    groups = groups_of_units("auto", rows, study.cases, study.dictionary, "patient", training())
    assert set(groups) == {"sex", "age", "level"}
    table = subgroup_table({"lr": sample_of(rows)}, UNITS, groups, 0.95)
    found = table.set_index(["by", "group", "metric"])
    for sex in ("female", "male"):
        own = rows[rows["sex"] == sex]
        area = found.loc[("sex", sex, "auroc")]
        assert area["value"] == pytest.approx(metrics.auroc(own["outcome"], own["risk"]))
        assert area["low"] < area["value"] < area["high"]
        ratio = found.loc[("sex", sex, "oe_ratio")]
        assert ratio["value"] == pytest.approx(own["outcome"].sum() / own["risk"].sum())
        assert area[["rows", "events"]].tolist() == [len(own), own["outcome"].sum()]
    assert found.loc[("sex", "female", "auroc"), "low"] > 0.9
    assert found.loc[("sex", "male", "auroc"), "low"] < 0.5
    assert found.loc[("sex", "male", "oe_ratio"), "low"] > 1.2


def test_a_group_that_is_too_small_has_no_figure_and_says_so(rows, study):
    groups = groups_of_units(
        {"level": []}, rows, study.cases, study.dictionary, "patient", training()
    )
    table = subgroup_table({"lr": sample_of(rows)}, UNITS, groups, 0.95)
    few = table[table["group"] == "T12 and L1"]
    assert few[["value", "low", "high"]].isna().all(axis=None)
    assert few["method"].str.contains(f"fewer than {FEWEST} with or").all()
    assert page.FEWEST == FEWEST


def test_ages_are_cut_at_the_median_of_the_training_rows_alone(rows, study):
    old = pd.Series(rows["age"].to_numpy() >= 80, index=UNITS)
    groups = groups_of_units({"age": []}, rows, study.cases, study.dictionary, "patient", old)
    cut = rows.loc[rows["age"] >= 80, "age"].median()
    assert set(groups["age"]) == {f"below {cut:g}", f"{cut:g} and above"}
    named = groups_of_units({"age": [65, 80]}, rows, study.cases, study.dictionary, "patient", old)[
        "age"
    ]
    assert named.value_counts()["80 and above"] == (rows["age"] >= 80).sum()


def test_scans_lend_their_units_scanner_and_kernel(rows, study):
    ingest = pd.DataFrame({"scan_id": study.cases["scan_id"], "kernel": "B60", "scanner": "X"})
    ingest.loc[:49, "kernel"] = None
    ingest.loc[50:99, "kernel"] = "B40"
    groups = groups_of_units(
        "auto", rows, study.cases, study.dictionary, "patient", training(), ingest
    )
    assert "scanner" not in groups  # all are of one
    assert groups["kernel"].value_counts().to_dict() == {"B60": 100, "B40": 50, "not known": 50}
    twice = SimpleNamespace(
        dictionary=study.dictionary,
        cases=pd.concat([study.cases, study.cases.iloc[60:61].assign(scan_id="second")]),
    )
    second = pd.DataFrame({"scan_id": ["second"], "kernel": ["B60"], "scanner": ["X"]})
    both = groups_of_units(
        {"kernel": []},
        rows,
        twice.cases,
        twice.dictionary,
        "patient",
        training(),
        pd.concat([ingest, second]),
    )
    assert both["kernel"][UNITS[60]] == "B40 and B60"


def test_in_outer_folds_only_pairs_of_one_fold_count(rows, study):
    """Scores of the second fold are shifted: over all pairs they would look like discrimination."""
    folds = (np.arange(200) % 2)[None]
    risk = rows["risk"].to_numpy() / 4 + 0.5 * folds
    outcome, patients = rows["outcome"].to_numpy(), rows["patient_id"].to_numpy()
    held = HeldOut(outcome, patients, folds, risk, np.full((1, 200), 0.5))
    groups = groups_of_units(
        {"sex": []}, rows, study.cases, study.dictionary, "patient", training()
    )
    table = subgroup_table({"lr": held}, UNITS, groups, 0.95)
    found = table[table["metric"] == "auroc"].set_index("group")
    women = rows["sex"] == "female"
    by_fold = [
        metrics.auroc(rows.loc[of, "outcome"], rows.loc[of, "risk"])
        for of in (women & (folds[0] == fold) for fold in (0, 1))
    ]
    assert found.loc["female", "value"] == pytest.approx(np.mean(by_fold))
    assert "outer folds" in found.loc["female", "method"]


def test_no_fitted_model_gives_an_empty_table(rows, study):
    groups = groups_of_units("auto", rows, study.cases, study.dictionary, "patient", training())
    assert subgroup_table({}, UNITS, groups, 0.95).empty
    assert subgroup_table({"lr": sample_of(rows)}, UNITS, {}, 0.95).empty
