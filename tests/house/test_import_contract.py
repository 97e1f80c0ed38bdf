"""The one direction of data flow: stages exchange files, shared ground imports no stage."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_import_contract_holds(repository):
    command = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([command], cwd=repository, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
