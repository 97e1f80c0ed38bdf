"""What a rule lists its stage reads, what a stage reads its rule lists, and every option is read.

The stages run on small studies whose configuration notes what is read of it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import yaml

import pipeline.study.study
from models.learning.options import ProcedureOptions
from models.repetitions import repeated_stage
from models.split import SplitOptions, split_table
from pipeline.core.sections import part_of
from pipeline.running.stage_options import READ_BY, READ_BY_MODEL, read_by
from pipeline.study.changed import with_option
from pipeline.study.study import Study, write_study
from pipeline.tables.schemas.study_tables import Cases
from pipeline.validate import validate_study
from tests.support import small_study
from tests.support.clinical_study import COURSE, clinical_study, with_course, write_clinical
from tests.support.commands import run_here
from tests.support.controlled_study import controlled_files, write_controlled_study
from tests.support.example_pictures import figure_with, write_pictures
from tests.support.filled import filled
from tests.support.recorded import KNOWN, Recorded, noting
from tests.support.small_tables import DICTIONARY, small_config, small_tables


class Run(NamedTuple):
    """One run of a stage: its rule, the model where there is one, options, those that were read."""

    rule: str
    model: str | None
    config: dict
    read: set[str]

    @property
    def listed(self) -> list[str]:
        """Options that the rule lists."""
        return read_by(self.rule, self.config, self.model if self.rule in READ_BY_MODEL else None)


FRONT_DOOR = "validate"
"""What reads the configuration before any rule: no rule of its own."""

#: Part of every path of a study: another name, or another folder, is another study. And a file
#: whose content is a parameter of the rules that read it.
OF_PATHS = {"study", "results", "extraction.params"}


def configured(repository: Path, **changes: dict) -> dict:
    """Return a frozen configuration with small numbers of everything, and `changes` in it."""
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    config |= {"study": "small", "unit": "case", "model_reader": "A", "models": ["lr"]}
    config["outcome"] = {"name": "rbp", "label": "Pain", "formula": "vas_day3 >= 4"}
    config["split"]["folds"] = 2
    config["search"] |= {"iterations": 2, "reduced_iterations": 1}
    config["evaluation"]["bootstrap"] = 10
    config["selection"]["permutations"] = 1
    config["nested"] |= {"models": ["lr"], "folds": 2}
    config["stability"] |= {"resamples": 2, "permutations": 1}
    config["optimism"] |= {"models": ["lr"], "resamples": 2}
    config["learning_curve"] |= {"models": ["lr"], "shares": [0.5, 1.0], "repeats": 2}
    config["ablation"] |= {"models": ["lr"], "top": 1, "single": 1, "seeds": 1}
    config["ablation"] |= {"families": [], "steps": ["mrmr"]}
    config["tabnet"] |= {"max_epochs": 1, "patience": 1}
    config["interpretation"]["permutations"] = 1
    config["controls"] |= {"kinds": ["shuffled_inside"], "draws": 1}
    for section, options in changes.items():
        known = config[section]
        config[section] = known | options if isinstance(known, dict) else options
    return config


MODELLED = {
    "searched again": {
        "models": ["lr", "tabnet"],
        "search": {"spaces": {"lr": {"C": [1.0, 2.0]}}},
        "nested": {"search": "reduced"},
        "optimism": {"search": "full"},
        "learning_curve": {"search": "reduced"},
        "ablation": {"search": "reduced"},
        "primary": {"model": "tabnet", "part": "nested", "metric": "auroc"},
        "oversampling": "adasyn_tomek",
        "oversampled_split": {"models": ["lr", "tabnet"], "permutations": 1},
    },
    "fixed": {
        "nested": {"search": "fixed"},
        "optimism": {"search": "fixed"},
        "evaluation": {"threshold_rule": "fixed"},
        "interpretation": {"shap": True, "shap_rows": 3, "shap_background": 2},
    },
    "no hold-out": {"split": {"design": "none"}},
    "sites": {
        "harmonisation": {"method": "combat", "tiny_site": "pass", "min_rows": 5},
        "site_validation": {"models": ["lr"], "folds": 2},
        "search": {"spaces": {"lr": {"C": [1.0, 2.0]}}},
        "ablation": {"models": []},
    },
    "as published": {
        "mode": "as_published",
        "evaluation": {"threshold_rule": "fixed"},
        "nested": {"models": []},
        "optimism": {"models": []},
        "ablation": {"models": []},
    },
}

RULES = {"selection": "select", "negative_controls": "controls"}
"""Stage -> its rule, where that has another name."""


@contextlib.contextmanager
def recording(read: set[str]) -> Iterator[None]:
    """Let every study that is opened note which options are read of it."""
    plain = yaml.safe_load

    class Yaml:
        safe_dump = yaml.safe_dump

        @staticmethod
        def safe_load(text: str) -> Recorded:
            return Recorded(plain(text), read)

    with mock.patch.object(pipeline.study.study, "yaml", Yaml), noting():
        yield


@pytest.fixture(scope="module")
def modelled(repository, tmp_path_factory) -> list[Run]:
    """Return every run of a stage of modelling."""
    runs, plain = [], small_study.call
    step = {"label": "Handed in", "patients": 90, "cases": 90, "excluded": []}
    for changes in MODELLED.values():
        config = configured(repository, **changes)
        folder = tmp_path_factory.mktemp("results") / "small"

        def call(stage: object, config: dict = config, **options: object) -> None:
            read: set[str] = set()
            name = stage.__name__.rpartition(".")[2]
            # A journal is of one configuration: its key may hold more than is read.
            with recording(read), contextlib.ExitStack() as keys:
                for module in (stage, repeated_stage):
                    key = mock.patch.object(module, "stage_key", return_value="key", create=True)
                    keys.enter_context(key)
                plain(stage, **options)
            runs.append(Run(RULES.get(name, name), options.get("model"), config, read))

        with mock.patch.object(small_study, "call", call):
            small_study.write_study(folder, config, {"steps": [step]}, 60)
            small_study.run_models(folder, config)
            small_study.run_repetitions(folder, config)
    return runs


def write_images(folder: Path) -> list[dict]:
    """Write a CT and two readers' masks of it; return the rows of the table of cases."""
    (folder / "data").mkdir()
    values = np.random.default_rng(3).normal(100, 50, (16, 24, 24))
    ct = sitk.GetImageFromArray(values.astype(np.int16))
    sitk.WriteImage(ct, str(folder / "data" / "ct.nrrd"))
    rows = []
    for reader, width in (("A", 12), ("B", 11)):
        mask = np.zeros(values.shape, np.uint8)
        mask[0 if reader == "B" else 4 : 12, 6:18, 6 : 6 + width] = 1  # B's touches the border
        image = sitk.GetImageFromArray(mask)
        image.CopyInformation(ct)
        sitk.WriteImage(image, str(folder / "data" / f"{reader}.nrrd"))
        row = {"patient_id": "0001", "scan_id": "s1", "case_id": "s1_L1", "level": "L1"}
        row |= {"reader": reader, "version": 1, "image": "data/ct.nrrd", "series": None}
        row |= {"mask": f"data/{reader}.nrrd", "label": "1", "days_from_surgery": -1.0}
        rows.append(row | {"batch": "b0"})
    return rows


