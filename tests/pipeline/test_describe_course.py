"""A study's scales, events, levels, figures, readings: the numbers, the page, what is refused."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline.comparison.course import incidence, paired
from pipeline.comparison.course.new_fractures import KINDS
from pipeline.core.errors import StudyError
from pipeline.core.files import write_json
from pipeline.describe_course import _arguments, agreement_of_readings, main
from pipeline.reporting.results import Course
from pipeline.reporting.sections.outcomes import course as sections
from pipeline.study.config import resolve_config
from pipeline.study.study import write_study
from pipeline.tables.clinical.clinical_source import columns_of_course
from pipeline.validate import validate_study
from tests.support.clinical_study import COURSE, clinical_options, with_course, write_clinical
from tests.support.refusals import refusal
from tests.support.stages import course_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    with_course(write_clinical(folder), folder)
    return folder


def study_of(folder, **options):
    return validate_study(resolve_config(clinical_options(folder, **(COURSE | options))))


@pytest.fixture(scope="module")
def found(folder):
    return course_of(study_of(folder))


def raw(folder) -> pd.DataFrame:
    return pd.read_csv(folder / "clinical.csv")


def test_scales_events_and_levels_are_those_of_the_statistics(folder, found):
    tables, info = found
    table = raw(folder)
    braced = (table["fracture"] == "yes").to_numpy()
    assert info["groups"] == ["no", "yes"]
    over = tables["over_time"]
    row = over[over["group"].isna() & (over["time"] == "after")].iloc[0]
    before, after = table["vas_pre"].to_numpy(float), table["vas"].to_numpy(float)
    test = paired.paired_test(before, after, paired.choose_paired(before, after).test)
    assert row["p_value"] == pytest.approx(test.p)
    expected = paired.ancova(before, after, braced.astype(int))["difference"][0]
    assert tables["between"]["value"].iloc[0] == pytest.approx(expected)
    near = {"T12": ("T11", "L1"), "L1": ("T12", "L2"), "T12, L1": ("T11", "L2")}
    adjacent = [
        new in near[old] for old, new in zip(table["treated"], table["broken"], strict=True)
    ]
    own = np.array(adjacent)[braced].sum(), table.loc[braced, "years"].sum()
    rate = incidence.rate(*map(float, own))
    rates = tables["rates"].set_index("group")
    assert rates.loc["yes", ["rate", "low", "high"]].tolist() == pytest.approx(list(rate[2:]))
    levels = tables["levels"].set_index("level")
    assert levels.loc["T12", "treated"] == table["treated"].str.contains("T12").sum()
    assert "adjusted" in " ".join(tables["ratios"]["what"])


def test_correlations_are_pearsons_with_the_groups_last(folder, found):
    table, r = raw(folder), found[0]["correlations"]
    one = r[(r["first"] == "age") & (r["second"] == "bmi")].iloc[0]
    assert one["r"] == pytest.approx(stats.pearsonr(table["age"], table["bmi"]).statistic)
    own = r[(r["first"] == "sex=male") & (r["second"] == "group")].iloc[0]
    codes = (table["sex"] == "male").astype(float), (table["fracture"] == "yes").astype(float)
    assert own["r"] == pytest.approx(stats.pearsonr(*codes).statistic)
    assert r["second"].iloc[-1] == "group"
    assert not r.duplicated(["first", "second"]).any()


def test_means_of_readings_enter_and_their_agreement_is_told(folder, found):
    study, table = study_of(folder), raw(folder)
    names = ["hu_1", "hu_2", "hu_3"]
    np.testing.assert_allclose(study.clinical["hu"], table[names].mean(axis=1), rtol=1e-12)
    row = found[0]["readings"].iloc[0]
    values = table[names].to_numpy()
    n, k = values.shape
    whole = values.mean()
    rows = k * ((values.mean(axis=1) - whole) ** 2).sum() / (n - 1)
    columns = n * ((values.mean(axis=0) - whole) ** 2).sum() / (k - 1)
    rest = ((values - values.mean(axis=1)[:, None] - values.mean(axis=0) + whole) ** 2).sum()
    rest /= (n - 1) * (k - 1)
    # McGraw and Wong 1996, table 4: ICC(A,1) and ICC(A,k).
    assert row["icc"] == pytest.approx(
        (rows - rest) / (rows + (k - 1) * rest + k / n * (columns - rest))
    )
    assert row["icc_mean"] == pytest.approx((rows - rest) / (rows + (columns - rest) / n))
    assert row["sd_within"] == pytest.approx(np.sqrt(values.var(axis=1, ddof=1).mean()))
    assert row["icc_mean_low"] < row["icc_mean"] < row["icc_mean_high"]
    assert (row["n"], row["incomplete"]) == (60, 0)


def test_a_mean_is_of_the_readings_that_are_known(folder, tmp_path, caplog):
    table = raw(folder).astype({"hu_1": object})
    table.loc[0, "hu_1"] = "NA"
    table.loc[1, ["hu_1", "hu_2", "hu_3"]] = np.nan
    (tmp_path / "dictionary.csv").write_text((folder / "dictionary.csv").read_text())
    table.to_csv(tmp_path / "clinical.csv", index=False)
    study = study_of(tmp_path)
    assert study.clinical["hu"][0] == pytest.approx((table["hu_2"][0] + table["hu_3"][0]) / 2)
    assert np.isnan(study.clinical["hu"][1])
    assert "hu: 1 rows have fewer than 3 readings" in caplog.text
    row = agreement_of_readings(study.clinical, COURSE["readings"]).iloc[0]
    assert (row["n"], row["incomplete"]) == (58, 1)


def test_grades_and_yes_or_no_of_several_readers_enter_with_their_kappas(folder, tmp_path):
    table = raw(folder)
    rng = np.random.default_rng(4)
    grade = rng.integers(0, 4, len(table))
    for reader in "abc":
        table[f"genant_{reader}"] = np.clip(grade + rng.integers(-1, 2, len(table)), 0, 3)
        flipped = rng.random(len(table)) < 0.15
        table[f"wedge_{reader}"] = np.where((grade > 1) ^ flipped, "yes", "no")
    first = table[[f"genant_{reader}" for reader in "abc"]]
    differ = first.nunique(axis=1) > 1
    table["genant_agreed"] = np.where(differ, grade, np.nan)
    table.to_csv(tmp_path / "clinical.csv", index=False)
    rows = [
        f"genant{end},Genant,ordinal,,,preoperative,{role},,"
        for end, role in (
            *(("", "predictor"), ("_a", "other"), ("_b", "other"), ("_c", "other")),
            ("_agreed", "other"),
        )
    ]
    rows += [f"wedge{end},Wedge,binary,,no|yes,preoperative,{role},,"
             for end, role in (("", "predictor"), ("_a", "other"), ("_b", "other"),
                               ("_c", "other"))]  # fmt: skip
    dictionary = (folder / "dictionary.csv").read_text().rstrip("\n")
    (tmp_path / "dictionary.csv").write_text("\n".join([dictionary, *rows]) + "\n")
    readings = {name: [f"{name}_{reader}" for reader in "abc"] for name in ("genant", "wedge")}
    study = study_of(tmp_path, readings=COURSE["readings"] | readings)
    assert study.clinical["genant"].tolist() == first.median(axis=1).tolist()
    tables, info = course_of(study)
    assert list(tables["readings"]["column"]) == ["hu"]
    told = tables["graded_readings"]
    assert list(told["measure"]) == ["weighted kappa", "weighted kappa", "kappa", "Fleiss' kappa"]
    assert list(told["weights"]) == ["linear", "quadratic", "", ""]
    assert (told["value"].between(0.2, 0.95)).all()
    assert (told["tied"] == 0).all()
    section = sections.readings_section(Page(study, tables, info))
    names = [block.name for block in section.all_blocks() if block.kind == "table"]
    assert names == ["readings", "graded_readings"]
    agreed = {"reading_consensus": {"genant": "genant_agreed"}}
    study = study_of(tmp_path, readings=COURSE["readings"] | readings, **agreed)
    expected = np.where(differ, grade, first["genant_a"])
    assert study.clinical["genant"].tolist() == expected.tolist()
    row = course_of(study)[0]["graded_readings"].iloc[0]
    assert (row["made"], row["tie_rule"], row["tied"]) == ("consensus", "consensus", differ.sum())
    table.loc[np.flatnonzero(differ)[0], "genant_agreed"] = np.nan
    table.to_csv(tmp_path / "clinical.csv", index=False)
    with refusal("reading-without-consensus", match="1 rows: "):
        study_of(tmp_path, readings=COURSE["readings"] | readings, **agreed)


def test_events_that_follow_from_levels_are_no_columns():
    given = clinical_options(Path(), outcomes=COURSE["outcomes"])
    options = resolve_config(given)["outcomes"]
    assert columns_of_course(options) == [
        *("vas_pre", "vas", "years", "treated", "broken", "age", "sex")
    ]
    for kind in KINDS:
        changed = copy.deepcopy(options)
        changed["events"][0]["event"] = kind
        assert kind not in columns_of_course(changed)


def other(**outcomes) -> dict:
    """Return the options of `COURSE` with other ones of the section outcomes."""
    return {"outcomes": COURSE["outcomes"] | outcomes}


SCALE, EVENT = COURSE["outcomes"]["scales"][0], COURSE["outcomes"]["events"][0]
REFUSED = {
    "a range that falls": (
        other(scales=[SCALE | {"range": [10, 0], "bands": {}}]),
        "plan-part-invalid", "a range must rise",
    ),
    "bands that end early": (
        other(scales=[SCALE | {"bands": {"mild": 3}}]),
        "plan-part-invalid", "bands must rise",
    ),
    "an event of levels that are not named": (
        other(levels=None), "outcomes-derived-event", "",
    ),
    "a column that is not there": (
        other(events=[EVENT | {"event": "fractured"}]),
        "outcomes-column-undescribed", "",
    ),
    "a scale of words": (
        other(scales=[SCALE | {"columns": {"before": "treated", "after": "vas"}}], levels=None,
              events=[]),
        "scale-column-not-numbers", "",
    ),
    "levels that are numbers": (
        other(levels={"treated": "vas", "new": "broken"}, scales=[]),
        "levels-column-not-words", "",
    ),
    "a reading that is not there": (
        {"readings": {"hu": ["hu_1", "hu_4"]}},
        "reading-column-missing", "",
    ),
    "a mean that is there": (
        {"readings": {"hu_1": ["hu_2", "hu_3"]}},
        "reading-mean-exists", "",
    ),
    "a reading that is a predictor": (
        {"readings": {"hu": ["hu_1", "bmi"]}}, "reading-not-other", "",
    ),
    "a reading of words": (
        {"readings": {"hu": ["hu_1", "treated"]}},
        "reading-not-continuous", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(folder, name):
    options, code, message = REFUSED[name]
    with refusal(code, StudyError, match=message):
        study_of(folder, **options)


def test_a_cell_without_a_level_is_named(folder, tmp_path):
    table = raw(folder)
    table.loc[3, "treated"] = "lumbar"
    (tmp_path / "dictionary.csv").write_text((folder / "dictionary.csv").read_text())
    table.to_csv(tmp_path / "clinical.csv", index=False)
    with refusal("levels-cell-unreadable", StudyError):
        study_of(tmp_path)


def test_the_command_writes_tables_and_no_patient_as_csv(folder, tmp_path):
    write_study(study_of(folder), tmp_path / "study")
    given = ["--study", str(tmp_path / "study"), "--out", str(tmp_path / "course")]
    main(_arguments().parse_args(given))
    made = {path.name for path in (tmp_path / "course").iterdir()}
    assert {"over_time.csv", "rates.csv", "correlations.csv", "readings.csv"} <= made
    assert {"patients.csv", "columns.csv"}.isdisjoint(made)
    assert {"patients.parquet", "columns.parquet", "course.json"} <= made
    text = b"".join(path.read_bytes() for path in (tmp_path / "course").glob("*.csv"))
    assert b"P001" not in text


class Page:
    """What the sections read of a study's results."""

    def __init__(self, study, tables, info):
        self.study, self.course = study, Course(tables, info)

    def __getitem__(self, option):
        value = self.study.config
        for key in option.split("."):
            value = value[key]
        return value


def test_sections_show_every_table_and_figure(folder, found, tmp_path):
    tables, info = found
    write_json(info, tmp_path / "info.json")  # what a report reads is what JSON holds
    page = Page(study_of(folder), tables, info)
    shown = sections.course_section(page)
    kinds = [block.kind for block in shown.all_blocks()]
    assert kinds.count("figure") == 3  # boxes, bands, levels
    names = [block.name for block in shown.all_blocks() if block.kind == "table"]
    assert names == ["vas-1", "vas-2", "adjacent-1", "adjacent-2", "levels-1"]
    columns = sections.columns_section(page)
    assert [block.kind for block in columns.all_blocks()] == ["figure", "figure", "table"]
    readings = sections.readings_section(page)
    [table] = [block for block in readings.all_blocks() if block.kind == "table"]
    assert table.shown["Column"].tolist() == ["CT attenuation"]
    nothing = Page(study_of(folder), {}, info)
    for build in (sections.course_section, sections.columns_section, sections.readings_section):
        assert not build(nothing).blocks
