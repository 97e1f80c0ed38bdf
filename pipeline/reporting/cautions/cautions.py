"""What limits the results of a study, found in the study itself and said where it matters."""

from __future__ import annotations

import pandas as pd

from pipeline.core.mode_labels import is_leaking
from pipeline.core.problems import listing
from pipeline.reporting.cautions.caution import Caution
from pipeline.reporting.cautions.few_events import MIN_TEST_EVENTS, judged_events
from pipeline.reporting.cautions.threshold_caution import fixed_threshold
from pipeline.reporting.leaking import learned_oversampled, order_words, rows_added
from pipeline.reporting.results import Results, judged, measured_unit, metric
from pipeline.reporting.validation_kind import validation_kind
from pipeline.reporting.wording import UNIT, interval, number, plural, sentence_list
from pipeline.reporting.words.nested_words import nested_caution, nested_name
from pipeline.running.provenance import versions
from pipeline.tables.split_designs import holds_out

#: Training events per candidate parameter below which a fit is unstable (Peduzzi et al., J Clin
#: Epidemiol 1996;49:1373-1379): a rough guide, kept as a warning sign.
MIN_EVENTS_PER_PREDICTOR = 10

#: Cases that a study of readers' reliability should hold (Koo and Li, J Chiropr Med
#: 2016;15:155-163): a rough guide, kept as a warning sign.
MIN_CASES_OF_READERS = 30


SUPPORTED = 0.1
"""AUROC by which a corrected figure may lie above the nested one, which learns from fewer rows."""


def find_cautions(results: Results, parameters: dict | None) -> list[Caution]:
    """Return all cautions of a study, in the order of the report's sections.

    Parameters
    ----------
    results : Results
        The finished run.
    parameters : dict or None
        Parsed PyRadiomics parameter file; None for a study that starts from feature tables.
    """
    found = [_notice(results), _simulated_reader(results)]
    found += [_one_reader(results), _few_cases_of_readers(results)]
    if results.imaging is not None:
        found += [_upsampling(results, parameters or {}), _bin_width(parameters or {})]
    if results.modelling is not None:
        found += [
            _doubtful_columns(results),
            _kept_out(results),
            _implausible(results),
            _other_units(results),
            _few_events_to_fit(results),
            _few_events_to_test(results),
            *(check(results) for check in AGAINST_NESTED if holds_out(results["split"]["design"])),
            _clusters(results),
            _oversampling(results),
            fixed_threshold(results),
            _corrected_above_nested(results),
        ]
    found.append(_lock())
    return [caution for caution in found if caution is not None]


def _notice(results: Results) -> Caution | None:
    notice = results.study.config.get("notice")
    return Caution("Note on this study", notice, "summary") if notice else None


def _simulated_reader(results: Results) -> Caution | None:
    name = results["simulated_reader"]
    if not name:
        return None
    text = (
        f"The masks of reader {name} were made by a computer from another reader's masks. "
        "Agreement between readers, and the features that it keeps, then reflect how the "
        "difference was simulated and say nothing about people."
    )
    return Caution("Simulated reader", text, "agreement")


def _one_reader(results: Results) -> Caution | None:
    readers = results.study.readers
    if len(readers) != 1:
        return None
    text = (
        f"All features come from reader {readers[0]}. Without a second reading no concordance can "
        "be computed, and how much a feature depends on who draws the contour is not known."
    )
    if results.modelling is None:
        return Caution("One reader: no CCC filter", text, "concordance")
    if results["selection.robustness"] != "readers":
        text += (
            " The selection keeps features that survive perturbations of image and mask instead, "
            "which stand for small differences of a contour and not for another person's opinion."
        )
        return Caution("One reader", text, "concordance")
    text += " The CCC step of the selection is skipped: such features stay in."
    return Caution("One reader: no CCC filter", text, "concordance")


