"""Agreement of readers per feature, on small tables and on repeated scans of real persons."""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
import pytest
import yaml

from models.transformers.ccc_filter import CCCFilter
from pipeline import reproducibility
from pipeline.core.errors import StudyError
from pipeline.core.files import read_table, write_table
from pipeline.reproducibility import describe_agreement
from pipeline.tables.schemas.study_tables import Cases
from tests.support.filled import filled
from tests.support.refusals import refusal

NAMES = ["original_shape_MeshVolume", "wavelet-LLH_glcm_Idm", "bmd"]


def features_table(readers=("A", "B"), cases=12, seed=0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(cases, len(NAMES)))
    tables = []
    for reader in readers:
        noise = rng.normal(0, [0.01, 0.5, 2], truth.shape)
        table = pd.DataFrame(truth + noise, columns=NAMES)
        table.insert(0, "case_id", [f"{i:03d}-L1" for i in range(cases)])
        table.insert(1, "reader", reader)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def test_one_row_per_feature_with_the_parts_of_its_name():
    table = describe_agreement(features_table(), ["A", "B"])
    assert list(table.columns) == list(reproducibility.COLUMNS)
    assert table["feature"].tolist() == NAMES
    assert table["image_type"].tolist() == ["original", "wavelet-LLH", None]
    assert table["feature_class"].tolist() == ["shape", "glcm", None]
    assert table["n"].tolist() == [12] * 3
    assert table["ccc"].is_monotonic_decreasing
    assert table["icc"].is_monotonic_decreasing
    assert ((table["ccc_low"] < table["ccc"]) & (table["ccc"] < table["ccc_high"])).all()


def test_rows_are_paired_by_case_and_not_by_place():
    features = features_table()
    shuffled = features.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(
        describe_agreement(shuffled, ["A", "B"]), describe_agreement(features, ["A", "B"])
    )


def test_a_case_of_one_reader_only_does_not_count():
    features = features_table()
    features.loc[3, NAMES[1]] = np.nan
    table = describe_agreement(features.drop(index=12), ["A", "B"])
    assert table["n"].tolist() == [11, 10, 11]


def test_a_wider_interval_at_a_higher_level():
    narrow, wide = (describe_agreement(features_table(), ["A", "B"], c) for c in (0.8, 0.99))
    assert (wide["ccc_low"] < narrow["ccc_low"]).all()


def test_agreement_within_levels_stands_beside_that_over_all():
    """What tells the levels apart and nothing else agrees over all cases, and not within levels."""
    features = features_table(cases=24)
    levels = pd.Series(["T12", "L1", "L2"] * 8, [f"{i:03d}-L1" for i in range(24)])
    features[NAMES[2]] += features["case_id"].map(levels).map({"T12": 0, "L1": 50, "L2": 100})
    table = describe_agreement(features, ["A", "B"], levels=levels).set_index("feature")
    assert table.loc[NAMES[2], "ccc"] > 0.95
    assert table.loc[NAMES[2], "ccc_within"] < 0.5
    assert table.loc[NAMES[0], "ccc_within"] > 0.95
    for unknown in (levels[1:], levels.replace({"L1": None}), levels * 0 + "L1"):
        assert describe_agreement(features, ["A", "B"], levels=unknown)["ccc_within"].isna().all()


def test_levels_come_from_the_masks_or_from_ready_features():
    cases = pd.DataFrame({"case_id": ["001-L1", "001-L1", "002-T12"], "level": ["L1", "L1", "T12"]})
    for known in (cases, cases.drop_duplicates()):
        assert reproducibility.levels_of(known).to_dict() == {"001-L1": "L1", "002-T12": "T12"}
    assert reproducibility.levels_of(cases[["case_id"]].drop_duplicates()) is None


def test_one_reader_has_nothing_to_compare():
    table = describe_agreement(features_table(readers=["A"]), ["A"])
    assert table.empty
    assert list(table.columns) == list(reproducibility.COLUMNS)


def test_two_rows_of_one_case_and_reader_are_refused():
    features = pd.concat([features_table(), features_table()[:1]])
    with refusal(
        "features-row-repeated", StudyError, match=r"one row per case and reader. Found: 000-L1 A"
    ):
        describe_agreement(features, ["A", "B"])


def test_a_table_of_patients_is_paired_by_patient():
    features = features_table().rename(columns={"case_id": "patient_id"})
    assert describe_agreement(features, ["A", "B"])["n"].tolist() == [12] * 3


