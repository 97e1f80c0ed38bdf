"""A reader that was written from the schema alone gives the same risks as the project's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from models.regression.fitting.logistic import fit_logistic
from models.regression.fitting.terms import Term
from models.regression.publishing.model import Purpose, model_of
from models.regression.publishing.model_file import read_model, write_model
from tests.models.regression.test_published import PUBLISHED
from tests.support import second_model_reader as second_reader
from tests.support.regression_cohorts import YES_NO, simulated


def random_rows(model, n: int = 300, seed: int = 4) -> pd.DataFrame:
    """Return rows within and outside the range seen, some with a missing value."""
    rng = np.random.default_rng(seed)
    columns = {}
    for term in model.terms:
        if term.is_factor:
            values = rng.choice(np.array([*term.levels], dtype=object), n)
        else:
            low, high = (term.low, term.high) if term.low is not None else (0.0, 100.0)
            values = rng.uniform(low - 10, high + 10, n).astype(object)
        values[rng.random(n) < 0.03] = None
        columns[term.name] = values
    return pd.DataFrame(columns)


def assert_same(path: Path) -> int:
    """Compare the two readers on random rows; return how many rows have a risk."""
    model, content = read_model(path), second_reader.read(path)
    rows = random_rows(model)
    typed = rows.copy()
    for term in model.terms:
        if not term.is_factor:
            typed[term.name] = pd.to_numeric(typed[term.name])
    own = model.risk(typed)
    second = [second_reader.risk(content, row) for row in rows.to_dict("records")]
    second = np.array([np.nan if one is None else one for one in second])
    np.testing.assert_array_equal(np.isnan(own), np.isnan(second))
    np.testing.assert_allclose(own, second, rtol=1e-12, atol=1e-15)
    assert 0 < np.isnan(own).sum() < len(rows)
    return int((~np.isnan(own)).sum())


def test_a_fitted_model_with_spline_levels_and_per_cent(tmp_path):
    rows, outcome = simulated(400)
    rows["share"] = np.round(30 + 3 * rows["noise"] ** 2, 1)
    terms = (
        Term("age", "continuous", n_knots=4),
        Term("grade", "factor", levels=("0-1", "2", "3-4")),
        Term("sign", "factor", levels=YES_NO),
        Term("share", "continuous", unit="%", scale=0.01, n_knots=3),
    )
    fit = fit_logistic(rows, outcome, terms)
    model = model_of(fit, "Pain", Purpose("pain", "day 30", "adults", ""), shrinkage=0.9)
    write_model(model, tmp_path / "model.json")
    assert assert_same(tmp_path / "model.json") > 200


@pytest.mark.parametrize("name", ["rong2025", "li2021"])
def test_the_published_equations(name):
    assert assert_same(PUBLISHED / f"{name}.yaml") > 100


def test_points_with_anchors_of_the_risk_axis(tmp_path):
    content = second_reader.read(PUBLISHED / "rong2025_points.yaml")
    anchors = [(100, 0.1), (150, 0.28), (200, 0.5)]
    content["anchors"] = [{"points": at, "risk": share} for at, share in anchors]
    (tmp_path / "points.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    assert assert_same(tmp_path / "points.yaml") > 100


def test_it_is_short():
    lines = Path(second_reader.__file__).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 80
