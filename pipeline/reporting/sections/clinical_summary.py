"""What the summary says of a study without trained models: its main figures, and how sure they are.

Regression: for whom and when, what the model is worth on other patients, and what it is not for.
Groups: the comparisons that were named beforehand, with their intervals.
"""

from __future__ import annotations

import pandas as pd

from pipeline.comparison.table_one.table_one_parts import LEVEL_OF_SIGNIFICANCE
from pipeline.core.mode_labels import LABEL, RIGOROUS, WORD
from pipeline.reporting.results import Course, Results
from pipeline.reporting.wording import UNIT, count, interval, number, plural, share
from pipeline.reporting.words.group_words import called_groups
from pipeline.study.course_plan import plan_of

#: A heading and what is said under it.
Point = tuple[str, str]

NO_EFFECT = (
    "No effect of a treatment was estimated: changing a value shows other patients, not what a "
    "treatment does"
)

_MOST_PREDICTORS = 6
"""Odds ratios that the summary names."""

_MOST_NAMES = 5
"""Variables that differ and that the summary names."""

_ADJUSTED = "difference adjusted for the value before"
_RATES = "ratio of rates, "


def regression_points(results: Results) -> list[Point]:
    """Return for whom the regression is, what it found, how sure it is, and what it is not for."""
    found = results.regression
    facts = found.tables["model"].set_index("what")["value"]
    leaks = found.facts["mode"] == LABEL
    events, rows = int(facts["events"]), int(facts["n"])
    points = [
        ("For whom and when", found.facts["purpose"]),
        (
            "Outcome",
            f"{count(events)} of {plural(rows, results['unit'])} of the fit "
            f"({share(events, rows, 1)}) had it.",
        ),
        ("Predictors", _predictors(results)),
        (f"{WORD}: how well it predicts" if leaks else "How well it predicts", _worth(results)),
    ]
    if text := _shrinkage(results, leaks):
        points.append(("How much to trust a risk", text))
    points.append(("Validation", _validated(results)))
    points.append(("Not for", f"Decisions on single patients. {NO_EFFECT}."))
    return points


def _predictors(results: Results) -> str:
    facts, table = results.regression.facts, results.regression.tables["coefficients"]
    fitted = table[table["odds_ratio"].notna()]
    shown = [
        f"{facts['labels'].get(row.column, row.column)} "
        f"{interval(row.odds_ratio, row.low, row.high, 2)}"
        for row in fitted.head(_MOST_PREDICTORS).itertuples()
    ]
    more = len(fitted) - len(shown)
    rest = f"; {count(more)} more in the table" if more > 0 else ""
    candidates = results.regression.tables["model"].set_index("what").loc["candidates", "value"]
    entered = fitted["predictor"].nunique()
    if facts["screening"] is None:
        how = f"{plural(entered, 'predictor')}, named beforehand"
    else:
        how = f"{count(entered)} of {plural(int(candidates), 'candidate')} were kept by screening"
    level = f"{100 * facts['confidence']:g}%"
    return f"{how}. Odds ratios ({level} limits): {'; '.join(shown)}{rest}. Associations."


def _worth(results: Results) -> str:
    found = results.regression
    row = found.tables["optimism"].set_index("measure").loc["c_index"]
    level = f"{100 * found.facts['confidence']:g}%"
    limits = ""
    if pd.notna(row["low"]):
        limits = f" ({level} CI {number(row['low'], 2, UNIT)} to {number(row['high'], 2, UNIT)})"
    repeated = "" if found.facts["screening"] is None else ", screening repeated in each"
    apparent = number(row["apparent"], 2, UNIT)
    return (
        f"AUROC {number(row['corrected'], 2, UNIT)}{limits} after correction for optimism by "
        f"{count(found.facts['resamples'])} resamples{repeated}; {apparent} in "
        "the patients of the fit, which is too good. 0.5 is guessing, 1 perfect."
    )


def _shrinkage(results: Results, leaks: bool) -> str:
    facts = results.regression.tables["model"].set_index("what")["value"]
    if pd.isna(facts["shrinkage"]):
        return ""
    slope = number(min(facts["shrinkage"], 1.0), 2)
    if leaks:
        return (
            f"The risks of nomogram and calculator are too extreme: the corrected calibration "
            f"slope is {slope} (1 is right), and nothing was shrunken."
        )
    return (
        f"Coefficients were multiplied by {slope} (shrinkage) for nomogram and calculator, since "
        f"{number(facts['events_per_df'], 1)} events per candidate degree of freedom make a model "
        "too sure of itself. The calculator gives each risk its interval."
    )


