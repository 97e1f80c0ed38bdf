"""The container in which rules run with ``snakemake --sdm apptainer``: an image of this very code.

A rule's parameters carry the fingerprint of the code beside the Snakefile, while its command
imports what the image holds. An image of other code would write results under a name that is not
theirs, so it is refused before the first job.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from pipeline.core.errors import VertebromicsError
from pipeline.core.installed.own_files import PACKAGES
from pipeline.running.deployed import IMPORTED

#: The image, seen from the working directory: Snakemake takes no path that holds a blank.
IMAGE = "containers/vertebromics.sif"

#: Endings of what is installed of the packages in a checkout and outside one alike.
TEXTS = (".py", ".c", ".h", ".yaml", ".j2", ".css", ".js", ".txt")

_BUILD = (
    "apptainer build containers/vertebromics.sif containers/vertebromics.def in a clean checkout "
    "of this version"
)


def digest_of_code(packages: Path = PACKAGES) -> str:
    """Return a digest of the texts that jobs run and read, the same on each Python and machine.

    Parameters
    ----------
    packages : pathlib.Path, optional
        The folder in which the packages lie.
    """
    digest = hashlib.sha256()
    for name in IMPORTED:
        for path in sorted(packages.joinpath(name).rglob("*")):
            if path.suffix in TEXTS:
                digest.update(f"{path.relative_to(packages).as_posix()}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def check_image(image: Path = Path(IMAGE)) -> None:
    """Raise unless the image is there, starts, and holds the code that the rules are made of.

    Parameters
    ----------
    image : pathlib.Path, optional
        File or folder of the image.

    Raises
    ------
    VertebromicsError
        Naming it.
    """
    if not image.exists():
        raise VertebromicsError(
            "Rules run in a container (--sdm apptainer) only where its image is",
            found="no such file",
            where=str(image),
            remedy=_BUILD + ", or a link to that image",
            code="image-missing",
        )
    # One of them is there: Snakemake has looked.
    program = "apptainer" if shutil.which("apptainer") else "singularity"
    done = subprocess.run(
        [program, "--silent", "exec", str(image), "python", "-m", "pipeline.running.image"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise VertebromicsError(
            "The image must start and hold this project",
            found=next(iter(reversed(done.stderr.strip().splitlines())), "no word"),
            where=str(image),
            remedy=_BUILD,
            code="image-unusable",
        )
    if done.stdout.split() != [digest_of_code()]:
        raise VertebromicsError(
            "The image must hold the code that the rules are made of",
            found="other code",
            where=f"{image}; rules: {PACKAGES}",
            remedy=_BUILD,
            code="image-of-other-code",
        )


if __name__ == "__main__":
    print(digest_of_code())
