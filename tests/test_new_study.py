"""Templates of a new study: complete, valid once their files exist, and never in the way."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.core.config import load_config
from pipeline.core.errors import StudyError
from pipeline.core.registered import write_marker
from pipeline.core.table_schema import load_schema
from pipeline.new_study import TABLES, main, write_templates
from pipeline.validate import validate_study


def test_templates_become_a_valid_study(tmp_path, monkeypatch, repository):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "radiomics_params").symlink_to(repository / "radiomics_params")
    write_templates("pain-2025", "studies/pain-2025")
    config = load_config(["studies/pain-2025/config.yaml"])
    with pytest.raises(StudyError, match=r"pipeline\.register DICOM_ROOT MASK_ROOT"):
        validate_study(config)
    folder = tmp_path / "studies" / "pain-2025"
    study_folder = folder / "study"
    (study_folder / "images" / "EXAMPLE-0001").mkdir(parents=True)
    (study_folder / "masks").mkdir()
    for reader in "AB":
        (study_folder / "masks" / f"EXAMPLE-0001-{reader}.seg.nrrd").touch()
    header, *rows = TABLES["handed_in.csv"]
    cases = pd.DataFrame(rows, columns=header)
    cases.to_csv(study_folder / "cases.csv", index=False)
    write_marker(study_folder, "register", cases)
    study = validate_study(config)
    assert study.name == "pain-2025"
    assert study.readers == ["A", "B"]
    assert study.clinical["age"].tolist() == [71.0]


def test_templates_have_every_column():
    for name, schema in (("handed_in.csv", "cases"), ("dictionary.csv", "dictionary")):
        assert TABLES[name][0] == list(load_schema(schema)["properties"])


def test_example_rows_are_marked():
    for name in ("handed_in.csv", "clinical.csv"):
        assert all(row[0].startswith("EXAMPLE") for row in TABLES[name][1:])


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "clinical.csv").write_text("mine")
    with pytest.raises(StudyError, match=r"must not overwrite.*clinical\.csv"):
        write_templates("s", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["clinical.csv"]


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x", "a/b"])
def test_name_is_a_plain_word(tmp_path, name):
    with pytest.raises(StudyError, match="name of a study"):
        write_templates(name, tmp_path)


def test_next_steps_are_told(tmp_path, capsys, monkeypatch):
    from argparse import Namespace

    monkeypatch.chdir(tmp_path)
    main(Namespace(name="s", folder=None))
    printed = capsys.readouterr().out
    assert "python -m pipeline.register DICOM_ROOT MASK_ROOT --out studies/s/study" in printed
    assert "python -m pipeline.validate --config studies/s/config.yaml" in printed
    assert (tmp_path / "studies" / "s" / "config.yaml").exists()
