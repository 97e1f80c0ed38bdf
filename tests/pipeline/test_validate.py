"""A study's tables together: what is refused, what is frozen."""

from __future__ import annotations

import json
import logging
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import validate
from pipeline.core.errors import StudyError
from pipeline.study.config import resolve_config
from pipeline.study.study import open_study
from pipeline.tables.cases import batches, read_cases
from pipeline.tables.features.feature_tables import read_feature_keys, read_features
from pipeline.tables.registered import MARKER, write_marker
from tests.support.refusals import refusal

DICTIONARY = (
    "column,label,type,unit,levels,timing,role\n"
    "age,Age,continuous,years,,preoperative,predictor\n"
    "sex,Sex,binary,,F|M,preoperative,predictor\n"
    "part,Part,binary,,train|test,,split\n"
    "vas,Pain,ordinal,,,postoperative,outcome\n"
)


class Files:
    """A study of `n` patients with one case each, read by A and B, that a test may spoil."""

    def __init__(self, folder, n=40):
        self.folder = folder
        ids = [f"{number:04d}" for number in range(1, n + 1)]
        self.cases = pd.DataFrame(
            [
                (i, f"{i}-ct", f"{i}-L1", "L1", reader, f"img/{i}", "", f"m/{i}-{reader}.nrrd",
                 "1", "-1")
                for i in ids
                for reader in "BA"
            ],
            columns=[
                "patient_id", "scan_id", "case_id", "level", "reader", "image", "series", "mask",
                "label", "days_from_surgery",
            ],
        )  # fmt: skip
        self.registered = self.cases.copy()
        self.clinical = pd.DataFrame(
            {
                "patient_id": ids,
                "age": [str(50 + number % 30) for number in range(n)],
                "sex": ["FM"[number % 2] for number in range(n)],
                "part": ["train" if number % 3 else "test" for number in range(n)],
                "vas": [str(number % 10) for number in range(n)],
            }
        )
        self.dictionary = DICTIONARY
        for kind in ("img", "m"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        for row in self.cases.itertuples():
            (folder / row.image).mkdir(exist_ok=True)
            (folder / row.mask).touch()

    def config(self, **options) -> dict:
        self.cases.to_csv(self.folder / "cases.csv", index=False)
        if self.registered is not None:
            write_marker(self.folder, "demo", self.registered)
        self.clinical.to_csv(self.folder / "clinical.csv", index=False)
        (self.folder / "dictionary.csv").write_text(self.dictionary)
        return resolve_config(
            {
                "study": "s",
                "results": str(self.folder / "results"),
                **{
                    name: str(self.folder / f"{name}.csv")
                    for name in ("cases", "clinical", "dictionary")
                },
                "model_reader": "A",
                "outcome": {"name": "pain", "formula": "vas >= 4"},
            }
            | options
        )

    def study(self, **options):
        return validate.validate_study(self.config(**options))

    def problem(self, **options) -> str:
        with pytest.raises(StudyError) as caught:
            self.study(**options)
        return str(caught.value)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def correct(files, *versions) -> None:
    """Add later versions of reader A's mask of the first case."""
    first = files.cases[(files.cases["case_id"] == "0001-L1") & (files.cases["reader"] == "A")]
    parts = [first.assign(version=version) for version in versions]
    files.cases = pd.concat([files.cases, *parts], ignore_index=True)


def test_a_corrected_mask_is_a_version_and_no_reader(files, caplog):
    caplog.set_level(logging.INFO)
    correct(files, "2")
    study = files.study()
    rows = study.cases[study.cases["case_id"] == "0001-L1"]
    assert rows["reader"].tolist() == ["A", "A.v2", "B"]
    assert rows["version"].tolist() == [1, 2, 1]
    assert study.readers == ["A", "B"]
    assert "Cases with corrected masks: 1." in caplog.text


@pytest.mark.parametrize(
    ("versions", "parts"),
    [
        (
            ["3"],
            ["must count up from the original, 1", "case 0001-L1, reader A with versions 1, 3"],
        ),
        (["2", "2"], ["one mask per reader and version", "Found: 0001-L1 A.v2"]),
        (["0"], ["column version", "1 or blank for the original"]),
        (["second"], ["column version", "second"]),
    ],
)
def test_versions_that_make_no_sense(files, versions, parts):
    correct(files, *versions)
    problem = files.problem()
    for part in parts:
        assert part in problem


def test_a_version_is_no_reader_for_the_model(files):
    correct(files, "2")
    assert "must be one of the readers" in files.problem(model_reader="A.v2")


def test_tables_are_typed_and_sorted(files, tmp_path, monkeypatch):
    expected = files.study()
    files.cases = files.cases.sample(frac=1, random_state=1)
    files.clinical = files.clinical.sample(frac=1, random_state=2)
    study = files.study()
    pd.testing.assert_frame_equal(study.cases, expected.cases)
    pd.testing.assert_frame_equal(study.clinical, expected.clinical)
    assert study.cases["patient_id"].tolist()[:2] == ["0001", "0001"]
    assert study.readers == ["A", "B"]
    assert study.cases["series"].isna().all()
    assert study.cases["days_from_surgery"].tolist()[0] == -1
    monkeypatch.chdir(tmp_path)
    relative = read_cases("cases.csv", 8)
    assert relative["mask"].iloc[0] == "m/0001-A.nrrd"


@pytest.mark.parametrize(
    ("row", "column", "value", "words"),
    [
        (0, "patient_id", "x y", ["row 2", "column patient_id", "Found: x y"]),
        (0, "patient_id", "PÄT", ["row 2", "letters, digits"]),
        (0, "level", "l1", ["row 2", "column level", "in capitals"]),
        (0, "level", "T14", ["column level", "T14"]),
        (0, "level", "", ["level", "must not be blank", "row 2"]),
        (0, "days_from_surgery", "two", ["whole number of days"]),
        (0, "series", "1.2.3", ["not name a series by its UID", "row 2, column series"]),
        (0, "patient_id", "0099", ["must have a pseudonym", "row 2, column patient_id"]),
        (
            0,
            "image",
            "../elsewhere/0001",
            ["image must lie in the folder that vertebromics intake wrote"],
        ),
        (0, "mask", "/elsewhere/0001.nrrd", ["mask must lie in the folder", "row 2, column mask"]),
        (1, "reader", "B", ["one mask per reader", "0001-L1 B", "rows 2, 3"]),
        (0, "patient_id", "0002", ["A scan must have one patient_id", "rows 2, 3"]),
        (0, "image", "img/0002", ["A scan must have one image", "An image must be one scan"]),
        (0, "days_from_surgery", "-3", ["A scan must have one days_from_surgery"]),
        (0, "scan_id", "0002-ct", ["A level of a scan must be one case", "rows 2, 4"]),
        (0, "level", "L2", ["A case must have one level", "0001-L1 with L2, L1"]),
        (0, "mask", "m/none.nrrd", ["The mask must exist", "m/none.nrrd", "row 2"]),
    ],
)
def test_wrong_row_of_cases_is_told(files, row, column, value, words):
    files.cases.loc[row, column] = value
    text = files.problem()
    assert not [word for word in words if word not in text], text


CANARY = "PHI-CANARY-0010-0010"


def test_table_that_nobody_registered_is_refused_with_the_command(files):
    files.registered = None
    files.cases["patient_id"] = CANARY
    text = files.problem()
    table = files.folder / "cases.csv"
    assert "no registered.json beside it" in text
    assert f"vertebromics intake --cases {table} --out {table.parent / 'study'}" in text
    assert CANARY not in text


@pytest.mark.parametrize("content", ["", "[]", '{"schema": 99}', "no json"])
def test_marker_of_another_kind_is_refused(files, content):
    files.registered = None
    (files.folder / MARKER).write_text(content)
    assert "must be as this version writes it" in files.problem()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("patient_id", CANARY),
        ("image", f"../{CANARY}/dicom"),
        ("mask", f"..\\{CANARY}\\a.nrrd"),
        ("series", "1.2.840.113619.2.55.3"),
    ],
)
def test_what_identifies_is_refused_without_a_quotation(files, column, value):
    files.cases.loc[:1, column] = value
    text = files.problem()
    assert f"rows 2, 3, column {column}" in text
    assert "vertebromics intake" in text or "leave it blank" in text
    assert value not in text
    assert CANARY not in text


