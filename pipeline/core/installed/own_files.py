"""Where the files of this project lie that stand beside its packages.

In a checkout they stand at its top: the Snakefile, ``config``, ``radiomics_params``, the lock. An
installed package has them in a folder of its own among the installed packages (``setup.py`` copies
them), so that nothing that is read while a study runs needs a checkout.
"""

from __future__ import annotations

from pathlib import Path

PACKAGES = Path(__file__).resolve().parents[3]

#: The folder that holds them, with the paths that they have in a checkout.
OWN_FILES = PACKAGES if (PACKAGES / "config/default.yaml").is_file() else PACKAGES / "vertebromics"


def own_file(path: str | Path) -> Path:
    """Return where a file lies that a study names: with the study, or with this package.

    A relative path starts at the working directory. What is not there, but among the project's own
    files, is that one: a study need not stand in a checkout.

    Parameters
    ----------
    path : path-like
        Such as ``config/demo-tables.yaml``.

    Returns
    -------
    pathlib.Path
        `path` itself where that exists, or where nothing does.
    """
    path = Path(path)
    own = OWN_FILES / path
    if path.is_absolute() or ".." in path.parts or path.exists() or not own.is_file():
        return path
    return own
