"""What radiomics adds to clinical data, in sentences that a surgeon reads once."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.results import Results, judged
from pipeline.reporting.wording import SIGNED, UNIT, interval, number, p_value, sentence_list, share
from pipeline.reporting.words.nested_words import nested_name
from pipeline.tables.split_designs import holds_out

#: Fewest patients with the outcome, and without it, among those judged for whom an interval of a
#: difference in AUROC says anything: with fewer its normal approximation does not hold.
MIN_OF_EACH = 10

#: AUROC of a prediction that knows nothing of the outcome.
CHANCE = 0.5

#: Printed name of each arm.
ARMS = {
    "both": "Clinical and radiomics",
    "clinical": "Clinical alone",
    "radiomics": "Radiomics alone",
}

#: What an arm is fitted to, within a sentence.
_FROM = {
    "clinical": "clinical data alone",
    "radiomics": "radiomics alone",
    "both": "both",
}


def where_judged(results: Results) -> str:
    """Return on whom the arms were judged, after a noun."""
    info = results.modelling.added_value.info
    if info["part"] != "nested":
        return judged(results).on
    who = "the training" if holds_out(results["split"]["design"]) else "all"
    return f"in {nested_name(info['search'])} of {who} patients"


def arms_sentence(results: Results, *, where: bool = True) -> str:
    """Return the AUROC of each arm that could be fitted, as a sentence.

    Parameters
    ----------
    results : Results
        A finished run.
    where : bool
        Whether to say on which rows the arms were judged.
    """
    added = results.modelling.added_value
    known = added.arms[added.arms["auroc"].notna()].set_index("arm")
    told = [
        f"{number(known.loc[arm, 'auroc'], 2, UNIT)} from {what}"
        for arm, what in _FROM.items()
        if arm in known.index
    ]
    if not told:
        return ""
    on = f" {where_judged(results)}" if where else ""
    return f"{added.info['label']}{on}: AUROC {sentence_list(told)}."


def added_value_sentences(results: Results, *, scores: bool = True) -> str:
    """Return what radiomics changes when clinical data are known, as sentences.

    Where there is an interval, the first sentence follows from it; where there is none, as over
    outer folds, nothing is said to be shown.

    Parameters
    ----------
    results : Results
        A finished run.
    scores : bool
        Whether to tell the changes of Brier score and net benefit, too.
    """
    added = results.modelling.added_value
    row = difference_row(added.differences, "both", "clinical")
    if row is None:
        return "The difference could not be computed."
    info = added.info
    if pd.isna(row["auroc_low"]):
        spread = number(row["auroc_sd"], 2)
        change = f"{number(row['auroc'], 2, SIGNED)} (mean over folds, SD {spread}; no P value)"
        verdict = "Adding radiomics to clinical data changed it by"
        end = "This describes the folds and tests nothing."
        if info["part"] != "nested":
            change = f"{number(row['auroc'], 2, SIGNED)} (no interval: {row['method']})"
            end = ""
    else:
        limits = interval(row["auroc"], row["auroc_low"], row["auroc_high"], 2, SIGNED)
        level = f"{100 * info['confidence']:g}%"
        change = limits.replace("(", f"({level} CI ")
        if few := _few_judged(added.arms):
            verdict, end = f"{few} are too few to tell what radiomics adds: difference", ""
        else:
            change = f"{change[:-1]}; P {_p_value(row['p_value'])})"
            verdict, end = _verdict(row), ""
    others = _other_scores(row, info) if scores else ""
    return " ".join(filter(None, [f"{verdict} {change}.", end, others]))


def _few_judged(arms: pd.DataFrame) -> str:
    """Return how many patients were judged where they are too few, else nothing."""
    events, rows = int(arms["events"].max()), int(arms["n"].max())
    if min(events, rows - events) >= MIN_OF_EACH:
        return ""
    return f"{events} with and {rows - events} without the outcome"


def _verdict(row: pd.Series) -> str:
    """Say what an interval of the difference in AUROC shows."""
    if row["auroc_low"] > 0:
        return "Adding radiomics to clinical data improved it by"
    if row["auroc_high"] < 0:
        return "Adding radiomics to clinical data made it worse, by"
    return "No added value of radiomics over clinical data was shown: difference"


def _p_value(value: float) -> str:
    text = p_value(value)
    return text if text[:1] in "<>" else f"= {text}"


def _other_scores(row: pd.Series, info: dict) -> str:
    """Return the changes of Brier score and net benefit, as a sentence."""
    brier = interval(row["brier"], row["brier_low"], row["brier_high"], 3, SIGNED)
    benefit = interval(row["net_benefit"], row["net_benefit_low"], row["net_benefit_high"], 3)
    at = share(info["risk"], 1, 1)
    return (
        f"Brier score (lower is better) changed by {brier}; net benefit (higher is better) at a "
        f"risk threshold of {at} by {benefit} true positives per patient."
    )


def difference_row(differences: pd.DataFrame, arm: str, against: str) -> pd.Series | None:
    """Return the row of two arms, None where one of them could not be fitted."""
    rows = differences[(differences["arm"] == arm) & (differences["against"] == against)]
    return rows.iloc[0] if len(rows) else None


def baselines_sentence(results: Results) -> str:
    """Return the AUROC of what a radiologist has without radiomics, as a sentence; may be empty."""
    names = {
        "volume": "volume",
        "hu": "mean CT number",
        "bmd": "bone mineral density",
    }
    table = results.modelling.references
    if table.empty:
        return ""
    table = table.set_index("reference")
    known = [
        table.loc[name].rename(words)
        for name, words in names.items()
        if name in table.index and pd.notna(table.loc[name, "auroc"])
    ]
    if not known:
        return ""
    level = f"{100 * results['evaluation.confidence']:g}%"
    told = [f"{row.name} {_of_one(row)}" for row in known]
    return f"AUROC of one measurement alone ({level} CI): {sentence_list(told)}."


def _of_one(row: pd.Series) -> str:
    """Return the AUROC of one measurement; below chance it runs the other way than in training."""
    text = interval(row["auroc"], row["auroc_low"], row["auroc_high"], 2, UNIT)
    if row["auroc"] < CHANCE:
        return (
            text.removesuffix(")") + "; opposite to the training patients)" if "(" in text else text
        )
    return text
