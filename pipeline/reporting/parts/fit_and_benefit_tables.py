"""Tables on calibration tests, and on where a model is worth using."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.blocks import Table
from pipeline.reporting.judged_rows import JudgedRows
from pipeline.reporting.wording import NO_VALUE, UNIT, number, p_value, sentence_list

#: Gains below it are rounding.
ROUNDING = 1e-12


def goodness_of_fit_table(tests: pd.DataFrame, labels: dict[str, str], judged: JudgedRows) -> Table:
    """Build the table of the Hosmer-Lemeshow tests, with what they cannot say."""
    rows = [
        {
            "Model": labels[row.model],
            "Chi-square": number(row.statistic, 2),
            "Degrees of freedom": str(row.df),
            "P": p_value(row.p_value),
            "Note": row.note or NO_VALUE,
        }
        for row in tests.itertuples()
        if row.model in labels
    ]
    return Table(
        name="hosmer-lemeshow",
        caption=f"Hosmer-Lemeshow test {judged.on}, in groups of equally many {judged.units} by "
        "predicted risk; degrees of freedom are the groups, since no model was fitted to "
        f"these {judged.units}. A large P value is no proof of calibration (with few events the "
        "test sees little, with many it rejects what does not matter, and it depends on the "
        "grouping): judge by the curve, the slope and the intercept. There is no P value where a "
        f"group holds fewer than 5 {judged.units}.{judged.of_one_repeat}",
        shown=pd.DataFrame(rows),
        raw=tests,
        numeric=("Chi-square", "Degrees of freedom", "P"),
    )


def useful_ranges_table(curves: pd.DataFrame, labels: dict[str, str], level: str, of: str) -> Table:
    """Build the table of the threshold probabilities at which a model is worth using.

    Parameters
    ----------
    curves : pandas.DataFrame
        Decision curves of the evaluation.
    labels : dict of str to str
        Printed name of each model.
    level : str
        Level of the limits, as ``95%``.
    of : str
        Rows that they are of, in words.
    """
    rows, raw = [], []
    for name, label in labels.items():
        own = curves[curves["model"] == name].sort_values("threshold")
        better = threshold_ranges(own["threshold"], own["gain"] > ROUNDING)
        surely = threshold_ranges(own["threshold"], own["gain_low"] > ROUNDING)
        best = own.loc[own["gain"].idxmax()] if own["gain"].notna().any() else None
        rows.append(
            {
                "Model": label,
                "Above both": _printed(better),
                f"Lower {level} limit above both": _printed(surely),
                "Largest gain": NO_VALUE
                if best is None
                else f"{number(best['gain'])} at {number(best['threshold'], 2, UNIT)}",
            }
        )
        raw += [[name, "estimate", *ends] for ends in better]
        raw += [[name, "lower limit", *ends] for ends in surely]
    return Table(
        name="decision-ranges",
        caption="Threshold probabilities at which a model has a higher net benefit than both "
        f"treating all and treating none ({of}, steps of one percent), "
        "and at which the lower "
        f"limit of that gain is above zero too ({level} at each threshold alone, resampled "
        "patients). Outside them, acting on the model is no better than doing without it.",
        shown=pd.DataFrame(rows),
        raw=pd.DataFrame(raw, columns=["model", "by", "low", "high"]),
    )


def threshold_ranges(thresholds: pd.Series, holds: pd.Series) -> list[tuple[float, float]]:
    """Return the first and last threshold of each run in which something holds.

    Parameters
    ----------
    thresholds : pandas.Series
        Ascending.
    holds : pandas.Series
        Whether it does at each threshold.
    """
    holds = holds.to_numpy(bool)
    run = pd.Series(holds).ne(pd.Series(holds).shift()).cumsum().to_numpy()
    values = thresholds.to_numpy()
    return [
        (float(values[run == which][0]), float(values[run == which][-1]))
        for which in sorted(set(run[holds]))
    ]


def _printed(ranges: list[tuple[float, float]]) -> str:
    if not ranges:
        return "nowhere"
    return sentence_list(
        number(low, 2) if low == high else f"{number(low, 2)} to {number(high, 2)}"
        for low, high in ranges
    )
