"""Install the locked PyTorch: the CUDA build where there is an NVIDIA driver, else the CPU build.

``python install/torch_build.py auto|cpu|cuda`` says in one line which and why. The lock names one
version without a build, and either one satisfies it. On Linux pip's default index gives the CUDA
build, some 3 GB; the CPU build lies in PyTorch's own index. Where that cannot be had, the default
index serves, with a warning.

TORCH_INDEX names another index of CPU builds, such as a hospital's mirror.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "requirements.txt"

CPU_INDEX = "https://download.pytorch.org/whl/cpu"

ASKING = ("--retries", "0", "--timeout", "10")
"""An index that cannot be reached costs seconds, not minutes."""

REMEDY = (
    "Remedy: choose the other build with TORCH=cpu or TORCH=cuda, or name an index of CPU builds "
    "as TORCH_INDEX=https://..."
)

DRIVER_FILE = Path("/proc/driver/nvidia/version")
WSL_TOOLS = "/usr/lib/wsl/lib"  # where Windows puts nvidia-smi for Linux; not always on PATH


def locked(lock=LOCK):
    """Return the version of torch that the lock names."""
    return re.search(r"^torch==(\S+)$", Path(lock).read_text("utf-8"), re.MULTILINE).group(1)


def nvidia_driver(driver_file=DRIVER_FILE, tools=WSL_TOOLS):
    """Return what shows that this machine has an NVIDIA driver, or None."""
    nvidia_smi = shutil.which("nvidia-smi") or shutil.which("nvidia-smi", path=tools)
    if nvidia_smi is not None:
        listed = subprocess.run([nvidia_smi, "-L"], capture_output=True, text=True, check=False)
        cards = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
        if listed.returncode == 0 and cards:
            return f"nvidia-smi lists {cards[0].partition(' (UUID')[0]}"
    return str(driver_file) if driver_file.exists() else None


def pip(*words):
    """Run a command of this Python's pip, its output kept."""
    call = [sys.executable, "-m", "pip", *words]
    return subprocess.run(call, capture_output=True, text=True, check=False)


def has_cpu_build(wanted, index):
    """Return whether pip finds the CPU build of the version for this Python.

    pip itself is asked, since it knows this machine's proxy, certificates and local wheels.
    """
    asked = pip("index", "versions", "torch", "--index-url", index, *ASKING)
    return f"{wanted}+cpu" in re.findall(r"[^\s,()]+", asked.stdout)


def choose(wish, wanted, index, linux, driver):
    """Return the requirement for pip, the index to take it from, and the line that says why.

    Parameters
    ----------
    wish : str
        ``auto``, ``cpu`` or ``cuda``.
    wanted : str
        Version.
    index : str
        Index of CPU builds.
    linux : bool
        Whether the default index has CUDA builds for this system at all.
    driver : str or None
        What shows an NVIDIA driver.

    Returns
    -------
    requirement : str
    index : str or None
        None for pip's default index.
    line : str
    """
    if not linux:
        return (
            f"torch=={wanted}",
            None,
            "the build of pip's default index, as on every other system",
        )
    if wish == "cuda" or (wish == "auto" and driver):
        why = driver if wish == "auto" else "TORCH=cuda asks for it"
        # Three signs: `==` would also take a build for the CPU, where pip knows of one.
        return f"torch==={wanted}", None, f"the CUDA build, because {why}"
    why = "TORCH=cpu asks for it"
    if wish == "auto":
        why = "no NVIDIA driver was found (TORCH=cuda takes the CUDA build)"
    if has_cpu_build(wanted, index):
        return f"torch=={wanted}+cpu", index, f"the CPU build, because {why}"
    return (
        f"torch=={wanted}",
        None,
        f"warning: {index} cannot be reached or has no CPU build for this Python; pip's default "
        "index gives the CUDA build, some 3 GB, which also runs on the CPU",
    )


def installed():
    """Return the version of torch that is installed here, with its build, or None."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return None


def keeps(wish, wanted, found):
    """Return whether an installed torch answers the wish, so that nothing is to be done."""
    if found is None or found.partition("+")[0] != wanted:
        return False
    return wish == "auto" or (wish == "cpu") == found.endswith("+cpu")


def main(wish):
    """Install the build that is wished for, if it is not there; exit where pip fails."""
    wanted, found = locked(), installed()
    linux = sys.platform.startswith("linux")
    if keeps(wish if linux else "auto", wanted, found):
        print(f"PyTorch {found} is installed (TORCH={wish})")
        return
    index = os.environ.get("TORCH_INDEX") or CPU_INDEX
    requirement, index, line = choose(wish, wanted, index, linux, nvidia_driver())
    print(f"PyTorch {wanted}: {line}", flush=True)
    words = ["install", "-q", "--no-deps", requirement]
    if found is not None and found.partition("+")[0] == wanted:
        words.append("--force-reinstall")
    done = pip(*words, *(["--index-url", index] if index else []))
    if done.returncode:
        reason = [text for text in done.stderr.splitlines() if text.startswith("ERROR")]
        sys.exit("\n".join([*(reason or [done.stderr]), f"PyTorch was not installed. {REMEDY}"]))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="install/torch_build.py", description=__doc__)
    arguments.add_argument("build", choices=["auto", "cpu", "cuda"])
    main(arguments.parse_args().build)
