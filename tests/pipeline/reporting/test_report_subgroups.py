"""The page of subgroups: which groups it shows, in which order, and what it says of small ones."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from pipeline.reporting.blocks import Figure, Paragraph, Table
from pipeline.reporting.figures.subgroups import _ratio_scale
from pipeline.reporting.sections.prediction.subgroups import FEWEST, group_rows, subgroups_section

FIGURES = ("auroc", "oe_ratio", "calibration_intercept", "calibration_slope")


def of_group(by: str, group: str, events: int, rows: int, value: float) -> list[dict]:
    """Return the rows of one group, blank where the stage leaves them blank."""
    small = min(events, rows - events) < FEWEST
    return [
        {
            "model": "lr", "by": by, "group": group, "rows": rows, "patients": rows,
            "events": events, "metric": metric, "value": np.nan if small else value,
            "low": np.nan if small else value / 1.2, "high": np.nan if small else value * 1.1,
            "method": "by hand",
        }
        for metric in FIGURES
    ]  # fmt: skip


@pytest.fixture
def table() -> pd.DataFrame:
    rows = [
        *of_group("sex", "male", 4, 30, 0.9),
        *of_group("sex", "female", 20, 60, 0.8),
        *of_group("level", "L1", 12, 40, 0.7),
        *of_group("level", "T12", 12, 50, 0.75),
    ]
    return pd.DataFrame(rows)


def section(lr_results, table: pd.DataFrame):
    return subgroups_section(
        replace(lr_results, modelling=replace(lr_results.modelling, subgroups=table))
    )


def test_groups_come_in_order_and_a_small_one_has_no_figure(lr_results, table):
    found = section(lr_results, table)
    (shown,) = [block for block in found.blocks if isinstance(block, Table)]
    assert shown.shown["Group"].tolist() == [
        "Sex: female",
        "Sex: male",
        "Vertebral level: T12",
        "Vertebral level: L1",
    ]
    cells = shown.shown.set_index("Group")
    assert cells.loc["Sex: male"].tolist()[-2:] == ["too few", "too few"]
    assert cells.loc["Sex: female"].tolist()[-2:] == ["0.80 (0.67 to 0.88)", "0.80 (0.67 to 0.88)"]
    (text,) = [block.text for block in found.blocks if isinstance(block, Paragraph)]
    assert "1 of 4 groups is smaller" in text
    (drawn,) = [block for block in found.blocks if isinstance(block, Figure)]
    assert "male: –" not in drawn.alt
    assert "T12" in drawn.svg
    assert shown.file_table.equals(table)


def test_groups_that_are_all_small_are_told_without_a_figure(lr_results, table):
    found = section(lr_results, table[table["group"] == "male"])
    assert [block.kind for block in found.blocks] == ["paragraph", "table"]


def test_a_study_without_groups_has_no_section(lr_results, table):
    assert not section(lr_results, table.iloc[:0]).blocks


def test_the_stage_and_the_page_go_together(lr_results):
    """What `evaluate` wrote of a real small study becomes rows of the page."""
    own = lr_results.modelling.subgroups
    assert set(own["by"]) >= {"sex", "age"}
    rows = group_rows(own[own["model"] == "lr"], {})
    assert rows["rows"].groupby(rows["column"]).sum().nunique() == 1
    assert section(lr_results, own).blocks


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.55, 1.8, [0.5, 0.7, 1.0, 1.4]),  # of 0.2, 0.5, 1 and 2 two alone lie inside
        (0.3, 4.0, [0.5, 1.0, 2.0]),
        (0.95, 1.05, [0.8, 0.9, 1.0, 1.1, 1.25]),
    ],
)
def test_a_scale_of_ratios_has_three_ticks_at_least(low, high, ticks):
    drawn = plt.figure()
    axis = drawn.subplots()
    _ratio_scale(axis, pd.DataFrame({"oe": [1.0], "oe_low": [low], "oe_high": [high]}))
    assert list(axis.get_xticks()) == ticks
    plt.close(drawn)
