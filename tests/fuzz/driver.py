"""What drives every fuzzer: files by number, each with a limit of time and memory, a line for each.

A fuzzer's module has a command that calls `try_all`; a test runs it with `run`, in a process of its
own, whose death is a failure of the file at hand, and judges what came out with `check`.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

#: Seconds that one file may take; what takes longer kills the process.
SECONDS = 20
#: Memory that one file may ask for beside what the libraries take, in bytes: a header that claims
#: a million rows and columns would want terabytes.
MEMORY = 1 << 30


class Original(Protocol):
    """A good file, by a name that no other has."""

    name: str


T = TypeVar("T", bound=Original)


def limit_memory() -> None:
    """Let the process have `MEMORY` more than it has now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def counted(description: str | None, files: int) -> argparse.ArgumentParser:
    """Return the options of a fuzzer that counts its files."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--files", type=int, default=files)
    parser.add_argument("--first", type=int, default=0, help="number to begin with")
    return parser


def arguments(description: str | None, files: int, seed: int) -> argparse.ArgumentParser:
    """Return the options of a fuzzer that calls `try_all`."""
    parser = counted(description, files)
    parser.add_argument("--number", type=int, help="this one only")
    parser.add_argument("--only", help="name of an original")
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--keep", type=Path, help="where to leave the last file")
    return parser


def try_all(
    options: argparse.Namespace,
    originals: Sequence[T],
    content_of: Callable[[T], bytes],
    broken: Callable[[T, int, int], tuple[bytes, str]],
    verdict: Callable[[T, bytes], str],
) -> None:
    """Try files and print two lines of JSON for each: its way of damage, and the verdict.

    Parameters
    ----------
    options : argparse.Namespace
        From `arguments`.
    originals : sequence
        The good files, each of which has to be accepted.
    content_of : callable
        Bytes of an original.
    broken : callable
        From an original, a number and a seed to damaged bytes, and the way.
    verdict : callable
        From an original and bytes to ``refused: ...``, ``accepted`` or ``FAILURE: ...``.
    """
    for original in originals:  # everything is loaded, and no good file is refused
        found = verdict(original, content_of(original))
        if found != "accepted":
            sys.exit(f"the good {original.name} was not accepted: {found}")
    limit_memory()
    every = range(options.first, options.files)
    for number in every if options.number is None else [options.number]:
        original = originals[number % len(originals)]
        if options.only not in (None, original.name):
            continue
        content, way = broken(original, number, options.seed)
        if options.keep:
            options.keep.write_bytes(content)
        print(json.dumps({"number": number, "name": original.name, "way": way}), flush=True)
        signal.alarm(SECONDS)
        found = verdict(original, content)
        signal.alarm(0)
        print(json.dumps({"number": number, "verdict": found}), flush=True)


def run(module: str, files: int, repository: Path) -> dict[int, dict]:
    """Return what became of each of `files` damaged files: original, way of damage, verdict."""
    tried: dict[int, dict] = {}
    first = 0
    while first < files:
        command = [sys.executable, "-W", "ignore", "-m", module, "--files", str(files)]
        done = subprocess.run(
            [*command, "--first", str(first)],
            cwd=repository, capture_output=True, text=True, check=False,
        )  # fmt: skip
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines, f"nothing was tried: {done.stderr[-1000:]}"
        for line in lines:
            tried.setdefault(line["number"], {}).update(line)
        first = lines[-1]["number"] + 1
        # A process that dies, or is killed for taking too long, leaves a file without a verdict.
        tried[first - 1].setdefault("verdict", f"FAILURE: the process ended ({done.returncode})")
    return tried


def check(module: str, tried: dict[int, dict]) -> None:
    """Look that no file is a failure, and that the damage is neither too mild nor too wild."""
    failures = [one for one in tried.values() if one["verdict"].startswith("FAILURE")]
    shown = "\n".join(
        f"{one['name']} ({one['way']}): {one['verdict']}; repeat it with "
        f"python -m {module} --number {one['number']} --keep FILE"
        for one in failures[:20]
    )
    assert not failures, f"{len(failures)} of {len(tried)} files:\n{shown}"
    verdicts = Counter(one["verdict"].partition(":")[0] for one in tried.values())
    assert min(verdicts["refused"], verdicts["accepted"]) > 0.1 * len(tried)
