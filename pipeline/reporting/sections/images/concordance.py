"""Section on the features: which agree between readers, and whether overlap explains the rest."""

from __future__ import annotations

import pandas as pd

from pipeline.comparison.agreement.concordance import stable_from
from pipeline.core.problems import listing
from pipeline.reporting.blocks import Block, Figure, Items, Paragraph, Section, Table
from pipeline.reporting.figures.readers import (
    concordance_figure,
    families_figure,
    of_column,
    overlap_figure,
)
from pipeline.reporting.leaking import order_words
from pipeline.reporting.results import Results, measured_unit
from pipeline.reporting.wording import SIGNED, count, interval, number, plural, share
from pipeline.reporting.words.feature_meanings import class_in_words, image_type_in_words

#: Features named for each reason why there is no CCC; the table's file holds all.
_NAMED = 5


def concordance_section(results: Results) -> Section:
    """Build the section on features: concordance between readers by image type and class."""
    title = "Reproducibility of features"
    # A researcher's own features may have names without image type and class.
    table = results.reproducibility.fillna(
        {"image_type": "not stated", "feature_class": "not stated"}
    )
    if table.empty:
        reason = "Concordance needs two readers; this study has one."
        if not results.has_features:
            reason = "This study has no features: it is a clinical table alone."
        if len(results.study.readers) > 1:
            reason = "No features of two readers could be paired."
        return Section("concordance", title, absent=reason)
    limit = results["selection.ccc.threshold"]
    threshold = stable_from(limit)
    families = results.families
    by_type, by_class = (of_column(families, name) for name in ("image_type", "feature_class"))
    least = by_type.iloc[0]
    blocks: list[Block] = [
        Paragraph(_introduction(results, table, threshold)),
        *_without(table),
        Figure(
            name="families",
            svg=families_figure(families),
            alt="Share of features that reach the threshold, by image type and feature class. "
            f"Least stable image type: {least['image_type']}, "
            f"{share(least['stable'], least['features'])}; least stable class: "
            f"{by_class.iloc[0]['feature_class']}, "
            f"{share(by_class.iloc[0]['stable'], by_class.iloc[0]['features'])}.",
            caption=f"Share of features with a CCC of at least {number(threshold, 2)}, by image "
            "type and feature class; least stable at the top and at the left. Pale: "
            "families that depend on who drew the mask.",
        ),
        Figure(
            name="concordance",
            svg=concordance_figure(table, by_type, threshold),
            alt="Histograms of the concordance correlation coefficient per image type. Least "
            f"stable: {least['image_type']}, {least['stable']} of {least['features']} features "
            f"reach {number(threshold, 2)}.",
            caption=f"Lin's CCC on raw values, by image type, least stable first. Dashed: "
            f"{number(threshold, 2)}; {_filter(results)}. Bars at the left edge hold zero and "
            "less.",
        ),
        _concordance_table(by_type, "image_type", "Image type", threshold),
        _concordance_table(by_class, "feature_class", "Feature class", threshold),
        *_overlap(results),
    ]
    blocks.append(_least_table(results, table))
    return Section("concordance", title, blocks)


