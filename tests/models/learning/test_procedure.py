import copy

import numpy as np
import pandas as pd
import pytest
import yaml

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models import nested, train
from models.learning.folds import assign_folds
from models.learning.procedure import Procedure, parameter_sets, search_note
from models.scoring.threshold import threshold_of
from models.split import split_table
from models.transformers.columns import Columns
from pipeline.core.errors import StudyError
from tests.support.options import typed
from tests.support.refusals import refusal

FIXED = {"penalty": "l2", "C": 0.1}


@pytest.fixture(scope="module")
def config(repository):
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    config["study"], config["device"] = "procedure", "cpu"
    config["selection"]["mrmr"]["k"] = 5
    config["split"]["folds"] = 3
    config["search"] |= {"iterations": 6, "reduced_iterations": 2}
    return config


@pytest.fixture(scope="module")
def study(config):
    table, info = simulate_tables(160, 3, features=feature_names()[:50]).analysis()
    split = split_table(table, typed(config).split, config["seed"])
    rows = split["part"] == "train"
    folds = split.loc[rows, "fold"].to_numpy()
    return Columns.from_info(info), table[rows].reset_index(drop=True), folds


@pytest.mark.parametrize(("search", "sets"), [("reduced", 2), ("full", 6)])
def test_a_search_takes_as_many_sets_as_asked(study, config, search, sets):
    columns, training, _ = study
    procedure = Procedure("lr", columns, typed(config), search)
    run = procedure.run(training, 1)
    assert run.fits == procedure.planned_fits == (sets + 1) * 3 + 1
    assert len(run.search.table) == parameter_sets(search, typed(config).search) == sets
    assert run.parameters == run.search.parameters
    assert set(run.parameters) == {"penalty", "C"}
    assert run.threshold == threshold_of(
        training["outcome"].to_numpy(), run.search.out_of_fold, "youden", 0.5
    )


def test_given_parameters_are_kept_and_nothing_is_searched(study, config):
    columns, training, _ = study
    procedure = Procedure("lr", columns, typed(config), "fixed", FIXED)
    run = procedure.run(training, 1)
    assert (run.parameters, run.search, run.fits) == (FIXED, None, 1)
    assert procedure.planned_fits == 1
    # Without out-of-fold predictions Youden's rule has nothing to choose from.
    assert np.isnan(run.threshold)
    given = copy.deepcopy(config)
    given["evaluation"] |= {"threshold_rule": "fixed", "threshold": 0.3}
    assert Procedure("lr", columns, typed(given), "fixed", FIXED).run(training, 1).threshold == 0.3


def test_copies_of_a_patient_share_one_inner_fold(study, config, monkeypatch):
    columns, training, _ = study
    seen = []

    def spy(rows, n_folds, seed):
        seen.append((rows["patient_id"].to_numpy(), assign_folds(rows, n_folds, seed)))
        return seen[-1][1]

    monkeypatch.setattr("models.learning.procedure.assign_folds", spy)
    drawn = np.random.default_rng(0).integers(0, len(training), len(training))
    resample = training.iloc[drawn].reset_index(drop=True)
    Procedure("lr", columns, typed(config), "reduced").run(resample, 1)
    ((patients, folds),) = seen
    assert len(np.unique(patients)) < len(patients)
    assert (pd.Series(folds).groupby(patients).nunique() == 1).all()


def test_the_final_model_is_the_procedure_run_on_all_training_rows(study, config, monkeypatch):
    """Training and nested cross-validation run one function, and it alone makes the model."""
    columns, training, folds = study
    calls = []
    own = Procedure.run

    def spy(self, rows, seed, given=None, **options):
        calls.append((self.search, len(rows), seed))
        return own(self, rows, seed, given, **options)

    monkeypatch.setattr(Procedure, "run", spy)
    final = train.fit_model("lr", columns, training, folds, typed(config))
    small = copy.deepcopy(config)
    small["nested"] |= {"folds": 3, "repeats": 1}
    asked = typed(small)
    nested.cross_validate(Procedure("lr", columns, asked, "full"), training, asked.nested)
    assert calls[0] == ("full", len(training), config["seed"])
    assert [search for search, *_ in calls] == ["full"] * 4
    assert sum(rows for _, rows, _ in calls[1:]) == 2 * len(training)
    # An outer fold that left nothing out would be the final model.
    again = own(Procedure("lr", columns, typed(small), "full"), training, config["seed"], folds)
    assert again.search.table.equals(final.search.table)
    assert again.threshold == final.threshold
    np.testing.assert_array_equal(again.fitted.predict(training), final.fitted.predict(training))


def test_two_seeds_draw_other_folds_and_parameters(study, config):
    columns, training, _ = study
    procedure = Procedure("lr", columns, typed(config), "reduced")
    first, second, other = (procedure.run(training, seed) for seed in (1, 1, 2))
    assert first.search.table.equals(second.search.table)
    assert not first.search.table["parameters"].equals(other.search.table["parameters"])


@pytest.mark.parametrize(("search", "fixed"), [("fixed", None), ("reduced", FIXED)])
def test_fixed_parameters_must_be_given_and_only_then(study, config, search, fixed):
    with refusal("search-fixed-parameters", StudyError):
        Procedure("lr", study[0], typed(config), search, fixed)


def test_another_search_is_refused(study, config):
    with refusal("search-unknown", StudyError, match=r"one of fixed, reduced, full.*Found: some"):
        Procedure("lr", study[0], typed(config), "some")


def test_how_parameters_were_found_is_said_in_words(config):
    assert "slightly optimistic" in search_note("fixed", typed(config).search, "resample")
    assert "with 2 sets where the final model tried 6" in search_note(
        "reduced", typed(config).search, "resample"
    )
    assert search_note("full", typed(config).search, "outer fold") == (
        "Every outer fold searches its own parameters as the final model does."
    )
    few = config | {"search": {"iterations": 2, "reduced_iterations": 5}}
    assert "as the final model does" in search_note("reduced", typed(few).search, "outer fold")
    assert parameter_sets("reduced", typed(few).search) == 2
