"""An entry of an earlier stage made anew, by that stage's own command.

A stage that meets a damaged or missing CT, mask or crop does not know how it is made. The batch
tables say which scan it belongs to, and the stage that made it, run for that scan, finds what is
whole in the store and makes the rest anew. Its tables go nowhere: they hold what the study's hold.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from pipeline.core.errors import MachineError
from pipeline.core.files import read_table
from pipeline.core.installed.job_environment import environment

#: This checkout: the stage's code must be the one that runs here.
_ROOT = Path(__file__).resolve().parents[3]


class Maker(NamedTuple):
    """The stage that makes a kind of entry.

    Attributes
    ----------
    command : str
        Its module.
    table, column : str
        Batch table that names the entries, and where.
    inputs : tuple of str
        Batch tables that the command takes, as options of these names.
    """

    command: str
    table: str
    column: str
    inputs: tuple[str, ...]


MAKERS = {
    "ct": Maker("pipeline.ingest", "ingest", "image", ()),
    "mask": Maker("segmentation.masks", "masks", "mask", ("ingest",)),
    "crop": Maker("pipeline.resample", "resample", "crop", ("ingest", "masks", "preflight")),
}


def remake(study: Path, batches: Path, kind: str, key: str) -> None:
    """Make an entry of the store anew, if a batch table names it.

    Parameters
    ----------
    study : pathlib.Path
        Folder of the frozen study.
    batches : pathlib.Path
        Folder of its batches' tables.
    kind, key : str
        The entry.

    Raises
    ------
    MachineError
        If the stage that makes it ends with an error, which stands above in the log.
    """
    maker = MAKERS.get(kind)
    found = maker and _scan_of(batches, maker, key)
    if maker is None or not found:
        return
    batch, scan = found
    with tempfile.TemporaryDirectory() as folder:
        call = [sys.executable, "-m", maker.command, "--study", str(study), "--scan", scan]
        for name in maker.inputs:
            call += [f"--{name}", str(batch / f"{name}.parquet")]
        call += ["--out", str(Path(folder, "rows.parquet"))]
        done = subprocess.run(call, check=False, env=environment(_ROOT))
    if done.returncode:
        raise MachineError(
            "What is damaged or missing in the store must be made anew",
            found=f"an error of {maker.command} for scan {scan}, which stands above in this log",
            remedy="mend what that error names, and start again: what is done is kept",
            code="store-not-remade",
        )


def _scan_of(batches: Path, maker: Maker, key: str) -> tuple[Path, str] | None:
    """Return the batch's folder and the scan to which an entry belongs, None where none says so."""
    for path in sorted(batches.glob(f"*/{maker.table}.parquet")):
        table = read_table(path)
        named = table[maker.column].notna() & table[maker.column].astype(str).str.split("/").map(
            lambda parts: key in parts
        )
        if named.any():
            return path.parent, str(table.loc[named, "scan_id"].iloc[0])
    return None
