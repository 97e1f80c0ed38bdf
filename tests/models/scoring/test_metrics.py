from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from models.scoring import metrics

# The published matrix of the ge2025 study's TabNet; kappa is .880, not the .882 printed there.
PUBLISHED = metrics.Confusion(tp=25, fp=1, fn=5, tn=225)


def test_published_matrix():
    found = metrics.confusion_metrics(PUBLISHED)
    assert found["accuracy"] == pytest.approx(0.977, abs=5e-4)
    assert found["sensitivity"] == pytest.approx(0.833, abs=5e-4)
    assert found["f1"] == pytest.approx(0.893, abs=5e-4)
    assert found["kappa"] == pytest.approx(0.880, abs=5e-4)
    assert found["precision"] == pytest.approx(0.962, abs=5e-4)


predictions = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 10), st.integers(0, 3)), min_size=4, max_size=40
)


@given(predictions)
def test_equal_scikit_learn_with_weights(rows):
    outcome = np.array([1, 0, *(row[0] for row in rows[2:])])
    probability = np.array([row[1] for row in rows]) / 10
    weights = np.array([1, 1, *(row[2] for row in rows[2:])])
    both = np.array([weights, np.ones_like(weights)])
    for function, reference in (
        (metrics.auroc, sk.roc_auc_score),
        (metrics.auprc, sk.average_precision_score),
        (metrics.brier, sk.brier_score_loss),
    ):
        found = function(outcome, probability, both)
        assert found[0] == pytest.approx(reference(outcome, probability, sample_weight=weights))
        assert found[1] == pytest.approx(reference(outcome, probability))
        assert function(outcome, probability) == pytest.approx(found[1])


@given(predictions)
def test_confusion_metrics_equal_scikit_learn(rows):
    outcome = np.array([1, 0, *(row[0] for row in rows[2:])])
    probability = np.array([row[1] for row in rows]) / 10
    weights = np.array([1, 1, *(row[2] for row in rows[2:])])
    resamples = metrics.confusion(outcome, probability, 0.5, weights[None, :])
    found = metrics.confusion_metrics(resamples)
    predicted = (probability >= 0.5).astype(int)
    expected = {
        "accuracy": sk.accuracy_score,
        "sensitivity": sk.recall_score,
        "specificity": lambda y, p, sample_weight: sk.recall_score(
            y, p, pos_label=0, sample_weight=sample_weight
        ),
        "precision": sk.precision_score,
        "npv": lambda y, p, sample_weight: sk.precision_score(
            y, p, pos_label=0, sample_weight=sample_weight
        ),
        "f1": sk.f1_score,
        "kappa": sk.cohen_kappa_score,
        "mcc": sk.matthews_corrcoef,
        "weighted_precision": partial(sk.precision_score, average="weighted"),
        "weighted_recall": partial(sk.recall_score, average="weighted"),
        "weighted_f1": partial(sk.f1_score, average="weighted"),
    }
    for name, reference in expected.items():
        if np.isnan(found[name][0]):
            # scikit-learn says 0 and warns, or says NaN; here it is undefined.
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = reference(outcome, predicted, sample_weight=weights)
        assert found[name][0] == pytest.approx(value), name


def test_counts_from_rows():
    outcome = np.array([1, 1, 0, 0, 0])
    probability = np.array([0.5, 0.4, 0.5, 0.1, 0.2])
    # A probability at the threshold is positive.
    assert metrics.confusion(outcome, probability, 0.5) == (1, 1, 1, 2)
    assert metrics.confusion(np.zeros(3), np.zeros(3), 0.5) == (0, 0, 0, 3)


def test_scaled_brier():
    outcome = np.array([1, 0, 0, 0])
    assert metrics.scaled_brier(outcome, outcome) == 1
    assert metrics.scaled_brier(outcome, np.full(4, 0.25)) == pytest.approx(0)
    assert metrics.scaled_brier(outcome, np.full(4, 0.9)) < 0
    assert np.isnan(metrics.scaled_brier(np.zeros(4), np.full(4, 0.25)))


def test_what_is_not_measured_is_nan():
    nobody = metrics.confusion_metrics(metrics.Confusion(tp=0, fp=0, fn=3, tn=7))
    assert np.isnan([nobody["precision"], nobody["mcc"]]).all()
    assert nobody["f1"] == 0
    assert nobody["kappa"] == 0
    no_event = metrics.confusion_metrics(metrics.Confusion(tp=0, fp=0, fn=0, tn=7))
    assert np.isnan([no_event[name] for name in ("sensitivity", "f1", "kappa", "mcc")]).all()
    assert no_event["accuracy"] == 1
    assert np.isnan(metrics.auroc(np.zeros(3), np.arange(3)))
    assert np.isnan(metrics.auprc(np.zeros(3), np.arange(3)))


def test_perfect_and_constant_predictions():
    outcome = np.array([0, 0, 1])
    assert metrics.auroc(outcome, outcome) == 1
    assert metrics.auprc(outcome, outcome) == 1
    assert metrics.auroc(outcome, np.full(3, 0.2)) == 0.5
    assert metrics.auprc(outcome, np.full(3, 0.2)) == pytest.approx(1 / 3)