def test_missing_image_is_told_once(files):
    files.cases.loc[:1, "image"] = "img/none"
    text = files.problem()
    assert text.startswith("The image must exist")
    assert "rows 2, 3, column image" in text


def test_missing_and_misspelt_columns_are_told(files):
    files.cases = files.cases.rename(columns={"mask": "masks", "series": "serie"})
    text = files.problem()
    assert "must have the column mask" in text
    assert "rename masks to mask" in text
    assert "rename serie to series" in text


def test_other_columns_are_left_out(files, caplog):
    caplog.set_level(logging.INFO)
    files.cases["remark"] = "PHI-CANARY-0010-0010"
    study = files.study()
    assert "remark" not in study.cases
    assert "columns not used: remark" in caplog.text
    assert "CANARY" not in caplog.text


def test_optional_columns_may_lack(files):
    files.cases = files.cases.drop(columns=["series", "label", "days_from_surgery"])
    cases = files.study().cases
    assert cases[["series", "label", "days_from_surgery"]].isna().all(axis=None)


def test_backslashes_of_windows_are_understood(files):
    files.cases["mask"] = files.cases["mask"].str.replace("/", "\\")
    assert files.study().cases["mask"].iloc[0].endswith("m/0001-A.nrrd")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model_reader": None}, ["With several readers", "A, B, mean"]),
        ({"model_reader": "a"}, ["perhaps `A` is meant"]),
        ({"simulated_reader": "C"}, ["`simulated_reader`", "Found: C"]),
        ({"outcome": {"name": "x", "formula": "vass >= 4"}}, ["perhaps `vas` is meant"]),
        ({"outcome": {"name": "x", "formula": "vas >"}}, ["config key outcome.formula"]),
        (
            {"eligibility": [{"label": "women", "formula": "sex == 'f'"}]},
            ["config key eligibility, `women`", "perhaps `F` is meant"],
        ),
        ({"outcome": {"name": "x", "formula": "age >= 60"}}, ["must not predict the outcome"]),
        ({"predictors": ["agee"]}, ["perhaps `age` is meant"]),
        ({"split": {"design": "imported", "column": "sex"}}, ["must have the role `split`"]),
        ({"split": {"design": "imported", "column": "none"}}, ["must have the role `split`"]),
        ({"split": {"design": "temporal", "column": "part"}}, ["relative days, or the order of"]),
        (
            {"split": {"design": "by_site", "column": "part", "test_sites": ["tset"]}},
            ["must be sites of the clinical table", "Found: tset", "choose among test, train"],
        ),
    ],
)
def test_options_that_do_not_fit_the_tables_are_told(files, options, words):
    text = files.problem(**options)
    assert not [word for word in words if word not in text], text


