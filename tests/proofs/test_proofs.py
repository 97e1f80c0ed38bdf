"""The proofs themselves: they see a planted leak, go on where they stopped, and write their pages.

The full proofs are `make proof-leakage` and `make proof-simulation`; these runs are small.
"""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator

import proofs.leakage
import proofs.simulation
from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models.transformers.chain import selection_chain
from pipeline.reporting.blocks import Paragraph, Section
from pipeline.study.config import load_config, merge
from proofs.cohort_trials import run_cohort
from proofs.leakage import failures, summarise
from proofs.null_trials import Trial, run_trial
from proofs.pages import write_page
from proofs.tasks import run_missing
from tests.support.options import typed
from tests.support.refusals import refusal

DRAWS = 8
SOME_FEATURES = feature_names()[:300]
FIXED = {
    "oversampling": "none",
    "split": {"folds": 3},
    "search": {"iterations": 1, "spaces": {"lr": {"penalty": ["l2"], "C": [0.1]}}},
    "nested": {"folds": 3},
}


@pytest.fixture(scope="module")
def config(repository):
    return merge(load_config([repository / "config" / "simulated.yaml"]), FIXED)


@pytest.fixture(scope="module")
def null_study():
    return simulate_tables(240, 100, features=SOME_FEATURES[:150]).analysis()


def null_mean(study, config, mode="rigorous"):
    """Return the mean test AUROC under permuted outcomes, and its standard error in theory.

    The variance of a null AUROC is (m + n + 1) / 12 m n (Mann-Whitney).
    """
    table, info = study
    trials = [Trial("independent", mode, "test", "lr", draw) for draw in range(DRAWS)]
    results = [run_trial(table, info, typed(config), trial) for trial in trials]
    events = round(0.3 * table["outcome"].sum())
    others = round(0.3 * len(table)) - events
    error = np.sqrt((events + others + 1) / (12 * events * others) / DRAWS)
    return np.mean([result["auroc"] for result in results]), error


def test_nothing_is_predicted_where_nothing_can_be(config, null_study):
    mean, error = null_mean(null_study, config)
    assert abs(mean - 0.5) < 3 * error


def test_a_planted_leak_is_caught(config, null_study, monkeypatch):
    """The chain is secretly fitted to all rows, test rows among them, whatever it is given."""
    import models.modes.rigorous
    import proofs.null_trials

    everyone = {}

    def remember(columns, table, config):
        everyone["X"], everyone["y"] = columns.take(table), table["outcome"].to_numpy(int)
        return columns

    def leaking(columns, config):
        return FrozenEstimator(
            selection_chain(columns, typed(config)).fit(everyone["X"], everyone["y"])
        )

    monkeypatch.setattr(proofs.null_trials, "candidates_in_mode", remember)
    monkeypatch.setattr(models.modes.rigorous, "selection_chain", leaking)
    monkeypatch.setattr(models.modes.rigorous, "signature_of", lambda chain: [])
    monkeypatch.setattr(models.modes.rigorous, "chain_notes", lambda chain: [])
    mean, error = null_mean(null_study, config)
    assert mean - 0.5 > 3 * error


def test_the_published_order_leaks(config, null_study):
    mean, error = null_mean(null_study, config, "as_published")
    assert mean - 0.5 > 3 * error


def test_nested_folds_of_a_null_outcome(config, null_study):
    """Three permutations of three outer folds: about 240 rows each, so 0.15 are over 4 errors."""
    trials = [Trial("independent", "rigorous", "nested", "lr", draw) for draw in range(3)]
    results = [run_trial(*null_study, typed(config), trial) for trial in trials]
    assert np.mean([result["auroc"] for result in results]) == pytest.approx(0.5, abs=0.15)
    assert all(result["cv_auroc"] is None for result in results)


def trials_of(cohort="independent", **aurocs):
    rows = []
    for mode, values in aurocs.items():
        for draw, value in enumerate(values):
            trial = {"cohort": cohort, "mode": mode, "estimate": "test", "model": "lr"}
            rows.append({**trial, "draw": draw, "auroc": value, "cv_auroc": 0.5})
    return pd.DataFrame(rows)


def test_without_a_hold_out_a_null_outcome_is_not_predicted_either(config, null_study):
    """Every row is learned from and judged: what the outer folds hold out must not be known."""
    table, info = null_study
    trials = [Trial("independent", "rigorous", "no_hold_out", "lr", draw) for draw in range(DRAWS)]
    values = [run_trial(table, info, typed(config), trial)["auroc"] for trial in trials]
    events = int(table["outcome"].sum())
    others = len(table) - events
    error = np.sqrt((len(table) + 1) / (12 * events * others) / DRAWS)
    assert abs(np.mean(values) - 0.5) < 3.5 * error


def test_the_summary_has_a_t_interval():
    row = summarise(trials_of(rigorous=[0.4, 0.5, 0.6])).iloc[0]
    # Standard error 0.1 / sqrt(3); t of 2 degrees of freedom: 4.303.
    assert row["auroc"] == pytest.approx(0.5)
    assert row["low"] == pytest.approx(0.5 - 4.303 * 0.1 / np.sqrt(3), abs=1e-4)
    assert np.isnan(summarise(trials_of(rigorous=[0.4])).iloc[0]["low"])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (trials_of(rigorous=[0.52, 0.5], as_published=[0.64, 0.62]), []),
        (trials_of(rigorous=[0.54, 0.54]), ["more than 0.03 from 0.5"]),
        (trials_of(rigorous=[0.46, 0.46]), ["more than 0.03 from 0.5"]),
        (trials_of(rigorous=[0.5, 0.5], as_published=[0.59, 0.59]), ["by 0.090 only"]),
        (trials_of(as_published=[0.7, 0.7]), ["by nan only"]),
        # Where features are redundant, selection on everyone finds less; no bound is promised.
        (trials_of("redundant", rigorous=[0.5, 0.5], as_published=[0.59, 0.59]), []),
    ],
)
def test_what_does_not_hold_is_said(rows, said):
    found = failures(summarise(rows))
    assert len(found) == len(said)
    assert all(part in sentence for part, sentence in zip(said, found, strict=True))


