"""Synthetic clinical cohorts: margins as published, planted effects come back, studies valid."""

from __future__ import annotations

from argparse import Namespace

import numpy as np
import pytest
import statsmodels.api as sm
import yaml

from demo.clinical import COHORTS, Levels, Numbers, main, simulate
from pipeline.study.config import load_config, resolve_config
from pipeline.validate import validate_study
from tests.support.stages import cohort_of, groups_of


@pytest.mark.parametrize("name", COHORTS)
def test_margins_are_the_published_ones(name):
    cohort = COHORTS[name]
    table, _ = simulate(name, patients=20_000)
    for column, drawn in cohort.columns.items():
        if isinstance(drawn, Numbers) and drawn.readings:
            names = [f"{column}_{number}" for number in range(1, drawn.readings + 1)]
            spread = (drawn.sd**2 + drawn.error**2) ** 0.5
            assert table[names].mean().mean() == pytest.approx(drawn.mean, abs=0.05 * drawn.sd)
            assert table[names[0]].std() == pytest.approx(spread, rel=0.05)
        elif isinstance(drawn, Numbers) and drawn.after:
            # Values end at the ends of the scale, so that a change is a little smaller.
            change = (table[drawn.after] - table[column]).mean()
            assert change == pytest.approx(drawn.mean, abs=0.35 * drawn.sd)
        elif isinstance(drawn, Numbers):
            assert table[column].mean() == pytest.approx(drawn.mean, abs=0.05 * drawn.sd)
            assert table[column].std() == pytest.approx(drawn.sd, rel=0.05)
        else:
            whole = sum(drawn.shares.values())
            for level, share in drawn.shares.items():
                assert (table[column] == level).mean() == pytest.approx(share / whole, abs=0.012)
    events = (table[cohort.outcome[0]] == "yes").mean()
    assert events == pytest.approx(cohort.events / cohort.patients, abs=0.012)
    assert len(simulate(name)[0]) == cohort.patients


@pytest.mark.parametrize("name", ["li2021", "rong2025"])
def test_planted_effects_come_back_from_a_large_cohort(name):
    table, truth = simulate(name, patients=40_000)
    design, expected = {}, {}
    for column, drawn in COHORTS[name].columns.items():
        if isinstance(drawn, Levels):
            for level in list(drawn.shares)[1:]:
                design[f"{column}={level}"] = (table[column] == level).astype(float)
        else:
            design[column] = table[column].astype(float) - drawn.mean
    X = sm.add_constant(np.column_stack(list(design.values())))
    fit = sm.Logit((table[COHORTS[name].outcome[0]] == "yes").astype(float), X).fit(disp=0)
    expected = [truth["coefficients"].get(column, 0.0) for column in design]
    assert np.all(np.abs(fit.params[1:] - expected) < 4 * fit.bse[1:])


def test_a_seed_gives_the_same_cohort():
    assert simulate("li2021", 1)[0].equals(simulate("li2021", 1)[0])
    assert not simulate("li2021", 1)[0].equals(simulate("li2021", 2)[0])


@pytest.mark.parametrize("name", COHORTS)
def test_the_study_of_a_protocol_is_valid_and_compares(name, tmp_path, repository, monkeypatch):
    out = tmp_path / "demo" / "clinical-data"
    main(Namespace(cohort=name, out=out, seed=2025, templates=False))
    monkeypatch.chdir(tmp_path)
    study = validate_study(load_config([repository / "config" / f"demo-{name}.yaml"]))
    rows = groups_of(study)[0].rows
    assert {"age", "sex"} <= set(rows["variable"])
    if name == "zhang2025":  # as its table 1 was found to be tested
        named = rows.set_index("variable")["test"]
        assert named[["sex", "diabetes", "ivc"]].eq("likelihood-ratio").all()
        assert named["segment"] == "trend"
    if "regression" not in study.config["analyses"]:
        return
    cohort, validation = cohort_of(study)
    assert cohort.events > 20
    assert (validation is None) == (name == "li2021")


@pytest.mark.parametrize("name", COHORTS)
def test_a_protocol_states_what_it_assumes(name, repository):
    path = repository / "config" / "protocols" / f"{name}.yaml"
    assert "# published" in path.read_text(encoding="utf-8")
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["assumptions"]


@pytest.mark.parametrize("name", ["li2021", "rong2025"])
def test_a_protocol_may_be_asked_for_as_published(name, repository):
    text = (repository / "config" / f"demo-{name}.yaml").read_text(encoding="utf-8")
    assert resolve_config(yaml.safe_load(text) | {"mode": "as_published"})["mode"] == "as_published"
