"""One verdict per mask before anything slow runs: ok, warning or error, why, and what to mend.

A batch's verdicts join what ingest found in the CT and what the masks' stage found in the mask. The
gate of the whole study gathers them into a table and a page, and with ``on_bad_case: stop`` ends
the run where there are errors.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd

from pipeline.core import command
from pipeline.core.errors import CaseError, StudyError
from pipeline.core.files import read_table, whole_file, write_json, write_table
from pipeline.core.findings import Finding, from_json, status_of, to_json
from pipeline.core.sources import shown_name
from pipeline.core.study import open_study
from pipeline.preflight_page import preflight_page

#: Starts the message of a finding about the CT, since a row's other findings are about its mask.
OF_CT = "CT: "
#: Order in which people mend things.
VERDICTS = ("error", "warning", "ok")
#: The error that stops a study names at most this many masks; the page names all.
NAMED_ERRORS = 20

COLUMNS = (
    "case_id",
    "scan_id",
    "patient_id",
    "level",
    "reader",
    "verdict",
    "findings",
    "image_file",
    "mask_file",
)


def judge(ingested: pd.DataFrame, masks: pd.DataFrame, cases: pd.DataFrame) -> pd.DataFrame:
    """Join the findings about CTs and masks to one verdict per mask.

    Parameters
    ----------
    ingested : pandas.DataFrame
        `ingest.parquet`.
    masks : pandas.DataFrame
        `masks.parquet` of the same scans.
    cases : pandas.DataFrame
        Rows of the table of cases, which hold the files' names.

    Returns
    -------
    pandas.DataFrame
        `preflight.parquet` (docs/architecture.md), sorted by case and reader. A CT with an error
        is an error of all its masks.
    """
    scans = {row["scan_id"]: row for row in ingested.to_dict("records")}
    judged = {(row["case_id"], row["reader"]): row for row in masks.to_dict("records")}
    twins = _equal_masks(masks)
    rows = []
    for case in cases.sort_values(["case_id", "reader"]).to_dict("records"):
        key = case["case_id"], case["reader"]
        if case["scan_id"] not in scans or key not in judged:
            raise CaseError(
                "Every mask of the study must have passed through ingest and masks",
                found=f"case {key[0]}, reader {key[1]} in one table only",
                remedy="run the stages again for this batch",
            )
        ct = scans[case["scan_id"]]
        findings = [
            replace(finding, message=OF_CT + finding.message)
            for finding in from_json(ct["findings"])
        ]
        if ct["status"] != "error":  # otherwise the mask could not be looked at
            findings += from_json(judged[key]["findings"]) + twins.get(key, [])
        rows.append(
            {
                **{name: case[name] for name in COLUMNS[:5]},
                "verdict": status_of(findings),
                "findings": to_json(findings),
                "image_file": shown_name(case["image"]),
                "mask_file": shown_name(case["mask"]),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _equal_masks(masks: pd.DataFrame) -> dict[tuple[str, str], list[Finding]]:
    """Return a warning for each mask that equals another reader's of the same case."""
    warnings = {}
    for (case_id, _), group in masks.dropna(subset="mask_hash").groupby(["case_id", "mask_hash"]):
        for reader in group["reader"] if len(group) > 1 else ():
            others = ", ".join(sorted(set(group["reader"]) - {reader}))
            warnings[case_id, reader] = [
                Finding(
                    "masks-equal",
                    "warning",
                    f"The mask equals that of reader {others} voxel by voxel",
                    "check that each reader drew a mask and that the right file is named",
                )
            ]
    return warnings


