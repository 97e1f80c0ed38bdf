"""vertebromics as a module of another workflow, deployed from a git repository, run for real."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

#: What `snakedeploy deploy-workflow https://github.com/example/vertebromics --commit ...` (0.17.1)
#: writes as workflow/Snakefile.
DEPLOYED = """\
from snakemake.utils import min_version


min_version("6.10.0")


configfile: "config/config.yaml"


# declare https://github.com/example/vertebromics as a module
module vertebromics:
    snakefile: 
        github("example/vertebromics", path="workflow/Snakefile", commit="{commit}")
    config:
        config


# use all rules from https://github.com/example/vertebromics
use rule * from vertebromics
"""  # noqa: W291

#: A workflow of somebody's own, which runs two studies of a section each beside its own rules.
OWN = """\
configfile: "settings.yaml"


module first:
    snakefile: "../local clone/Snakefile"
    config: config["first"]


module second:
    snakefile: "../local clone/workflow/Snakefile"
    config: config["second"]


use rule * from first as first_*
use rule * from second as second_*


rule all:
    default_target: True
    input:
        rules.first_all.input,
        rules.second_all.input,
        "own.txt",


rule own:
    output:
        "own.txt",
    shell:
        "date > {output}"


onstart:
    shell("ls results/*/study > frozen_before_onstart.txt")
