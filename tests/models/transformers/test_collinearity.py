"""Removal by variance inflation: statsmodels' factors, one column after another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.outliers_influence import variance_inflation_factor
from statsmodels.tools import add_constant

from models.freezing.chain_arrays import write_blocks
from models.transformers.chain import chain_notes, selection_chain, selection_table, signature_of
from models.transformers.collinearity import CollinearityFilter, inflation
from models.transformers.columns import Columns, Predictor
from pipeline.study.config import resolve_config
from tests.models.test_oversampled_split import CONFIG
from tests.support.options import typed


def table(n: int = 120, seed: int = 3) -> pd.DataFrame:
    """Return four columns of which `b` is nearly `a`, and `d` nearly `a + c`."""
    rng = np.random.default_rng(seed)
    a, c = rng.normal(5, 2, n), rng.normal(size=n)
    columns = {"a": a, "b": a + rng.normal(0, 0.2, n), "c": c}
    return pd.DataFrame(columns | {"d": a + c + rng.normal(0, 0.5, n)})


def by_statsmodels(values: np.ndarray) -> list[float]:
    design = add_constant(values)
    return [variance_inflation_factor(design, at + 1) for at in range(values.shape[1])]


def test_factors_are_those_of_statsmodels():
    values = table().to_numpy()
    np.testing.assert_allclose(inflation(values), by_statsmodels(values), rtol=1e-9)
    assert inflation(values[:, :1]) == pytest.approx([1.0])


def test_the_largest_goes_until_none_is_above_the_limit():
    X = table()
    fitted = CollinearityFilter(10).set_output(transform="pandas").fit(X)
    left, removed = list(X.columns), []
    while max(factors := by_statsmodels(X[left].to_numpy())) > 10:
        removed.append(left.pop(int(np.argmax(factors))))
    assert fitted.removed_ == removed
    assert len(removed) > 0
    assert list(fitted.get_feature_names_out()) == left
    assert list(fitted.transform(X).columns) == left
    kept = fitted.factors_[fitted.support_]
    np.testing.assert_allclose(kept, by_statsmodels(X[left].to_numpy()), rtol=1e-9)


def test_of_columns_that_say_the_same_the_first_stays():
    X = table()[["a", "c"]].assign(copy=lambda t: 3 * t["a"] - 1, constant=2.0)
    fitted = CollinearityFilter(5).fit(X)
    assert fitted.removed_ == ["copy"]
    assert fitted.factors_[2] == np.inf
    assert np.isnan(fitted.factors_[3])
    assert list(fitted.get_feature_names_out()) == ["a", "c", "constant"]


def test_without_a_limit_and_without_columns_everything_stays():
    X = table()
    assert CollinearityFilter(None).fit(X).support_.all()
    empty = CollinearityFilter(5).set_output(transform="pandas")
    assert empty.fit_transform(X.iloc[:, :0]).shape == (120, 0)


def test_the_outcome_plays_no_part():
    X = table()
    first = CollinearityFilter(4).fit(X, np.zeros(len(X)))
    assert first.removed_ == CollinearityFilter(4).fit(X).removed_


def test_missing_values_are_refused():
    X = table()
    X.iloc[3, 1] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        CollinearityFilter(5).fit(X)


def test_a_frozen_chain_hands_on_what_the_filter_kept():
    rng = np.random.default_rng(2)
    names = ("a", "b", "c")
    X = pd.DataFrame(rng.normal(size=(80, 3)), columns=names, index=[f"u{at}" for at in range(80)])
    X["b"] = 2 * X["a"]
    config = resolve_config(CONFIG | {"selection": {"clinical": {"p": None, "vif": 5}}})
    columns = Columns((), None, (), tuple(Predictor(name, name, "continuous") for name in names))
    chain = selection_chain(columns, typed(config)).fit(X, (X["c"] > 0).astype(int))
    [block] = write_blocks(chain, columns)
    assert block.facts["kept"] == signature_of(chain) == ["a", "c"]
    assert "above 5, in this order: b." in " ".join(chain_notes(chain))
    assert selection_table(chain, columns)["selected"].tolist() == [True, False, True]
