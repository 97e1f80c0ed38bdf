"""Outcomes of patients by group: scales before and after, events per person-time, fractured levels.

Groups were chosen by doctors and patients, not by chance: every comparison here is an association.
What is crude stands beside what is adjusted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.comparison.course import incidence, paired, survival
from pipeline.comparison.course.outcome_plan import EventPlan, ScalePlan
from pipeline.comparison.groups import effects
from pipeline.comparison.groups.choice_of_test import ALPHA, choose_for_counts
from pipeline.comparison.groups.group_tests import GroupTest, count_test, number_test
from pipeline.core.errors import StudyError


def scale_over_time(
    table: pd.DataFrame, plan: ScalePlan, group: np.ndarray, groups: Sequence[str]
) -> pd.DataFrame:
    """Describe a scale at every time, in all patients and in each group (`paired.over_time`).

    Parameters
    ----------
    table : pandas.DataFrame
        One row per patient; the plan's columns are float64.
    plan : ScalePlan
        The scale.
    group : numpy.ndarray of int, shape (n_patients,)
        Number of a patient's group, -1 for none.
    groups : sequence of str
        Labels of the groups.

    Returns
    -------
    pandas.DataFrame
        `paired.over_time` with ``scale, group`` (null: all patients) in front, and for three times
        or more a row whose time is null: Friedman's test of the patients measured every time.
    """
    parts: list[tuple[str | None, np.ndarray]] = [(None, np.ones(len(table), dtype=bool))]
    parts += [(label, group == at) for at, label in enumerate(groups)]
    columns, tables = list(plan.columns.values()), []
    for label, members in parts:
        found = paired.over_time(table[members], columns, plan.scale())
        found["time"] = list(plan.columns)
        if len(columns) > 2:
            test = paired.friedman(table.loc[members, columns].to_numpy(dtype=float))
            every = {"test": test.test, "statistic": test.statistic, "df": test.df}
            every |= {"p_value": test.p, "reason": test.note, "time": None}
            found = pd.concat([found.astype(object), pd.DataFrame([every])], ignore_index=True)
        found.insert(0, "group", label)
        found.insert(0, "scale", plan.label)
        tables.append(found.astype(object))
    return pd.concat(tables, ignore_index=True)


BETWEEN = (
    *("scale", "time", "group", "against", "n", "what", "value", "low", "high", "test"),
    *("statistic", "df", "p_value", "note"),
)


def scale_between(
    table: pd.DataFrame,
    plan: ScalePlan,
    group: np.ndarray,
    groups: Sequence[str],
    covariates: np.ndarray | None = None,
) -> pd.DataFrame:
    """Compare groups at each later time: given the baseline first, changes and shares beside it.

    Returns
    -------
    pandas.DataFrame
        Columns `BETWEEN`; each group against the first. ``what``: the difference adjusted for the
        baseline (and for the covariates), the crude difference of changes, and of the shares that
        reached the least change that matters.
    """
    first, *later = plan.columns
    before = table[plan.columns[first]].to_numpy(dtype=float)
    rows: list[tuple] = []
    for time in later:
        after = table[plan.columns[time]].to_numpy(dtype=float)
        adjusted: list[tuple[str, np.ndarray | None]] = [("adjusted for the value before", None)]
        if covariates is not None and covariates.shape[1]:
            adjusted.append(("adjusted for the value before and other variables", covariates))
        for what, others in adjusted:
            for row in paired.ancova(before, after, group, others).itertuples():
                uneven = row.interaction_p < ALPHA
                note = f"slopes differ, P {row.interaction_p:.3f}" if uneven else ""
                head = (plan.label, time, groups[int(row.group)], groups[0], row.n)
                test = ("ancova", row.t, row.df, row.p, note)
                rows.append((*head, f"difference {what}", row.difference, row.low, row.high, *test))
        for at, label in enumerate(groups[1:], 1):
            pairs = [
                paired.complete_pairs(before[group == each], after[group == each])
                for each in (0, at)
            ]
            changes = [second - start for start, second in pairs]
            head = (plan.label, time, label, groups[0], sum(map(len, changes)))
            shift = effects.difference_of_means(*changes, pooled=False)
            # The group before the reference, so that t has the sign of the difference.
            found = number_test(changes[::-1], "welch-t")
            test = (found.test, found.statistic, found.df, found.p, "")
            rows.append((*head, "difference of changes, crude", *shift[1:], *test))
            if plan.mcid is not None:
                reached = [paired.reached(*each, plan.scale()) for each in pairs]
                what = f"difference of shares with an improvement of {plan.mcid:g} or more"
                rows.append((*head, what, *_shares(reached)))
    return pd.DataFrame(rows, columns=list(BETWEEN))


def _shares(parts: Sequence[tuple[int, int]]) -> tuple:
    """Return difference, limits and test of the shares of two groups, the first the reference."""
    events, totals = zip(*parts, strict=True)
    counts = np.array([[n - a for a, n in parts], list(events)])
    choice = choose_for_counts(counts)
    test = count_test(counts, choice.test)
    told = "; ".join(f"{a} of {n}" for a, n in parts)
    shift = effects.difference_of_shares(tuple(events), tuple(totals))
    return (*shift[1:], test.test, test.statistic, test.df, test.p, told)


RATES = (
    *("event", "group", "patients", "events", "person_time", "unit", "rate", "low", "high"),
    *("method", "followed_median"),
)
RATIOS = ("event", "group", "against", "what", "value", "low", "high", "p_value", "method")


def event_rates(
    table: pd.DataFrame, plan: EventPlan, group: np.ndarray, groups: Sequence[str]
) -> pd.DataFrame:
    """Return events per person-time in all patients and in each group (columns `RATES`)."""
    events, times = person_times(table, plan)
    followed = table[plan.followed].to_numpy(dtype=float)
    parts: list[tuple[str | None, np.ndarray]] = [(None, np.ones(len(table), dtype=bool))]
    parts += [(label, group == at) for at, label in enumerate(groups)]
    rows = []
    for label, members in parts:
        if not members.any():
            continue
        found = incidence.rate(float(events[members].sum()), float(times[members].sum()))
        head = (plan.label, label, int(members.sum()))
        middle = float(np.median(followed[members]))
        ends = "first event ends person-time" if plan.time else "whole follow-up counted"
        rows.append((*head, *found[:2], plan.unit, *found[2:], f"Garwood; {ends}", middle))
        if plan.count:
            counts = table[plan.count].to_numpy(dtype=float)[members]
            again = incidence.repeated_rate(counts, followed[members])
            method = "all events, variance robust to patients"
            rows.append((*head, *again[:2], plan.unit, *again[2:], method, middle))
    return pd.DataFrame(rows, columns=list(RATES))


def event_ratios(
    table: pd.DataFrame,
    plan: EventPlan,
    group: np.ndarray,
    groups: Sequence[str],
    covariates: np.ndarray | None = None,
) -> pd.DataFrame:
    """Compare the rates of each group with the first, and as the papers do the shares.

    Returns
    -------
    pandas.DataFrame
        Columns `RATIOS`. The difference of shares takes no account of how long patients were
        watched, and its method says so.
    """
    events, times = person_times(table, plan)
    followed = table[plan.followed].to_numpy(dtype=float)
    rows: list[tuple] = []
    for at, label in enumerate(groups[1:], 1):
        members = [group == at, group == 0]
        head = (plan.label, label, groups[0])
        one, other = (int(events[of].sum()) for of in members)
        watched, others_watched = (float(times[of].sum()) for of in members)
        exact = incidence.rate_ratio((one, other), (watched, others_watched))
        rows.append((*head, "ratio of rates, crude", *exact))
        if covariates is not None and covariates.shape[1]:
            either = members[0] | members[1]
            found = incidence.adjusted_rate_ratio(
                events[either], times[either], members[0][either], covariates[either]
            )
            rows.append((*head, "ratio of rates, adjusted", *found))
        if plan.count:
            counts = table[plan.count].to_numpy(dtype=float)
            again = incidence.repeated_rate_ratio(
                tuple(counts[of] for of in members), tuple(followed[of] for of in members)
            )
            rows.append((*head, "ratio of rates of all events", *again))
        if plan.time:
            either = members[0] | members[1]
            test = survival.log_rank(times[either], events[either] > 0, group[either])
            rows.append((*head, "log-rank", np.nan, np.nan, np.nan, test.p, _chi(test)))
        shares = _shares([(int(events[of].sum()), int(of.sum())) for of in members[::-1]])
        method = f"{shares[3]}; takes no account of the time of follow-up"
        rows.append((*head, "difference of shares", *shares[:3], shares[6], method))
    return pd.DataFrame(rows, columns=list(RATIOS))


def _chi(test: GroupTest) -> str:
    return f"log-rank, chi-square {test.statistic:.3f}, df {test.df:.0f}"


def person_times(table: pd.DataFrame, plan: EventPlan) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each patient had the event (0 or 1), and the person-time.

    Raises
    ------
    StudyError
        If an event is not 0 or 1, or has a time without an event or the reverse.
    """
    events = table[plan.event].to_numpy(dtype=float)
    if not np.isin(events, (0, 1)).all():
        raise StudyError(
            "An event must be 0 or 1 for every patient",
            found=f"{int((~np.isin(events, (0, 1))).sum())} others",
            where=f"column {plan.event}",
            remedy="write 1 for patients who had it, and 0 for all others",
            code="event-not-zero-or-one",
        )
    followed = table[plan.followed].to_numpy(dtype=float)
    first = np.full(len(table), np.nan)
    if plan.time:
        first = table[plan.time].to_numpy(dtype=float)
        if (np.isnan(first) == (events == 1)).any():
            raise StudyError(
                "The time of an event must stand with every event, and with no other patient",
                found=f"{int((np.isnan(first) == (events == 1)).sum())} patients",
                where=f"columns {plan.event}, {plan.time}",
                remedy="fill in the times, or leave out `time` to count the whole follow-up",
                code="event-time-without-event",
            )
    return events, incidence.person_time(followed, first)


