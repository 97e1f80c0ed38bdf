import pandas as pd
import pytest

from models.transformers.columns import LEVEL, Columns, candidates_of
from pipeline.core.errors import StudyError
from tests.support.refusals import refusal

INFO = {
    "unit": "case",
    "readers": ["A", "B"],
    "model_reader": "A",
    "features": ["original_shape_Sphericity", "original_glcm_Id"],
    "predictors": [
        {"column": "age", "label": "Age", "type": "continuous", "levels": None},
        {"column": "goutallier", "label": "Goutallier", "type": "ordinal", "levels": "0|1|2"},
        {"column": "cleft", "label": "Cleft", "type": "binary", "levels": "no|yes"},
        {"column": "shape", "label": "", "type": "categorical", "levels": "flat | wedge | crush"},
    ],
    "outcome": {"name": "rbp", "label": "RBP", "formula": "vas >= 4"},
}


@pytest.fixture
def columns():
    return Columns.from_info(INFO)


def test_names_follow_readers_and_dictionary(columns):
    assert columns.radiomics == [
        "A:original_shape_Sphericity",
        "A:original_glcm_Id",
        "B:original_shape_Sphericity",
        "B:original_glcm_Id",
    ]
    assert columns.clinical == ["age", "goutallier", "cleft", "shape"]
    shape = columns.predictors[3]
    assert shape.label == "shape"
    assert shape.encoded == ("shape=wedge", "shape=crush")
    assert columns.predictors[1].encoded == ("goutallier",)


def test_an_encoded_column_leads_back_to_its_predictor(columns):
    assert columns.candidate_of("shape=crush") == "shape"
    assert columns.candidate_of("original_glcm_Id") == "original_glcm_Id"
    assert columns.block_of("cleft=yes") == "clinical"
    assert columns.block_of("original_glcm_Id") == "radiomics"
    assert candidates_of(columns, ["shape=crush", "age", "shape=wedge"]) == ["shape", "age"]


def test_without_removes_features_predictors_and_encoded_columns(columns):
    left = columns.without("original_glcm_Id", "shape=wedge")
    assert left.features == ("original_shape_Sphericity",)
    assert left.clinical == ["age", "goutallier", "cleft"]
    assert columns.without() == columns
    with refusal(
        "removed-not-a-candidate", StudyError, match=r"Only a candidate.*original_glcm_Idn"
    ):
        columns.without("original_glcm_Idn")


def test_without_blocks(columns):
    assert columns.without_blocks("radiomics").names == columns.clinical
    assert columns.without_blocks("clinical").names == columns.radiomics
    with refusal("block-unknown", StudyError):
        columns.without_blocks("genetics")


def test_take_types_and_orders_the_columns(columns):
    table = pd.DataFrame(
        {
            "unit_id": ["0001", "0002"],
            "cleft": ["no", None],
            "shape": pd.array(["wedge", pd.NA], dtype="string"),
            "age": pd.array([70, pd.NA], dtype="Int64"),
            "goutallier": [1.0, None],
            **{name: [1, 2] for name in columns.radiomics},
        }
    )
    X = columns.take(table)
    assert list(X.columns) == [*columns.names, LEVEL]
    assert X[LEVEL].isna().all()
    assert list(X.index) == ["0001", "0002"]
    assert (X.dtypes[[*columns.radiomics, "age", "goutallier"]] == "float64").all()
    assert X.loc["0002", "cleft"] is None
    assert X.loc["0002", "shape"] is None
    with_level = columns.take(table.assign(level=pd.array(["L1", pd.NA], dtype="string")))
    assert list(with_level[LEVEL]) == ["L1", None]
    with refusal("analysis-columns-missing", StudyError, match="1 missing, first age"):
        columns.take(table.drop(columns="age"))


def test_a_level_column_without_levels_is_refused():
    for levels in (None, "only"):
        row = {"column": "sex", "label": "Sex", "type": "binary", "levels": levels}
        with refusal("predictor-one-level", StudyError, match="column sex"):
            Columns.from_info(INFO | {"predictors": [row]})


def test_the_model_needs_a_reader_of_the_study():
    with refusal("model-reader-unknown", StudyError):
        Columns.from_info(INFO | {"model_reader": "C"})
    assert Columns.from_info(INFO | {"model_reader": "mean"}).model_reader == "mean"
    alone = Columns.from_info(INFO | {"readers": ["A"], "model_reader": None})
    assert alone.radiomics == ["A:original_shape_Sphericity", "A:original_glcm_Id"]
