"""Which columns make subgroups, and what their groups are called."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.core.errors import StudyError
from pipeline.tables.subgroup_columns import (
    MOST,
    OTHERS,
    automatic_groups,
    check_subgroups,
    groups_of_words,
)

DICTIONARY = pd.DataFrame(
    [
        ("sex", "Sex", "binary", "predictor"),
        ("x1", "Age at surgery", "continuous", "predictor"),
        ("stage", "Stage of the fracture", "ordinal", "predictor"),
        ("hospital", "Hospital", "categorical", "split"),
        ("centre_day", "Day at the centre", "continuous", "split"),
        ("vas", "VAS", "ordinal", "outcome"),
    ],
    columns=["column", "label", "type", "role"],
)


def test_sex_age_and_site_are_found_by_their_names():
    plain = automatic_groups(DICTIONARY, level=False, images=False)
    assert plain == {"sex": [], "x1": [], "hospital": []}
    more = automatic_groups(DICTIONARY, level=True, images=True)
    assert list(more)[3:] == ["level", "scanner", "kernel"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"smoker": []}, "subgroup-column-unknown"),
        ({"kernel": []}, "subgroup-column-unknown"),
        ({"sex": [1.0]}, "subgroup-cut-of-words"),
        ({"x1": [80, 65]}, "subgroup-cuts-do-not-rise"),
    ],
)
def test_what_cannot_make_groups_is_refused(asked, code):
    with pytest.raises(StudyError) as told:
        check_subgroups(asked, DICTIONARY, images=False)
    assert told.value.code == code


@pytest.mark.parametrize(
    "asked", ["auto", {}, {"sex": [], "x1": [65, 80], "level": [], "kvp": [110], "kernel": []}]
)
def test_what_can_make_groups_is_accepted(asked):
    check_subgroups(asked, DICTIONARY, images=True)


def test_many_rare_groups_are_one():
    values = pd.Series([f"K{at:02d}" for at in range(30)] + ["K00", "K01"])
    groups = groups_of_words(values)
    assert groups.nunique() == MOST
    assert (groups == OTHERS).sum() == 30 - (MOST - 1)
    assert {"K00", "K01"} <= set(groups)