def _introduction(results: Results, table: pd.DataFrame, threshold: float) -> str:
    """Say how many features agree, by which coefficient, and what that has to do with selection."""
    readers = int(table["readers"].max())
    kept = int((table["ccc"] >= threshold).sum())
    units, several = plural(int(table["n"].max()), measured_unit(results)), readers > 2
    pairs = readers * (readers - 1) // 2
    text = (
        f"Over all {units} that {f'all {count(readers)}' if several else 'both'} readers measured, "
        f"{count(kept)} of {plural(len(table), 'feature')} "
        f"({share(kept, len(table))}) reach a concordance correlation coefficient (CCC; 1: perfect "
        f"agreement) of {number(threshold, 2)}; the median is "
        f"{number(table['ccc'].median(), 3, SIGNED)}. "
    )
    if several:
        text += (
            f"The pair of readers that agrees least decides, of {count(pairs)} pairs and for each "
            f"feature anew, as in the models' filter{_most_often(table)}. The overall CCC of all "
            f"{count(readers)} readers (Barnhart et al., Biometrics 2002;58:1020-1027), which "
            f"weighs all pairs together, has a median of "
            f"{number(table['ccc_overall'].median(), 3, SIGNED)}, and "
            f"{count(int((table['ccc_overall'] >= threshold).sum()))} features reach "
            f"{number(threshold, 2)}. "
        )
    widths = (table["ccc_high"] - table["ccc_low"]).dropna()
    if widths.empty:
        text += "So few cases give the CCC no interval."
    else:
        text += f"The median width of the intervals of the CCC is {number(widths.median(), 2)}."
    within = table["ccc_within"]
    if within.notna().any():
        text += (
            " Computed within vertebral levels, so that differences in size between levels do not "
            f"inflate agreement, the median CCC is {number(within.median(), 3, SIGNED)}, and "
            f"{count(int((within >= threshold).sum()))} features reach {number(threshold, 2)}."
        )
    if results.modelling is not None:
        again = order_words(results).ccc
        text += f" This describes the study; the selection computes the CCC again, on {again}."
    text += (
        " Below, features are grouped by image type (the CT as it is, original, or after a filter) "
        "and by feature class (what they describe); the tables say both in plain words."
    )
    return text


def _most_often(table: pd.DataFrame) -> str:
    """Name the pair that decides most often, as a part of a sentence."""
    pairs = table.loc[table["ccc"].notna(), ["reader_a", "reader_b"]].value_counts()
    if pairs.empty:
        return ""
    (first, second), often = pairs.index[0], int(pairs.iloc[0])
    return (
        f"; most often these are {first} and {second} ({count(often)} of "
        f"{plural(int(pairs.sum()), 'feature')})"
    )


def _filter(results: Results) -> str:
    """Say what the models' filter asks, beside a threshold that is drawn."""
    options = results["selection.ccc"]
    if options["threshold"] is None:
        return "the filter is off"
    if results.modelling is None:
        return "the threshold of the configuration"
    what = "a feature" if options["bound"] == "estimate" else "a feature whose lower limit lies"
    within = " within vertebral levels" if options["within_level"] else ""
    return f"the selection drops {what} below it, by the CCC{within} on {order_words(results).ccc}"


def _without(table: pd.DataFrame) -> list[Block]:
    """Name the features that have no CCC, by the reason."""
    reasons = table.loc[table["ccc"].isna()].groupby("reason", sort=True)["feature"]
    sentences = [
        f"{plural(len(names), 'feature')} without a CCC: {reason}. {listing(names, _NAMED)}."
        for reason, names in reasons
    ]
    return [Items(sentences)] if sentences else []


def _least_table(results: Results, table: pd.DataFrame) -> Table:
    """Return the features that agree least, with the pair that decides where there are several."""
    several = table["readers"].max() > 2
    level = f"{100 * results['evaluation.confidence']:g}%"
    least = table[table["ccc"].notna()].sort_values(["ccc", "feature"]).head(20)
    shown = {
        "Feature": least["feature"],
        "Readers": least["reader_a"] + " and " + least["reader_b"],
        "CCC": [
            interval(row.ccc, row.ccc_low, row.ccc_high, bounds=SIGNED)
            for row in least.itertuples()
        ],
        "Overall CCC": [number(value, bounds=SIGNED) for value in least["ccc_overall"]],
        "ICC": [
            interval(row.icc, row.icc_low, row.icc_high, bounds=SIGNED)
            for row in least.itertuples()
        ],
    }
    of_pair = ""
    if several:
        of_pair = (
            " CCC: of the pair named, which agrees least; overall CCC and ICC: of all readers."
        )
    else:
        del shown["Readers"], shown["Overall CCC"]
    amount = plural(len(least), "feature") if len(least) > 1 else "feature"
    return Table(
        name="least-concordant-features",
        caption=f"The {amount} that {'differ' if len(least) > 1 else 'differs'} most between "
        f"readers: CCC and intraclass correlation ICC(2,1) with {level} intervals.{of_pair}",
        shown=pd.DataFrame(shown),
        raw=least,
        numeric=("CCC", "Overall CCC", "ICC"),
        code=("Feature",),
        collapsed=f"The {plural(len(least), 'least concordant feature')}",
    )


