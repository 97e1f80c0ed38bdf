"""Carry this machine's settings of pip into a bare root: ``carry_pip.py ROOT``.

A fresh machine takes packages from where its site's machines take them: an index, certificates,
local wheels. The settings become ``/etc/pip.conf`` of the root; files that they name are copied,
folders are printed, one a line, to be mounted at the same place.
"""

from __future__ import annotations

import ast
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

CACHES = ("cache-dir", "no-cache-dir")


def settings() -> dict[str, str]:
    """Return what pip goes by here, without sections; its variables win, as in pip."""
    if importlib.util.find_spec("pip") is None:
        raise SystemExit("pip is not on this machine. Remedy: apt-get install python3-pip")
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return parsed(listed.splitlines())


def parsed(lines: list[str]) -> dict[str, str]:
    """Return option -> value of lines such as ``global.cert='/etc/ssl/ca.crt'``."""
    found = {}
    for variables in (False, True):
        for line in lines:
            name, _, value = line.partition("=")
            section, _, option = name.rpartition(".")
            if (section == ":env:") == variables and section in (":env:", "global", "install"):
                found[option] = ast.literal_eval(value)
    return {option: value for option, value in found.items() if option not in CACHES}


def named_paths(value: str) -> list[Path]:
    """Return the absolute paths of files and folders that a setting names and that exist."""
    paths = []
    for word in value.split():
        if word.startswith("file://"):
            path = Path(unquote(urlsplit(word).path))
            # An index of links; the files lie below it or beside it.
            path = path.parent if path.name == "simple" and len(path.parts) > 2 else path
        elif word.startswith("/"):
            path = Path(word)
        else:
            continue
        if path.exists() and path not in paths:
            paths.append(path)
    return paths


def carry(found: dict[str, str], root: Path) -> list[Path]:
    """Write the settings and copy the files that they name; return the folders to mount."""
    lines = ["[global]"]
    folders = []
    for option, value in sorted(found.items()):
        lines.append(f"{option} = " + "\n    ".join(value.split()))
        for path in named_paths(value):
            if path.is_dir():
                folders.append(path)
            else:
                target = root / path.relative_to("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    (root / "etc/pip.conf").write_text("\n".join(lines) + "\n")
    return folders


if __name__ == "__main__":
    print(*dict.fromkeys(carry(settings(), Path(sys.argv[1]))), sep="\n")
