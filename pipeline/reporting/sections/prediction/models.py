"""Sections on the models: performance with its uncertainty, and how they were fitted."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.blocks import Block, Figure, Folded, Items, Paragraph, Section, Table
from pipeline.reporting.cautions.few_events import at_figure
from pipeline.reporting.dropped import NO_MODEL
from pipeline.reporting.figures.drawing import model_style
from pipeline.reporting.figures.models import (
    calibration_figure,
    confusion_figure,
    decision_figure,
    forest_figure,
    roc_figure,
)
from pipeline.reporting.judged_rows import JudgedRows
from pipeline.reporting.leaking import order_words
from pipeline.reporting.parts.comparison_tables import comparison_table
from pipeline.reporting.parts.fit_and_benefit_tables import (
    goodness_of_fit_table,
    useful_ranges_table,
)
from pipeline.reporting.parts.primary_analysis import primary_blocks
from pipeline.reporting.results import Results, judged, metric
from pipeline.reporting.sections.prediction.selection import NO_OUTCOME
from pipeline.reporting.validation_kind import validation_text
from pipeline.reporting.wording import (
    METRIC_BOUNDS,
    NO_VALUE,
    UNIT,
    count,
    interval,
    number,
    plural,
    sentence_list,
    share,
)
from pipeline.reporting.words.calibration_words import calibration_sentence
from pipeline.reporting.words.metric_meanings import MEANINGS
from pipeline.study.metric_registry import METRICS, labels_of
from pipeline.tables.split_designs import holds_out

#: Metrics of probabilities, and of decisions at a threshold, as they are printed.
PROBABILITY_METRICS, THRESHOLD_METRICS = labels_of("probability"), labels_of("threshold")


def model_labels(results: Results) -> dict[str, str]:
    """Return the printed name of each model, in the study's order."""
    return {name: model.info["label"] for name, model in results.modelling.models.items()}


_OUT_OF_FOLD = "out of fold"


def performance_section(results: Results) -> Section:
    """Build the section that compares the models on the patients that they are judged on."""
    title = "Performance of the models"
    if results.modelling is None:
        return Section("performance", title, absent=NO_OUTCOME)
    if not results.modelling.models:
        return Section("performance", title, absent=NO_MODEL)
    evaluation, labels = results.modelling.evaluation, model_labels(results)
    level = f"{100 * results['evaluation.confidence']:g}%"
    on, whole = judged(results), results.modelling.split
    test = whole.query("part == 'test'") if on.part == "test" else whole
    events = int(test["outcome"].sum())
    all_rows = "the training patients" if on.part == "test" else "all patients"
    ordered = _forest_rows(results, labels)
    colours = [model_style(name, list(labels))["color"] for name in ordered["model"]]
    described = "; ".join(
        f"{row.label} {interval(row.value, row.low, row.high, bounds=UNIT)}"
        for row in ordered.itertuples()
    )
    few = at_figure(results)
    blocks: list[Block] = [
        Paragraph(
            f"{_judged_on(results, len(test), events, len(labels))} Intervals are {level} "
            f"intervals.{on.intervals} {validation_text(results['split'], results['mode'])}"
        ),
        *primary_blocks(results),
        Figure(
            name="auroc",
            svg=forest_figure(ordered, "auroc", f"AUROC {on.on}", 0.5, colours),
            alt=f"AUROC with intervals: {described}.",
            caption=f"AUROC {on.on} ({plural(len(test), results['unit'])}, "
            f"{plural(events, 'event')}) with {level} intervals, in the order of the "
            f"configuration. Dashed: 0.5, no discrimination.{few}",
        ),
        Figure(
            name="roc",
            svg=roc_figure(
                evaluation.roc,
                {name: _value(results, name, "auroc") for name in labels},
                labels,
            ),
            alt=f"ROC curves {on.on}. AUROC: {described}.",
            caption=f"Receiver operating characteristic {on.on}.{on.of_curves} Dotted: guessing. "
            f"Markers help to distinguish curves that overlap.{few}",
            width=620,
        ),
        _metric_table(
            results,
            PROBABILITY_METRICS,
            on.part,
            "metrics-probabilities",
            f"Performance of predicted risks {on.on}; below each estimate its {level} "
            f"confidence interval. Ideal values: {_best_values('probability')}. AUPRC of "
            f"guessing is the share of events, {number(events / len(test), 2, UNIT)}.",
        ),
        _meanings(),
        comparison_table(evaluation.comparisons, labels, level, on),
        Figure(
            name="calibration",
            svg=calibration_figure(evaluation.calibration, evaluation.calibration_curve, labels),
            alt="Observed share of events against predicted risk per model. Calibration slopes: "
            + "; ".join(
                f"{label} {number(_value(results, name, 'calibration_slope'), 2)}"
                for name, label in labels.items()
            )
            + ".",
            caption=f"Calibration {on.on}: groups of predicted risk with Wilson intervals "
            f"(dots) and a smoothed (LOWESS) curve (line) with its pointwise {level} band over "
            "resampled patients. On the dashed diagonal, predicted risks are true; "
            f"below it they are too high.{on.of_one_repeat}{few}",
        ),
        *_calibration_items(results, labels),
        goodness_of_fit_table(evaluation.calibration_tests, labels, on),
        _decision(results, labels, level),
        useful_ranges_table(evaluation.decision_curve, labels, level, on.rows.removeprefix("the ")),
        Figure(
            name="confusion",
            svg=confusion_figure(evaluation.confusion, labels),
            alt=f"Two-by-two tables {on.on}: "
            + "; ".join(
                f"{labels[row.model]} {row.tp} true and {row.fp} false positives, {row.fn} false "
                f"and {row.tn} true negatives"
                for row in evaluation.confusion.itertuples()
                if row.model in labels
            )
            + ".",
            caption=f"Confusion matrices {on.on}. Rows: what happened; columns: what was "
            "predicted; percentages are of those with, or without, the event. A risk at or above "
            "the stated threshold counts as an event; “How the models were fitted” says how each "
            "was chosen."
            f"{_own_thresholds(on)}{on.of_one_repeat}{few}",
        ),
        _metric_table(
            results,
            THRESHOLD_METRICS,
            on.part,
            "metrics-threshold",
            f"Performance of decisions at the threshold {on.on}; below each estimate "
            f"its {level} confidence interval.",
        ),
        Folded(
            "Methods of the intervals, and performance in cross-validation",
            [
                _methods(evaluation.metrics, on),
                _metric_table(
                    results,
                    PROBABILITY_METRICS,
                    "oof",
                    "metrics-cross-validation",
                    f"Performance of out-of-fold predictions of {all_rows} with the "
                    "chosen parameters. Optimistic: the parameters were chosen by them.",
                ),
            ],
        ),
    ]
    return Section("performance", title, blocks)


