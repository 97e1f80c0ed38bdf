"""What the cross-validation over outer folds is called: nested only if it searches again."""

from __future__ import annotations

#: With `nested.search: fixed`, the rows that a fold holds out took part in the search.
FIXED = "cross-validation with a fixed search"
NESTED = "nested cross-validation"


def nested_name(search: str) -> str:
    """Return the name of a cross-validation over outer folds, in a sentence.

    Parameters
    ----------
    search : {'fixed', 'reduced', 'full'}
        How its folds search, as the option `nested.search` says.

    Examples
    --------
    >>> nested_name("reduced"), nested_name("fixed")
    ('nested cross-validation', 'cross-validation with a fixed search')
    """
    return NESTED if nested_searches(search) else FIXED


def nested_searches(search: str) -> bool:
    """Return whether every outer fold searches hyperparameters of its own."""
    return search != "fixed"


def nested_caution(search: str) -> str:
    """Return what must be said beside an estimate that is quoted, as a sentence; may be blank.

    Parameters
    ----------
    search : {'fixed', 'reduced', 'full'}
        How the folds search.
    """
    if nested_searches(search):
        return ""
    return (
        " These are slightly optimistic, too: the search for hyperparameters was not repeated in "
        "the folds (nested.search: fixed)."
    )
