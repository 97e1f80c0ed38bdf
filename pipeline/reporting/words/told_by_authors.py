"""What the authors say of their patients and outcome, beside the tables of the run."""

from __future__ import annotations

from pipeline.reporting.blocks import Block, Points
from pipeline.reporting.results import Results
from pipeline.reporting.wording import first_upper, number, plural

#: Option of the section `reporting` -> its heading on the page.
_ASKED = {
    "ct_interval": "Time from CT to operation",
    "outcome_window": "Outcome window",
    "outcome_assessment": "Assessment of the outcome",
    "analgesics": "Analgesics",
    "blinding_outcome": "Blinding of outcome assessors",
    "blinding_readers": "Blinding of readers",
    "readers": "Who the readers are",
}


def told_by_authors(results: Results) -> list[Block]:
    """Return what `reporting:` says of outcome and blinding, and how long before surgery CTs are.

    What the configuration leaves out is named, since a reviewer will ask for it.
    """
    options = results["reporting"]
    said = {name: options.get(name) for name in _ASKED}
    points = []
    days = days_to_operation(results)
    if days:
        points.append((_ASKED["ct_interval"], days))
    for name, heading in _ASKED.items():
        if said[name] and not (name == "ct_interval" and days):
            points.append((heading, _sentence(str(said[name]))))
    missing = [
        heading.lower() for name, heading in _ASKED.items()
        if not said[name] and not (name == "ct_interval" and days)
    ]  # fmt: skip
    if not points:
        return []
    if missing:
        asked = ", ".join(missing)
        text = f"{first_upper(asked)} (options of “reporting” in the configuration)."
        points.append(("Not yet stated by the authors", text))
    return [Points(points)]


def days_to_operation(results: Results) -> str:
    """Say how many days before or after the operation the CTs were, blank where no table tells."""
    cases = results.study.cases
    if cases is None or "days_from_surgery" not in cases:
        return ""
    days = cases.drop_duplicates("scan_id")["days_from_surgery"].dropna()
    scans = cases["scan_id"].nunique()
    if days.empty:
        return ""
    before = -days
    low, first, middle, third, high = (
        number(value, 0) for value in before.quantile([0, 0.25, 0.5, 0.75, 1])
    )
    after = int((days > 0).sum())
    sign = "; negative: after it" if after else ""
    text = (
        f"Median {middle} days before the operation in {plural(len(days), 'scan')} (quartiles "
        f"{first} to {third}, range {low} to {high}{sign})"
    )
    text += f"; {after} of {scans} scans were after it" if after else ""
    unknown = scans - len(days)
    return f"{text}; not known for {unknown} of {scans} scans." if unknown else f"{text}."


def _sentence(words: str) -> str:
    return first_upper(words if words.endswith((".", "?", "!")) else f"{words}.")
