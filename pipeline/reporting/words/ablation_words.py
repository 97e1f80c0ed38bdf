"""How the steps of an ablation are called on the page."""

from __future__ import annotations

from typing import Protocol

from pipeline.reporting.wording import count, plural
from pipeline.reporting.words.feature_meanings import printed_feature
from pipeline.tables.features.feature_names import parse_feature_name

#: Heading of each kind of step, in the order of the table.
GROUPS = {
    "full": "All input",
    "top": "Most important features, cumulatively",
    "single": "Most important features, one at a time",
    "named": "Named candidates, each alone",
    "block": "All radiomics, all clinical predictors",
    "family": "Families of features",
    "chain": "Steps of the procedure",
}

_PARTS = {
    "radiomics": "all radiomics",
    "clinical": "all clinical predictors",
    "shape": "shape features",
    "original": "features of the original image",
    "log": "LoG features",
    "wavelet": "wavelet features",
    "gradient": "gradient features",
    "square": "square-filter features",
    "squareroot": "square-root-filter features",
    "logarithm": "logarithm-filter features",
    "exponential": "exponential-filter features",
    "lbp": "local binary patterns",
    "ccc": "the CCC filter",
    "wilcoxon": "the Wilcoxon filter",
    "mrmr": "mRMR",
    "clinical_filter": "the clinical filter",
    "scaling": "scaling",
    "oversampling": "oversampling",
}

_SEARCH = {
    "fixed": "parameters of the full model kept",
    "reduced": "parameters searched again in each step, with fewer sets",
    "full": "parameters searched again in each step",
}

_WHERE = {
    "before_selection": "removed before the selection",
    "signature": "removed from the fixed signature",
}


class StepRow(Protocol):
    """A row of the ablation table: ``step, kind, removed``."""

    step: str
    kind: str
    removed: str


def group_title(kind: str) -> str:
    """Return the heading of a kind of steps."""
    return GROUPS[kind]


def step_label(row: StepRow, names: dict[str, str], *, detail: bool = True) -> str:
    """Return what a step removes, in words.

    Parameters
    ----------
    row : row of the ablation table
        ``step, kind, removed``.
    names : dict of str to str
        Printed names of the clinical columns.
    detail : bool
        Whether to name the last of several features removed in turn.
    """
    removed = row.removed.split("|") if row.removed else []
    if row.kind == "full":
        return GROUPS["full"]
    if row.kind == "top":
        amount = int(row.step.removeprefix("top-"))
        last = ""
        if removed and detail:
            also = "also without " if amount > 1 else ""
            last = f"\n({also}{printed_feature(removed[-1], names)})"
        return f"Without {_most_important(amount)}{last}"
    if row.kind in ("single", "named"):
        place = row.step.removeprefix("single-")
        what = printed_feature(removed[0], names) if removed else f"feature no. {place}"
        return f"Without {what}"
    return f"Without {_PARTS[removed[0]]}"


def figure_label(row: StepRow, names: dict[str, str]) -> str:
    """Return the label of a step in a figure below the heading of its kind, in one or two lines."""
    removed = row.removed.split("|")
    if row.kind == "top":
        return f"without {_most_important(len(removed))}"
    if row.kind in ("single", "named"):
        return f"without {_in_two_lines(printed_feature(removed[0], names))}"
    return f"without {_PARTS[removed[0]].removeprefix('all ')}"


def _most_important(amount: int) -> str:
    """Return what an ablation in turn removes, by its number of features."""
    return f"the {amount} most important features" if amount > 1 else "the most important feature"


def _in_two_lines(name: str) -> str:
    """Break a feature's long name between its class and the feature."""
    parts = parse_feature_name(name)
    if parts.image_type is None:
        return name
    return f"{parts.image_type} {parts.feature_class}\n{parts.feature}"


def parameters_text(info: dict) -> str:
    """Say how an ablation was done: what a caption has to state.

    Parameters
    ----------
    info : dict
        What the ablation's JSON holds; a `threshold_source` of None is not told.
    """
    parts = [
        _WHERE[info["where"]],
        _SEARCH[info["search"]],
        f"predictions averaged over {plural(info['seeds'], 'seed')}",
        "intervals from influence values"
        if info["resamples"] is None
        else f"{count(info['resamples'])} resamples of patients",
    ]
    fits = f"{plural(int(info['fits']), 'fit')} in all"
    source = info["threshold_source"]
    at = "" if source is None else f" Threshold: {source}."
    return f"How: {', '.join(parts)}; {fits}.{at}"
