"""Whether rules and package belong together, where each comes from a place of its own.

A Snakefile that is a module of another workflow runs with the package that is installed. Rules of
another version than the stages would hand over options that these do not have, or would not run a
stage again for an option that it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.core.errors import VertebromicsError
from pipeline.core.installed.own_files import OWN_FILES, PACKAGES
from pipeline.core.version import VERSION

#: The rules of the package that was imported.
RULES = OWN_FILES / "pipeline" / "rules"

#: Packages that a job imports by these names from its working directory, if that has them.
IMPORTED = ("pipeline", "segmentation", "models")

_INSTALL = "python -m pip install --no-build-isolation . in a checkout of the Snakefile's version"


def check_rules(version: str, read: Callable[[str], str], rules: Path = RULES) -> None:
    """Raise unless a Snakefile's version and rules are those of this package.

    Parameters
    ----------
    version : str
        What the Snakefile says of itself.
    read : callable
        Text of a file of the Snakefile's rules, by its name; empty where there is none.
    rules : pathlib.Path, optional
        Folder of the package's rules.

    Raises
    ------
    VertebromicsError
        Naming both versions, or the first file that differs where the versions are the same.
        Also for a package that was installed without its rules.
    """
    rule = "A Snakefile must run with the installed package of its own version"
    if version != VERSION:
        raise VertebromicsError(
            rule,
            found=f"Snakefile {version}, package {VERSION}",
            where=str(PACKAGES),
            remedy=_INSTALL,
            code="package-of-another-version",
        )
    files = sorted(rules.glob("*.smk"))
    if not files:
        raise VertebromicsError(
            rule,
            found="a package without rules",
            where=str(PACKAGES),
            remedy=_INSTALL,
            code="package-of-another-version",
        )
    for path in files:
        # Of a file in a repository, Snakemake reads the text without its last line break.
        if read(path.name).rstrip() != path.read_text(encoding="utf-8").rstrip():
            raise VertebromicsError(
                rule,
                found=f"both say {VERSION}, but their rules differ ({path.name})",
                where=str(PACKAGES),
                remedy=_INSTALL,
                code="package-of-another-version",
            )


def check_working_directory(folder: Path) -> None:
    """Raise if the working directory has packages that jobs would import instead of this one's.

    Python looks there first, before whatever is installed.

    Parameters
    ----------
    folder : pathlib.Path
        The working directory.

    Raises
    ------
    VertebromicsError
        Naming them.
    """
    if folder.resolve() == PACKAGES:
        return
    others = [
        name
        for name in IMPORTED
        if Path(folder, name, "__init__.py").is_file() or Path(folder, f"{name}.py").is_file()
    ]
    if others:
        raise VertebromicsError(
            "The working directory must hold no other Python package of a name that jobs import",
            found=", ".join(others),
            where=str(folder),
            remedy="run with another working directory: snakemake --directory FOLDER",
            code="package-shadowed",
        )


def check_paths(paths: Iterable[str], moved: Callable[[str], str]) -> None:
    """Raise if a module statement gives paths another beginning.

    Snakemake changes the names of inputs and outputs then; stages, which take the names of folders
    and of ready feature tables from the study, would read and write elsewhere.

    Parameters
    ----------
    paths : iterable of str
        The folder of the study's results and its ready feature tables.
    moved : callable
        What Snakemake makes of a path.

    Raises
    ------
    VertebromicsError
        Naming the first path and what would become of it.
    """
    for path in paths:
        if moved(path) != path:
            raise VertebromicsError(
                "A module of vertebromics must have neither `prefix` nor `replace_prefix`",
                found=f"{path} would become {moved(path)}",
                remedy="leave it out of the module statement and set the option `results`",
                code="module-prefix-refused",
            )