def _overlap(results: Results) -> list[Block]:
    """Say whether a poorer overlap of the masks goes with features further apart."""
    families = results.families
    whole = families.iloc[0]
    if pd.isna(whole["dice_rho"]):
        return []
    confidence = f"{100 * results['evaluation.confidence']:g}%"
    rho = interval(whole["dice_rho"], whole["dice_rho_low"], whole["dice_rho_high"], 2, SIGNED)
    text = (
        f"Over {plural(int(whole['cases']), 'case')} and all features, the difference of features "
        "between readers and the Dice coefficient of their masks have a Spearman "
        f"correlation of {rho}. Below zero, cases with a lower overlap of contours have larger "
        "differences of features; near zero, better contours would not make features agree better."
    )
    if results.reproducibility["readers"].max() > 2:
        text += " Deviation and Dice are means over all pairs of readers."
    kinds = [of_column(families, name) for name in ("image_type", "feature_class")]
    shown, raw = [], families[families["dice_rho"].notna()]
    for rows, name in zip(kinds, ("image_type", "feature_class"), strict=True):
        for row in rows.sort_values("dice_rho").itertuples():
            shown.append(
                {
                    "Family": getattr(row, name),
                    "Features": count(row.features),
                    "Median deviation, SD": number(row.deviation_median, 3),
                    "Correlation with Dice": interval(
                        row.dice_rho, row.dice_rho_low, row.dice_rho_high, 2, SIGNED
                    ),
                }
            )
    return [
        Paragraph(text),
        Figure(
            name="overlap",
            svg=overlap_figure(families),
            alt=f"Rank correlation of feature deviation with the Dice coefficient, {rho} over all "
            "features, by image type and by feature class.",
            caption="Spearman's correlation, over cases, of the Dice coefficient with a family's "
            "deviation: the median over its features of the readers' absolute difference in "
            f"standard deviations between cases. Bars: {confidence} intervals, not adjusted for "
            "the number of families.",
        ),
        Table(
            name="overlap",
            caption="Deviation of features between readers, and its rank correlation with the "
            f"Dice coefficient of the masks ({confidence} intervals).",
            shown=pd.DataFrame(shown),
            raw=raw,
            numeric=("Features", "Median deviation, SD", "Correlation with Dice"),
            sortable=True,
            collapsed="Deviation and overlap by family",
        ),
    ]


def _concordance_table(groups: pd.DataFrame, column: str, heading: str, threshold: float) -> Table:
    words = class_in_words if column == "feature_class" else image_type_in_words
    shown = pd.DataFrame(
        {
            heading: groups[column],
            "In plain words": [words(name) for name in groups[column]],
            "Features": [count(value) for value in groups["features"]],
            f"CCC ≥ {number(threshold, 2)}": [count(value) for value in groups["stable"]],
            "Share": [share(row.stable, row.features) for row in groups.itertuples()],
            "Median CCC": [number(value, bounds=SIGNED) for value in groups["ccc_median"]],
            "Quartiles": [
                f"{number(row.ccc_q1, bounds=SIGNED)} to {number(row.ccc_q3, bounds=SIGNED)}"
                for row in groups.itertuples()
            ],
            "Within levels": [
                number(value, bounds=SIGNED) for value in groups["ccc_within_median"]
            ],
            "Median ICC": [number(value, bounds=SIGNED) for value in groups["icc_median"]],
        }
    )
    return Table(
        name=f"concordance-by-{column.replace('_', '-')}",
        caption=f"Concordance between readers by {heading.lower()}, least stable first. Quartiles: "
        "of the CCC of its features; within levels: median CCC within vertebral levels; ICC: "
        "intraclass correlation coefficient.",
        shown=shown,
        raw=groups,
        numeric=(
            *("Features", f"CCC ≥ {number(threshold, 2)}", "Share", "Median CCC", "Quartiles"),
            *("Within levels", "Median ICC"),
        ),
        sortable=True,
        collapsed=f"By {heading.lower()}" if column == "image_type" else None,
    )
