"""Try damaged files, and write one line of JSON for each.

`python -m tests.fuzz.run --files 2000` does all; `--only NAME --number N` repeats one, and
`--keep FILE` leaves its bytes there.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from tests.fuzz.driver import arguments, try_all

SEED = 20250131


def main() -> None:
    """Try files, from `--first` on."""
    options = arguments(__doc__, 200, SEED).parse_args()
    logging.getLogger("vertebromics").addHandler(logging.NullHandler())

    from tests.fuzz.damage import damaged
    from tests.fuzz.judge import Judge
    from tests.fuzz.originals import make

    with tempfile.TemporaryDirectory() as folder:
        originals = make(Path(folder) / "originals")
        judge = Judge(Path(folder), Path(folder) / "originals" / "ct.nrrd")
        try_all(
            options,
            originals,
            lambda original: original.file.read_bytes(),
            lambda original, number, seed: damaged(original.file.read_bytes(), seed, number),
            judge.verdict,
        )


if __name__ == "__main__":
    main()
