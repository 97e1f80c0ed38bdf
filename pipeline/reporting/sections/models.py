"""Sections on the models: performance with its uncertainty, and how they were fitted."""

from __future__ import annotations

import json

import pandas as pd

from pipeline.reporting.blocks import Block, Figure, Folded, Items, Paragraph, Section, Table
from pipeline.reporting.calibration_words import calibration_sentence
from pipeline.reporting.comparison_tables import comparison_table
from pipeline.reporting.dropped import NO_MODEL
from pipeline.reporting.evaluation_tables import goodness_of_fit_table, useful_ranges_table
from pipeline.reporting.figures.drawing import model_style
from pipeline.reporting.figures.models import (
    calibration_figure,
    confusion_figure,
    decision_figure,
    forest_figure,
    roc_figure,
)
from pipeline.reporting.leaking import order_words
from pipeline.reporting.results import Results, metric
from pipeline.reporting.sections.primary import primary_blocks
from pipeline.reporting.sections.selection import NO_OUTCOME
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
from pipeline.study.metrics import METRICS, labels_of
from pipeline.study.model_families import MODEL_FAMILIES

#: Metrics of probabilities, and of decisions at a threshold, as they are printed.
PROBABILITY_METRICS, THRESHOLD_METRICS = labels_of("probability"), labels_of("threshold")


def model_labels(results: Results) -> dict[str, str]:
    """Return the printed name of each model, in the study's order."""
    return {name: model.info["label"] for name, model in results.modelling.models.items()}


def performance_section(results: Results) -> Section:
    """Build the section that compares the models on the test rows."""
    title = "Performance of the models"
    if results.modelling is None:
        return Section("performance", title, absent=NO_OUTCOME)
    if not results.modelling.models:
        return Section("performance", title, absent=NO_MODEL)
    evaluation, labels = results.modelling.evaluation, model_labels(results)
    level = f"{100 * results['evaluation.confidence']:g}%"
    test = results.modelling.split.query("part == 'test'")
    events = int(test["outcome"].sum())
    ordered = _forest_rows(results, labels)
    colours = [model_style(name, list(labels))["color"] for name in ordered["model"]]
    described = "; ".join(
        f"{row.label} {interval(row.value, row.low, row.high, bounds=UNIT)}"
        for row in ordered.itertuples()
    )
    blocks: list[Block] = [
        Paragraph(
            f"All models are judged on the same {plural(len(test), 'test row')} with "
            f"{plural(events, 'event')}, which {order_words(results).test_rows}. Intervals are "
            f"{level} intervals. {validation_text(results.study.config)}"
            if len(labels) > 1
            else f"The model is judged on {plural(len(test), 'test row')} with "
            f"{plural(events, 'event')}, which {order_words(results).test_rows}. Intervals are "
            f"{level} intervals. {validation_text(results.study.config)}"
        ),
        *primary_blocks(results),
        Figure(
            name="auroc",
            svg=forest_figure(ordered, "auroc", "AUROC on the test rows", 0.5, colours),
            alt=f"AUROC with intervals: {described}.",
            caption=f"AUROC on the test rows with {level} intervals, in the order of the "
            "configuration. Dashed: 0.5, no discrimination.",
        ),
        Figure(
            name="roc",
            svg=roc_figure(
                evaluation.roc,
                {name: _value(results, name, "auroc") for name in labels},
                labels,
            ),
            alt=f"ROC curves on the test rows. AUROC: {described}.",
            caption="Receiver operating characteristic on the test rows.",
            width=480,
        ),
        _metric_table(
            results,
            PROBABILITY_METRICS,
            "test",
            "metrics-probabilities",
            f"Performance of predicted risks on the test rows, value over {level} "
            f"interval. Best: {_best_values('probability')}. AUPRC of "
            f"guessing is the share of events, {number(events / len(test), 2, UNIT)}.",
        ),
        comparison_table(evaluation.comparisons, labels, level),
        Figure(
            name="calibration",
            svg=calibration_figure(evaluation.calibration, evaluation.calibration_curve, labels),
            alt="Observed share of events against predicted risk per model. Calibration slopes: "
            + "; ".join(
                f"{label} {number(_value(results, name, 'calibration_slope'), 2)}"
                for name, label in labels.items()
            )
            + ".",
            caption="Calibration on the test rows: groups of predicted risk with Wilson intervals "
            f"(dots) and a LOWESS curve (line) with its pointwise {level} band over resampled "
            "patients. On the dashed diagonal, predicted risks are true; "
            "below it they are too high.",
        ),
        *_calibration_items(results, labels),
        goodness_of_fit_table(evaluation.calibration_tests, labels),
        _decision(results, labels, level),
        useful_ranges_table(evaluation.decision_curve, labels, level),
        Figure(
            name="confusion",
            svg=confusion_figure(evaluation.confusion, labels),
            alt="Two-by-two tables on the test rows: "
            + "; ".join(
                f"{labels[row.model]} {row.tp} true and {row.fp} false positives, {row.fn} false "
                f"and {row.tn} true negatives"
                for row in evaluation.confusion.itertuples()
                if row.model in labels
            )
            + ".",
            caption="Confusion matrices on the test rows. Rows: what happened; columns: what was "
            "predicted; percentages of the row. A risk from the stated threshold on counts as "
            "event; how each threshold was chosen stands with how the models were fitted.",
        ),
        _metric_table(
            results,
            THRESHOLD_METRICS,
            "test",
            "metrics-threshold",
            f"Performance of decisions at the threshold, test rows, value over {level} interval.",
        ),
        Folded(
            "Methods of the intervals, and performance in cross-validation",
            [
                _methods(evaluation.metrics),
                _metric_table(
                    results,
                    PROBABILITY_METRICS,
                    "oof",
                    "metrics-cross-validation",
                    "Performance of out-of-fold predictions of the training rows with the "
                    "chosen parameters. Optimistic: the parameters were chosen by them.",
                ),
            ],
        ),
    ]
    return Section("performance", title, blocks)


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
    return Table(table_name, caption, shown, raw, numeric=tuple(labels.values()))


