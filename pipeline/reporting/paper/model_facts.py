"""Facts of a run on models: how they were made, judged and explained."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.paper.fact import Fact, Find, registered
from pipeline.reporting.results import Results, metric
from pipeline.reporting.sections.prediction.subgroups import column_labels
from pipeline.reporting.validation_kind import validation_kind
from pipeline.reporting.wording import UNIT, interval, number, plural, sentence_list
from pipeline.reporting.words.added_value_words import added_value_sentences, arms_sentence
from pipeline.reporting.words.nested_words import nested_name
from pipeline.running.provenance import software_version
from pipeline.study.metric_registry import METRICS


def _fitted(results: Results) -> bool:
    return results.modelling is not None and bool(results.modelling.models)


def _algorithms(results: Results) -> Fact | None:
    if not _fitted(results):
        return None
    labels = [model.info["label"] for model in results.modelling.models.values()]
    return Fact(f"{sentence_list(labels)}; vertebromics {software_version()}", "models", "Models")


def _tuning(results: Results) -> Fact | None:
    # A model whose family has nothing to search has no row.
    if not _fitted(results) or not any(
        len(model.search) for model in results.modelling.models.values()
    ):
        return None
    return Fact(
        f"randomised search, {plural(results['search.iterations'], 'parameter set')}, "
        f"{results['split.folds']} folds, seed {results['seed']}",
        "models/<model>/search.parquet",
        "How the models were fitted",
    )


def _model_choice(results: Results) -> Fact | None:
    if not _fitted(results):
        return None
    winner = results.modelling.winner
    return Fact(
        f"{winner['label']}: highest cross-validated AUROC of the training patients",
        "evaluation/winner.json",
        "Performance of the models",
    )


def _testing(results: Results) -> Fact | None:
    if results.modelling is None:
        return None
    kind = validation_kind(results["split"])
    return Fact(kind.name, "study/study.yaml", "Performance of the models")


def _test_rows(results: Results) -> bool:
    return results.modelling is not None and (results.modelling.split["part"] == "test").any()


def _internal_test(results: Results) -> Fact | None:
    name = validation_kind(results["split"]).name
    if not _test_rows(results) or not name.startswith(("Internal", "Temporal")):
        return None
    return Fact(name, "tables/split.parquet", "Performance of the models")


def _external_test(results: Results) -> Fact | None:
    name = validation_kind(results["split"]).name
    if not _test_rows(results) or not name.startswith("Geographical"):
        return None
    return Fact(name, "tables/split.parquet", "Performance of the models")


def _by_site(results: Results) -> Fact | None:
    return _external_test(results)


def _several_centres(results: Results) -> Fact | None:
    centres = results["reporting"].get("centres")
    if centres is None or centres < 2:
        return None
    return Fact(plural(centres, "hospital"), "study/study.yaml", "Methods")


def _metrics(results: Results) -> Fact | None:
    if not _fitted(results):
        return None
    table = results.modelling.evaluation.metrics
    known = set(table.loc[table["value"].notna(), "metric"])
    if not known:
        return None
    return Fact(
        ", ".join(each.words for name, each in METRICS.items() if name in known),
        "evaluation/metrics.parquet",
        "Performance of the models",
    )


def _uncertainty(results: Results) -> Fact | None:
    if not _fitted(results) or not results.modelling.evaluation.metrics["low"].notna().any():
        return None
    level = f"{100 * results['evaluation.confidence']:g}%"
    return Fact(
        f"{level} intervals; the method of each stands beside it",
        "evaluation/metrics.parquet",
        "Performance of the models",
    )


def _performance(results: Results) -> Fact | None:
    if not _fitted(results):
        return None
    told = []
    for name, model in results.modelling.models.items():
        row = metric(results, name, "auroc")
        if row is not None:
            told.append(
                f"{model.info['label']} {interval(row['value'], row['low'], row['high'], 2, UNIT)}"
            )
    if not told:
        return None
    return Fact(f"AUROC: {'; '.join(told)}", "evaluation/metrics.parquet", "Performance")


def _confusion(results: Results) -> Fact | None:
    if not _fitted(results) or results.modelling.evaluation.confusion.empty:
        return None
    return Fact("of every model", "evaluation/confusion.parquet", "Performance of the models")


def _calibration(results: Results) -> Fact | None:
    if not _fitted(results):
        return None
    row = metric(results, results.modelling.winner["model"], "calibration_slope")
    if row is None or pd.isna(row["value"]):
        return None
    shown = interval(row["value"], row["low"], row["high"], 2)
    return Fact(f"slope {shown}, curve", "evaluation/metrics.parquet", "Performance")


def _decision_curve(results: Results) -> Fact | None:
    if not _fitted(results) or results.modelling.evaluation.decision_curve.empty:
        return None
    return Fact("net benefit of every model", "evaluation/decision_curve.parquet", "Performance")


def _comparison_tests(results: Results) -> Fact | None:
    if not _fitted(results) or results.modelling.evaluation.comparisons.empty:
        return None
    methods = sorted(set(results.modelling.evaluation.comparisons["method"]))
    return Fact(
        f"{'; '.join(methods)}; Holm; McNemar", "evaluation/comparisons.parquet", "Performance"
    )


def _added_value(results: Results) -> Fact | None:
    if results.modelling is None or not results.modelling.added_value.compared:
        return None
    return Fact(
        f"{arms_sentence(results)} {added_value_sentences(results)}",
        "evaluation/added_value.parquet",
        "Added value of radiomics",
    )


def _baselines(results: Results) -> Fact | None:
    if results.modelling is None:
        return None
    table = results.modelling.references
    known = table[table["auroc"].notna()]
    if known.empty:
        return None
    return Fact(
        sentence_list(known["label"]),
        "evaluation/references.parquet",
        "Internal validation and simpler models",
    )


def _interpretability(results: Results) -> Fact | None:
    if not _fitted(results) or not any(
        len(model.importance) for model in results.modelling.models.values()
    ):
        return None
    return Fact(
        "importance of each column" + (", SHAP" if results["interpretation.shap"] else ""),
        "models/<model>/importance.parquet",
        "Importance of features",
    )


def _resampling_validation(results: Results) -> Fact | None:
    if results.modelling is None:
        return None
    done = [
        name
        for name, there in (
            (nested_name(results["nested.search"]), results.modelling.nested),
            ("bootstrap correction for optimism", results.modelling.optimism),
        )
        if there
    ]
    if not done:
        return None
    return Fact(sentence_list(done), "nested", "Internal validation and simpler models")


def _threshold(results: Results) -> Fact | None:
    if not _fitted(results):
        return None
    info = results.modelling.models[results.modelling.winner["model"]].info
    return Fact(
        f"probabilities; threshold {number(info['threshold'], bounds=UNIT)}: "
        f"{info['threshold_source']}",
        "models/<model>/model.json",
        "How the models were fitted",
    )


def _characteristics(results: Results) -> Fact | None:
    if results.modelling is None and results.groups is None:
        return None
    return Fact("table 1", "report/tables", "Characteristics (table 1)")


def _by_part(results: Results) -> Fact | None:
    if not _test_rows(results):
        return None
    return Fact("training against held-out patients", "report/tables", "Characteristics (table 1)")


def _subgroups(results: Results) -> Fact | None:
    if not _fitted(results):
        return None
    table = results.modelling.subgroups
    known = table[(table["metric"] == "auroc") & table["value"].notna()]
    if known.empty:
        return None
    labels = column_labels(results)
    told = sentence_list(labels.get(name, name) for name in dict.fromkeys(known["by"]))
    return Fact(
        f"AUROC and observed over expected events by {told}",
        "evaluation/subgroups.parquet",
        "Performance in subgroups",
    )


def _code(results: Results) -> Fact:
    return Fact(
        f"vertebromics {software_version()}, fingerprints of all stages", "report", "Provenance"
    )


def _sensitivity(results: Results) -> Fact | None:
    if results.modelling is None or not len(results.modelling.sensitivity):
        return None
    return Fact("other reader, complete cases", "sensitivity", "Missing values and sensitivity")


def _regression(results: Results) -> Fact | None:
    if results.regression is None:
        return None
    return Fact(
        "unadjusted and adjusted odds ratios with intervals",
        "regression/tables/coefficients.parquet",
        "Logistic regression",
    )


def _numbers_handled(results: Results) -> Fact | None:
    if results.regression is None:
        return None
    splines = results["regression.splines"]
    told = ", ".join(f"{name} with {knots} knots" for name, knots in splines.items())
    return Fact(told or "as straight lines", "study/study.yaml", "Logistic regression")


def _statistics(results: Results) -> Fact | None:
    if results.groups is None and results.regression is None and not _fitted(results):
        return None
    return Fact("see Methods", "paper/text.docx", "Methods")


MODEL_FACTS: dict[str, Find] = registered(
    _algorithms,
    _tuning,
    _model_choice,
    _testing,
    _internal_test,
    _external_test,
    _by_site,
    _several_centres,
    _metrics,
    _uncertainty,
    _performance,
    _confusion,
    _calibration,
    _decision_curve,
    _comparison_tests,
    _added_value,
    _baselines,
    _interpretability,
    _resampling_validation,
    _threshold,
    _characteristics,
    _by_part,
    _subgroups,
    _code,
    _sensitivity,
    _regression,
    _numbers_handled,
    _statistics,
)
"""Name of a fact -> what finds it."""