def _judged_on(results: Results, rows: int, events: int, models: int) -> str:
    """Say who judges the models, and what these patients had to do with them."""
    told = f"with {plural(events, 'event')}"
    if holds_out(results["split"]["design"]):
        who = "All models are judged on the same" if models > 1 else "The model is judged on"
        held_out = plural(rows, f"held-out {results['unit']}")
        return f"{who} {held_out} {told}, which {order_words(results).test_rows}."
    options = results["nested"]
    who = "All models are judged on the same" if models > 1 else "The model is judged on all"
    return (
        f"{who} {plural(rows, results['unit'])} {told}: {options['folds']} outer folds, "
        f"{plural(options['repeats'], 'repeat')}. Each fold is predicted by a model for which "
        "selection, search, fitting and the choice of the threshold saw the other folds alone."
    )


def _own_thresholds(on: JudgedRows) -> str:
    """Say that outer folds have thresholds of their own, where they judge."""
    if on.part == "test":
        return ""
    return " Each outer fold has a threshold of its own: their mean is stated."


def _calibration_items(results: Results, labels: dict[str, str]) -> list[Block]:
    """Say of each model in words what its slope and its ratio of events mean."""
    said = {label: calibration_sentence(results, name) for name, label in labels.items()}
    items = [f"{label}: {sentence}." for label, sentence in said.items() if sentence]
    return [Items(items)] if items else []


def _forest_rows(results: Results, labels: dict[str, str]) -> pd.DataFrame:
    rows = []
    for name, label in labels.items():
        row = metric(results, name, "auroc")
        rows.append([name, label, row["value"], row["low"], row["high"]])
    return pd.DataFrame(rows, columns=["model", "label", "value", "low", "high"])


def _value(results: Results, model: str, name: str) -> float:
    row = metric(results, model, name)
    return float("nan") if row is None else float(row["value"])


def _metric_table(
    results: Results, names: dict[str, str], part: str, table_name: str, caption: str
) -> Table:
    labels = model_labels(results)
    table = results.modelling.evaluation.metrics
    raw = table[(table["part"] == part) & table["metric"].isin(names)]
    rows = []
    for name, printed in names.items():
        line = {"Metric": printed}
        for model, label in labels.items():
            row = metric(results, model, name, part)
            line[label] = NO_VALUE if row is None else _two_lines(row)
        rows.append(line)
    shown = pd.DataFrame(rows)
    caption += _undefined(raw[raw["model"].isin(list(labels))], names, labels)
    return Table(table_name, caption, shown, raw, numeric=tuple(labels.values()))


