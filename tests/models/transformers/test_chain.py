import copy

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.base import clone

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models.selection import passed_by_chance, report_selection, training_chain
from models.split import split_table
from models.transformers.chain import (
    block_pipeline,
    chain_notes,
    selection_chain,
    selection_table,
    signature_of,
    steps_off,
)
from models.transformers.columns import LEVEL, Columns
from models.transformers.imputation import IMPUTATIONS
from pipeline.comparison.agreement.concordance import lin_ccc
from pipeline.core.errors import StudyError
from tests.support.options import typed
from tests.support.refusals import refusal

N_FEATURES = 120


@pytest.fixture
def config(repository):
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    config["selection"]["mrmr"]["k"] = 8
    return config


@pytest.fixture(scope="module")
def study():
    simulated = simulate_tables(150, 7, features=feature_names()[:N_FEATURES])
    table, info = simulated.analysis()
    return table, Columns.from_info(info), simulated


def fit(study, config, columns=None):
    table, whole, _ = study
    columns = columns or whole
    return selection_chain(columns, typed(config)).fit(columns.take(table), table["outcome"])


def test_the_signature_is_a_table_of_numbers(study, config):
    table, columns, simulated = study
    chain = fit(study, config)
    Z = chain.transform(columns.take(table))
    assert list(Z.columns) == signature_of(chain)
    assert list(Z.index) == list(table["unit_id"])
    assert (Z.dtypes == "float64").all()
    assert np.isfinite(Z.to_numpy()).all()
    radiomics = [name for name in Z if columns.block_of(name) == "radiomics"]
    assert len(radiomics) == 8
    assert set(radiomics) <= set(columns.features)
    assert {"pfo=yes", "trauma=yes", "bone_density_t"} <= set(Z.columns)
    assert set(simulated.planted_features) & set(radiomics)


def test_the_steps_come_in_the_stated_order(study, config):
    chain = fit(study, config)
    blocks = chain["blocks"].named_transformers_
    assert list(blocks["radiomics"].named_steps) == ["ccc", "impute", "scale", "wilcoxon", "mrmr"]
    assert list(blocks["clinical"].named_steps) == [
        *("univariate", "encode", "impute", "scale", "collinear"),
    ]


def test_a_chain_can_be_cloned_and_refitted(study, config):
    table, columns, _ = study
    chain = fit(study, config)
    again = clone(chain).fit(columns.take(table), table["outcome"])
    assert signature_of(again) == signature_of(chain)


def test_ccc_is_measured_on_raw_values(study, config):
    """A reader who reads everything one SD higher loses features; a z-score would hide it."""
    table, columns, _ = study
    shifted = table.copy()
    for feature in columns.features:
        shifted[f"B:{feature}"] += 2 * shifted[f"B:{feature}"].std()
    kept = len(fit(study, config)["blocks"].named_transformers_["radiomics"]["ccc"].kept_)
    chain = selection_chain(columns, typed(config)).fit(columns.take(shifted), shifted["outcome"])
    assert kept > 60
    assert len(chain["blocks"].named_transformers_["radiomics"]["ccc"].kept_) == 0


def fitted_state(estimator):
    """Collect all learned attributes of a chain, those of its steps included."""
    state = {}
    for name, value in vars(estimator).items():
        if hasattr(value, "get_params"):
            state[name] = fitted_state(value)
        elif isinstance(value, list) and value and isinstance(value[0], tuple):
            state[name] = [fitted_state(part[1]) for part in value if hasattr(part[1], "fit")]
        elif name.endswith("_"):
            state[name] = repr(np.asarray(value, dtype=object).tolist())
    return state


def test_rows_outside_the_fit_change_nothing(study, config):
    """Whatever stands in the test rows, the fitted chain is the same to the last digit."""
    table, columns, _ = study
    train = np.arange(len(table)) < 100
    states, transformed = [], []
    rng = np.random.default_rng(0)
    spoiled = table.copy()
    for name in columns.radiomics:
        spoiled.loc[~train, name] = rng.normal(1e6, 1e3, (~train).sum())
    spoiled.loc[~train, "age"] = np.nan
    spoiled.loc[~train, "pfo"] = "yes"
    spoiled.loc[~train, "outcome"] = 1 - spoiled.loc[~train, "outcome"]
    for version in (table, spoiled):
        X = columns.take(version)
        chain = selection_chain(columns, typed(config)).fit(X[train], version.loc[train, "outcome"])
        states.append(fitted_state(chain))
        transformed.append(chain.transform(X)[train])
    assert len(str(states[0])) > 10_000
    assert states[0] == states[1]
    pd.testing.assert_frame_equal(*transformed)