@pytest.fixture(scope="module")
def imaged(repository, tmp_path_factory) -> list[Run]:
    """Return every run of a stage of imaging, on one scan."""
    work, runs = tmp_path_factory.mktemp("imaging"), []
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    config |= {"study": "s", "cases": "cases.csv", "clinical": "clinical.csv"}
    config["extraction"] |= {"params": "few.yaml", "verify_fraction": 0.0}
    config["preflight"]["treated_level"] = "treated"
    config["controls"] |= {"kinds": ["shuffled_inside"], "draws": 1}
    config["perturbations"] |= {"repetitions": 10, "chain": ["volume"]}
    (work / "few.yaml").write_text("featureClass: {firstorder: [Mean, Energy]}")
    clinical = pd.DataFrame({"patient_id": ["0001"], "treated": ["L1"]})
    rows = filled(Cases, write_images(work))
    write_study(Study(config, rows, clinical, None), work / "results/s/study")
    batch, tables = "results/s/batches/b0", "results/s/tables"
    made = {name: f"{batch}/{name}.parquet" for name in ("ingest", "masks", "agreement")}
    made |= {name: f"{batch}/{name}.parquet" for name in ("preflight", "resample", "extraction")}
    made |= {name: f"{batch}/{name}.parquet" for name in ("features", "verification")}

    def run(rule: str, module: str, **options: object) -> None:
        read: set[str] = set()
        given = {"study": "results/s/study"} | options
        words = [word for name, value in given.items() if value is not None
                 for word in ([f"--{name.replace('_', '-')}"] if value is True
                              else [f"--{name.replace('_', '-')}", value])]  # fmt: skip
        with recording(read):
            done = run_here(module, *words, cwd=work)
        assert done.returncode == 0, done.stderr
        runs.append(Run(rule, None, config, read))

    def given(*names: str) -> dict[str, str]:
        return {name: made[name] for name in names}

    of_batch, both = {"batch": "b0"}, given("ingest", "masks")
    run("ingest", "pipeline.ingest", **of_batch, out=made["ingest"])
    run("masks", "segmentation.masks", **of_batch, **given("ingest"), out=made["masks"])
    pictures = f"{batch}/pictures"
    out = {"out": made["agreement"], "pictures": pictures}
    run("agreement", "segmentation.agreement", **of_batch, **both, **out)
    run("preflight_batch", "pipeline.preflight", **of_batch, **both, out=made["preflight"])
    verdicts = f"{tables}/preflight.parquet"
    gathered = {"gather": "results/s/batches", "out": verdicts}
    run("preflight_study", "pipeline.preflight", **both, **gathered)
    pages = {"table": verdicts, "batches": "results/s/batches", "out": "results/s/report/preflight"}
    run("preflight_pages", "pipeline.preflight_pages", **given("masks"), **pages)
    run("gate", "pipeline.preflight", check=verdicts, out=f"{tables}/gate.json")
    shown = {"out": "results/s/report/readers/index.html", "processes": 1}
    run("reader_pages", "segmentation.viewer", **both, **given("agreement"), **shown)
    checked = {**both, **given("preflight")}
    run("resample", "pipeline.resample", **of_batch, **checked, out=made["resample"])
    out = {"out": made["features"], "status": made["extraction"]}
    out["verification"] = made["verification"]
    run("extract", "pipeline.extract", **of_batch, **both, **given("resample"), **out)
    mixed = {"out": f"{batch}/control_features.parquet"}
    run("control_features", "pipeline.control_features", **of_batch, **both,
        **given("extraction"), **mixed)  # fmt: skip
    out = {"out": f"{batch}/perturbed.parquet", "status": f"{batch}/perturbations.parquet"}
    run("perturb", "pipeline.perturb", **of_batch, **both, **given("resample"), **out)
    of_all = {"batches": "results/s/batches", "out": f"{tables}/robustness.parquet"}
    run("robustness", "pipeline.robustness", **of_all)
    of_all = {"batches": "results/s/batches", "out": f"{tables}/verification.parquet"}
    run("verification", "pipeline.verify", **both, **given("extraction", "features"), **of_all)
    parts = {"batches": "results/s/batches", "out": f"{tables}/features.parquet"}
    run("gather", "pipeline.gather", **parts)
    return runs


