"""Steps that take tables of named columns: what scikit-learn asks of an estimator, asked of tables.

scikit-learn's own checks fit to arrays of numbers. These steps go by columns' names, and see text
and missing values, so that their tags exempt them (`two_d_array`), and the checks stand here.
"""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

from models.transformers.ccc_filter import CCCFilter
from models.transformers.columns import Predictor
from models.transformers.filters import ClinicalFilter
from models.transformers.preparation import ClinicalEncoder

PREDICTORS = (
    Predictor("age", "Age", "continuous"),
    Predictor("cleft", "Cleft", "binary", ("no", "yes")),
)


def tables():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    truth = rng.normal(size=(60, 2))
    readings = {
        f"{reader}:{name}": truth[:, place] + rng.normal(0, spread, 60)
        for reader in "AB"
        for place, (name, spread) in enumerate([("steady", 0.1), ("shaky", 3.0)])
    }
    clinical = {
        "age": rng.normal(60, 5, 60) + 15 * y,
        "cleft": np.where(rng.random(60) < 0.2 + 0.6 * y, "yes", "no"),
    }
    clinical["age"][::9] = np.nan
    return pd.DataFrame(readings), pd.DataFrame(clinical), y


READINGS, CLINICAL, Y = tables()
STEPS = [
    (CCCFilter(("A", "B"), ("steady", "shaky"), "A"), READINGS),
    (ClinicalFilter(PREDICTORS), CLINICAL),
    (ClinicalEncoder(PREDICTORS, indicators=True), CLINICAL),
]
each_step = pytest.mark.parametrize(
    ("step", "X"), STEPS, ids=[type(step).__name__ for step, _ in STEPS]
)


@each_step
def test_what_scikit_learn_checks_without_data(step, X):
    """It says that it cannot go on without arrays, and has found nothing until then."""
    with pytest.warns(SkipTestWarning, match="which requires input"):
        results = check_estimator(step, on_skip=None)
    assert results
    assert {result["status"] for result in results} == {"passed"}


@each_step
def test_an_array_is_refused_and_the_tags_say_so(step, X):
    assert not get_tags(step).input_tags.two_d_array
    with pytest.raises(TypeError, match="takes a DataFrame with named columns, found ndarray"):
        clone(step).fit(X.to_numpy(), Y)
    fitted = clone(step).fit(X, Y)
    with pytest.raises(TypeError, match="takes a DataFrame"):
        fitted.transform(X.to_numpy())


@each_step
def test_fit_returns_itself_and_leaves_parameters_and_table(step, X):
    before, fresh = X.copy(), clone(step)
    parameters = copy.deepcopy(fresh.get_params())
    assert fresh.fit(X, Y) is fresh
    assert fresh.get_params() == parameters
    fresh.transform(X)
    pd.testing.assert_frame_equal(X, before)
    learned = [name for name in vars(fresh) if name not in parameters]
    assert learned
    assert all(name.endswith("_") for name in learned)


@each_step
def test_what_was_not_fitted_does_not_transform(step, X):
    with pytest.raises(NotFittedError, match="not fitted"):
        clone(step).transform(X)
    # NotFittedError, or the ValueError that scikit-learn's own selectors raise.
    with pytest.raises(ValueError, match=r"not fitted|without n_features_in_"):
        clone(step).get_feature_names_out()


@each_step
def test_fitting_again_pickling_and_cloning_change_nothing(step, X):
    fitted = clone(step).set_output(transform="pandas").fit(X, Y)
    first = fitted.transform(X)
    assert len(fitted.get_feature_names_out()) == first.shape[1] > 0
    for same in (
        pickle.loads(pickle.dumps(fitted)),
        clone(fitted).fit(X, Y),
        fitted.fit(X, Y),
    ):
        pd.testing.assert_frame_equal(same.transform(X), first)


@each_step
def test_rows_are_transformed_one_by_one(step, X):
    fitted = clone(step).set_output(transform="pandas").fit(X, Y)
    whole = fitted.transform(X)
    order = np.random.default_rng(1).permutation(len(X))
    pd.testing.assert_frame_equal(fitted.transform(X.iloc[order]), whole.iloc[order])
    pd.testing.assert_frame_equal(fitted.transform(X.iloc[3:5]), whole.iloc[3:5])


@each_step
def test_other_columns_than_fitted_are_refused(step, X):
    fitted = clone(step).fit(X, Y)
    assert fitted.n_features_in_ == X.shape[1]
    assert list(fitted.feature_names_in_) == list(X.columns)
    for other in (X.iloc[:, ::-1], X.rename(columns={X.columns[0]: "other"})):
        with pytest.raises(ValueError, match="feature names"):
            fitted.transform(other)
