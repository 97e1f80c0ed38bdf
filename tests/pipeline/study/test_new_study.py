"""Templates of a new study: complete, valid once their files exist, and never in the way."""

from __future__ import annotations

from argparse import Namespace

import pandas as pd
import pytest
import yaml

from demo.clinical import COHORTS, simulate, template_of
from pipeline.core.errors import StudyError
from pipeline.core.files import write_csv
from pipeline.study.config import PROTOCOLS, load_config
from pipeline.study.new_study import OUTCOMES, TABLES, _arguments, main, write_templates
from pipeline.tables.registered import write_marker
from pipeline.tables.schema import load_schema
from pipeline.validate import validate_study
from tests.support.refusals import refusal


def test_templates_become_a_valid_study(tmp_path, monkeypatch, repository):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "radiomics_params").symlink_to(repository / "radiomics_params")
    write_templates("pain-2025", "studies/pain-2025")
    config = load_config(["studies/pain-2025/config.yaml"])
    with refusal(
        "cases-table-not-found", StudyError, match=r"vertebromics intake DICOM_ROOT MASK_ROOT"
    ):
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
    with refusal(
        "template-would-overwrite", StudyError, match=r"must not overwrite.*clinical\.csv"
    ):
        write_templates("s", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["clinical.csv"]


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x", "a/b"])
def test_name_is_a_plain_word(tmp_path, name):
    with refusal("study-name-invalid", StudyError):
        write_templates(name, tmp_path)


def test_next_steps_are_told(tmp_path, capsys, monkeypatch):

    monkeypatch.chdir(tmp_path)
    main(Namespace(name="s", folder=None, features=[], protocol=None))
    printed = capsys.readouterr().out
    assert "vertebromics intake DICOM_ROOT MASK_ROOT --out studies/s/study" in printed
    assert "vertebromics check --config studies/s/config.yaml" in printed
    assert (tmp_path / "studies" / "s" / "config.yaml").exists()


@pytest.mark.parametrize("protocol", COHORTS)
def test_the_templates_of_a_published_study_are_its_tables(tmp_path, protocol, capsys, repository):
    """With the patients of the demo cohort in place of the example, the study is valid."""
    folder = tmp_path / "s"
    options = _arguments().parse_args(["s", "--protocol", protocol, "--folder", str(folder)])
    main(options)
    assert f"vertebromics run --configfile {folder}/config.yaml" in capsys.readouterr().out
    found = {path.name for path in folder.iterdir()}
    assert found == {"config.yaml", "clinical.csv", "dictionary.csv"}
    config = load_config([folder / "config.yaml"])
    assert config["protocol"] == protocol
    demo = yaml.safe_load((repository / f"config/demo-{protocol}.yaml").read_text(encoding="utf-8"))
    assert demo.get("outcome") == OUTCOMES[protocol]
    for name, table in template_of(protocol).items():
        write_csv(table, tmp_path / "again.csv")
        own = (PROTOCOLS / protocol / f"{name}.csv").read_bytes()
        assert own == (tmp_path / "again.csv").read_bytes(), "python -m demo.clinical --templates"
        assert (folder / f"{name}.csv").read_bytes() == own
    header = pd.read_csv(folder / "clinical.csv", encoding="utf-8-sig")
    assert header["patient_id"].tolist() == ["EXAMPLE-0001"]
    write_csv(simulate(protocol)[0][list(header)], folder / "clinical.csv")
    study = validate_study(config)
    assert len(study.clinical) == COHORTS[protocol].patients


def test_the_protocol_with_images_is_a_line_of_the_templates(tmp_path):
    write_templates("s", tmp_path / "with", protocol="ge2025")
    write_templates("s", tmp_path / "without")
    texts = [
        (tmp_path / name / "config.yaml").read_text(encoding="utf-8")
        for name in ("with", "without")
    ]
    assert yaml.safe_load(texts[0])["protocol"] == "ge2025"
    assert "protocol" not in yaml.safe_load(texts[1])
    assert {path.stem for path in PROTOCOLS.glob("*.yaml")} == {"ge2025", *OUTCOMES}


def test_a_protocol_and_feature_tables_are_two_kinds_of_study(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        _arguments().parse_args(["s", "--protocol", "li2021", "--features", "f.csv"])
    assert end.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def feature_table(folder, **columns):
    table = pd.DataFrame(columns | {"original_glcm_Idm": range(40), "wavelet-LLH_glcm_Idm": 1.5})
    table.to_csv(folder / "f.csv", index=False)
    return folder / "f.csv"


@pytest.mark.parametrize(
    ("columns", "named", "formula"),
    [
        ({"ID": range(7, 47), "Target": [0, 1] * 20}, {"patient_id": "ID"}, "Target == 1"),
        (
            {"Unnamed: 0": [f"case {n}.nii" for n in range(40)], "class": ["b"] * 22 + ["m"] * 18},
            {"patient_id": "Unnamed: 0"},
            "class == 'm'",
        ),
        (
            {"age": range(40), "Patient ID": [f"P{n}" for n in range(40)], "cr.popf": [1, 2] * 20},
            {"patient_id": "Patient ID"},
            "`cr.popf` == 2",
        ),
        ({"patient_id": range(40), "os event": ["1.0", "0.0"] * 20}, {}, "`os event` == 1"),
    ],
)
def test_a_feature_tables_header_proposes_a_study(tmp_path, columns, named, formula):
    path = feature_table(tmp_path, **columns)
    write_templates("s", tmp_path / "s", [path])
    assert [each.name for each in (tmp_path / "s").iterdir()] == ["config.yaml"]
    config = load_config([tmp_path / "s" / "config.yaml"])
    assert config["columns"] == named
    assert config["outcome"]["formula"] == formula
    study = validate_study(config)
    assert len(study.clinical) == 40


def test_what_cannot_be_guessed_is_left_to_be_written(tmp_path):
    path = feature_table(tmp_path, pid=range(40), age=range(40))
    write_templates("s", tmp_path / "s", [path, path])
    text = (tmp_path / "s" / "config.yaml").read_text(encoding="utf-8")
    assert "model_reader: A" in text
    assert "bear no name of PyRadiomics: pid, age." in text
    with refusal("option-value-invalid", StudyError, match="`formula`"):
        load_config([tmp_path / "s" / "config.yaml"])


def test_a_table_of_features_alone_has_nobody(tmp_path):
    with refusal("feature-table-without-ids", StudyError):
        write_templates("s", tmp_path / "s", [feature_table(tmp_path)])
    assert not (tmp_path / "s").exists()


def test_the_command_says_what_is_guessed(tmp_path, capsys):
    path = feature_table(tmp_path, ID=range(40), Target=[0, 1] * 20)
    main(Namespace(name="s", folder=tmp_path / "s", features=[path], protocol=None))
    said = capsys.readouterr().out
    assert "are guesses" in said
    assert "register" not in said
