"""Time to an event: Kaplan and Meier, log-rank, and Aalen and Johansen where patients die first.

Estimates are statsmodels'; the limits of a survival curve are on the log-log scale, so that they
stay between 0 and 1.

References
----------
.. [1] Kaplan EL, Meier P. J Am Stat Assoc 1958;53:457-481.
.. [2] Aalen OO, Johansen S. An empirical transition matrix for non-homogeneous Markov chains based
   on censored observations. Scand J Stat 1978;5:141-150.
.. [3] Kalbfleisch JD, Prentice RL. The Statistical Analysis of Failure Time Data. 2nd ed. Wiley
   2002: section 1.4 (log-log limits).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.comparison.groups.group_tests import GroupTest
from pipeline.core.errors import VertebromicsError

CENSORED, EVENT, DEATH = 0, 1, 2
"""What ended a patient's time."""


def kaplan_meier(times: np.ndarray, events: np.ndarray, confidence: float = 0.95) -> pd.DataFrame:
    """Return the share of patients without an event over time [1]_.

    Parameters
    ----------
    times : numpy.ndarray of shape (n_patients,)
        Time to the event or to the end of follow-up.
    events : numpy.ndarray of bool, shape (n_patients,)
        Whether the event ended it.
    confidence : float, default=0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        A row at each time of an event: ``time, at_risk, events, survival, low, high``. Death is
        censoring here: where patients die before they can have the event, see
        `cumulative_incidence`.
    """
    times, events = _checked(times, events)
    if not events.any():
        return pd.DataFrame(columns=["time", "at_risk", "events", "survival", "low", "high"])
    from statsmodels.duration.survfunc import SurvfuncRight

    found = SurvfuncRight(times, events.astype(int))
    survival, errors = found.surv_prob, found.surv_prob_se
    z = stats.norm.ppf((1 + confidence) / 2)
    with np.errstate(all="ignore"):
        spread = z * errors / (survival * np.abs(np.log(survival)))
        low, high = (survival ** np.exp(sign * spread) for sign in (1, -1))
    table = pd.DataFrame(
        {
            "time": found.surv_times,
            "at_risk": found.n_risk.astype(int),
            "events": found.n_events.astype(int),
            "survival": survival,
            "low": np.where(survival > 0, low, np.nan),
            "high": np.where(survival > 0, high, np.nan),
        }
    )
    return table[table["events"] > 0].reset_index(drop=True)


def log_rank(times: np.ndarray, events: np.ndarray, group: np.ndarray) -> GroupTest:
    """Compare the times to an event of two or more groups."""
    times, events = _checked(times, events)
    group = np.asarray(group)
    name, numbers = "Log-rank", np.unique(group)
    if len(numbers) < 2 or not events.any():
        return GroupTest("log-rank", name)
    from statsmodels.duration.survfunc import survdiff

    codes = np.searchsorted(numbers, group)
    statistic, p = survdiff(times, events.astype(int), codes)
    return GroupTest("log-rank", name, float(statistic), len(numbers) - 1.0, p=float(p))


def cumulative_incidence(times: np.ndarray, ends: np.ndarray) -> pd.DataFrame:
    """Return the share of patients with the event over time, deaths competing [2]_.

    Parameters
    ----------
    times : numpy.ndarray of shape (n_patients,)
        Time to the first of event, death and end of follow-up.
    ends : numpy.ndarray of int, shape (n_patients,)
        `CENSORED`, `EVENT` or `DEATH`.

    Returns
    -------
    pandas.DataFrame
        ``time, event, event_se, death``: one minus Kaplan and Meier's curve would count patients
        who died as if they could still have the event.
    """
    ends = np.asarray(ends, dtype=int)
    times, _ = _checked(times, ends > 0)
    if not np.isin(ends, (CENSORED, EVENT, DEATH)).all():
        raise VertebromicsError(
            "What ended a patient's time must be 0 (end of follow-up), 1 (event) or 2 (death)",
            found=sorted(set(ends.tolist()) - {0, 1, 2}),
            code="end-of-time-unknown",
        )
    if not (ends > 0).any():
        return pd.DataFrame(columns=["time", "event", "event_se", "death"])
    from statsmodels.duration.survfunc import CumIncidenceRight

    # The library numbers causes without gaps: a cause that nobody had is left out of its call.
    causes = [cause for cause in (EVENT, DEATH) if (ends == cause).any()]
    status = np.select([ends == cause for cause in causes], range(1, len(causes) + 1), 0)
    with np.errstate(all="ignore"):  # no error is known once nobody is left
        found = CumIncidenceRight(times, status)
    curves = {cause: found.cinc[at] for at, cause in enumerate(causes)}
    errors = {
        cause: np.where(np.isfinite(found.cinc_se[at]), found.cinc_se[at], np.nan)
        for at, cause in enumerate(causes)
    }
    nothing = np.zeros(len(found.times))
    return pd.DataFrame(
        {
            "time": found.times,
            "event": curves.get(EVENT, nothing),
            "event_se": errors.get(EVENT, nothing),
            "death": curves.get(DEATH, nothing),
        }
    )


def _checked(times: np.ndarray, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    times, events = np.asarray(times, dtype=float), np.asarray(events, dtype=bool)
    if not (times > 0).all():
        raise VertebromicsError(
            "Times must be known and above zero",
            found=f"{int((~(times > 0)).sum())} others",
            remedy="write the time from the operation to the last follow-up for every patient",
            code="times-not-positive",
        )
    return times, events
