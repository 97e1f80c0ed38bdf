"""Correlations of the signature and components around mRMR, held to numpy on the same rows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models.learning.signature_tables import (
    AFTER,
    BEFORE,
    MOST_COMPONENTS,
    rank_correlations,
    signature_tables,
)
from models.selection import training_chain
from models.split import split_table
from models.transformers.chain import block_pipeline, selection_chain
from models.transformers.columns import Columns
from pipeline.reporting.blocks import Figure, Table
from pipeline.reporting.parts.signature_blocks import correlation_matrix, signature_blocks
from pipeline.study.changed import with_option
from pipeline.study.config import resolve_config
from tests.support.options import typed


def described(columns, table, config):
    return signature_tables(columns, table, training_chain(columns, table, typed(config)))


@pytest.fixture(scope="module")
def made() -> SimpleNamespace:
    """Return a small cohort with its split, candidates, configuration and the three tables."""
    config = resolve_config(
        {
            "study": "s", "features": {"A": "a", "B": "b"}, "clinical": "c", "dictionary": "d",
            "model_reader": "A", "unit": "case", "outcome": {"name": "p", "formula": "vas >= 4"},
        }
    )  # fmt: skip
    table, info = simulate_tables(120, 3, features=feature_names()[:90]).analysis()
    split = split_table(table, typed(config).split, config["seed"])
    table = pd.concat([table, split[["part", "fold"]]], axis=1)
    columns = Columns.from_info(info)
    tables = described(columns, table, config)
    training = table[table["part"] == "train"]
    chain = selection_chain(columns, typed(config)).fit(columns.take(training), training["outcome"])
    return SimpleNamespace(
        config=config, table=table, columns=columns, tables=tables, training=training, chain=chain
    )


def test_correlations_are_those_of_the_columns_that_the_model_sees(made):
    Z = made.chain.transform(made.columns.take(made.training))
    pairs = made.tables.correlations
    assert len(pairs) == Z.shape[1] * (Z.shape[1] - 1) / 2
    for row in pairs.iloc[:: max(len(pairs) // 7, 1)].itertuples():
        expected = stats.spearmanr(Z[row.first], Z[row.second]).statistic
        assert row.rho == pytest.approx(expected)


def test_components_are_the_roots_of_the_correlation_matrix(made):
    radiomics = block_pipeline(made.chain, "radiomics")
    X = made.columns.take(made.training)[radiomics.feature_names_in_]
    selected = radiomics.transform(X).to_numpy()
    roots = np.sort(np.linalg.eigvalsh(np.corrcoef(selected, rowvar=False)))[::-1]
    after = made.tables.components.query("stage == @AFTER")
    expected = (roots / roots.sum())[: min(MOST_COMPONENTS, selected.shape[1])]
    assert after["share"].to_numpy() == pytest.approx(expected)
    assert after["component"].tolist() == list(range(1, len(expected) + 1))
    scores = made.tables.scores.query("stage == @AFTER")
    assert scores["outcome"].tolist() == made.training["outcome"].tolist()
    # The variance of the scores is the root: columns have unit variance.
    assert scores["first"].var(ddof=0) == pytest.approx(roots[0])
    assert set(made.tables.components["stage"]) == {BEFORE, AFTER}


def test_no_test_row_has_a_part_in_them(made):
    other = made.table.copy()
    numbers = other.select_dtypes("float").columns
    other.loc[other["part"] == "test", numbers] *= 3.0
    again = described(made.columns, other, made.config)
    for first, second in zip(made.tables, again, strict=True):
        pd.testing.assert_frame_equal(first, second)


def test_an_mrmr_that_is_off_has_no_after(made):
    off = with_option(typed(made.config), "selection.mrmr.k", None)
    found = described(made.columns, made.table, off)
    assert set(found.components["stage"]) == {BEFORE}
    drawn = signature_blocks(_named(found), str, "the training patients")
    assert [block.name for block in drawn][-1] == "components"


def test_without_radiomic_features_there_are_no_components(made):
    clinical = made.columns.without_blocks("radiomics")
    found = described(clinical, made.table, made.config)
    assert found.components.empty
    assert found.scores.empty
    assert all(block.name != "components" for block in signature_blocks(_named(found), str, "x"))


def test_the_page_draws_both_and_names_the_highest_pair(made):
    blocks = signature_blocks(
        _named(made.tables), lambda name: name.upper(), "the training patients"
    )
    assert [block.name for block in blocks] == ["signature-correlations", "components"]
    assert all(isinstance(block, Figure) for block in blocks)
    pairs = made.tables.correlations
    most = pairs.loc[pairs["rho"].abs().idxmax()]
    assert most["first"].upper() in blocks[0].caption
    assert "no event" in blocks[1].svg
    square = correlation_matrix(pairs)
    assert np.array_equal(square, square.T)
    assert square.loc[most["second"], most["first"]] == most["rho"]


def test_a_signature_too_wide_for_a_map_is_a_table():
    rng = np.random.default_rng(2)
    wide = pd.DataFrame(rng.normal(size=(30, 45)), columns=[f"f{at}" for at in range(45)])
    tables = {"signature_correlations": rank_correlations(wide)}
    tables |= dict.fromkeys(("components", "component_scores"), pd.DataFrame({"stage": []}))
    (block,) = signature_blocks(tables, str, "all rows")
    assert isinstance(block, Table)
    sizes = block.file_table["rho"].abs()
    assert sizes.is_monotonic_decreasing
    assert len(block.shown) == 40


def _named(tables) -> dict[str, pd.DataFrame]:
    names = ("signature_correlations", "components", "component_scores")
    return dict(zip(names, tables, strict=True))
