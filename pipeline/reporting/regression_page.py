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
from pipeline.core.mode_labels import LABEL, RIGOROUS, WORD
from pipeline.reporting.blocks import Block, Facts, Figure, Items, Note, Paragraph, Section, Table
from pipeline.reporting.evaluation_tables import useful_ranges_table
from pipeline.reporting.figures.models import calibration_figure, decision_figure, roc_figure
from pipeline.reporting.figures.nomogram import nomogram_figure, odds_figure
from pipeline.reporting.study_report import render
from pipeline.reporting.wording import NO_VALUE, UNIT, interval, number, p_value

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
    "calibration_intercept": "Calibration intercept",
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
    tables = {path.stem: read_table(path) for path in sorted((folder / "tables").glob("*.parquet"))}
    nomogram = folder / "nomogram.json"
    drawing = read_json(nomogram) if nomogram.exists() else None
    sections = [section for section in _sections(facts, tables, drawing) if section.blocks]
    leaks = facts["mode"] == LABEL
    figures = folder / "figures"
    figures.mkdir()
    for section in sections:
        for block in section.all_blocks():
            if isinstance(block, Figure):
                text = '<?xml version="1.0" encoding="utf-8"?>\n' + block.svg + "\n"
                (figures / f"{block.name}.svg").write_text(text, encoding="utf-8")
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
            _rows(tables),
            _screening(facts, tables),
            _model(facts, tables),
            _checks(tables),
        ]
    sections += [
        _nomogram(facts, tables, nomogram),
        _roc(facts, tables),
        _performance(facts, tables),
        _optimism(facts, tables) if fitted else Section("optimism", "Optimism"),
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


def _rows(tables: Mapping) -> Section:
    flow = tables["flow"]
    shown = flow.assign(part=flow["part"].map({"training": "fit", "validation": "validation"}))
    shown = shown.rename(columns={"what": "Rows", "rows": "Number", "part": "Part"})
    blocks: list[Block] = [
        Table(
            "flow",
            "Rows of the table, and those left out since a value is missing (a row may lack "
            "several).",
            shown[["Rows", "Part", "Number"]].astype(str),
            flow,
            ("Number",),
        )
    ]
    coding = tables["coding"]
    if len(coding):
        shown = pd.DataFrame(
            {
                "Predictor": coding["predictor"],
                "Level": coding["level"],
                "Frequency": coding["frequency"].astype(str),
                "Code": coding["code"],
                "Column": coding["column"].where(coding["column"] != "", "reference"),
            }
        )
        blocks.append(Table("coding", "How categories are coded.", shown, coding, ("Frequency",)))
    return Section("rows", "Rows and coding", blocks)


def _screening(facts: Mapping, tables: Mapping) -> Section:
    table = tables["screening"]
    shown = pd.DataFrame(
        {
            "Column": table["column"],
            "B": table["b"].map(number),
            "SE": table["se"].map(number),
            "OR": _ratios(table),
            "P": table["p_value"].map(p_value),
            "Score chi-square": table["score"].map(lambda one: number(one, 2)),
            "df": table["df"].astype(str),
            "P (score)": table["score_p"].map(p_value),
            "Kept": table["kept"].map({True: "yes", False: "no"}),
        }
    )
    threshold = facts["screening"]
    rule = (
        "Predictors were fixed beforehand: all enter, whatever their P value."
        if threshold is None
        else f"Candidates with a P value of the score test up to {threshold:g} enter the model."
    )
    caption = (
        f"Every candidate alone in a logistic model. {rule} The score chi-square of a category is "
        "Pearson's without Yates' correction."
    )
    numeric = ("B", "SE", "OR", "P", "Score chi-square", "df", "P (score)")
    return Section(
        "screening", "Each predictor alone", [Table("screening", caption, shown, table, numeric)]
    )


def _ratios(table: pd.DataFrame) -> list[str]:
    return [interval(row.odds_ratio, row.low, row.high) for row in table.itertuples()]


def _model(facts: Mapping, tables: Mapping) -> Section:
    table = tables["coefficients"]
    together = table["column"] == ""
    shown = pd.DataFrame(
        {
            "Column": table["column"].where(~together, table["predictor"] + " (together)"),
            "B": table["b"].map(number),
            "SE": table["se"].map(number),
            "Chi-square": table["wald"].map(lambda one: number(one, 2)),
            "df": table["df"].astype(str),
            "P": table["p_value"].map(p_value),
            "OR": _ratios(table),
        }
    )
    level = f"{100 * facts['confidence']:g}%"
    test = table["test"].iloc[0]
    after = (
        " P values and intervals ignore the screening on the same rows and are too good."
        if facts["screening"] is not None
        else ""
    )
    blocks: list[Block] = [
        Table(
            "coefficients",
            f"Multivariable logistic regression by {facts['method']}; test: {test}; odds ratios "
            f"with {level} limits.{after}",
            shown,
            table,
            ("B", "SE", "Chi-square", "df", "P", "OR"),
        ),
        Figure(
            "odds-ratios",
            odds_figure(table),
            "Odds ratios of the multivariable model with their intervals",
            f"Odds ratios with {level} limits, on a logarithmic axis.",
        ),
    ]
    if len(tables["imputed"]):
        blocks.append(_imputed(tables["imputed"], level))
    equation = tables["equation"]
    shown = pd.DataFrame(
        {
            "Column": equation["column"],
            "As fitted": equation["as_fitted"].map(lambda one: number(one, 4)),
            "Rigorous": equation["rigorous"].map(lambda one: number(one, 4)),
        }
    )
    blocks.append(
        Table(
            "equation",
            "Coefficients from which risks are computed: as they came out, and rigorous (shrunken "
            "by the corrected calibration slope, the intercept estimated anew so that the mean "
            "risk is the share of events).",
            shown,
            equation,
            ("As fitted", "Rigorous"),
        )
    )
    return Section("model", "Multivariable model", blocks)


def _imputed(table: pd.DataFrame, level: str) -> Table:
    shown = pd.DataFrame(
        {
            "Column": table["column"],
            "B": table["b"].map(number),
            "SE": table["se"].map(number),
            "df": table["df"].map(lambda one: number(one, 1)),
            "P": table["p_value"].map(p_value),
            "OR": _ratios(table),
            "OR of complete cases": table["complete_cases"].map(number),
            "Missing information": table["missing_information"].map(lambda one: number(one, 2)),
        }
    )
    return Table(
        "imputed",
        "Multiple imputation of missing predictors by chained equations, the outcome among their "
        f"predictors; pooled by Rubin's rules, {level} limits. It stands beside the complete "
        "cases; the bootstrap, the nomogram and the calculator are of the complete cases.",
        shown,
        table,
        tuple(shown.columns[1:]),
    )


def _checks(tables: Mapping) -> Section:
    blocks: list[Block] = []
    table = tables["collinearity"]
    shown = pd.DataFrame(
        {
            "Predictor": table["predictor"],
            "df": table["df"].astype(str),
            "VIF": table["vif"].map(lambda one: number(one, 2)),
            "VIF^(1/2df)": table["vif_per_df"].map(lambda one: number(one, 2)),
            "VIF of the fit": table["vif_of_fit"].map(lambda one: number(one, 2)),
        }
    )
    blocks.append(
        Table(
            "collinearity",
            "Variance inflation, with intercept; generalised where a predictor has several "
            "columns.",
            shown,
            table,
            tuple(shown.columns[1:]),
        )
    )
    table = tables["linearity"]
    if len(table):
        shown = pd.DataFrame(
            {
                "Predictor": table["predictor"],
                "Chi-square of the bend": table["wald"].map(lambda one: number(one, 2)),
                "df": table["df"].astype(str),
                "P": table["p_value"].map(p_value),
                "Note": table["note"].where(table["note"] != "", NO_VALUE),
            }
        )
        blocks.append(
            Table(
                "linearity",
                "Does a spline of four knots bend the line? A description: nothing is chosen by "
                "it.",
                shown,
                table,
                ("Chi-square of the bend", "df", "P"),
            )
        )
    table = tables["influence"]
    shown = pd.DataFrame(
        {
            "Row of the table": table["row"].astype(str),
            "Cook's distance": table["cook"].map(number),
            "Leverage": table["leverage"].map(number),
            "Residual": table["residual"].map(lambda one: number(one, 2)),
            "Largest shift (SE)": table["largest_shift"].map(lambda one: number(one, 2)),
            "Of": table["column"],
        }
    )
    blocks.append(
        Table(
            "influence",
            "The rows that move the coefficients most; look at them, and leave none out for it.",
            shown,
            table,
            tuple(shown.columns[1:5]),
            collapsed="Rows with the largest influence",
        )
    )
    return Section("checks", "Checks of the model", blocks)


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
            "What": table["what"].replace(_LABELS),
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
    ranges = useful_ranges_table(tables["decision_curve"], labels, level)
    caption = ranges.caption.replace("test rows", where.lower())
    blocks.append(replace(ranges, name=f"decision-ranges-{part}", caption=caption))
    return blocks


def _own_ids(svg: str, part: str) -> str:
    """Return a drawing whose ids differ from those of the same figure of another part."""
    for mark in ('id="', 'href="#', "url(#"):
        svg = svg.replace(mark, f"{mark}{part}-")
    return svg


def _optimism(facts: Mapping, tables: Mapping) -> Section:
    table = tables["optimism"]
    names = {
        "c_index": "AUROC (C-index)",
        "brier": "Brier score",
        "calibration_slope": "Calibration slope",
        "calibration_intercept": "Calibration intercept",
    }
    shown = pd.DataFrame(
        {
            "Measure": table["measure"].map(names),
            "Apparent": table["apparent"].map(number),
            "Optimism": table["optimism"].map(number),
            "Corrected": [interval(r.corrected, r.low, r.high) for r in table.itertuples()],
            "How": table["method"],
        }
    )
    repeated = "knots and fit" if facts["screening"] is None else "screening, knots and fit"
    blocks: list[Block] = [
        Table(
            "optimism",
            f"Harrell's bootstrap, {facts['resamples']} resamples of patients in which {repeated} "
            "are repeated. AUROC and C-index are one quantity for a binary outcome. The corrected "
            f"slope is the factor of the {RIGOROUS} model.",
            shown,
            table,
            ("Apparent", "Optimism", "Corrected"),
        )
    ]
    selected = tables["selected"]
    if len(selected):
        shown = pd.DataFrame(
            {
                "Candidate": selected["predictor"],
                "Kept in": selected["share"].map(lambda one: f"{100 * one:.0f}%"),
            }
        )
        blocks.append(
            Table(
                "selected",
                "How often screening kept each candidate over the resamples.",
                shown,
                selected,
                ("Kept in",),
            )
        )
    return Section("optimism", "Optimism and what rigour changes", blocks)