def _undefined(raw: pd.DataFrame, names: dict[str, str], labels: dict[str, str]) -> str:
    """Say why values of a table of metrics are missing: of one reason, all its metrics."""
    missing = raw[raw["value"].isna()]
    told = []
    for reason, rows in missing.groupby("method", sort=False):
        models = sentence_list(labels[name] for name in rows["model"].drop_duplicates())
        of = "" if rows["model"].nunique() == len(labels) else f" of {models}"
        metrics = sentence_list(names[name] for name in rows["metric"].drop_duplicates())
        told.append(f"{metrics}{of} ({str(reason).removeprefix('undefined: ')})")
    return f" Not defined: {'; '.join(told)}." if told else ""


def _meanings() -> Folded:
    """Say in plain words what each metric of the page means."""
    told = [f"{METRICS[name].label}: {meaning}." for name, meaning in MEANINGS.items()]
    how = (
        "In cross-validation the training patients are divided into parts; each part in turn is "
        "predicted by a model that was fitted to the others, so that nobody is judged by a model "
        "that has seen them. Nested: the search for the model's settings is repeated within the "
        "others, too."
    )
    return Folded("What the metrics mean", [Items(told), Paragraph(how)])


def _two_lines(row: pd.Series) -> str:
    bounds = METRIC_BOUNDS.get(row["metric"])
    text = number(row["value"], bounds=bounds)
    if text == NO_VALUE or pd.isna(row["low"]) or pd.isna(row["high"]):
        return text
    return f"{text}\n{number(row['low'], bounds=bounds)} to {number(row['high'], bounds=bounds)}"


def _best_values(kind: str) -> str:
    """Return the best value of each metric of a kind: ``1 for AUROC; 0 for Brier score``."""
    of_kind = [metric for metric in METRICS.values() if metric.kind == kind]
    ideals = dict.fromkeys(metric.ideal for metric in of_kind)
    return "; ".join(
        f"{ideal:g} for {sentence_list(each.words for each in of_kind if each.ideal == ideal)}"
        for ideal in ideals
    )


def _methods(table: pd.DataFrame, on: JudgedRows) -> Table:
    """Return which method each metric's interval comes from; models may differ."""
    names = PROBABILITY_METRICS | THRESHOLD_METRICS
    rows = []
    for (part, name, method), group in table.groupby(["part", "metric", "method"], sort=False):
        rows.append(
            {
                "Metric": names.get(name, name),
                "Judged on": {"test": on.rows, "nested": "the outer folds"}.get(part, _OUT_OF_FOLD),
                "Method": method,
                "Models": count(len(group)),
            }
        )
    shown = pd.DataFrame(rows).sort_values(
        "Judged on", key=lambda told: told == _OUT_OF_FOLD, kind="stable"
    )
    return Table(
        "interval-methods",
        "How values and intervals were obtained. Out of fold: each is predicted by a model that "
        "was fitted to the other folds.",
        shown.reset_index(drop=True),
        numeric=("Models",),
    )


def _decision(results: Results, labels: dict[str, str], level: str) -> Figure:
    curves = results.modelling.evaluation.decision_curve
    low, high = results["evaluation.decision_curve"]
    on = judged(results)
    return Figure(
        name="decision-curve",
        svg=decision_figure(curves, labels, results.modelling.winner["model"]),
        alt="Net benefit of each model over threshold probabilities, with treating all and "
        "treating none. " + " ".join(_useful_range(curves, labels)),
        caption=f"Decision curves {on.on}. Threshold probability: the predicted risk at or above "
        f"which one would treat, {number(low, 2)} to {number(high, 2)}. Net benefit: true "
        "positives less false positives, each of these weighted by the odds of the threshold, per "
        f"{results['unit']}. Shaded: pointwise {level} band over resampled patients of "
        f"{results.modelling.winner['label']}, the best in cross-validation; those of the others "
        "are in evaluation/decision_curve.csv. A model helps where it lies "
        "above both treating all and treating none. The axis is cut off at the bottom."
        f"{at_figure(results)}",
        width=620,
    )


def _useful_range(curves: pd.DataFrame, labels: dict[str, str]) -> list[str]:
    """Say in how much of the drawn range each model beats both simple policies."""
    wide = curves.pivot_table(index="threshold", columns="model", values="net_benefit")
    simple = wide[["all", "none"]].max(axis=1)
    return [
        f"{label} is above both at {share((wide[name] > simple + 1e-12).sum(), len(wide))} of the "
        "thresholds."
        for name, label in labels.items()
        if name in wide
    ]


def notes_of_models(notes: dict[str, list[str]], models: int) -> list[str]:
    """Return each note once, with the models it is about unless it is about all of them.

    Parameters
    ----------
    notes : dict of str to list of str
        By note, the models it is about.
    models : int
        How many models there are.
    """
    return [
        note if len(about) == models else f"{sentence_list(about)}: {note}"
        for note, about in notes.items()
    ]
