"""What each estimate of performance says: apparent, corrected, nested, on held-out patients."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.blocks import Block, Items, Table
from pipeline.reporting.leaking import order_words
from pipeline.reporting.results import Results, judged, metric
from pipeline.reporting.wording import (
    METRIC_BOUNDS,
    NO_VALUE,
    UNIT,
    first_upper,
    interval,
    number,
    plural,
    sentence_list,
)
from pipeline.reporting.words.nested_words import nested_name, nested_searches
from pipeline.tables.split_designs import holds_out

#: Metrics whose correction is printed, beside AUROC; the file holds all.
_CORRECTED = {
    "brier": "Brier score",
    "scaled_brier": "Scaled Brier score",
    "calibration_intercept": "Calibration in the large (slope fixed at 1)",
    "calibration_slope": "Calibration slope",
}


def estimates_tables(results: Results, labels: dict[str, str]) -> list[Block]:
    """Set the estimates of every model beside one another, and say what each of them means."""
    optimism, nested = results.modelling.optimism, results.modelling.nested
    if not optimism:
        return []
    rows = []
    for name, label in labels.items():
        if name not in optimism and name not in nested:
            continue
        test = metric(results, name, "auroc")
        own = _row(results, name, "auroc")
        rows.append(
            {
                "Model": label,
                "Apparent": _number(own, "apparent"),
                "Optimism": _number(own, "optimism"),
                "Corrected": _number(own, "corrected"),
                ".632+": _number(own, "corrected_632plus"),
                first_upper(nested_name(results["nested.search"])): number(
                    nested[name].info["auroc"], bounds=UNIT
                )
                if name in nested
                else NO_VALUE,
            }
            | _of_held_out(results, test)
        )
    infos = [entry.info for entry in optimism.values()]
    resamples = infos[0]["resamples"]
    more = [
        *(
            f"{labels[name]}: {note}"
            for name, one in optimism.items()
            for note in one.info["own_notes"]
        ),
        *dict.fromkeys(note for entry in optimism.values() for note in entry.info["notes"]),
    ]
    raw = pd.concat([entry.table for entry in optimism.values()], ignore_index=True)
    errors = raw.loc[raw["metric"] == "auroc", "optimism_se"]
    searched = infos[0]["search"] != "fixed"
    repeated = "selection, search, fit and threshold" if searched else "selection and fit"
    return [
        Table(
            name="estimates",
            caption=f"AUROC of each model by what it was judged on. Optimism is the mean over "
            f"{plural(resamples, 'bootstrap resample')} of the training patients, in each of which "
            f"{repeated} are repeated (its Monte Carlo error is at most {number(errors.max())}). "
            f"{infos[0]['search_note']}",
            shown=pd.DataFrame(rows),
            raw=raw,
            numeric=tuple(column for column in rows[0] if column != "Model"),
        ),
        Items(
            [
                "Apparent: the final model on the very patients that it learned from. Always too "
                "good, and meaningless for a model that memorises its patients.",
                "Corrected: apparent less optimism (Harrell). Corrects too little if "
                "features are chosen among many or a model memorises its patients, because some "
                "of the patients that judge a resample were also used to fit it.",
                ".632+: also counts the patients that a resample left out, with more weight the "
                "more the model overfits. Closer to the truth in such cases.",
                _of_outer_folds(results),
                *_gaps(results),
                f"No intervals: {infos[0]['interval_note']}",
                *more,
            ]
        ),
        _other_metrics(results, labels, raw),
    ]


def _other_metrics(results: Results, labels: dict[str, str], raw: pd.DataFrame) -> Table:
    rows = []
    for printed, name in ((text, key) for key, text in _CORRECTED.items()):
        for model in results.modelling.optimism:
            own, test = _row(results, model, name), metric(results, model, name)
            rows.append(
                {
                    "Metric": printed,
                    "Model": labels[model],
                    "Apparent": _number(own, "apparent"),
                    "Optimism": _number(own, "optimism"),
                    "Corrected": _number(own, "corrected"),
                    ".632+": _number(own, "corrected_632plus"),
                    _figure_column(results): interval(
                        test["value"], test["low"], test["high"], bounds=METRIC_BOUNDS.get(name)
                    ),
                }
            )
    names = sentence_list(_CORRECTED.values())
    return Table(
        name="optimism",
        caption="The same correction of other metrics. A corrected calibration slope below 1 is "
        "the factor by which predicted log odds have to be shrunk for new patients. .632+ is "
        "defined for AUROC and the Brier score. The file holds every metric of every model.",
        shown=pd.DataFrame(rows),
        raw=raw,
        numeric=("Apparent", "Optimism", "Corrected", ".632+", _figure_column(results)),
        collapsed=f"Optimism of {names}",
    )


def _of_outer_folds(results: Results) -> str:
    """Say what the cross-validation over outer folds repeats, and what it therefore flatters."""
    name = first_upper(nested_name(results["nested.search"]))
    if nested_searches(results["nested.search"]):
        return (
            f"{name}: selection, search and fit, judged on patients that none of them saw, with "
            "fewer patients to learn from than the final model had."
        )
    return (
        f"{name}: selection and fit, judged on patients that neither saw, with fewer patients to "
        "learn from than the final model had. The hyperparameters come from a search on all "
        "training patients, those held out included (nested.search: fixed), which makes the "
        "estimate slightly optimistic."
    )


def _figure_column(results: Results) -> str:
    """Return the heading of the figures of the patients that judge the models."""
    if holds_out(results["split"]["design"]):
        return judged(results).column
    return first_upper(nested_name(results["nested.search"]))


def _of_held_out(results: Results, test: pd.Series) -> dict[str, str]:
    """Return the figure of the held-out patients, as a column; nothing where there are none."""
    if not holds_out(results["split"]["design"]):
        return {}
    area = interval(test["value"], test["low"], test["high"], bounds=UNIT)
    return {judged(results).column: area}


def _gaps(results: Results) -> list[str]:
    """Say what the held-out patients tell, and what a gap between the estimates means."""
    if not holds_out(results["split"]["design"]):
        return [
            "Estimates that agree support one another. Where they differ, quote the nested one: "
            "it alone is of patients that no part of the procedure had seen."
        ]
    return [
        f"{judged(results).column}: {order_words(results).test_estimate}",
        "Estimates that agree support one another. A result of the held-out patients far above "
        f"those of {nested_name(results['nested.search'])} and .632+ comes from "
        f"{order_words(results).excess}.",
    ]


def _row(results: Results, model: str, name: str) -> pd.Series | None:
    entry = results.modelling.optimism.get(model)
    return None if entry is None else entry.table.set_index("metric").loc[name]


def _number(row: pd.Series | None, column: str) -> str:
    if row is None:
        return NO_VALUE
    # Optimism is a difference; what is left of a metric lies within the metric's own bounds.
    return number(row[column], bounds=None if column == "optimism" else METRIC_BOUNDS.get(row.name))
