"""Provenance: versions against the lock, names without folders of a person, fingerprints."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from pipeline.running.provenance import (
    STAGE_MODULES,
    printable_config,
    python_version,
    relative_name,
    software_version,
    stage_fingerprints,
    versions,
)
from tests.support.refusals import refusal


def test_versions_of_the_checkout_agree_with_its_lock():
    table = versions().set_index("package")
    assert table.loc["pyradiomics", "installed"] == version("pyradiomics")
    assert {"numpy", "simpleitk", "torch"} <= set(table.index)


def test_versions_tell_what_differs(tmp_path):
    lock = tmp_path / "requirements.txt"
    lock.write_text(
        f"# a comment\n--no-binary pyradiomics\nnumpy=={version('numpy')}\n"
        "scipy==0.0.1\nno-such-package-anywhere==1.0 ; python_version > '3'\n"
    )
    table = versions(lock).set_index("package")
    assert list(table.index) == ["numpy", "scipy", "no-such-package-anywhere"]
    assert list(table["agrees"]) == [True, False, False]
    assert table.loc["no-such-package-anywhere", "installed"] is None


def test_a_build_of_the_same_version_agrees(tmp_path, monkeypatch):
    lock = tmp_path / "requirements.txt"
    lock.write_text("torch==2.0.0\n")
    monkeypatch.setattr("pipeline.running.provenance.version", lambda name: "2.0.0+cu126")
    assert versions(lock)["agrees"].all()


@pytest.mark.parametrize("content", [None, "", "numpy>=1\n"])
def test_a_lock_that_pins_nothing_is_refused(tmp_path, content):
    lock = tmp_path / "requirements.txt"
    if content is not None:
        lock.write_text(content)
    with refusal(
        "lock-file-without-packages", match=r"lock file that pins packages. In: requirements\.txt"
    ):
        versions(lock)


@pytest.mark.parametrize(
    ("path", "printed"),
    [
        ("tables/clinical.csv", "tables/clinical.csv"),
        ("/home/PHI-CANARY-0010-0010/clinical.csv", "clinical.csv"),
        ("../PHI-CANARY-0010-0010/clinical.csv", "clinical.csv"),
        ("data/../../PHI-CANARY-0010-0010/x.csv", "x.csv"),
        ("~/PHI-CANARY-0010-0010/x.csv", "x.csv"),
        (r"C:\PHI-CANARY-0010-0010\x.csv", "x.csv"),
        ("C:/PHI-CANARY-0010-0010/x.csv", "x.csv"),
        (r"\\server\PHI-CANARY-0010-0010\x.csv", "x.csv"),
    ],
)
def test_names_lose_what_may_identify(path, printed):
    assert relative_name(path) == printed
    assert printable_config({"a": [path]}) == {"a": [printed]}


def test_formulas_and_numbers_stay_as_they_are():
    config = {"formula": "a / b >= 4", "list": [0.5, None, True], "text": "and/or"}
    assert printable_config(config) == config


def test_every_stage_has_a_fingerprint():
    prints = stage_fingerprints()
    assert list(prints) == list(STAGE_MODULES)
    assert len(set(prints.values())) == len(prints)


def test_versions_are_plain():
    assert python_version().count(".") == 2
    assert software_version()[0].isdigit()
