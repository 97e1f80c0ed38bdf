"""Pack what `make install` downloads into one file, and install from it without a network.

``python install/bundle.py pack FILE`` (`make bundle`) asks pip for a wheel of each package of this
environment, PyRadiomics among them, and puts them beside the last commit of this checkout.
``python install/bundle.py open FILE FOLDER`` (`make install BUNDLE=FILE`) checks every file against
the list of digests and leaves the wheels in FOLDER, where pip then finds all that it needs.

A bundle serves the Python and the kind of machine that it was made on; it says so in its name.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from torch_build import CPU_INDEX

CHECKOUT = Path(__file__).resolve().parents[1]

PARTS = "bundle"
"""Name of the folder that holds wheels and digests inside a bundle."""

DIGESTS = "SHA256SUMS"
"""Name of the list of digests, in the format of sha256sum, beside the folder `wheels`."""

MADE_FOR = "MADE_FOR"
"""Name of the file that says which Python and machine a bundle serves."""

LOCKS = ("requirements.txt", "requirements-dev.txt")

PART = 1 << 20  # bytes read at once

AGAIN = "Remedy: copy the file again, or make the bundle anew with `make bundle`"


def this_python():
    """Return what a bundle has to be made for to serve here, such as ``cp311-linux_x86_64``."""
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return f"cp{sys.version_info.major}{sys.version_info.minor}-{platform}"


def digest(path):
    """Return the SHA-256 of a file in hexadecimal."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(PART):
            found.update(part)
    return found.hexdigest()


def write_digests(folder):
    """Write the list of digests of all files below `folder`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / DIGESTS).write_text("".join(lines), "utf-8")


def problem(folder, locks=CHECKOUT):
    """Say in one line why the opened bundle in `folder` cannot serve here, or return None.

    Parameters
    ----------
    folder : pathlib.Path
        Holds the digests and the folder `wheels`.
    locks : pathlib.Path
        The checkout that is to be installed.
    """
    listed = read_digests(folder)
    if listed is None:
        return f"{folder} is no bundle: it holds no readable {DIGESTS}. {AGAIN}"
    return damage(folder, listed) or misfit(folder, listed, locks)


def read_digests(folder):
    """Return the listed digests by name of file, or None where there is no such list."""
    try:
        lines = (folder / DIGESTS).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    parts = [line.split("  ", 1) for line in lines]
    return {each[1]: each[0] for each in parts if len(each) == 2}


def damage(folder, listed):
    """Say which file is missing, other than its digest says, or not in the list; None if none."""
    for name, wanted in listed.items():
        path = folder / name
        if not path.is_file():
            return f"The bundle lacks {name}. {AGAIN}"
        if digest(path) != wanted:
            return f"The bundle's {name} is not what its list of digests says. {AGAIN}"
    here = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    strange = sorted(here - listed.keys() - {DIGESTS})
    return f"The bundle holds {strange[0]}, which its list lacks. {AGAIN}" if strange else None


def misfit(folder, listed, locks):
    """Say for which other Python, machine or checkout a bundle was made; None if for these."""
    made_for = (folder / MADE_FOR).read_text("utf-8").strip() if MADE_FOR in listed else "?"
    if made_for != this_python():
        return (
            f"The bundle was made for {made_for}, and this is {this_python()}. Remedy: add "
            "PYTHON=<its path> to the command, or make a bundle on a machine like this one"
        )
    for lock in LOCKS:
        if digest(locks / lock) != listed.get(lock):
            return (
                f"The bundle was made for another {lock} than that of this checkout. Remedy: "
                "install the checkout that lies in the bundle"
            )
    return None


def open_bundle(source, folder):
    """Leave a bundle's wheels and lists in `folder`, checked; exit with one line if it is unfit.

    Parameters
    ----------
    source : pathlib.Path
        The file that `pack` wrote, or the folder `bundle` that unpacking it gave.
    folder : pathlib.Path
        Made anew; pip takes the wheels from ``folder/wheels``.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        found = problem(source)
        if found is None:
            shutil.copytree(source, folder, copy_function=_linked)
    else:
        found = _extract(source, folder) or problem(folder)
    if found is not None:
        shutil.rmtree(folder, ignore_errors=True)
        sys.exit(f"{found}.")


