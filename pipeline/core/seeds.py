"""Seeds of all random draws, derived from the study's one seed by name."""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *names: object) -> int:
    """Return a seed for the draw that `names` describe.

    Draws with different names are independent of one another, and adding one changes no other.

    Parameters
    ----------
    seed : int
        The study's seed.
    *names : object
        What is drawn, such as ``"split"`` or ``("ablate", "tabnet", 3)``.

    Returns
    -------
    int
        From 0 to 2**31 - 1, which every library takes.
    """
    text = "\x1f".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