def test_imported_split_places_every_unit(files):
    options = {"split": {"design": "imported", "column": "part"}}
    assert files.study(**options).clinical["part"].isin(["train", "test"]).all()
    files.clinical.loc[3, "part"] = ""
    assert "blank for 0004" in files.problem(**options)
    files.dictionary = DICTIONARY.replace("train|test", "train|valid")
    files.clinical["part"] = "train"
    assert "with the levels train|test" in files.problem(**options)


def test_a_split_by_site_or_time_needs_its_kind_of_column(files):
    files.dictionary = DICTIONARY.replace("Part,binary,,train|test", "Part,ordinal,,")
    files.clinical["part"] = range(len(files.clinical))
    files.study(split={"design": "temporal", "column": "part"})
    by_site = {"design": "by_site", "column": "part", "test_sites": ["3"]}
    assert "categorical or binary" in files.problem(split=by_site)


def test_preoperative_study_refuses_later_scans(files):
    files.cases.loc[:1, "days_from_surgery"] = "0"
    assert "0001-L1 (day 0)" in files.problem()
    files.cases["days_from_surgery"] = ""
    assert files.study().cases["days_from_surgery"].isna().all()
    assert len(files.study(timing="intraoperative").cases) == 80
    files.cases["days_from_surgery"] = "2"
    assert "must not see scans from after the day" in files.problem(timing="intraoperative")
    assert len(files.study(timing="postoperative").cases) == 80
    assert len(files.study(outcome=None, model_reader=None).cases) == 80


