"""Each table of a study has a class that describes it, and is held to it."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import ProgramError, StudyError
from pipeline.core.files import read_table, write_table
from pipeline.core.table_schema import (
    CELL,
    COUNT,
    COUNT_OR_BLANK,
    FLAG,
    FLAG_AS_OBJECT,
    FLAG_OR_BLANK,
    NUMBER,
    TEXT,
    Column,
    Table,
    columns_of,
    differences,
    types_of,
)
from pipeline.tables.schemas.analysis import Analysis
from pipeline.tables.schemas.catalogue import CATALOGUE, places_of, schema_of
from pipeline.tables.schemas.pages import (
    README,
    PageOptions,
    columns_page,
    study_page,
    write_study_page,
)
from pipeline.tables.schemas.prediction.training import Predictions
from tests.support.refusals import refusal

ALL = {place.schema for place in CATALOGUE}
READY = PageOptions(
    study="s",
    cases=None,
    features={"A": "a.csv"},
    clinical=None,
    sites=None,
    analyses=["prediction"],
    figures=[],
)


class Lengths(Table):
    """One row per case."""

    case_id = Column(TEXT, "case")
    side = Column(TEXT, "side", values=("left", "right"))
    n = Column(COUNT, "voxels")
    rank = Column(COUNT_OR_BLANK, "rank", null="of the last")
    length = Column(NUMBER, "length", unit="mm", null="where unknown")
    width = Column(NUMBER, "width", unit="mm")
    seen = Column(FLAG, "seen")
    whole = Column(FLAG_OR_BLANK, "whole", null="where unknown")
    turned = Column(FLAG_AS_OBJECT, "turned", null="where unknown")
    mode = Column(TEXT, "mode", optional="where it leaks")
    features = Column(NUMBER, "a feature", null="where undefined", pattern="f[0-9]+")
    clinical = Column(CELL, "a column", null="where missing", pattern="c[0-9]+")


def lengths(**columns: object) -> pd.DataFrame:
    table = pd.DataFrame({"case_id": ["a", "b"], "side": ["left", "right"], "n": [1, 2]})
    table["rank"] = pd.array([1, None], dtype="Int64")
    table = table.assign(length=[1.5, np.nan], width=[0.1, 0.2], seen=[True, False])
    table["whole"] = pd.array([True, None], dtype="boolean")
    table["turned"] = pd.Series([True, None], dtype=object)
    table = table.assign(f1=[0.1, np.nan], c1=["x", None], c2=[1.0, np.nan])
    return table.assign(**columns)


def test_a_table_as_its_class_says_passes() -> None:
    assert list(differences(lengths(), Lengths)) == []
    assert list(differences(lengths(mode="LEAKING"), Lengths)) == []
    # Where a column has no value at all, pandas keeps no type.
    nothing = pd.Series([None, None], dtype=object)
    assert list(differences(lengths(length=nothing, f1=nothing), Lengths)) == []
    assert list(differences(lengths().head(0).astype(object), Lengths)) == []


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"case_id": [1, 2]}, "case_id of type int64, not text"),
        ({"case_id": ["a", None]}, "case_id without a value in 1 rows"),
        ({"side": ["left", "up"]}, "side with 1 words that are none of left|right"),
        ({"n": [1.0, 2.0]}, "n of type float64, not whole number"),
        ({"rank": [1.0, np.nan]}, "rank of type float64, not whole number"),
        ({"length": ["1", "2"]}, "length of type object, not number"),
        ({"width": [1.0, np.nan]}, "width without a value in 1 rows"),
        ({"width": pd.Series([None, None], dtype=object)}, "width without a value in 2 rows"),
        ({"seen": [1, 0]}, "seen of type int64, not true or false"),
        ({"turned": ["yes", None]}, "turned of type object, not true or false"),
        ({"f2": ["x", "y"]}, "f2 of type object, not number"),
        ({"g2": [1.0, 2.0]}, "a column g2 that it does not have"),
    ],
)
def test_what_is_not_as_the_class_says_is_told(columns: dict, said: str) -> None:
    assert list(differences(lengths(**columns), Lengths)) == [said]


def test_no_value_of_a_table_is_quoted() -> None:
    """It may be a name."""
    table = lengths(side=["left", "PHI-CANARY-0010-0010"])
    assert "CANARY" not in "".join(differences(table, Lengths))


def test_missing_and_repeated_columns_are_told() -> None:
    assert list(differences(lengths().drop(columns="n"), Lengths)) == ["no column n"]
    twice = pd.concat([lengths(), lengths()[["n"]]], axis=1)
    assert list(differences(twice, Lengths)) == ["2 columns n"]


def test_a_stage_cannot_write_another_table(tmp_path: Path) -> None:
    path = tmp_path / "lengths.parquet"
    with refusal(
        "table-breaks-schema", ProgramError, match=r"Lengths: no column n\. In: lengths\.parquet"
    ):
        write_table(lengths().drop(columns="n"), path, Lengths)
    assert not path.exists()


def test_a_stage_does_not_read_another_table(tmp_path: Path) -> None:
    path = tmp_path / "tables" / "lengths.parquet"
    write_table(lengths(more=1), path)
    assert "more" in read_table(path, Lengths)  # as a later version may write it
    write_table(lengths().drop(columns="n"), path)
    with refusal(
        "table-of-another-version",
        StudyError,
        match=r"no column n\. In: .*tables/lengths\.parquet\. Remedy: d",
    ):
        read_table(path, Lengths)
    assert "n" not in read_table(path)


def test_types_are_what_stages_make_tables_of() -> None:
    assert types_of(Predictions) == {
        "unit_id": "object",
        "patient_id": "object",
        "outcome": "int64",
        "part": "object",
        "probability": "float64",
    }
    made = pd.DataFrame(columns=list(types_of(Lengths))).astype(types_of(Lengths))
    assert set(columns_of(Lengths)) - set(made) == {"mode", "features", "clinical"}
    assert list(differences(made, Lengths)) == []


@pytest.mark.parametrize("schema", sorted(ALL, key=lambda each: each.__name__))
def test_a_class_says_what_a_row_and_each_column_is(schema: type[Table]) -> None:
    assert schema.__doc__.startswith("One row ")
    columns = columns_of(schema)
    assert columns
    for name, column in columns.items():
        assert column.meaning, name
        assert not (column.pattern and not column.named), name
        assert not column.meaning.removesuffix("...").endswith("."), name
        if not column.kind.blank:
            assert not column.null, f"{name} cannot be blank"
        if column.kind in (COUNT_OR_BLANK, FLAG_OR_BLANK, FLAG_AS_OBJECT):
            assert column.null, f"{name}: say when it is blank"


def test_every_class_is_in_the_catalogue(repository: Path) -> None:
    written = set()
    for path in (repository / "pipeline" / "tables" / "schemas").rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and any(
                isinstance(line, ast.Assign) for line in node.body
            ):
                written.add(node.name)
    elsewhere = {"Result", "OfFigures", "StoredFeatures", "StoredRepetitions", "PredictionsOfModel"}
    elsewhere |= {"AurocComparisons", "JudgedComparisons"}
    # Of a frozen model on new patients (deployment).
    elsewhere |= {"FrozenPredictions", "Updates", "ValidationFigures", "ValidationGroups"}
    assert written - elsewhere == {schema.__name__ for schema in ALL}


def test_a_path_has_the_class_of_its_table() -> None:
    assert schema_of("tables/analysis.parquet") is Analysis
    assert schema_of("models/lr/predictions.parquet") is Predictions
    assert schema_of("ablation/lr_seeds.parquet").__name__ == "AblationSeeds"
    assert schema_of("ablation/lr.parquet").__name__ == "Ablation"
    assert schema_of("batches/b0/ingest.parquet") is schema_of("tables/ingest.parquet")
    assert schema_of("tables/unknown.parquet") is None
    assert schema_of("models/lr/more/predictions.parquet") is None


def test_every_table_of_the_page_of_files_has_a_class(repository: Path) -> None:
    """And every class a place on that page."""
    page = (repository / "docs" / "files.md").read_text(encoding="utf-8")
    for place in CATALOGUE:
        if not place.path.startswith("regression/tables/"):
            name = place.path.rpartition("/")[2].replace("<model>", "").removesuffix(".parquet")
            assert name in page, place.path


def test_the_page_beside_results_tells_the_tables_that_a_study_can_have(tmp_path: Path) -> None:
    places = {place.path for place in places_of(READY, ["prediction"], clinical=True)}
    assert "tables/features.parquet" in places
    assert "models/<model>/predictions.parquet" in places
    assert not any(path.startswith(("batches/", "outcomes/", "study/cases")) for path in places)
    only = places_of(replace(READY, features=None), ["outcomes"], clinical=True)
    assert {place.of for place in only} == {"clinical", "outcomes"}
    assert places_of(READY, ["regression"], clinical=False) == [
        place for place in CATALOGUE if place.of in ("ready", "features")
    ]
    write_study_page(tmp_path, READY, clinical=True)
    path = tmp_path / README
    written = path.stat().st_mtime_ns
    write_study_page(tmp_path, READY, clinical=True)
    assert path.stat().st_mtime_ns == written
    assert path.read_text(encoding="utf-8") == study_page(READY, clinical=True)
    assert "| `probability` | number | 0 to 1 |" in path.read_text(encoding="utf-8")
    assert "# Tables of the study s" in path.read_text(encoding="utf-8")


def test_the_page_names_every_table_and_column() -> None:
    page = columns_page()
    for place in CATALOGUE:
        assert f"`{place.path}` ({place.rule})" in page
        for name, column in columns_of(place.schema).items():
            assert f"| `{column.named or name}` | {column.kind.name} |" in page
