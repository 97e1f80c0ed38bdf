import copy
import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import yaml
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.metrics import brier_score_loss, roc_auc_score

from models import optimism
from models.learning import fold_fits
from models.learning import one_fit as fitting
from models.learning import procedure as procedures
from models.learning.folds import assign_folds
from models.learning.one_fit import early_stopping_rows
from models.learning.procedure import Procedure
from models.optimism import correct_optimism, optimism_table, point_632_plus
from models.repetitions.optimism_resamples import Resampled, performance, resample_of
from models.scoring.intervals import patient_resamples
from models.scoring.performance import METRICS, Sample
from models.train import fit_model
from models.transformers.columns import Columns
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table, write_json, write_table
from pipeline.core.fit_status import WAS_FITTED
from pipeline.core.seeds import derive_seed
from pipeline.tables.schemas.analysis import Analysis
from tests.support.filled import filled
from tests.support.options import typed
from tests.support.refusals import refusal

#: Next to no penalty, so that the fit is the maximum likelihood's.
PLAIN = {"penalty": "l2", "C": 1e5}


@pytest.fixture(scope="module")
def config(repository):
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    config["study"], config["device"] = "optimism", "cpu"
    config["split"]["folds"] = 3
    config["search"] |= {"iterations": 4, "reduced_iterations": 2}
    config["optimism"] |= {"resamples": 12}
    return config


@pytest.fixture(scope="module")
def everything_enters(config):
    """A configuration whose selection keeps every column."""
    config = copy.deepcopy(config)
    config["selection"]["wilcoxon"]["p"] = 1.1
    config["selection"]["mrmr"]["k"] = 100
    return config


def corrected(procedure, *given):
    """Return what the stage makes of as many resamples as the procedure's study asks for."""
    table, final, *more = given
    return correct_optimism(procedure, table, final, procedure.options.optimism.resamples, *more)


