"""What is asked of the whole chain: it finds what is planted, and finds nothing where nothing is.

One null AUC on a few dozen patients has a standard deviation of about 0.07, so that each statement
is over 20 draws. The draws are fixed by seeds: the tests do not flicker.
"""

import numpy as np
import pytest
import yaml
from scipy import stats
from sklearn.metrics import roc_auc_score

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models.learning.one_fit import fit_estimator
from models.split import split_table
from models.train import fit_model
from models.transformers.chain import selection_chain, selection_table
from models.transformers.columns import Columns
from tests.support.options import typed

DRAWS = 20
ROWS = 200
FEATURES = feature_names()[:400]
FIXED = {"penalty": ["l2"], "C": [0.1]}


@pytest.fixture(scope="module")
def config(repository):
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    config["search"]["spaces"] = {"lr": FIXED}
    config["split"]["folds"] = 3
    return config


def hypergeometric_p(draws):
    """P value of the sum of independent hypergeometric draws, exactly.

    Parameters
    ----------
    draws : list of tuple of int
        Candidates, planted among them, selected, planted among the selected.

    Returns
    -------
    float
        Probability of at least as many hits in all, if selection were blind.
    """
    distribution = np.ones(1)
    for candidates, planted, selected, _ in draws:
        law = stats.hypergeom(candidates, planted, selected)
        distribution = np.convolve(distribution, law.pmf(np.arange(min(planted, selected) + 1)))
    return float(distribution[sum(hits for *_, hits in draws) :].sum())


def test_the_combined_test_is_exact():
    # 2 of 2 planted in a selection of 2 of 4: 1/6; twice: 1/36; at least 3 hits of 4: 9/36.
    assert hypergeometric_p([(4, 2, 2, 2)]) == pytest.approx(1 / 6)
    assert hypergeometric_p([(4, 2, 2, 2)] * 2) == pytest.approx(1 / 36)
    assert hypergeometric_p([(4, 2, 2, 2), (4, 2, 2, 1)]) == pytest.approx(9 / 36)
    assert hypergeometric_p([(100, 5, 10, 0)]) == pytest.approx(1)


def test_planted_predictors_are_found(config):
    """Recall beats chance even among the features that the readers agree on."""
    radiomics, clinical, represented = [], [], []
    for seed in range(DRAWS):
        simulated = simulate_tables(ROWS, seed, features=FEATURES)
        table, info = simulated.analysis()
        columns = Columns.from_info(info)
        train = (split_table(table, typed(config).split, seed)["part"] == "train").to_numpy()
        training = table[train]
        chain = selection_chain(columns, typed(config)).fit(
            columns.take(training), training["outcome"]
        )
        rows = selection_table(chain, columns).set_index("feature")
        agreed = rows[rows["kept_ccc"].fillna(False).astype(bool)]
        radiomics.append(_counts(agreed, simulated.planted_features))
        clinical.append(_counts(rows[rows["block"] == "clinical"], simulated.planted_clinical))
        represented += [rows.loc[block, "selected"].any() for block in simulated.planted_blocks]
    assert hypergeometric_p(radiomics) < 1e-3
    assert hypergeometric_p(clinical) < 1e-3
    assert hypergeometric_p(radiomics + clinical) < 1e-3
    # Most planted features are there themselves, or through one of their near-duplicates.
    assert np.mean(represented) > 0.6


def _counts(rows, planted):
    there = rows["selected"].reindex(planted).dropna()
    return len(rows), len(there), int(rows["selected"].sum()), int(there.sum())


def mean_interval(values):
    """Return the 95 % t interval of a mean."""
    return stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))


@pytest.fixture(scope="module")
def null_aucs(config):
    """Test AUROCs under permuted outcomes: of the pipeline, and with selection before the split."""
    table, info = simulate_tables(240, 100, features=FEATURES).analysis()
    columns, outcome = Columns.from_info(info), table["outcome"].to_numpy()
    ours, leaking = [], []
    for draw in range(DRAWS):
        permuted = np.random.default_rng(draw).permutation(outcome)
        table["outcome"] = permuted
        split = split_table(table, typed(config).split, draw)
        train, test = ((split["part"] == part).to_numpy() for part in ("train", "test"))
        training, folds = table[train], split.loc[train, "fold"].to_numpy()
        trained = fit_model("lr", columns, training, folds, typed(config | {"seed": draw}))
        ours.append(roc_auc_score(permuted[test], trained.fitted.predict(table[test])))

        X = columns.take(table)
        Z = selection_chain(columns, typed(config)).fit(X, permuted).transform(X).to_numpy()
        patients = training["patient_id"].to_numpy()
        parameters = trained.search.parameters
        fit = fit_estimator("lr", parameters, Z[train], permuted[train], patients, typed(config), 0)
        leaking.append(roc_auc_score(permuted[test], fit.probability(Z[test])))
    return ours, leaking


def test_a_permuted_outcome_cannot_be_predicted(null_aucs):
    low, high = mean_interval(null_aucs[0])
    assert low <= 0.5 <= high


def test_selection_before_the_split_fails_that_test(null_aucs):
    low, _ = mean_interval(null_aucs[1])
    assert low > 0.5
