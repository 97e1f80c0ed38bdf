"""Section on the sites of a study: what a model does at a site that it has never seen."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.blocks import Block, Figure, Items, Note, Paragraph, Section, Table
from pipeline.reporting.figures.drawing import ACCENT, INK, WARM
from pipeline.reporting.figures.models import forest_figure
from pipeline.reporting.result_files import Sites
from pipeline.reporting.results import Results, judged
from pipeline.reporting.wording import (
    SIGNED,
    UNIT,
    count,
    interval,
    number,
    p_value,
    plural,
    share,
)
from pipeline.study.model_families import MODEL_FAMILIES

#: Variant -> how it is written.
VARIANTS = {
    "as handed in": "features as they are",
    "own rows": "harmonised to the site's own patients (transductive)",
    "harmonised": "harmonised features",
}
_COLOURS = {"as handed in": ACCENT, "own rows": WARM}


def sites_section(results: Results) -> Section:
    """Build the section; it has no block where nobody asked for it."""
    title = "Sites"
    sites = None if results.modelling is None else results.modelling.sites
    if sites is None:
        return Section("sites", title)
    blocks: list[Block] = [_outcome(sites, judged(results).units.capitalize())]
    if (warning := sites.info["outcome"]["warning"]) is not None:
        blocks.append(Note(f"{warning}.", "Site and outcome go together"))
    blocks.append(Paragraph(_summary(sites)))
    drawn = sites.left_out[sites.left_out["auroc"].notna()]
    if len(drawn):
        blocks.append(_figure(sites, drawn))
    blocks.append(_left_out(sites))
    if len(sites.pooled):
        blocks.append(_pooled(sites))
    if len(sites.harmonised):
        blocks.append(_harmonised(sites))
    if len(sites.features):
        blocks.append(_features(sites))
    blocks.append(Items(_remarks(sites)))
    return Section("sites", title, blocks)


def _label(model: str, variant: str) -> str:
    return f"{MODEL_FAMILIES[model].label}, {VARIANTS[variant]}"


def _level(sites: Sites) -> str:
    return f"{100 * sites.info['confidence']:g}%"


def _outcome(sites: Sites, units: str) -> Table:
    found, table = sites.info["outcome"], sites.outcome
    few = (
        f" A cell is expected to hold fewer than 5 {units.lower()}, so P is approximate."
        * found["few"]
    )
    test = (
        "There are not two sites and two outcomes to compare."
        if found["p_value"] is None
        else f"Chi-square test P {_shown_p(found['p_value'])}, Cramér's V "
        f"{number(found['cramers_v'], 2, UNIT)} (0: no association, 1: the site determines "
        f"the outcome).{few}"
    )
    shown = pd.DataFrame(
        {
            "Site": table["site"],
            units: [count(n) for n in table["n"]],
            "With the outcome": [
                f"{count(row.events)} ({share(row.events, row.n)})" for row in table.itertuples()
            ],
        }
    )
    numeric = (units, "With the outcome")
    return Table("sites-outcome", f"The outcome by site. {test}", shown, table, numeric)


def _shown_p(value: float) -> str:
    text = p_value(value)
    return text if text.startswith(("<", ">")) else f"= {text}"


def _summary(sites: Sites) -> str:
    told = [
        f"{_label(row.model, row.variant)}: mean AUROC "
        f"{interval(row.estimate, row.low, row.high, bounds=UNIT)} over {row.sites} sites"
        + (
            ""
            if pd.isna(row.predicted_low)
            else f"; a new site would lie between {number(row.predicted_low, 3, UNIT)} and "
            f"{number(row.predicted_high, 3, UNIT)}"
        )
        for row in sites.pooled.itertuples()
    ]
    return (
        "Each site was left out in turn: the whole procedure, selection and search included, ran "
        "on all patients of the other sites and was judged on that site's patients, held-out "
        f"patients of the study among them. {'. '.join(told)}{'.' if told else ''}"
    )


def _figure(sites: Sites, drawn: pd.DataFrame) -> Figure:
    several = drawn.groupby(["model", "variant"], sort=False).ngroups > 1
    rows, colours = [], []
    for (model, variant), group in drawn.groupby(["model", "variant"], sort=False):
        name = f" ({MODEL_FAMILIES[model].label}, {variant})" if several else ""
        for row in group.itertuples():
            rows.append([f"{row.site}{name}", row.auroc, row.auroc_low, row.auroc_high])
            colours.append(_COLOURS[variant])
        own = sites.pooled[(sites.pooled["model"] == model) & (sites.pooled["variant"] == variant)]
        for row in own.itertuples():
            rows.append([f"mean{name}", row.estimate, row.low, row.high])
            colours.append(INK)
    table = pd.DataFrame(rows, columns=["label", "value", "low", "high"])
    said = "; ".join(f"{row.label} {number(row.value)}" for row in table.itertuples())
    return Figure(
        name="sites-left-out",
        svg=forest_figure(table, "sites-left-out", "AUROC", 0.5, colours),
        alt=f"AUROC at each site that was left out: {said}.",
        caption=f"AUROC at each site, of a model that saw no patient of it, with {_level(sites)} "
        "intervals; below, the mean of the sites. Dashed: 0.5, no discrimination.",
    )


def _figures(row: object) -> dict[str, str]:
    """Return discrimination and calibration of a row as they are printed."""
    return {
        "Units, events": f"{count(row.n)}, {count(row.events)}",
        "AUROC": interval(row.auroc, row.auroc_low, row.auroc_high, bounds=UNIT),
        "Calibration intercept": interval(row.intercept, row.intercept_low, row.intercept_high, 2),
        "Calibration slope": interval(row.slope, row.slope_low, row.slope_high, 2),
        "Brier score": number(row.brier, bounds=UNIT),
    }


def _left_out(sites: Sites) -> Table:
    rows = [
        {
            "Model": _label(row.model, row.variant),
            "Site left out": row.site + (f"\n{row.note}" if row.note else ""),
            **_figures(row),
        }
        for row in sites.left_out.itertuples()
    ]
    return Table(
        name="sites-left-out",
        caption="Each site predicted by a model of the other sites. Calibration intercept: 0 is "
        "ideal, below 0 risks are too high at the site. Slope: 1 is ideal, below 1 risks are too "
        f"extreme. {_level(sites)} intervals. {sites.info['search_note']}",
        shown=pd.DataFrame(rows),
        raw=sites.left_out,
        numeric=tuple(_figures(next(sites.left_out.itertuples()))),
    )


def _pooled(sites: Sites) -> Table:
    rows = [
        {
            "Model": _label(row.model, row.variant),
            "Sites": count(row.sites),
            "Mean AUROC": interval(row.estimate, row.low, row.high, bounds=UNIT),
            "A new site": "three sites are needed"
            if pd.isna(row.predicted_low)
            else f"{number(row.predicted_low, 3, UNIT)} to {number(row.predicted_high, 3, UNIT)}",
            "I²": share(row.i2, 1),
        }
        for row in sites.pooled.itertuples()
    ]
    return Table(
        name="sites-pooled",
        caption="AUROCs of the sites pooled by random effects on the logit scale (restricted "
        "maximum likelihood; intervals of Hartung and Knapp, never narrower than the usual ones). "
        f"A new site: the {_level(sites)} prediction interval. I²: share of the variance that lies "
        "between sites and is not chance.",
        shown=pd.DataFrame(rows),
        raw=sites.pooled,
        numeric=("Sites", "Mean AUROC", "A new site", "I²"),
    )


def _harmonised(sites: Sites) -> Table:
    rows = [
        {
            "Model": _label(row.model, row.variant) + (f"\n{row.note}" if row.note else ""),
            **_figures(row),
        }
        for row in sites.harmonised.itertuples()
    ]
    told = " ".join(_difference(each) for each in sites.info["differences"])
    return Table(
        name="sites-harmonised",
        caption="Training patients, each predicted by models that did not learn from them, in the "
        "same folds: features as they are, and harmonised by ComBat inside each fold. All sites "
        f"are in every training fold: this does not say how a new site would do. {told}",
        shown=pd.DataFrame(rows),
        raw=sites.harmonised,
        numeric=tuple(_figures(next(sites.harmonised.itertuples()))),
    )


def _difference(each: dict) -> str:
    label = MODEL_FAMILIES[each["model"]].label
    if each["note"]:
        return f"{label}: {each['note']}."
    shown = interval(each["auroc"], each["low"], each["high"], bounds=SIGNED)
    return f"{label}: difference of the AUROCs {shown}, P {_shown_p(each['p_value'])}."


def _features(sites: Sites) -> Table:
    found = sites.info["features"]
    rows = []
    for when, label in (("before", "As they are"), ("after", "After ComBat")):
        own = found[when]
        rows.append(
            {
                "Features": label,
                "Differ between sites": f"{count(own['differing'])} of {count(own['features'])} "
                f"({share(own['differing'], own['features'])})",
                "Median η²": number(own["eta2"], 3, UNIT),
            }
        )
    hint = "" if found["harmonised"] else " The study's models take features as they are."
    return Table(
        name="sites-features",
        caption="Radiomic features that pass the agreement of readers, compared between the sites "
        "of the training patients (Kruskal-Wallis, P adjusted after Benjamini and Hochberg, below "
        "0.05). η²: share of the ranks' variance that lies between sites. The second row is of the "
        "patients that ComBat learned from, and thus flatters it; neither separates an effect of "
        f"the scanner from a difference of the patients.{hint}",
        shown=pd.DataFrame(rows),
        raw=sites.features,
        numeric=("Differ between sites", "Median η²"),
    )


def _remarks(sites: Sites) -> list[str]:
    remarks = []
    if (sites.left_out["variant"] == "own rows").any():
        remarks.append(
            "Transductive figures look at the features of the patients who are predicted, without "
            "their outcomes, and take true differences of case mix for effects of the site. They "
            "are no validation at a new hospital, and no single patient can be predicted so."
        )
    if sites.info["features"]["note"]:
        remarks.append(f"Features between sites: {sites.info['features']['note']}.")
    unfit = sites.left_out[sites.left_out["note"] != ""]
    if len(unfit):
        remarks.append(f"{plural(len(unfit), 'fit')} without a site could not be made; see above.")
    remarks.append(
        "Few sites say little about the next one: intervals of a mean of two or three sites are "
        "wide, and that is right."
    )
    return remarks
