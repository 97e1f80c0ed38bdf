import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from models.transformers.imputation import IMPUTATIONS, Imputer
from pipeline.core.errors import StudyError
from tests.support.refusals import refusal


@parametrize_with_checks([Imputer(method) for method in IMPUTATIONS])
def test_imputers_are_scikit_learn_estimators(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("method", "filled"), [("median", 3.0), ("mean", 104 / 3)])
def test_the_middle_of_the_training_rows_fills(method, filled):
    X = pd.DataFrame({"a": [1.0, 3.0, np.nan, 100.0], "b": np.nan})
    imputer = Imputer(method).fit(X)
    out = imputer.transform(pd.DataFrame({"a": [np.nan, 7.0], "b": [np.nan, 2.0]}))
    np.testing.assert_array_equal(out, [[filled, 0.0], [7.0, 2.0]])
    assert list(imputer.get_feature_names_out()) == ["a", "b"]


def test_nearest_rows_are_near_in_standard_deviations():
    """Unit of the second column: a thousand times finer, which must not decide who is near."""
    near = pd.DataFrame({"a": [0.0, 0.1, 5.0, 5.1], "b": [3000.0, 1000, 2000, 0]})
    near["c"] = [10.0, 12.0, 50.0, 52.0]
    imputer = Imputer("knn", neighbours=2).fit(near)
    row = pd.DataFrame({"a": [0.05], "b": [1500.0], "c": [np.nan]})
    assert imputer.transform(row).loc[0, "c"] == pytest.approx(11.0)
    np.testing.assert_allclose(
        Imputer("knn", neighbours=2).fit(near * 7).transform(row * 7), [[0.35, 10500, 77]]
    )


def test_regressions_fill_what_the_other_columns_tell():
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    X = pd.DataFrame({"x": x, "twice": 2 * x + 5 + rng.normal(0, 0.01, 300)})
    X.loc[::10, "twice"] = np.nan
    imputer = Imputer("iterative").fit(X)
    assert imputer.converged_
    out = imputer.transform(pd.DataFrame({"x": [1.0, -1.0], "twice": [np.nan, np.nan]}))
    np.testing.assert_allclose(out["twice"], [7, 3], atol=0.02)
    again = Imputer("iterative").fit(X).transform(X)
    pd.testing.assert_frame_equal(imputer.transform(X), again)


def test_regressions_that_do_not_come_to_rest_say_so():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(12, 8))
    X[rng.random(X.shape) < 0.4] = np.nan
    imputer = Imputer("iterative").fit(X)
    assert not imputer.converged_
    assert np.isfinite(imputer.transform(X)).all()


@pytest.mark.parametrize("method", IMPUTATIONS)
def test_known_values_stay_and_no_column_is_no_error(method):
    rng = np.random.default_rng(2)
    X = pd.DataFrame(rng.normal(1e6, 1, size=(40, 14)))
    X = X.mask(rng.random(X.shape) < 0.1)
    out = Imputer(method).fit_transform(X)
    known = X.notna().to_numpy()
    np.testing.assert_array_equal(out.to_numpy()[known], X.to_numpy()[known])
    assert out.notna().all(axis=None)
    assert Imputer(method).fit_transform(X[[]]).shape == (40, 0)


def test_what_it_cannot_do_is_refused():
    with pytest.raises(ValueError, match="infinity"):
        Imputer().fit(pd.DataFrame({"a": [1.0, np.inf]}))
    with refusal(
        "imputation-unknown", StudyError, match=r"Found: mice\. In: config key imputation\.method"
    ):
        Imputer("mice").fit(pd.DataFrame({"a": [1.0]}))
