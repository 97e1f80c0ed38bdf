"""Section on the first question of a reader: what radiomics adds to clinical data."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.blocks import Block, Figure, Items, Paragraph, Section, Table
from pipeline.reporting.dropped import NO_MODEL
from pipeline.reporting.figures.drawing import ACCENT, INK, WARM
from pipeline.reporting.figures.models import forest_figure
from pipeline.reporting.results import AddedValue, Results
from pipeline.reporting.sections.prediction.selection import NO_OUTCOME
from pipeline.reporting.wording import (
    NO_VALUE,
    SIGNED,
    UNIT,
    Bounds,
    count,
    interval,
    number,
    p_value,
    plural,
    share,
)
from pipeline.reporting.words.added_value_words import (
    ARMS,
    added_value_sentences,
    arms_sentence,
    where_judged,
)

_COLOURS = {"both": ACCENT, "clinical": WARM, "radiomics": INK}


def added_value_section(results: Results) -> Section:
    """Build the section that sets clinical, radiomic and all candidates beside one another."""
    title = "Added value of radiomics"
    if results.modelling is None:
        return Section("added-value", title, absent=NO_OUTCOME)
    if not results.modelling.models:
        return Section("added-value", title, absent=NO_MODEL)
    added = results.modelling.added_value
    if not added.compared:
        reason = added.info["reason"]
        return Section("added-value", title, absent=f"Nothing to compare: {reason}.")
    fitted = added.arms[added.arms["auroc"].notna()]
    blocks: list[Block] = [
        Paragraph(f"{arms_sentence(results)} {added_value_sentences(results)}".strip())
    ]
    if len(fitted):
        blocks.append(_figure(results, fitted))
    blocks += [_arms_table(results, added), _differences_table(results, added)]
    blocks.append(Items(_remarks(results, added)))
    return Section("added-value", title, blocks)


def _name(added: AddedValue, suffix: str = "") -> str:
    """Return the name of a table or figure; what is of the outer folds is called so."""
    nested = "-nested" if added.info["part"] == "nested" else ""
    return f"added-value{suffix}{nested}"


def _figure(results: Results, fitted: pd.DataFrame) -> Figure:
    added = results.modelling.added_value
    rows = pd.DataFrame(
        {
            "label": fitted["arm"].map(ARMS),
            "value": fitted["auroc"],
            "low": fitted["auroc_low"],
            "high": fitted["auroc_high"],
        }
    )
    name, where = _name(added), where_judged(results)
    described = "; ".join(
        f"{row.label} {interval(row.value, row.low, row.high, bounds=UNIT)}"
        for row in rows.itertuples()
    )
    intervals = f" with {_level(added)} intervals" if rows["low"].notna().any() else ""
    return Figure(
        name=name,
        svg=forest_figure(rows, name, "AUROC", 0.5, [_COLOURS[arm] for arm in fitted["arm"]]),
        alt=f"AUROC of {added.info['label']} by what it was given: {described}.",
        caption=f"AUROC of {added.info['label']} {where}, fitted to clinical predictors, to "
        f"radiomic features and to both{intervals}. Dashed: 0.5, no discrimination.",
    )


def _level(added: AddedValue) -> str:
    return f"{100 * added.info['confidence']:g}%"


def _arms_table(results: Results, added: AddedValue) -> Table:
    nested = added.info["part"] == "nested"
    risk = share(added.info["risk"], 1, 1)
    benefit = f"Net benefit at {risk}"
    rows = []
    for row in added.arms.itertuples():
        area = interval(row.auroc, row.auroc_low, row.auroc_high, bounds=UNIT)
        if nested and pd.notna(row.auroc):
            area = f"{number(row.auroc, bounds=UNIT)} (SD {number(row.auroc_sd)})"
        rows.append(
            {
                "Fitted to": ARMS[row.arm] + (f"\n{row.note}" if row.note else ""),
                "Columns in the model": count(row.n_features),
                "AUROC": area,
                "Brier score": number(row.brier, bounds=UNIT),
                benefit: number(row.net_benefit),
            }
        )
    of_folds = " Means over the outer folds, with their standard deviation." if nested else ""
    first = added.arms.dropna(subset=["n"])
    counted = (
        f" {plural(int(first['n'].iloc[0]), results['unit'])}, "
        f"{plural(int(first['events'].iloc[0]), 'event')}."
        if len(first)
        else ""
    )
    columns = ["Fitted to", "Columns in the model", "AUROC", "Brier score", benefit]
    return Table(
        name=_name(added),
        caption=f"{added.info['label']} {where_judged(results)}, fitted to clinical predictors, "
        f"to radiomic features and to both.{counted}{of_folds} Columns: those that the selection "
        "left; a category may have several. Net benefit in true positives per "
        f"patient where everybody with a predicted risk of {risk} or more is treated; treating "
        f"all gives {number(added.info['net_benefit_all'])}, treating nobody 0.",
        shown=pd.DataFrame(rows, columns=columns),
        raw=added.arms,
        numeric=tuple(columns[1:]),
    )


def _differences_table(results: Results, added: AddedValue) -> Table:
    nested = added.info["part"] == "nested"
    rows = []
    for row in added.differences.itertuples():
        line = {"Comparison": f"{ARMS[row.arm]} − {ARMS[row.against].lower()}"}
        if nested:
            spread = number(row.auroc_sd)
            line["AUROC"] = f"{number(row.auroc, bounds=SIGNED)} (SD {spread})"
        else:
            line["AUROC"] = _limits(row, "auroc", SIGNED)
            line["P"] = p_value(row.p_value)
            line["P (Holm)"] = p_value(row.p_holm)
        line["Brier score"] = _limits(row, "brier", SIGNED)
        line["Net benefit"] = _limits(row, "net_benefit")
        rows.append(line)
    columns = ["Comparison", "AUROC", "P", "P (Holm)", "Brier score", "Net benefit"]
    columns = [name for name in columns if not nested or not name.startswith("P")]
    methods = "; ".join(dict.fromkeys(added.differences["method"])) or NO_VALUE
    how = (
        f"AUROC: {methods}."
        if nested
        else f"{_level(added)} intervals. AUROC: {methods}. P values also adjusted after Holm over "
        f"the pairs. Brier score and net benefit: percentiles over "
        f"{count(added.info['resamples'])} resamples of patients."
    )
    return Table(
        name=_name(added, "-differences"),
        caption=f"Paired differences {where_judged(results)}. {how} A lower Brier score is better.",
        shown=pd.DataFrame(rows, columns=columns),
        raw=added.differences,
        numeric=tuple(columns[1:]),
    )


def _limits(row: tuple, name: str, bounds: Bounds | None = None) -> str:
    limits = (getattr(row, f"{name}_low"), getattr(row, f"{name}_high"))
    return interval(getattr(row, name), *limits, bounds=bounds)


def _remarks(results: Results, added: AddedValue) -> list[str]:
    """Return how the arms came about, and why other sections print other figures."""
    remarks = [added.info["search_note"]]
    if added.info["part"] == "test" and added.info["same_as_trained"]:
        remarks.append(
            "The arm of both is the trained model: its results are those of the performance "
            "section."
        )
    elif added.info["part"] == "test":
        remarks.append(
            "All three arms were fitted again with fewer parameter sets than the trained model: "
            "the AUROC of both differs from that of the performance section."
        )
    remarks.append(
        "Other sections answer other questions, with other results. The ablation keeps the "
        "parameters of the full model, which suit it best, and averages several fits. The simplest "
        "predictions are logistic regressions without any search, whatever the model here."
    )
    if results["oversampling"] != "none":
        remarks.append(
            "Oversampling shifts predicted risks: net benefit and Brier score compare the arms, "
            "and say little about the risk of a patient."
        )
    return [*remarks, *added.info["notes"]]
