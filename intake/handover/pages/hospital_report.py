"""The report for the people who handed the files over: what became of each of them.

It names files, and so patients: it lies beside the linkage, readable by its owner only.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from intake.handover.pairing.matching import Matched
from intake.handover.people.linkage import write_private
from intake.handover.reading.sources import Handover
from pipeline.core.files import escaped

HEADER = ["file", "what", "result", "scan", "case", "reader", "matched by", "check"]

#: What the report begins with; all that went well comes last.
ORDER = {"NOT READABLE": 0, "NOT MATCHED": 0, "DAMAGED": 0, "CONTRADICTS": 0, "no mask of it": 1}


def report_path(linkage_path: Path) -> Path:
    """Return where the report for the hospital lies: beside the linkage, since it holds names."""
    name = linkage_path.name.removesuffix(".json").removesuffix(".linkage")
    return linkage_path.with_name(f"{name}.handover.csv")


def write_report(matched: Matched, handover: Handover, written: list, path: Path) -> None:
    """Write what became of every file, for the people who handed it over: it holds their names."""
    lines = []
    some = any(row.reader for row, _ in written)  # where nobody is told, all are one reader's
    for row, values in written:
        check = [row.note] if row.note else []
        if some and not row.reader:
            check.append("no reader told: taken as A")
        if row.version > int(values["version"]):
            check.append(f"named version {row.version} without its original: taken as the first")
        ids = [values["scan_id"], values["case_id"], values["reader"]]
        lines.append([str(row.mask), "mask", "taken", *ids, row.rule, "; ".join(check)])
    scans = {id(row.series): values["scan_id"] for row, values in written}
    lines += [[str(mask), "mask", "NOT MATCHED", "", "", "", "", why]
              for mask, why in matched.failed]  # fmt: skip
    for one in handover.series:
        result = "taken" if id(one) in scans else "no mask of it"
        result = "CONTRADICTS" if one.problem else result
        what = f"CT series, {len(one.files)} files"
        check = one.problem or "; ".join(one.notes)
        scan_id = scans.get(id(one), "")
        lines.append([str(one.files[0].parent), what, result, scan_id, "", "", "", check])
    lines += [[str(file), "DICOM file", "DAMAGED", "", "", "", "", "copy or export it again"]
              for file in handover.damaged]  # fmt: skip
    closed = ["file or folder", "NOT READABLE", "", "", "", "", "give the right to read"]
    lines += [[str(path), *closed] for path in handover.unreadable]
    lines += [
        [str(file), what, "left out", "", "", "", "", ""]
        for file, what in (*handover.other, *matched.copies)
    ]
    order = {
        "NOT MATCHED": 0,
        "DAMAGED": 0,
        "CONTRADICTS": 0,
        "NOT READABLE": 0,
        "no mask of it": 1,
    }
    lines.sort(key=lambda line: order.get(line[2], 2))
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(
        [escaped(cell) for cell in line] for line in [HEADER, *lines]
    )
    write_private(path, stream.getvalue())