def rows_of(n, n_features, seed, effects=()):
    """Return an analysis table of one reader and its candidates."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, n_features))
    risk = expit(X[:, : len(effects)] @ np.array(effects) - 0.5)
    names = [f"f{number}" for number in range(n_features)]
    units = [f"u{number:03d}" for number in range(n)]
    table = pd.DataFrame(X, columns=[f"A:{name}" for name in names])
    table = table.assign(unit_id=units, patient_id=units, outcome=rng.binomial(1, risk))
    info = {"readers": ["A"], "model_reader": "A", "features": names, "predictors": []}
    return Columns.from_info(info), table


def harrell_by_statsmodels(X, y, resamples):
    """Return apparent performance and optimism, each (AUROC, Brier score, calibration slope)."""

    def fitted(rows):
        design = sm.add_constant(X[rows])
        return sm.GLM(y[rows], design, family=sm.families.Binomial()).fit()

    def judged(model, rows):
        p = model.predict(sm.add_constant(X[rows]))
        line = sm.add_constant(logit(p))
        slope = sm.GLM(y[rows], line, family=sm.families.Binomial()).fit().params[1]
        return np.array([roc_auc_score(y[rows], p), brier_score_loss(y[rows], p), slope])

    whole = np.arange(len(y))
    gains = []
    for times in resamples:
        rows = np.repeat(whole, times)
        model = fitted(rows)
        gains.append(judged(model, rows) - judged(model, whole))
    return judged(fitted(whole), whole), np.mean(gains, axis=0)


def test_a_plain_logistic_model_is_corrected_as_statsmodels_does(everything_enters):
    columns, table = rows_of(150, 5, 1, (0.9, -0.6))
    procedure = Procedure("lr", columns, typed(everything_enters), "fixed", PLAIN)
    result, facts = corrected(procedure, table, {"parameters": PLAIN, "threshold": 0.4})
    X, y = table[columns.radiomics].to_numpy(), table["outcome"].to_numpy()
    seed = derive_seed(everything_enters["seed"], "optimism", "resamples")
    drawn = patient_resamples(table["patient_id"], y, 12, seed, stratified=False)
    apparent, gain = harrell_by_statsmodels(X, y, drawn)
    own = result.set_index("metric").loc[["auroc", "brier", "calibration_slope"]]
    np.testing.assert_allclose(own["apparent"], apparent, atol=1e-3)
    np.testing.assert_allclose(own["optimism"], gain, atol=1e-3)
    np.testing.assert_allclose(own["corrected"], apparent - gain, atol=2e-3)
    assert (own["resamples"] == 12).all()
    assert (facts["fits"], facts["left_out"]) == (13, 0)
    # A fit by maximum likelihood is calibrated on its own rows, too extreme on others.
    assert own.loc["calibration_slope", "apparent"] == pytest.approx(1, abs=1e-3)
    assert own.loc["calibration_slope", "corrected"] < 1


def test_noise_looks_good_until_it_is_corrected(everything_enters):
    """Ten columns of noise, 200 rows.

    Over 40 such draws, scikit-learn's regression and 40 resamples each gave an apparent AUROC of
    .624 (SD .032) and a corrected one of .532 (SD .044): what Harrell's correction is known to
    leave. The bounds are four standard errors of the mean of six draws.
    """
    rows = []
    for seed in range(6):
        columns, table = rows_of(200, 10, seed)
        procedure = Procedure("lr", columns, typed(everything_enters), "fixed", PLAIN)
        result, _ = corrected(procedure, table, {"parameters": PLAIN, "threshold": 0.4})
        rows.append(result.set_index("metric").loc["auroc"])
    mean = pd.DataFrame(rows)[["apparent", "corrected", "corrected_632plus"]].mean()
    assert mean["apparent"] == pytest.approx(0.624, abs=0.052)
    assert mean["corrected"] == pytest.approx(0.532, abs=0.072)
    assert mean["corrected_632plus"] == pytest.approx(0.5, abs=0.072)
    assert mean["apparent"] - mean["corrected"] > 0.05


def test_where_noise_is_selected_only_the_patients_left_out_tell(config):
    """Of 300 columns of noise 10 are chosen: Harrell's correction believes part of them."""
    small = copy.deepcopy(config)
    small["selection"]["mrmr"]["k"] = 10
    rows = []
    for seed in range(4):
        columns, table = rows_of(120, 300, seed)
        procedure = Procedure("lr", columns, typed(small), "fixed", PLAIN)
        result, _ = corrected(procedure, table, {"parameters": PLAIN, "threshold": 0.4})
        rows.append(result.set_index("metric").loc["auroc"])
    mean = pd.DataFrame(rows)[["apparent", "corrected", "corrected_632plus"]].mean()
    assert mean["apparent"] > 0.8
    assert mean["corrected"] > 0.6
    assert mean["corrected_632plus"] == pytest.approx(0.5, abs=0.06)


def test_632_plus_by_hand():
    # Nothing lost: the apparent value. All lost: the patients left out alone.
    assert point_632_plus(0.8, 0.8, 0.5) == pytest.approx(0.8)
    assert point_632_plus(1.0, 0.5, 0.5) == pytest.approx(0.5)
    # Half lost: R = .5, weight .632 / (1 - .368 x .5) = .77451.
    assert point_632_plus(0.9, 0.7, 0.5) == pytest.approx(0.9 - 0.774510 * 0.2, abs=1e-6)
    # Out of bag below guessing counts as guessing.
    assert point_632_plus(0.9, 0.4, 0.5) == pytest.approx(0.5)
    # Better on patients left out: nothing is overfitted, weight .632.
    assert point_632_plus(0.7, 0.8, 0.5) == pytest.approx(0.7 + 0.632 * 0.1)
    # The Brier score is better when lower: R = (.10 - .16) / (.10 - .22) = .5.
    assert point_632_plus(0.10, 0.16, 0.22) == pytest.approx(0.10 + 0.774510 * 0.06, abs=1e-6)
    assert point_632_plus(0.5, 0.6, 0.5) == pytest.approx(0.5 + 0.632 * 0.1)


