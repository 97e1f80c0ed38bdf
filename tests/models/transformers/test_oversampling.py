import numpy as np
import pytest
from imblearn.over_sampling import ADASYN

from models.transformers.oversampling import SYNTHETIC, patients_of, resample_rows


def adasyn_tomek(X, y, seed):
    found = resample_rows(X, y, seed)
    return found.X, found.y, found.note


def test_a_resampled_row_keeps_its_patient_and_a_synthetic_one_has_none():
    origin = np.array([3, 0, SYNTHETIC, 1, SYNTHETIC])
    found = patients_of(np.array(["b", "b", "c", "a"]), origin)
    assert found[1] == found[3] != found[0]
    assert len(set(found)) == 4


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


def coded(n=150, events=25, seed=3):
    """Two numbers, a binary predictor's code, and the codes of one with three levels."""
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], [n - events, events])
    level = rng.integers(0, 3, n)
    binary = rng.random(n) < 0.3 + 0.3 * y
    numbers = rng.normal(size=(n, 2)) + 0.8 * y[:, None]
    return np.column_stack([numbers, binary, level == 1, level == 2]).astype(float), y


def test_synthetic_rows_have_whole_levels_that_some_patient_has():
    X, y = coded()
    resampled = resample_rows(X, y, seed=1)
    made = resampled.X[resampled.origin == SYNTHETIC]
    assert len(made) > 60
    assert set(np.unique(made[:, 2:])) == {0, 1}
    # The three codes together are those of one of the two rows it lies between.
    assert {tuple(row) for row in made[:, 2:]} <= {tuple(row) for row in X[y == 1, 2:]}
    assert not set(np.round(made[:, 0], 12)) <= set(np.round(X[:, 0], 12))


def test_a_synthetic_row_takes_its_levels_from_the_nearer_real_row():
    """Two minority rows, 0 and 10 with other levels: below 5 the levels of the first, above of
    the second; majority rows near both let ADASYN work."""
    X = np.array([[0.0, 0, 1], [10.0, 1, 0], [1, 0, 1], [9, 1, 0], [2, 0, 0], [8, 1, 1], [5, 0, 1]])
    X = np.vstack([X, np.column_stack([np.full(30, 60.0), np.zeros((30, 2))])])
    y = np.array([1, 1] + [0] * 35)
    resampled = resample_rows(X, y, seed=0)
    made = resampled.X[resampled.origin == SYNTHETIC]
    assert len(made) > 20
    below = made[:, 0] < 5
    assert below.any()
    assert not below.all()
    np.testing.assert_array_equal(made[below, 1:], np.tile([0.0, 1.0], (below.sum(), 1)))
    np.testing.assert_array_equal(made[~below, 1:], np.tile([1.0, 0.0], ((~below).sum(), 1)))


@pytest.mark.parametrize("events", [20, 100])
def test_only_the_larger_class_loses_rows(events):
    """Controls, mostly; whichever class is the larger one, not which is after ADASYN."""
    overtaken = 0
    for seed in range(12):
        X, y = rows(events=events, distance=0.5, seed=seed)
        resampled = resample_rows(X, y, seed)
        larger = int(events > 60)
        kept = resampled.origin[resampled.origin != SYNTHETIC]
        lost = np.setdiff1d(np.arange(len(y)), kept)
        assert set(y[lost]) <= {larger}
        smaller = resampled.y[resampled.y != larger]
        assert len(smaller) == (y != larger).sum() + (resampled.origin == SYNTHETIC).sum()
        overtaken += len(smaller) > 100
    # Rounding makes ADASYN overshoot, which is where the library's own rule would turn round.
    assert overtaken


def test_origins_point_to_the_rows_handed_in():
    X, y = rows()
    resampled = resample_rows(X, y, seed=1)
    real = resampled.origin != SYNTHETIC
    np.testing.assert_array_equal(resampled.X[real], X[resampled.origin[real]])
    np.testing.assert_array_equal(resampled.y[real], y[resampled.origin[real]])
    assert (resampled.y[~real] == 1).all()


def test_the_rows_handed_in_stay_as_they_are():
    X, y = coded()
    before = X.copy()
    resample_rows(X, y, seed=0)
    np.testing.assert_array_equal(X, before)


def test_same_seed_same_rows():
    X, y = rows()
    first, second, other = (adasyn_tomek(X, y, seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert first.shape != other.shape or not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("X", "y", "reason"),
    [
        (*rows(events=1), "fewer than two"),
        (*rows(events=60), "the classes are balanced"),
        (*rows(events=57), "nearly balanced"),
        (*rows(distance=100.0), "no patient of the smaller class has a neighbour of the larger"),
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


def test_smote_makes_both_classes_equal_and_removes_nobody():
    X, y = coded()
    drawn = resample_rows(X, y, seed=4, method="smote")
    assert np.bincount(drawn.y).tolist() == [125, 125]
    assert drawn.note is None
    real = drawn.origin != SYNTHETIC
    np.testing.assert_array_equal(drawn.X[real], X)
    made = drawn.X[~real]
    assert set(drawn.y[~real]) == {1}
    # Levels stay whole; numbers lie between two rows of the smaller class.
    assert set(np.unique(made[:, 2:])) == {0, 1}
    low, high = X[y == 1].min(axis=0), X[y == 1].max(axis=0)
    assert ((made >= low) & (made <= high)).all()
    again = resample_rows(X, y, seed=4, method="smote")
    np.testing.assert_array_equal(again.X, drawn.X)


def test_smote_tells_why_it_adds_no_row():
    X, y = rows()
    balanced = resample_rows(X[-40:], y[-40:], seed=0, method="smote")
    assert balanced.note == "SMOTE added no synthetic patients: the classes are balanced."
    few = resample_rows(X[:101], y[:101], seed=0, method="smote")
    assert few.note == "SMOTE added no synthetic patients: the smaller class has fewer than two."
    # Two rows of the smaller class have one neighbour.
    assert np.bincount(resample_rows(X[:102], y[:102], 0, "smote").y).tolist() == [100, 100]