def _few_cases_of_readers(results: Results) -> Caution | None:
    cases = results.reproducibility["n"]
    most = int(cases.max()) if len(cases) else 0
    if not 0 < most < MIN_CASES_OF_READERS:
        return None
    text = (
        f"Concordance between readers rests on {plural(most, measured_unit(results))}; at least "
        f"{MIN_CASES_OF_READERS} are advised. Which features pass the threshold would change with "
        "other cases: read the intervals of the CCC."
    )
    return Caution("Few cases behind the concordance", text, "concordance")


def _upsampling(results: Results, parameters: dict) -> Caution | None:
    target = parameters.get("setting", {}).get("resampledPixelSpacing")
    ingest = results.imaging.ingest
    spacing = ingest[["spacing_x", "spacing_y", "spacing_z"]].max(axis=1).dropna()
    if not target or spacing.empty:
        return None
    coarse = spacing[spacing > max(target) * 1.001]
    if coarse.empty:
        return None
    text = (
        f"{len(coarse)} of {plural(len(spacing), 'scan')} have voxels larger than the "
        f"{number(max(target), 1)} mm grid on which features are computed (median longest edge "
        f"{number(coarse.median(), 1)} mm). Values between slices are interpolated, so texture "
        "across slices partly measures the interpolation; features of scans with different "
        "spacing are comparable only with care."
    )
    return Caution("Thick slices interpolated to a finer grid", text, "images")


def _bin_width(parameters: dict) -> Caution | None:
    setting = parameters.get("setting", {})
    if not setting.get("normalize") or not setting.get("binWidth"):
        return None
    scale = setting.get("normalizeScale", 1)
    text = (
        f"Intensities are normalised per scan (mean 0, standard deviation {number(scale, 0)}) "
        f"before texture is computed, so a bin width (grey values that count as one) of "
        f"{number(setting['binWidth'], 0)} stands "
        f"for {number(setting['binWidth'] / scale, 2)} standard deviations of the scan and not for "
        f"{number(setting['binWidth'], 0)} Hounsfield units (HU). Grey levels therefore depend on "
        "the field of view: the same vertebra can get other values in another scan."
    )
    return Caution("Bin width is not in HU", text, "images", "info")


def _events(results: Results, part: str) -> tuple[int, int]:
    rows = results.modelling.split
    outcome = rows.loc[rows["part"] == part, "outcome"]
    return int(outcome.sum()), len(outcome)


def _doubtful_columns(results: Results) -> Caution | None:
    """Tell of columns of ready tables that may be no features, but know the outcome."""
    info, parts = results.modelling.info, []
    foreign, telling = info.get("foreign", ()), info.get("telling", ())
    if foreign:
        parts.append(
            f"{plural(len(foreign), 'column')} among the features "
            f"{'bears' if len(foreign) == 1 else 'bear'} no name of PyRadiomics: "
            f"{listing(foreign)}."
        )
    if telling:
        parts.append(
            f"One cut through {listing(telling)} parts patients with and without the outcome "
            "without a single error, which hardly any texture does."
        )
    if not parts:
        return None
    parts.append(
        "A time, a grade or a score that is known only with the outcome makes every result of "
        "this report worthless: such columns belong into `not_features`."
    )
    return Caution("Columns that may be no features", " ".join(parts), "selection")


def _kept_out(results: Results) -> Caution | None:
    """Tell of columns of ready tables that were not taken for features because of their names."""
    kept_out = results.modelling.info.get("kept_out", {})
    if not kept_out:
        return None
    told = listing((f"{name} ({reason})" for name, reason in kept_out.items()), 12)
    text = (
        f"{plural(len(kept_out), 'column')} of the feature tables did not enter the models, since "
        f"their names differ from those of features: {told}. A feature among them is listed in "
        "`also_features`."
    )
    return Caution("Columns kept out of the features", text, "selection", "info")


def _implausible(results: Results) -> Caution | None:
    found = results.modelling.info.get("implausible", ())
    if not found:
        return None
    text = (
        f"Clinical values that lie far from all others of their column, or outside the range that "
        f"the data dictionary states, are in the analysis as they stand: {listing(found)}."
    )
    return Caution("Implausible clinical values", text, "characteristics")