@pytest.fixture(scope="module")
def tabled(tmp_path_factory) -> list[Run]:
    """Return every run of a stage that makes an analysis table of ready feature tables."""
    runs: list[Run] = []
    for readers in ("A", "AB"):
        work = tmp_path_factory.mktemp("tables")
        tables, clinical = small_tables(readers=readers)
        more = {"eligibility": [{"label": "adults", "formula": "age >= 18"}]}
        config = small_config(work, tables, clinical, DICTIONARY, **more)
        front: set[str] = set()
        with noting():
            study = validate_study(Recorded(config, front))
        write_study(replace(study, config=config), work / "study")
        runs.append(Run(FRONT_DOOR, None, config, front))

        def run(rule: str, module: str, *words: object, work: Path, config: dict) -> None:
            read: set[str] = set()
            with recording(read):
                done = run_here(module, "--study", work / "study", *words)
            assert done.returncode == 0, done.stderr
            runs.append(Run(rule, None, config, read))

        own, features = {"work": work, "config": config}, work / "features.parquet"
        run("gather_ready", "pipeline.gather", "--out", features, **own)
        given = ("--features", features, "--flow", work / "flow.json")
        out = ("--out", work / "a.parquet", "--info", work / "a.json")
        run("join", "pipeline.join", *given, *out, **own)
        run("flow", "pipeline.join", *given, "--flow-only", **own)
        if len(readers) > 1:
            out = ("--out", work / "r.parquet", "--families", work / "f.parquet")
            given = ("--features", features, *out)
            run("reproducibility", "pipeline.reproducibility", *given, **own)
    return runs


