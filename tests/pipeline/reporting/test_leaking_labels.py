"""LEAKING stands wherever a number of the published order does, and nowhere else."""

from __future__ import annotations

import ast
import html
import json
import logging
import re
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from models.modes.as_published import ASSUMPTIONS
from pipeline.core.mode_labels import LABEL, WORD
from pipeline.reporting.blocks import Figure, Section
from pipeline.reporting.leaking import (
    SAME_IN_BOTH_MODES,
    UNTOUCHED,
    _svg_with_strip,
    mark_leaking,
    order_words,
)
from pipeline.reporting.reading_results import read_results
from pipeline.reporting.results import Results
from pipeline.reporting.study_report import build_sections, write_report
from pipeline.study.config import resolve_config
from tests.support.small_study import PATIENTS, run_models, run_repetitions, write_study

MODES = ("as_published", "rigorous")

#: Tables from which both orders start, and what is cross-validated in the rigorous one.
BEFORE = ("analysis", "split", "missingness", "reproducibility", "reproducibility_families", "flow")
RIGOROUS = ("nested", "optimism", "stability")

#: Blocks of the report whose file holds the rigorous order's numbers, and those without leakage.
RIGOROUS_FILES = ("nested", "estimates", "optimism", "selection-stability")
NOT_LEAKING = ("frequency", "selection-stability")


def configured(mode: str) -> dict:
    return resolve_config(
        {
            "study": "small",
            "mode": mode,
            "protocol": "ge2025",
            "unit": "case",
            "features": {"A": "a.csv", "B": "b.csv"},
            "model_reader": "A",
            "clinical": "clinical.csv",
            "dictionary": "dictionary.csv",
            "outcome": {"name": "rbp", "label": "Residual back pain", "formula": "vas >= 4"},
            "models": ["lr", "rf"],
            "search": {
                "iterations": 2,
                "reduced_iterations": 1,
                "spaces": {"rf": {"n_estimators": [20], "max_depth": [2, 3]}},
            },
            "split": {"folds": 3},
            "evaluation": {"bootstrap": 100},
            "nested": {"models": ["lr"], "folds": 3, "search": "reduced"},
            "ablation": {"models": ["lr"], "top": 1, "seeds": 1},
            "stability": {"resamples": 5, "permutations": 1},
            "optimism": {"models": ["lr"], "resamples": 10, "search": "reduced"},
        }
    )


@pytest.fixture(scope="module", params=MODES)
def run(request, tmp_path_factory) -> tuple[str, Path, list[str]]:
    """Run the modelling stages and the report; return mode, folder and lines of the log."""
    mode = request.param
    folder = tmp_path_factory.mktemp("results") / "small"
    config = configured(mode)
    step = {"label": "Handed in", "patients": PATIENTS, "cases": PATIENTS, "excluded": []}
    write_study(folder, config, {"steps": [step]}, 100)
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())

    logger, keep = logging.getLogger("vertebromics"), Keep()
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(keep)
    run_models(folder, config)
    leaking_lines = list(lines)
    run_repetitions(folder, config)
    logger.removeHandler(keep)
    logger.setLevel(before)
    write_report(read_results(folder / "study"), folder / "report" / "report.html")
    return mode, folder, leaking_lines


def results_of(folder: Path) -> list[Path]:
    """Return the tables and JSON files that stages of modelling wrote."""
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".parquet", ".csv", ".json")
        and path.relative_to(folder).parts[0] not in ("study", "report")
        and path.stem not in BEFORE
    ]
    assert len(found) > 30
    return found


def marks_of(path: Path) -> set:
    """Return what the column or key `mode` of a file holds."""
    if path.suffix == ".json":
        return {json.loads(path.read_text(encoding="utf-8")).get("mode")}
    table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    assert len(table), f"{path.name} has no row to be marked"
    return set(table["mode"]) if "mode" in table else {None}


def test_every_table_and_json_file_says_that_it_leaks(run):
    mode, folder, _ = run
    for path in results_of(folder):
        honest = {path.stem, path.relative_to(folder).parts[0]} & set(RIGOROUS)
        if mode == "rigorous":
            assert marks_of(path) == {None}, path
        else:
            assert marks_of(path) == {"rigorous" if honest else LABEL}, path