@pytest.mark.parametrize("method", IMPUTATIONS)
def test_missing_values_anywhere_are_filled(study, config, method):
    config["imputation"]["method"] = method
    table, columns, _ = study
    holed = table.copy()
    holed.loc[::5, columns.radiomics] = np.nan
    holed.loc[::4, columns.clinical] = None
    chain = selection_chain(columns, typed(config)).fit(columns.take(holed), holed["outcome"])
    assert np.isfinite(chain.transform(columns.take(holed)).to_numpy()).all()


def test_indicators_of_missing_values_belong_to_their_predictor(study, config):
    config["imputation"]["indicators"] = True
    table, columns, _ = study
    holed = table.copy()
    holed.loc[::4, "pfo"] = None
    chain = selection_chain(columns, typed(config)).fit(columns.take(holed), holed["outcome"])
    Z = chain.transform(columns.take(holed))
    np.testing.assert_array_equal(Z["pfo=(missing)"], np.arange(len(table)) % 4 == 0)
    assert "trauma=(missing)" not in Z
    assert columns.candidate_of("pfo=(missing)") == "pfo"
    assert columns.block_of("pfo=(missing)") == "clinical"


@pytest.mark.parametrize(
    ("key", "value", "note"),
    [
        ("ccc", {"threshold": 1.0}, "No radiomic feature passed the CCC filter."),
        ("wilcoxon", {"p": 1e-30}, "No radiomic feature passed the Wilcoxon filter."),
        (
            "clinical",
            {"p": 1e-30, "vif": None},
            "No clinical predictor passed the univariate filter.",
        ),
    ],
)
def test_a_block_that_keeps_nothing_leaves_the_other(study, config, key, value, note):
    config["selection"][key] = value
    table, columns, _ = study
    chain = fit(study, config)
    blocks = {columns.block_of(name) for name in signature_of(chain)}
    assert blocks == {"radiomics" if key == "clinical" else "clinical"}
    assert chain_notes(chain) == [note]
    assert chain.transform(columns.take(table)).shape == (150, len(signature_of(chain)))


def test_nothing_kept_is_said(study, config):
    config["selection"] |= {"ccc": {"threshold": 1.0}, "clinical": {"p": 1e-30, "vif": None}}
    table, columns, _ = study
    chain = fit(study, config)
    assert chain.transform(columns.take(table)).shape == (150, 0)
    assert chain_notes(chain)[-1].startswith("Nothing was selected")


def test_one_block_alone_and_none(study, config):
    _, columns, _ = study
    only = fit(study, config, columns.without_blocks("radiomics"))
    assert set(signature_of(only)) <= {n for p in columns.predictors for n in p.encoded}
    with refusal("model-without-candidate", StudyError):
        selection_chain(columns.without_blocks("radiomics", "clinical"), typed(config))


def test_one_reader_skips_the_ccc(study, config):
    table, _, simulated = study
    info = copy.deepcopy(simulated.analysis()[1]) | {"readers": ["A"], "model_reader": None}
    columns = Columns.from_info(info)
    chain = selection_chain(columns, typed(config)).fit(columns.take(table), table["outcome"])
    assert chain_notes(chain) == ["One reader only: the CCC step was skipped."]
    rows = selection_table(chain, columns)
    assert rows["kept_ccc"].isna().all()
    assert rows.loc[rows["block"] == "radiomics", "p_value"].notna().all()


def test_the_selection_table_follows_each_candidate(study, config):
    _, columns, _ = study
    chain = fit(study, config)
    rows = selection_table(chain, columns).set_index("feature")
    assert list(rows.index) == [*columns.features, *columns.clinical]
    radiomics = rows[rows["block"] == "radiomics"]
    assert ((radiomics["ccc"] >= 0.85) == radiomics["kept_ccc"]).all()
    tested = radiomics[radiomics["kept_ccc"]]
    assert (tested["ccc_low"] < tested["ccc"]).all()
    assert (tested["p_adjusted"] == tested["p_value"]).all()
    assert radiomics.loc[~radiomics["kept_ccc"], "p_value"].isna().all()
    assert ((tested["p_value"] < 0.10) == tested["kept_univariate"]).all()
    assert sorted(radiomics["rank"].dropna()) == list(range(1, 9))
    chosen = {columns.candidate_of(name) for name in signature_of(chain)}
    assert set(rows.index[rows["selected"]]) == chosen
    clinical = rows[rows["block"] == "clinical"]
    assert clinical[["kept_ccc", "kept_mrmr", "ccc", "rank"]].isna().all(axis=None)
    assert clinical.loc["pfo", "test"] == "chi-square"
    assert clinical.loc["age", "test"] == "rank-sum"


def own_values(columns, table, config):
    """Return the selected radiomic features of the training rows."""
    training = table[table["part"] == "train"]
    X, y = columns.take(training), training["outcome"]
    chain = selection_chain(columns, typed(config)).fit(X, y)
    return block_pipeline(chain, "radiomics").transform(X[columns.radiomics]).to_numpy()