def _linked(source, target):
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def _extract(source, folder):
    """Extract the part of a bundle that pip needs; return in one line what is wrong, or None."""
    try:
        with tarfile.open(source) as tar:
            for member in tar:
                parts = PurePosixPath(member.name).parts
                if not member.isfile() or parts[1:2] != (PARTS,) or ".." in parts:
                    continue  # the checkout
                target = folder.joinpath(*parts[2:])
                target.parent.mkdir(parents=True, exist_ok=True)
                with tar.extractfile(member) as packed, open(target, "wb") as file:
                    shutil.copyfileobj(packed, file, PART)
    except FileNotFoundError:
        return f"There is no file {source}. Remedy: name the file that `make bundle` wrote"
    except (tarfile.TarError, EOFError):
        return f"{source} is no whole bundle. {AGAIN}"
    return None


def frozen():
    """Return the exact requirements of this environment, the project itself left out."""
    asked = [sys.executable, "-m", "pip", "freeze", "--all", "--exclude-editable"]
    listed = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in listed if not line.startswith(("vertebromics", "pyradiomics=="))]


def pack(folder):
    """Write the bundle of this environment and of the checkout's last commit.

    Parameters
    ----------
    folder : pathlib.Path
        Receives ``vertebromics-<version>-<python>-<platform>.tar``.

    Returns
    -------
    pathlib.Path
        The file.
    """
    from importlib.metadata import version

    name = f"vertebromics-{version('vertebromics')}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{this_python()}.tar"
    with tempfile.TemporaryDirectory(dir=folder) as work:
        top = Path(work) / name
        _commit(top)
        parts = top / PARTS
        (parts / "wheels").mkdir(parents=True)
        wheels(parts / "wheels")
        (parts / MADE_FOR).write_text(this_python() + "\n", "utf-8")
        for lock in LOCKS:
            shutil.copy(CHECKOUT / lock, parts)
        write_digests(parts)
        unfinished = path.with_name(f".{path.name}")
        with tarfile.open(unfinished, "w") as tar:  # wheels are packed already
            tar.add(top, arcname=name)
        unfinished.replace(path)
    return path


def wheels(folder):
    """Let pip gather a wheel of every package of this environment in `folder`."""
    sources = ["--extra-index-url", os.environ.get("TORCH_INDEX") or CPU_INDEX]
    requirements = folder.parent / "frozen.txt"
    requirements.write_text("\n".join(frozen()) + "\n", "utf-8")
    # An index that cannot be reached is passed over by pip; what is then missing is named.
    call = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, "--retries", "1"]
    subprocess.run([*call, *sources, "-r", requirements], check=True)
    requirements.unlink()
    builder = ["bash", CHECKOUT / "environment.post-deploy.sh", "wheel", "-w", folder]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    subprocess.run(builder, check=True, env=os.environ | {"PATH": path})


def _commit(folder):
    """Write the files of the checkout's last commit to `folder`, and say what they lack."""
    git = ["git", "-C", CHECKOUT]
    folder.mkdir(parents=True)
    changed = subprocess.run(
        [*git, "status", "--porcelain"], capture_output=True, text=True, check=False
    )
    if changed.returncode:
        sys.exit("A bundle holds the last commit of a git checkout. Remedy: clone the repository.")
    if changed.stdout:
        print("What is not committed is not in the bundle (git status lists it)")
    archive = subprocess.run([*git, "archive", "HEAD"], stdout=subprocess.PIPE, check=True)
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="install/bundle.py", description=__doc__)
    commands = arguments.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack", help="write a bundle")
    packing.add_argument("folder", type=Path, help="folder that receives it")
    opening = commands.add_parser("open", help="check a bundle and lay out its wheels")
    opening.add_argument(
        "source", type=Path, help="file, or the folder `bundle` of an unpacked one"
    )
    opening.add_argument("folder", type=Path, help="folder to make")
    asked = arguments.parse_args()
    if asked.command == "pack":
        written = pack(asked.folder)
        print(f"{written} ({written.stat().st_size / 1e6:.0f} MB)")
    else:
        open_bundle(asked.source, asked.folder)