@pytest.fixture(scope="module")
def divided() -> list[Run]:
    """Return runs of the split by each design that a column decides."""
    table = pd.DataFrame({"patient_id": [f"{n:02d}" for n in range(40)], "outcome": [0, 1] * 20})
    table = table.assign(unit_id=table["patient_id"], site=["a", "a", "b", "b"] * 10)
    table["order"] = np.arange(40)
    runs = []
    for design, column in (("temporal", "order"), ("by_site", "site"), ("holdout", None)):
        own = {"design": design, "column": column, "test_sites": ["b"]}
        known = {"test_fraction": 0.3, "test_from": None, "folds": 2, "declared": None}
        config = {"seed": 1, "split": known | own}
        read: set[str] = set()
        with noting():
            how = part_of(SplitOptions, Recorded(config, read))
            split_table(table, how.split, how.seed)
        runs.append(Run("split", None, config, read))
    return runs


@pytest.fixture(scope="module")
def clinical(tmp_path_factory) -> list[Run]:
    """Return runs of the analyses of a study that is a clinical table alone."""
    work, runs = tmp_path_factory.mktemp("clinical"), []
    predicted = {"outcome": {"name": "pain", "formula": "vas >= 5"}, "predictors": ["age", "bmi"]}
    predicted |= {"regression": {"resamples": 100}}
    for rule, module, out, more in (
        ("describe_groups", "pipeline.describe_groups", ("out", "cells", "effects", "info"), {}),
        ("describe_course", "pipeline.describe_course", ("out",), COURSE),
        ("regress", "models.regress_study", ("out",), {"analyses": ["regression"], **predicted}),
    ):
        table = write_clinical(work, patients=90)
        if more is COURSE:
            with_course(table, work)
        study = clinical_study(work, **more)
        write_study(study, work / rule / "study")
        read: set[str] = set()
        words = [word for name in out for word in (f"--{name}", work / rule / f"{name}.parquet")]
        with recording(read):
            done = run_here(module, "--study", work / rule / "study", *words)
        assert done.returncode == 0, done.stderr
        runs.append(Run(rule, None, study.config, read))
    return runs


@pytest.fixture(scope="module")
def pictured(tmp_path_factory) -> list[Run]:
    """Return the run of the stage of example images."""
    work, read = tmp_path_factory.mktemp("pictured"), set()
    write_clinical(work)
    write_pictures(work / "pictures")
    study = clinical_study(work, figures=[figure_with(work / "pictures")])
    write_study(study, work / "study")
    with recording(read):
        done = run_here("pipeline.example_images", "--study", work / "study", "--out", work / "out")
    assert done.returncode == 0, done.stderr
    return [Run("example_images", None, study.config, read)]


@pytest.fixture(scope="module")
def controlled(tmp_path_factory) -> list[Run]:
    """Return the run of the stage that lays controls out, of a study with two readers."""
    work, read = tmp_path_factory.mktemp("controlled"), set()
    config = write_controlled_study(work)
    words = [f"--{name}={path}" for name, path in controlled_files(work).items()]
    with recording(read):
        done = run_here("pipeline.control_rows", *words)
    assert done.returncode == 0, done.stderr
    return [Run("control_rows", None, config, read)]


@pytest.fixture(scope="module")
def runs(modelled, imaged, tabled, divided, clinical, pictured, controlled) -> list[Run]:
    """Return every run."""
    return [*modelled, *imaged, *tabled, *divided, *clinical, *pictured, *controlled]