def test_the_report_counts_the_funnel_and_each_folds_selection(study, config):
    table, columns, _ = study
    split = split_table(table, typed(config).split, config["seed"])
    table = pd.concat([table, split[["part", "fold"]]], axis=1)
    selection, summary = report_selection(
        columns, table, typed(config), training_chain(columns, table, typed(config))
    )
    funnel = summary["funnel"]
    assert [step["step"] for step in funnel] == ["candidates", "ccc", "univariate", "mrmr"]
    assert funnel[0]["radiomics"] == N_FEATURES
    radiomics = selection[selection["block"] == "radiomics"]
    assert funnel[1]["radiomics"] == radiomics["kept_ccc"].sum()
    assert funnel[2]["radiomics"] == radiomics["kept_univariate"].sum()
    assert funnel[3]["radiomics"] == radiomics["selected"].sum()
    assert funnel[3]["clinical"] == selection["selected"].sum() - radiomics["selected"].sum()
    assert "0.85" in funnel[1]["label"]
    assert [fold["fold"] for fold in summary["folds"]] == list(range(5))
    assert all(set(fold["selected"]) <= set(selection["feature"]) for fold in summary["folds"])
    assert summary["by_chance"]["draws"] == config["selection"]["permutations"]
    # 120 features of which the planted ones pass too: a tenth by chance, with a wide spread.
    assert 4 <= summary["by_chance"]["mean"] <= 24
    assert summary["by_chance"]["low"] < summary["by_chance"]["mean"] < funnel[2]["radiomics"]
    before, after = summary["pca"]["before"], summary["pca"]["after"]
    assert (before["features"], after["features"]) == (
        funnel[2]["radiomics"],
        funnel[3]["radiomics"],
    )
    assert 0 < before["pc1"] < before["pc1_3"] <= 1
    # The correlation matrix of the selected tells the same.
    selected = own_values(columns, table, config)
    roots = np.sort(np.linalg.eigvalsh(np.corrcoef(selected, rowvar=False)))[::-1]
    assert after["pc1"] == pytest.approx(roots[0] / roots.sum())
    assert after["pc1_3"] == pytest.approx(roots[:3].sum() / roots.sum())
    # The selection is that of the training rows, not of all.
    training = table[table["part"] == "train"]
    own = selection_chain(columns, typed(config)).fit(columns.take(training), training["outcome"])
    pd.testing.assert_frame_equal(selection, selection_table(own, columns))


def test_a_models_numbers_are_those_of_corrected_masks(study, config):
    table, info = study[2].analysis()
    names = [f"A:{feature}" for feature in info["features"]]
    corrected = (
        table[names]
        .add(1000)
        .set_axis([f"A.latest:{feature}" for feature in info["features"]], axis=1)
    )
    table = pd.concat([table, corrected], axis=1)
    plain = Columns.from_info(info)
    latest = Columns.from_info(info | {"corrected": {"A": 3}})
    X, y = latest.take(table), table["outcome"].to_numpy()
    chain = selection_chain(latest, typed(config)).fit(X, y)
    before = selection_chain(plain, typed(config)).fit(plain.take(table), y)
    # The readers' agreement is that of the originals, so that the same features are kept.
    assert block_pipeline(chain, "radiomics")["ccc"].kept_ == (
        block_pipeline(before, "radiomics")["ccc"].kept_
    )
    assert "Some masks of reader A were corrected" in chain_notes(chain)[0]
    assert chain_notes(before) == []
    handed_on = block_pipeline(chain, "radiomics")["ccc"].transform(X[latest.radiomics])
    kept = handed_on.columns
    expected = table[[f"A.latest:{name}" for name in kept]].to_numpy()
    np.testing.assert_array_equal(handed_on.to_numpy(), expected)


OFF = {
    "ccc": {"threshold": None},
    "wilcoxon": {"p": None},
    "mrmr": {"k": None},
    "clinical": {"p": None},
}