def test_the_apparent_performance_is_that_of_the_final_model(config):
    columns, table = rows_of(120, 12, 4, (1.0, 0.8))
    folds = np.arange(120) % 3
    trained = fit_model("rf", columns, table, folds, typed(config))
    final = {"parameters": trained.parameters, "threshold": trained.threshold}
    procedure = Procedure("rf", columns, typed(config), "fixed", trained.parameters)
    result, facts = corrected(procedure, table, final)
    own = performance(
        Sample(
            table["outcome"].to_numpy(),
            trained.fitted.predict(table),
            table["patient_id"].to_numpy(),
            trained.threshold,
        )
    )
    np.testing.assert_array_equal(result["apparent"], [own[name] for name in METRICS])
    # Youden's rule needs out-of-fold predictions, which nobody makes without a search.
    sensitivity = result.set_index("metric").loc["sensitivity"]
    assert math.isnan(sensitivity["corrected"])
    assert "undefined" in sensitivity["note"]
    assert "slightly optimistic" in facts["search_note"]


def test_a_search_in_every_resample_brings_its_own_threshold(config):
    columns, table = rows_of(120, 12, 4, (1.0, 0.8))
    small = copy.deepcopy(config)
    small["optimism"]["resamples"] = 3
    procedure = Procedure("lr", columns, typed(small), "reduced")
    final = {"parameters": PLAIN, "threshold": 0.4}
    result, facts = corrected(procedure, table, final)
    assert result["corrected"].notna().all()
    assert facts["fits"] == optimism.planned_fits(procedure, 3) == 1 + 3 * (1 + 3 * (2 + 1))
    assert "with 2 sets where the final model tried 4" in facts["search_note"]
    again, _ = corrected(procedure, table, final)
    pd.testing.assert_frame_equal(result, again)


def test_the_result_does_not_depend_on_the_number_of_processes(config):
    columns, table = rows_of(80, 6, 5, (1.0,))
    small = copy.deepcopy(config)
    small["optimism"]["resamples"] = 4
    procedure = Procedure("lr", columns, typed(small), "fixed", PLAIN)
    final = {"parameters": PLAIN, "threshold": 0.4}
    one, two = (corrected(procedure, table, final, workers)[0] for workers in (1, 2))
    pd.testing.assert_frame_equal(one, two)


def test_patients_come_and_go_with_all_their_rows(config, monkeypatch):
    """Two rows a patient: both are in a resample equally often, and out of bag together."""
    columns, half = rows_of(60, 6, 6, (1.5,))
    table = pd.concat([half, half.assign(unit_id=half["unit_id"] + "b")], ignore_index=True)
    seen = []
    own = Procedure.run

    def spy(self, rows, seed, folds=None):
        seen.append(rows)
        return own(self, rows, seed, folds)

    monkeypatch.setattr(Procedure, "run", spy)
    small = copy.deepcopy(config)
    small["optimism"]["resamples"] = 2
    procedure = Procedure("lr", columns, typed(small), "fixed", PLAIN)
    corrected(procedure, table, {"parameters": PLAIN, "threshold": 0.4})
    for rows in seen[1:]:
        assert rows["unit_id"].is_unique
        per_patient = rows["unit_id"].str.contains("b").groupby(rows["patient_id"]).mean()
        assert (per_patient == 0.5).all()
        assert len(per_patient) < 60


