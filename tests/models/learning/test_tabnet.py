import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from models.learning.tabnet import TabNet, resolve_device
from pipeline.core.errors import StudyError
from tests.support.refusals import refusal

NO_GPU = not torch.cuda.is_available()


def rows(n, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    return X, (X[:, 0] - X[:, 1] + 0.5 * rng.normal(size=n) > 0.3).astype(int)


@pytest.fixture(scope="module")
def data():
    return *rows(240, 0), *rows(80, 1)


@pytest.fixture(scope="module")
def fitted(data):
    return TabNet(device="cpu", max_epochs=30, n_steps=2, seed=3).fit(*data)


def test_learns_a_simple_signal_and_attends_to_it(fitted):
    X, y = rows(400, 2)
    probability = fitted.predict_proba(X)
    assert roc_auc_score(y, probability[:, 1]) > 0.85
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(fitted.predict(X), probability[:, 1] > 0.5)
    assert fitted.feature_importances_.sum() == pytest.approx(1)
    assert set(np.argsort(fitted.feature_importances_)[-2:]) == {0, 1}


def test_same_seed_same_network_whatever_torch_drew_before(data, fitted):
    torch.manual_seed(99)
    torch.rand(7)
    again = clone(fitted).fit(*data)
    np.testing.assert_array_equal(again.predict_proba(data[2]), fitted.predict_proba(data[2]))
    other = clone(fitted).set_params(seed=4, max_epochs=2).fit(*data)
    assert not np.array_equal(other.predict_proba(data[2]), fitted.predict_proba(data[2]))


def test_torch_is_left_as_it_was(data):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        torch.manual_seed(5)
        expected = torch.rand(3)
        torch.manual_seed(5)
        TabNet(device="cpu", max_epochs=1, n_steps=1, threads=1).fit(*data)
        assert torch.equal(torch.rand(3), expected)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_batch_larger_than_the_rows_still_trains(data):
    """pytorch-tabnet itself forms no batch then, and hands back an untrained network."""
    X, y, X_valid, y_valid = data
    model = TabNet(device="cpu", batch_size=4096, max_epochs=60, patience=60, learning_rate=0.05)
    model.fit(X, y, X_valid, y_valid)
    assert model.batch_size_ == len(X)
    assert roc_auc_score(y_valid, model.predict_proba(X_valid)[:, 1]) > 0.8


@pytest.mark.parametrize("n", [5, 17, 33])
def test_odd_last_batches_do_not_break_batch_normalisation(data, n):
    X, y, X_valid, y_valid = data
    few = np.r_[np.flatnonzero(y == 0)[: n // 2], np.flatnonzero(y == 1)[: n - n // 2]]
    model = TabNet(device="cpu", batch_size=4, max_epochs=2).fit(X[few], y[few], X_valid, y_valid)
    assert np.isfinite(model.predict_proba(X_valid)).all()


def test_asking_for_a_gpu_that_is_not_there_is_an_error(data):
    if not NO_GPU:
        pytest.skip("this machine has a GPU")
    assert resolve_device("auto") == "cpu"
    with refusal("gpu-missing", StudyError, match="config key device"):
        TabNet(device="cuda").fit(*data)


@pytest.mark.skipif(NO_GPU, reason="needs a GPU")
def test_trains_on_the_gpu(data):
    model = TabNet(device="auto", max_epochs=40, seed=3).fit(*data)
    assert model.device_ == "cuda"
    assert roc_auc_score(data[3], model.predict_proba(data[2])[:, 1]) > 0.8


def test_one_outcome_among_the_validation_rows_is_refused(data):
    X, y, X_valid, _ = data
    with refusal("tabnet-one-outcome", StudyError):
        TabNet(device="cpu").fit(X, y, X_valid, np.zeros(len(X_valid), dtype=int))


def test_missing_values_are_refused(data):
    X, y, X_valid, y_valid = data
    holed = X.copy()
    holed[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        TabNet(device="cpu").fit(holed, y, X_valid, y_valid)


@pytest.mark.parametrize("engine", ["stacked", "pytorch-tabnet"])
def test_divergence_is_an_error(data, engine):
    X, y, X_valid, y_valid = data
    model = TabNet(device="cpu", learning_rate=1e30, max_epochs=3, engine=engine)
    with refusal("tabnet-diverged"):
        model.fit(X, y, X_valid, y_valid)


def test_early_stopping_keeps_the_best_epoch(data):
    model = TabNet(device="cpu", max_epochs=60, patience=3, engine="pytorch-tabnet").fit(*data)
    history = model.network_.history["val_0_auroc"]
    assert model.best_epoch_ == int(np.argmax(history))
    assert len(history) < 60
    probability = model.predict_proba(data[2])[:, 1]
    assert roc_auc_score(data[3], probability) == pytest.approx(max(history))
