"""ComBat, applied from arrays, equals its transformer; a site that was not learned is refused."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from models.freezing.chain_arrays import harmoniser_arrays
from models.frozen.harmonisation import read_harmonisation
from models.transformers.columns import Columns
from models.transformers.harmonisation import HARMONISE
from pipeline.core.errors import StudyError
from tests.models.transformers.test_harmonisation import (
    AGE,
    COLUMNS,
    FEATURES,
    INFO,
    chained,
    drawn,
)
from tests.support.refusals import refusal

SEX = {"column": "sex", "label": "Sex", "type": "categorical", "levels": "f|m|x"}
BOTH = Columns.from_info(INFO | {"harmonisation": {"site": "hospital", "covariates": [AGE, SEX]}})


def with_sex(table):
    table = table.assign(sex=np.where(np.arange(len(table)) % 3, "f", "m"))
    table.loc[table.index[:4], "sex"] = None
    table.loc[table.index[2:6], "age"] = np.nan
    return table


def few_of_west(table):
    west = table["hospital"] == "west"
    return pd.concat([table[~west], table[west][:4]])


def still_at_south(table):
    """One feature does not vary at a site, and another has another unit."""
    table.loc[table["hospital"] == "south", f"A:{FEATURES[2]}"] = 1.5
    table[f"A:{FEATURES[4]}"] = table[f"A:{FEATURES[4]}"] * 1e5 + 1e6
    return table


def read(step, where="m.vbm", **changed):
    """Return a fitted step as a file has it, and as it is read from there."""
    facts, arrays = harmoniser_arrays(step, "hospital")
    arrays = {name: values.copy() for name, values in arrays.items()}

    def get(name, kind, *shape):
        assert arrays[name].dtype.str == kind
        assert arrays[name].shape == shape
        return arrays[name]

    return SimpleNamespace(
        facts=facts,
        arrays=arrays,
        step=lambda: read_harmonisation(facts | changed, get, step.n_features_in_, where),
    )


@pytest.mark.parametrize(
    ("columns", "change", "options"),
    [
        (COLUMNS, lambda table: table, {}),
        (COLUMNS, lambda table: table, {"reference": "south"}),
        (BOTH, with_sex, {}),
        (BOTH, few_of_west, {"tiny_site": "pass"}),
        (COLUMNS, still_at_south, {}),
        (COLUMNS, lambda table: table[table["hospital"] == "north"], {}),
    ],
    ids=["plain", "reference", "missing", "tiny", "still", "one_site"],
)
def test_it_equals_the_transformer(columns, change, options):
    table = change(with_sex(drawn()))
    step = chained(table, columns, **options)["blocks"].named_transformers_["radiomics"][HARMONISE]
    new = with_sex(drawn(60, seed=9))
    new = new[new["hospital"].isin(set(table["hospital"]))]
    values = new[[f"A:{name}" for name in FEATURES]].set_axis(FEATURES, axis=1)
    want = step.transform(values, rows=columns.take(new).set_index(values.index)).to_numpy()
    found = read(step).step()
    np.testing.assert_allclose(found.apply(values.to_numpy(), new), want, rtol=1e-12, atol=0)
    assert set(found.site.levels) == set(table["hospital"])
    moved = len(set(table["hospital"])) > 1
    assert bool((want != values.to_numpy()).any()) == moved


def test_a_site_that_was_not_learned_is_refused():
    table = drawn()
    known = table[table["hospital"] != "west"]
    step = chained(known)["blocks"].named_transformers_["radiomics"][HARMONISE]
    found, values = read(step).step(), np.zeros((len(table), len(FEATURES)))
    with refusal("frozen-site-unseen", StudyError, match=r"Found: west.*its sites are north"):
        found.apply(values, table)
    with refusal("frozen-site-missing", StudyError, match="no column hospital"):
        found.apply(values, table.drop(columns="hospital"))
    blank = known.assign(hospital=None)[:3]
    assert found.unknown(blank).all()
    np.testing.assert_allclose(found.apply(values[:3], blank), 0, atol=1e-12)


@pytest.mark.parametrize(
    "changed",
    [
        {"sites": ["north", "north", "south"]},
        {"sites": ["north"]},
        {"sites": [], "passed": []},
        {"passed": ["south"]},
        {"reference": "east"},
        {"column": "age"},
        {"covariates": [{"column": "sex", "levels": ["f", "m"], "fill": "x"}]},
        {"covariates": [{"column": "sex", "levels": ["f", "f"], "fill": "f"}]},
        {"covariates": [{"column": "age", "fill": "f"}]},
    ],
)
def test_a_description_that_contradicts_itself_is_refused(changed):
    step = chained(drawn())["blocks"].named_transformers_["radiomics"][HARMONISE]
    with refusal("frozen-sites-contradict", StudyError):
        read(step, **changed).step()


@pytest.mark.parametrize("name", ["unit", "spread", "stretch"])
def test_a_scale_must_be_above_0(name):
    step = chained(drawn())["blocks"].named_transformers_["radiomics"][HARMONISE]
    found = read(step)
    found.arrays[name].flat[1] = 0.0
    with refusal("frozen-scale-not-positive", StudyError):
        found.step()
