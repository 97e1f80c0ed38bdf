"""Who figures are of, in words: patients or cases, held out once or by outer folds."""

from __future__ import annotations

import pytest

from pipeline.reporting.judged_rows import judged_rows


@pytest.mark.parametrize("unit", ["patient", "case"])
def test_a_hold_out_names_its_units(unit):
    on = judged_rows(None, unit)
    assert on.part == "test"
    assert on.on == f"on the held-out {unit}s"
    assert on.column == f"Held-out {unit}s"
    assert on.holders == f"The held-out {unit}s have"
    assert on.of_one_repeat == ""


@pytest.mark.parametrize("unit", ["patient", "case"])
def test_outer_folds_name_theirs(unit):
    once, often = judged_rows(1, unit), judged_rows(3, unit)
    assert {once.part, often.part} == {"nested"}
    assert once.rows == f"the {unit}s that outer folds held out"
    assert once.column == f"{unit.capitalize()}s held out"
    assert once.of_one_repeat == ""
    assert f"in which each {unit} is judged once" in often.of_one_repeat
    assert "{" not in str(often)
