"""Paragraphs of methods, in the past tense, from what was configured and run.

What only the authors know stands where ``reporting`` of the configuration says it, and is a marked
gap otherwise. A sentence that the run does not support is not written.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.core.mode_labels import is_leaking
from pipeline.reporting.paper.image_methods import extraction_paragraph, image_paragraph
from pipeline.reporting.paper.passages import Passage, gap, told
from pipeline.reporting.results import Results
from pipeline.reporting.validation_kind import validation_kind
from pipeline.reporting.wording import count, number, p_value, plural, sentence_list, share
from pipeline.reporting.words.nested_words import nested_name
from pipeline.reporting.words.robustness_words import PERTURBED_STEPS, perturbed_words
from pipeline.running.provenance import python_version, software_version, versions


def methods(results: Results) -> list[Passage]:
    """Return the passages of methods in the order of a paper."""
    passages = [
        *_notes(results),
        Passage("Study design and patients", list(_patients(results))),
        Passage("Outcome", list(_outcome(results))),
    ]
    if results.has_features:
        images = [image_paragraph(results), extraction_paragraph(results)]
        passages.append(Passage("Imaging, segmentation and features", images))
        agreement = [_reproducibility(results), *_perturbations(results)]
        passages.append(Passage("Reproducibility of features", agreement))
    if results.modelling is not None:
        passages += [
            Passage("Predictors and selection", list(_selection(results))),
            Passage("Models", list(_models(results))),
            Passage("Evaluation", list(_evaluation(results))),
        ]
    if results.groups is not None:
        passages.append(Passage("Comparison of groups", [_groups(results)]))
    if results.regression is not None:
        passages.append(Passage("Logistic regression", [_regression(results)]))
    passages.append(Passage("Software", [_software(results)]))
    return passages


def _notes(results: Results) -> Iterator[Passage]:
    """Yield what no reader may miss: the study's notice, and masks that no person drew."""
    notes = [str(results["notice"])] if results["notice"] else []
    if name := results["simulated_reader"]:
        notes.append(
            f"The masks of reader {name} were made by a computer from another reader's masks, so "
            "that agreement between readers says nothing of people."
        )
    if notes:
        yield Passage("Note on the data", notes)


def _patients(results: Results) -> Iterator[str]:
    design = told(results, "design", "This was a {} study.", "retrospective or prospective")
    yield " ".join(
        [
            design,
            told(results, "setting", "Patients were treated at {}.", "hospital and department"),
            told(results, "dates", "They were enrolled from {}.", "period of enrolment"),
            told(results, "sampling", "The sample was {}.", "how patients were chosen"),
            told(results, "ethics", "The study was {}.", "ethics approval and consent"),
            told(
                results, "registration", "Registration: {}.", "registration, or that there was none"
            ),
        ]
    )
    rules = [str(each["label"]) for each in results["eligibility"]]
    steps = results.flow["steps"]
    first, last = steps[0], steps[-1]
    criteria = (
        f"Patients were eligible if they met: {sentence_list(rules)}."
        if rules
        else gap("inclusion and exclusion criteria; the configuration names none")
    )
    yield (
        f"{criteria} Of {plural(first['patients'], 'patient')}, {count(last['patients'])} were "
        "analysed (flow diagram). "
        + told(results, "treatment", "Treatment: {}.", "treatment of the patients")
    )


def _outcome(results: Results) -> Iterator[str]:
    outcome = results["outcome"]
    if outcome is None:
        yield "The study had no outcome."
        return
    meaning = outcome.get("definition") or f"{outcome['label']} ({outcome['formula']})"
    yield " ".join(
        [
            f"The outcome was {meaning.rstrip('.')}.",
            told(results, "outcome_window", "It was assessed at {}.", "when it was assessed"),
            told(results, "outcome_assessment", "Assessment: {}.", "who assessed it, and how"),
            told(results, "blinding_outcome", "Blinding: {}.", "whether assessors were blinded"),
            told(
                results,
                "analgesics",
                "Pain medication while it was assessed: {}.",
                "pain medication while it was assessed",
            ),
        ]
    )


def _reproducibility(results: Results) -> str:
    table = results.reproducibility
    threshold, asked = results["selection.ccc.threshold"], results["selection.robustness"]
    if not len(table):
        return "All features came from one reading, so that no agreement was computed."
    readers = int(table["readers"].max())
    filtered = (
        f" Features with a CCC below {number(threshold, 2)} were dropped."
        if threshold is not None and results.modelling is not None and asked != "perturbations"
        else ""
    )
    return (
        f"Agreement between {plural(readers, 'reader')} was Lin's concordance correlation "
        f"coefficient (CCC) on raw values [@lin1989ccc].{filtered} "
        + told(results, "blinding_readers", "Readers: {}.", "what readers were blinded to")
    )


