"""The DAG, run for real on small studies: what runs, what runs again, and what does not.

Each study runs in a copy of the checkout, so that its code can be edited.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml

from demo.feature_names import feature_names
from demo.tables import simulate_tables, write_study
from pipeline.core.files import write_table
from pipeline.core.keeping.digests import seal

COPIED = (
    "Snakefile",
    "environment.yml",
    "requirements.txt",
    "config",
    "demo",
    "models",
    "pipeline",
    "profiles",
    "radiomics_params",
    "segmentation",
)
#: Stages of one batch, and those of the whole study that follow from a change of its features.
BATCH_JOBS = {"ingest", "masks", "agreement", "preflight_batch", "resample", "extract"}
STUDY_JOBS = {
    "gather",
    "preflight_study",
    "preflight_pages",
    "verification",
    "verified",
    "reproducibility",
    "flow",
    "study_report",
}

#: Loads Snakemake, and of the project how it reads its code, then makes the runs that it is told
#: of, a line of JSON each, in processes of their own: loading takes longer than the rest of a plan.
#: A module that is edited later is read anew, and nothing else of the project is loaded before.
PLANNER = """
import json, os, re, sys
from pathlib import Path
from snakemake.cli import get_argument_parser, main
from pipeline.running.fingerprint import code_fingerprint
get_argument_parser()  # loads the plugins
for rules in Path("pipeline", "rules").glob("*.smk"):
    for stage in re.findall(r'code_fingerprint[(]"([a-z_.]+)"[)]', rules.read_text()):
        code_fingerprint(stage)
