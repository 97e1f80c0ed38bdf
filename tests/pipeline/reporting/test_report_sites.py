"""The section on sites says what a model does at a site that it has never seen."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from pipeline.core.table_schema import types_of
from pipeline.reporting.blocks import Figure, Items, Note, Table
from pipeline.reporting.result_files import Sites
from pipeline.reporting.sections.prediction.sites import sites_section
from pipeline.tables.schemas.prediction.site_validation import Harmonised, LeftOut, PooledSites

FOUND = {"auroc": 0.8, "auroc_low": 0.7, "auroc_high": 0.87, "slope": 1.1, "slope_low": 0.6}
FOUND |= {"slope_high": 1.6, "intercept": -2.0, "intercept_low": -2.5, "intercept_high": -1.5}
FOUND |= {"brier": 0.2, "n": 60, "events": 20, "note": "", "model": "lr"}


def table(rows: list[dict], schema: type) -> pd.DataFrame:
    return pd.DataFrame(rows).reindex(columns=list(types_of(schema))).astype(types_of(schema))


@pytest.fixture
def sites() -> Sites:
    left = [FOUND | {"variant": "as handed in", "site": site} for site in ("north", "south")]
    lost = {"model": "lr", "variant": "as handed in", "site": "west", "n": 5, "events": 0}
    left += [lost | {"note": "not fitted: too few"}]
    left += [FOUND | {"variant": "own rows", "site": "north"}]
    pooled = {"model": "lr", "sites": 2, "estimate": 0.8, "low": 0.6, "high": 0.9, "tau2": 0.1}
    pooled |= {"i2": 0.4, "method": "reml", "variant": "as handed in"}
    sides = [FOUND | {"variant": name} for name in ("as handed in", "harmonised")]
    counts = {"features": 10, "differing": 9, "eta2": 0.4}
    return Sites(
        outcome=pd.DataFrame({"site": ["north", "south"], "n": [60, 60], "events": [40, 20]}),
        left_out=table(left, LeftOut),
        pooled=table([pooled], PooledSites),
        harmonised=table(sides, Harmonised),
        features=pd.DataFrame({"feature": ["a"]}),
        info={
            "site": "hospital",
            "confidence": 0.95,
            "search_note": "Searched anew.",
            "outcome": {"p_value": 0.0002, "cramers_v": 0.33, "few": False, "warning": "Differs"},
            "features": {"note": "", "harmonised": True, "before": counts, "after": counts},
            "differences": [
                {"model": "lr", "note": "", "auroc": 0.1, "low": 0.0, "high": 0.2, "p_value": 0.04}
            ],
        },
    )


def shown(results, sites):
    changed = replace(results, modelling=replace(results.modelling, sites=sites))
    return sites_section(changed)


def test_the_section_tells_discrimination_and_calibration_of_each_site(lr_results, sites):
    section = shown(lr_results, sites)
    tables = {block.name: block for block in section.blocks if isinstance(block, Table)}
    assert list(tables) == [
        *("sites-outcome", "sites-left-out", "sites-pooled", "sites-harmonised", "sites-features"),
    ]
    assert "Chi-square test P <0.001, Cramér's V 0.33" in tables["sites-outcome"].caption
    first = tables["sites-left-out"].shown.iloc[0]
    assert first["AUROC"] == "0.800 (0.700 to 0.870)"
    assert first["Calibration intercept"].replace("−", "-").startswith("-2.00 (-2.50 to")
    assert "not fitted: too few" in tables["sites-left-out"].shown["Site left out"][2]
    assert tables["sites-pooled"].shown["A new site"][0] == "three sites are needed"
    assert "difference of the AUROCs" in tables["sites-harmonised"].caption
    assert "9 of 10 (90%)" in tables["sites-features"].shown["Differ between sites"][0]
    (figure,) = [block for block in section.blocks if isinstance(block, Figure)]
    assert "north (Logistic regression, as handed in)" in figure.alt
    (note,) = [block for block in section.blocks if isinstance(block, Note)]
    assert note.title == "Site and outcome go together"
    (remarks,) = [block for block in section.blocks if isinstance(block, Items)]
    assert any("Transductive figures" in each for each in remarks.items)


def test_nothing_is_claimed_where_site_and_outcome_do_not_go_together(lr_results, sites):
    sites.info["outcome"] |= {"warning": None, "p_value": None}
    section = shown(lr_results, sites)
    assert not [block for block in section.blocks if isinstance(block, Note)]
    assert "There are not two sites and two outcomes" in section.blocks[0].caption


def test_a_study_that_asks_for_nothing_has_no_section(lr_results):
    assert lr_results.modelling.sites is None
    section = sites_section(lr_results)
    assert section.blocks == []
    assert section.absent is None
