"""Families, metrics and analyses stand in one registry each; a new one touches its file and that.

The new ones are added to a copy of the checkout, and run there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import yaml

from models.learning.family_registry import FAMILIES
from models.scoring.metrics import AGREEMENTS, SHARES
from models.scoring.performance import METRICS as MEASURED
from pipeline.core.files import read_json
from pipeline.reporting.analysis_sections import ANALYSIS_SECTIONS
from pipeline.running.fingerprint import code_fingerprint
from pipeline.running.stage_options import READ_BY, READ_BY_MODEL
from pipeline.study.analyses import ANALYSES
from pipeline.study.metric_registry import METRICS
from pipeline.study.model_families import MODEL_FAMILIES
from pipeline.study.options import study_options
from pipeline.study.sections import fitting, judging
from tests.support.clinical_study import clinical_options, write_clinical

PARTS = ("Snakefile", "config", "environment.yml", "models", "pipeline", "profiles", "segmentation")
PARTS += ("demo", "radiomics_params", "pyproject.toml", "requirements.txt")
PARTS += ("snakemake_logger_plugin_vertebromics",)


@pytest.fixture
def tree(repository: Path, tmp_path: Path) -> Path:
    """Return a copy of what a study is run by."""
    root = tmp_path / "tree"
    for name in PARTS:
        path = repository / name
        if path.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "data", "*-data")
            shutil.copytree(path, root / name, ignore=ignore)
        else:
            root.mkdir(exist_ok=True)
            shutil.copy2(path, root / name)
    return root


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def python(tree: Path, *arguments: str, folder: Path | None = None) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder or tree, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(tree)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_registries_name_the_same_things() -> None:
    assert list(FAMILIES) == list(MODEL_FAMILIES) == list(get_args(fitting.Family))
    assert all(name == family.name for name, family in FAMILIES.items())
    for name, family in FAMILIES.items():
        assert MODEL_FAMILIES[name].phases == len(family.phases), name
    assert set(ANALYSIS_SECTIONS) == set(ANALYSES) == set(get_args(study_options.Analysis))
    assert tuple(METRICS) == MEASURED == get_args(judging.Metric)
    of_decisions = {name for name, metric in METRICS.items() if metric.kind == "threshold"}
    assert of_decisions == {*SHARES, *AGREEMENTS}
    looks = [family.look.colour for family in MODEL_FAMILIES.values() if family.look]
    assert len(set(looks)) == len(looks)


def test_an_analysis_names_rules_that_there_are(repository: Path) -> None:
    for each in ANALYSES.values():
        text = "".join(
            (repository / f"pipeline/rules/{name}.smk").read_text(encoding="utf-8")
            for name in each.rules
        )
        of_models = READ_BY_MODEL if each.name == "prediction" else {}
        for rule in (*each.reads, *of_models):
            assert f"rule {rule}:" in text, f"{each.name}: {rule}"
            assert rule in READ_BY | READ_BY_MODEL
        for result in each.results:
            assert result in text, f"{each.name}: {result}"


@pytest.mark.parametrize("family", MODEL_FAMILIES)
def test_a_constant_of_a_family_changes_the_fingerprint_of_its_training(
    family: str, tree: Path
) -> None:
    before = {name: code_fingerprint(name, tree) for name in ("models.train", "models.optimism")}
    path = tree / f"models/learning/families/{family}.py"
    with path.open("a", encoding="utf-8") as stream:
        stream.write("\nCHANGED = 1\n")
    assert all(code_fingerprint(name, tree) != old for name, old in before.items())


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        ("models/selection.py", "models.selection"),
        ("models/regression/analysis.py", "models.regress_study"),
        ("pipeline/comparison/table_one/table_one.py", "pipeline.describe_groups"),
        ("pipeline/reporting/sections/prediction/models.py", "pipeline.reporting.study_report"),
        ("pipeline/reporting/sections/outcomes/groups.py", "pipeline.reporting.study_report"),
        ("pipeline/reporting/sections/regression_summary.py", "pipeline.reporting.study_report"),
    ],
)
def test_a_constant_of_an_analysis_changes_the_fingerprint_of_its_stage(
    path: str, stage: str, tree: Path
) -> None:
    before = code_fingerprint(stage, tree)
    with (tree / path).open("a", encoding="utf-8") as stream:
        stream.write("\nCHANGED = 1\n")
    assert code_fingerprint(stage, tree) != before


def test_colours_and_labels_train_nothing_anew(tree: Path) -> None:
    stages = ("models.train", "models.evaluate", "pipeline.describe_groups")
    before = [code_fingerprint(stage, tree) for stage in stages]
    families, metrics = (
        tree / f"pipeline/study/{n}.py" for n in ("model_families", "metric_registry")
    )
    edited(families, "#000000", "#b0174b")
    edited(metrics, '"Brier score"', '"Score of Brier"')
    edited(tree / "pipeline/study/analyses/outcomes.py", '"groups compared by', '"groups told by')
    assert [code_fingerprint(stage, tree) for stage in stages] == before
    edited(families, "least_rows=4", "least_rows=5")
    assert code_fingerprint("models.train", tree) != before[0]


NAIVE_BAYES = '''
"""Naive Bayes."""

from sklearn.naive_bayes import GaussianNB

from models.learning.family import Family


def make_nb(parameters, config, seed):
    """Return the unfitted classifier."""
    return GaussianNB(**parameters)


FAMILY = Family("nb", make_nb, ({"var_smoothing": [1e-9, 1e-6, 1e-3]},))
'''

TRAIN = """
import argparse
from pathlib import Path
import yaml
from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models.split import split_table
from models.train import main
from pipeline.core.files import write_json, write_table
from pipeline.core.sections import section_of
from pipeline.tables.split_options import Split
from pipeline.running.stage_options import read_by
from pipeline.reporting.figures.drawing import model_style
from pipeline.study.config import resolve_config