def _other_units(results: Results) -> Caution | None:
    found = results.modelling.info.get("other_units", ())
    return Caution("Readers in other units", " ".join(found), "concordance") if found else None


def _few_events_to_fit(results: Results) -> Caution | None:
    size = results.modelling.sample_size
    # All that the selection may choose from: a narrow signature was paid for with events too.
    fewer, candidates = size["events"], size["counts"][0]["parameters"]
    if not candidates or fewer / candidates >= MIN_EVENTS_PER_PREDICTOR:
        return None
    who = "training patient" if holds_out(results["split"]["design"]) else "patient"
    have = "has" if fewer == 1 else "have"
    text = (
        f"{plural(fewer, who)} {have} the rarer outcome, for "
        f"{plural(candidates, 'candidate parameter')}, {number(fewer / candidates, 2)} per "
        f"parameter (at least {MIN_EVENTS_PER_PREDICTOR} are commonly advised). Which predictors "
        "are selected, and their weights, would change with another sample."
    )
    return Caution("Few events per predictor", text, "selection")


def _few_events_to_test(results: Results) -> Caution | None:
    on = judged(results)
    events, rows = judged_events(results)
    if min(events, rows - events) >= MIN_TEST_EVENTS:
        return None
    text = (
        f"{on.holders} {plural(events, 'event')} and {plural(rows - events, 'non-event')}; "
        f"at least {MIN_TEST_EVENTS} of each are advised to judge a model. One event more or less "
        f"classified correctly changes sensitivity by "
        f"{number(100 / events, 0)} percentage points. Read the intervals, not the "
        "point values, and do not rank the models by them."
    )
    return Caution(f"Few events to {on.aim}", text, "performance")


def _above_nested(results: Results) -> Caution | None:
    """Tell where the held-out patients flatter a model: more than its procedure supports."""
    too_high = []
    for name, entry in results.modelling.nested.items():
        test, nested = metric(results, name, "auroc"), entry.info["auroc"]
        if test is None or pd.isna(test["value"]):
            continue
        folds = entry.table["auroc"].max()
        if test["value"] > folds or (pd.notna(test["low"]) and test["low"] > nested):
            too_high.append(
                f"{_label(results, name)} {_area(test['value'])} against "
                f"{_area(nested)} in {nested_name(results['nested.search'])} (highest fold "
                f"{_area(folds)})"
            )
    if not too_high:
        return None
    text = (
        f"The AUROC {judged(results).on} is higher than the procedure supports: "
        f"{sentence_list(too_high)}. The likeliest reason is {order_words(results).excess}; "
        f"{validation_kind(results['split']).expect}, and quote it beside the other."
    )
    title = f"Higher AUROC {judged(results).on} than in cross-validation"
    return Caution(title, text, "performance")


def _below_nested(results: Results) -> Caution | None:
    """Tell where the held-out patients show less than resampling of the training patients."""
    too_low = []
    for name, entry in results.modelling.nested.items():
        test, nested = metric(results, name, "auroc"), entry.info["auroc"]
        if test is not None and pd.notna(test["high"]) and test["high"] < nested:
            shown = interval(test["value"], test["low"], test["high"], bounds=UNIT)
            too_low.append(f"{_label(results, name)} {shown} against {_area(nested)}")
    if not too_low:
        return None
    text = (
        f"The interval of the AUROC {judged(results).on} ends below the AUROC of "
        f"{nested_name(results['nested.search'])}: {sentence_list(too_low)}. "
        f"{validation_kind(results['split']).below} Report both."
    )
    title = f"Lower AUROC {judged(results).on} than in cross-validation"
    return Caution(title, text, "performance")


AGAINST_NESTED = (_above_nested, _below_nested)


def unsupported_corrections(results: Results) -> list[tuple[str, float, float]]:
    """Return models whose corrected AUROC exceeds the nested one by more than `SUPPORTED`.

    Returns
    -------
    list of tuple
        Name of the model, corrected AUROC, AUROC of the nested folds.
    """
    found = []
    for name, entry in results.modelling.optimism.items():
        rows = entry.table.set_index("metric")["corrected"]
        if name not in results.modelling.nested or "auroc" not in rows:
            continue
        nested = results.modelling.nested[name].info["auroc"]
        if rows["auroc"] > nested + SUPPORTED:
            found.append((name, rows["auroc"], nested))
    return found


