"""Harmonisation inside the chain: what it removes, from whom it learns, what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from models.transformers.chain import chain_notes, selection_chain, signature_of
from models.transformers.columns import Columns
from models.transformers.harmonisation import HARMONISE
from pipeline.core.errors import FitError
from pipeline.study.config import DEFAULTS, load_yaml
from tests.support.options import typed
from tests.support.refusals import refusal

FEATURES = [f"original_firstorder_F{number}" for number in range(12)]
SITES = {"north": (0.0, 1.0), "south": (3.0, 2.0), "west": (-2.0, 0.6)}


def drawn(rows: int = 150, seed: int = 3) -> pd.DataFrame:
    """Return an analysis table of three sites, whose scanners shift and stretch all features."""
    rng = np.random.default_rng(seed)
    sites = rng.choice(list(SITES), rows)
    age = rng.normal(70, 8, rows)
    outcome = (rng.random(rows) < 1 / (1 + np.exp(-(age - 70) / 8))).astype(int)
    values = rng.normal(size=(rows, len(FEATURES))) + np.outer(age - 70, np.full(12, 0.05))
    values[:, :3] += outcome[:, None]
    for name, (shift, stretch) in SITES.items():
        at = sites == name
        values[at] = values[at] * stretch + shift + rng.normal(0, 0.3, len(FEATURES))
    table = pd.DataFrame(values, columns=[f"A:{name}" for name in FEATURES])
    table.insert(0, "unit_id", [f"P{number:03d}" for number in range(rows)])
    return table.assign(patient_id=table["unit_id"], outcome=outcome, hospital=sites, age=age)


AGE = {"column": "age", "label": "Age", "type": "continuous", "levels": None}
INFO = {"readers": ["A"], "model_reader": None, "features": FEATURES, "predictors": []}
COLUMNS = Columns.from_info(INFO | {"harmonisation": {"site": "hospital", "covariates": [AGE]}})


def options(**harmonisation: object) -> dict:
    config = load_yaml(DEFAULTS)
    config["harmonisation"] |= {"method": "combat"} | harmonisation
    config["selection"]["mrmr"]["k"] = None
    config["selection"]["wilcoxon"]["p"] = None
    config["scaling"]["method"] = "none"
    return config


def chained(table: pd.DataFrame, columns: Columns = COLUMNS, **harmonisation: object):
    chain = selection_chain(columns, typed(options(**harmonisation)))
    return chain.fit(columns.take(table), table["outcome"].to_numpy())


def spread_between(values: pd.DataFrame, sites: pd.Series) -> float:
    """Return the largest distance of site means, in standard deviations within sites."""
    groups = values.groupby(sites.to_numpy())
    within = np.sqrt(groups.var().mean())
    return float((np.ptp(groups.mean().to_numpy(), axis=0) / within.to_numpy()).max())


def test_sites_meet_and_age_stays():
    table = drawn()
    raw = chained(table, replace(COLUMNS, site=None, kept=()))
    chain = chained(table)
    X = COLUMNS.take(table)
    before, after = raw.transform(X), chain.transform(X)
    assert spread_between(before, table["hospital"]) > 2
    assert spread_between(after, table["hospital"]) < 0.5
    slopes = [np.polyfit(table["age"], after[name], 1)[0] for name in FEATURES[3:]]
    assert np.mean(slopes) == pytest.approx(0.05 * 1.2, abs=0.03)  # the sites' mean stretch
    assert signature_of(chain) == FEATURES
    assert "were harmonised to their common mean by ComBat, keeping effects of Age." in " ".join(
        chain_notes(chain)
    )


def test_it_learns_from_training_rows_alone_and_of_no_outcome():
    table = drawn()
    training, test = table[:110], table[110:].copy()
    chain = chained(training)
    predicted = chain.transform(COLUMNS.take(test))
    # A row is seen alike whoever is handed in with it.
    one = chain.transform(COLUMNS.take(test[4:5]))
    assert (one.to_numpy() == predicted[4:5].to_numpy()).all()
    other = training.assign(outcome=1 - training["outcome"])
    assert (chained(other).transform(COLUMNS.take(test)).to_numpy() == predicted.to_numpy()).all()
    learned = chain["blocks"].named_transformers_["radiomics"][HARMONISE]
    assert learned.counts_ == training["hospital"].value_counts().to_dict()


def test_missing_values_and_covariates():
    table = drawn()
    table.loc[3, "age"] = np.nan
    table.loc[5, f"A:{FEATURES[0]}"] = np.nan
    seen = chained(table).transform(COLUMNS.take(table))
    assert np.isfinite(seen.to_numpy()).all()


def test_levels_are_kept_too():
    """A level that no training row has is no obstacle."""
    sex = {"column": "sex", "label": "Sex", "type": "categorical", "levels": "f|m|x"}
    columns = Columns.from_info(
        INFO | {"harmonisation": {"site": "hospital", "covariates": [AGE, sex]}}
    )
    table = drawn().assign(sex=np.where(np.arange(150) % 3, "f", "m"))
    table.loc[7, "sex"] = None
    chain = chained(table, columns)
    learned = chain["blocks"].named_transformers_["radiomics"][HARMONISE]
    assert learned.varies_.tolist() == [True, True, False]
    assert learned.fill_["sex"] == "f"
    assert np.isfinite(chain.transform(columns.take(table)).to_numpy()).all()


def test_reference_site_stays_as_it_is():
    table = drawn()
    chain = chained(table, reference="south")
    south = table[table["hospital"] == "south"]
    seen = chain.transform(COLUMNS.take(south)).to_numpy()
    assert seen == pytest.approx(south[[f"A:{name}" for name in FEATURES]].to_numpy(), rel=1e-12)


def test_a_site_without_training_rows():
    table = drawn()
    known, new = table[table["hospital"] != "west"], table[table["hospital"] == "west"]
    with refusal("unseen-site", FitError) as told:
        # Whatever the study allows its validation site by site.
        chained(known, unseen_site="own_rows").transform(COLUMNS.take(new))
    assert told.value.code == "unseen-site"
    chain = chained(known, replace(COLUMNS, transductive=True))
    seen = chain.transform(COLUMNS.take(table))
    assert spread_between(seen, table["hospital"]) < 0.8
    with refusal("unseen-site-of-few", FitError) as told:
        chain.transform(COLUMNS.take(new[:1]))
    assert told.value.code == "unseen-site-of-few"


def test_tiny_sites():
    table = drawn()
    few = pd.concat([table[table["hospital"] != "west"], table[table["hospital"] == "west"][:4]])
    with refusal(
        "tiny-site", FitError, match="at least 5 rows of training patients of each site"
    ) as told:
        chained(few)
    assert told.value.found == "west: 4"
    chain = chained(few, tiny_site="pass")
    rows = few[few["hospital"] == "west"]
    raw = rows[[f"A:{name}" for name in FEATURES]].to_numpy()
    assert chain.transform(COLUMNS.take(rows)).to_numpy() == pytest.approx(raw, rel=1e-12)
    assert "sites with too few training patients were left as they are (west: 4)" in " ".join(
        chain_notes(chain)
    )


def test_what_cannot_be_learned():
    table = drawn()
    with refusal("reference-without-rows", FitError):
        chained(table, reference="east")
    confounded = table.assign(age=(table["hospital"] == "west").astype(float))
    with refusal("covariates-like-sites", FitError):
        chained(confounded)
    with refusal("row-without-site", FitError):
        chained(table.assign(hospital=table["hospital"].where(table.index != 2)))


def test_one_site_is_left_as_it_is():
    table = drawn()
    north = table[table["hospital"] == "north"]
    chain = chained(north)
    raw = north[[f"A:{name}" for name in FEATURES]].to_numpy()
    assert (chain.transform(COLUMNS.take(north)).to_numpy() == raw).all()
    assert "Features were not harmonised" in " ".join(chain_notes(chain))


def test_the_chain_can_be_cloned_and_fitted_again():
    table = drawn()
    chain = chained(table)
    again = clone(chain).fit(COLUMNS.take(table), table["outcome"])
    X = COLUMNS.take(table)
    assert (again.transform(X).to_numpy() == chain.transform(X).to_numpy()).all()