"""

STUDY = {
    "study": "t",
    "features": {"A": "data/features_A.parquet", "B": "data/features_B.parquet"},
    "clinical": "data/clinical.csv",
    "dictionary": "data/dictionary.csv",
    "unit": "case",
    "model_reader": "A",
}
MODELS = {
    "outcome": {"name": "rbp", "formula": "vas_day3 >= 4 and vas_day30 >= 4"},
    "models": ["lr"],
    "search": {"iterations": 2},
    "evaluation": {"bootstrap": 100},
    "stability": {"resamples": 2, "permutations": 1},
    "nested": {"models": []},
    "optimism": {"models": []},
    "ablation": {"models": []},
}


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


class Workplace:
    """A folder whose name holds a blank, with a clone of the checkout as it stands."""

    def __init__(self, root: Path, repository: Path) -> None:
        self.root, self.repository = root, repository
        self.clone = root / "local clone"
        left_out = shutil.ignore_patterns(
            *(".git", ".venv", ".snakemake", "results", "build", "studies", "*.so", "__pycache__"),
            *("data", "tables-data", "simulated-data", "examples", "golden"),
        )
        shutil.copytree(repository, self.clone, ignore=left_out)
        shutil.rmtree(self.clone / "docs/images")
        git(self.clone, "init", "-q", "-b", "main")
        git(self.clone, "add", "-A")
        git(self.clone, "commit", "-q", "-m", "as it stands")
        self.commit = git(self.clone, "rev-parse", "HEAD")
        # Where Snakemake keeps its clone of a repository that a Snakefile names.
        cache = root / "cache/snakemake/snakemake/source-cache/snakemake-git-cache"
        hosted = cache / "github.com/example/vertebromics"
        hosted.parent.mkdir(parents=True)
        git(root, "clone", "-q", "--bare", str(self.clone), str(hosted))

    def python(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
        # The package under test is what is installed, whatever else the environment holds.
        env = os.environ | {
            "PYTHONPATH": str(self.repository),
            "XDG_CACHE_HOME": str(self.root / "cache"),
        }
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            env=env,
        )

    def snakemake(self, folder: Path, *arguments: str) -> str:
        done = self.python(folder, "-m", "snakemake", "--cores", "2", *arguments)
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        return said

    def tables(self, folder: Path, patients: int) -> None:
        done = self.python(
            *(self.repository, "-m", "demo.tables", "--out", str(folder / "data")),
            *("--patients", str(patients)),
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Workplace:
    return Workplace(tmp_path_factory.mktemp("a work place"), repository)


@pytest.fixture(scope="module")
def deployed(workplace: Workplace) -> Path:
    """Return the folder of a deployed workflow whose study was run to its report."""
    folder = workplace.root / "deployed here"
    shutil.copytree(workplace.clone / "config", folder / "config")
    shutil.copytree(workplace.clone / "profiles", folder / "profiles")
    (folder / "workflow").mkdir()
    (folder / "workflow/Snakefile").write_text(DEPLOYED.format(commit=workplace.commit))
    (folder / "config/config.yaml").write_text(yaml.safe_dump(STUDY))
    workplace.tables(folder, 20)
    said = workplace.snakemake(folder)
    assert re.search(r"^total +5$", said, re.M), said
    return folder


def frozen(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = sorted((folder / "results/t/study").iterdir())
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


def test_a_deployed_study_runs_to_its_report(workplace: Workplace, deployed: Path) -> None:
    tables = deployed / "results/t/tables"
    assert len(pd.read_parquet(tables / "features.parquet")) == 40
    assert (deployed / "results/t/report/report.html").exists()
    assert set(frozen(deployed)) >= {"study.yaml", "clinical.parquet"}
    assert "Nothing to be done" in workplace.snakemake(deployed, "-n")


def test_its_report_holds_page_figures_and_tables(workplace: Workplace, deployed: Path) -> None:
    said = workplace.snakemake(deployed, "--report", "of snakemake.html")
    added = re.findall(r"^Adding (\S+) \(", said, re.M)
    made = deployed / "results/t/report"
    wanted = ["report.html", *(path.name for path in made.glob("figures/*.svg"))]
    wanted += [path.name for path in made.glob("tables/*.csv")]
    assert sorted(added) == sorted(wanted)
    assert {Path(name).suffix for name in added} == {".html", ".svg", ".csv"}
    page = (deployed / "of snakemake.html").read_text(encoding="utf-8")
    for caption in ("The report of the study t", "Figure flow", "Radiomics features of vertebrae"):
        assert caption in page


def test_only_a_run_freezes(workplace: Workplace, deployed: Path) -> None:
    """Whatever else Snakemake does with a study whose options have changed."""
    config = deployed / "config/config.yaml"
    kept, before = config.read_text(), frozen(deployed)
    config.write_text(yaml.safe_dump(STUDY | {"title": "Another title"}))
    try:
        for option in ("--dry-run", "--summary", "--unlock"):
            workplace.snakemake(deployed, option)
            assert frozen(deployed) == before, option
        workplace.snakemake(deployed, "--no-hooks")
        after = frozen(deployed)
    finally:
        config.write_text(kept)
    assert b"Another title" in after["study.yaml"][0]


def test_a_job_reads_no_table_of_the_researchers(workplace: Workplace, deployed: Path) -> None:
    """As an executor of a cluster starts it, while somebody edits tables and options."""
    flow, config = deployed / "results/t/tables/flow.json", deployed / "config/config.yaml"
    before = flow.read_bytes()
    kept = config.read_text()
    flow.unlink()
    (deployed / "data").rename(deployed / "gone")
    config.write_text(yaml.safe_dump({"study": "t", "unit": "patient", "seed": "no number"}))
    try:
        workplace.snakemake(
            deployed,
            *("--mode", "remote", "--target-jobs", "flow:", "--allowed-rules", "flow"),
            *("--force", "--nolock", "--no-hooks", "--ignore-incomplete"),
        )
    finally:
        config.write_text(kept)
        (deployed / "gone").rename(deployed / "data")
    assert flow.read_bytes() == before


def test_lint_of_a_fresh_clone_is_in_good_condition(workplace: Workplace) -> None:
    """As people type it; workflow/Snakefile, which is deployed above, includes what is linted."""
    said = workplace.snakemake(workplace.clone, "--lint")
    assert "your workflow is in a good condition" in said
    assert not (workplace.clone / "results").exists()


def test_the_template_is_what_new_study_writes(repository: Path, tmp_path: Path) -> None:
    """`snakedeploy` copies config/, where somebody then writes a study."""
    from pipeline.study.new_study import write_templates

    names = ("config.yaml", "clinical.csv", "dictionary.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        write_templates("mystudy", "config")
    for name in names:
        assert (repository / "config" / name).read_bytes() == (
            tmp_path / "config" / name
        ).read_bytes()


@pytest.mark.slow
def test_two_studies_in_somebodys_own_workflow(workplace: Workplace) -> None:
    """Run from another folder than the workflow's, with models, beside its own rule and hook."""
    folder, elsewhere = workplace.root / "own workflow", workplace.root / "working here"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "Snakefile").write_text(OWN)
    workplace.tables(elsewhere, 120)
    config = {"first": STUDY | MODELS, "second": STUDY | {"study": "u", "results": "results"}}
    (elsewhere / "settings.yaml").write_text(yaml.safe_dump(config))
    call = ("--snakefile", str(folder / "Snakefile"), "--directory", str(elsewhere))
    workplace.snakemake(workplace.root, *call)
    for study in ("t", "u"):
        assert (elsewhere / f"results/{study}/report/report.html").exists()
        assert (elsewhere / f"results/{study}/.running").read_text() == ""
    seen = (elsewhere / "frozen_before_onstart.txt").read_text()
    assert seen.count("study.yaml") == 2
    metrics = pd.read_parquet(elsewhere / "results/t/evaluation/metrics.parquet")
    assert set(metrics["model"]) == {"lr"}
    assert "Nothing to be done" in workplace.snakemake(elsewhere, "-n", *call[:2])
