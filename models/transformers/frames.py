"""Tables as numbers, checked the scikit-learn way but allowed to have no columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, assert_all_finite
from sklearn.utils.validation import validate_data


def numbers_of(
    estimator: BaseEstimator, X: pd.DataFrame | np.ndarray, *, reset: bool, missing: bool = False
) -> np.ndarray:
    """Return `X` as float64, after checking its columns against what `estimator` was fitted to.

    scikit-learn's own check refuses a table without columns; a strict filter may leave one.

    Parameters
    ----------
    estimator : estimator
        Learns names and number of columns, or is asked for them.
    X : DataFrame or ndarray of shape (n_rows, n_features)
        Numbers.
    reset : bool
        True in ``fit``.
    missing : bool, default=False
        Whether missing values are allowed; infinite ones never are.

    Returns
    -------
    ndarray of shape (n_rows, n_features)
        A copy, or the array itself.
    """
    finite = "allow-nan" if missing else True
    if not isinstance(X, pd.DataFrame):
        return validate_data(estimator, X, reset=reset, dtype=np.float64, ensure_all_finite=finite)
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    values = X.to_numpy(np.float64)
    assert_all_finite(values, allow_nan=missing, estimator_name=type(estimator).__name__)
    return values


def like(X: pd.DataFrame | np.ndarray, values: np.ndarray) -> pd.DataFrame | np.ndarray:
    """Return `values` as `X` was handed in: a DataFrame with its names, or an array."""
    if isinstance(X, pd.DataFrame):
        return pd.DataFrame(values, index=X.index, columns=X.columns)
    return values


class NamedColumns:
    """A step whose input is a table of named columns, of numbers and of text, and no array.

    It goes by the columns' names, so that an array means nothing to it. scikit-learn's tags say so.
    """

    def _check_table(self, X: pd.DataFrame, *, reset: bool) -> None:
        """Refuse what is no table, or in ``transform`` one of other columns than in ``fit``."""
        if not isinstance(X, pd.DataFrame):
            raise TypeError(
                f"{type(self).__name__} takes a DataFrame with named columns, found "
                f"{type(X).__name__}"
            )
        validate_data(self, X, reset=reset, skip_check_array=True)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.two_d_array = False
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True
        return tags