for line in sys.stdin:
    if not (process := os.fork()):
        with open("planned.txt", "w") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        sys.argv = ["snakemake", *json.loads(line)]
        main()
    _, status = os.waitpid(process, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Checkout:
    """A copy of the project in which studies run."""

    def __init__(self, root: Path, repository: Path) -> None:
        self.root = root
        self.planner: subprocess.Popen | None = None
        ignore = shutil.ignore_patterns("__pycache__", "data", "tables-data")
        for name in COPIED:
            source = repository / name
            if source.is_dir():
                shutil.copytree(source, root / name, ignore=ignore)
            else:
                shutil.copy(source, root / name)

    def python(self, *arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)

    def run(self, config: str, *arguments: str) -> str:
        """Run a study with the runner and return what a person saw."""
        done = self.python(
            "-m", "pipeline.running.run", "--configfile", config, "--cores", "2", *arguments
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def said(self, *arguments: str) -> tuple[int, str]:
        """Return how Snakemake ended and what it said, where it only looks."""
        if self.planner is None:
            self.planner = subprocess.Popen(
                [sys.executable, "-c", PLANNER],
                cwd=self.root,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        print(json.dumps(["--cores", "2", *arguments]), file=self.planner.stdin, flush=True)
        status = self.planner.stdout.readline()
        return int(status), (self.root / "planned.txt").read_text(encoding="utf-8")

    def planned(self, config: str, *targets: str) -> dict[str, int]:
        """Return how many jobs of each rule would run, targets aside."""
        status, said = self.said("-n", *targets, "--configfile", config)
        assert status == 0, said
        _, _, stats = said.rpartition("Job stats:")
        jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", stats, re.M)}
        return {rule: count for rule, count in jobs.items() if rule not in ("all", "total")}

    def close(self) -> None:
        """End the process that makes plans."""
        if self.planner is not None:
            self.planner.communicate()

    def lint(self, config: str) -> None:
        _, said = self.said("--lint", "--configfile", config)
        assert "your workflow is in a good condition" in said, said

    def edit(self, name: str, pattern: str, replacement: str) -> None:
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        edited, count = re.subn(pattern, replacement, text, count=1, flags=re.M)
        assert count, f"{pattern} is not in {name}"
        path.write_text(edited, encoding="utf-8")

    def write(self, name: str, config: dict) -> str:
        (self.root / name).write_text(yaml.safe_dump(config), encoding="utf-8")
        return name


@pytest.fixture
def checkout(tmp_path: Path, repository: Path) -> Iterator[Checkout]:
    made = Checkout(tmp_path, repository)
    yield made
    made.close()


def _imaging_study(checkout: Checkout, patients: int) -> tuple[str, pd.DataFrame]:
    """Make patients and a study of all but the last; return its file and the table of all."""
    made = checkout.python("-m", "demo.make", "--out", "data", "--patients", str(patients))
    assert made.returncode == 0, made.stderr
    cases = pd.read_csv(checkout.root / "data" / "cases.csv", dtype=str)
    first = cases[cases["patient_id"] < cases["patient_id"].max()]
    first.to_csv(checkout.root / "data" / "cases.csv", index=False)
    config = {"study": "s", "cases": "data/cases.csv", "model_reader": "A", "scans_per_job": 2}
    return checkout.write("study.yaml", config), cases


def test_imaging_runs_and_runs_again_only_for_what_changed(checkout: Checkout) -> None:
    study, cases = _imaging_study(checkout, patients=4)
    folder = checkout.root / "results" / "s"

    shown = checkout.run(study)
    assert shown.splitlines()[-1] == "Open results/s/report/report.html"
    features = pd.read_parquet(folder / "tables" / "features.parquet")
    extraction = pd.read_parquet(folder / "tables" / "extraction.parquet")
    assert len(features.columns) == 2 + 1223
    assert len(features) == (extraction["status"] != "error").sum() > 0

    checkout.lint(study)

    # Pages of the readers' contours are made where they are asked for, once.
    assert checkout.planned(study, "readers") == {"reader_pages": 1, "readers": 1}
    checkout.run(study, "readers")
    pages = sorted(path.name for path in (folder / "report" / "readers").iterdir())
    assert len(pages) == 1 + features["case_id"].nunique()
    assert checkout.planned(study, "readers") == {}

    # A second run does nothing, and says so; so does one after comments and touched tables.
    assert "Nothing to do" in checkout.run(study)
    checkout.edit("pipeline/extraction/__init__.py", r"\A", "# A comment changes no value.\n")
    checkout.edit("radiomics_params/ge2025.yaml", r"\A", "# Neither does one here.\n")
    (checkout.root / "data" / "cases.csv").touch()
    assert checkout.planned(study) == {}

    # Parameters of the selection are none of imaging's business.
    config = yaml.safe_load((checkout.root / study).read_text(encoding="utf-8"))
    checkout.write(study, config | {"selection": {"mrmr": {"k": 10}}})
    assert checkout.planned(study) == {"study_report": 1}
    checkout.write(study, config)

    # A function, and a parameter, of the extraction reach every batch, but not the readings.
    batches = len(list((folder / "batches").iterdir()))
    kept = (checkout.root / "pipeline/extraction/__init__.py").read_text(encoding="utf-8")
    checkout.edit("pipeline/extraction/__init__.py", r"\Z", "\nCHANGED = True\n")
    planned = checkout.planned(study)
    assert planned["extract"] == planned["resample"] == batches
    assert not {"ingest", "masks", "agreement"} & set(planned)
    (checkout.root / "pipeline/extraction/__init__.py").write_text(kept, encoding="utf-8")
    checkout.edit("radiomics_params/ge2025.yaml", r"binWidth: 25\b", "binWidth: 50")
    assert checkout.planned(study)["extract"] == batches
    checkout.edit("radiomics_params/ge2025.yaml", r"binWidth: 50\b", "binWidth: 25")
    assert checkout.planned(study) == {}

    # A patient more: the jobs of one batch, those of the whole study, and no others.
    cases.to_csv(checkout.root / "data" / "cases.csv", index=False)
    planned = checkout.planned(study)
    assert {planned.pop(rule) for rule in BATCH_JOBS} == {1}
    assert set(planned) == STUDY_JOBS
    added = cases[cases["patient_id"] == cases["patient_id"].max()]["case_id"]
    checkout.run(study)
    again = pd.read_parquet(folder / "tables" / "features.parquet")
    assert set(again["case_id"]) - set(features["case_id"]) == set(added)
    old = again[again["case_id"].isin(features["case_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(old, features, check_exact=True)

    # A corrected mask beside its original is extracted too, and the readers' agreement stays.
    tables = folder / "tables"
    before = pd.read_parquet(tables / "reproducibility.parquet")
    drawn = features.loc[features["reader"] == "A", "case_id"]
    original = cases[cases["case_id"].isin(drawn) & (cases["reader"] == "A")].iloc[[0]]
    both = pd.concat([cases, original.assign(version="2")])
    both.to_csv(checkout.root / "data" / "cases.csv", index=False)
    planned = checkout.planned(study)
    assert planned["masks"] == planned["extract"] == 1
    checkout.run(study)
    labels = pd.read_parquet(tables / "features.parquet")["reader"]
    assert labels.value_counts()["A.v2"] == 1
    pd.testing.assert_frame_equal(pd.read_parquet(tables / "reproducibility.parquet"), before)

    # A mask drawn anew: its batch only.
    mask = next((checkout.root / "data" / "masks" / "A").iterdir())
    mask.write_bytes(mask.read_bytes())
    planned = checkout.planned(study)
    assert planned["masks"] == planned["extract"] == 1
    assert "ingest" not in planned


def test_a_killed_run_goes_on_and_ends_with_the_same_tables(checkout: Checkout) -> None:
    study, _ = _imaging_study(checkout, patients=3)
    tables = checkout.root / "results" / "s" / "tables"
    store = checkout.root / "results" / "store" / "features"
    with subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", "features", "--configfile", study],
        cwd=checkout.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 120
        while not list(store.glob("*/*/*")) and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
    assert list(store.glob("*/*/*")), "the run was killed before its first features"
    assert not (tables / "features.parquet").exists()

    checkout.run(study, "features")  # the runner needs no --unlock after a kill
    resumed = pd.read_parquet(tables / "features.parquet")
    shutil.rmtree(checkout.root / "results")
    checkout.run(study, "features")
    pd.testing.assert_frame_equal(
        pd.read_parquet(tables / "features.parquet"), resumed, check_exact=True
    )


def test_bad_cases_stop_the_study_where_asked_and_leave_the_page(checkout: Checkout) -> None:
    study, cases = _imaging_study(checkout, patients=3)
    mask = checkout.root / "data" / cases["mask"][0]
    mask.write_bytes(b"no mask")
    config = yaml.safe_load((checkout.root / study).read_text(encoding="utf-8"))
    checkout.write(study, config | {"on_bad_case": "stop"})
    done = checkout.python(
        "-m", "pipeline.running.run", "--configfile", study, "--cores", "2", "features"
    )
    assert done.returncode == 1
    assert "Failed: gate" in done.stdout
    assert f"{cases['case_id'][0]} {cases['reader'][0]}" in done.stdout
    assert "Traceback" not in done.stdout
    folder = checkout.root / "results" / "s"
    assert (folder / "report" / "preflight" / "index.html").exists()
    assert not list(folder.glob("batches/*/resample.parquet"))

    checkout.write(study, config | {"on_bad_case": "exclude"})
    checkout.run(study, "features")
    features = pd.read_parquet(folder / "tables" / "features.parquet")
    kept = set(zip(features["case_id"], features["reader"], strict=True))
    assert kept
    assert (cases["case_id"][0], cases["reader"][0]) not in kept


def test_features_that_differ_from_pyradiomics_stop_the_study(checkout: Checkout) -> None:
    study, _ = _imaging_study(checkout, patients=2)
    config = yaml.safe_load((checkout.root / study).read_text(encoding="utf-8"))
    (checkout.root / "few.yaml").write_text("featureClass: {firstorder: [Mean, Energy]}")
    config |= {"extraction": {"params": "few.yaml", "verify_fraction": 1.0}}
    checkout.write(study, config)
    checkout.run(study, "features")
    folder = checkout.root / "results" / "s"
    verification = pd.read_csv(folder / "tables" / "verification.csv")
    extraction = pd.read_parquet(folder / "tables" / "extraction.parquet")
    assert len(verification) == (extraction["status"] != "error").sum() > 1
    assert verification["max_relative_difference"].max() < 1e-6

    # One value of one mask is wrong where the engine left it, and sealed: no damage of later.
    key = extraction.loc[0, "features_key"]
    (path,) = checkout.root.glob(f"results/store/features/*/{key}/features.parquet")
    values = pd.read_parquet(path)
    values.loc[0, "value"] += 1e-3
    write_table(values, path)
    seal(path.parent, f"features/{key}")
    done = checkout.python(
        *("-m", "pipeline.running.run", "--configfile", study, "--cores", "2"),
        *("features", "--forcerun", "extract"),
    )
    assert done.returncode == 1
    assert "Failed: verified" in done.stdout
    name = " ".join(extraction.loc[0, ["case_id", "reader"]])
    assert f"{name}: {values['feature'][0]} differs by" in done.stdout
    assert "Traceback" not in done.stdout
    kept = pd.read_parquet(folder / "tables" / "features.parquet")
    assert len(kept) == len(verification) - 1
    again = pd.read_csv(folder / "tables" / "verification.csv")
    assert (again["status"] == "different").sum() == 1


def test_modelling_runs_again_only_for_what_changed(checkout: Checkout) -> None:
    write_study(simulate_tables(120, 2025, features=feature_names()[:150]), checkout.root / "data")
    config = {
        "study": "t",
        "features": {"A": "data/features_A.parquet", "B": "data/features_B.parquet"},
        "clinical": "data/clinical.csv",
        "dictionary": "data/dictionary.csv",
        "unit": "case",
        "model_reader": "A",
        "outcome": {
            "name": "rbp",
            "label": "Residual back pain",
            "formula": "vas_day3 >= 4 and vas_day30 >= 4",
        },
        "models": ["lr"],
        "search": {"iterations": 2},
        "evaluation": {"bootstrap": 100},
        "stability": {"resamples": 2, "permutations": 1},
        "optimism": {"resamples": 10, "search": "fixed"},
        "ablation": {"models": ["lr"], "top": 1, "seeds": 1},
    }
    study = checkout.write("study.yaml", config)
    assert checkout.run(study).splitlines()[-1] == "Open results/t/report/report.html"
    assert "Nothing to do" in checkout.run(study)
    assert not (checkout.root / "results" / "t" / "batches").exists()
    checkout.lint(study)

    def planned(**changes: object) -> set[str]:
        checkout.write(study, config | changes)
        return set(checkout.planned(study))

    learned = {"select", "train", "evaluate", "references", "nested", "optimism", "ablate"}
    learned |= {"stability", "sensitivity", "winner", "sample_size", "study_report"}
    learned |= {"added_value"}
    assert planned(title="Another") == {"study_report"}
    resampled = {"evaluate", "ablate", "added_value", "study_report"}
    assert planned(evaluation={"bootstrap": 200}) == resampled
    assert planned(selection={"mrmr": {"k": 10}}) == learned
    assert planned(search={"iterations": 3}) == learned - {"select", "stability", "references"}
    assert planned(tabnet={"max_epochs": 5}) == {"study_report"}
    assert planned(split={"folds": 3}) == learned | {"join", "split", "missingness"}
    of_models = learned - {"select", "stability", "references", "ablate"}
    assert planned(models=["lr", "rf"]) == of_models
    assert planned(nested={"search": "fixed"}) == {"nested", "study_report"}
    assert planned(nested={"models": []}) == {"study_report"}
    assert planned(added_value={"risk": 0.2}) == {"added_value", "study_report"}
    defined = config["outcome"] | {"definition": "pain on both days"}
    assert planned(outcome=defined) == {"study_report"}
    assert planned(stability={"resamples": 3}) == {"stability", "study_report"}
    assert planned(optimism={"resamples": 11}) == {"optimism", "study_report"}
    assert planned(workers=2) == {"study_report"}
    assert planned() == set()
    checkout.edit("models/scoring/delong.py", r"\A", "# A comment.\n")
    assert planned() == set()
    checkout.edit("models/scoring/delong.py", r"\Z", "\nCHANGED = True\n")
    assert planned() == resampled | {"references", "optimism", "sensitivity"}


def test_a_study_without_a_hold_out_is_judged_by_its_outer_folds(checkout: Checkout) -> None:
    """Every row trains; what judges is nested, and a change of it runs again what is judged."""
    write_study(simulate_tables(120, 2025, features=feature_names()[:40]), checkout.root / "data")
    config = {
        "study": "n",
        "features": {"A": "data/features_A.parquet", "B": "data/features_B.parquet"},
        "clinical": "data/clinical.csv",
        "dictionary": "data/dictionary.csv",
        "unit": "case",
        "model_reader": "A",
        "outcome": {"name": "rbp", "formula": "vas_day3 >= 4 and vas_day30 >= 4"},
        "split": {"design": "none", "folds": 3},
        "primary": {"model": "lr"},
        "models": ["lr"],
        "search": {"iterations": 2, "reduced_iterations": 1},
        "evaluation": {"bootstrap": 100},
        "nested": {"folds": 3},
        "stability": {"resamples": 2, "permutations": 1},
        "optimism": {"models": []},
        "ablation": {"models": ["lr"], "top": 1, "single": 0, "families": [], "steps": [],
                     "seeds": 1},
    }  # fmt: skip
    study = checkout.write("study.yaml", config)
    assert checkout.run(study).splitlines()[-1] == "Open results/n/report/report.html"
    folder = checkout.root / "results" / "n"
    metrics = pd.read_parquet(folder / "evaluation" / "metrics.parquet")
    assert set(metrics["part"]) == {"nested", "oof"}
    page = (folder / "report" / "report.html").read_text(encoding="utf-8")
    assert "without a hold-out" in page
    assert "held-out patients" not in page
    assert set(checkout.planned(study)) == set()
    checkout.write(study, config | {"nested": {"folds": 4}})
    again = {"winner", "evaluate", "references", "sensitivity", "ablate", "added_value"}
    assert set(checkout.planned(study)) == again | {"nested", "study_report"}


def test_a_wrong_start_is_one_clear_error(checkout: Checkout) -> None:
    for config, message in (
        (None, "A run needs a study. Remedy: snakemake --configfile"),
        ({"study": "s", "cases": "none.csv"}, "none.csv"),
        ({"study": "s", "sede": 1}, "seed"),
    ):
        named = ["--configfile", checkout.write("study.yaml", config)] if config else []
        status, said = checkout.said("-n", *named)
        assert status != 0
        assert message in said
        assert "Traceback" not in said


def test_targets_that_a_study_does_not_reach_say_so(checkout: Checkout) -> None:
    study, _ = _imaging_study(checkout, patients=2)
    done = checkout.python("-m", "pipeline.running.run", "models", "--configfile", study)
    assert done.returncode == 1
    assert done.stdout == (
        "Models need an outcome. Remedy: set `clinical`, `dictionary` and `outcome`, and "
        "`prediction` among `analyses`.\n"
    )
    target = "results/s/batches/b77/ingest.parquet"
    status, said = checkout.said("-n", target, "--configfile", study)
    assert status == 1
    assert "The study has no batch b77. Remedy: ask for one of b0;" in said