@pytest.fixture(scope="module")
def ruled(runs) -> list[Run]:
    """Return the runs of stages that a rule calls."""
    return [run for run in runs if run.rule != FRONT_DOOR]


def is_of(option: str, sections: set[str] | list[str]) -> bool:
    """Return whether an option is one of `sections`, or of options, that are given with dots."""
    return any(option == name or option.startswith(f"{name}.") for name in sections)


def is_read(option: str, read: set[str]) -> bool:
    """Return whether an option, or a part of its value, is among those read."""
    return any(name == option or name.startswith(f"{option}.") for name in read)


#: A study without search spaces of its own is asked for them, and has none.
NO_SPACES = "search.spaces"


def test_every_stage_was_run(ruled: list[Run]) -> None:
    assert {run.rule for run in ruled} == {*READ_BY, *READ_BY_MODEL}


def test_what_a_stage_reads_its_rule_lists(ruled: list[Run]) -> None:
    """Else an old result stays under a new configuration."""
    for run in ruled:
        unlisted = {name for name in run.read - OF_PATHS if not is_of(name, run.listed)}
        # Of a section that a study may lack, a rule may list the options that its stage reads.
        unlisted -= {name.partition(".")[0] for name in run.listed if "." in name}
        assert unlisted <= {NO_SPACES}, f"{run.rule} {run.model or ''}"


#: Who is held out by a column of the study's; `split` is asked with one, the others without.
DECIDED_BY_A_COLUMN = {"split.column", "split.test_from", "split.test_sites"}

#: Rule -> options that its stage reads of some studies alone, and why none is run here.
SELDOM = {
    "extract": {"on_bad_case"},  # where a mask that passed all checks cannot be extracted
    "join": DECIDED_BY_A_COLUMN,
    "regress": DECIDED_BY_A_COLUMN | {"split.test_fraction"},
}


def test_what_a_rule_lists_its_stage_reads(ruled: list[Run]) -> None:
    """Else a job runs again for nothing."""
    listed: dict[str, set[str]] = {}
    read: dict[str, set[str]] = {}
    for run in ruled:
        inside = {name for name in KNOWN if is_of(name, run.listed)}
        inside |= {name for name in run.listed if name.startswith(f"{NO_SPACES}.")}
        listed.setdefault(run.rule, set()).update(inside)
        read.setdefault(run.rule, set()).update(run.read)
    for rule, names in listed.items():
        unread = {name for name in names if not is_read(name, read[rule])}
        assert unread == SELDOM.get(rule, set()), rule


#: Option -> file and text that read it: before any stage, in the rules, or for the report, which
#: is made of the whole configuration.
READ_ELSEWHERE = {
    "cases": ("pipeline/validate.py", 'has(options, "cases")'),
    "scans_per_job": ("pipeline/validate.py", "options.scans_per_job"),
    "harmonisation.covariates": ("pipeline/join.py", "harmonised.covariates"),
    "clinical_only": ("pipeline/study/config_checks.py", 'config["clinical_only"]'),
    "interpretation.top": (
        "pipeline/reporting/sections/prediction/importance.py",
        'results["interpretation.top"]',
    ),
    "analyses": ("pipeline/study/study.py", 'config["analyses"]'),
    "protocol": ("pipeline/study/config.py", 'user.get("protocol")'),
    "study": ("pipeline/study/study.py", 'self.config["study"]'),
    "results": ("pipeline/study/study.py", 'self.config["results"]'),
    "models": ("pipeline/rules/common.smk", 'config["models"]'),
    "nested.models": ("pipeline/rules/common.smk", 'config["nested"]["models"]'),
    "optimism.models": ("pipeline/rules/common.smk", 'config["optimism"]["models"]'),
    "learning_curve.models": (
        "pipeline/rules/common.smk",
        'config["learning_curve"]["models"]',
    ),
    "ablation.models": ("pipeline/rules/common.smk", 'config["ablation"]["models"]'),
    "workers": ("pipeline/rules/common.smk", 'config["workers"]'),
    "extraction.params": ("pipeline/extract.py", '["extraction"]["params"]'),
    "outcome.definition": ("pipeline/reporting/sections/summary.py", '.get("definition")'),
    "notice": ("pipeline/reporting/cautions/cautions.py", 'config.get("notice")'),
    "simulated_reader": ("pipeline/reporting/cautions/cautions.py", 'results["simulated_reader"]'),
    "split.declared": ("pipeline/reporting/validation_kind.py", 'split.get("declared")'),
}


