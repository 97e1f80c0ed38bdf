"""The page of a regression: written from the tables that `models.regress` stored in its folder.

Statistics are made there; here they are put into words, tables and figures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from pipeline.core.files import read_json, read_table, whole_file, write_csv
from pipeline.core.mode_labels import LABEL, WORD
from pipeline.reporting.blocks import Block, Facts, Figure, Items, Note, Paragraph, Section, Table
from pipeline.reporting.figures.models import calibration_figure, decision_figure, roc_figure
from pipeline.reporting.figures.nomogram import nomogram_figure
from pipeline.reporting.parts.fit_and_benefit_tables import useful_ranges_table
from pipeline.reporting.parts.regression_tables import (
    checks_section,
    model_section,
    optimism_section,
    rows_section,
    screening_section,
    worded,
)
from pipeline.reporting.study_report import render
from pipeline.reporting.wording import NO_VALUE, UNIT, interval, number, p_value
from pipeline.tables.schemas.regression import REGRESSION

KIND = "Logistic regression"

NOT_AN_EFFECT = (
    "Patients were not randomised. An odds ratio is an association, not the effect of a treatment: "
    "changing an input shows other patients, not what a treatment does."
)

_LABELS = {"as fitted": "As fitted", "rigorous": "Rigorous (shrunken)", "given model": "Model"}

_PARTS = {
    "training": "Rows of the fit (apparent)",
    "validation": "Validation",
}

_METRICS = {
    "auroc": "AUROC (C-index)",
    "brier": "Brier score",
    "scaled_brier": "Scaled Brier score",
    "calibration_intercept": "Calibration in the large (slope fixed at 1)",
    "calibration_slope": "Calibration slope",
    "oe_ratio": "Observed / expected events",
    "sensitivity": "Sensitivity at the cut",
    "specificity": "Specificity at the cut",
}


def write_regression_page(folder: str | Path) -> None:
    """Write regression.html and its figures beside the tables of a regression.

    Parameters
    ----------
    folder : path-like
        Holds ``tables/*.parquet``, ``regression.json`` and, where there is one, ``nomogram.json``.
    """
    folder = Path(folder)
    facts = read_json(folder / "regression.json")
    tables = {
        path.stem: read_table(path, REGRESSION.get(path.stem))
        for path in sorted((folder / "tables").glob("*.parquet"))
    }
    nomogram = folder / "nomogram.json"
    drawing = read_json(nomogram) if nomogram.exists() else None
    sections = [section for section in _sections(facts, tables, drawing) if section.blocks]
    leaks = facts["mode"] == LABEL
    figures = folder / "figures"
    figures.mkdir()
    for section in sections:
        for block in section.all_blocks():
            if isinstance(block, Figure):
                (figures / f"{block.name}.svg").write_text(block.file_text, encoding="utf-8")
            elif isinstance(block, Table) and not (folder / f"tables/{block.name}.csv").exists():
                write_csv(block.file_table, folder / f"tables/{block.name}.csv")
    if drawing is not None:
        (figures / "nomogram.png").write_bytes(nomogram_figure(drawing, facts["title"], png=True))
    kind = f"{WORD} | {KIND}" if leaks else KIND
    with whole_file(folder / "regression.html") as page:
        page.write_text(render(facts["title"], sections, kind), encoding="utf-8")


def _sections(facts: Mapping, tables: Mapping, nomogram: Mapping | None) -> list[Section]:
    fitted = facts["kind"] == "fitted"
    sections = [_summary(facts, tables)]
    if fitted:
        sections += [
            rows_section(facts, tables),
            screening_section(facts, tables),
            model_section(facts, tables),
            checks_section(facts, tables),
        ]
    sections += [
        _nomogram(facts, tables, nomogram),
        _roc(facts, tables),
        _performance(facts, tables),
        optimism_section(facts, tables) if fitted else Section("optimism", "Optimism"),
    ]
    if facts["mode"] == LABEL:
        sections = [_marked(section) for section in sections]
    return sections


def _marked(section: Section) -> Section:
    """Return a section with the word that follows leaking numbers everywhere."""
    blocks = [
        replace(block, caption=f"{WORD}. {block.caption}")
        if isinstance(block, Table | Figure)
        else block
        for block in section.blocks
    ]
    return replace(section, title=f"{WORD}: {section.title}", blocks=blocks)


def _summary(facts: Mapping, tables: Mapping) -> Section:
    blocks: list[Block] = [Paragraph(facts["purpose"])]
    if facts["mode"] == LABEL:
        blocks.append(
            Note(
                "Predictors and coefficients are those of the published order: chosen and fitted "
                "on the same rows, not shrunken. The rigorous model stands beside it wherever "
                "numbers are compared.",
                WORD,
            )
        )
    if facts["kind"] == "fitted":
        what = tables["model"].set_index("what")["value"]
        optimism = tables["optimism"].set_index("measure")
        row = optimism.loc["c_index"]
        items = [
            (f"{what['events']:.0f}", f"events in {what['n']:.0f} rows", "complete cases"),
            (
                number(what["events_per_df"], 1),
                "events per candidate degree of freedom",
                f"{what['candidate_df']:.0f} of them",
            ),
            (number(row["apparent"], 3, UNIT), "AUROC, apparent", "on the rows of the fit"),
            (
                number(row["corrected"], 3, UNIT),
                "AUROC, corrected",
                interval(row["corrected"], row["low"], row["high"], bounds=UNIT),
            ),
            (number(what["shrinkage"]), "shrinkage", "corrected calibration slope"),
        ]
        blocks.append(Facts(items))
    elif "roc" in tables:
        row = tables["roc"].iloc[0]
        blocks.append(
            Facts(
                [
                    (f"{row['events']}", f"events in {row['n']} rows", ""),
                    (
                        number(row["auc"], 3, UNIT),
                        "AUROC on these rows",
                        interval(row["auc"], row["low"], row["high"], bounds=UNIT),
                    ),
                ]
            )
        )
    blocks.append(Note(NOT_AN_EFFECT, "What this is not", "info"))
    if facts["notes"]:
        blocks.append(Items(list(facts["notes"])))
    blocks.append(
        Paragraph(
            "calculator.html beside this page computes the risk of one patient without a network; "
            "model.json holds the model."
        )
    )
    return Section("summary", "Summary", blocks)


def _nomogram(facts: Mapping, tables: Mapping, nomogram: Mapping | None) -> Section:
    if nomogram is None:
        return Section("nomogram", "Nomogram")
    blocks: list[Block] = [
        Figure(
            "nomogram",
            nomogram_figure(nomogram, facts["title"]),
            "Nomogram: an axis a predictor, points above, total points and risk below",
            "Read the points of each value on the upper axis, add them, and read the risk below "
            "the total. Axes cover the range seen. figures/nomogram.png is for print. "
            + facts["purpose"],
            width=760,
        )
    ]
    if "nomogram_points" in tables:
        table = tables["nomogram_points"]
        shown = pd.DataFrame(
            {
                "Predictor": table["label"],
                "Value": table["value"] + (" " + table["unit"]).where(table["unit"] != "", ""),
                "Points": table["points"].map(lambda one: number(one, 1)),
                "Points per unit": table["per_unit"].map(lambda one: number(one, 3)),
            }
        )
        blocks.append(
            Table(
                "nomogram_points",
                "Points of the nomogram.",
                shown,
                table,
                ("Points", "Points per unit"),
                collapsed="Points table",
            )
        )
    return Section("nomogram", "Nomogram", blocks)


def _roc(facts: Mapping, tables: Mapping) -> Section:
    if "roc" not in tables:
        return Section("roc", "ROC")
    table = tables["roc"]
    shown = pd.DataFrame(
        {
            "What": worded(facts, table["what"].replace(_LABELS)),
            "Rows": table["part"],
            "AUC": [interval(r.auc, r.low, r.high, bounds=UNIT) for r in table.itertuples()],
            "SE": table["se"].map(number),
            "P": table["p_value"].map(p_value),
            "Cut (Youden)": table["cut"].map(_short),
            "Sensitivity": table["sensitivity"].map(lambda one: number(one, 3, UNIT)),
            "Specificity": table["specificity"].map(lambda one: number(one, 3, UNIT)),
            "Cut chosen on": table["cut_chosen_on"],
        }
    )
    numeric = ("AUC", "SE", "P", "Sensitivity", "Specificity")
    caption = (
        "Each factor and the model: DeLong's error and limits. Direction and "
        "cut are chosen on the rows of the fit and applied unchanged to others."
        if facts["kind"] == "fitted"
        else "The model on these rows: DeLong's error and limits."
    )
    return Section(
        "roc", "ROC of each factor and of the model", [Table("roc", caption, shown, table, numeric)]
    )


def _short(cut: str) -> str:
    """Return a cut with few digits, such as ``>= 0.3267``; the file has them all."""
    return re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.4g}", cut)


def _performance(facts: Mapping, tables: Mapping) -> Section:
    if "metrics" not in tables:
        return Section("performance", "Performance")
    blocks: list[Block] = []
    parts = [part for part in _PARTS if (tables["metrics"]["part"] == part).any()]
    for part in parts:
        of_part = {
            name: tables[name][tables[name]["part"] == part]
            for name in (
                "metrics",
                "roc_curve",
                "calibration",
                "calibration_curve",
                "calibration_tests",
                "decision_curve",
            )
            if name in tables
        }
        blocks += _part(facts, part, of_part)
    return Section("performance", "Performance", blocks)


def _part(facts: Mapping, part: str, tables: Mapping) -> list[Block]:
    where = _PARTS[part] if facts["kind"] == "fitted" else "These rows"
    metrics = tables["metrics"]
    labels = {name: _LABELS.get(name, name) for name in dict.fromkeys(metrics["model"])}
    rows = []
    for name, text in _METRICS.items():
        own = metrics[metrics["metric"] == name].set_index("model")
        if not len(own):
            continue
        cells = {"Figure": text}
        for model, label in labels.items():
            cells[label] = interval(*own.loc[model, ["value", "low", "high"]])
        rows.append(cells)
    apparent = part == "training"
    caption = f"{where}." + (" Every figure is too good for other patients." if apparent else "")
    blocks: list[Block] = [
        Table(f"figures-{part}", caption, pd.DataFrame(rows), metrics, tuple(labels.values()))
    ]
    if "roc_curve" not in tables or not len(tables["roc_curve"]):
        return blocks
    tests = tables["calibration_tests"]
    shown = pd.DataFrame(
        {
            "Model": tests["model"].map(labels),
            "Hosmer-Lemeshow chi-square": tests["statistic"].map(lambda one: number(one, 2)),
            "df": tests["df"].astype(str),
            "P": tests["p_value"].map(p_value),
            "Note": tests["note"].where(tests["note"] != "", NO_VALUE),
        }
    )
    df = "groups less two" if apparent else "the groups"
    blocks.append(
        Table(
            f"hosmer-lemeshow-{part}",
            f"Hosmer-Lemeshow test, {where.lower()}: ten groups of equally many rows, equal risks "
            f"stay together; degrees of freedom are {df}. A large P value is no proof of "
            "calibration.",
            shown,
            tests,
            ("Hosmer-Lemeshow chi-square", "df", "P"),
        )
    )
    aurocs = metrics[metrics["metric"] == "auroc"].set_index("model")["value"].to_dict()
    first = dict(list(labels.items())[:1])
    level = f"{100 * facts['confidence']:g}%"
    given = {
        f"roc-{part}": (
            roc_figure(tables["roc_curve"], aurocs, first),
            "ROC curve",
            f"ROC curve, {where.lower()}. Shrinkage does not change it.",
        ),
        f"calibration-{part}": (
            calibration_figure(tables["calibration"], tables["calibration_curve"], labels),
            "Calibration: observed share of events over predicted risk",
            f"Calibration, {where.lower()}: groups with {level} limits, smoothed curve with band.",
        ),
        f"decision-curve-{part}": (
            decision_figure(tables["decision_curve"], labels, next(reversed(labels))),
            "Decision curve: net benefit over threshold probability",
            f"Decision curve, {where.lower()}: net benefit against treating all and none.",
        ),
    }
    for name, (svg, alt, text) in given.items():
        blocks.append(Figure(name, _own_ids(svg, part), alt, text))
    ranges = useful_ranges_table(tables["decision_curve"], labels, level, where.lower())
    blocks.append(replace(ranges, name=f"decision-ranges-{part}"))
    return blocks


def _own_ids(svg: str, part: str) -> str:
    """Return a drawing whose ids differ from those of the same figure of another part."""
    for mark in ('id="', 'href="#', "url(#"):
        svg = svg.replace(mark, f"{mark}{part}-")
    return svg