@settings(max_examples=60)
@given(st.data())
def test_copies_of_a_patient_share_an_inner_fold_and_a_side_of_the_early_stop(data):
    """Whatever patients are drawn, and however many rows they have."""
    n_rows = data.draw(st.lists(st.integers(1, 3), min_size=12, max_size=40), label="rows")
    patients = np.repeat([f"p{number}" for number in range(len(n_rows))], n_rows)
    outcome = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(n_rows), max_size=len(n_rows)))
    )
    outcome = np.repeat(outcome.astype(int), n_rows)
    seed = data.draw(st.integers(0, 2**16), label="seed")
    units = [f"u{number}" for number in range(len(patients))]
    table = pd.DataFrame({"unit_id": units, "patient_id": patients, "outcome": outcome})
    times = patient_resamples(patients, outcome, 1, seed, stratified=False)[0]
    resample = resample_of(table, times)
    assert resample["unit_id"].is_unique
    assert len(resample) == times.sum()
    try:
        folds = assign_folds(resample, 3, seed)
        sides = [
            early_stopping_rows(
                rows["outcome"].to_numpy(), rows["patient_id"].to_numpy(), 0.2, seed
            )
            for rows in (resample[folds != fold] for fold in range(3))
        ]
    except StudyError:
        reject()  # too few different patients of an outcome: the resample is left out
    # The patient of the row that was copied, whatever the copy says of itself.
    patient_of = table.set_index("unit_id")["patient_id"]
    owners = patient_of.loc[resample["unit_id"].str.split("#").str[0]].to_numpy()
    assert (pd.Series(folds).groupby(owners).nunique() == 1).all()
    for fold, (learn, watch) in enumerate(sides):
        own = owners[folds != fold]
        assert sorted([*learn, *watch]) == list(range(len(own)))
        assert not set(own[learn]) & set(own[watch])


@pytest.mark.parametrize("oversampling", ["none", "adasyn_tomek"])
def test_no_copy_of_a_row_that_tabnet_learns_from_judges_it_or_stops_it(
    config, oversampling, monkeypatch
):
    """A real run on resamples, in which rows are known by their values: copies have the same."""
    columns, table = rows_of(140, 4, 9, (1.5,))
    small = copy.deepcopy(config)
    small["oversampling"] = oversampling
    small["optimism"]["resamples"] = 2
    small["search"] |= {"iterations": 1, "reduced_iterations": 1}
    small["tabnet"] |= {"max_epochs": 2, "start": small["tabnet"]["start"] | {"batch_size": 64}}
    stopped, dealt = [], []
    prepare, deal = fitting.prepare_rows, procedures.assign_folds

    def prepared(model, Z, *rest):
        rows = prepare(model, Z, *rest)
        stopped.append((Z, rows))
        return rows

    def assigned(rows, *rest):
        folds = deal(rows, *rest)
        dealt.append((rows, folds))
        return folds

    monkeypatch.setattr(fitting, "prepare_rows", prepared)
    monkeypatch.setattr(fold_fits, "prepare_rows", prepared)
    monkeypatch.setattr(procedures, "assign_folds", assigned)
    procedure = Procedure("tabnet", columns, typed(small), "reduced")
    final = {"parameters": {"n_d": 4, "n_steps": 2}, "threshold": 0.4}
    _, facts = corrected(procedure, table, final)
    assert facts["left_out"] == 0

    # The final model; in each resample three inner folds and the refit.
    assert len(stopped) == 1 + 2 * (3 + 1)
    for Z, rows in stopped[1:]:
        every, watched, learned = known(Z), known(rows.Z_watch), known(rows.Z)
        assert len(set(every)) < len(every)  # there are copies
        assert len(set(watched)) < len(watched)
        assert not set(watched) & set(learned)
        assert set(watched) < set(every)  # none of them is synthetic
        assert 0.1 < len(watched) / len(every) < 0.3
        if oversampling == "none":
            assert sorted([*watched, *learned]) == sorted(every)
    assert len(dealt) == 2
    for rows, folds in dealt:
        names = np.array(known(rows[columns.radiomics].to_numpy()))
        of_folds = [set(names[folds == fold]) for fold in range(3)]
        assert len(names) > len(set(names)) == sum(map(len, of_folds))


def known(rows):
    """Return rows by their values."""
    return [row.tobytes() for row in np.ascontiguousarray(rows, dtype=float)]