def test_every_line_of_the_logs_says_so(run):
    mode, _, lines = run
    assert any("AUROC" in line for line in lines)
    assert {line.endswith(f"[{WORD}]") for line in lines} == {mode == "as_published"}


def test_no_file_of_a_rigorous_study_holds_the_word(run):
    mode, folder, _ = run
    holding = {
        path
        for path in folder.rglob("*")
        if path.is_file() and WORD.encode() in path.read_bytes().upper()
    }
    assert bool(holding) == (mode == "as_published")


def test_every_figure_table_and_section_of_the_report_says_so(run):
    mode, folder, _ = run
    marked = mode == "as_published"
    sections = build_sections(read_results(folder / "study"))
    files = {"figure": set(), "table": set()}
    for section in sections:
        leaks = marked and section.anchor not in SAME_IN_BOTH_MODES
        assert (f"({WORD})" in section.title) == leaks, section.anchor
        banners = [b for b in section.blocks if b.kind == "note" and WORD in b.title]
        assert len(banners) == leaks
        for block in section.all_blocks():
            word = leaks and getattr(block, "name", None) not in {*NOT_LEAKING, *UNTOUCHED}
            if block.kind in ("figure", "table"):
                assert block.caption.startswith(WORD) == word, block.name
                honest = block.caption.startswith("In the rigorous order (not leaking)")
                assert honest == (leaks and block.name in NOT_LEAKING), block.name
            if block.kind == "figure":
                svg = (folder / "report" / "figures" / f"{block.name}.svg").read_text()
                assert (f">{WORD}" in svg) == word, block.name
                assert block.alt.startswith(WORD) == word
            if block.kind == "table":
                table = pd.read_csv(folder / "report" / "tables" / f"{block.name}.csv")
                held = set(table.get("mode", []))
                honest = "rigorous" if block.name in RIGOROUS_FILES else LABEL
                expected = {honest} if leaks and block.name not in UNTOUCHED else set()
                assert held == expected, block.name
            files.setdefault(block.kind, set()).add(getattr(block, "name", None))
    # No file lies there that no section shows.
    for kind, suffix in (("figure", "svg"), ("table", "csv")):
        written = (folder / "report" / f"{kind}s").glob(f"*.{suffix}")
        assert {path.stem for path in written} == files[kind]
    page = (folder / "report" / "report.html").read_text(encoding="utf-8")
    assert (f"<h1>{LABEL}: " in page) == marked
    values = "standardised values" if marked else "raw values"
    funnel = (folder / "report" / "figures" / "funnel.svg").read_text(encoding="utf-8")
    # A long label is broken into lines.
    assert values in " ".join(re.sub(r"<[^>]+>", " ", funnel).split())
    assert f"of at least 0.85 on {values}," in " ".join(page.split())


def test_the_page_does_not_claim_what_the_order_does_not_hold(run):
    mode, folder, _ = run
    page = " ".join((folder / "report" / "report.html").read_text(encoding="utf-8").split())
    honest = (
        "Selection is learned on training patients only",
        "played no part in selection, search, fitting",
        "It was chosen before the held-out patients were used",
        "planned before the held-out patients are looked at",
        "both learned inside each fold",
    )
    for sentence in honest:
        assert (sentence in page) == (mode == "rigorous"), sentence
    # Nothing is selected in the folds of the published order.
    assert ("selected at least once" in page) == (mode == "rigorous")
    assert ("often a fold's own selection" in html.unescape(page)) == (mode == "rigorous")
    assert ("the CCC again, on training patients" in page) == (mode == "rigorous")
    assert "puts its procedure" not in page or mode == "rigorous"
    assert ("that procedure fitted to all training patients" in page) == (mode == "rigorous")
    assert (".632+ comes from luck of the split." in page) == (mode == "rigorous")
    assert ("but their outcomes do" in page) == (mode == "as_published")
    assert ("with the outcomes of the held-out patients" in page) == (mode == "as_published")


