"""Compute the stored plain values anew: ``python -m tests.extraction_matrix.regenerate``.

Needs the public data (VERTEBROMICS_TESTDATA). What it writes holds neither date nor machine.
"""

from __future__ import annotations

import os
import sys

import pandas as pd

from pipeline.core.files import write_json, write_table
from pipeline.extraction.params import library_versions
from tests.extraction_matrix import CASES
from tests.extraction_matrix.comparison import (
    ORIGIN,
    VALUES,
    PlainError,
    inputs,
    inputs_hash,
    plain_features,
)


def main() -> None:
    """Write values.parquet and origin.json."""
    if not os.environ.get("VERTEBROMICS_TESTDATA"):
        sys.exit("Set VERTEBROMICS_TESTDATA to the folder of the public data.")
    tables, cases = [], {}
    for number, case in enumerate(CASES.values(), start=1):
        pair = inputs(case)
        cases[case.name] = {"inputs": inputs_hash(pair), "features": 0, "error": None}
        try:
            features = plain_features(case, pair)
        except PlainError as error:
            cases[case.name]["error"] = str(error)
        else:
            cases[case.name]["features"] = len(features)
            table = pd.DataFrame({"feature": features.index, "value": features.to_numpy()})
            table.insert(0, "case", case.name)
            tables.append(table)
        print(f"{number}/{len(CASES)} {case.name}: {cases[case.name]}", flush=True)
    values = pd.concat(tables, ignore_index=True)
    values = values.astype({"case": "category", "feature": "category"})
    write_table(values, VALUES)
    script = "python -m tests.extraction_matrix.regenerate"
    write_json({"script": script, "versions": library_versions(), "cases": cases}, ORIGIN)


if __name__ == "__main__":
    main()