def test_whole_numbers_with_a_point_are_whole(files, tmp_path):
    """As software writes them where the column has a blank."""
    files.cases["days_from_surgery"] = "-3.0"
    files.cases["version"] = "1.0"
    study = files.study()
    assert set(study.cases["days_from_surgery"]) == {-3}
    assert set(study.cases["version"]) == {1}
    path = tmp_path / "ready.csv"
    path.write_text("case_id,patient_id,days_from_surgery,x\nC1,P1,-3.0,0.5\nC2,P2,,0.7\n")
    cases, _ = read_feature_keys({"A": str(path)}, "case_id")
    assert cases["days_from_surgery"].tolist()[0] == -3


def test_several_cases_need_an_aggregation(files):
    more = files.cases[:2].assign(case_id="0001-L2", level="L2")
    files.cases = pd.concat([files.cases, more])
    assert "0001 (2 cases)" in files.problem()
    assert len(files.study(aggregation="mean").cases) == 82


def test_ids_of_one_source_are_listed(files, caplog):
    files.cases = files.cases[files.cases["patient_id"] != "0002"]
    files.clinical = files.clinical[files.clinical["patient_id"] != "0001"]
    files.study()
    assert "patient_id only in the table `cases` (1): 0001" in caplog.text
    assert "patient_id only in the table `clinical` (1): 0002" in caplog.text


def test_tables_without_a_common_id_are_refused(files):
    files.clinical["patient_id"] = files.clinical["patient_id"].astype(int)
    assert "40 pairs: 0001 (cases) and 1 (clinical)" in files.problem()
    files.clinical["patient_id"] = "X" + files.clinical["patient_id"].astype(str)
    text = files.problem()
    assert "must share ids" in text
    files.clinical["patient_id"] = [f"EXAMPLE-{row:04d}" for row in range(len(files.clinical))]
    assert "replace the template's EXAMPLE rows" in files.problem()
    assert "leading zeros" in text


def test_models_that_will_drop_out_are_named(files, caplog):
    """Eight events leave five to train: they fill no six outer folds."""
    asked = {
        "outcome": {"name": "pain", "formula": "vas >= 8"},
        "models": ["lr", "rf"],
        "split": {"folds": 2},
        "primary": {"model": "rf", "part": "nested", "metric": "auroc"},
        "optimism": {"models": []},
    }
    files.study(**asked, nested={"models": ["rf"], "folds": 6})
    assert "The primary analysis will be lost. rf will drop out (nested): 5 training" in caplog.text
    assert "Remedy: write `nested: {folds: 2}`" in caplog.text
    caplog.clear()
    files.study(**asked, nested={"models": ["rf"], "folds": 2})
    assert "drop out" not in caplog.text


def test_a_small_study_is_told_of_the_design_without_a_hold_out(tmp_path, caplog):
    """195 patients with 36 events; a split that a column decides is another validation."""
    files = Files(tmp_path, 195)
    files.clinical["vas"] = ["7" if number < 36 else "1" for number in range(195)]
    caplog.set_level(logging.INFO)
    files.study()
    assert "195 patients, 36 of them with the outcome. About 11 of these" in caplog.text
    assert "`split: {design: none}`" in caplog.text
    caplog.clear()
    study = files.study(split={"design": "none"}, primary={"model": "lr"})
    assert study.config["primary"]["part"] == "nested"
    dated = DICTIONARY + "day,Day,continuous,,,preoperative,split\n"
    files.dictionary, files.clinical["day"] = dated, [str(day) for day in range(195)]
    files.study(split={"design": "temporal", "column": "day"})
    assert "design: none" not in caplog.text


