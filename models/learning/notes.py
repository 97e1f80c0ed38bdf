"""What many fits have to say, in few sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def counted_notes(notes: Iterable[str], fits: int) -> list[str]:
    """Return each sentence once, with the number of fits that said it.

    Parameters
    ----------
    notes : iterable of str
        Sentences of all fits, each fit's at most once.
    fits : int
        Fits that could have said them.

    Returns
    -------
    list of str
        In the order in which they were first said.

    Examples
    --------
    >>> counted_notes(["SVM did not converge.", "SVM did not converge."], 500)
    ['In 2 of 500 fits: SVM did not converge.']
    """
    return [
        f"In {count} of {fits} fits: {note}" if fits > 1 else note
        for note, count in Counter(notes).items()
    ]
