"""Columns among features that speak of time, death, stage or age are kept out and named."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from demo.feature_names import feature_names
from pipeline.core.errors import StudyError
from pipeline.tables.features.feature_columns import Layout, LayoutOptions
from pipeline.tables.features.feature_suspects import suspects, telling_word
from pipeline.tables.features.feature_tables import read_features
from pipeline.tables.files.sheets import column_names
from tests.support.refusals import refusal
from tests.support.small_tables import NAMES, small_study, small_tables

RADAR = [
    f"{name}.{kind}"
    for name in ("Energy", "Entropy", "Contrast", "Volume", "Busyness")
    for kind in ("original", "wavelet.HHL", "wavelet.LLH")
]
MIRP = [
    *("stat_mean", "stat_var", "morph_volume", "morph_com", "loc_peak_loc", "loc_peak_glob"),
    *("ivh_v10", "cm_joint_max_d1_3d_avg", "cm_info_corr1_d1_3d_avg", "rlm_sre_3d_avg"),
    *("szm_sze_3d", "dzm_sde_3d", "ngt_coarseness_3d", "ngl_lde_d1_a0.0_3d", "ih_mode_fbn_n32"),
]
LIFEX = [
    *("CONVENTIONAL_HUmin", "CONVENTIONAL_HUmean", "SHAPE_Volume(mL)", "GLCM_Dissimilarity"),
    *("DISCRETIZED_HISTO_Entropy_log10", "GLCM_Energy[=AngularSecondMoment]", "GLRLM_SRE"),
    *("GLRLM_LRE", "NGLDM_Coarseness", "NGLDM_Busyness", "GLZLM_SZE", "GLZLM_ZP"),
    *("INTENSITY-BASED_StandardizedUptakeValueMean", "DISCRETIZED_HUpeakSphere0.5mL"),
]
PLAIN = ["Mean", "Median", "Entropy", "Run Percentage", "Average", "LongRunEmphasis", "Sphericity"]
CERR = [
    *("Shape_majorAxis", "Shape_volume", "Shape_sphericity", "Original_firstOrderS_min"),
    *(
        "Original_firstOrderS_mean",
        "Original_glcmFeatS_AvgS_energy",
        "Original_ngtdmFeatS_coarseness",
    ),
    *("Original_rlmFeatS_AvgS_shortRunEmphasis", "Original_szmFeatS_largeZoneEmphasis"),
    *("Wavelets_Coif1__HHH_firstOrderS_min", "Wavelets_Coif1__HHH_firstOrderS_max"),
]
MAZDA = [
    *("Perc.01%", "S(1,0)AngScMom", "S(1,0)Contrast", "Horzl_RLNonUni", "Vertl_GLevNonU", "Area_S"),
    *(
        "45dgr_Fraction",
        "GrMean",
        "GrVariance",
        "Teta1",
        "Teta2",
        "Sigma",
        "WavEnLL_s-1",
        "Kurtosis",
    ),
]
CLINICAL = [
    *("age", "Age_at_diagnosis", "Survival.time", "Clinical.T.Stage", "OS_days", "deadstatus"),
    *("sex", "Gender", "followup", "Follow.Up", "Overall.Stage", "Histology.Grade", "PFS_event"),
    *("time to death", "Recurrence", "status", "vitalStatus", "monthsSinceSurgery", "Target"),
]


@pytest.mark.parametrize("names", [RADAR, MIRP, LIFEX, PLAIN, list(feature_names()[:40])])
@pytest.mark.parametrize("column", CLINICAL)
def test_a_clinical_column_is_named_in_every_softwares_table(names, column):
    assert list(suspects([*names, column])) == [column]


@pytest.mark.parametrize("names", [RADAR, MIRP, LIFEX, PLAIN, list(feature_names())])
def test_a_table_of_features_alone_has_no_suspect(names):
    assert suspects(names) == {}


@pytest.mark.parametrize("column", ["Kappa", "Zeta", "number"])
def test_a_name_unlike_all_others_is_named(column):
    for names in (RADAR, MIRP, list(feature_names()[:40]), [f"f{at}" for at in range(12)]):
        assert suspects([*names, column]) == {column: "a name unlike the others"}
    assert suspects([*RADAR, "MeshVolume"]) == {}
    assert suspects([*PLAIN, column]) == {}


def test_a_suspect_is_kept_out_until_it_is_asked_for(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    features, clinical = small_tables()
    table = pd.DataFrame(np.random.default_rng(2).normal(size=(60, len(RADAR))), columns=RADAR)
    table.insert(0, "patient_id", clinical["patient_id"])
    table = table.assign(age=clinical["age"], **{"Survival.time": np.arange(60) * 1.5})
    table["deadstatus.event"] = clinical["pain"]
    formula = "`deadstatus.event` == 1"
    study = small_study(tmp_path, {"A": table}, formula=formula)
    assert "2 columns are kept out of the features" in caplog.text
    assert "Survival.time (the word survival)" in caplog.text
    layout = Layout.of(study.options(LayoutOptions), study.dictionary)
    _, names, dropped = read_features(tmp_path / "A.csv", "A", "patient_id", layout)
    assert names == RADAR
    assert dropped == ["age", "Survival.time", "deadstatus.event"]
    caplog.clear()
    study = small_study(
        tmp_path, {"A": table}, formula=formula, also_features=["age"], not_features=["Surv*"]
    )
    layout = Layout.of(study.options(LayoutOptions), study.dictionary)
    assert "kept out" not in caplog.text
    _, names, _ = read_features(tmp_path / "A.csv", "A", "patient_id", layout)
    assert names == [*RADAR, "age"]
    small_study(tmp_path, features, clinical, None, "pain == 1")
    assert "kept out" not in caplog.text


def test_a_table_of_suspects_alone_says_what_to_write(tmp_path):
    _, clinical = small_tables()
    table = clinical.rename(columns={"age": "Survival.time"})[["patient_id", "Survival.time"]]
    with refusal("feature-table-without-features", StudyError) as caught:
        small_study(tmp_path, {"A": table}, clinical, None, "pain == 1")
    assert "also_features" in str(caught.value)


def test_published_tables_have_no_feature_among_the_suspects(testdata):
    layout = Layout(asked=())
    files = sorted((testdata / "pyradiomics_baseline" / "baseline").glob("*.csv"))
    assert len(files) > 5
    for path in files:
        assert layout.kept_out(column_names(path)) == {}
    folder = testdata / "qin_prostate_repeat" / "EvalData"
    for path in folder.glob("pyRadiomics*.csv"):
        assert set(layout.kept_out(column_names(path))) == {
            *("study", "series", "canonicalType", "segmentedStructure")
        }
    assert telling_word("original_firstorder_Mean") is None
    assert layout.features_among(["patient_id", *NAMES]) == NAMES


def test_a_column_is_named_by_its_very_name_whatever_signs_it_holds(tmp_path):
    """The remedy `not_features: [name]` must work for names that are no pattern of themselves."""
    import yaml

    from pipeline.tables.columns import quoted

    for name in ("GLCM_Energy[=AngularSecondMoment]", "Idm: d'2, x", "plain_1"):
        assert yaml.safe_load(f"[{quoted(name)}]") == [name]
        kept = Layout(left_out=(name,)).features_among(["GLCM_Idm", name])
        assert kept == ["GLCM_Idm"]


@pytest.mark.parametrize("name", ["Überlebenszeit", "Todesdatum", "Tumorstadium", "TTE", "weight"])
def test_many_clinical_columns_do_not_hide_each_other(name):
    clinical = [name, *(f"plain{letter}" for letter in "abcdefghij")]
    assert name in suspects([*(f"feat_glcm_{n}" for n in "abcdef"), *clinical])


CLINICAL_IN_SHORT = [
    *(
        "OSmonths",
        "OSm",
        "pfs_m",
        "pfsmonths",
        "OSTime",
        "timetodeath",
        "ageatdiagnosis",
        "los_days",
    ),
    *(
        "height",
        "weight_kg",
        "Groesse",
        "Gr\u00f6\u00dfe",
        "pT",
        "cN",
        "ypT",
        "pTNM",
        "cM",
        "hb",
        "LDH",
        "SINS",
    ),
    *("Frankel", "ecog", "kps", "mRS", "center", "Klinik", "score", "opdatum", "dauer", "Verlauf"),
    *(
        "poids",
        "survie",
        "edad",
        "leeftijd",
        "numMets",
        "\u5e74\u9f84",
        "\u751f\u5b58\u65f6\u95f4",
        "\u0432\u043e\u0437\u0440\u0430\u0441\u0442",
        "status",
    ),
]


@pytest.mark.parametrize("names", [RADAR, MIRP, LIFEX, PLAIN, CERR, MAZDA, feature_names()[:40]])
def test_many_clinical_columns_in_short_are_named(names):
    assert set(suspects([*names, *CLINICAL_IN_SHORT])) == set(CLINICAL_IN_SHORT)
    assert suspects(names) == {}


@pytest.mark.parametrize("names", [RADAR, MIRP, CERR, feature_names()[:40]])
def test_names_without_the_tables_pattern_do_not_hide_each_other(names):
    unlike = ["foo", "bar", "baz", "Kappa", "Zeta"]
    assert set(suspects([*names, *unlike])) == set(unlike)


@pytest.mark.parametrize("name", [
    *("BoundingBoxHeight", "ImageHeight", "CenterOfMassShift", "zscore_mean", "morph_com"),
    *("RunLengthNonUniformity", "D95", "T1w_glcm_contrast", "SUVmax", "Teta1", "MTV", "Idmn"),
    *("Solidity", "resnet50_feat_12", "45dgr_Fraction", "ngtdm_Busyness", "LongRunEmphasis"),
])  # fmt: skip
def test_a_feature_has_no_telling_word(name):
    assert telling_word(name) is None
