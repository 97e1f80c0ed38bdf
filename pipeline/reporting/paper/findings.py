"""Paragraphs of results, in the past tense, from the tables of a run."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from pipeline.reporting.cautions.cautions import unsupported_corrections
from pipeline.reporting.paper.passages import Passage
from pipeline.reporting.parts.fit_and_benefit_tables import ROUNDING, threshold_ranges
from pipeline.reporting.parts.primary_analysis import primary_sentence
from pipeline.reporting.results import Results, judged, metric
from pipeline.reporting.sections.prediction.models import model_labels
from pipeline.reporting.sections.summary import leading_model
from pipeline.reporting.wording import (
    SIGNED,
    UNIT,
    count,
    first_upper,
    interval,
    number,
    p_value,
    plural,
    sentence_list,
    share,
)
from pipeline.reporting.words.added_value_words import (
    added_value_sentences,
    arms_sentence,
    baselines_sentence,
)
from pipeline.reporting.words.calibration_words import calibration_sentence
from pipeline.reporting.words.nested_words import nested_name

#: Odds ratios that the text quotes.
_MOST_TERMS = 12


def findings(results: Results) -> list[Passage]:
    """Return the passages of results in the order of a paper."""
    passages = [Passage("Patients", [_patients(results)])]
    if len(results.reproducibility):
        passages.append(Passage("Features", [_features(results)]))
    modelling = results.modelling
    if modelling is not None and modelling.models:
        passages.append(Passage("Discrimination", _discrimination(results)))
        if modelling.added_value.compared:
            text = f"{arms_sentence(results)} {added_value_sentences(results)}"
            passages.append(
                Passage("Added value of radiomics", [f"{text} {baselines_sentence(results)}"])
            )
        passages.append(Passage("Calibration and clinical utility", _utility(results)))
        if text := _resampled(results):
            passages.append(Passage("Internal validation", [text]))
        if text := _ablation(results):
            passages.append(Passage("Ablation", [text]))
    if results.regression is not None:
        passages.append(Passage("Logistic regression", [_regression(results)]))
    return passages


def _patients(results: Results) -> str:
    first, last = results.flow["steps"][0], results.flow["steps"][-1]
    # Without models there is no table 1: groups have tables of their own.
    described = "" if results.modelling is None else "; characteristics in Table 1"
    text = (
        f"Of {plural(first['patients'], 'patient')}, {count(last['patients'])} were analysed "
        f"(flow diagram{described})."
    )
    if results.modelling is None:
        return text
    split = results.modelling.split
    events = int(split["outcome"].sum())
    return (
        f"{text} The outcome occurred in {count(events)} of {plural(len(split), results['unit'])} "
        f"({share(events, len(split))})."
    )


def _features(results: Results) -> str:
    table = results.reproducibility
    middle = table["ccc"].median()
    text = f"Over {count(len(table))} features, the median CCC was {number(middle, 2, SIGNED)}."
    if results.modelling is None:
        return text
    chosen = results.modelling.selection
    chosen = chosen[chosen["selected"].fillna(False).astype(bool)]
    blocks = chosen["block"].value_counts()
    return (
        f"{text} {first_upper(plural(int(blocks.get('radiomics', 0)), 'radiomic feature'))} and "
        f"{plural(int(blocks.get('clinical', 0)), 'clinical predictor')} were selected."
    )


def _discrimination(results: Results) -> list[str]:
    labels, told = model_labels(results), []
    for name, label in labels.items():
        row = metric(results, name, "auroc")
        if row is not None and pd.notna(row["value"]):
            told.append(f"{label} {interval(row['value'], row['low'], row['high'], 2, UNIT)}")
    # Under this heading nothing says what was declared: the page's sentence stands below its own.
    declared = results["primary"] is not None
    paragraphs = [
        primary_sentence(results)
        if declared
        else "No primary analysis was declared before the study ran: all results are exploratory."
    ]
    if told:
        paragraphs.append(f"AUROC {judged(results).on}: {'; '.join(told)}.")
    comparisons = results.modelling.evaluation.comparisons
    tested = comparisons[comparisons["p_holm"].notna()]
    if len(tested):
        different = tested[tested["p_holm"] < 0.05]
        if len(different):
            pairs = [
                f"{labels.get(row.model_a, row.model_a)} and "
                f"{labels.get(row.model_b, row.model_b)} "
                f"({number(row.auc_difference, 2, SIGNED)}, adjusted P {p_value(row.p_holm)})"
                for row in different.itertuples()
            ]
            paragraphs.append(f"The AUROC differed between {sentence_list(pairs)}.")
        else:
            paragraphs.append(
                f"None of {plural(len(tested), 'pair')} of models differed significantly in AUROC "
                "(Holm)."
            )
    return paragraphs


def _utility(results: Results) -> list[str]:
    model = leading_model(results)
    label = model_labels(results)[model]
    paragraphs = []
    if text := calibration_sentence(results, model):
        paragraphs.append(f"For {label}, {text}.")
    row = metric(results, model, "brier")
    if row is not None and pd.notna(row["value"]):
        shown = interval(row["value"], row["low"], row["high"], 3, UNIT)
        paragraphs.append(f"Its Brier score was {shown}.")
    if text := _curve_index(results, model):
        paragraphs.append(text)
    curves = results.modelling.evaluation.decision_curve
    own = curves[curves["model"] == model].sort_values("threshold")
    ranges = threshold_ranges(own["threshold"], own["gain"] > ROUNDING) if len(own) else []
    if ranges:
        surely = threshold_ranges(own["threshold"], own["gain_low"] > ROUNDING)
        level = f"{100 * results['evaluation.confidence']:g}%"
        limits = (
            f"the lower {level} limit of this gain was above zero at {_spans(surely)}"
            if surely
            else f"the lower {level} limit of this gain was above zero at none of them, so that "
            "the gain may be due to chance"
        )
        paragraphs.append(
            f"Its net benefit exceeded that of treating all and treating nobody at threshold "
            f"probabilities of {_spans(ranges)}; {limits} (limits at each threshold alone)."
        )
    elif len(own):
        paragraphs.append(
            "Its net benefit exceeded that of treating all or nobody at no threshold probability."
        )
    return paragraphs


def _spans(ranges: Sequence[tuple[float, float]]) -> str:
    return sentence_list(
        number(low, 2) if low == high else f"{number(low, 2)} to {number(high, 2)}"
        for low, high in ranges
    )


def _curve_index(results: Results, model: str) -> str:
    """Say the mean distance of risks from the calibration curve, or why it is not known."""
    row = metric(results, model, "ici")
    if row is None:
        return ""
    if pd.isna(row["value"]):
        reason = str(row["method"]).removeprefix("undefined: ")
        return f"Its integrated calibration index could not be computed ({reason})."
    shown = interval(row["value"], row["low"], row["high"], 3, UNIT)
    return f"Its integrated calibration index was {shown}."


def _resampled(results: Results) -> str:
    labels = model_labels(results)
    nested = [
        f"{labels[name]} {number(entry.info['auroc'], 2, UNIT)}"
        for name, entry in results.modelling.nested.items()
        if name in labels
    ]
    corrected, withheld = [], []
    unsupported = {name for name, *_ in unsupported_corrections(results)}
    for name, entry in results.modelling.optimism.items():
        rows = entry.table.set_index("metric")["corrected"]
        if name not in labels or "auroc" not in rows:
            continue
        if name in unsupported:
            withheld.append(labels[name])
        else:
            corrected.append(f"{labels[name]} {number(rows['auroc'], 2, UNIT)}")
    parts = []
    if nested:
        name = nested_name(results["nested.search"])
        parts.append(f"In {name} the mean AUROC was {'; '.join(nested)}.")
    if corrected:
        parts.append(f"After correction for optimism it was {'; '.join(corrected)}.")
    if withheld:
        parts.append(
            f"Results corrected for optimism exceed it too far to be quoted for "
            f"{sentence_list(withheld)}."
        )
    return " ".join(parts)


def _ablation(results: Results) -> str:
    labels, parts = model_labels(results), []
    for name, ablation in results.modelling.ablation.items():
        table = ablation.table.set_index("step")
        for block, words in (("radiomics", "radiomics"), ("clinical", "clinical data")):
            step = f"without-{block}"
            if step in table.index and pd.notna(table.loc[step, "delta"]):
                row = table.loc[step]
                change = interval(row["delta"], row["delta_low"], row["delta_high"], 2, SIGNED)
                parts.append(f"{labels.get(name, name)} without {words}: {change}")
    if not parts:
        return ""
    return f"Change in AUROC when a block of predictors was left out: {'; '.join(parts)}."


def _regression(results: Results) -> str:
    table = results.regression.tables["coefficients"]
    known = table[table["odds_ratio"].notna()]
    labels = results.regression.facts["labels"]
    told = [
        f"{labels.get(row.column, row.column)} "
        f"{interval(row.odds_ratio, row.low, row.high, 2)}, P {p_value(row.p_value)}"
        for row in known.head(_MOST_TERMS).itertuples()
    ]
    more = len(known) - len(told)
    rest = f"; {count(more)} more stand in the table of coefficients" if more else ""
    odds = f"Adjusted odds ratios: {'; '.join(told)}{rest}." if told else ""
    return f"{odds} {_worth_of_regression(results)}".strip()


def _worth_of_regression(results: Results) -> str:
    """Say the AUROC, apparent and corrected, and the corrected slope, where they have a value."""
    rows = results.regression.tables["optimism"].set_index("measure")
    known = rows[rows["corrected"].notna()]
    parts = []
    if "c_index" in known.index:
        row = known.loc["c_index"]
        after = number(row["corrected"], 2, UNIT)
        if pd.notna(row["low"]):
            after = interval(row["corrected"], row["low"], row["high"], 2, UNIT)
        parts.append(
            f"The AUROC was {number(row['apparent'], 2, UNIT)} in the patients of the fit and "
            f"{after} after correction for optimism."
        )
    if "calibration_slope" in known.index:
        slope = number(known.loc["calibration_slope", "corrected"], 2)
        parts.append(f"The corrected calibration slope was {slope}.")
    return " ".join(parts)