folder = Path("study")
config = resolve_config({
    "study": "sixth", "features": {"A": "a.csv"}, "models": ["nb"], "selection": {"mrmr": {"k": 4}},
    "split": {"folds": 3}, "search": {"iterations": 2, "spaces": {"nb": {"var_smoothing": [1e-9]}}},
})
assert "device" not in read_by("train", config, "nb")
assert model_style("nb", ["lr", "nb"])["color"].startswith("#")
table, info = simulate_tables(90, 11, features=feature_names()[:20]).analysis()
write_table(table, folder / "analysis.parquet")
write_json(info, folder / "analysis.json")
split = section_of(Split, config["split"])
write_table(split_table(table, split, config["seed"]), folder / "split.parquet")
(folder / "study.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
main(argparse.Namespace(
    study=folder, analysis=folder / "analysis.parquet", info=folder / "analysis.json",
    split=folder / "split.parquet", out_dir=folder / "nb", workers=1, model="nb",
))
"""


def test_a_sixth_model_is_its_file_and_two_lines(tree: Path) -> None:
    (tree / "models/learning/families/nb.py").write_text(NAIVE_BAYES, encoding="utf-8")
    code = tree / "models/learning/family_registry.py"
    edited(code, "import lr, rf, svm, tabnet", "import lr, nb, rf, svm, tabnet")
    edited(code, "in (lr, svm, rf, xgboost, tabnet)", "in (lr, svm, rf, xgboost, tabnet, nb)")
    edited(
        tree / "pipeline/study/model_families.py",
        '        ModelFamily("lr",',
        '        ModelFamily("nb", "Naive Bayes"),\n        ModelFamily("lr",',
    )
    python(tree, "-c", TRAIN)
    facts = read_json(tree / "study/nb/model.json")
    assert (facts["label"], facts["parameters"]) == ("Naive Bayes", {"var_smoothing": 1e-9})
    before = code_fingerprint("models.train", tree)
    edited(tree / "models/learning/families/nb.py", "1e-3", "1e-2")
    assert code_fingerprint("models.train", tree) != before


ANALYSIS = '''
"""The analysis `counts`: how many rows have each word of a column."""

from dataclasses import dataclass

from pipeline.core.sections import option
from pipeline.study.analyses.analysis import Analysis


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Rows counted."""

    of: str = option("asa", "column whose words are counted", min_length=1)


COUNTS = Analysis(
    "counts",
    "rows by the words of a column",
    rules=("counts",),
    reads={"counts": ("counts",)},
    results=("counts/counts.json",),
    options=Counts,
    description="what is counted",
    clinical_only=True,
)
'''

STAGE = '''
"""Count rows by the words of a column."""

from pathlib import Path

from pipeline.core import command
from pipeline.core.files import write_json
from pipeline.study.study import open_study


def main(options):
    """Count."""
    study = open_study(options.study)
    found = study.clinical[study.config["counts"]["of"]].value_counts().sort_index()
    write_json({str(word): int(n) for word, n in found.items()}, options.out)


if __name__ == "__main__":
    arguments = command.parser("pipeline.count_rows", __doc__)
    arguments.add_argument("--study", required=True, type=Path, help="folder of the frozen study")
    arguments.add_argument("--out", required=True, type=Path, help="JSON to write")
    command.run(main, arguments)
'''

RULE = """
rule counts:
    output:
        f"{FOLDER}/counts/counts.json",
    log:
        f"{FOLDER}/log/counts/counts.log",
    conda:
        "../../environment.yml"
    params:
        code=code_fingerprint("pipeline.count_rows"),
        options=options(config, *read_by("counts", config)),
        rows=ROWS_TO_JOIN,
        study=f"{FOLDER}/study",
    shell:
        "python -m pipeline.count_rows --study {params.study:q} --out {output:q} > {log:q} 2>&1"
"""

SECTION = '''
"""Section on counted rows."""

from pipeline.reporting.blocks import Paragraph, Section


def counts_section(results):
    """Build the section."""
    counted = results.facts("counts/counts.json")
    told = ", ".join(f"{word}: {n} rows" for word, n in counted.items())
    return Section("counts", "Counted rows", [Paragraph(told)])
'''


def test_a_fourth_analysis_is_its_files_and_two_lines(tree: Path, tmp_path: Path) -> None:
    for name, text in {
        "pipeline/study/analyses/counts.py": ANALYSIS,
        "pipeline/count_rows.py": STAGE,
        "pipeline/rules/counts.smk": RULE,
        "pipeline/reporting/sections/counts.py": SECTION,
    }.items():
        (tree / name).write_text(text, encoding="utf-8")
    registry = tree / "pipeline/study/analyses/__init__.py"
    edited(registry, "\nANALYSES", "from pipeline.study.analyses.counts import COUNTS\n\nANALYSES")
    edited(registry, "OUTCOMES, REGRESSION)", "OUTCOMES, REGRESSION, COUNTS)")
    sections = tree / "pipeline/reporting/analysis_sections.py"
    name = "from pipeline.reporting.sections.outcomes.groups"
    edited(sections, name, f"from pipeline.reporting.sections.counts import counts_section\n{name}")
    edited(
        sections,
        '    "outcomes": AnalysisSections(',
        '    "counts": AnalysisSections((counts_section,)),\n    "outcomes": AnalysisSections(',
    )
    (tree / "docs").mkdir()
    (tree / "docs/bad_inputs.yaml").write_text("[]\n", encoding="utf-8")
    python(tree, "-m", "pipeline.study.options.generate")  # as `make options` does
    table = write_clinical(tmp_path)
    given = clinical_options(tmp_path, analyses=["counts"], counts={"of": "sex"})
    del given["outcomes"]
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")
    run = ("-m", "pipeline.running.run", "--configfile", str(tmp_path / "study.yaml"))
    python(tree, *run, "--cores", "1", "-s", str(tree / "Snakefile"), folder=tmp_path)
    counted = table["sex"].value_counts()
    page = (tmp_path / "results/groups/report/report.html").read_text(encoding="utf-8")
    assert f"female: {counted['female']} rows, male: {counted['male']} rows" in page
    assert "Counted rows" in page
