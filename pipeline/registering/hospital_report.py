"""The report for the people who handed the files over: what became of each of them.

It names files, and so patients: it lies beside the linkage, readable by its owner only.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from pipeline.core.files import escaped
from pipeline.registering.handover import Handover
from pipeline.registering.linkage import write_private
from pipeline.registering.matching import Matched

HEADER = ["file", "what", "result", "scan", "case", "reader", "matched by", "check"]


def report_path(linkage_path: Path) -> Path:
    """Return where the report for the hospital lies: beside the linkage, since it holds names."""
    name = linkage_path.name.removesuffix(".json").removesuffix(".linkage")
    return linkage_path.with_name(f"{name}.handover.csv")


def write_report(matched: Matched, handover: Handover, written: list, path: Path) -> None:
    """Write what became of every file, for the people who handed it over: it holds their names."""
    lines = []
    for row, values in written:
        check = row.note or ("" if row.reader else "no reader told: taken as A")
        if row.version > int(values["version"]):
            check = f"named version {row.version} without its original: taken as the first"
        ids = [values["scan_id"], values["case_id"], values["reader"]]
        lines.append([str(row.mask), "mask", "registered", *ids, row.rule, check])
    scans = {row.series.uid: values["scan_id"] for row, values in written}
    lines += [[str(mask), "mask", "NOT MATCHED", "", "", "", "", why]
              for mask, why in matched.failed]  # fmt: skip
    for one in handover.series:
        result = "registered" if one.uid in scans else "no mask of it"
        what = f"CT series, {len(one.files)} files"
        lines.append(
            [str(one.files[0].parent), what, result, scans.get(one.uid, ""), "", "", "", ""]
        )
    lines += [[str(file), "DICOM file", "DAMAGED", "", "", "", "", "copy or export it again"]
              for file in handover.damaged]  # fmt: skip
    lines += [[str(file), what, "left out", "", "", "", "", ""] for file, what in handover.other]
    order = {"NOT MATCHED": 0, "DAMAGED": 0, "no mask of it": 1}
    lines.sort(key=lambda line: order.get(line[2], 2))
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(
        [escaped(cell) for cell in line] for line in [HEADER, *lines]
    )
    write_private(path, stream.getvalue())
