"""Patients and cases counted from step to step, with the reason of everyone who leaves."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


class Flow:
    """Counts patients and cases from step to step.

    Parameters
    ----------
    label : str
        What the first step is called.
    members : pandas.DataFrame
        One row per case, or per patient without a case: ``patient_id, case_id``, None where
        unknown. Its index is what `leave` refers to.

    Attributes
    ----------
    members : pandas.DataFrame
        The rows that are still in.
    steps : list of dict
        ``{label, patients, cases, excluded: [{reason, patients, cases, ids}]}``. What a step
        excludes leaves before the next step, so that its counts minus those of its reasons are
        the counts of the next. A patient leaves with the last case, and counts under the first
        reason that applies to one of them. `ids` names the cases, or patients without a case.

    Examples
    --------
    >>> members = pd.DataFrame({"patient_id": ["p1", "p2"], "case_id": ["c1", "c2"]})
    >>> flow = Flow("Screened", members)
    >>> flow.leave(pd.Series(["too young", None]), ["too young"], "Eligible")
    >>> [(step["label"], step["patients"]) for step in flow.steps]
    [('Screened', 2), ('Eligible', 1)]
    """

    def __init__(self, label: str, members: pd.DataFrame) -> None:
        self.members = members
        self.steps: list[dict] = []
        self._add_step(label)

    def leave(self, reasons: pd.Series, order: Sequence[str], label: str) -> None:
        """Take out the members that have a reason, and begin the next step.

        Parameters
        ----------
        reasons : pandas.Series
            Reason per member, on the index of `members`; None for those who stay.
        order : sequence of str
            All reasons, the first to be applied first. A reason without anyone is not listed.
        label : str
            What the next step is called.
        """
        unlisted = set(reasons.dropna()) - set(order)
        if unlisted:
            raise ValueError(f"reasons without a place in the order: {sorted(unlisted)}")
        rank = reasons.map({reason: at for at, reason in enumerate(order)})
        staying = self.members[reasons.isna()]
        leaving = self.members[reasons.notna()]
        gone = leaving[~leaving["patient_id"].isin(staying["patient_id"])]
        first = rank[gone.index].groupby(gone["patient_id"]).min()
        for at, reason in enumerate(order):
            rows = leaving[rank[leaving.index] == at]
            if rows.empty:
                continue
            self.steps[-1]["excluded"].append(
                {
                    "reason": reason,
                    "patients": int((first == at).sum()),
                    "cases": int(rows["case_id"].nunique()),
                    "ids": sorted(rows["case_id"].fillna(rows["patient_id"])),
                }
            )
        self.members = staying
        self._add_step(label)

    def reasons_text(self) -> str:
        """Return all exclusions in one line, for an error when nobody is left."""
        entries = [entry for step in self.steps for entry in step["excluded"]]
        return "; ".join(
            f"{entry['reason']}: {entry['cases'] or len(entry['ids'])}" for entry in entries
        )

    def _add_step(self, label: str) -> None:
        self.steps.append(
            {
                "label": label,
                "patients": int(self.members["patient_id"].nunique()),
                "cases": int(self.members["case_id"].nunique()),
                "excluded": [],
            }
        )