def event_curves(
    table: pd.DataFrame, plan: EventPlan, group: np.ndarray, groups: Sequence[str]
) -> pd.DataFrame:
    """Return the share of patients with the event over time; empty where its time is not known.

    Returns
    -------
    pandas.DataFrame
        ``event, group`` (null: all)``, time, incidence, low, high, method``: one minus Kaplan and
        Meier's estimate, or Aalen and Johansen's where deaths are known.
    """
    names = ["event", "group", "time", "incidence", "low", "high", "method"]
    if not plan.time:
        return pd.DataFrame(columns=names)
    events, times = person_times(table, plan)
    parts: list[tuple[str | None, np.ndarray]] = [(None, np.ones(len(table), dtype=bool))]
    parts += [(label, group == at) for at, label in enumerate(groups)]
    curves = []
    for label, members in parts:
        if plan.died:
            died = (table[plan.died].to_numpy(dtype=float) == 1) & (events == 0)
            ends = np.where(died, survival.DEATH, events).astype(int)
            found = survival.cumulative_incidence(times[members], ends[members])
            half = 1.959964 * found["event_se"].astype(float)
            share = found["event"].astype(float)
            curve = pd.DataFrame({"time": found["time"], "incidence": share})
            curve["low"], curve["high"] = (share - half).clip(lower=0), (share + half).clip(upper=1)
            curve["method"] = "Aalen-Johansen, death competing"
        else:
            found = survival.kaplan_meier(times[members], events[members] > 0)
            curve = pd.DataFrame({"time": found["time"], "incidence": 1 - found["survival"]})
            curve["low"], curve["high"] = 1 - found["high"], 1 - found["low"]
            curve["method"] = "Kaplan-Meier"
        curves.append(curve.assign(event=plan.label, group=label).astype(object))
    return pd.concat(curves, ignore_index=True)[names]


