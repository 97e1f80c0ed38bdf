"""The command table1: any table in, a page and tables out, what cannot be told refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline import table1
from pipeline.study.described_columns import ordered_levels, read_units
from tests.support.refusals import refusal

RNG = np.random.default_rng(9)
N = 120
GROUP = np.repeat([0, 1], (80, 40))
TABLE = pd.DataFrame(
    {
        "patient_id": [f"P{number:03d}" for number in range(N)],
        "case_id": [f"P{number:03d}-L1" for number in range(N)],
        "part": np.tile(["train", "test"], N // 2),
        "rbp": GROUP,
        "age": (72 - 3 * GROUP + RNG.normal(0, 8, N)).round(1),
        "sex": RNG.choice(["male", "female"], N),
        "pfo": np.where(RNG.random(N) < 0.1 + 0.3 * GROUP, "yes", "no"),
        "segment": RNG.choice(["T12", "L1", "T11", "L2"], N),
        "vas": RNG.integers(0, 11, N),
    }
)
DICTIONARY = """column,label,type,unit,levels,timing,role,test
rbp,Residual pain,binary,,0|1,postoperative,outcome,
age,Age,continuous,years,,preoperative,predictor,welch-t
sex,Sex,binary,,male|female,preoperative,predictor,yates
segment,Segment,categorical,,T11|T12|L1|L2,preoperative,predictor,trend
"""


def table1_of(folder: Path, table: pd.DataFrame, *arguments: object) -> pd.DataFrame:
    """Run the command and return its rows by variable."""
    table.to_csv(folder / "table.csv", index=False)
    given = [folder / "table.csv", "--out", folder / "out", *arguments]
    table1.main(table1._arguments().parse_args([str(one) for one in given]))
    return pd.read_csv(folder / "out" / "table1.csv").set_index("variable")


def test_every_column_but_ids_and_groups_is_described(tmp_path: Path) -> None:
    found = table1_of(tmp_path, TABLE, "--by", "rbp")
    assert list(found.index) == ["part", "age", "sex", "pfo", "segment", "vas"]
    assert {"test", "statistic", "df", "p_value"} <= set(found.columns)
    a, b = (TABLE.loc[TABLE["rbp"] == group, "age"] for group in (0, 1))
    assert found.loc["age", "p_value"] == stats.ttest_ind(a, b).pvalue  # unrounded
    table = pd.crosstab(TABLE["sex"], TABLE["rbp"])
    scipy = stats.chi2_contingency(table, correction=False)
    assert found.loc["sex", ["statistic", "p_value"]].tolist() == [scipy.statistic, scipy.pvalue]


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    table1_of(tmp_path, TABLE, "--by", "rbp")
    page = (tmp_path / "out" / "table1.html").read_text(encoding="utf-8")
    assert "http" not in page.replace('http-equiv="Content-Security-Policy"', "")
    assert "Total (n = 120)" in page
    assert "pfo: yes, n (%)" in page
    assert "P values, not corrected for their number" in page


@pytest.mark.parametrize("test", table1.TESTS)
def test_every_test_can_be_named(tmp_path: Path, test: str) -> None:
    found = table1_of(tmp_path, TABLE, "--by", "rbp", "--tests", test)
    assert found["p_value"].notna().all()
    assert test == "auto" or test in set(found["test"])


def test_the_dictionary_names_tests_labels_and_units(tmp_path: Path) -> None:
    (tmp_path / "dictionary.csv").write_text(DICTIONARY, encoding="utf-8")
    arguments = ("--by", "rbp", "--dictionary", tmp_path / "dictionary.csv")
    found = table1_of(tmp_path, TABLE, *arguments)
    assert found.loc[["age", "sex", "segment"], "test"].tolist() == ["welch-t", "yates", "trend"]
    assert found.loc["age", "label"] == "Age"
    codes = TABLE["segment"].map({"T11": 0, "T12": 1, "L1": 2, "L2": 3})
    r = np.corrcoef(codes, TABLE["rbp"])[0, 1]
    assert found.loc["segment", "statistic"] == pytest.approx((N - 1) * r**2)
    page = (tmp_path / "out" / "table1.html").read_text(encoding="utf-8")
    assert "Not in the data dictionary, described by their values" in page


@pytest.mark.parametrize("part", ["train", "training"])
def test_one_part_of_a_study(tmp_path: Path, part: str) -> None:
    found = table1_of(tmp_path, TABLE, "--by", "rbp", "--part", part)
    assert "part" not in found.index
    assert (found["n"] == N // 2).all()


def test_without_groups_nothing_is_compared(tmp_path: Path) -> None:
    found = table1_of(tmp_path, TABLE)
    assert found["test"].isna().all()
    assert "rbp" in found.index


def test_corrected_p_values_stand_beside(tmp_path: Path) -> None:
    found = table1_of(tmp_path, TABLE, "--by", "rbp", "--adjust", "holm")
    assert (found["p_adjusted"] >= found["p_value"]).all()
    page = (tmp_path / "out" / "table1.html").read_text(encoding="utf-8")
    assert "P corrected" in page
    assert "corrected by Holm" in page


def test_columns_that_say_nothing_are_left_out_with_a_note(tmp_path: Path) -> None:
    table = TABLE.assign(
        id=range(1, N + 1), remark=[f"text {n} a" for n in range(N)], empty=[None] * N
    )
    found = table1_of(tmp_path, table, "--by", "rbp")
    assert {"id", "remark", "empty"}.isdisjoint(found.index)
    page = (tmp_path / "out" / "table1.html").read_text(encoding="utf-8")
    for said in ("id names the rows", "remark has 120 different words", "empty has no value"):
        assert said in page


def test_what_columns_hold_without_a_dictionary(tmp_path: Path) -> None:
    table = TABLE.assign(grade=np.arange(N) % 4, code=np.arange(N) % 2, half=np.arange(N) % 2 / 2)
    table.to_csv(tmp_path / "table.csv", index=False)
    units = read_units(tmp_path / "table.csv", by="rbp")
    known = {each.column: each for each in units.variables}
    assert known["grade"].levels == ("0", "1", "2", "3")
    assert known["code"].as_counts
    assert not known["half"].levels
    assert known["segment"].levels == ("T11", "T12", "L1", "L2")
    assert not known["age"].levels


def test_patients_with_several_vertebrae(tmp_path: Path) -> None:
    table = TABLE.assign(patient_id=[f"P{n // 2:03d}" for n in range(N)])
    found = table1_of(tmp_path, table, "--by", "rbp")
    assert (found["compared"] == "rows, patients as clusters").all()
    page = (tmp_path / "out" / "table1.html").read_text(encoding="utf-8")
    assert "Total (120 rows, 60 patients)" in page
    assert "Patients have several rows" in page


def test_order_of_levels() -> None:
    assert ordered_levels(["II", "I"]) == (["I", "II"], True)
    assert ordered_levels(["some", "many", "few"]) == (["few", "many", "some"], False)


def test_refused(tmp_path: Path) -> None:
    def refused(code: str, table: pd.DataFrame = TABLE, *arguments: str) -> None:
        with refusal(code):
            table1_of(tmp_path, table, *arguments)

    refused("groups-column-missing", TABLE, "--by", "rpb")
    refused("groups-count", TABLE, "--by", "age")
    refused("groups-count", TABLE.assign(rbp=1), "--by", "rbp")
    refused("part-unknown", TABLE, "--part", "third")
    refused("parts-column-missing", TABLE.drop(columns="part"), "--part", "train")
    refused("nothing-to-describe", TABLE[["patient_id", "rbp"]], "--by", "rbp")
    twice = TABLE.assign(pfo=TABLE["pfo"].where(TABLE.index > 3, "Yes"))
    refused("levels-spelled-alike", twice, "--by", "rbp")
    refused("groups-not-levels", twice, "--by", "pfo")
    words = TABLE.assign(age=TABLE["age"].astype(str).where(TABLE.index > 3, "about 70"))
    with refusal("value-not-a-number", match="A value of age must be"):
        table1_of(tmp_path, words, "--by", "rbp")
    dates = TABLE.assign(operated="1949-03-01")
    refused("column-holds-dates", dates, "--by", "rbp")


def test_values_outside_the_dictionary_are_refused(tmp_path: Path) -> None:
    (tmp_path / "dictionary.csv").write_text(DICTIONARY, encoding="utf-8")
    strange = TABLE.assign(sex=TABLE["sex"].where(TABLE.index > 3, "other"))
    with refusal("value-not-a-level", match="A value of sex must be one of its levels"):
        table1_of(tmp_path, strange, "--dictionary", tmp_path / "dictionary.csv")
    wrong = DICTIONARY.replace("yates", "pooled-t")
    (tmp_path / "dictionary.csv").write_text(wrong, encoding="utf-8")
    with refusal("test-of-numbers-for-words"):
        table1_of(tmp_path, TABLE, "--dictionary", tmp_path / "dictionary.csv")


def test_published_rows(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = ["variable,level,group,count,n,mean,sd,printed_p"]
    lines += ["IVC,no,a,217,,,,.029", "IVC,yes,a,14,,,,", "IVC,no,b,31,,,,", "IVC,yes,b,6,,,,"]
    lines += ["Age,,a,,452,72.23,9.08,.001", "Age,,b,,117,69.19,8.56,"]
    (tmp_path / "published.csv").write_text("\n".join(lines), encoding="utf-8")
    given = [str(tmp_path / "published.csv"), "--published", "--out", str(tmp_path / "out")]
    with caplog.at_level("INFO"):
        table1.main(table1._arguments().parse_args(given))
    assert "IVC: printed P .029 fits pearson" in caplog.text
    assert "Age: printed P .001 fits pooled-t" in caplog.text
    found = pd.read_csv(tmp_path / "out" / "published.csv").set_index(["variable", "test"])
    assert found.loc[("IVC", "pearson"), "statistic"] == pytest.approx(4.763, abs=5e-4)
    TABLE.to_csv(tmp_path / "published.csv", index=False)
    with refusal("published-columns-missing"):
        table1.main(table1._arguments().parse_args(given))