def test_where_a_hold_out_leaves_too_few_none_is_the_remedy(tmp_path, caplog):
    files = Files(tmp_path, 60)
    files.clinical["vas"] = ["7" if number < 12 else "1" for number in range(60)]
    files.study()
    assert "which holds nobody out" in caplog.text
    caplog.clear()
    files.study(split={"design": "none"})
    assert "no models" not in caplog.text


def test_too_rare_an_outcome_is_foretold(files, caplog):
    files.study()
    assert not caplog.text
    files.clinical["vas"] = "0"
    files.study()
    assert "no models" in caplog.text
    assert "0 with and 40 without the outcome" in caplog.text


def test_imaging_study_needs_no_clinical_table(files):
    study = files.study(outcome=None, clinical=None, dictionary=None, model_reader=None)
    assert study.clinical is None
    assert study.dictionary is None


def test_unit_case_checks_the_patients(files):
    files.clinical = files.clinical.rename(columns={"patient_id": "case_id"})
    files.clinical["case_id"] += "-L1"
    assert files.study(unit="case").clinical["case_id"][0] == "0001-L1"
    files.clinical["patient_id"] = files.clinical["case_id"].str[:4]
    assert files.study(unit="case").clinical["patient_id"][0] == "0001"
    files.clinical.loc[0, "patient_id"] = "0099"
    assert "0001-L1 (0099 against 0001)" in files.problem(unit="case")


def ready(folder, **tables):
    folder.mkdir(exist_ok=True)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return {"cases": None, "features": {name: str(folder / f"{name}.csv") for name in tables}}


def test_study_may_start_from_features(files, tmp_path):
    table = pd.DataFrame({"patient_id": files.clinical["patient_id"], "f1": 1.0, "f2": 2.0})
    study = files.study(**ready(tmp_path / "f", A=table, B=table))
    assert study.cases is None
    assert study.readers == ["A", "B"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t.rename(columns={"patient_id": "pid"}), "case_id or patient_id"),
        (lambda t: t.rename(columns={"patient_id": "case_id"}), "must have the column patient_id"),
        (lambda t: pd.concat([t, t[:1]]), "0001 in rows 2, 42"),
        (lambda t: t.assign(patient_id="x y"), "letters, digits"),
        (lambda t: t[["patient_id"]], "must hold features"),
        (lambda t: t.rename(columns={"f2": "f3"}), "1 of B are not in A: f3"),
        (lambda t: t.assign(case_id=t["patient_id"]), "the same id columns"),
    ],
)
def test_wrong_feature_table_is_told(files, tmp_path, spoil, words):
    table = pd.DataFrame({"patient_id": files.clinical["patient_id"], "f1": 1.0, "f2": 2.0})
    assert words in files.problem(**ready(tmp_path / "f", A=table, B=spoil(table)))


def test_ready_features_of_later_scans_are_refused_too(files, tmp_path):
    """The column tells when a scan was made; it is no feature, whatever the timing."""
    table = pd.DataFrame({"patient_id": files.clinical["patient_id"], "f1": 1.0, "f2": 2.0})
    table["days_from_surgery"] = [-3, 0, *[-1] * 38]
    given = ready(tmp_path / "f", A=table, B=table)
    assert "0002 (day 0)" in files.problem(**given)
    files.study(**given, timing="postoperative")
    names = read_features(tmp_path / "f" / "A.csv", "A", "patient_id")[1]
    assert names == ["f1", "f2"]
    table["days_from_surgery"] = ["-3", "tomorrow", *["-1"] * 38]
    text = files.problem(**ready(tmp_path / "f", A=table))
    assert "must be whole days" in text
    assert "Found: tomorrow" in text