def page_of(verdicts: pd.DataFrame, study: str, stops: bool) -> str:
    """Return the study's preflight page, what must be mended first.

    Parameters
    ----------
    verdicts : pandas.DataFrame
        As `judge` returns them, of all batches.
    study : str
        Name of the study.
    stops : bool
        Whether errors stop the study.
    """
    rows = []
    for row in verdicts.to_dict("records"):
        findings = sorted(
            from_json(row["findings"]), key=lambda finding: VERDICTS.index(finding.severity)
        )
        rows.append(
            {
                **row,
                "findings": [
                    {
                        **asdict(finding),
                        "file": row[
                            "image_file" if finding.message.startswith(OF_CT) else "mask_file"
                        ],
                    }
                    for finding in findings
                ],
            }
        )
    rows.sort(key=lambda row: (VERDICTS.index(row["verdict"]), row["case_id"], row["reader"]))
    counts = {verdict: int((verdicts["verdict"] == verdict).sum()) for verdict in VERDICTS}
    return preflight_page(study, rows, counts, stops)


def stop_on_errors(verdicts: pd.DataFrame) -> None:
    """Raise a `StudyError` that lists the masks with errors, if there are any."""
    wrong = verdicts[verdicts["verdict"] == "error"]
    if wrong.empty:
        return
    lines = []
    for row in wrong.head(NAMED_ERRORS).to_dict("records"):
        messages = [one.message for one in from_json(row["findings"]) if one.severity == "error"]
        lines.append(f"{row['case_id']} {row['reader']}: {' '.join(messages)}")
    more = [f"and {len(wrong) - NAMED_ERRORS} more"] if len(wrong) > NAMED_ERRORS else []
    raise StudyError(
        "With on_bad_case: stop, every mask must pass the preflight",
        found=f"{len(wrong)} of {len(verdicts)} masks with errors:\n  " + "\n  ".join(lines + more),
        remedy="mend the files that the page report/preflight.html names, or set "
        "on_bad_case: exclude",
    )


def main(options: argparse.Namespace) -> None:
    """Judge a batch; or gather the verdicts of the study; or say whether the study may go on."""
    if not (options.gate or options.check or (options.ingest and options.masks)):
        raise StudyError("Judging a batch needs --ingest and --masks; the study, --gate or --check")
    if options.gate and not options.page:
        raise StudyError("Gathering the verdicts of the study (--gate) needs --page")
    study = open_study(options.study)
    stops = study.config["on_bad_case"] == "stop"
    if options.gate:
        verdicts = pd.concat([read_table(part) for part in options.gate], ignore_index=True)
        verdicts = verdicts.sort_values(["case_id", "reader"], ignore_index=True)
        write_table(verdicts, options.out, csv=True)
        with whole_file(options.page) as beside:
            beside.write_text(page_of(verdicts, study.name, stops), encoding="utf-8")
        if stops and not options.go_on:
            stop_on_errors(verdicts)
    elif options.check:
        verdicts = read_table(options.check)
        if stops:
            stop_on_errors(verdicts)
        errors = int((verdicts["verdict"] == "error").sum())
        write_json({"masks": len(verdicts), "errors": errors}, options.out)
    else:
        cases = study.select_cases(options.batch, options.scan)
        write_table(
            judge(read_table(options.ingest), read_table(options.masks), cases), options.out
        )


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("pipeline.preflight", __doc__)
    command.batch_arguments(arguments)
    for stage in ("ingest", "masks"):
        arguments.add_argument(f"--{stage}", type=Path, help=f"the batch's table {stage}.parquet")
    arguments.add_argument(
        "--gate",
        nargs="+",
        type=Path,
        metavar="TABLE",
        help="preflight tables of all batches: write the study's table and page; with "
        "on_bad_case: stop, errors end with exit status 1",
    )
    arguments.add_argument("--page", type=Path, help="page to write (.html), with --gate")
    arguments.add_argument(
        "--go-on", action="store_true", help="with --gate: write table and page, stop for nothing"
    )
    arguments.add_argument(
        "--check",
        type=Path,
        metavar="TABLE",
        help="the study's preflight table: write --out (.json) if the study may go on",
    )
    arguments.add_argument("--out", required=True, type=Path, help="table (.parquet) to write")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