def test_resamples_that_cannot_be_folded_are_left_out_and_counted(config):
    columns, table = rows_of(80, 6, 7)
    # Seven events: a resample holds fewer than three of them in about one draw of twenty.
    rare = table.assign(outcome=(np.arange(80) < 7).astype(int))
    small = copy.deepcopy(config)
    small["optimism"]["resamples"] = 30
    final = {"parameters": PLAIN, "threshold": 0.1}
    result, facts = corrected(Procedure("lr", columns, typed(small), "reduced"), rare, final)
    assert 0 < facts["left_out"] <= 6
    (note,) = facts["own_notes"]
    assert f"{facts['left_out']} of 30 resamples did not allow the procedure to run" in note
    assert "Every fold must hold patients of both outcomes" in note
    assert result.set_index("metric").loc["auroc", "resamples"] == 30 - facts["left_out"]


def test_a_cohort_too_small_for_resamples_is_refused_in_words(config):
    columns, table = rows_of(80, 6, 7)
    rare = table.assign(outcome=(np.arange(80) < 3).astype(int))
    final = {"parameters": PLAIN, "threshold": 0.1}
    with refusal("resamples-too-few", StudyError, match=r"of 12 do not.*split\.folds"):
        corrected(Procedure("lr", columns, typed(config), "reduced"), rare, final)


def test_a_metric_that_is_often_undefined_is_not_corrected():
    good = dict.fromkeys(METRICS, 0.7)
    open_ = good | {"calibration_slope": math.nan}
    resampled = [Resampled(good, good, good, 1)] * 8 + [Resampled(open_, good, open_, 1)] * 2
    y = np.arange(30) % 2
    sample = Sample(y, np.linspace(0.2, 0.8, 30), np.arange(30), 0.5)
    row = optimism_table("lr", sample, resampled).set_index("metric").loc["calibration_slope"]
    assert row[["corrected", "out_of_bag"]].isna().all()
    assert row["note"] == "undefined in 2 of 10 resamples"


@pytest.fixture
def options(tmp_path, config):
    """Return the arguments of the command over a small study in a folder."""
    columns, table = rows_of(90, 6, 8, (1.2,))
    split = table[["unit_id", "patient_id", "outcome"]].assign(part="train", fold=0)
    split.loc[:19, "part"] = "test"
    write_table(filled(Analysis, table), tmp_path / "analysis.parquet")
    info = {"readers": ["A"], "model_reader": "A", "predictors": []}
    write_json(info | {"features": list(columns.features)}, tmp_path / "analysis.json")
    write_table(split, tmp_path / "split.parquet")
    small = copy.deepcopy(config)
    small["optimism"] |= {"resamples": 3, "search": "fixed"}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(small), encoding="utf-8")
    write_json({"parameters": PLAIN, "threshold": 0.4, **WAS_FITTED}, tmp_path / "model.json")

    class Options:
        study, model, workers = tmp_path, "lr", 1
        analysis, info = tmp_path / "analysis.parquet", tmp_path / "analysis.json"
        split, model_json = tmp_path / "split.parquet", tmp_path / "model.json"
        out, json = tmp_path / "lr.parquet", tmp_path / "lr.json"

    return Options


def test_the_command_writes_the_table_and_its_facts(options):
    optimism.main(options)
    table = read_table(options.out)
    assert list(table["metric"]) == list(METRICS)
    assert "mode" not in table
    facts = read_json(options.json)
    assert list(facts) == [
        *("model", "status", "reason", "resamples", "left_out", "search", "fits", "seconds"),
        *("search_note", "interval_note", "own_notes", "notes"),
    ]


def test_beside_the_published_order_the_rigorous_one_is_corrected_and_named(options):
    path = options.study / "study.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(config | {"mode": "as_published"}), encoding="utf-8")
    optimism.main(options)
    assert set(read_table(options.out)["mode"]) == {"rigorous"}
    assert optimism.OTHER_ORDER in read_json(options.json)["notes"]