def _perturbations(results: Results) -> Iterator[str]:
    if results.perturbed is None:
        return
    options, limits = results["perturbations"], results["selection.perturbations"]
    steps = [text for step, text in PERTURBED_STEPS.items() if step in options["chain"]]
    filtered = (
        f" Features were kept only with a {perturbed_words(limits)}."
        if results.modelling is not None
        and results["selection.robustness"] != "readers"
        and limits["threshold"] is not None
        else ""
    )
    yield (
        f"Image and mask of each case were perturbed {options['repetitions']} times "
        f"({sentence_list(steps)}) "
        "and features extracted again [@zwanenburg2019perturbation]. Agreement was ICC(1,1); its "
        f"{share(limits['confidence'], 1)} interval was from a bootstrap of patients "
        f"({count(limits['resamples'])} resamples).{filtered}"
    )


def _selection(results: Results) -> Iterator[str]:
    modelling, options = results.modelling, results["selection"]
    predictors = [each["label"] for each in modelling.info["predictors"]]
    if predictors:
        yield (
            f"Clinical candidates were {sentence_list(predictors)} "
            f"({results['timing']} or earlier). "
            + told(results, "predictor_choice", "They were chosen as {}.", "why these predictors")
        )
    split = modelling.split
    test = split[split["part"] == "test"]
    kind = validation_kind(results["split"]).name.lower()
    if len(test):
        yield (
            f"{count(len(split) - len(test))} {results['unit']}s "
            f"({plural(int(split['outcome'].sum() - test['outcome'].sum()), 'event')}) served for "
            f"training and {count(len(test))} ({plural(int(test['outcome'].sum()), 'event')}) were "
            f"held out ({kind}). Patients were never divided between parts or folds."
        )
    steps = []
    if modelling.info["features"]:
        asked = options["robustness"]
        of_readers = asked != "perturbations" and len(modelling.info["readers"]) > 1
        if options["ccc"]["threshold"] is not None and of_readers:
            steps.append(f"CCC of at least {number(options['ccc']['threshold'], 2)}")
        if asked != "readers" and options["perturbations"]["threshold"] is not None:
            steps.append(perturbed_words(options["perturbations"]))
        if options["wilcoxon"]["p"] is not None:
            steps.append(f"Wilcoxon rank-sum P below {number(options['wilcoxon']['p'], 2)}")
        if options["mrmr"]["k"] is not None:
            steps.append(
                f"at most {options['mrmr']['k']} features by minimum redundancy and maximum "
                "relevance [@peng2005mrmr]"
            )
    if options["clinical"]["p"] is not None and predictors:
        steps.append(f"clinical predictors with P below {number(options['clinical']['p'], 2)}")
    if steps:
        learned = (
            "Radiomic features were selected on all patients, held-out patients included: this "
            "leaks."
            if is_leaking(results.study.config["mode"])
            else "The selection was learned on training patients alone, inside each fold again."
        )
        yield f"Candidates were filtered by: {sentence_list(steps)}. {learned}"
    imputation, scaling = results["imputation.method"], results["scaling.method"]
    yield (
        f"Missing numbers were imputed ({imputation}) and missing categories replaced by the most "
        f"frequent one. Scaling: {scaling}."
        + (
            ""
            if is_leaking(results.study.config["mode"])
            else " Both were learned from training patients, inside each fold again."
        )
    )


_SEARCHED = {
    "full": "Each arm searched its own parameters as the final model did.",
    "reduced": "Each arm searched its own parameters, with fewer sets than the final model.",
    "fixed": "Each arm kept the parameters of the final model.",
}

_REPEATED = {
    "full": "repeated the whole procedure",
    "reduced": "repeated the whole procedure, searching fewer sets of parameters",
    "fixed": "repeated selection and fit with the parameters of the final model",
}

_FAMILY_WORKS = {
    "lr": "pedregosa2011sklearn",
    "svm": "cortes1995svm",
    "rf": "breiman2001forests",
    "xgboost": "chen2016xgboost",
    "tabnet": "arik2021tabnet",
}


def _models(results: Results) -> Iterator[str]:
    models = results.modelling.models
    if not models:
        yield "No model could be fitted."
        return
    names = [
        f"{model.info['label']} [@{_FAMILY_WORKS[name]}]"
        if name in _FAMILY_WORKS
        else model.info["label"]
        for name, model in models.items()
    ]
    folds, sets = results["split.folds"], results["search.iterations"]
    text = (
        f"{sentence_list(names)} {'was' if len(names) == 1 else 'were'} trained. Parameters were "
        f"found by randomised search ({plural(sets, 'parameter set')} a model and phase) with "
        f"{folds}-fold cross-validation of the training patients, maximising the AUROC; the model "
        "was then fitted to all training patients."
    )
    if results["oversampling"] == "none":
        text += " Class imbalance was left as it was [@goorbergh2022imbalance]."
    else:
        method = results["oversampling"].replace("_", " and ")
        text += (
            f" Training patients were rebalanced ({method}) [@he2008adasyn], which distorts "
            "predicted risks [@goorbergh2022imbalance]."
        )
    yield text
    rule = results["evaluation.threshold_rule"]
    said = rule if isinstance(rule, str) else ", ".join(f"{k} {v:g}" for k, v in rule.items())
    if rule == "fixed":
        yield f"The classification threshold was {number(results['evaluation.threshold'], 2)}."
    else:
        yield (
            f"The classification threshold was chosen by the rule {said} on out-of-fold "
            "predictions of the training patients."
        )


