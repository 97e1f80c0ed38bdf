"""Try damaged files, and write one line of JSON for each.

`python -m tests.fuzz.run --files 2000` does all; `--only NAME --number N` repeats one, and
`--keep FILE` leaves its bytes there.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import signal
import sys
import tempfile
from pathlib import Path

SEED = 20250131
#: Seconds that one file may take; what takes longer kills the process.
SECONDS = 20
#: Memory that one file may ask for beside what the libraries take, in bytes: a header that claims
#: a million rows and columns would want terabytes.
MEMORY = 1 << 30


def limit_memory() -> None:
    """Let the process have `MEMORY` more than it has now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main() -> None:
    """Try files, from `--first` on."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--files", type=int, default=200)
    arguments.add_argument("--first", type=int, default=0, help="number to begin with")
    arguments.add_argument("--number", type=int, help="this one only")
    arguments.add_argument("--only", help="format")
    arguments.add_argument("--seed", type=int, default=SEED)
    arguments.add_argument("--keep", type=Path, help="where to leave the last file")
    options = arguments.parse_args()
    logging.getLogger("vertebromics").addHandler(logging.NullHandler())

    from tests.fuzz.damage import damaged
    from tests.fuzz.judge import Judge
    from tests.fuzz.originals import make

    with tempfile.TemporaryDirectory() as folder:
        originals = make(Path(folder) / "originals")
        judge = Judge(Path(folder), Path(folder) / "originals" / "ct.nrrd")
        for original in originals:
            # Everything is loaded, and no good file is refused.
            verdict = judge.verdict(original, original.file.read_bytes())
            if verdict != "accepted":
                sys.exit(f"the good {original.name} was not accepted: {verdict}")
        limit_memory()
        numbers = (
            range(options.first, options.files) if options.number is None else [options.number]
        )
        for number in numbers:
            original = originals[number % len(originals)]
            if options.only not in (None, original.name):
                continue
            content, way = damaged(original.file.read_bytes(), options.seed, number)
            if options.keep:
                options.keep.write_bytes(content)
            print(json.dumps({"number": number, "name": original.name, "way": way}), flush=True)
            signal.alarm(SECONDS)
            verdict = judge.verdict(original, content)
            signal.alarm(0)
            print(json.dumps({"number": number, "verdict": verdict}), flush=True)


if __name__ == "__main__":
    main()