def double(factor, task):
    return {"value": factor * task}


def test_a_proof_goes_on_where_it_stopped(tmp_path):
    journal, calls = tmp_path / "a" / "journal.jsonl", []

    def shared():
        calls.append("made")
        return 2

    def run(key="key", **limit):
        how = {"stage": "test", "describe": lambda task, result: str(task), "workers": 1}
        return run_missing(double, [1, 2, 3], shared, journal, key, **how, **limit)

    assert run(limit=2) == [{"value": 2}, {"value": 4}]
    with journal.open("a") as stream:
        stream.write('{"task": "3", "resu')  # killed while it wrote
    assert run() == run() == [{"value": 2}, {"value": 4}, {"value": 6}]
    assert len(calls) == 2, "nothing is made where nothing is left to do"
    assert run("other options or code", limit=1) == [{"value": 2}]


@pytest.fixture(scope="module")
def cohort(config):
    """One small cohort: a third of the features, few new patients."""
    return run_cohort(
        typed(merge(config, {"split": {"folds": 3}})),
        3,
        ["lr"],
        ["lr"],
        fresh_patients=5000,
        features=SOME_FEATURES,
    )


def test_a_cohort_is_held_against_the_truth(cohort):
    (row,) = cohort["models"]
    # 600 events among 5,000: the standard error of an AUROC near 0.8 is 0.01.
    assert 0.6 < row["true_auroc"] < cohort["best"] + 0.04
    assert row["covered"] == (row["test_low"] <= row["true_auroc"] <= row["test_high"])
    assert row["apparent_auroc"] > row["true_auroc"]
    assert abs(row["nested_auroc"] - row["true_auroc"]) < 0.2
    # Shrunken at C 0.1 and fitted to 600 patients: the slope is positive and not far from 1.
    assert 0.3 < row["true_calibration_slope"] < 2
    json.dumps(cohort, allow_nan=False)


def test_what_the_selection_found_is_told(cohort):
    steps = pd.DataFrame(cohort["steps"])
    assert len(steps) == 5 * 3
    assert (steps["block"] >= steps["itself"]).all(), "a feature stands for itself"
    by_step = steps.groupby("step")["block"].sum()
    assert by_step["mrmr"] <= by_step["univariate"] <= by_step["ccc"]
    selected = pd.DataFrame(cohort["selection"])
    radiomics = selected[selected["block"] == "radiomics"]
    assert len(radiomics) == 20
    assert (radiomics.loc[radiomics["kind"] == "unrelated", "correlation"] < 0.5).all()
    assert (radiomics.loc[radiomics["kind"] == "stand-in", "correlation"] >= 0.8).all()
    assert "planted" in set(selected.loc[selected["block"] == "clinical", "kind"])


def test_the_command_of_the_simulation_writes_its_page(cohort, monkeypatch, tmp_path, repository):
    def made(config, seed, models, nested):
        own = json.loads(json.dumps(cohort))
        for row in (*own["models"], *own["steps"], *own["selection"]):
            row["seed"] = seed
        return own

    monkeypatch.setattr(proofs.simulation, "run_cohort", made)
    monkeypatch.chdir(repository)
    options = proofs.simulation.arguments_of().parse_args(
        ["--out", str(tmp_path), "--seeds", "3", "--models", "lr", "--workers", "1"]
    )
    proofs.simulation.main(options)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "3 simulated cohorts of the published size" in page
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {
        *("true-auroc", "errors", "steps", "calibration"),
    }
    summary = pd.read_csv(tmp_path / "tables" / "errors.csv")
    error = summary.loc[summary["quantity"] == "error_test_auroc", "mean"].item()
    (row,) = cohort["models"]
    assert error == pytest.approx(row["test_auroc"] - row["true_auroc"])


def test_the_command_of_the_leakage_proof(null_study, monkeypatch, tmp_path, repository):
    monkeypatch.setattr(proofs.leakage, "null_tables", lambda cohort, seed: null_study)
    monkeypatch.chdir(repository)
    argv = ["--out", str(tmp_path), "--draws", "2", "--nested", "0", "--models", "lr"]
    argv += ["--iterations", "1", "--workers", "1"]
    options = proofs.leakage.arguments_of().parse_args(argv)
    monkeypatch.setattr(proofs.leakage, "failures", lambda summary: [])
    proofs.leakage.main(options)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The proof holds" in page
    assert "LEAKING" in page
    assert len(pd.read_parquet(tmp_path / "trials.parquet")) == 2 * 2 * 2

    monkeypatch.setattr(proofs.leakage, "failures", lambda summary: ["it leaks"])
    monkeypatch.setattr(proofs.leakage, "run_trial", lambda *_: pytest.fail("it was done before"))
    with refusal("proof-failed", match="Found: it leaks"):
        proofs.leakage.main(options)
    assert "The proof does not hold" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_proofs_page_does_not_call_itself_a_study(tmp_path):
    write_page("Proof", [Section("one", "One", [Paragraph("Text.")])], tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<p class="kind">Proof on simulated data</p>' in page
    assert "study report" not in page
