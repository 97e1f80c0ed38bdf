"""Facts of a run on patients, images, readers and features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.comparison.agreement.concordance import stable_from
from pipeline.core.files import file_hash
from pipeline.core.mode_labels import is_leaking
from pipeline.reporting.paper.fact import Fact, Find, registered
from pipeline.reporting.paper.image_methods import (
    acquisition_text,
    class_counts,
    discretisation_text,
    extraction_parameters,
    image_types_text,
    preprocessing_text,
    resampling_text,
)
from pipeline.reporting.results import Results
from pipeline.reporting.sections.images.robustness import judged
from pipeline.reporting.sections.provenance import parameter_file
from pipeline.reporting.validation_kind import validation_kind
from pipeline.reporting.wording import count, number, plural, sentence_list, share
from pipeline.reporting.words.group_words import called_groups
from pipeline.reporting.words.robustness_words import perturbed_words
from pipeline.running.provenance import versions

#: Slice thickness from which upsampling to small voxels is called extreme (METRICS, item 11), mm.
THICK_SLICE_MM = 5.0


def _checklists(results: Results) -> Fact:
    return Fact("The completed checklists are submitted.", "paper/checklists", "Software")


def _sample_size(results: Results) -> Fact | None:
    if results.modelling is None:
        return None
    size = results.modelling.sample_size
    candidates = size["counts"][0]
    if "needed" not in candidates:
        return None
    return Fact(
        f"Riley's criteria: {count(candidates['needed'])} patients for "
        f"{count(candidates['parameters'])} candidate parameters; the training part held "
        f"{count(size['patients'])}.",
        "evaluation/sample_size.json",
        "Sample size",
    )


def _enough_patients(results: Results) -> Fact | None:
    found = _sample_size(results)
    if found is None:
        return None
    size = results.modelling.sample_size
    return found if size["counts"][0]["needed"] <= size["patients"] else None


def _eligibility(results: Results) -> Fact | None:
    rules = [str(each["label"]) for each in results["eligibility"]]
    return Fact(sentence_list(rules), "study/study.yaml", "Flow of patients") if rules else None


def _flow(results: Results) -> Fact:
    first, last = results.flow["steps"][0], results.flow["steps"][-1]
    return Fact(
        f"{count(first['patients'])} entered, {count(last['patients'])} analysed",
        "tables/flow.json",
        "Flow of patients",
    )


def _split(results: Results) -> Fact | None:
    if results.modelling is None:
        return None
    split = results.modelling.split
    test = split[split["part"] == "test"]
    return Fact(
        f"{validation_kind(results['split']).name}: {count(len(split) - len(test))} training and "
        f"{count(len(test))} held-out {results['unit']}s, {count(split['outcome'].sum())} events; "
        f"by patient; seed {results['seed']}",
        "tables/split.parquet",
        "Predictors and selection",
    )


def _no_leakage(results: Results) -> Fact | None:
    if results.modelling is None or is_leaking(results.study.config["mode"]):
        return None
    return Fact(
        "All that learns from data was fitted to training patients, inside each fold again",
        "study/study.yaml",
        "Selection of features",
    )


def _acquisition(results: Results) -> Fact | None:
    text = acquisition_text(results)
    return Fact(text, "tables/ingest.parquet", "Images and features") if text else None


def _one_image_set(results: Results) -> Fact | None:
    if results.imaging is None:
        return None
    return Fact("One CT series a scan", "tables/ingest.parquet", "Images and features")


def _voxels_fit(results: Results) -> Fact | None:
    if results.imaging is None:
        return None
    thick = results.imaging.ingest["slice_thickness_mm"].dropna()
    if thick.empty or thick.max() >= THICK_SLICE_MM:
        return None
    return Fact(f"slices of at most {number(thick.max(), 1)} mm", "tables/ingest.parquet", "Images")


def _predictors(results: Results) -> Fact | None:
    if results.modelling is None or not results.modelling.info["predictors"]:
        return None
    labels = [f"{each['label']} ({each['type']})" for each in results.modelling.info["predictors"]]
    return Fact(sentence_list(labels), "study/dictionary.parquet", "Predictors and selection")


def _outcome(results: Results) -> Fact | None:
    outcome = results["outcome"]
    if outcome is None:
        return None
    meaning = outcome.get("definition") or outcome["label"]
    return Fact(f"{meaning}; formula {outcome['formula']}", "study/study.yaml", "Outcome")


def _primary(results: Results) -> Fact | None:
    declared = results["primary"]
    if declared is None:
        return None
    return Fact(
        f"{declared['metric']} of {declared['model']}, part {declared['part']}",
        "study/study.yaml",
        "Evaluation",
    )


def _counts(results: Results) -> Fact | None:
    if results.modelling is None and results.groups is not None:
        info = results.groups.info
        called = called_groups(info["label"], [each["name"] for each in info["groups"]])
        told = "; ".join(
            f"{name}: {count(each['units'])}"
            for name, each in zip(called, info["groups"], strict=True)
        )
        return Fact(told, "outcomes/groups.json", "Comparison of groups")
    if results.modelling is None:
        return None
    split = results.modelling.split
    parts = [
        f"{part}: {count(len(rows))} with {plural(int(rows['outcome'].sum()), 'event')}"
        for part, rows in split.groupby("part")
    ]
    return Fact("; ".join(parts), "tables/split.parquet", "Summary")


def _readers(results: Results) -> Fact | None:
    readers = results.study.readers
    if not len(readers):
        return None
    return Fact(plural(len(readers), "reader"), "tables/reproducibility.parquet", "Reproducibility")


def _one_reader_at_test(results: Results) -> Fact | None:
    readers, chosen = results.study.readers, results["model_reader"]
    if not len(readers) or chosen == "mean" or (len(readers) > 1 and chosen is None):
        return None
    return Fact(f"reader {chosen or readers[0]}", "study/study.yaml", "Models")


def _of_parameters(section: str, say: Callable[[dict[str, Any]], str]) -> Find:
    def find(results: Results) -> Fact | None:
        parameters = extraction_parameters(results)
        if parameters is None:
            return None
        return Fact(say(parameters), parameter_file(results).name, section)

    return find


def _parameter_file(results: Results) -> Fact | None:
    path = parameter_file(results)
    if path is None:
        return None
    return Fact(
        f"{path.name}, SHA-256 {file_hash(path)[:16]}; all other settings are its defaults",
        path.name,
        "Provenance",
    )


def _extraction_software(results: Results) -> Fact | None:
    if results.imaging is None:
        return None
    known = versions().set_index("package")["installed"]
    version = known.get("pyradiomics", "3.0.1")
    return Fact(
        f"PyRadiomics {version} (engine {results['extraction.engine']}, verified against it), 3D; "
        "IBSI code of each feature in radiomics_params/ibsi_map.csv",
        "tables/verification.parquet",
        "Images and features",
    )


def _feature_classes(results: Results) -> Fact | None:
    classes = class_counts(results)
    if not classes:
        return None
    told = ", ".join(f"{name} {amount}" for name, amount in classes.items())
    return Fact(told, "tables/analysis.json", "Features")


def _feature_count(results: Results) -> Fact | None:
    total = sum(class_counts(results).values())
    return Fact(f"{count(total)} a reading", "tables/analysis.json", "Summary") if total else None


def _missing_data(results: Results) -> Fact | None:
    if results.modelling is None and results.regression is not None:
        tables = results["regression.impute"]
        told = f"multiple imputation, {plural(tables, 'table')}" if tables else "complete cases"
        return Fact(told, "regression/regression.json", "Logistic regression")
    if results.modelling is None or results.modelling.missingness.empty:
        return None
    table = results.modelling.missingness
    gaps = int((table["missing"] > 0).sum())
    return Fact(
        f"{plural(gaps, 'candidate')} with missing values; imputation: "
        f"{results['imputation.method']}, learned from training patients",
        "tables/missingness.parquet",
        "Missing values and sensitivity",
    )


def _missing_counts(results: Results) -> Fact | None:
    if results.modelling is None or results.modelling.missingness.empty:
        return None
    return Fact("by candidate", "tables/missingness.parquet", "Missing values and sensitivity")


def _imbalance(results: Results) -> Fact | None:
    if results.modelling is None:
        return None
    split = results.modelling.split
    return Fact(
        f"{share(split['outcome'].sum(), len(split))} events; oversampling: "
        f"{results['oversampling'].replace('_', ' and ')}",
        "study/study.yaml",
        "Models",
    )


def _reliability(results: Results) -> Fact | None:
    table = results.reproducibility
    if not len(table):
        return _robustness(results)
    least = stable_from(results["selection.ccc.threshold"])
    kept = int((table["ccc"] >= least).sum())
    return Fact(
        f"{count(kept)} of {count(len(table))} features with a CCC of at least {number(least, 2)}",
        "tables/reproducibility.parquet",
        "Reproducibility of features",
    )


def _robustness(results: Results) -> Fact | None:
    """Tell how many features survive perturbations."""
    if results.perturbed is None:
        return None
    table = judged(results, results.perturbed.table)
    words = perturbed_words(results["selection.perturbations"])
    kept = count(int(table["passes"].sum()))
    return Fact(
        f"{kept} of {count(len(table))} features with a {words}",
        "tables/robustness.parquet",
        "Robustness of features",
    )


def _ccc_filter(results: Results) -> Fact | None:
    """Tell which agreement the selection asks of a feature, if any."""
    if results.modelling is None:
        return None
    asked = results["selection.robustness"]
    if asked != "readers" and results["selection.perturbations.threshold"] is not None:
        return _robustness(results)
    if asked == "perturbations" or results["selection.ccc.threshold"] is None:
        return None
    return _reliability(results) if len(results.reproducibility) else None


def _scaling(results: Results) -> Fact | None:
    if results.modelling is None or results["scaling.method"] == "none":
        return None
    text = f"{results['scaling.method']}, by training patients"
    return Fact(text, "study/study.yaml", "Selection")


def _selection(results: Results) -> Fact | None:
    if results.modelling is None or not results.modelling.info["features"]:
        return None
    funnel = results.modelling.selection_info["funnel"]
    told = " → ".join(f"{step['label']}: {count(step['radiomics'])}" for step in funnel)
    return Fact(told, "tables/selection.json", "Selection of features")


def _redundancy_filter(results: Results) -> Fact | None:
    if results.modelling is None or results["selection.mrmr.k"] is None:
        return None
    return _selection(results)


def _selected_features(results: Results) -> Fact | None:
    if results.modelling is None:
        return None
    table = results.modelling.selection
    chosen = table[table["selected"].fillna(False).astype(bool)]
    if chosen.empty:
        return None
    return Fact(
        f"{plural(len(chosen), 'column')}, table of selected features",
        "tables/selection.parquet",
        "Selection of features",
    )


def _automatic_segmentation(results: Results) -> Fact | None:
    if results["reporting"].get("segmentation") != "automatic":
        return None
    return Fact("automatic", "study/study.yaml", "Methods")


def _prospective(results: Results) -> Fact | None:
    if results["reporting"].get("design") != "prospective":
        return None
    return Fact("prospective", "study/study.yaml", "Methods")


def conditions(results: Results) -> dict[str, bool | None]:
    """Return the conditions of METRICS: None where only the authors know."""
    features = results.has_features
    how = results["reporting"].get("segmentation")
    return {
        "has_segmentation": features,
        "is_automatic": None if how is None else how == "automatic",
        "has_handcrafted": features,
        "has_tables": features,
        "is_end_to_end": False,
    }


STUDY_FACTS: dict[str, Find] = {
    **registered(
        _checklists,
        _automatic_segmentation,
        _prospective,
        _sample_size,
        _enough_patients,
        _eligibility,
        _flow,
        _split,
        _no_leakage,
        _acquisition,
        _one_image_set,
        _voxels_fit,
        _predictors,
        _outcome,
        _primary,
        _counts,
        _readers,
        _one_reader_at_test,
        _parameter_file,
        _extraction_software,
        _feature_classes,
        _feature_count,
        _missing_data,
        _missing_counts,
        _imbalance,
        _reliability,
        _ccc_filter,
        _scaling,
        _selection,
        _redundancy_filter,
        _selected_features,
    ),
    "preprocessing": _of_parameters("Images and features", preprocessing_text),
    "resampling": _of_parameters("Images and features", resampling_text),
    "discretisation": _of_parameters("Images and features", discretisation_text),
    "image_types": _of_parameters("Images and features", image_types_text),
}
"""Name of a fact -> what finds it."""
