"""What a result came from: versions against the lock, fingerprints of the code, names of files.

None of it names the machine or the person: versions, hashes and last parts of file names only.
"""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath, PureWindowsPath

import pandas as pd

from pipeline.core.errors import VertebromicsError
from pipeline.core.installed.own_files import OWN_FILES
from pipeline.running.fingerprint import code_fingerprint

#: The lock file that belongs to this code.
LOCK_FILE = OWN_FILES / "requirements.txt"

#: Modules whose code made the results, in the order of the stages.
STAGE_MODULES = (
    "pipeline.validate",
    "pipeline.ingest",
    "segmentation.masks",
    "segmentation.agreement",
    "pipeline.preflight",
    "pipeline.preflight_pages",
    "pipeline.resample",
    "pipeline.extract",
    "pipeline.perturb",
    "pipeline.robustness",
    "pipeline.verify",
    "pipeline.gather",
    "pipeline.reproducibility",
    "pipeline.join",
    "pipeline.example_images",
    "models.split",
    "models.selection",
    "models.stability",
    "models.train",
    "models.evaluate",
    "models.references",
    "models.sensitivity",
    "models.missingness",
    "models.nested",
    "models.optimism",
    "models.ablate",
    "pipeline.reporting.study_report",
)

#: ``name==version``, with whatever marker may follow.
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;]+)")


def python_version() -> str:
    """Return the version of the running Python, such as ``3.11.9``."""
    return platform.python_version()


def versions(lock: str | Path = LOCK_FILE) -> pd.DataFrame:
    """Return the installed version of every package that the lock file pins.

    Parameters
    ----------
    lock : path-like
        File of ``name==version`` lines.

    Returns
    -------
    pandas.DataFrame
        ``package, locked, installed`` (null where not installed)``, agrees`` (bool), in the order
        of the lock. A local label such as ``+cu126``, which names a build of the same version,
        does not count as a difference.

    Raises
    ------
    VertebromicsError
        If the file is missing or pins nothing.
    """
    lock = Path(lock)
    lines = lock.read_text(encoding="utf-8").splitlines() if lock.is_file() else []
    pins = [match.groups() for line in lines if (match := _PIN.match(line))]
    if not pins:
        raise VertebromicsError(
            "Provenance needs a lock file that pins packages",
            where=lock.name,
            remedy="run from a checkout of the repository, installed with `make install`",
            code="lock-file-without-packages",
        )
    rows = []
    for package, locked in pins:
        installed = _installed(package)
        rows.append(
            {
                "package": package,
                "locked": locked,
                "installed": installed,
                "agrees": installed is not None and installed.split("+")[0] == locked.split("+")[0],
            }
        )
    return pd.DataFrame(rows)


def software_version() -> str:
    """Return the version of this software, as its package metadata states it."""
    return _installed("vertebromics") or "not installed"


def stage_fingerprints(modules: tuple[str, ...] = STAGE_MODULES) -> dict[str, str]:
    """Return the code fingerprint of each stage; a comment does not change it."""
    return {module: code_fingerprint(module) for module in modules}


def relative_name(path: object) -> str:
    """Return a path as it may be printed: relative, or its last part where it is absolute.

    Folders above a study often name a person, a hospital or a patient; so does a path that
    climbs out of the working directory.

    Examples
    --------
    >>> relative_name("tables/clinical.csv"), relative_name("/home/someone/study/clinical.csv")
    ('tables/clinical.csv', 'clinical.csv')
    """
    text = str(path)
    posix, windows = PurePosixPath(text), PureWindowsPath(text)
    climbs = ".." in posix.parts or ".." in windows.parts
    if windows.drive or windows.root == "\\" or "\\" in text:
        return windows.name
    return posix.name if posix.is_absolute() or climbs or text.startswith("~") else text


def printable_config(value: object) -> object:
    """Return a configuration whose absolute paths are cut to their last part, at any depth."""
    if isinstance(value, dict):
        return {key: printable_config(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [printable_config(entry) for entry in value]
    if isinstance(value, str) and _looks_like_outside_path(value):
        return relative_name(value)
    return value


def _looks_like_outside_path(text: str) -> bool:
    """Tell paths from formulas: a formula may hold a slash, but starts with no root."""
    return bool(re.match(r"^(/|~|[A-Za-z]:[\\/]|\\\\|\.\.([\\/]|$))", text)) or "/../" in text


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
