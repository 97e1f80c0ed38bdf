"""Where the support vector machine's probabilities come from."""

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from models.learning import one_fit as fitting
from models.learning.one_fit import fit_estimator
from models.learning.platt import FLATTEST, PLATT_FOLDS, PlattSVC, calibration_folds, fit_sigmoid
from models.scoring.calibration import calibration_slope
from pipeline.core.errors import StudyError
from tests.support.options import typed
from tests.support.refusals import refusal


@pytest.fixture
def config(repository):
    text = (repository / "config" / "default.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text) | {"device": "cpu"}


@pytest.fixture
def oversampled(config):
    return config | {"oversampling": "adasyn_tomek"}


def cohort(n, seed, effect=1.0, rows_each=1):
    """Patients with 20 columns, three of which act; about one event in eight."""
    rng = np.random.default_rng(seed)
    Z = np.repeat(rng.normal(size=(n, 20)), rows_each, axis=0)
    Z += 0.3 * rng.normal(size=Z.shape)
    log_odds = effect * (1.5 * Z[:, 0] - 1.2 * Z[:, 1] + Z[:, 2]) - 2.0 - effect
    y = (rng.random(len(Z)) < 1 / (1 + np.exp(-log_odds))).astype(int)
    return Z, y, np.repeat(np.arange(n), rows_each)


@parametrize_with_checks([PlattSVC()])
def test_platt_svc_is_a_scikit_learn_classifier(estimator, check):
    check(estimator)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    patients=st.integers(20, 60),
    rows_each=st.integers(1, 3),
    oversampling=st.sampled_from(["none", "adasyn_tomek"]),
)
def test_no_machine_learns_from_a_patient_or_the_relatives_of_one_whose_risk_it_judges(
    seed, patients, rows_each, oversampling
):
    """Column 0 names the patient: a synthetic row holds a mixture of its two parents' names."""
    rng = np.random.default_rng(seed)
    y = (np.arange(patients) % 4 == 0).astype(int).repeat(rows_each)
    groups = np.arange(patients).repeat(rows_each)
    Z = np.column_stack([groups, *rng.normal(size=(2, len(y)))]).astype(float)
    where = {tuple(row): number for number, row in enumerate(Z)}
    seen, made = [], 0
    for fold in calibration_folds(Z, y, groups, seed, oversampling=oversampling):
        valid = [where[tuple(row)] for row in fold.X_valid]
        np.testing.assert_array_equal(fold.y_valid, y[valid])
        learn = [where[tuple(row)] for row in fold.X_learn if tuple(row) in where]
        assert not set(groups[learn]) & set(groups[valid])
        assert set(fold.y_learn) == {0, 1}
        synthetic = np.array([row for row in fold.X_learn if tuple(row) not in where])
        made += len(synthetic)
        if len(synthetic):
            assert on_lines_between(synthetic, Z[(y == 1) & ~np.isin(groups, groups[valid])])
        seen += valid
    assert sorted(seen) == list(range(len(y)))
    assert (made > 0) == (oversampling != "none")


def on_lines_between(points, ends):
    """Whether every point lies on a line between two of the ends."""
    first, second = (ends[index] for index in np.triu_indices(len(ends), 1))
    span = second - first
    length = (span**2).sum(axis=1)
    first, span = first[length > 0], span[length > 0]
    share = ((points[:, None] - first) * span).sum(axis=2) / length[length > 0]
    off = np.abs(points[:, None] - first - share[:, :, None] * span).max(axis=2)
    between = (share > -1e-9) & (share < 1 + 1e-9) & (off < 1e-9)
    return between.any(axis=1).all()


def standardised(X_learn, y_learn, X):
    machine = SVC().fit(X_learn, y_learn)
    own = machine.decision_function(X_learn)
    return (machine.decision_function(X) - own.mean()) / own.std()


