"""Published rows: which test gives the printed P."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.comparison.groups.published_rows import printed_fits, published_tests
from tests.support.refusals import refusal


def counts(variable: str, first: tuple, second: tuple, printed: str | None = None) -> list[dict]:
    """Return rows of (events, all) in two groups."""
    return [
        {"variable": variable, "level": level, "group": group, "count": str(number)}
        | {"printed_p": printed}
        for group, (events, n) in (("a", first), ("b", second))
        for level, number in (("no", n - events), ("yes", events))
    ]


def means(variable: str, groups: list[tuple[str, str, str]], printed: str | None) -> list[dict]:
    return [
        {"variable": variable, "group": f"g{at}", "n": n, "mean": mean, "sd": sd}
        | {"printed_p": printed}
        for at, (n, mean, sd) in enumerate(groups)
    ]


def fitting(rows: list[dict]) -> set[str]:
    found = published_tests(pd.DataFrame(rows))
    return set(found.loc[found["fits"].astype(bool), "test"])


def test_li2021_ivc_was_tested_without_yates() -> None:
    assert {"pearson"} <= fitting(counts("IVC", (14, 231), (6, 37), ".029"))
    assert {"yates", "fisher"}.isdisjoint(fitting(counts("IVC", (14, 231), (6, 37), ".029")))


def test_yassavoly2025_prints_p_values_that_fit_no_test() -> None:
    assert not fitting(counts("AVF", (1, 31), (17, 220), ".132"))
    assert not fitting(counts("RVF", (0, 31), (9, 220), ".046"))


def test_rong2025_means() -> None:
    age = [("452", "72.23", "9.08"), ("117", "69.19", "8.56")]
    assert "pooled-t" in fitting(means("age", age, ".001"))
    pdw = [("452", "12.69", "2.35"), ("117", "13.27", "2.61")]
    found = published_tests(pd.DataFrame(means("PDW", pdw, ".020"))).set_index("test")
    assert found.loc["pooled-t", "fits"]
    assert not found.loc["welch-t", "fits"]
    assert found.loc["pooled-t", "p_low"] < found.loc["pooled-t", "p_value"]


def test_zhang2025_avh_is_a_misprint() -> None:
    """53.53 against 57.83 cannot have P .437, whatever deviations of this size."""
    avh = [("150", "53.53", "6.1"), ("29", "57.83", "6.1")]
    assert not fitting(means("AVH", avh, ".437"))


def test_three_groups_and_levels() -> None:
    rows = means("age", [("20", "70.1", "8.0"), ("25", "74.0", "7.5"), ("19", "71.2", "9")], None)
    found = published_tests(pd.DataFrame(rows))
    assert set(found["test"]) == {"anova", "welch-anova"}
    assert found["fits"].isna().all()


@pytest.mark.parametrize(
    ("printed", "p", "fits"),
    [
        ("<.001", 0.0009, True),
        ("<0.05", 0.06, False),
        (">.05", 0.2, True),
        ("P = 0.03", 0.0345, True),
        ("0.034", 0.0348, True),  # cut off instead of rounded
        ("0.034", 0.0361, False),
        ("1.000", 0.9998, True),
    ],
)
def test_rounding_of_a_printed_p(printed: str, p: float, fits: bool) -> None:
    assert printed_fits(printed, p, p) is fits


def test_refused() -> None:
    with refusal("published-p-invalid"):
        printed_fits("n.s.", 0.5, 0.5)
    with refusal("published-row-incomplete"):
        published_tests(pd.DataFrame(counts("IVC", (14, 231), (6, 37))[:3]))
    with refusal("published-row-incomplete"):
        published_tests(pd.DataFrame(means("age", [("20", "70", None)] * 2, None)))
    with refusal("published-value-not-a-number"):
        published_tests(pd.DataFrame(means("age", [("20", "70", "8"), ("2x", "7", "1")], None)))