def _evaluation(results: Results) -> Iterator[str]:
    level = f"{100 * results['evaluation.confidence']:g}%"
    clustered = results.modelling.split["patient_id"].duplicated().any()
    how = "Obuchowski's method [@obuchowski1997]" if clustered else "DeLong's method [@delong1988]"
    declared = results["primary"]
    primary = (
        "No primary analysis was declared beforehand."
        if declared is None
        else f"The primary analysis was declared beforehand: {declared['metric']} of "
        f"{declared['model']}, part {declared['part']}."
    )
    yield (
        f"{primary} Discrimination was the AUROC with {level} confidence intervals by {how}; "
        "calibration was assessed by intercept, slope, integrated calibration index and the ratio "
        "of observed to expected events; overall performance by the Brier score; clinical utility "
        "by decision curves [@vickers2006dca]. Other intervals were Wilson's or percentiles over "
        f"{count(results['evaluation.bootstrap'])} resamples of patients. Models were compared on "
        "the same patients by paired tests, P values adjusted after Holm [@holm1979]."
    )
    added = results.modelling.added_value
    if added.compared:
        where = "held-out patients" if added.info["part"] == "test" else "outer folds"
        yield (
            f"To measure the added value of radiomics, {added.info['label']} was fitted to "
            f"clinical predictors alone, to radiomic features alone and to both, and judged on the "
            f"same {where}. {_SEARCHED[added.info['search']]} Net benefit was taken at a risk of "
            f"{share(added.info['risk'], 1, 1)}."
        )
    parts: dict[str, list[str]] = {}
    if nested := results.modelling.nested:
        options = results["nested"]
        parts.setdefault(options["search"], []).append(
            f"{nested_name(results['nested.search'])} ({options['folds']} outer folds, "
            f"{plural(options['repeats'], 'repeat')}; {len(nested)} models)"
        )
    if results.modelling.optimism:
        parts.setdefault(results["optimism.search"], []).append(
            "a bootstrap correction for optimism [@harrell1996] "
            f"({count(results['optimism.resamples'])} resamples)"
        )
    for search, ways in parts.items():
        yield f"Internal validation {_REPEATED[search]} in {sentence_list(ways)}."
    size = results.modelling.sample_size
    needed = size["counts"][0].get("needed")
    told_size = told(results, "sample_size", "Study size: {}.", "how the study size was arrived at")
    if needed is None:
        yield told_size
    else:
        yield (
            f"{told_size} For all {count(size['counts'][0]['parameters'])} candidate parameters, "
            f"the criteria of Riley et al. [@riley2020size] ask for {count(needed)} patients; the "
            f"training part held {count(size['patients'])}."
        )


def _groups(results: Results) -> str:
    info = results.groups.info
    return (
        f"Groups by {info['label']} were compared; the test of each variable stands in the table. "
        f"Normality was judged by the {results['outcomes.normality']} test. Adjustment of P "
        f"values: {results['outcomes.adjust']}."
    )


def _regression(results: Results) -> str:
    options, facts = results["regression"], results.regression.facts
    screening = options["screening"]
    entered = (
        "All predictors entered, as named beforehand"
        if screening is None
        else f"Predictors entered with P below {p_value(screening)} alone"
    )
    return (
        f"A logistic regression was fitted by {facts['method']}. {entered}. The model was "
        f"corrected for optimism with {count(options['resamples'])} bootstrap resamples "
        "[@harrell1996]."
    )


def _software(results: Results) -> str:
    wanted = [
        "pyradiomics",
        "SimpleITK",
        "scikit-learn",
        "xgboost-cpu",
        "pytorch-tabnet",
        "snakemake",
    ]
    table = versions()
    known = {str(row.package).lower(): row.installed for row in table.itertuples()}
    used = [
        f"{name} {known[name.lower()]}"
        for name in wanted
        if known.get(name.lower()) and _is_used(name, results)
    ]
    return (
        f"Analyses were run with vertebromics {software_version()} (Python {python_version()}, "
        f"seed {results['seed']}; {', '.join(used)}) as a Snakemake workflow "
        f"[@molder2021snakemake]. Reporting followed {sentence_list(_guidelines(results))}; the "
        "completed checklists lie beside this text."
    )


def _is_used(package: str, results: Results) -> bool:
    """Return whether a run computed anything with a package."""
    imaging = results.imaging is not None
    models = {} if results.modelling is None else results.modelling.models
    return {
        "pyradiomics": imaging,
        "SimpleITK": imaging,
        "scikit-learn": bool(models),
        "xgboost-cpu": "xgboost" in models,
        "pytorch-tabnet": "tabnet" in models,
    }.get(package, True)


def _guidelines(results: Results) -> list[str]:
    """Return what a study is reported by: the checklists that lie beside the text."""
    fitted = results.modelling is not None or results.regression is not None
    found = ["TRIPOD+AI [@collins2024tripod]"] if fitted else []
    found += ["CLEAR [@kocak2023clear]"] if results.has_features else []
    if results.groups is not None or results.regression is not None:
        found.append("STROBE [@vonelm2007strobe]")
    return found