def _two_lines(row: pd.Series) -> str:
    bounds = METRIC_BOUNDS.get(row["metric"])
    text = number(row["value"], bounds=bounds)
    if text == NO_VALUE or pd.isna(row["low"]) or pd.isna(row["high"]):
        return text
    return f"{text}\n{number(row['low'], 2, bounds)} to {number(row['high'], 2, bounds)}"


def _best_values(kind: str) -> str:
    """Return the best value of each metric of a kind: ``1 for AUROC; 0 for Brier score``."""
    of_kind = [metric for metric in METRICS.values() if metric.kind == kind]
    ideals = dict.fromkeys(metric.ideal for metric in of_kind)
    return "; ".join(
        f"{ideal:g} for {sentence_list(each.words for each in of_kind if each.ideal == ideal)}"
        for ideal in ideals
    )


def _several_phases(labels: dict[str, str]) -> str:
    """Return, in brackets, which models are searched in several phases, each as long."""
    words = {2: "two", 3: "three"}
    told = [
        f" ({labels[name]}: in each of its {words.get(family.phases, family.phases)} phases)"
        for name, family in MODEL_FAMILIES.items()
        if name in labels and family.phases > 1
    ]
    return "".join(told)


def _methods(table: pd.DataFrame) -> Table:
    """Return which method each metric's interval comes from; models may differ."""
    names = PROBABILITY_METRICS | THRESHOLD_METRICS
    rows = []
    for (part, name, method), group in table.groupby(["part", "metric", "method"], sort=False):
        rows.append(
            {
                "Metric": names.get(name, name),
                "Rows": "test" if part == "test" else "out of fold",
                "Method": method,
                "Models": count(len(group)),
            }
        )
    shown = pd.DataFrame(rows).sort_values("Rows", ascending=False, kind="stable")
    return Table(
        "interval-methods",
        "How values and intervals were obtained.",
        shown.reset_index(drop=True),
        numeric=("Models",),
    )


