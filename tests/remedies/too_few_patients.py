"""Remedies of the section of docs/bad_inputs.md of this name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.learning import fold_fits
from models.learning.one_fit import FitRows, GivenRows, early_stopping_rows, fit_rows
from models.learning.search import search_model
from models.learning.tabnet import TabNet
from models.regression.fitting.newton import maximise
from models.split import split_table
from models.validation.refitting import _fitted
from models.winner import choose_winner
from pipeline.core.errors import DivergedError
from pipeline.study.flow.enough import check_events
from pipeline.tables.split_options import Split
from tests.models import test_split, test_winner
from tests.models.learning import test_search, test_tabnet
from tests.pipeline.study.flow.test_patient_flow import outcome
from tests.remedies import Given, Remedy, entries, refused
from tests.support.options import typed

SECTION = "Too few patients for a model"

# --- Splitting -----------------------------------------------------------------------------------


def split(_: Path, given: tuple[pd.DataFrame, dict]) -> pd.DataFrame:
    table, options = given
    return split_table(table, typed(test_split.OPTIONS | options, Split), 0)


def stopped_early(_: Path, groups: np.ndarray) -> object:
    return early_stopping_rows(np.array([0] * 10 + [1, 1]), groups, 0.2, seed=0)


def classifier(_: Path, y: np.ndarray) -> object:
    rng = np.random.default_rng(0)
    rows = FitRows(rng.normal(size=(len(y), 2)), y, GivenRows(None, None, None))
    return fit_rows("lr", {}, rows, typed({}), 1)


# --- TabNet --------------------------------------------------------------------------------------

LEARNED, WATCHED = test_tabnet.rows(120, 0), test_tabnet.rows(60, 1)


def network(_: Path, given: dict) -> TabNet:
    """Train a network; what is given is its rate of learning, and outcomes to watch."""
    watched = given.get("watched", WATCHED[1])
    rate = {"learning_rate": given["rate"]} if "rate" in given else {}
    return TabNet(device="cpu", max_epochs=2, n_steps=1, **rate).fit(*LEARNED, WATCHED[0], watched)


# --- Regressions ---------------------------------------------------------------------------------

AGE = np.linspace(-1.0, 1.0, 40)
ONES = np.ones(40)
MIXED = (np.arange(40) % 3 == 0).astype(float)
SEPARATED = (AGE > 0).astype(float)


def regression(_: Path, given: tuple) -> object:
    design, event, firth = given
    return maximise(np.column_stack(design), event, firth=firth)


def refitted(_: Path, given: tuple) -> object:
    columns, event = given
    return _fitted(np.column_stack(columns), event)


MORE = (np.append(ONES, ONES), np.append(AGE, -AGE))

#: As `tests.remedies.Given`.
ROWS: dict[str, Given] = {
    "Training patients of one outcome alone": (
        classifier, [np.ones(20, int), np.zeros(20, int)],
        "use fewer folds, more patients, or no oversampling", [np.arange(20) % 2],
    ),
    "Too few units of either outcome for the folds": (
        lambda _, given: check_events(*given), [(outcome(14, 86), 0.7, 5)],
        "add patients, or lower split.folds, or write `split: {design: none}`",
        [(outcome(15, 86), 0.7, 5), (outcome(14, 86), 0.7, 4), (outcome(14, 86), 1.0, 5)],
    ),
    "Folds without both outcomes": (
        split, [(test_split.cohort(40, 5 / 40), {})], "use fewer folds or a larger training part",
        [(test_split.cohort(40, 5 / 40), {"folds": 3}),
         (test_split.cohort(40, 6 / 40), {"test_fraction": 0.15})],
    ),
    "Too few patients to hold some out as a test set": (
        split,
        [(test_split.cohort(40, 1 / 40), {}),
         (test_split.cohort(40, 0.5), {"test_fraction": 0.01})],
        "change the fraction, or add patients",
        [(test_split.cohort(80, 0.3), {}), (test_split.cohort(40, 0.5), {"test_fraction": 0.3})],
    ),
    "Early stopping without both outcomes on both sides of its split": (
        stopped_early, [np.array([*range(10), 10, 10])],
        "use fewer folds or more patients, or leave tabnet out of models", [np.arange(12)],
    ),
    "TabNet without both outcomes in training and validation rows": (
        network, [{"watched": np.zeros(60, int)}],
        "use more patients, fewer folds or a larger tabnet.validation_fraction", [{}],
    ),
    "TabNet whose training does not converge": (
        network, [{"rate": 1e30}], "search smaller values of learning_rate", [{"rate": 0.02}],
    ),
    "A regression whose coefficients have no best value": (
        regression, [((ONES, AGE, 2 * AGE), MIXED, False), ((ONES, AGE), SEPARATED, False)],
        "leave out one of the predictors that say the same, or fit by Firth's method",
        [((ONES, AGE), MIXED, False), ((ONES, AGE), SEPARATED, True)],
    ),
    "A model refitted to new patients whose coefficients have no estimate": (
        refitted, [((ONES, AGE), SEPARATED), ((ONES, AGE, 2 * AGE), MIXED)],
        "update intercept and slope, or add patients",
        [(MORE, np.append(SEPARATED, SEPARATED)), ((ONES, 3 * AGE), MIXED)],
    ),
    "No model with a cross-validated AUROC, so none can be called best": (
        lambda _, auc: choose_winner([test_winner.info("lr", auc)]), [None],
        "run the stage train again", [0.7],
    ),
}  # fmt: skip


def no_parameters(_: Path) -> None:
    """The space without what cannot be fitted is searched."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(test_search.N, 4))
    table = Z, (Z[:, 0] > 0.5).astype(int), np.arange(test_search.N) % 3
    whole = fold_fits.fit_many

    def diverging(model, wanted, *rest, **options):
        if wanted[0].parameters["C"] == 1.0:
            return [DivergedError("Training must converge") for _ in wanted]
        return whole(model, wanted, *rest, **options)

    def search(values: list[float]) -> dict:
        asked = {"search": {"iterations": 2, "scoring": "roc_auc", "spaces": {"lr": {"C": values}}}}
        options = typed(asked | {"device": "cpu"})
        folds = test_search.folds_of(table)
        return search_model("lr", folds, test_search.N, options, seed=0).parameters

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold_fits, "fit_many", diverging)
        refused(
            SECTION, "No set of parameters could be fitted", lambda: search([1.0]),
            "narrow its space with config key search.spaces",
        )  # fmt: skip
        assert search([0.01]) == {"C": 0.01}


REMEDIES: dict[str, Remedy] = {
    **entries(SECTION, ROWS),
    "No set of parameters could be fitted": no_parameters,
}
