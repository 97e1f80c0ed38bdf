import numpy as np
import pytest
from imblearn.over_sampling import ADASYN

from models.oversampling import adasyn_tomek


def rows(n=120, events=20, distance=1.0, seed=0):
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], [n - events, events])
    return rng.normal(size=(n, 3)) + distance * y[:, None], y


def test_minority_grows_and_majority_loses_only_tomek_links():
    X, y = rows()
    X_new, y_new, note = adasyn_tomek(X, y, seed=1)
    assert note is None
    assert (y_new == 1).sum() > 60
    assert (y_new == 0).sum() <= 100
    # Every majority row that is left is a real one.
    left = {tuple(row) for row in X_new[y_new == 0]}
    assert left <= {tuple(row) for row in X[y == 0]}


def test_same_seed_same_rows():
    X, y = rows()
    first, second, other = (adasyn_tomek(X, y, seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert first.shape != other.shape or not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("X", "y", "reason"),
    [
        (*rows(events=1), "fewer than two"),
        (*rows(events=57), "nearly balanced"),
        (*rows(distance=100.0), "no minority row has a majority neighbour"),
    ],
)
def test_rows_stay_and_a_note_says_why(X, y, reason):
    X_same, y_same, note = adasyn_tomek(X, y, seed=0)
    assert reason in note
    np.testing.assert_array_equal(X_same, X)
    np.testing.assert_array_equal(y_same, y)


def test_small_minorities_get_fewer_neighbours():
    X, y = rows(events=3, distance=0.2)
    _, y_new, note = adasyn_tomek(X, y, seed=0)
    assert note is None
    assert (y_new == 1).sum() > 3


def test_other_refusals_are_not_hidden(monkeypatch):
    def refuse(self, X, y):
        raise ValueError("something else")

    monkeypatch.setattr(ADASYN, "fit_resample", refuse)
    with pytest.raises(ValueError, match="something else"):
        adasyn_tomek(*rows(), seed=0)