_DRAFT, _LISTS = "pipeline/reporting/paper", "pipeline/reporting/checklists"
READ_ELSEWHERE |= {
    f"reporting.{name}": (f"{_DRAFT}/{module}", text.format(name))
    for module, text, names in (
        (
            "methods.py",
            '"{}"',
            "design sampling setting dates ethics registration treatment blinding_readers "
            "outcome_window outcome_assessment blinding_outcome analgesics predictor_choice "
            "sample_size",
        ),
        (
            "image_methods.py",
            '"{}"',
            "segmentation imaging_protocol contrast ct_interval software readers",
        ),
        ("model_facts.py", '.get("{}")', "centres"),
    )
    for name in names.split()
}
READ_ELSEWHERE |= {
    f"reporting.{name}": (f"{_LISTS}/{file}.yaml", f"reporting.{name}")
    for file, names in (
        (
            "clear",
            "data_source overlap confounders data_availability code_availability "
            "model_availability",
        ),
        (
            "tripod_ai",
            "participants intended_use fairness patient_involvement funding conflicts",
        ),
    )
    for name in names.split()
}
READ_ELSEWHERE["reporting.not_for"] = ("pipeline/reporting/sections/summary.py", '["not_for"]')


def test_every_option_is_read(runs: list[Run], repository: Path) -> None:
    read = set().union(*(run.read for run in runs))
    for option, (name, text) in READ_ELSEWHERE.items():
        assert text in (repository / name).read_text(encoding="utf-8"), option
    assert not {name for name in KNOWN - set(READ_ELSEWHERE) if not is_read(name, read)}


def test_every_rule_asks_for_what_its_own_stage_reads(repository: Path) -> None:
    """Rules without options of their own read none, or, as the report, all."""
    asked = {}
    for path in sorted((repository / "pipeline" / "rules").glob("*.smk")):
        text = path.read_text(encoding="utf-8")
        parts = re.split(r"^\s*rule (\w+):$", text, flags=re.M)
        asked |= {
            rule: re.findall(r'read_by\("(\w+)"', body)
            for rule, body in zip(parts[1::2], parts[2::2], strict=True)
        }
    known = READ_BY | READ_BY_MODEL
    assert set(asked) - set(known) == {"verified", "study_report", "paper"}
    for rule, options in known.items():
        assert asked[rule] == ([rule] if options else []), rule


def test_a_recorded_configuration_notes_what_is_read() -> None:
    read: set[str] = set()
    config = Recorded({"seed": 1, "scaling": {"method": "none", "kurtosis": "fisher"}}, read)
    section = config["scaling"]
    assert not read
    assert dict(**section) == {"method": "none", "kurtosis": "fisher"}
    assert read == {"scaling.method", "scaling.kurtosis"}
    assert config["seed"] == 1
    assert "seed" in read


def test_typed_sections_of_a_recorded_configuration_note_what_is_read(repository: Path) -> None:
    read: set[str] = set()
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    config["search"]["spaces"] = {"lr": {"C": [1.0]}}
    with noting():
        options = part_of(ProcedureOptions, Recorded(config, read))
    assert options.scaling.__class__.__name__ == "Scaling"
    changed = with_option(with_option(options, "search.iterations", 2), "seed", 3)
    assert not read
    assert changed.search.iterations == 2
    assert options.search.spaces["lr"]["C"] == [1.0]
    assert read == {
        *("search.iterations", "search.spaces", "search.spaces.lr.C"),
    }
    assert asdict(changed.selection.wilcoxon) == {"p": 0.1, "correction": "none"}
    assert {"selection.wilcoxon.p", "selection.wilcoxon.correction"} < read
    assert changed.seed == 3
    assert "seed" in read