def test_synthetic_rows_teach_the_machine_and_not_the_sigmoid(oversampled, monkeypatch):
    Z, y, groups = cohort(120, 0, rows_each=2)
    handed, original = {}, PlattSVC.fit

    def fit(self, X, y, folds=None):
        handed.update(X=X, y=y, folds=folds)
        return original(self, X, y, folds)

    monkeypatch.setattr(PlattSVC, "fit", fit)
    fitted = fit_estimator("svm", {}, Z, y, groups, typed(oversampled), seed=1).estimator
    real = set(map(tuple, Z))
    assert sum(tuple(row) not in real for row in handed["X"]) > 50
    assert len(handed["folds"]) == PLATT_FOLDS
    judged = [tuple(row) for fold in handed["folds"] for row in fold.X_valid]
    assert sorted(judged) == sorted(map(tuple, Z))
    assert all(len(fold.X_learn) + len(fold.X_valid) > len(Z) + 30 for fold in handed["folds"])
    # By hand, machine by machine, each in its own standard deviations.
    values = [standardised(f.X_learn, f.y_learn, f.X_valid) for f in handed["folds"]]
    outcome = np.concatenate([fold.y_valid for fold in handed["folds"]]) == 1
    slope, intercept = fit_sigmoid(np.concatenate(values), outcome)
    log_odds = slope * standardised(handed["X"], handed["y"], Z) + intercept
    np.testing.assert_allclose(fitted.predict_proba(Z)[:, 1], 1 / (1 + np.exp(-log_odds)))


def test_a_search_by_ranks_pays_for_no_sigmoid(oversampled, monkeypatch):
    Z, y, groups = cohort(150, 0)
    rows = fitting.prepare_rows("svm", Z, y, groups, typed(oversampled), seed=0)
    monkeypatch.setattr(fitting, "calibration_folds", None)
    fit = fitting.fit_rows("svm", {}, rows, typed(oversampled), seed=0, ranking=True)
    assert isinstance(fit.estimator, SVC)


def test_as_published_the_sigmoid_is_learned_on_the_rows_as_they_come(oversampled):
    Z, y, groups = cohort(200, 0)
    leaking = oversampled | {"mode": "as_published"}
    fits = [
        fit_estimator("svm", {"C": 0.5}, Z, y, groups, typed(options), seed=4)
        for options in (leaking, oversampled | {"oversampling": "none"})
    ]
    np.testing.assert_array_equal(fits[0].probability(Z), fits[1].probability(Z))


def test_without_oversampling_probabilities_are_nearly_those_of_scikit_learn():
    """Which does not put the machines on one scale; here theirs hardly differ."""
    Z, y, groups = cohort(300, 3, rows_each=2)
    ours = PlattSVC(C=0.7).fit(Z, y, calibration_folds(Z, y, groups, seed=5))
    folds = StratifiedGroupKFold(PLATT_FOLDS, shuffle=True, random_state=5).split(Z, y, groups)
    theirs = CalibratedClassifierCV(SVC(C=0.7), cv=list(folds), ensemble=False).fit(Z, y)
    np.testing.assert_allclose(ours.predict_proba(Z), theirs.predict_proba(Z), atol=0.05)


def test_the_sigmoid_is_that_of_scikit_learn():
    """Platt's likelihood, on the decision values of a machine that is done."""
    Z, y, _ = cohort(300, 3)
    machine = SVC(C=0.7).fit(Z[:200], y[:200])
    slope, intercept = fit_sigmoid(machine.decision_function(Z[200:]), y[200:] == 1)
    theirs = CalibratedClassifierCV(FrozenEstimator(machine)).fit(Z[200:], y[200:])
    sigmoid = theirs.calibrated_classifiers_[0].calibrators[0]
    assert (slope, intercept) == pytest.approx((-sigmoid.a_, -sigmoid.b_), rel=1e-4)


def test_machines_of_other_scales_share_a_sigmoid(config):
    """Overlapping classes, a rare outcome, a linear kernel: hardly any margin, values about -1.

    The spread of such machines' values differs a thousandfold; on one raw scale the sigmoid was
    flat, and the slope above 1,000 for three of these cohorts.
    """
    slopes = []
    for seed in range(4):
        Z, y, groups = cohort(500, seed, effect=0.6)
        Z_new, y_new, _ = cohort(3000, 100 + seed, effect=0.6)
        fit = fit_estimator("svm", {"kernel": "linear"}, Z, y, groups, typed(config), seed)
        slopes.append(calibration_slope(y_new, fit.probability(Z_new), 0.95).value)
    assert 0.5 < min(slopes) <= max(slopes) < 2.5


