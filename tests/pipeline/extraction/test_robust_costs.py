"""What a parameter file costs in robust features: readers, perturbations, and both."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline.core.files import write_table
from pipeline.extraction.parameter_sets.robust_costs import (
    Limits,
    by_image_type,
    measured_by_studies,
)
from pipeline.study.config import resolve_config
from pipeline.study.study import open_study
from pipeline.tables.schemas.features.perturbations import Robustness
from pipeline.tables.schemas.features.reproducibility import Reproducibility
from pipeline.tables.schemas.study_tables import Cases
from tests.support.filled import filled

NAMES = ["original_glcm_Idm", "original_glcm_Imc1", "gradient_firstorder_Mean"]
LIMITS = Limits(0.85, 0.9, "lower")


def measure(study, limits):
    return measured_by_studies(study.folder, study.config["cases"], limits)


@pytest.fixture
def make(tmp_path):
    """Return a function that lays out a study with the tables that are given."""

    def made(name: str, ccc=None, icc=None, file="ge2025", cases="cases.csv", **options) -> Path:
        folder = tmp_path / name
        config = resolve_config(
            {
                "study": name, "cases": cases, "results": str(tmp_path),
                "extraction": {"params": f"radiomics_params/{file}.yaml"},
                "perturbations": {"repetitions": 0 if icc is None else 30, **options},
            }
        )  # fmt: skip
        (folder / "study").mkdir(parents=True)
        (folder / "study" / "study.yaml").write_text(yaml.safe_dump(config))
        write_table(filled(Cases, [{"case_id": "c"}]), folder / "study" / "cases.parquet", Cases)
        for values, column, schema in (
            (ccc, "ccc", Reproducibility), (icc, "icc_low", Robustness),
        ):  # fmt: skip
            if values is not None:
                rows = [
                    {"feature": feature, "image_type": feature.split("_")[0], column: value}
                    for feature, value in zip(NAMES, values, strict=True)
                ]
                path = folder / "tables" / f"{schema.__name__.lower()}.parquet"
                write_table(filled(schema, rows), path, schema)
        return folder / "study"

    return made


NONE = float("nan")


@pytest.mark.parametrize(
    ("ccc", "icc", "counts", "text"),
    [
        ([0.9, 0.5, NONE], None, [1, 2, None, None, None, None], "agree on 1 of 2 features"),
        (None, [0.95, 0.91, 0.1], [None, None, 2, 3, None, None], "2 of 3 survive perturbations"),
        (
            [0.9, 0.5, NONE], [0.95, 0.91, 0.1], [1, 2, 2, 3, 1, 2],
            "readers agree on 1 of 2 features, 2 of 3 survive perturbations, 1 of 2 both",
        ),
        (None, None, [None] * 6, "not measured yet"),
    ],
)  # fmt: skip
def test_each_test_and_both_are_counted(make, ccc, icc, counts, text):
    found = measure(open_study(make("mine", ccc, icc)), LIMITS).by_file["ge2025"]
    assert list(found.columns().values()) == counts
    assert found.text().endswith(text)


def test_the_limits_are_the_studys_own(make):
    study = open_study(make("mine", [0.9, 0.8, 0.7], [0.9, 0.8, 0.7]))
    assert Limits.of(study.config["selection"]) == LIMITS
    lax = LIMITS._replace(ccc=0.75, icc=0.65)
    assert list(measure(study, lax).by_file["ge2025"].columns().values()) == [2, 3, 3, 3, 2, 3]
    estimate = measure(study, LIMITS._replace(bound="estimate")).by_file["ge2025"]
    assert estimate.survived is None  # the table holds lower limits alone


def test_a_study_perturbed_otherwise_or_of_other_cases_does_not_count(make, caplog):
    study = open_study(make("mine", icc=[0.95, 0.91, 0.1]))
    make("same", icc=[0.95, 0.91, 0.95], file="hu")
    make("harder", [0.9, 0.9, 0.9], [0.1, 0.1, 0.1], "margin-25", volume_fraction=0.15)
    make("elsewhere", [0.9, 0.9, 0.9], file="bin-width-10", cases="others.csv")
    found = measure(study, LIMITS).by_file
    assert found["hu"].text() == "3 of 3 survive perturbations"
    assert found["margin-25"].text() == "readers agree on 3 of 3 features"
    assert "study harder was perturbed otherwise (volume_fraction)" in caplog.text
    assert "bin-width-10" not in found


@pytest.mark.parametrize("text", ["", "study: other\n", "- torn\n"])
def test_a_torn_or_older_study_beside_does_not_count(make, tmp_path, text):
    study = open_study(make("mine", [0.9, 0.9, 0.9]))
    (tmp_path / "other" / "study").mkdir(parents=True)
    (tmp_path / "other" / "study" / "study.yaml").write_text(text)
    assert set(measure(study, LIMITS).by_file) == {"ge2025"}


def test_of_two_studies_with_one_file_the_one_that_measured_more_counts(make):
    study = open_study(make("mine", [0.9, 0.9, 0.9]))
    make("also", [0.1, 0.1, 0.1])
    assert measure(study, LIMITS).by_file["ge2025"].agreed.robust == 3
    make("more", [0.1, 0.9, 0.9], [0.95, 0.95, 0.1])
    found = measure(study, LIMITS).by_file["ge2025"]
    assert [found.agreed.robust, found.survived.robust, found.both.robust] == [2, 2, 1]


def test_image_types_are_counted_each(make):
    study = open_study(make("mine", [0.9, 0.5, 0.9], [0.95, 0.95, 0.1]))
    assert by_image_type(measure(study, LIMITS).features, LIMITS) == [
        "gradient: readers agree on 1 of 1 features, 0 of 1 survive perturbations, 0 of 1 both",
        "original: readers agree on 1 of 2 features, 2 of 2 survive perturbations, 1 of 2 both",
    ]
