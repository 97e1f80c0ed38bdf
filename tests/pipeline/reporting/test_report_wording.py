"""How numbers are put into words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reporting.wording import count, interval, number, p_value, plural, share


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, np.inf])
def test_what_is_missing_is_a_dash(missing):
    assert {number(missing), count(missing), p_value(missing)} == {"–"}
    assert interval(missing, 0.1, 0.2) == "–"
    assert interval(0.5, missing, 0.2) == "0.500"


@given(st.floats(0, 1))
def test_a_p_value_is_never_printed_as_zero(p):
    assert p_value(p) != "0.000"
    assert p_value(p) in ("<0.001", ">0.999") or float(p_value(p)) == pytest.approx(
        p, abs=0.0005001
    )


@given(st.floats(-1e6, 1e6))
def test_numbers_keep_their_value_and_have_no_negative_zero(value):
    text = number(value).replace("−", "-")
    assert float(text) == pytest.approx(value, abs=0.0005001)
    assert text != "-0.000"


def test_amounts():
    assert (count(1223), plural(0, "case"), share(0, 7)) == ("1,223", "0 cases", "0%")
