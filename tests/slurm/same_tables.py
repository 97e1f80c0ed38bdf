"""Compare the tables of two runs of one study: ``python tests/slurm/same_tables.py FOLDER FOLDER``.

What a run took (columns of seconds) may differ, and nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd


def compare(one: Path, other: Path) -> int:
    """Return how many tables there are, all of them equal; raise where one differs."""
    names = sorted(path.name for path in other.glob("*.parquet"))
    if not names:
        raise SystemExit(f"{other} holds no table")
    for name in names:
        first, second = (pd.read_parquet(folder / name) for folder in (one, other))
        took = [column for column in first.columns if column.startswith("seconds")]
        pd.testing.assert_frame_equal(
            first.drop(columns=took), second.drop(columns=took), check_exact=True, obj=name
        )
    return len(names)


if __name__ == "__main__":
    print(f"the same {compare(*map(Path, sys.argv[1:]))} tables")