def test_noise_gives_everybody_nearly_the_same_risk_despite_oversampling(oversampled):
    """A sigmoid learned among relatives of the rows gave a spread of 0.13 to 0.20 here."""
    for parameters in ({"kernel": "linear", "C": 0.1}, {"C": 0.1, "gamma": 0.01}, {}):
        spread, mean = [], []
        for seed in range(3):
            Z, y, groups = cohort(400, seed, effect=0.0)
            fit = fit_estimator("svm", parameters, Z, y, groups, typed(oversampled), seed)
            risk = fit.probability(cohort(1000, 100 + seed, effect=0.0)[0])
            spread.append(risk.std())
            mean.append(risk.mean() - y.mean())
        assert np.mean(spread) < 0.03
        assert np.mean(mean) == pytest.approx(0, abs=0.03)


def test_risks_are_calibrated_on_new_patients_despite_oversampling(oversampled):
    """The slope was 0.7 here, the mean risk .28 where .13 have the event, the Brier score .127."""
    slopes, excess, gain = [], [], []
    for seed in range(4):
        Z, y, groups = cohort(600, seed)
        Z_new, y_new, _ = cohort(3000, 100 + seed)
        parameters = {"kernel": "linear", "C": 0.1}
        fit = fit_estimator("svm", parameters, Z, y, groups, typed(oversampled), seed)
        risk = fit.probability(Z_new)
        slopes.append(calibration_slope(y_new, risk, 0.95).value)
        share = np.full(len(y_new), y.mean())
        gain.append(brier_score_loss(y_new, share) - brier_score_loss(y_new, risk))
        # A cohort has more or fewer events than another; that much no sigmoid can know.
        excess.append(risk.mean() - y.mean())
        # Risks rank patients as the machine does.
        values = fit.estimator.machine_.decision_function(Z_new)
        assert roc_auc_score(y_new, risk) == pytest.approx(roc_auc_score(y_new, values), abs=1e-3)
    assert np.mean(slopes) == pytest.approx(1, abs=0.25)
    assert np.mean(excess) == pytest.approx(0, abs=0.02)
    assert np.mean(gain) > 0.02


def test_the_sigmoid_finds_the_log_odds_that_made_the_outcomes():
    rng = np.random.default_rng(0)
    values = 3 + 2 * rng.normal(size=100_000)
    outcome = rng.random(len(values)) < 1 / (1 + np.exp(-(0.8 * values - 4)))
    assert fit_sigmoid(values, outcome) == pytest.approx((0.8, -4), rel=0.02)


def test_the_sigmoid_never_falls():
    """Values that rank the outcomes the wrong way round: nearly equal risks, in their order."""
    rng = np.random.default_rng(1)
    outcome = rng.random(400) < 0.2
    values = rng.normal(size=400) * 5 - 3 * outcome
    slope, intercept = fit_sigmoid(values, outcome)
    assert slope == pytest.approx(FLATTEST / values.std())
    risk = 1 / (1 + np.exp(-(slope * values + intercept)))
    assert risk.std() < 0.005
    assert risk.mean() == pytest.approx(outcome.mean(), abs=0.005)
    # Equal values, of a machine that learned nothing, are equal risks.
    slope, intercept = fit_sigmoid(np.full(400, 7.0), outcome)
    assert 1 / (1 + np.exp(-(slope * 7 + intercept))) == pytest.approx(outcome.mean(), abs=0.005)


def test_folds_that_oversampling_cannot_help_are_noted(oversampled):
    rng = np.random.default_rng(1)
    y = np.repeat([0, 1], [100, 20])
    Z = rng.normal(size=(120, 2)) + 100.0 * y[:, None]
    fit = fit_estimator("svm", {}, Z, y, np.arange(120), typed(oversampled), seed=0)
    assert any(note.startswith("Where the probabilities are learned: ADASYN") for note in fit.notes)
    assert len(fit.notes) == len(set(fit.notes))


def test_an_outcome_of_a_single_patient_is_refused(config):
    Z, _, _ = cohort(30, 0)
    y, groups = np.repeat([0, 1], [27, 3]), np.append(np.arange(27), [27, 27, 27])
    with refusal("platt-too-few", StudyError, match="1 patients of the rarer"):
        fit_estimator("svm", {}, Z, y, groups, typed(config), seed=0)
    # Two patients are two folds.
    groups[-1] = 28
    assert len(calibration_folds(Z, y, groups, seed=0)) == 2