def test_a_filter_that_is_off_lets_everything_through(study, config):
    _, columns, _ = study
    for key, off in OFF.items():
        config["selection"][key] |= off
    config["scaling"]["method"] = "none"
    table = study[0]
    chain = fit(study, config)
    encoded = [name for p in columns.predictors for name in p.encoded]
    assert signature_of(chain) == [*columns.features, *encoded]
    assert steps_off(chain) == [
        "CCC filter",
        "Wilcoxon filter",
        "mRMR",
        "univariate filter of the clinical predictors",
        "scaling",
    ]
    assert chain_notes(chain) == [
        f"Switched off in the configuration: {', '.join(steps_off(chain))}."
    ]
    # Neither chosen nor scaled, so that the model sees the reader's own numbers.
    raw = table[[f"A:{feature}" for feature in columns.features]].to_numpy(float)
    seen = chain.transform(columns.take(table))[list(columns.features)].to_numpy()
    known = ~np.isnan(raw)
    np.testing.assert_array_equal(seen[known], raw[known])
    rows = selection_table(chain, columns)
    assert rows["selected"].all()
    assert rows[["kept_ccc", "kept_univariate", "kept_mrmr", "rank"]].isna().all(axis=None)
    # What they would have asked is told still.
    radiomics = rows[rows["block"] == "radiomics"]
    assert radiomics[["ccc", "p_value", "relevance"]].notna().all(axis=None)


@pytest.mark.parametrize("key", OFF)
def test_each_filter_is_off_alone(study, config, key):
    """The others stay: what the step before let through reaches the step after it."""
    _, columns, _ = study
    before = selection_table(fit(study, config), columns).set_index("feature")
    config["selection"][key] |= OFF[key]
    chain = fit(study, config)
    rows = selection_table(chain, columns).set_index("feature")
    assert len(steps_off(chain)) == 1
    radiomics = rows[rows["block"] == "radiomics"]
    if key == "ccc":
        assert radiomics["p_value"].notna().all()
        assert (radiomics["ccc"] < 0.85).any()
    elif key == "wilcoxon":
        assert radiomics.loc[radiomics["kept_ccc"], "relevance"].notna().all()
    elif key == "mrmr":
        passed = radiomics["kept_univariate"].fillna(False)
        assert (radiomics["selected"] == passed).all()
    else:
        pd.testing.assert_frame_equal(radiomics, before[before["block"] == "radiomics"])
        assert rows.loc[rows["block"] == "clinical", "selected"].all()


def test_agreement_within_levels_is_chosen_by_configuration(study, config):
    table, columns, _ = study
    config["selection"]["ccc"]["within_level"] = True
    chain = fit(study, config)
    rows = selection_table(chain, columns).set_index("feature")
    rows = rows[rows["block"] == "radiomics"]
    readings = [table[[f"{r}:{name}" for name in columns.features]].to_numpy() for r in "AB"]
    expected = lin_ccc(*readings, table["level"].to_numpy(dtype=str))
    np.testing.assert_allclose(rows["ccc"].astype(float), expected)
    assert not np.allclose(rows["ccc"].astype(float), lin_ccc(*readings))
    assert LEVEL not in chain.transform(columns.take(table))
    split = split_table(table, typed(config).split, config["seed"])
    table = pd.concat([table, split[["part", "fold"]]], axis=1)
    _, summary = report_selection(
        columns, table, typed(config), training_chain(columns, table, typed(config))
    )
    assert summary["funnel"][1]["label"] == "CCC between readers within levels >= 0.85"
    without = table.drop(columns="level")
    with refusal("ccc-level-unknown", StudyError, match="150 of 150 rows without a level"):
        selection_chain(columns, typed(config)).fit(columns.take(without), without["outcome"])


def test_the_funnel_says_which_steps_are_off(study, config):
    table, columns, _ = study
    for key, off in OFF.items():
        config["selection"][key] |= off
    split = split_table(table, typed(config).split, config["seed"])
    table = pd.concat([table, split[["part", "fold"]]], axis=1)
    _, summary = report_selection(
        columns, table, typed(config), training_chain(columns, table, typed(config))
    )
    labels = [step["label"] for step in summary["funnel"]]
    assert labels[1:] == [
        "CCC between readers: off",
        "Rank-sum: off; clinical P: off",
        "mRMR: off",
    ]
    assert {step["radiomics"] for step in summary["funnel"]} == {N_FEATURES}
    assert summary["by_chance"] is None
    assert summary["pca"]["after"] is None
    assert summary["pca"]["before"]["features"] == N_FEATURES
    assert summary["notes"][0].startswith("Switched off in the configuration: CCC filter, ")


def test_chance_deals_outcomes_to_patients_whose_rows_stay_together(study, config):
    """Rows of one patient are alike: dealt to single rows, outcomes would vary too little."""
    table, columns, _ = study
    own = table.reset_index(drop=True)
    copies = pd.concat([own] * 3, ignore_index=True)
    radiomics = block_pipeline(fit(study, config), "radiomics")
    X = columns.take(copies)[radiomics.feature_names_in_]
    together = passed_by_chance(radiomics, X, copies, 20, 1)
    apart = copies.assign(patient_id=[f"p{number}" for number in range(len(copies))])
    alone = passed_by_chance(radiomics, X, apart, 20, 1)
    # Every patient thrice, and each test takes the three for three patients.
    assert together["mean"] > 1.5 * alone["mean"]
