"""Damaged and hostile files of frozen models: every one is refused in a clear sentence, none acts.

`python -m tests.fuzz.frozen --files 1000` tries them: every second file is damaged as any file can
be (`tests/fuzz/damage.py`), every other one is made to do harm (`tests/support/hostile_models.py`).
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.frozen.container import read_members
from models.frozen.model import load_frozen
from pipeline.core.errors import StudyError
from tests.fuzz.damage import damaged
from tests.fuzz.driver import arguments, try_all
from tests.support.frozen_study import write_frozen_models
from tests.support.hostile_models import SITE_WAYS, WAYS

SEED = 20251129
FAMILIES = ("lr", "rf", "xgboost", "tabnet")
OF_SITES = "sites"


@dataclass(frozen=True)
class Original:
    """A good file."""

    name: str
    content: bytes
    members: dict[str, bytes]


class Judge:
    """Loads files and judges what came of it.

    Parameters
    ----------
    folder : pathlib.Path
        Working folder; planted code would leave a file in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.mark = folder, folder / "planted"

    def broken(self, original: Original, number: int, seed: int) -> tuple[bytes, str]:
        """Return a damaged or hostile file, and the way."""
        round_ = number // (len(FAMILIES) + 1)
        if round_ % 2:
            return damaged(original.content, seed, number)
        random = np.random.default_rng([seed, number])
        ways = WAYS if original.name != OF_SITES else (*SITE_WAYS * 6, *WAYS)
        way = ways[(round_ // 2) % len(ways)]
        return way(dict(original.members), random, self.mark), way.__name__

    def verdict(self, original: Original, content: bytes) -> str:
        """Return what became of a file."""
        path = self.folder / "model.vbm"
        path.write_bytes(content)
        try:
            load_frozen(path)
        except StudyError as error:
            told = f"refused: {error.rule}"
            if not (error.found and error.where and error.remedy) or "\n" in str(error):
                told = f"FAILURE: not a clear sentence: {error}"
        except BaseException as error:
            told = f"FAILURE: {type(error).__name__} in place of a clear error: {error}"
        else:
            told = "accepted" if content == original.content else "FAILURE: it was loaded"
        if self.mark.exists():
            return "FAILURE: planted code ran"
        left = {each.name for each in self.folder.iterdir()} - {"model.vbm", "originals"}
        return f"FAILURE: it left {sorted(left)}" if left else told


def make(folder: Path) -> list[Original]:
    """Return a good file of each family, and one of features harmonised between sites."""
    files = write_frozen_models(folder, FAMILIES)
    sites = write_frozen_models(folder / "sites", ("lr",), features=16, sites=("north", "south"))
    found = []
    for name, path in [*files.items(), (OF_SITES, sites["lr"])]:
        found.append(Original(name, path.read_bytes(), read_members(path)[0]))
    return found


if __name__ == "__main__":
    options = arguments(__doc__, 1000, SEED).parse_args()
    with tempfile.TemporaryDirectory() as place:
        judge = Judge(Path(place))
        originals = make(Path(place) / "originals")
        try_all(options, originals, lambda one: one.content, judge.broken, judge.verdict)