def _corrected_above_nested(results: Results) -> Caution | None:
    """Tell where Harrell's correction leaves more than the outer folds support."""
    by = nested_name(results["nested.search"])
    too_high = [
        f"{_label(results, name)} {_area(corrected)} corrected against {_area(nested)}"
        for name, corrected, nested in unsupported_corrections(results)
    ]
    if not too_high:
        return None
    text = (
        f"The AUROC after Harrell's correction is far above that of {by}: "
        f"{sentence_list(too_high)}. The correction is too small if features are selected among "
        "many candidates: even noise then looks well predicted. Do not quote the corrected AUROC; "
        f"quote that of {by}.{nested_caution(results['nested.search'])}"
    )
    return Caution(f"Corrected AUROC above {by}", text, "validation")


def _area(value: float) -> str:
    return number(value, bounds=UNIT)


def _label(results: Results, model: str) -> str:
    """Return the printed name of a model."""
    return results.modelling.models[model].info["label"]


def _clusters(results: Results) -> Caution | None:
    split = results.modelling.split
    several = int((split.groupby("patient_id").size() > 1).sum())
    if not several:
        return None
    parts = (
        "training and held-out patients or between folds"
        if holds_out(results["split"]["design"])
        else "folds"
    )
    text = (
        f"{plural(several, 'patient')} {'contributes' if several == 1 else 'contribute'} more than "
        "one case. Patients are never divided "
        f"between {parts}; the table of metrics names the interval "
        "method that takes the clusters into account. The filters of the selection (rank-sum, "
        "chi-square) count cases as independent: they screen, and their P values are "
        "too small to be evidence."
    )
    return Caution("Several cases per patient", text, "performance", "info")


def _oversampling(results: Results) -> Caution | None:
    method = results["oversampling"].replace("_", " + ")
    models = results.modelling.models
    if method == "none" or not models:
        return None
    added = [name for name in models if learned_oversampled(results, name)]
    as_they_are = [_label(results, name) for name in models if name not in added]
    if not added:
        text = (
            f"The configuration asks for oversampling ({method}), but no model learned from a "
            f"synthetic patient that it made{_why_no_rows(results)}. Predicted risks are not "
            "shifted by it."
        )
        return Caution("Oversampling added no patient", text, "performance", "info")
    text = (
        f"The training patients were rebalanced ({method}). This shifts predicted "
        "risks upwards and harms calibration (van den Goorbergh et al., J Am Med Inform Assoc "
        "2022;29:1525-1534): predicted probabilities are scores here and no risks."
    )
    if as_they_are:
        text += (
            f" To what {sentence_list(as_they_are)} learned from, no synthetic patient was added"
            f"{_why_no_rows(results)}."
        )
    if "svm" in added and not is_leaking(results.study.config["mode"]):
        text += (
            " Those of the support vector machine alone are learned from patients as they are, and "
            "lie on the scale of their share of events."
        )
    return Caution("Oversampling", text, "performance")


def _why_no_rows(results: Results) -> str:
    """Return the reasons why oversampling added no synthetic patient, in brackets."""
    told = (rows_added(results, name)["why_not"] for name in results.modelling.models)
    reasons = {why_not for why_not in told if why_not}
    return f" ({'; '.join(sorted(reasons))})" if reasons else ""


def _lock() -> Caution | None:
    table = versions()
    differing = table[~table["agrees"]]
    if differing.empty:
        return None
    shown = sentence_list(
        f"{row.package} ({row.installed or 'not installed'}, locked {row.locked})"
        for row in differing.head(5).itertuples()
    )
    more = f" and {len(differing) - 5} more" if len(differing) > 5 else ""
    text = (
        f"The installed packages differ from the lock file: {shown}{more}. Results may differ "
        "from those of the locked environment."
    )
    return Caution("Not the locked environment", text, "provenance")