def scale_tables(
    table: pd.DataFrame,
    plan: ScalePlan,
    group: np.ndarray,
    groups: Sequence[str],
    adjust_for: Sequence[str] = (),
) -> dict[str, pd.DataFrame]:
    """Return all tables of a scale: ``over_time``, and ``between`` where there are groups."""
    found = {"over_time": scale_over_time(table, plan, group, groups)}
    if groups:
        others = _covariates(table, adjust_for)
        found["between"] = scale_between(table, plan, group, groups, others)
    return found


def event_tables(
    table: pd.DataFrame,
    plan: EventPlan,
    group: np.ndarray,
    groups: Sequence[str],
    adjust_for: Sequence[str] = (),
) -> dict[str, pd.DataFrame]:
    """Return all tables of an event: ``rates``, where there are groups ``ratios``, and ``curves``.

    Curves are there where the time of the event is known.
    """
    found = {"rates": event_rates(table, plan, group, groups)}
    if groups:
        others = _covariates(table, adjust_for)
        found["ratios"] = event_ratios(table, plan, group, groups, others)
    curves = event_curves(table, plan, group, groups)
    return found | ({"curves": curves} if len(curves) else {})


def _covariates(table: pd.DataFrame, names: Sequence[str]) -> np.ndarray | None:
    return table[list(names)].to_numpy(dtype=float) if names else None
