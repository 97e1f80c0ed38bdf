"""Section on the features: which agree between readers, and whether overlap explains the rest."""

from __future__ import annotations

import pandas as pd

from pipeline.core.concordance import stable_from
from pipeline.reporting.blocks import Block, Figure, Paragraph, Section, Table
from pipeline.reporting.figures_readers import (
    concordance_figure,
    families_figure,
    of_column,
    overlap_figure,
)
from pipeline.reporting.leaking import order_words
from pipeline.reporting.results import Results
from pipeline.reporting.wording import count, interval, number, plural, share


def concordance_section(results: Results) -> Section:
    """Build the section on features: concordance between readers by image type and class."""
    title = "Reproducibility of features"
    # A researcher's own features may have names without image type and class.
    table = results.reproducibility.fillna(
        {"image_type": "not stated", "feature_class": "not stated"}
    )
    if table.empty:
        reason = "Concordance needs two readers; this study has one."
        if len(results.study.readers) > 1:
            reason = "No features of two readers could be paired."
        return Section("concordance", title, absent=reason)
    limit = results["selection.ccc.threshold"]
    threshold = stable_from(limit)
    kept = int((table["ccc"] >= threshold).sum())
    families = results.families
    by_type, by_class = (of_column(families, name) for name in ("image_type", "feature_class"))
    least = by_type.iloc[0]
    units = int(table["n"].max())
    text = (
        f"Over all {plural(units, 'case')} read twice, {count(kept)} of "
        f"{count(len(table))} features ({share(kept, len(table))}) reach a concordance correlation "
        f"coefficient (CCC) of {number(threshold, 2)}; the median is "
        f"{number(table['ccc'].median(), 3)}. "
    )
    widths = (table["ccc_high"] - table["ccc_low"]).dropna()
    if widths.empty:
        text += "So few cases give the CCC no interval."
    else:
        text += f"Half of the intervals of the CCC are wider than {number(widths.median(), 2)}."
    within = table["ccc_within"]
    if within.notna().any():
        text += (
            " Within vertebral levels, so that what differs between levels is no agreement, "
            f"the median CCC is {number(within.median(), 3)}, and "
            f"{count(int((within >= threshold).sum()))} features reach {number(threshold, 2)}."
        )
    if results.modelling is not None:
        again = order_words(results).ccc
        text += f" This describes the study; the selection computes the CCC again, on {again}."
    undefined = int(table["ccc"].isna().sum())
    if undefined:
        text += f" {plural(undefined, 'feature')} are constant and have no CCC."
    blocks: list[Block] = [
        Paragraph(text),
        Figure(
            name="families",
            svg=families_figure(families),
            alt="Share of features that reach the threshold, by image type and feature class. "
            f"Least stable image type: {least['image_type']}, "
            f"{share(least['stable'], least['features'])}; least stable class: "
            f"{by_class.iloc[0]['feature_class']}, "
            f"{share(by_class.iloc[0]['stable'], by_class.iloc[0]['features'])}.",
            caption=f"Share of features with a CCC of at least {number(threshold, 2)}, by image "
            "type and feature class; least stable at the top and at the left. Pale families move "
            "with the reader.",
        ),
        Figure(
            name="concordance",
            svg=concordance_figure(table, by_type, threshold),
            alt="Histograms of the concordance correlation coefficient per image type. Least "
            f"stable: {least['image_type']}, {least['stable']} of {least['features']} features "
            f"reach {number(threshold, 2)}.",
            caption=f"Lin's CCC on raw values, by image type, least stable first. Dashed: "
            f"{number(threshold, 2)}; "
            f"{'the filter is off' if limit is None else 'below it a feature is dropped'}. Bars at "
            "the left edge hold zero and less.",
        ),
        _concordance_table(by_type, "image_type", "Image type"),
        _concordance_table(by_class, "feature_class", "Feature class"),
        *_overlap(results),
    ]
    least_stable = table.sort_values(["ccc", "feature"]).head(20)
    blocks.append(
        Table(
            name="least-concordant-features",
            caption="The 20 features that differ most between readers: CCC and intraclass "
            f"correlation ICC(2,1) with {100 * results['evaluation.confidence']:g}% intervals.",
            shown=pd.DataFrame(
                {
                    "Feature": least_stable["feature"],
                    "CCC": [
                        interval(row.ccc, row.ccc_low, row.ccc_high)
                        for row in least_stable.itertuples()
                    ],
                    "ICC": [
                        interval(row.icc, row.icc_low, row.icc_high)
                        for row in least_stable.itertuples()
                    ],
                }
            ),
            raw=least_stable,
            numeric=("CCC", "ICC"),
            code=("Feature",),
            collapsed="The 20 least concordant features",
        )
    )
    return Section("concordance", title, blocks)


def _overlap(results: Results) -> list[Block]:
    """Say whether a poorer overlap of the masks goes with features further apart."""
    families = results.families
    whole = families.iloc[0]
    if pd.isna(whole["dice_rho"]):
        return []
    confidence = f"{100 * results['evaluation.confidence']:g}%"
    rho = interval(whole["dice_rho"], whole["dice_rho_low"], whole["dice_rho_high"], 2)
    text = (
        f"Over {plural(int(whole['cases']), 'case')}, the deviation of a case's features between "
        f"the readers goes with the Dice coefficient of its masks at a rank correlation of {rho}. "
        "A negative value says that cases drawn differently are the ones whose features differ; "
        "near zero, better contours would not make the features steadier."
    )
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
                        row.dice_rho, row.dice_rho_low, row.dice_rho_high, 2
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


def _concordance_table(groups: pd.DataFrame, column: str, heading: str) -> Table:
    shown = pd.DataFrame(
        {
            heading: groups[column],
            "Features": [count(value) for value in groups["features"]],
            "Kept": [count(value) for value in groups["stable"]],
            "Share": [share(row.stable, row.features) for row in groups.itertuples()],
            "Median CCC": [number(value) for value in groups["ccc_median"]],
            "Quartiles": [
                f"{number(row.ccc_q1)} to {number(row.ccc_q3)}" for row in groups.itertuples()
            ],
            "Within levels": [number(value) for value in groups["ccc_within_median"]],
            "Median ICC": [number(value) for value in groups["icc_median"]],
        }
    )
    return Table(
        name=f"concordance-by-{column.replace('_', '-')}",
        caption=f"Concordance between readers by {heading.lower()}; within levels: median CCC "
        "within vertebral levels.",
        shown=shown,
        raw=groups,
        numeric=(
            *("Features", "Kept", "Share", "Median CCC", "Quartiles"),
            *("Within levels", "Median ICC"),
        ),
        sortable=True,
        collapsed=f"By {heading.lower()}" if column == "image_type" else None,
    )