def test_feature_tables_need_pseudonyms(files, tmp_path, caplog):
    ids = files.clinical["patient_id"]
    table = pd.DataFrame({"patient_id": ids, "f1": 1.0, "f2": 2.0})
    caplog.clear()
    files.study(**ready(tmp_path / "f", A=table))
    assert not caplog.text
    for form in ("1950{:02d}28", "28-02-19{:02d}", "1_2_840_113619_{}"):
        made = [form.format(number % 12 + 10) for number in range(3)]
        made[0] = form.format(11)
        table["patient_id"] = files.clinical["patient_id"] = [*made, *ids[3:]]
        text = files.problem(**ready(tmp_path / "f", A=table.drop_duplicates("patient_id")))
        assert "dates and UIDs identify a person" in text
        assert made[0] not in text
    table["patient_id"] = files.clinical["patient_id"] = [f"H{7654321 + n}" for n in range(40)]
    files.study(**ready(tmp_path / "f", A=table))
    assert "40 of 40 ids look like hospital or accession numbers" in caplog.text
    assert "7654321" not in caplog.text


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_feature_table_without_ids_is_told(tmp_path, name):
    table = pd.DataFrame({"pid": ["1"], "f1": [1.0]})
    write = {"a.csv": table.to_csv, "a.parquet": table.to_parquet}[name]
    write(tmp_path / name, index=False)
    with refusal("feature-table-without-key", StudyError):
        read_feature_keys({"A": tmp_path / name}, "patient_id")


def test_readers_name_one_patient_of_a_case(files, tmp_path):
    ids = files.clinical["patient_id"]
    table = pd.DataFrame({"case_id": ids, "patient_id": ids, "f1": 1.0})
    other = table.assign(patient_id=np.roll(ids, 1))
    text = files.problem(**ready(tmp_path / "f", A=table, B=other))
    assert "the same patient_id of a case" in text


def test_cases_of_ready_tables_need_their_patient(files, tmp_path):
    files.clinical = files.clinical.rename(columns={"patient_id": "case_id"})
    table = pd.DataFrame({"case_id": files.clinical["case_id"], "f1": 1.0})
    assert "must name the patient" in files.problem(unit="case", **ready(tmp_path / "f", A=table))


def test_frozen_study_is_read_back(files, tmp_path):
    study = files.study()
    validate.write_study(study, tmp_path / "out")
    again = open_study(tmp_path / "out")
    assert again.config == study.config
    for name in ("cases", "clinical", "dictionary"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(study, name))


def test_tables_of_an_earlier_run_do_not_stay(files, tmp_path):
    validate.write_study(files.study(), tmp_path / "out")
    (tmp_path / "out" / "mine.txt").touch()
    study = files.study(outcome=None, clinical=None, dictionary=None, model_reader=None)
    validate.write_study(study, tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["cases.parquet", "mine.txt", "study.yaml"]


def test_command(files, tmp_path, repository):
    config = files.config()
    out = tmp_path / "out"

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "pipeline.validate", *arguments, "--out", out],
            cwd=repository,
            capture_output=True,
            text=True,
            check=False,
        )

    good = run("--resolved", json.dumps(config))
    assert good.returncode == 0, good.stderr
    assert open_study(out).config == config
    bad = run("--resolved", json.dumps(config | {"modelreader": 1}))
    assert bad.returncode == 1
    assert "Traceback" not in bad.stderr
    assert "perhaps `model_reader` is meant" in bad.stderr


scan_ids = st.lists(st.from_regex(r"[A-Za-z0-9]{1,6}", fullmatch=True), min_size=1, unique=True)


@settings(max_examples=50)
@given(scan_ids, st.integers(1, 9), st.randoms())
def test_batches_depend_on_the_id_alone(ids, per_job, random):
    batch = batches(pd.Series(ids), per_job)
    power = 2 ** max(0, round(math.log2(len(ids) / per_job)))
    assert set(batch) <= {f"b{number:0{len(str(power - 1))}d}" for number in range(power)}
    shuffled = list(ids)
    random.shuffle(shuffled)
    again = dict(zip(shuffled, batches(pd.Series(shuffled), per_job), strict=True))
    assert [again[scan] for scan in ids] == batch.tolist()


