"""Remedies of rules and package that do not belong together: rows of the section Configuration."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.core.version import VERSION
from pipeline.running.deployed import RULES, check_paths, check_rules, check_working_directory
from pipeline.running.one_command import PARTS
from pipeline.study import new_study
from pipeline.study.config import load_config
from pipeline.study.study import open_study, write_study
from pipeline.study_of_run import study_of_run
from tests.pipeline.test_validate import Files
from tests.remedies import Remedy, refused

SECTION = "Configuration"


def own_text(name: str) -> str:
    return (RULES / name).read_text(encoding="utf-8")


def no_study(folder: Path) -> None:
    told = refused(SECTION, "No study named at all", lambda: study_of_run({}), "--configfile")
    part = re.search(r"vertebromics (\w+) NAME", str(told)).group(1)
    assert PARTS[part].module == new_study.__name__
    written = new_study.write_templates("mine", folder)
    (config,) = (path for path in written if path.name == "config.yaml")
    assert load_config([config])["study"] == "mine"


def other_version(folder: Path) -> None:
    name = "A module whose Snakefile and installed package are of two versions"
    refused(
        SECTION, name, lambda: check_rules("9.9.9", own_text), "pip install .* Snakefile's version"
    )
    check_rules(VERSION, own_text)


def other_rules(folder: Path) -> None:
    def edited(name: str) -> str:
        return own_text(name) + "#" * (name == "train.smk")

    name = "The same version number, but other rules"
    refused(
        SECTION, name, lambda: check_rules(VERSION, edited), "pip install .* Snakefile's version"
    )
    check_rules(VERSION, own_text)


def other_packages(folder: Path) -> None:
    name = "A working directory with a package called `models` or `pipeline` of its own"
    here, elsewhere = folder / "here", folder / "elsewhere"
    for made in (here / "models", elsewhere):
        made.mkdir(parents=True)
    (here / "models" / "__init__.py").touch()
    refused(SECTION, name, lambda: check_working_directory(here), "snakemake --directory FOLDER")
    check_working_directory(elsewhere)


def moved_paths(folder: Path) -> None:
    name = "`prefix:` or `replace_prefix:` in a module statement"
    paths = ["results/s"]
    told = refused(
        SECTION, name, lambda: check_paths(paths, "x/{}".format), "set the option `results`"
    )
    moved = re.search(r"would become (\S+)\. ", str(told)).group(1)
    check_paths([moved], lambda path: path)  # without it, and with that folder as `results`


def frozen_before(folder: Path) -> None:
    name = (
        "A stage run by hand on a study of ready feature tables that an earlier version has frozen"
    )
    files, given = Files(folder), {}
    for reader, rows in files.cases.groupby("reader"):
        table = rows[["patient_id", "case_id"]].assign(size=range(len(rows)), mean=1.5)
        table.to_csv(folder / f"{reader}.csv", index=False)
        given[reader] = str(folder / f"{reader}.csv")
    study = files.study(cases=None, features=given)
    write_study(study, folder / "frozen")
    for path in (folder / "frozen").glob("ready*"):
        path.unlink()
    refused(
        SECTION,
        name,
        lambda: open_study(folder / "frozen").ready_tables(),
        "python -m pipeline.validate, on its configuration",
    )
    write_study(study, folder / "frozen")
    assert len(open_study(folder / "frozen").ready_tables().cases)


REMEDIES: dict[str, Remedy] = {
    "No study named at all": no_study,
    "A module whose Snakefile and installed package are of two versions": other_version,
    "The same version number, but other rules": other_rules,
    "A working directory with a package called `models` or `pipeline` of its own": other_packages,
    "`prefix:` or `replace_prefix:` in a module statement": moved_paths,
    "A stage run by hand on a study of ready feature tables that an earlier version has frozen": (
        frozen_before
    ),
}