def _decision(results: Results, labels: dict[str, str], level: str) -> Figure:
    curves = results.modelling.evaluation.decision_curve
    low, high = results["evaluation.decision_curve"]
    return Figure(
        name="decision-curve",
        svg=decision_figure(curves, labels, results.modelling.winner["model"]),
        alt="Net benefit of each model over threshold probabilities, with treating all and "
        "treating none. " + " ".join(_useful_range(curves, labels)),
        caption=f"Decision curves on the test rows, threshold probability {number(low, 2)} to "
        f"{number(high, 2)}. Shaded: pointwise {level} band over resampled patients of "
        f"{results.modelling.winner['label']}, the best in cross-validation; those of the others "
        "stand in evaluation/decision_curve.csv. A model helps where it lies "
        "above both treating all and treating none. The axis is cut below.",
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


def hyperparameters_section(results: Results) -> Section:
    """Build the section on the search: what was tried and chosen, and at what cost."""
    title = "How the models were fitted"
    if results.modelling is None:
        return Section("fitting", title, absent=NO_OUTCOME)
    if not results.modelling.models:
        return Section("fitting", title, absent=NO_MODEL)
    rows, raw = [], []
    notes: dict[str, list[str]] = {}
    for name, model in results.modelling.models.items():
        info = model.info
        rows.append(
            {
                "Model": info["label"],
                "Chosen parameters": "\n".join(
                    f"{key}\u00a0=\u00a0{_setting(value)}"
                    for key, value in info["parameters"].items()
                )
                or NO_VALUE,
                "Cross-validated AUROC (SD)": f"{number(info['cv_auc'], bounds=UNIT)} "
                f"({number(info['cv_auc_sd'])})",
                "Sets tried": count(len(model.search)),
                "Fits": count(info["fits"]),
                "Time": f"{number(info['seconds'], 0)} s",
                "Device": f"{info['device']}, {plural(int(info['threads']), 'thread')}",
            }
        )
        raw.append(
            {
                # Without the seconds: the same study gives the same tables again.
                **{key: info[key] for key in ("model", "cv_auc", "cv_auc_sd", "fits")},
                **{
                    key: info[key]
                    for key in ("device", "threads", "seed", "threshold", "threshold_source")
                },
                "parameters": json.dumps(info["parameters"], sort_keys=True),
                "sets_tried": len(model.search),
                "features": "|".join(info["features"]),
                "name": name,
            }
        )
        for note in info["notes"]:
            notes.setdefault(note, []).append(info["label"])
    folds, labels = results["split.folds"], model_labels(results)
    blocks: list[Block] = [
        Table(
            name="hyperparameters",
            caption=f"Randomised search, {results['search.iterations']} parameter sets per model"
            f"{_several_phases(labels)}, "
            f"scored by mean AUROC over {folds} {order_words(results).folds}; then a refit on "
            "all training rows. The cross-validated AUROC chose the parameters and is optimistic: "
            "how good a model is, nested cross-validation and the test rows say.",
            shown=pd.DataFrame(rows),
            raw=pd.DataFrame(raw).drop(columns="name"),
            numeric=("Cross-validated AUROC (SD)", "Sets tried", "Fits", "Time"),
        ),
        _thresholds_table(results),
    ]
    if notes:
        blocks.append(Items(notes_of_models(notes, len(results.modelling.models))))
    return Section("fitting", title, blocks)


def _thresholds_table(results: Results) -> Table:
    """Return from which predicted risk on each model calls an event, and why from there."""
    rows = [
        {
            "Model": model.info["label"],
            "Threshold": number(model.info["threshold"], bounds=UNIT),
            "How it was chosen": _sentence(model.info["threshold_source"]),
        }
        for model in results.modelling.models.values()
    ]
    return Table(
        name="thresholds",
        caption="Risk threshold at or above which a model predicts the event. No prediction of a "
        "test row had a part in it.",
        shown=pd.DataFrame(rows),
        numeric=("Threshold",),
    )


def _sentence(text: str) -> str:
    """Return a text with a capital first letter."""
    return text[:1].upper() + text[1:]


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


def _setting(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
