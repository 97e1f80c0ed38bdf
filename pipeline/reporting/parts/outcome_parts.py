"""Parts of a page on scales, events and levels: what tables say, drawn and printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup

from pipeline.comparison.course.outcome_plan import EventPlan, ScalePlan
from pipeline.reporting.figures import outcomes as figures
from pipeline.reporting.parts import outcome_tables as printed


def scale_part(
    plan: ScalePlan,
    found: Mapping[str, pd.DataFrame],
    table: pd.DataFrame,
    group: np.ndarray,
    groups: Sequence[str],
    by: str,
) -> printed.Section:
    """Return the part of one scale.

    Parameters
    ----------
    plan : ScalePlan
        The scale.
    found : mapping
        Its tables, as `pipeline.comparison.course.outcomes.scale_tables` returns them.
    table : pandas.DataFrame
        One row per patient, for boxes and bars.
    group : numpy.ndarray of int, shape (n_patients,)
        Number of a patient's group, -1 for none.
    groups : sequence of str
        Labels of the groups; none where nothing is compared.
    by : str
        What makes the groups, in words, for the figures; empty where nothing is compared.
    """
    unit = f"{plan.label}, {plan.unit} ({plan.range[0]:g} to {plan.range[1]:g})"
    tables = [printed.over_time_table(found["over_time"], unit)]
    if "between" in found:
        tables.append(printed.between_table(found["between"], unit))
    members = [group == at for at in range(len(groups))] or [np.ones(len(table), dtype=bool)]
    names = list(groups) or [printed.ALL]
    first, *later = plan.columns
    panels = {
        time: [table.loc[of, name].to_numpy(dtype=float) for of in members]
        for time, name in plan.columns.items()
    }
    change = [last - start for start, last in zip(panels[first], panels[later[-1]], strict=True)]
    key = key_of(plan.label)
    svg = figures.scale_by_group(
        *(panels | {"change": change}, names, f"{plan.label}, {plan.unit}", plan.range, key, by)
    )
    caption = f"{unit}: median, quartiles and every patient; change: {first} to {later[-1]}"
    pictures = [printed.Drawing(Markup(svg), caption)]
    if plan.bands:
        shares = {time: _bands(samples, names, plan) for time, samples in panels.items()}
        svg = figures.stacked_bands(shares, plan.label, f"{key}-bands", by)
        pictures.append(printed.Drawing(Markup(svg), f"{plan.label}: share of patients by band"))
    texts = []
    if plan.mcid is not None:
        way = "fall" if plan.good == "low" else "rise"
        texts.append(
            f"{plan.label}: the least change that matters is a {way} of {plan.mcid:g} "
            f"{plan.unit} or more."
        )
    return printed.Section(plan.label, texts, tables, pictures)


def _bands(samples: list[np.ndarray], names: list[str], plan: ScalePlan) -> pd.DataFrame:
    ends = list(plan.bands.values())
    rows = []
    for sample in samples:
        known = sample[~np.isnan(sample)]
        place = np.searchsorted(ends, known, side="left")
        rows.append(np.bincount(place, minlength=len(ends)) / max(len(known), 1))
    return pd.DataFrame(rows, index=names, columns=list(plan.bands))


def event_part(plan: EventPlan, found: Mapping[str, pd.DataFrame]) -> printed.Section:
    """Return the part of one kind of event.

    Parameters
    ----------
    plan : EventPlan
        The event.
    found : mapping
        Its tables, as `pipeline.comparison.course.outcomes.event_tables` returns them.
    """
    tables = [printed.rates_table(found["rates"], plan.unit)]
    if "ratios" in found:
        tables.append(printed.ratios_table(found["ratios"]))
    pictures, texts = [], []
    if "curves" in found:
        curves = found["curves"]
        svg = figures.incidence_curves(curves, plan.label, plan.unit, key_of(plan.label))
        caption = f"{plan.label}: {curves['method'].iloc[0]}, with 95% limits"
        pictures.append(printed.Drawing(Markup(svg), caption))
    else:
        texts.append(
            "When the events happened is not known, so that the whole follow-up counts as "
            "person-time: rates are a little too low."
        )
    return printed.Section(plan.label, texts, tables, pictures)


def levels_part(levels: pd.DataFrame) -> printed.Section:
    """Return the part of the levels: a row a level, a column a kind of count."""
    svg = Markup(figures.bars_of_levels(levels, "levels"))
    drawing = printed.Drawing(svg, "Treated vertebrae, and new fractures, by level")
    text = (
        "Adjacent: directly above or below a treated level. Remote: at least one normal "
        "segment away from every treated level."
    )
    return printed.Section("Levels", [text], [printed.levels_table(levels)], [drawing])


def key_of(label: str) -> str:
    """Return a label as the name of a file or an anchor."""
    return "".join(letter if letter.isalnum() else "-" for letter in label.lower())
