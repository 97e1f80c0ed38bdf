"""Sections on the selection: the funnel, what it chose, and how stable that choice is."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from pipeline.core.mode_labels import is_leaking
from pipeline.core.problems import listing
from pipeline.reporting.blocks import Block, Figure, Items, Paragraph, Section, Table
from pipeline.reporting.figures.selection import funnel_figure, stability_figure
from pipeline.reporting.leaking import order_words
from pipeline.reporting.parts.selection_stability import stability_blocks
from pipeline.reporting.parts.signature_blocks import signature_blocks
from pipeline.reporting.results import Results
from pipeline.reporting.wording import NO_VALUE, SIGNED, count, number, p_value, plural, share
from pipeline.reporting.words.feature_meanings import meanings_table, printed_feature
from pipeline.reporting.words.robustness_words import perturbed_words

#: Rows of the stability figure; a wider choice is cut to the most often selected.
_MOST_ROWS = 45

_BOUND = {"estimate": "CCC", "lower": "lower limit of the CCC"}
_P_VALUE = {"none": "P", "fdr": "P (corrected for the false discovery rate)"}

NO_OUTCOME = "This study has no outcome: it ends at the features, and no model is trained."


def feature_names(results: Results) -> dict[str, str]:
    """Return how clinical columns are written for people, by column name."""
    return {entry["column"]: entry["label"] for entry in results.modelling.info["predictors"]}


def selection_section(results: Results) -> Section:
    """Build the section on the selection."""
    title = "Selection of features"
    if results.modelling is None:
        return Section("selection", title, absent=NO_OUTCOME)
    table, info = results.modelling.selection, results.modelling.selection_info
    options, words = results["selection"], order_words(results)
    chosen = table[table["selected"].fillna(False).astype(bool)]
    by_block = chosen["block"].value_counts()
    funnel = info["funnel"]
    steps = " → ".join(count(step["radiomics"]) for step in funnel)
    # Where the selection is made on everyone, folds have none of their own to compare.
    folds = [] if is_leaking(results.study.config["mode"]) else info["folds"]
    frequency = fold_frequency(table, folds)
    blocks: list[Block] = [
        Paragraph(words.selection),
        Paragraph(_preparation(results, words.imputation)),
        Figure(
            name="funnel",
            svg=funnel_figure(_drawn_steps(funnel, words.readings)),
            alt=f"Radiomic candidates left after each step: {steps}.",
            caption=f"Candidates left after each step on {words.selected_on}: "
            f"{_steps(options, words.readings, len(results.modelling.info['readers']))}.",
        ),
        Paragraph(
            f"Selected: {plural(int(by_block.get('radiomics', 0)), 'radiomic feature')} and "
            f"{plural(int(by_block.get('clinical', 0)), 'clinical predictor')}."
        ),
    ]
    diagnostics = [*_without_ccc(results, table), *_diagnostics(funnel, info)]
    if info["notes"] or diagnostics:
        blocks.append(Items([*info["notes"], *diagnostics]))
    if results.modelling.info.get("left_out"):
        blocks.append(left_out_table(results.modelling.info["left_out"]))
    if len(chosen):
        blocks.append(_chosen_table(results, chosen, frequency, len(folds)))
        radiomic = chosen.loc[chosen["block"] == "radiomics", "feature"].to_list()
        if (meanings := meanings_table(radiomic)) is not None:
            blocks.append(meanings)
    labels = feature_names(results)
    blocks += signature_blocks(
        results.modelling.signature, lambda name: printed_feature(name, labels), words.selected_on
    )
    if len(frequency) and folds:
        blocks += _stability(results, frequency, folds)
    names = results.modelling.stability["feature"]
    blocks += stability_blocks(results, {name: printed_feature(name, labels) for name in names})
    return Section("selection", title, blocks)


def _drawn_steps(funnel: list[dict], readings: str) -> list[dict]:
    """Return the steps of the funnel with the values that the readers were compared on."""
    return [
        {**step, "label": f"{step['label']}, {readings}"}
        if step["step"] == "ccc" and ">=" in step["label"]
        else step
        for step in funnel
    ]


_SCHEMES = {
    "fcq": "F statistic over mean correlation",
    "rfcq": "importance in a random forest over mean correlation",
}


def _steps(options: dict, readings: str, readers: int) -> str:
    """Say in words what each step of the selection asks, or that it is off."""
    ccc, p, k = options["ccc"], options["wilcoxon"]["p"], options["mrmr"]["k"]
    clinical, scheme = options["clinical"]["p"], _SCHEMES[options["mrmr"]["scheme"]]
    within = " within vertebral levels" if ccc["within_level"] else ""
    of_readers = (
        "no filter by agreement of the readers (off)"
        if ccc["threshold"] is None
        else "no filter by agreement (one reader)"
        if readers < 2
        else f"{_BOUND[ccc['bound']]} between "
        f"{'readers' if readers == 2 else 'the two readers that agree least'}{within} of at least "
        f"{number(ccc['threshold'], 2)} on {readings}"
    )
    asked = options["robustness"]
    steps = [
        *[of_readers] * (asked != "perturbations"),
        *[perturbed_words(options["perturbations"])] * (asked != "readers"),
        "no rank-sum filter (off)"
        if p is None
        else f"rank-sum {_P_VALUE[options['wilcoxon']['correction']]} below {number(p, 2)}",
        "no mRMR (off)"
        if k is None
        else f"then at most {k} features by mRMR (minimum redundancy, maximum relevance: {scheme})",
    ]
    beside = "all, its filter is off" if clinical is None else f"P below {number(clinical, 2)}"
    return f"{', '.join(steps)}; clinical candidates, one at a time: {beside}"


_OUTLIERS = {
    "tukey": "beyond Tukey's fences",
    "zscore": "more than 3 standard deviations off the mean",
    "mad": "with a modified z-score above 3.5",
}
_KURTOSIS = {"pearson": "Pearson's, normal = 3", "fisher": "Fisher's, normal = 0"}
_ALIKE = {
    "zscore": "All columns of numbers are z-scored.",
    "robust": "All columns of numbers are scaled to a median of 0 and an interquartile range of 1.",
    "none": "Columns of numbers are not scaled (off).",
}
FILLED = {
    "median": "the median of the training patients",
    "mean": "the mean of the training patients",
    "knn": "the mean of the nearest training patients",
    "iterative": "what Bayesian ridge regressions on correlated columns predict",
}


def _preparation(results: Results, learned: str) -> str:
    """Say in words how missing values are filled, where that is learned, and columns scaled."""
    scaling, imputation = results["scaling"], results["imputation"]
    text = (
        f"Missing numbers become {FILLED[imputation['method']]}, missing categories the most "
        f"frequent one, {learned}. "
    )
    if scaling["method"] != "adaptive":
        return text + _ALIKE[scaling["method"]]
    return text + (
        "Columns of numbers with a roughly normal distribution are z-scored (scaled to a mean of 0 "
        "and a standard deviation of 1); all others are scaled "
        "to a median of 0 and an interquartile range of 1. Roughly normal means: absolute skewness "
        f"below {number(scaling['max_abs_skewness'], 1)}, kurtosis "
        f"({_KURTOSIS[scaling['kurtosis']]}) below {number(scaling['max_kurtosis'], 1)}, and at "
        f"most {share(scaling['max_outlier_share'], 1)} of the values lie "
        f"{_OUTLIERS[scaling['outliers']]}."
    )


def _without_ccc(results: Results, table: pd.DataFrame) -> list[str]:
    """Name the features that the filter drops since they have no CCC, which is no low one."""
    if results["selection.robustness"] == "perturbations":
        return []
    if len(results.modelling.info["readers"]) < 2 or results["selection.ccc.threshold"] is None:
        return []
    lacking = table.loc[(table["block"] == "radiomics") & table["ccc"].isna(), "feature"]
    if lacking.empty:
        return []
    return [
        f"{plural(len(lacking), 'feature')} without a CCC on {order_words(results).ccc} "
        f"{'is' if len(lacking) == 1 else 'are'} dropped by the filter (a reader has no value, or "
        f"all values are the same): {listing(lacking, 5)}."
    ]


def _against_permuted(passed: int, chance: dict) -> str:
    """Say where a number of features lies among those that permuted outcomes let pass."""
    if passed > chance["high"]:
        return "more than chance lets pass"
    return "compatible with chance" if passed >= chance["low"] else "fewer than chance lets pass"


def _diagnostics(funnel: list[dict], info: dict) -> list[str]:
    """Say what chance alone would have passed, and how alike the features are around mRMR."""
    sentences = []
    chance, pca = info["by_chance"], info["pca"]
    if chance is not None:
        passed = next(step["radiomics"] for step in funnel if step["step"] == "univariate")
        sentences.append(
            f"{count(passed)} features passed the rank-sum filter. With the outcome permuted "
            f"{plural(chance['draws'], 'time')}, {number(chance['mean'], 0)} passed on average "
            f"(2.5th to 97.5th percentile {number(chance['low'], 0)} to "
            f"{number(chance['high'], 0)}; wide, because features are correlated): "
            f"{count(passed)} is {_against_permuted(passed, chance)}."
        )
    shares = [
        f"{when} mRMR ({plural(pca[name]['features'], 'feature')}) {share(pca[name]['pc1'], 1)} by "
        f"the first, {share(pca[name]['pc1_3'], 1)} by the first three"
        for name, when in (("before", "before"), ("after", "after"))
        if pca and pca[name]
    ]
    if shares:
        sentences.append(
            f"Variance explained by principal components: {'; '.join(shares)}. The larger the "
            "share, the more the features repeat one another."
        )
    return sentences


def fold_frequency(table: pd.DataFrame, folds: list[dict]) -> pd.DataFrame:
    """Tell for every feature that was ever selected where it was selected.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per candidate: ``feature, block, selected``.
    folds : list of dict
        ``fold, selected``: the candidates chosen without that fold.

    Returns
    -------
    pandas.DataFrame
        ``feature, block, selected``, and one boolean column per fold, named by its number; most
        often selected first.
    """
    frame = table[["feature", "block"]].copy()
    frame["selected"] = table["selected"].fillna(False).astype(bool)
    names = []
    for fold in folds:
        names.append(str(fold["fold"]))
        frame[names[-1]] = frame["feature"].isin(set(fold["selected"]))
    often = frame[names].sum(axis=1) if names else pd.Series(0, index=frame.index)
    order = pd.DataFrame(
        {"last": ~frame["selected"], "often": -often, "feature": frame["feature"]}
    ).sort_values(["last", "often", "feature"], kind="stable")
    frame = frame.loc[order.index]
    ever = frame["selected"] | frame[names].any(axis=1) if names else frame["selected"]
    return frame[ever].reset_index(drop=True)


def mean_jaccard(folds: list[dict]) -> float:
    """Return the mean Jaccard index over pairs of folds: 1 where all chose alike, 0 if none did.

    Two empty choices count as alike. NaN with fewer than two folds.

    >>> mean_jaccard([{"selected": ["a", "b"]}, {"selected": ["b", "c"]}])
    0.3333333333333333
    """
    sets = [set(fold["selected"]) for fold in folds]
    values = [len(a & b) / len(a | b) if a | b else 1.0 for a, b in combinations(sets, 2)]
    return float(np.mean(values)) if values else float("nan")


def _chosen_table(
    results: Results, chosen: pd.DataFrame, frequency: pd.DataFrame, folds: int
) -> Table:
    labels = feature_names(results)
    forest = results["selection.mrmr.scheme"] == "rfcq"
    relevance = "Importance" if forest else "F"
    if folds:
        names = frequency.columns.difference(["feature", "block", "selected"])
        often = frequency.set_index("feature")[names].sum(axis=1)
        chosen = chosen.assign(folds=chosen["feature"].map(often).fillna(0).astype(int))
    chosen = chosen.sort_values(
        ["block", "rank", "p_value"], ascending=[False, True, True], kind="stable"
    )
    rows = [
        {
            "Feature": printed_feature(row.feature, labels),
            "Type": row.block,
            "Rank": count(row.rank),
            "CCC": number(row.ccc, bounds=SIGNED),
            "P": p_value(row.p_value),
            # No line break at the hyphen of rank-sum and chi-square.
            "Test": row.test.replace("-", "\u2011") if isinstance(row.test, str) else NO_VALUE,
            relevance: number(row.relevance, 3 if forest else 2),
        }
        | ({"Folds": f"{row.folds} of {folds}"} if folds else {})
        for row in chosen.itertuples()
    ]
    counted = "; folds counts how often a fold's own selection chose the feature too"
    return Table(
        name="selected-features",
        caption=f"The selected features. CCC and P on {order_words(results).selected_on}; rank and "
        f"{'importance in a random forest' if forest else 'F statistic'} are mRMR's"
        f"{counted if folds else ''}. P values are those of the filter and are not corrected: they "
        "rank, they do not prove.",
        shown=pd.DataFrame(rows),
        raw=chosen,
        numeric=("Rank", "CCC", "P", relevance, "Folds"),
        sortable=True,
    )


def _stability(results: Results, frequency: pd.DataFrame, folds: list[dict]) -> list[Block]:
    labels = feature_names(results)
    drawn = frequency.head(_MOST_ROWS)
    drawn = drawn.assign(feature=[printed_feature(name, labels) for name in drawn["feature"]])
    jaccard = mean_jaccard(folds)
    names = [str(fold["fold"]) for fold in folds]
    always = int(frequency[names].all(axis=1).sum())
    cut = len(frequency) - len(drawn)
    return [
        Paragraph(
            f"{count(len(frequency))} different features were selected at least once; "
            f"{count(always)} in every fold. Two folds share on average "
            f"{share(jaccard, 1)} of what they chose together (Jaccard index)."
        ),
        Figure(
            name="stability",
            svg=stability_figure(drawn),
            alt=f"Grid of features by fold; {always} of {len(frequency)} features were selected "
            f"in all {len(folds)} folds.",
            caption="Which features the selection chose, learned on all training patients and on "
            "those outside each fold of the cross-validation (large dot: selected). Teal: "
            "radiomics, orange: clinical."
            + (f" The {cut} least often selected features are not drawn." if cut else ""),
        ),
    ]


def left_out_table(left_out: list[dict]) -> Table:
    """Return the table of columns that are no features, from `analysis.json`."""
    raw = pd.DataFrame(left_out, columns=["reader", "reason", "columns"])
    shown = pd.DataFrame(
        {
            "Reader": raw["reader"],
            "Why": raw["reason"],
            "Number": raw["columns"].map(len).map(count),
            "Columns": raw["columns"].map(lambda names: listing(names, 20)),
        }
    )
    return Table(
        name="columns_left_out",
        caption="Columns of the feature tables that are no features of this study. The table's "
        "file names all of them.",
        shown=shown,
        raw=raw.assign(columns=raw["columns"].map("|".join)),
        numeric=("Number",),
        code=("Columns",),
    )