def _validated(results: Results) -> str:
    metrics = results.regression.tables["metrics"]
    own = metrics[metrics["part"] == "validation"]
    if own.empty:
        return "Internal only (resamples of the same patients): no other patient has tested it."
    model = RIGOROUS if (own["model"] == RIGOROUS).any() else own["model"].iloc[0]
    own = own[own["model"] == model].set_index("metric")
    auroc, ratio = own.loc["auroc"], own.loc["oe_ratio"]
    return (
        f"In the patients of the validation: AUROC {interval(*_limits(auroc), 2, UNIT)}; observed "
        f"over expected events {interval(*_limits(ratio), 2)} (1 is right)."
    )


def _limits(row: pd.Series) -> tuple[float, float, float]:
    return row["value"], row["low"], row["high"]


def group_points(results: Results) -> list[Point]:
    """Return what a comparison of groups found, and what it cannot say."""
    scales = [] if results.course is None else _scale_points(results)
    points = [*scales, *([] if results.course is None else _event_points(results.course))]
    table, labels = results.groups.table, results.groups.info["labels"]
    tests = table[table["p_value"].notna()]
    low = tests[tests["p_value"] < LEVEL_OF_SIGNIFICANCE]
    chance = number(LEVEL_OF_SIGNIFICANCE * len(tests), 1)
    names = [labels[name] for name in low["variable"]]
    told = f" ({'; '.join(names[:_MOST_NAMES])}{'; ...' if len(names) > _MOST_NAMES else ''})"
    text = (
        f"{count(len(low))} of {plural(len(tests), 'variable')} compared had P below "
        f"{LEVEL_OF_SIGNIFICANCE:g}{told if names else ''}; about {chance} would by chance alone "
        "if nothing differed."
    )
    points.append(("Differences between the groups", text))
    points.append(("Not for", f"{_NOT_BETTER}{_WITHOUT_CONTROLS if scales else ''}"))
    return points


_NOT_BETTER = (
    "Saying that one treatment is better. Groups were not made by chance: every difference is an "
    "association, and no effect of a treatment was estimated."
)

_WITHOUT_CONTROLS = (
    " A change over time has no control patients: pain also falls without an operation."
)


def _scale_points(results: Results) -> list[Point]:
    """Return the change of each scale, and its main comparison between groups, at the last time."""
    course, points = results.course, []
    for plan in plan_of(results.study.config["outcomes"]).scales:
        first, *_, last = plan.columns
        scale = f"{plan.label}, {plan.unit} ({plan.range[0]:g} to {plan.range[1]:g})"
        over = course.tables["over_time"]
        row = over[(over["scale"] == plan.label) & over["group"].isna() & (over["time"] == last)]
        change = row.iloc[0][["change", "change_low", "change_high"]]
        text = f"All patients, change from {first} to {last}: {interval(*change, 2)}."
        between = course.tables.get("between")
        if between is not None:
            own = between[(between["scale"] == plan.label) & (between["time"] == last)]
            own = own[own["what"].str.startswith(_ADJUSTED)]
            # The last row of a group adjusts for most: other variables too, where any are named.
            own = own.groupby("group", sort=False).tail(1)
            pairs = [
                f"{_called(course, each.group)} against {each.against} "
                f"{interval(each.value, each.low, each.high, 2)}"
                for each in own.itertuples()
            ]
            if pairs:
                what = own["what"].iloc[0]
                text += f" Between groups, {what}: {'; '.join(pairs)}."
        points.append((scale, text))
    return points


def _event_points(course: Course) -> list[Point]:
    """Return the ratio of rates of each kind of event."""
    ratios, points = course.tables.get("ratios"), []
    if ratios is None:
        return points
    for event, rows in ratios.groupby("event", sort=False):
        own = rows[rows["what"].str.startswith(_RATES)]
        texts = [
            f"{_called(course, row.group)} against {row.against}, {row.what.removeprefix(_RATES)} "
            f"{interval(row.value, row.low, row.high, 2)}"
            for row in own.itertuples()
            if pd.notna(row.value)
        ]
        if texts:
            points.append((f"{event}, per person-time", f"Ratio of rates: {'; '.join(texts)}."))
    return points


def _called(course: Course, group: str) -> str:
    groups = course.info["groups"]
    return called_groups(course.info["label"], groups)[groups.index(group)]
