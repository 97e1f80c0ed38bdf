"""The page of a validation, written from the tables that `models.judge --validation` stored.

Its first line says which validation it is, as its author stated it.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipeline.core.files import read_json, read_table, whole_file, whole_folder, write_csv
from pipeline.reporting.blocks import Block, Facts, Figure, Items, Note, Paragraph, Section, Table
from pipeline.reporting.figures.models import calibration_figure, decision_figure
from pipeline.reporting.parts.fit_and_benefit_tables import useful_ranges_table
from pipeline.reporting.study_report import render
from pipeline.reporting.wording import (
    METRIC_BOUNDS,
    NO_VALUE,
    count,
    interval,
    number,
    p_value,
    plural,
)
from pipeline.reporting.words.calibration_words import ratio_words, slope_words
from pipeline.tables.schemas.prediction.evaluation import JUDGED
from pipeline.tables.schemas.prediction.validation import VALIDATION

KIND = "Validation of a model"

CURVES = ("calibration", "calibration_curve", "decision_curve")

METRICS = {
    "auroc": "AUROC",
    "brier": "Brier score",
    "scaled_brier": "Scaled Brier score",
    "oe_ratio": "Observed / expected events",
    "calibration_intercept": "Calibration in the large (slope fixed at 1)",
    "calibration_slope": "Calibration slope",
    "joint_intercept": "Calibration intercept fitted with the slope",
    "ici": "ICI (mean distance from the curve)",
    "e50": "E50 (median distance)",
    "e90": "E90 (90th percentile of the distance)",
    "emax": "Emax (largest distance)",
}
_OF_GROUPS = {
    "auroc": "AUROC",
    "oe_ratio": "Observed / expected",
    "calibration_intercept": "In the large",
    "calibration_slope": "Slope",
}
_CRITERIA = {
    "oe_ratio": "Observed / expected events",
    "calibration_slope": "Calibration slope",
    "auroc": "AUROC",
    "net_benefit": "Standardised net benefit",
}


def write_validation_page(folder: str | Path) -> None:
    """Write ``validation.html``, its figures and its tables beside the tables of a validation.

    Parameters
    ----------
    folder : path-like
        Where `models.judge` wrote its tables and ``validation.json``.
    """
    folder = Path(folder)
    facts = read_json(folder / "validation.json")
    sections = build_sections(folder, facts)
    blocks = [block for section in sections for block in section.all_blocks()]
    with whole_folder(folder / "figures") as beside:
        for block in blocks:
            if isinstance(block, Figure):
                (beside / f"{block.name}.svg").write_text(block.file_text, encoding="utf-8")
    with whole_folder(folder / "tables") as beside:
        for block in blocks:
            if isinstance(block, Table):
                write_csv(block.file_table, beside / f"{block.name}.csv")
    title = f"{facts['name']}: {', '.join(facts['models'])}"
    with whole_file(folder / "validation.html") as beside:
        beside.write_text(render(title, sections, KIND), encoding="utf-8")


def build_sections(folder: Path, facts: dict) -> list[Section]:
    """Return the sections of the page, which kind of validation it is first."""
    labels = {name: name for name in facts["models"]}
    level = f"{100 * facts['confidence']:g}%"
    sections = [
        Section("validation", facts["name"], _first(folder, facts, level)),
        Section("figures", "Performance", _figures(folder, facts, labels, level)),
    ]
    if facts["by"]:
        sections.append(Section("groups", "Subgroups and sites", [_groups(folder, level)]))
    sections.append(Section("updates", "Updating the model", _updates(folder, facts, level)))
    sections.append(Section("size", "Sample size of the validation", _sizes(facts)))
    return sections


def _first(folder: Path, facts: dict, level: str) -> list[Block]:
    some = next(iter(facts["models"].values()))
    blocks: list[Block] = [
        Note(f"{facts['text']} So its author states it.", facts["name"], "info"),
        Facts(
            [
                (count(some["patients"]), "patients", f"{plural(some['rows'], 'row')}"),
                (count(some["events"]), "patients with the event", "in the validation"),
            ]
        ),
    ]
    metrics = read_table(folder / "validation.parquet", VALIDATION["validation"]).set_index(
        ["model", "metric"]
    )
    said = []
    for model in facts["models"]:
        slope, ratio, intercept = (
            tuple(metrics.loc[(model, metric), ["value", "low", "high"]])
            for metric in ("calibration_slope", "oe_ratio", "calibration_intercept")
        )
        if pd.notna(slope[0]):
            said.append(f"{model}: {slope_words(*slope, level)}.")
        if pd.notna(ratio[0]):
            said.append(f"{model}: {ratio_words(*ratio, intercept, level)}.")
    return [*blocks, Items([*said, *facts["notes"]])] if said or facts["notes"] else blocks


def _figures(folder: Path, facts: dict, labels: dict[str, str], level: str) -> list[Block]:
    metrics = read_table(folder / "validation.parquet", VALIDATION["validation"])
    rows = []
    for name, printed in METRICS.items():
        line = {"Figure": printed}
        for model in labels:
            row = metrics[(metrics["model"] == model) & (metrics["metric"] == name)].iloc[0]
            line[model] = interval(
                row["value"], row["low"], row["high"], bounds=METRIC_BOUNDS.get(name)
            )
        rows.append(line)
    curves = {name: read_table(folder / f"{name}.parquet", JUDGED[name]) for name in CURVES}
    blocks: list[Block] = [
        Table(
            name="validation-figures",
            caption=f"Performance, value and {level} interval. The distances are those of the "
            "risks from the smoothed calibration curve (LOWESS without robustness steps); 0 is "
            "best. The file names the method of every interval.",
            shown=pd.DataFrame(rows),
            raw=metrics,
            numeric=tuple(labels),
        ),
        Figure(
            name="validation-calibration",
            svg=calibration_figure(curves["calibration"], curves["calibration_curve"], labels),
            alt="Observed share of events against predicted risk.",
            caption="Calibration: groups of predicted risk with Wilson intervals (dots), a LOWESS "
            f"curve with its pointwise {level} band over resampled patients. On the dashed "
            "diagonal, predicted risks are true; below it they are too high.",
        ),
        Figure(
            name="validation-decision",
            svg=decision_figure(curves["decision_curve"], labels, next(iter(labels))),
            alt="Net benefit over threshold probability.",
            caption="Decision curve: net benefit against treating all and none. Shaded: pointwise "
            f"{level} band of {next(iter(labels))}.",
            width=620,
        ),
        useful_ranges_table(curves["decision_curve"], labels, level, "rows of the validation"),
    ]
    return blocks


def _groups(folder: Path, level: str) -> Table:
    table = read_table(folder / "groups.parquet", VALIDATION["groups"])
    rows = []
    for (model, by, group), part in table.groupby(["model", "by", "group"], sort=False):
        own = part.set_index("metric")
        first = own.iloc[0]
        row = {"Model": model, "By": by, "Group": group, "Rows": count(first["rows"]),
               "Events": count(first["events"])}  # fmt: skip
        for metric, printed in _OF_GROUPS.items():
            value = own.loc[metric]
            row[printed] = (
                NO_VALUE
                if pd.isna(value["value"])
                else interval(
                    value["value"], value["low"], value["high"], 2, METRIC_BOUNDS.get(metric)
                )
            )
        rows.append(row)
    return Table(
        name="validation-groups",
        caption=f"Figures of each subgroup ({level} intervals, not corrected for the number of "
        "groups). Groups with fewer than 10 with or without the event have none. Intervals "
        "that overlap are no proof that groups are equal.",
        shown=pd.DataFrame(rows),
        raw=table,
        numeric=("Rows", "Events", *_OF_GROUPS.values()),
    )


def _updates(folder: Path, facts: dict, level: str) -> list[Block]:
    table = read_table(folder / "updates.parquet", VALIDATION["updates"])
    rows = []
    for row in table.itertuples():
        suggested = " (suggested)" if row.suggested is True else ""
        rows.append(
            {
                "Model": row.model,
                "Update": f"{row.method}{suggested}",
                "Intercept": _with_limits(row, "intercept"),
                "Slope": _with_limits(row, "slope"),
                "Brier": number(row.brier),
                "Corrected": number(row.brier_corrected),
                "P": p_value(row.p_value),
                "Patients needed": count(row.needed) if pd.notna(row.needed) else NO_VALUE,
                "Patients here": count(row.patients),
            }
        )
    blocks: list[Block] = [
        Paragraph(
            "An update changes the logit of the risk to intercept + slope × logit. It leaves the "
            "order of the patients, and so the AUROC, as it is. Figures of an updated model on "
            "these rows are apparent: it has to be validated on further patients."
        ),
        Table(
            name="validation-updates",
            caption=f"Updates side by side ({level} intervals). P: likelihood-ratio test against "
            "intercept and slope, rows counted as independent; the least update that does not fit "
            "significantly worse is suggested (closed test, Vergouwe et al., Stat Med "
            "2017;36:4529-4539). Brier: on these rows; corrected: less the optimism of resampled "
            "patients. Patients needed: to judge the model as it is by all criteria below; for "
            "the intercept that of observed / expected events; for both that of the slope too; "
            "for a refit those of a development (Riley et al.), where its coefficients are known.",
            shown=pd.DataFrame(rows),
            raw=table,
            numeric=("Intercept", "Slope", "Brier", "Corrected", "P", "Patients needed",
                     "Patients here"),
        ),
    ]  # fmt: skip
    notes = [f"{row.model}, {row.method}: {row.note}." for row in table.itertuples() if row.note]
    notes += [f"Updated model: {name}." for name in facts["updated"]]
    return [*blocks, Items(notes)] if notes else blocks


def _with_limits(row: object, name: str) -> str:
    value, low, high = (getattr(row, f"{name}{end}") for end in ("", "_low", "_high"))
    return interval(value, low, high, 2) if pd.notna(value) else NO_VALUE


def _sizes(facts: dict) -> list[Block]:
    rows = []
    for model, size in facts["models"].items():
        for name, printed in _CRITERIA.items():
            needed = size["needed"][name]
            rows.append(
                {
                    "Model": model,
                    "Criterion": printed,
                    "Width of the 95% interval": number(size["widths"][name], 1),
                    "Patients needed": count(needed) if needed is not None else NO_VALUE,
                    "Patients here": count(size["patients"]),
                    "Enough": NO_VALUE
                    if needed is None
                    else "yes"
                    if needed <= size["patients"]
                    else "no",
                }
            )
    return [
        Table(
            name="validation-size",
            caption="Patients that a validation needs after Riley et al. (Stat Med "
            "2021;40:4230-4251) for intervals of the stated width. The distribution of the risks, "
            "the share of events, the AUROC and, for the net benefit, sensitivity and specificity "
            "at the threshold are taken from these patients. A smaller validation is not wrong: "
            "its intervals are wider.",
            shown=pd.DataFrame(rows),
            numeric=("Width of the 95% interval", "Patients needed", "Patients here"),
        )
    ]