def test_of_nine_readers_the_pair_that_agrees_least_decides_as_in_the_filter():
    """The third reader measured one feature quite otherwise: the first two alone would not show."""
    readers = list("ABCDEFGHI")
    features = features_table(readers, cases=60)
    of_third = features["reader"] == "C"
    features.loc[of_third, NAMES[0]] = np.random.default_rng(6).normal(size=60)
    table = describe_agreement(features, readers).set_index("feature")
    row = table.loc[NAMES[0]]
    assert row["readers"] == 9
    assert "C" in (row["reader_a"], row["reader_b"])
    assert abs(row["ccc"]) < 0.4
    assert row["ccc"] < row["ccc_overall"] < 0.95
    assert row["icc"] == pytest.approx(row["ccc_overall"], abs=0.02)
    pair = describe_agreement(features, ["A", "B"]).set_index("feature").loc[NAMES[0]]
    assert pair["ccc"] > 0.99
    named = describe_agreement(features, [row["reader_a"], row["reader_b"]]).set_index("feature")
    shared = ["n", "ccc", "ccc_low", "ccc_high"]
    pd.testing.assert_series_equal(named.loc[NAMES[0], shared], row[shared])

    wide = pd.concat(
        [
            rows.set_index("case_id")[NAMES].add_prefix(f"{reader}:")
            for reader, rows in features.groupby("reader")
        ],
        axis=1,
    )
    filtering = CCCFilter(readers, NAMES, model_reader="A").fit(wide)
    pd.testing.assert_series_equal(filtering.ccc_, table["ccc"], check_names=False)


def test_a_feature_without_a_ccc_says_why():
    features = features_table(("A", "B", "C"))
    of_second = features["reader"] == "B"
    features.loc[of_second, NAMES[0]] = np.nan
    features.loc[of_second & (features["case_id"] != "000-L1"), NAMES[1]] = np.nan
    features[NAMES[2]] = 7.0
    table = describe_agreement(features, ["A", "B", "C"])
    assert table["ccc"].isna().all()
    assert table["reason"].tolist() == [
        "no value of reader B",
        "fewer than two cases with a value of both A and B",
        "one and the same value in all cases, by A and B",
    ]
    assert describe_agreement(features_table(), ["A", "B"])["reason"].isna().all()
    features.loc[features["reader"] == "C", NAMES[0]] = np.nan
    reasons = describe_agreement(features, ["A", "B", "C"])["reason"]
    assert reasons[0] == "no value of reader B, C"


@pytest.mark.parametrize("readers", [("A", "B"), ("A",), ()])
def test_the_command_writes_table_and_copy(tmp_path, readers):
    study = tmp_path / "study"
    study.mkdir()
    config = {
        "study": "s",
        "model_reader": None,
        "evaluation": {"confidence": 0.95},
        "selection": {"ccc": {"threshold": 0.85}},
    }
    (study / "study.yaml").write_text(yaml.safe_dump(config))
    cases = [f"{i:03d}-L1" for i in range(12)]
    rows = pd.DataFrame({"case_id": cases, "level": ["L1", "L2"] * 6})
    write_table(filled(Cases, rows), study / "cases.parquet")
    features = features_table(readers=readers or ("A",))
    write_table(features if readers else features.head(0), tmp_path / "features.parquet")
    out = tmp_path / "reproducibility.parquet"
    reproducibility.main(
        argparse.Namespace(
            study=study,
            features=tmp_path / "features.parquet",
            agreement=None,
            out=out,
            families=tmp_path / "families.parquet",
        )
    )
    rows = 3 if len(readers) == 2 else 0
    assert len(read_table(out)) == len(pd.read_csv(out.with_suffix(".csv"))) == rows
    assert read_table(out)["ccc_within"].notna().all()
    families = read_table(tmp_path / "families.parquet")
    # All; original, wavelet, not stated; shape, glcm, not stated; and their three pairs.
    assert len(families) == len(pd.read_csv(tmp_path / "families.csv")) == (10 if rows else 0)


def test_the_size_of_the_prostate_repeats_and_its_texture_less(testdata):
    # Schwier et al., Sci Rep 2019;9:9441: two MRI of each of 15 persons; the volume of the whole
    # gland repeats, most texture of the image without normalisation does not reach it.
    name = "pyRadiomicsFeatures_biasCorrectedT2AX_FullStudySettings_noNormalization_3D_bin20.csv"
    table = pd.read_csv(testdata / "qin_prostate_repeat" / "EvalData" / name, sep=";")
    gland = table[table["segmentedStructure"] == "WholeGland"].sort_values("study")
    person = gland["study"].str.split("_").str[0]
    values = gland.filter(regex="^(original|wavelet|log)[^_]*_")
    scan = person.groupby(person).cumcount().map({0: "first", 1: "second"})
    features = pd.concat([person.rename("case_id"), scan.rename("reader"), values], axis=1)
    described = describe_agreement(features, ["first", "second"]).set_index("feature")
    assert (described["n"].loc["original_shape_Volume"]) == 15
    volume = described.loc["original_shape_Volume", "ccc"]
    assert volume > 0.9
    texture = described[described["feature_class"].isin(["glcm", "glrlm", "glszm"])]
    assert len(texture) > 100
    assert texture["ccc"].median() < volume
    assert (described["ccc"] - described["icc"]).abs().median() < 0.02
