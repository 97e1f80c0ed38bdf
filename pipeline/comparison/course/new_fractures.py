"""Which new fractures are adjacent to a treated vertebra, and which are remote.

Adjacent: directly above or below a treated level. Remote: with at least one normal segment between
it and every treated level. A new fracture of a treated level itself is a refracture, and neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

SPINE = (
    *(f"C{number}" for number in range(1, 8)),
    *(f"T{number}" for number in range(1, 13)),
    *(f"L{number}" for number in range(1, 6)),
    "S1",
)
"""Levels from head to foot. T13 and L6 stand between T12 and L1, and L5 and S1, in the few who have
them: they count where they are named."""

EXTRA = {"T13": "T12", "L6": "L5"}

ADJACENT, REMOTE, REFRACTURE = "adjacent", "remote", "refracture"

KINDS = (ADJACENT, REMOTE, REFRACTURE)
"""Events that follow from the levels."""


def kinds_of_new(treated: Iterable[str], new: Iterable[str]) -> dict[str, str]:
    """Return the kind of each new fracture of a patient.

    Parameters
    ----------
    treated : iterable of str
        Levels that were treated, such as ``T12`` (`pipeline.imaging.levels.levels_in` reads them
        from a cell).
    new : iterable of str
        Levels that broke afterwards.

    Returns
    -------
    dict of str to str
        Each new level, from head to foot, with ``adjacent``, ``remote`` or ``refracture``.

    Examples
    --------
    >>> kinds_of_new(["T12", "L1"], ["T11", "L3", "L1"])
    {'T11': 'adjacent', 'L1': 'refracture', 'L3': 'remote'}
    """
    treated, new = list(treated), list(new)
    spine = _spine([*treated, *new])
    places = [spine.index(level) for level in treated]
    kinds = {}
    for level in sorted(set(new), key=spine.index):
        away = min(abs(spine.index(level) - place) for place in places) if places else len(spine)
        kinds[level] = REFRACTURE if away == 0 else ADJACENT if away == 1 else REMOTE
    return kinds


def _spine(named: Sequence[str]) -> list[str]:
    spine = list(SPINE)
    for extra, above in EXTRA.items():
        if extra in named:
            spine.insert(spine.index(above) + 1, extra)
    return spine