def test_beside_its_frequency_stands_whether_the_models_see_a_feature(run):
    """Frequencies are of the rigorous order, the final signature of the study's own."""
    mode, folder, _ = run
    selection = pd.read_parquet(folder / "tables" / "selection.parquet")
    own = set(selection.loc[selection["selected"].fillna(False), "feature"])
    tables = [
        block
        for section in build_sections(read_results(folder / "study"))
        for block in section.all_blocks()
        if getattr(block, "name", None) == "selection-stability"
    ]
    shown, raw = tables[0].shown, tables[0].raw
    name = f"in_final_signature{'_leaking' if mode == 'as_published' else ''}"
    assert set(raw.loc[raw[name], "feature"]) == own
    rigorous = set(raw.loc[raw["selected"], "feature"])
    assert (own == rigorous) == (mode == "rigorous")
    listed = raw.loc[raw["frequency"] > 0, name]
    assert (shown["In the final signature"] == "yes").sum() == listed.sum()
    assert ("chosen on everyone (LEAKING)" in tables[0].caption) == (mode == "as_published")


def test_assumptions_are_printed(run):
    mode, folder, _ = run
    listed = pd.read_csv(folder / "report" / "tables" / "assumptions.csv")
    expected = configured(mode)["assumptions"]
    assert expected
    facts = json.loads((folder / "tables" / "selection.json").read_text(encoding="utf-8"))
    if mode == "as_published":
        expected = expected | ASSUMPTIONS
        assert facts["assumptions"] == expected
    else:
        assert "assumptions" not in facts
    assert dict(zip(listed["About"], listed["Assumed"], strict=True)) == expected


def test_the_strip_lies_above_the_drawing():
    svg = _svg_with_strip(
        '<svg viewBox="0 0 300 200"><path d="M0 0"/></svg>', "LEAKING: on everyone"
    )
    assert svg.startswith('<svg viewBox="0 -26 300 226"><path')
    assert re.search(r"<text [^>]*>LEAKING: on everyone</text>", svg)
    assert svg.endswith("</text></svg>")


def test_the_strips_words_fit_into_a_narrow_drawing():
    """Bold DejaVu Sans sets these words 0.592 em a letter wide, as matplotlib measures it."""
    words = "LEAKING: selected on everyone, oversampled before the folds (mode: as_published)"

    def size(width):
        svg = _svg_with_strip(f'<svg viewBox="0 0 {width} 200"></svg>', words)
        return float(re.search(r"bold ([0-9.]+)px", svg)[1])

    assert size(800) == 10
    assert 8 + size(300) * 0.592 * len(words) <= 300 - 8


@pytest.mark.parametrize(
    ("oversampling", "why_not", "done"),
    [
        ("adasyn_tomek", None, True),
        ("adasyn_tomek", "the classes are balanced", False),
        ("none", None, False),
    ],
)
def test_oversampling_is_named_where_it_was_done(oversampling, why_not, done):
    config = {"mode": "as_published", "oversampling": oversampling}
    config["split"] = {"design": "holdout", "declared": None}
    oversampled = {"added": done, "why_not": why_not}
    model = SimpleNamespace(info={"features": ["age"], "oversampled": oversampled})
    results = Results(
        study=SimpleNamespace(config=config),
        modelling=SimpleNamespace(models={"lr": model}),
        **dict.fromkeys(["folder", "flow", "reproducibility", "families", "imaging"]),
    )
    figure = Figure("roc", '<svg viewBox="0 0 300 200"></svg>', "A curve.", "The curve.")
    sections = [Section("summary", "Summary"), Section("performance", "Performance", [figure])]
    first, second = mark_leaking(sections, results)
    (banner,), (later, figure) = first.blocks, second.blocks
    assert "with the outcomes of the held-out patients" in banner.text
    assert later.text.startswith("Selected on everyone")
    assert "LEAKING: selected on everyone" in figure.svg
    said = (banner.text, later.text, figure.svg, order_words(results).folds)
    assert ["oversampled" in words for words in said] == [done] * 4


def test_stages_of_modelling_write_through_the_labelling_functions(repository):
    """A stage that is added later cannot forget the label: only these write without it."""
    # `judge` measures predictions from elsewhere, which no order of this study made; `regress`
    # hands the label to models.regression.tables, whose tests look for it in every file;
    # `oversampled_split` says in each row which order made it.
    unlabelled = {"split", "missingness", "judge", "regress", "oversampled_split"}
    for path in sorted((repository / "models").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            name.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "pipeline.core.files"
            for name in node.names
        }
        if path.stem not in unlabelled:
            assert not imported & {"write_table", "write_json"}, path.name