def test_batches_are_about_even_and_mostly_stay():
    ids = pd.Series([f"{number:04d}-ct" for number in range(1000)])
    counts = batches(ids, 8).value_counts()
    assert len(counts) == 128
    assert counts.max() < 25
    pd.testing.assert_series_equal(batches(ids, 8)[:999], batches(ids[:999], 8))


@pytest.mark.parametrize(("scans", "count"), [(9, 1), (12, 2), (24, 4), (856, 128), (10_000, 1024)])
def test_a_batch_is_about_as_large_as_asked_for(scans, count):
    batch = batches(pd.Series([f"{number:05d}" for number in range(scans)]), 8)
    assert batch.str.len().eq(1 + len(str(count - 1))).all()
    assert batch.nunique() <= count
    assert batch.nunique() > count / 2 or count == 1


def test_the_parameter_file_is_checked_before_anything_runs(files, tmp_path, repository, caplog):
    good = (repository / "radiomics_params" / "ge2025.yaml").read_text(encoding="utf-8")
    path = tmp_path / "mine.yaml"
    options = {"extraction": {"params": str(path)}}
    assert "The PyRadiomics parameter file must exist" in files.problem(**options)
    path.write_text(good.replace("normalize: true ", "normalize: false"), encoding="utf-8")
    files.study(**options)
    assert "removeOutliers cuts normalised values only" in caplog.text
    path.write_text(good.replace("  Gradient:", "  LBP2D: {}\n  Gradient:"), encoding="utf-8")
    assert "Every image type of the parameter file must yield" in files.problem(**options)
    path.write_text(good.replace("binWidth: 25", "binWidth: 0"), encoding="utf-8")
    assert "`binWidth` must be a number above 0" in files.problem(**options)

    # The same through snakemake: no rule has started, and no folder of results is made.
    study = tmp_path / "study.json"
    study.write_text(json.dumps(files.config(**options)), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", study]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "`binWidth` must be a number above 0. Found: 0. In: mine.yaml" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_the_treated_level_must_be_a_clinical_column(tmp_path):
    files = Files(tmp_path)
    named = files.config(preflight={"treated_level": "sex"})
    assert validate.validate_study(named).config["preflight"]["treated_level"] == "sex"
    with refusal(
        "treated-column-missing",
        StudyError,
        match=r"must be one of the clinical table's. Found: where",
    ):
        validate.validate_study(files.config(preflight={"treated_level": "where"}))
    alone = {**named, "clinical": None, "dictionary": None, "outcome": None}
    with refusal("treated-column-missing", StudyError, match="Found: sex, and no clinical table"):
        validate.validate_study(alone)


def test_a_feature_to_ablate_must_be_a_candidate(files):
    named = ["original_shape_Sphericity", "age"]
    study = files.study(ablation={"features": named})
    assert study.config["ablation"]["features"] == named
    said = "An ablation can only remove candidates of the models. Found: "
    assert f"{said}original_shape_Spherity." in files.problem(
        ablation={"features": [*named, "original_shape_Spherity"]}
    )
    text = files.problem(ablation={"features": ["agee"]})
    assert "config key ablation.features. Remedy: perhaps `age` is meant" in text
    # A column that no model may see cannot be taken away from one.
    assert f"{said}vas." in files.problem(ablation={"features": ["vas"]})


def test_a_feature_to_ablate_may_come_from_a_ready_table(files):
    ready = files.folder / "features.csv"
    table = pd.DataFrame({"patient_id": files.clinical["patient_id"], "own_texture": 1.5})
    table.to_csv(ready, index=False)
    given = {"cases": None, "features": {"A": str(ready)}, "model_reader": "A"}
    assert files.study(**given, ablation={"features": ["own_texture"]}).cases is None
    text = files.problem(**given, ablation={"features": ["own_textur"]})
    assert "perhaps `own_texture` is meant" in text
    assert "Found: patient_id" in files.problem(**given, ablation={"features": ["patient_id"]})
