"""Put several hospitals' released results together: random effects, nothing of a patient needed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from scipy.special import expit, logit, ndtri

from deployment.sharing.contract import differences
from deployment.sharing.release import SCHEMA, digest_of
from deployment.sharing.risks import CONFIDENCE
from pipeline.comparison.sites.random_effects import pool
from pipeline.core.errors import StudyError
from pipeline.core.files import json_hash
from pipeline.tables.files.limits import read_bytes

MOST_BYTES = 5_000_000
"""Bytes of a release that is read."""

SCALES: dict[str, tuple[str, Callable[[float], float], Callable[[float], float]]] = {
    "auroc": ("AUROC (pooled as logit)", lambda x: float(logit(x)), lambda x: float(expit(x))),
    "oe_ratio": ("observed / expected (pooled as log)", math.log, math.exp),
    "calibration_slope": ("calibration slope", float, float),
}
"""Figures that are pooled: words, the way to the scale on which they are, and back."""

NEEDED = ("site", "contract", "contract_hash", "performance", "outcome", "model", "judged_on")


def read_release(path: Path) -> dict:
    """Read what a hospital shared.

    Parameters
    ----------
    path : pathlib.Path
        ``release.json``; JSON alone, nothing in it is executed.

    Raises
    ------
    StudyError
        If it is no release, or its contract is not what its hash says.
    """

    def refused(found: str) -> StudyError:
        return StudyError(
            "What is put together must be a release of vertebromics share",
            found=found,
            where=path.name,
            remedy="name the file release.json that a hospital sent",
            code="release-unreadable",
        )

    content = read_bytes(path, "release")
    if len(content) > MOST_BYTES:
        raise refused(f"{len(content) / 1e6:.0f} MB")
    try:
        facts = json.loads(content)
    except (ValueError, RecursionError):
        raise refused("no JSON") from None
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        raise refused(f"no schema {SCHEMA!r}")
    lacking = [name for name in NEEDED if name not in facts]
    if lacking:
        raise refused(f"none of {', '.join(lacking)}")
    if not isinstance(facts["contract"], dict) or not isinstance(facts["site"], str):
        raise refused("a contract or a site of another form")
    if json_hash(facts["contract"]) != facts["contract_hash"]:
        raise refused("a contract that was changed")
    if facts["performance"] is not None and _figures(facts) is None:
        raise refused("figures that are no numbers")
    return facts


def _figures(facts: Mapping) -> dict[str, dict] | None:
    """Return a release's figures by metric; None where they have another form."""
    performance = facts["performance"]
    try:
        rows = {str(row["metric"]): dict(row) for row in performance["figures"]}
        sizes = [performance["units"], performance["events"]]
    except (KeyError, TypeError, ValueError):
        return None
    numbers = [row.get(end) for row in rows.values() for end in ("value", "low", "high")]
    if not all(isinstance(each, int) for each in sizes):
        return None
    if not all(each is None or isinstance(each, int | float) for each in numbers):
        return None
    return rows


def combine(releases: Sequence[Mapping], names: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return each hospital's figures, and those of all.

    Parameters
    ----------
    releases : sequence of mapping
        From `read_release`, two or more.
    names : sequence of str
        Names of their files, for errors.

    Returns
    -------
    sites : pandas.DataFrame
        ``site, units, events, metric, value, low, high``.
    pooled : pandas.DataFrame
        ``metric, label, sites, left_out`` (sites without the figure or its interval)``, value, low,
        high, predicted_low, predicted_high, tau2, i2``; the prediction interval is missing for
        fewer than three sites.

    Raises
    ------
    StudyError
        If there are fewer than two, one of them twice, or their contracts differ.
    """
    _check_alike(releases, names)
    rows = []
    for facts in releases:
        performance = facts["performance"]
        if performance is None:
            continue
        for metric, row in (_figures(facts) or {}).items():
            rows.append(
                {
                    "site": facts["site"],
                    "units": performance["units"],
                    "events": performance["events"],
                    "metric": metric,
                    **{end: row.get(end) for end in ("value", "low", "high")},
                }
            )
    columns = ["site", "units", "events", "metric", "value", "low", "high"]
    sites = pd.DataFrame(rows, columns=columns)
    ends = ["value", "low", "high"]
    sites[ends] = sites[ends].astype(float)
    return sites, pd.DataFrame([_pooled(sites, metric, len(releases)) for metric in SCALES])


def _pooled(sites: pd.DataFrame, metric: str, releases: int) -> dict:
    label, there, back = SCALES[metric]
    own = sites[(sites["metric"] == metric)].dropna(subset=["value", "low", "high"])
    inside = own["low"].lt(own["high"])
    if metric != "calibration_slope":
        inside &= own["low"] > 0
    if metric == "auroc":
        inside &= own["high"] < 1
    own = own[inside]
    row = {"metric": metric, "label": label, "sites": len(own), "left_out": releases - len(own)}
    if len(own) < 2:
        return row
    reach = 2 * float(ndtri(0.5 + CONFIDENCE / 2))
    values = own["value"].map(there)
    errors = (own["high"].map(there) - own["low"].map(there)) / reach
    found = pool(values, errors**2, never_narrower=True, confidence=CONFIDENCE)
    ends = {"value": found.estimate, "low": found.low, "high": found.high}
    ends |= {"predicted_low": found.predicted_low, "predicted_high": found.predicted_high}
    row |= {name: back(each) if math.isfinite(each) else math.nan for name, each in ends.items()}
    return row | {"tau2": found.tau2, "i2": found.i2}


def _check_alike(releases: Sequence[Mapping], names: Sequence[str]) -> None:
    if len(releases) < 2:
        raise StudyError(
            "Results of at least two hospitals are put together",
            found=len(releases),
            remedy="name the release.json of each",
            code="releases-too-few",
        )
    first = releases[0]
    digests = [digest_of({**facts, "site": "", "release": 0}) for facts in releases]
    for at, facts in enumerate(releases[1:], start=1):
        apart = differences(first["contract"], facts["contract"])
        if apart:
            raise StudyError(
                "Results that are put together must be of the same outcome, predictors, parameters "
                "and options",
                found=f"another {', '.join(apart[:5])}",
                where=f"{names[0]} and {names[at]}",
                remedy="agree on one configuration and dictionary, run the studies again, and "
                "share anew",
                code="contracts-differ",
            )
        if digests[at] in digests[:at] or facts["site"] in [one["site"] for one in releases[:at]]:
            raise StudyError(
                "Each hospital counts once",
                found=f"{facts['site']!r} twice, or the same results under two names",
                where=names[at],
                remedy="name the latest release of each hospital, and another --site for each",
                code="release-twice",
            )
