"""Refuse a machine that cannot install this project, in one line, before anything is downloaded.

``python3 install/check_python.py .venv`` is what `make install` begins with. It runs on whatever
Python a machine has, so that it keeps to what Python 3.6 knows.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig

PROJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "pyproject.toml")


def supported(project=PROJECT):
    """Return the Pythons that pyproject.toml allows, as (major, minor), oldest first."""
    with open(project, encoding="utf-8") as file:
        found = re.search(r'^requires-python = ">=3\.(\d+),<3\.(\d+)"$', file.read(), re.MULTILINE)
    return [(3, minor) for minor in range(int(found.group(1)), int(found.group(2)))]


def written(version):
    """Return a version as people write it, such as 3.11."""
    return ".".join(str(part) for part in version[:3])


def version_problem(version, known, others):
    """Say in one line what to do about a Python outside `known`; None where it is inside.

    Parameters
    ----------
    version : tuple of int
        Major, minor, patch of the Python that was asked for.
    known : list of tuple of int
        The Pythons that this project runs on.
    others : list of str
        Commands on this machine that start one of them, best first.
    """
    if tuple(version[:2]) in known:
        return None
    low, high = known[0], known[-1]
    if others:
        remedy = f"add PYTHON={others[0]} to the command"
    else:
        remedy = (
            "install python{0} with its packages for venv and headers (Debian, Ubuntu: python{0} "
            "python{0}-venv python{0}-dev), then add PYTHON=python{0} to the command; or take the "
            "conda route of the README"
        ).format(written(high))
    return "Python {} is too {}: vertebromics runs on {} to {}. Remedy: {}.".format(
        written(version), "old" if tuple(version[:2]) < low else "new", written(low),
        written(high), remedy,
    )  # fmt: skip


def system_problem(system):
    """Say in one line that a system cannot have what the lock names; None where it can."""
    if system != "darwin":
        return None
    return (
        "vertebromics does not install on macOS: xgboost-cpu has no build for it. "
        "Remedy: a Linux machine, a virtual one or a container."
    )


def missing_problem(version, has_venv, has_headers, compiler):
    """Say in one line what a build needs that is not there; None where all is.

    Parameters
    ----------
    version : tuple of int
        Of the running Python.
    has_venv, has_headers : bool
        Whether it can make environments, and whether Python.h is there.
    compiler : str or None
        The C compiler's path.
    """
    python = f"python{written(version[:2])}"
    packages = [
        name
        for name, is_there in (
            (python + "-venv", has_venv),
            (python + "-dev", has_headers),
            ("gcc", compiler is not None),
        )
        if not is_there
    ]
    if not packages:
        return None
    return (
        "This machine lacks what the installation builds with. Remedy: "
        "sudo apt-get install {} (so named on Debian and Ubuntu).".format(" ".join(packages))
    )


def environment_problem(folder, version):
    """Say in one line that an existing environment was made by another Python; None otherwise."""
    try:
        with open(os.path.join(folder, "pyvenv.cfg"), encoding="utf-8") as file:
            made_by = re.search(r"^version(?:_info)? *= *(\d+)\.(\d+)", file.read(), re.MULTILINE)
    except OSError:
        return None
    made_by = tuple(map(int, made_by.groups())) if made_by else None
    if made_by in (None, tuple(version[:2])):
        return None
    return (
        f"{folder} was made with Python {written(made_by)}, and this is {written(version[:2])}. "
        f"Remedy: rm -r {folder} (it is made anew)."
    )


def others_here(known):
    """Return the commands of this machine that start a Python of `known`, newest first."""
    found = []
    for version in reversed(known):
        command = f"python{written(version)}"
        if shutil.which(command) is None:
            continue
        asked = subprocess.run(
            [command, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if asked.stdout.decode().strip() == written(version):
            found.append(command)
    return found


def c_compiler():
    """Return the path of the C compiler that extensions are built with, or None."""
    command = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    return shutil.which(command.split()[0]) or shutil.which("cc") or shutil.which("gcc")


def problem(folder):
    """Return the first problem of this machine, or None; see the functions above."""
    if system_problem(sys.platform) is not None:
        return system_problem(sys.platform)
    version, known = sys.version_info[:3], supported()
    if tuple(version[:2]) not in known:
        return version_problem(version, known, others_here(known))
    try:
        import ensurepip  # noqa: F401 (Debian leaves it out of python3)

        has_venv = True
    except ImportError:
        has_venv = False
    headers = os.path.join(sysconfig.get_paths()["include"], "Python.h")
    return environment_problem(folder, version) or missing_problem(
        version, has_venv, os.path.exists(headers), c_compiler()
    )


if __name__ == "__main__":
    sys.exit(problem(sys.argv[1]))
